"""The `edgecheck` command. One file per verb; only the verb asked for is imported."""

from __future__ import annotations

import gc
import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from edgecheck import __version__
from edgecheck.errors import EdgecheckError

if TYPE_CHECKING:
    from argparse import ArgumentParser

#: verb → (what it does, in the words of the overview)
VERBS = {
    "check": "hold model files against the op tables of targets and devices",
    "export": "turn a PyTorch or TensorFlow model into ONNX, Core ML and TFLite, with a proof of sameness",
    "fix": "rewrite the operators that targets refuse, where that is proven to change nothing",
    "devices": "list devices, or what one of them offers",
    "ops": "list what a target supports, or the limits of one op",
    "record": "run a pipeline and write down what happened, stage by stage, as a golden run",
    "compare": "replay golden runs, name the first stage that differs and the likely cause; judge latency",
    "init": "write a pipeline file to start from",
    "golden": "list, show, verify and prune recordings made on devices; push them to a store (S3, …), pull them",
    "explain": "say what a rule means, and what to do about it",
    "probe": "ask a real compiler or runtime about the limits of a table, or about model files",
    "doctor": "show what this machine can run; make and repair the frameworks' environments",
    "demo": "take two trained models through export, proof and check",
}
HELP = """usage: edgecheck VERB …

Will the model run on the device, compute the same there, and be fast there? Known before the merge.

{verbs}

examples:
  edgecheck check model.tflite
  edgecheck check model.onnx --target ort-cpu
  edgecheck check model.tflite --device pixel-8,raspberry-pi-5 --output-format json
  edgecheck export net.py:make_net --to onnx,tflite,coreml
  edgecheck compare golden/face/pixel-8/run-1

`edgecheck VERB --help` has each verb's options and examples.
Exit codes: 0 clean, 1 findings, 2 wrong command or file, 3 something could not be decided or run.
"""
SELDOM = 100_000  # objects more than before; a check makes few rings, and each search costs as much as a table


def command() -> int:
    """`main` as a process of its own: rings of objects are looked for seldom, and not at its end."""
    gc.set_threshold(SELDOM)
    try:
        return main()
    finally:
        gc.freeze()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code. A user's mistake is one sentence on stderr."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    _speak_utf8()
    try:
        code = _run(arguments)
        if sys.stdout is not None:
            sys.stdout.flush()
        return code
    except EdgecheckError as error:
        _complain(str(error), error.help)
        return error.code
    except BrokenPipeError:
        # Whoever read stdout went away (`| head`): not an error of the check.
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123 - lives until the process ends
        return 0
    except OSError as error:
        # Where this is about a file, the place that opened it says so; what is left is stdout on a full disk.
        if error.filename is not None:
            _complain(f"{error.filename}: {error.strerror}")
            return 2
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123 - what is left in the old buffer has no place
        _complain(f"cannot write to stdout: {error.strerror or error}")
        return 2
    except KeyboardInterrupt:
        if sys.stderr is not None:
            print("stopped", file=sys.stderr)
        return 130


def _complain(sentence: str, help: str | None = None) -> None:
    """An error on stderr, control characters of names in it as escapes; a closed stderr is None."""
    from edgecheck.reports.words import line

    if sys.stderr is None:
        return
    print(f"error: {line(sentence)}", file=sys.stderr)
    if help:
        print(f"  help: {line(help)}", file=sys.stderr)


def _speak_utf8() -> None:
    """Reports are UTF-8 whatever the locale says; a file name that is not is written with escapes."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")


def _run(arguments: list[str]) -> int:
    if not arguments or arguments[0] in {"-h", "--help", "help"}:
        print(HELP.format(verbs="\n".join(f"  {verb:<9} {text}" for verb, text in VERBS.items())), end="")
        return 0 if arguments else 2
    if arguments[0] in {"-V", "--version"}:
        print(f"edgecheck {__version__}")
        return 0
    verb = arguments[0]
    if verb not in VERBS:
        import difflib

        near = difflib.get_close_matches(verb, VERBS, n=1)
        raise EdgecheckError(
            f"there is no verb '{verb}'", help=f"did you mean {near[0]}?" if near else "edgecheck --help lists them"
        )
    try:
        parsed = parser(verb).parse_args(arguments[1:])
    except SystemExit as stop:  # argparse has already said why
        return int(stop.code or 0)
    code: int = import_module(f"edgecheck.cli.{verb}").run(parsed)
    return code


def parser(verb: str) -> ArgumentParser:
    """What reads the arguments behind `edgecheck VERB`, and knows its help."""
    import argparse

    module = import_module(f"edgecheck.cli.{verb}")
    made = argparse.ArgumentParser(
        prog=f"edgecheck {verb}",
        description=module.HELP,
        epilog=module.EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    module.configure(made)
    return made
