"""Install the runtimes that run in a browser (requirements/browser/package-lock.json) into the cache, with npm.

Development only: the oracles `ort_web` and `litert_web` need them, and a Chromium; the oracle `ort_webnn` needs the
Chromium with WebNN of requirements/webnn/package-lock.json, which is installed too.
"""

from __future__ import annotations

import sys

from edgecheck import browser
from edgecheck.browser import webnn
from edgecheck.errors import EdgecheckError

if __name__ == "__main__":
    try:
        print(browser.install())
        print(webnn.install())
    except EdgecheckError as error:
        sys.exit(f"{error} ({error.help})")
