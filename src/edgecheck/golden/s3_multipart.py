"""A large file into S3: parts side by side, those that an earlier try left used again, the whole checked at the end."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from edgecheck.errors import EdgecheckError
from edgecheck.golden.bucket import ABREAST, Moved, Passing, Sent, Source, again
from edgecheck.golden.s3_bucket import plain, tag, text
from edgecheck.golden.s3_session import UploadGoneError

if TYPE_CHECKING:
    from edgecheck.golden.s3_bucket import S3Bucket

TRIES = 3  # uploads of one file: another may have ended ours, or bytes may have changed on their way


def etag(source: Source) -> str:
    """What S3 calls an object of these pieces, where no key of its own encrypts it."""
    if len(source.pieces) == 1:
        return source.pieces[0].hex()
    return f"{hashlib.md5(b''.join(source.pieces), usedforsecurity=False).hexdigest()}-{len(source.pieces)}"


def upload(bucket: S3Bucket, source: Source, key: str, moved: Moved) -> Sent:
    """The whole file, or one sentence; parts that have arrived stay for the next try."""
    sent = there = 0
    for _ in range(TRIES):
        job = _Job(bucket, source, key, moved)
        try:
            done = job.run()
        except UploadGoneError:
            moved(-job.counted)
            sent += job.sent
            if bucket.holds(key, source):  # another push of the same content was faster
                moved(source.size)
                return Sent(sent=sent, there=max(0, source.size - sent))
            continue
        sent, there = sent + job.sent, job.there
        if done:
            return Sent(sent=sent, there=there)
        moved(-job.counted)
        bucket.delete([key])
    raise EdgecheckError(
        f"{bucket.url}/{key} did not arrive as it was sent, {TRIES} times", code=3,
        help="the way to the store, or the store, damages what passes: try another network",
    )  # fmt: skip


class _Job:
    """One upload of one file."""

    def __init__(self, bucket: S3Bucket, source: Source, key: str, moved: Moved) -> None:
        self._bucket, self._source, self._key, self._moved = bucket, source, key, moved
        self.sent = self.there = 0
        self._lock = Lock()

    @property
    def counted(self) -> int:
        return self.sent + self.there

    def run(self) -> bool:
        """Whether the object that came of it is the file."""
        token, tags = self._begin()
        missing = [i for i in range(len(self._source.pieces)) if i + 1 not in tags]
        with ThreadPoolExecutor(ABREAST) as pool:
            work = {pool.submit(self._part, token, i): i for i in missing}
            try:
                for one in as_completed(work):
                    tags[work[one] + 1] = one.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return self._end(token, tags)

    def _begin(self) -> tuple[str, dict[int, str]]:
        """(the upload's token, tags of the parts that are there already, by number)."""
        for one in self._bucket.unfinished(self._key):
            if one.key == self._key:
                try:
                    tags = self._arrived(one.token)
                except UploadGoneError:
                    continue
                self._count(sum(self._length(number - 1) for number in tags), sent=False)
                return one.token, tags
        begun = self._bucket.call("create_multipart_upload", Key=self._bucket.prefix + self._key)
        return str(begun["UploadId"]), {}

    def _arrived(self, token: str) -> dict[int, str]:
        """Parts with the size and MD5 of ours; where no tag is an MD5 (the bucket has a key of its own) the size is
        enough: the folder's name has the hash of the content, and S3 held each part against its MD5 as it came."""
        listed = self._bucket.pages("list_parts", Key=self._bucket.prefix + self._key, UploadId=token)
        parts = {int(one["PartNumber"]): one for page in listed for one in page.get("Parts", ())}
        fit = {n: p for n, p in parts.items() if 0 < n <= len(self._source.pieces) and p["Size"] == self._length(n - 1)}
        same = {n: p for n, p in fit.items() if tag(p) == self._source.pieces[n - 1].hex()}
        return {n: str(p["ETag"]) for n, p in (same or fit).items()}

    def _part(self, token: str, i: int) -> str:
        digest = self._source.pieces[i]
        content = _piece(self._source.path, i * self._source.piece, self._length(i))
        if hashlib.md5(content, usedforsecurity=False).digest() != digest:
            raise EdgecheckError(f"{self._source.path} changed while it was pushed", help="push it again")
        tag = again(lambda: self._send(token, i, content, digest), f"part {i + 1} of {self._bucket.url}/{self._key}")
        self._count(len(content), sent=True)
        return tag

    def _send(self, token: str, i: int, content: bytes, digest: bytes) -> str:
        answer = self._bucket.once(
            "upload_part", Key=self._bucket.prefix + self._key, UploadId=token, PartNumber=i + 1, Body=content,
            ContentMD5=text(digest),
        )  # fmt: skip
        if plain(answer) and tag(answer) != digest.hex():
            raise Passing("other bytes arrived than were sent")
        return str(answer["ETag"])

    def _end(self, token: str, tags: Mapping[int, str]) -> bool:
        parts = [{"PartNumber": number, "ETag": tags[number]} for number in sorted(tags)]
        self._bucket.call(
            "complete_multipart_upload", Key=self._bucket.prefix + self._key, UploadId=token,
            MultipartUpload={"Parts": parts},
        )  # fmt: skip
        return self._bucket.holds(self._key, self._source)

    def _length(self, i: int) -> int:
        return min(self._source.piece, self._source.size - i * self._source.piece)

    def _count(self, size: int, *, sent: bool) -> None:
        with self._lock:
            self.sent, self.there = self.sent + size * sent, self.there + size * (not sent)
            self._moved(size)


def _piece(path: Path, start: int, size: int) -> bytes:
    with path.open("rb") as file:
        return os.pread(file.fileno(), size, start)
