"""A browser that runs models: serves one page on loopback, keeps a headless Chromium at it, and passes jobs to it.

This file runs by itself, as a child process, with the standard library alone (`start` does so):

    python host.py NODE_MODULES [CHROMIUM]

It prints its address. `POST /do` takes a job (below) and answers with what the page made of it; the page asks for the
next job with `GET /job` and posts to `/result/<id>`. Files of a job lie on disk and are named by path: they are served
under `/file/<number>`, and nothing else of the disk is. It ends when its standard input closes.

A job: `engine` ("ort", "litert"), `package` (folder in NODE_MODULES), `build`, `model` (path), `feeds` (list of `name`,
`dtype`, `dims`, `data` (path of the raw bytes)), `options` (passed to the engine), `run`, `seconds`.
The answer: `made`, `text` (lines printed while the model was made), `printed` (and after), `outputs` (`name`, `dtype`,
`dims`, base64 `data`) or `failure`.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import mimetypes
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

#: WebGPU on the CPU (SwiftShader), so that any machine answers alike.
FLAGS = (
    "--headless=new", "--no-sandbox", "--no-first-run", "--disable-extensions", "--disable-background-networking",
    "--disable-dev-shm-usage", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader",
    "--enable-features=Vulkan,WebMachineLearningNeuralNetwork", "--use-vulkan=swiftshader",
)  # fmt: skip
PAGE = Path(__file__).parent / "page"
TYPES = {".mjs": "text/javascript", ".js": "text/javascript", ".wasm": "application/wasm"}
#: A page that may use threads (SharedArrayBuffer) must be isolated from other origins.
HEADERS = (
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Embedder-Policy", "require-corp"),
    ("Cache-Control", "no-cache"),
)
POLL = 20.0  # seconds a page waits for a job before it asks again
START = 120.0  # seconds a browser and an engine have to start


class Host:
    """One browser, one page, one job at a time."""

    def __init__(self, modules: Path, chromium: str) -> None:
        self.modules = modules
        self.chromium = chromium
        self.jobs: queue.Queue[dict[str, Any]] = queue.Queue()
        self.results: queue.Queue[dict[str, Any]] = queue.Queue()
        self.files: dict[str, Path] = {}
        self.numbers = itertools.count(1)
        self.turn = threading.Lock()
        self.browser: subprocess.Popen[bytes] | None = None
        self.profile: tempfile.TemporaryDirectory[str] | None = None
        self.shown = ""  # the page the browser was sent to
        self.port = 0

    def do(self, job: dict[str, Any]) -> dict[str, Any]:
        """The page's answer to a job; a page that does not answer in time is ended with its browser."""
        with self.turn:
            which = urllib.parse.urlencode({key: job[key] for key in ("engine", "package", "build")})
            seconds = float(job.get("seconds", 60.0))
            patience = seconds + START * self._show(f"/page/index.html?{which}")
            number = str(next(self.numbers))
            self.files = {}
            feeds = [{**one, **({"data": self._offer(one["data"])} if "data" in one else {})} for one in job["feeds"]]
            self.jobs.put({**job, "id": number, "model": self._offer(job["model"]), "feeds": feeds})
            try:
                result = self.results.get(timeout=patience)
            except queue.Empty:
                self.close()
                return {"failure": f"no answer in {seconds:g} s", "fatal": True}
            if result.get("fatal"):
                self.shown = ""
            return result

    def _offer(self, path: str) -> str:
        address = f"/file/{next(self.numbers)}"
        self.files[address] = Path(path)
        return address

    def _show(self, page: str) -> bool:
        """Make the browser show `page`; whether the page has to be loaded for that."""
        running = self.browser is not None and self.browser.poll() is None
        if running and self.shown == page:
            return False
        if running:
            self.jobs.put({"goto": page})
        else:
            self._start(page)
        self.shown = page
        return True

    def _start(self, page: str) -> None:
        self.close()
        self.profile = tempfile.TemporaryDirectory(prefix="edgecheck-chromium-", ignore_cleanup_errors=True)
        profile, address = f"--user-data-dir={self.profile.name}", f"http://localhost:{self.port}{page}"
        nothing = subprocess.DEVNULL
        self.browser = subprocess.Popen(
            [self.chromium, *FLAGS, profile, address], stdin=nothing, stdout=nothing, stderr=nothing, process_group=0
        )

    def close(self) -> None:
        """End the browser and forget what it was asked."""
        if self.browser is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.browser.pid, signal.SIGKILL)
            self.browser.wait()
            self.browser = None
        if self.profile is not None:
            self.profile.cleanup()
            self.profile = None
        self.jobs, self.results = queue.Queue(), queue.Queue()

    def file(self, address: str) -> Path | None:
        """What may be served under an address: the page, the packages, the files of the job; None for the rest."""
        if address in self.files:
            return self.files[address]
        for prefix, folder in (("/page/", PAGE), ("/npm/", self.modules)):
            path = (folder / address.removeprefix(prefix)).resolve()
            if address.startswith(prefix) and path.is_relative_to(folder.resolve()) and path.is_file():
                return path
        return None


class Handler(BaseHTTPRequestHandler):
    """The host over HTTP/1.1 on loopback."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet: two would wait for each other's acknowledgement
    disable_nagle_algorithm = True
    host: Host

    def do_GET(self) -> None:
        address = urllib.parse.unquote(self.path.partition("?")[0])
        if address == "/job":
            self._send(self._next_job(), "application/json")
            return
        path = self.host.file(address)
        if path is None:
            self.send_error(404)
            return
        kind = TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        self._send(path.read_bytes(), kind)

    def _next_job(self) -> bytes:
        try:
            return json.dumps(self.host.jobs.get(timeout=POLL)).encode()
        except queue.Empty:
            return b"{}"

    def do_POST(self) -> None:
        content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/do":
            self._send(json.dumps(self.host.do(content)).encode(), "application/json")
            return
        self._send(b"{}", "application/json")  # first: the page may leave once it has the answer
        self.host.results.put(content)

    def _send(self, content: bytes, kind: str) -> None:
        self.send_response(200)
        for name, value in (*HEADERS, ("Content-Type", kind), ("Content-Length", str(len(content)))):
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.wfile.write(content)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing is logged."""


def main() -> None:
    """Serve until standard input closes."""
    modules = Path(sys.argv[1])
    host = Host(modules, sys.argv[2] if len(sys.argv) > 2 else "chromium")
    Handler.host = host
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    host.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://127.0.0.1:{host.port}", flush=True)
    try:
        sys.stdin.buffer.read()
    finally:
        host.close()


if __name__ == "__main__":
    main()
