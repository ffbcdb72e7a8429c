"""`edgecheck explain`: what a rule means."""

from __future__ import annotations

import argparse
from pathlib import Path

from edgecheck.cli import output
from edgecheck.errors import EdgecheckError

HELP = "Say what a rule means, why it matters, what it looks like, and what to do."
EPILOG = """examples:
  edgecheck explain EC102
  edgecheck explain            every rule, a line each
"""
RULES = Path(__file__).parents[1] / "rules"


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument("rule", nargs="?", metavar="RULE", help="an id such as EC102")


def run(arguments: argparse.Namespace) -> int:
    """Print the rule's page, or the list."""
    pages = {path.stem: path for path in sorted(RULES.glob("EC*.md"))}
    if arguments.rule is None:
        titles = (path.read_text("utf-8").partition("\n")[0].removeprefix("# ") for path in pages.values())
        output.write("\n".join(titles), None)
        return 0
    page = pages.get(arguments.rule.upper())
    if page is None:
        raise EdgecheckError(f"there is no rule '{arguments.rule}'", help=f"the rules: {', '.join(pages)}")
    output.write(page.read_text("utf-8"), None)
    return 0
