"""A Chromium that has WebNN: the one in the npm package @sparticuz/chromium, locked in `requirements/webnn/`.

Debian's is built without a backend ("WebNN is not supported on this platform"); this one has LiteRT on the CPU. The
package holds the browser compressed; `install` puts it into the cache, unpacked.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from edgecheck import browser
from edgecheck.errors import EdgecheckError

NAME = "webnn"
_PACKAGE = Path("node_modules", "@sparticuz", "chromium")
_UNPACK = """\
const {brotliDecompressSync} = require("zlib"), {readFileSync, writeFileSync} = require("fs");
writeFileSync("chromium", brotliDecompressSync(readFileSync(process.argv[1])), {mode: 0o755});
writeFileSync("swiftshader.tar", brotliDecompressSync(readFileSync(process.argv[2])));
"""


def version() -> str:
    """The browser's version as its package counts: "153.0.0". Raises EdgecheckError (3) where it is not there."""
    executable()
    return str(json.loads((browser.folder(NAME) / _PACKAGE / "package.json").read_text("utf-8"))["version"])


def executable() -> str:
    """The browser. Raises EdgecheckError (3) where it has not been installed."""
    found = browser.folder(NAME) / "chromium"
    if not found.is_file():
        raise EdgecheckError(
            "the Chromium with WebNN is not installed", code=3, help="run `python scripts/fetch_browser.py`"
        )
    return str(found)


def install() -> Path:
    """Install what package-lock.json locks with npm, into the cache, and unpack it; the folder it lies in.

    Raises EdgecheckError (3) where npm, node or tar fails.
    """
    if (browser.folder(NAME) / "chromium").is_file():
        return browser.folder(NAME)
    browser.fetch(browser.locks(NAME), browser.folder(NAME), then=_unpack)
    return browser.folder(NAME)


def _unpack(place: Path) -> None:
    packed = place / _PACKAGE / "bin"
    names = [str(packed / name) for name in ("chromium.br", "swiftshader.tar.br")]
    for command in (["node", "-e", _UNPACK, *names], ["tar", "xf", "swiftshader.tar"]):
        try:
            subprocess.run(command, cwd=place, capture_output=True, text=True, check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise EdgecheckError(
                f"the Chromium with WebNN cannot be unpacked: {error}", code=3,
                help=f"see that {command[0]} is installed, and that there is room for 250 MB in {os.fspath(place)}",
            ) from error  # fmt: skip
    (place / "swiftshader.tar").unlink()
