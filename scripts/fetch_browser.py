"""Install the runtimes that run in a browser (requirements/browser/package-lock.json) into the cache, with npm.

Development only: the oracle `ort_web` and the runner need them, and a Chromium.
"""

from __future__ import annotations

import sys

from edgecheck import browser
from edgecheck.errors import EdgecheckError

if __name__ == "__main__":
    try:
        print(browser.install())
    except EdgecheckError as error:
        sys.exit(f"{error} ({error.help})")
