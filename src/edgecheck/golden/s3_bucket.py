"""Amazon S3, and what speaks its language (AWS_ENDPOINT_URL), through botocore: the part of boto3 that signs."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from edgecheck.errors import EdgecheckError
from edgecheck.golden.bucket import GoneError, Moved, Object, Passing, Sent, Source, Unfinished, again, same_bytes
from edgecheck.golden.s3_session import (
    NotKnown,
    PastTheEnd,
    RefusedError,
    Taken,
    UploadGoneError,
    connect,
    no_credentials,
    said,
)

READ_CHUNK = 1 << 20
#: How each listing says where it goes on.
_FOLLOWING = {
    "list_objects_v2": {"ContinuationToken": "NextContinuationToken"},
    "list_parts": {"PartNumberMarker": "NextPartNumberMarker"},
    "list_multipart_uploads": {"KeyMarker": "NextKeyMarker", "UploadIdMarker": "NextUploadIdMarker"},
}


class S3Bucket:
    """See `bucket.Bucket`."""

    def __init__(self, bucket: str, prefix: str) -> None:
        self.bucket, self.prefix = bucket, f"{prefix}/" if prefix else ""
        self.url = f"s3://{bucket}/{prefix}" if prefix else f"s3://{bucket}"
        self._client, self.endpoint = connect()

    def objects(self, prefix: str) -> Iterator[Object]:
        """Pages of a thousand."""
        start = len(self.prefix)
        for page in self.pages("list_objects_v2", Prefix=self.prefix + prefix):
            for one in page.get("Contents", ()):
                yield Object(key=one["Key"][start:], size=one["Size"], modified=one.get("LastModified"))

    def pages(self, operation: str, **arguments: Any) -> Iterator[dict[str, Any]]:
        """Every page of a listing."""
        following: dict[str, Any] = {}
        while True:
            page = self.call(operation, **arguments, **following)
            yield page
            if not page.get("IsTruncated"):
                return
            following = {name: page[source] for name, source in _FOLLOWING[operation].items() if source in page}

    def read(self, key: str, start: int, end: int) -> bytes:
        """One range; a connection that is cut is continued where it was."""
        found = bytearray()

        def rest() -> bytes:
            while start + len(found) < end and self._more(key, start + len(found), end, found):
                pass
            return bytes(found)

        return again(rest, f"reading {self.url}/{key}")

    def _more(self, key: str, start: int, end: int, found: bytearray) -> bool:
        """Add what comes to `found`; False where the object ends."""
        from botocore.exceptions import BotoCoreError

        try:
            answer = self.once("get_object", Key=self.prefix + key, Range=f"bytes={start}-{end - 1}")
        except PastTheEnd:
            return False
        before = len(found)
        try:
            while chunk := answer["Body"].read(READ_CHUNK):
                found += chunk
        except (BotoCoreError, OSError) as error:
            if len(found) > before:
                return True  # what came is kept, and the rest is asked for
            raise Passing(f"the connection broke ({type(error).__name__})") from None
        whole = int(str(answer.get("ContentRange", "")).rpartition("/")[2] or 0)
        return start + len(found) - before < whole

    def create(self, key: str, content: bytes) -> bool:
        """With If-None-Match; where the service does not know that, after a look."""
        try:
            self._put(key, content, IfNoneMatch="*")
        except Taken:
            return False
        except NotKnown:
            if any(one.key == key for one in self.objects(key)):
                return False
            self._put(key, content)
        return True

    def replace(self, key: str, content: bytes) -> None:
        """Whatever is there."""
        self._put(key, content)

    def _put(self, key: str, content: bytes, **condition: str) -> None:
        """A small object, its MD5 checked by the service, and again by the ETag it gives."""
        digest = hashlib.md5(content, usedforsecurity=False).digest()

        def put() -> None:
            answer = self.once("put_object", Key=self.prefix + key, Body=content, ContentMD5=text(digest), **condition)
            if plain(answer) and tag(answer) != digest.hex():
                condition.clear()  # it is there, it is ours, and it is wrong
                raise Passing("other bytes arrived than were sent")

        again(put, f"writing {self.url}/{key}")

    def delete(self, keys: Sequence[str]) -> None:
        """One at a time: DeleteObjects needs checksums that not every service knows."""
        for key in keys:
            self.call("delete_object", Key=self.prefix + key)

    def upload(self, source: Source, key: str, moved: Moved) -> Sent:
        """One request, or parts side by side where it is longer than a piece."""
        from edgecheck.golden.s3_multipart import upload

        if self.holds(key, source):
            moved(source.size)
            return Sent(sent=0, there=source.size)
        if len(source.pieces) > 1:
            return upload(self, source, key, moved)
        content = source.path.read_bytes()
        if hashlib.sha256(content).hexdigest() != source.sha256:
            raise EdgecheckError(f"{source.path} changed while it was pushed", help="push it again")
        self._put(key, content)
        moved(source.size)
        return Sent(sent=source.size, there=0)

    def holds(self, key: str, source: Source) -> bool:
        """Whether this object is there, whole: by size and ETag; where that is of another make, by its bytes."""
        from edgecheck.golden.s3_multipart import etag

        try:
            found = self.call("head_object", Key=self.prefix + key)
        except GoneError:
            return False
        if found["ContentLength"] != source.size:
            return False
        if sealed(found) or tag(found) == etag(source):
            return True
        return len(source.pieces) > 1 and same_bytes(self, key, source)

    def unfinished(self, prefix: str) -> list[Unfinished]:
        """Multipart uploads that wait for their end; none where listing them is not allowed or not known."""
        start = len(self.prefix)
        try:
            pages = list(self.pages("list_multipart_uploads", Prefix=self.prefix + prefix))
        except (RefusedError, NotKnown):
            return []
        return [
            Unfinished(key=one["Key"][start:], token=one["UploadId"], begun=one.get("Initiated"))
            for page in pages
            for one in page.get("Uploads", ())
        ]

    def abandon(self, upload: Unfinished) -> None:
        """Give its parts up."""
        try:
            self.call("abort_multipart_upload", Key=self.prefix + upload.key, UploadId=upload.token)
        except UploadGoneError:
            return

    def call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        """A request, tried again where the fault may pass."""
        what = f"{operation.replace('_', ' ')} in {self.url}"
        return again(lambda: self.once(operation, **arguments), what)

    def once(self, operation: str, **arguments: Any) -> dict[str, Any]:
        """One request; raises `Passing`, an answer that is an exception in `s3_session`, or one sentence."""
        from botocore import exceptions as aws
        from botocore.parsers import ResponseParserError

        try:
            answer: dict[str, Any] = getattr(self._client, operation)(Bucket=self.bucket, **arguments)
        except aws.ClientError as error:
            raise said(error.response, self.url, self.bucket, self.endpoint) from None
        except (aws.NoCredentialsError, aws.PartialCredentialsError, aws.CredentialRetrievalError):
            raise no_credentials(self.url) from None
        except (aws.SSOError, aws.TokenRetrievalError):
            raise EdgecheckError("the AWS single sign-on has run out", help="run `aws sso login`") from None
        except aws.EndpointConnectionError:
            raise Passing(f"{self.endpoint} cannot be reached") from None
        except (aws.HTTPClientError, ResponseParserError) as error:
            raise Passing(f"{self.endpoint} broke off ({type(error).__name__})") from None
        except aws.BotoCoreError as error:
            raise EdgecheckError(
                f"{self.url}: the AWS library stopped with {type(error).__name__}",
                help="check AWS_REGION, AWS_PROFILE and AWS_ENDPOINT_URL",
            ) from None
        return answer


def plain(answer: Mapping[str, Any]) -> bool:
    """Whether the ETag of a part or small object is its MD5."""
    return not sealed(answer) and len(tag(answer)) == 32 and all(c in "0123456789abcdef" for c in tag(answer))


def sealed(answer: Mapping[str, Any]) -> bool:
    """Whether a key of its own encrypts the object: then its ETag says nothing of its bytes."""
    return str(answer.get("ServerSideEncryption", "")).startswith("aws:kms") or "SSECustomerAlgorithm" in answer


def tag(answer: Mapping[str, Any]) -> str:
    """An ETag without its quotes."""
    return str(answer.get("ETag", "")).strip('"').lower()


def text(digest: bytes) -> str:
    """An MD5 as the header Content-MD5 has it."""
    return base64.b64encode(digest).decode("ascii")
