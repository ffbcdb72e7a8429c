"""`python -m edgecheck`."""

import sys

from edgecheck.cli import command

sys.exit(command())
