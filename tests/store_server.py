"""An S3 service over HTTP on loopback (moto's server, a process of its own), and a proxy that breaks things on the way to it.

The proxy has a clock: bytes that pass in either direction, and 1000 for each request, so that a moment between two requests is a moment too.
At a given time it holds everything: then the test kills the child whose traffic that is, and lets go.
"""

from __future__ import annotations

import http.client
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SERVER = """
import os, sys, logging
os.environ["S3_UPLOAD_PART_MIN_SIZE"] = "1000"
logging.disable(logging.CRITICAL)
from moto.moto_server.threaded_moto_server import ThreadedMotoServer
from moto.s3.exceptions import NoSuchUpload
from moto.s3.models import S3Backend
def faithful(method):
    def called(self, bucket_name, multipart_id, *arguments, **more):
        if multipart_id not in self.get_bucket(bucket_name).multiparts:  # S3 says so; moto stumbles over it
            raise NoSuchUpload(upload_id=multipart_id)
        return method(self, bucket_name, multipart_id, *arguments, **more)
    return called
import threading
from moto.s3.responses import S3Response
def one_at_a_time(method, lock=threading.Lock()):
    def called(*arguments, **more):
        with lock:  # S3's If-None-Match has one winner; moto looks, and then puts
            return method(*arguments, **more)
    return called
S3Response.put_object = one_at_a_time(S3Response.put_object)
S3Backend.upload_part = faithful(S3Backend.upload_part)
S3Backend.complete_multipart_upload = faithful(S3Backend.complete_multipart_upload)
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""
DENIED = b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>no</Message></Error>"
STEP = 1 << 16


class Service:
    """moto's S3, and how many bytes it holds nothing of afterwards."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", SERVER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())
        self.url = f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        self.process.communicate(timeout=20)


@dataclass(frozen=True)
class Request:
    """One that passed: `number` counts those of the same method and kind of path."""

    method: str
    path: str
    number: int


@dataclass
class Proxy:
    """`plan` says what happens to a request: "503", "403", "cut", "lost", "flip", or nothing."""

    port: int
    plan: Callable[[Request], str] = lambda request: ""
    log: list[Request] = field(default_factory=list)
    clock: int = 0
    up: int = 0  # bytes of request bodies
    down: int = 0  # bytes of answers' bodies
    hold_at: int | None = None
    sealed: bool = False  # as a bucket with a key of its own: ETags are no MD5s
    foreign: bool = False  # as a service that makes the ETag of a multipart object in another way

    def __post_init__(self) -> None:
        self.lock, self.held, self.go = threading.Lock(), threading.Event(), threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"proxy": self}))
        self.server.daemon_threads = True
        self.server.handle_error = lambda request, address: None  # clients are killed: that is what this is for
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def reset(self, hold_at: int | None = None) -> None:
        self.plan, self.log, self.clock, self.up, self.down = (lambda request: ""), [], 0, 0, 0
        self.sealed = self.foreign = False
        self.hold_at = hold_at
        self.held.clear()
        self.go.clear()

    def let_go(self) -> None:
        """After the kill: what was held is dropped."""
        self.hold_at = None
        self.go.set()

    def tick(self, size: int) -> None:
        with self.lock:
            self.clock += size
            hold = self.hold_at is not None and self.clock >= self.hold_at
        if hold:
            self.held.set()
            self.go.wait(60)
            raise ConnectionAbortedError

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class Handler(BaseHTTPRequestHandler):
    """One connection from the client; each request goes to the service on a connection of its own."""

    protocol_version = "HTTP/1.1"
    proxy: Proxy

    def log_message(self, *arguments: object) -> None:
        """Nothing."""

    def _pass(self) -> None:
        try:
            self._forward()
        except (OSError, http.client.HTTPException):
            self._break()

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _pass  # noqa: N815 - http.server's names

    def _break(self) -> None:
        self.close_connection = True
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            return

    def _forward(self) -> None:
        proxy = self.proxy
        with proxy.lock:
            same = sum(one.method == self.command and kind(one.path) == kind(self.path) for one in proxy.log)
            request = Request(self.command, self.path, same)
            proxy.log.append(request)
        fault = proxy.plan(request)
        proxy.tick(1000)
        body = self._body(int(self.headers.get("Content-Length") or 0), cut=fault == "cut" and self.command != "GET")
        if fault in ("503", "403"):
            self._answer(int(fault), {}, b"" if self.command == "HEAD" else (DENIED if fault == "403" else b""), 0)
            return
        if fault == "flip" and body:
            body[len(body) // 2] ^= 1
        if proxy.sealed:
            body = bytearray(
                re.sub(rb"(?<=<ETag>)[^<]*", lambda m: m[0][::-1].replace(b";touq&", b"&quot;"), bytes(body))
            )
        status, headers, content = self._asked(bytes(body))
        if fault == "lost":
            raise ConnectionAbortedError
        if fault == "flip" and self.command == "GET" and content:
            content[len(content) // 2] ^= 1
        self._answer(status, headers, bytes(content), len(content) // 2 if fault == "cut" else len(content))

    def _body(self, length: int, *, cut: bool) -> bytearray:
        found = bytearray()
        while len(found) < length:
            piece = self.rfile.read(min(STEP, length - len(found)))
            if not piece:
                raise ConnectionAbortedError
            found += piece
            with self.proxy.lock:
                self.proxy.up += len(piece)
            self.proxy.tick(len(piece))
            if cut and len(found) > length // 2:
                raise ConnectionAbortedError
        return found

    def _asked(self, body: bytes) -> tuple[int, dict[str, str], bytearray]:
        upstream = http.client.HTTPConnection("127.0.0.1", self.proxy.port, timeout=60)
        try:
            headers = {key: value for key, value in self.headers.items() if key.lower() not in ("expect", "connection")}
            upstream.request(self.command, self.path, body=body or None, headers=headers)
            answer = upstream.getresponse()
            content = bytearray(answer.read())
            found = {
                key: value
                for key, value in answer.getheaders()
                if key.lower() not in ("connection", "transfer-encoding", "server", "date")
            }
        finally:
            upstream.close()
        if self.proxy.sealed:
            content = bytearray(
                re.sub(
                    rb'(?<=<ETag>)(&quot;|")?([^<&"]*)(&quot;|")?', lambda m: b'"' + m[2][::-1] + b'"', bytes(content)
                )
            )
            found = {
                key: f'"{value.strip(chr(34))[::-1]}"' if key.lower() == "etag" else value
                for key, value in found.items()
            }
            found["x-amz-server-side-encryption"] = "aws:kms"
        if self.proxy.foreign and self.command == "HEAD":
            found = {
                key: '"0123456789abcdef0123456789abcdef-9"' if key.lower() == "etag" else value
                for key, value in found.items()
            }
        return answer.status, found, content

    def _answer(self, status: int, headers: dict[str, str], content: bytes, stop: int) -> None:
        self.send_response_only(status)
        for key, value in headers.items():
            if key.lower() != "content-length" or self.command == "HEAD":
                self.send_header(key, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(content)))
        elif "content-length" not in {key.lower() for key in headers}:
            self.send_header("Content-Length", "0")
        self.end_headers()
        for start in range(0, stop, STEP):
            piece = content[start : min(start + STEP, stop)]
            self.proxy.tick(len(piece))
            self.wfile.write(piece)
            with self.proxy.lock:
                self.proxy.down += len(piece)
        self.wfile.flush()
        if stop < len(content):
            raise ConnectionAbortedError


def kind(path: str) -> str:
    """The sort of thing a request is about."""
    bare, _, query = path.partition("?")
    if "list-type" in query:
        return "list"
    if "partNumber" in query:
        return "part"
    if "uploadId" in query or "uploads" in query:
        return "upload"
    return bare.rpartition("/")[2]
