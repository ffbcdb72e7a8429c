"""`edgecheck doctor`: what can run here, and the locked environments."""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import subprocess
import sys
from typing import Any

from edgecheck import __version__, browser, environments
from edgecheck.browser import webnn
from edgecheck.cli import output
from edgecheck.errors import EdgecheckError

HELP = "Show what can run on this machine; make and repair the environments that exporters run in."
EPILOG = """examples:
  edgecheck doctor                 what is there, what is missing, and the command that adds it
  edgecheck doctor --make torch    make the locked PyTorch environment (about 2 GB)
  edgecheck doctor --make torch,tf

Exit codes: 0 everything can run; 3 something is missing.
"""
FORMATS = ("full", "json")

#: What this interpreter itself may have, and what for.
OPTIONAL = {
    "onnxruntime": "runs ONNX files here instead of in an environment",
    "ai_edge_litert": "runs TFLite files here instead of in an environment",
}

#: Sets of npm packages: what the oracles in a browser need.
PACKAGES = {"browser": browser.install, "webnn": webnn.install}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this verb's arguments."""
    oracles = ", ".join((*environments.ORACLES, *PACKAGES))
    known = f"{', '.join(environments.NAMES)}; oracles: {oracles}"
    parser.add_argument("--make", metavar="NAME", help=f"make environments: {known}")
    parser.add_argument("--repair", metavar="NAME", help="remove what is there of an environment, and make it again")
    parser.add_argument("--output-format", choices=FORMATS, default="full", metavar="FORMAT", help="full or json")


def run(arguments: argparse.Namespace) -> int:
    """Make what is asked for, then show what there is."""
    for name in _names(arguments.make):
        _make(name)
    for name in _names(arguments.repair):
        _remove(name)
        _make(name)
    oracles = [name for name in environments.ORACLES if not environments.state(name).problem]
    found = [_look(environments.state(name)) for name in (*environments.NAMES, *oracles)]
    found += [_look_at_packages(name) for name in PACKAGES if browser.folder(name).is_dir()]
    if arguments.output_format == "json":
        output.write(json.dumps(_described(found), indent=1), None)
    else:
        output.write(_text(found), None)
    return 3 if any(item["problem"] for item in found) else 0


def _names(text: str | None) -> list[str]:
    names = [name.strip() for name in (text or "").split(",") if name.strip()]
    every = (*environments.NAMES, *environments.ORACLES, *PACKAGES)
    for name in names:
        if name not in every:
            known = ", ".join(every)
            raise EdgecheckError(f"there is no environment {name!r}; there are {known}")
    return names


def _make(name: str) -> None:
    if name in PACKAGES:
        PACKAGES[name]()
    else:
        environments.make(name, _say)


def _remove(name: str) -> None:
    if name in PACKAGES:
        shutil.rmtree(browser.folder(name), ignore_errors=True)
    else:
        environments.remove(name)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _look(state: environments.State) -> dict[str, Any]:
    """An environment with the packages its interpreter cannot find."""
    found: dict[str, Any] = {
        "name": state.name, "interpreter": str(state.interpreter), "problem": state.problem,
        "overridden": state.overridden,
    }  # fmt: skip
    if state.problem:
        return found
    needs = environments.PROOF[state.name]
    code = f"import importlib.util as u; print(*[n for n in {needs!r} if u.find_spec(n) is None])"
    done = subprocess.run([str(state.interpreter), "-c", code], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return found | {"problem": "its interpreter does not start"}
    lacks = done.stdout.split()
    return found | {"problem": f"lacks {', '.join(lacks)}" if lacks else ""}


def _look_at_packages(name: str) -> dict[str, Any]:
    """A set of npm packages, and whether there is the browser that runs them; `interpreter` is where they lie."""
    problem = ""
    try:
        browser.executable() if name == "browser" else webnn.executable()
    except EdgecheckError as error:
        problem = str(error)
    return {"name": name, "interpreter": str(browser.folder(name)), "problem": problem, "overridden": False}


def _described(found: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "schema": "edgecheck.doctor/1", "edgecheck": __version__, "python": platform.python_version(),
        "environments": found, "here": {name: not environments.missing([name]) for name in OPTIONAL},
    }  # fmt: skip


def _remedy(item: dict[str, Any]) -> str:
    if item["name"] == "browser":
        return "apt-get install chromium, or set EDGECHECK_CHROMIUM"
    verb = "--make" if item["problem"] == "has not been made" else "--repair"
    return f"edgecheck doctor {verb} {item['name']}"


def _text(found: list[dict[str, Any]]) -> str:
    lines = [f"edgecheck {__version__}, Python {platform.python_version()} on {platform.system()}", ""]
    for item in found:
        lines.append(f"{item['name']:<6} {item['problem'] or 'ready'}: {item['interpreter']}")
        if item["problem"]:
            lines.append(f"       help: {_remedy(item)}")
    for name, purpose in OPTIONAL.items():
        lines.append(f"{name:<16} {'missing' if environments.missing([name]) else 'here'} ({purpose})")
    return "\n".join(lines)
