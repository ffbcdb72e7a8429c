"""Where reports go: format, file, colour; and the exit code findings ask for."""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

from edgecheck.errors import EdgecheckError
from edgecheck.findings import Finding, Severity, at_least
from edgecheck.reports.words import line

FORMATS = ("full", "concise", "json", "sarif", "junit", "github", "markdown", "html")


def configure(parser: argparse.ArgumentParser, formats: Sequence[str] = FORMATS) -> None:
    """The options every verb that reports findings has."""
    group = parser.add_argument_group("output")
    group.add_argument(
        "--output-format",
        choices=formats,
        metavar="FORMAT",
        help=f"{', '.join(formats)}; default full, github inside GitHub Actions; "
        "EDGECHECK_OUTPUT_FORMAT sets it for every verb that has the format",
    )
    group.add_argument("--output-file", type=Path, metavar="FILE", help="write the report there instead of stdout")
    policy = parser.add_argument_group("exit code")
    policy.add_argument(
        "--fail-on", choices=("error", "warning", "never"), help="exit 1 from this severity on (default: warning)"
    )
    policy.add_argument(
        "--allow-unknown", action="store_true", help="exit 0 where something could not be decided (else 3)"
    )
    policy.add_argument("--exit-zero", action="store_true", help="exit 0 whatever was found")


def chosen_format(arguments: argparse.Namespace, formats: Sequence[str] = FORMATS) -> str:
    """The option, else the environment variable, else `github` inside GitHub Actions, else `full`.

    The variable holds for all verbs: one that has no such format takes its default.
    """
    if arguments.output_format:
        return str(arguments.output_format)
    named = os.environ.get("EDGECHECK_OUTPUT_FORMAT")
    if named and named not in FORMATS:
        raise EdgecheckError(f"EDGECHECK_OUTPUT_FORMAT is '{named}'", help=f"one of {', '.join(FORMATS)}")
    if named in formats:
        return str(named)
    return "github" if os.environ.get("GITHUB_ACTIONS") == "true" else "full"


def warn(sentences: Sequence[str]) -> None:
    """What the user should know and nothing fails for, on stderr; a closed one is None."""
    for sentence in sentences:
        if sys.stderr is not None:
            print(f"warning: {line(sentence)}", file=sys.stderr)


def coloured(arguments: argparse.Namespace) -> bool:
    """Colour only for a person: a terminal that has it, no NO_COLOR, no file."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return arguments.output_file is None and _terminal() and not plain


def _terminal() -> bool:
    """Whether a person looks at stdout; a closed one is None."""
    return bool(sys.stdout) and sys.stdout.isatty()


def write(text: str, file: Path | None) -> None:
    """The report to stdout, or whole into `file` (temporary name, then rename)."""
    text = text if text.endswith("\n") or not text else text + "\n"
    if file is None:
        if sys.stdout is None:
            raise EdgecheckError("stdout is closed", help="say --output-file FILE")
        sys.stdout.write(text)
        return
    # A name that is no UTF-8 has half surrogates in it: \\udcff is how JSON writes one.
    content = text.encode("utf-8", "backslashreplace")
    try:
        if file.exists() and not file.is_file():  # /dev/stdout, a pipe: nothing to replace
            file.write_bytes(content)
        else:
            _replace(file.resolve(), content)
    except (OSError, ValueError, RuntimeError) as error:  # an empty name, a null byte in it, a loop of links
        raise EdgecheckError(f"cannot write {file}: {getattr(error, 'strerror', None) or error}") from None


def _replace(file: Path, content: bytes) -> None:
    """All or nothing: a temporary name beside it, then rename."""
    if file.exists() and not os.access(file, os.W_OK):  # rename would replace what was protected
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    temporary = file.with_name(f".edgecheck-{os.getpid()}")
    try:
        temporary.write_bytes(content)
        if file.exists():
            temporary.chmod(file.stat().st_mode & 0o777)
        temporary.replace(file)
    except OSError:
        with suppress(OSError):
            temporary.unlink()
        raise


def exit_code(
    findings: Sequence[Finding], arguments: argparse.Namespace, *, fail_on: Severity | Literal["never"] | None = None
) -> int:
    """0 clean, 1 findings at or above the policy, 3 something undecided."""
    if arguments.exit_zero:
        return 0
    floor: Severity | Literal["never"] = arguments.fail_on or fail_on or "warning"
    if floor != "never" and any(at_least(finding, floor) for finding in findings if not finding.undecided):
        return 1
    return 3 if any(finding.undecided for finding in findings) and not arguments.allow_unknown else 0
