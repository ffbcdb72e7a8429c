"""A headless browser that runs models: ONNX Runtime web and LiteRT.js, on WebAssembly and WebGPU.

`Browser` starts `host.py` (a server on loopback and the Chromium that looks at its page) and passes jobs to it. The
runtimes are npm packages, locked in `requirements/browser/`, that `install` puts into the cache.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from edgecheck import environments
from edgecheck.errors import EdgecheckError

if TYPE_CHECKING:
    import numpy

#: Names of Debian's, Google's and Microsoft's browsers, in the order they are looked for.
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge")


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A value for a model's input: raw bytes, or texts; `dtype` as ONNX Runtime web calls it ("float32", "int64")."""

    name: str
    dtype: str
    dims: tuple[int, ...]
    data: bytes = b""
    strings: tuple[str, ...] | None = None


class Browser:
    """A browser that is kept for many jobs. Use it as a context, or `close` it."""

    def __init__(self, modules: Path | None = None, chromium: str | None = None) -> None:
        """Start the host. Raises EdgecheckError (3) where there is no browser, or the packages are not installed."""
        found = modules or installed()
        command = [sys.executable, str(Path(__file__).with_name("host.py")), str(found), chromium or executable()]
        self._host = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._host.stdout is not None
        self.address = self._host.stdout.readline().strip()

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the browser and its host."""
        if self._host.stdin is not None:
            self._host.stdin.close()
        self._host.wait()


@cache
def kept(chromium: str | None = None) -> Browser:
    """The browser of this process, started once and ended with it; forks of this process use it too."""
    started = Browser(chromium=chromium)
    atexit.register(started.close)
    return started


def do(
    address: str,
    model: bytes,
    feeds: Sequence[Feed] = (),
    *,
    engine: str,
    package: str,
    build: str,
    options: Mapping[str, Any],
    run: bool,
    seconds: float = 60.0,
) -> dict[str, Any]:
    """What the page of the host at `address` made of a model (host.py has the answer's keys)."""
    job = {"engine": engine, "package": package, "build": build, "options": dict(options), "run": run}
    with tempfile.TemporaryDirectory(prefix="edgecheck-job-") as folder:
        path = Path(folder) / "model"
        path.write_bytes(model)
        given = [_offered(feed, Path(folder) / f"feed-{i}") for i, feed in enumerate(feeds)]
        body = json.dumps({**job, "model": str(path), "feeds": given, "seconds": seconds}).encode()
        request = urllib.request.Request(f"{address}/do", body, {"Content-Type": "application/json"})  # noqa: S310 - loopback
        with urllib.request.urlopen(request) as response:  # noqa: S310 - as above
            answer: dict[str, Any] = json.load(response)
    return answer


def _offered(feed: Feed, path: Path) -> dict[str, Any]:
    shown: dict[str, Any] = {"name": feed.name, "dtype": feed.dtype, "dims": list(feed.dims)}
    if feed.strings is not None:
        return shown | {"strings": list(feed.strings)}
    path.write_bytes(feed.data)
    return shown | {"data": str(path)}


def feed(name: str, dtype: str, values: numpy.ndarray) -> Feed:
    """A value as a job holds it; texts (`dtype` "string") are no bytes."""
    texts = tuple(values.reshape(-1).tolist()) if dtype == "string" else None
    raw = b"" if texts is not None else values.tobytes()
    return Feed(name=name, dtype=dtype, dims=values.shape, data=raw, strings=texts)


def array(output: Mapping[str, Any]) -> numpy.ndarray:
    """An output's values as numpy holds them."""
    import base64

    import numpy

    if "strings" in output:
        return numpy.array(output["strings"], object).reshape(output["dims"])
    return numpy.frombuffer(base64.b64decode(output["data"]), output["dtype"]).reshape(output["dims"])


def executable() -> str:
    """The browser: EDGECHECK_CHROMIUM, or the first installed. Raises EdgecheckError (3) where there is none."""
    found = os.environ.get("EDGECHECK_CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        raise EdgecheckError(
            "no Chromium was found", code=3, help="install it (apt-get install chromium), or set EDGECHECK_CHROMIUM"
        )
    return found


def locks(name: str = "browser") -> Path:
    """The folder with the package.json and package-lock.json of one set of npm packages."""
    return environments.lock("dev").with_name(name)


def folder(name: str = "browser") -> Path:
    """Where a set of npm packages lies, installed or not."""
    digest = hashlib.sha256((locks(name) / "package-lock.json").read_bytes()).hexdigest()[:12]
    return environments.cache() / "envs" / f"{name}-{digest}"


def installed() -> Path:
    """The folder node_modules. Raises EdgecheckError (3) where it has not been made."""
    modules = folder() / "node_modules"
    if not modules.is_dir():
        raise EdgecheckError(
            "the browser's packages are not installed", code=3, help="run `python scripts/fetch_browser.py`"
        )
    return modules


def install() -> Path:
    """Install what package-lock.json locks with npm, into the cache; the folder node_modules.

    No script of a package is run. Raises EdgecheckError (3) with npm's last line where it fails.
    """
    if (folder() / "node_modules").is_dir():
        return installed()
    fetch(locks(), folder())
    return installed()


def fetch(locked: Path, place: Path, *, then: Callable[[Path], None] = lambda _: None) -> None:
    """Make the folder `place` with the packages that `locked`'s package-lock.json locks; whole, or not at all.

    `then` is called with the folder while it is made. Raises EdgecheckError (3) with npm's last line where it fails.
    """
    building = place.with_name(f"{place.name}.part-{os.getpid()}")
    building.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(locked / name, building)
    try:
        _npm(building)
        then(building)
        building.rename(place)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _npm(place: Path) -> None:
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--omit-lockfile-registry-resolved=true"]
    try:
        done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise EdgecheckError("npm was not found", code=3, help="install it (apt-get install npm)") from error
    if done.returncode != 0:
        last = [line for line in done.stderr.splitlines() if line.strip()][-1:] or ["no message"]
        raise EdgecheckError(
            f"the browser's packages cannot be installed: {last[0]}", code=3,
            help="check that the npm registry answers, then run `python scripts/fetch_browser.py` again",
        )  # fmt: skip
