"""A client for S3 from the usual chain of settings, and what its refusals mean, in one sentence each.

Credentials are whatever botocore finds: environment, profile, web identity, container or machine role. They are
asked for nowhere else, and no sentence and no log line holds one.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from edgecheck.errors import EdgecheckError
from edgecheck.golden.bucket import ABREAST, GoneError, Passing

_MISSING = {"NoSuchKey", "404", "NotFound"}
_PASSING = {
    "InternalError", "ServiceUnavailable", "SlowDown", "Throttling", "ThrottlingException", "RequestTimeout",
    "RequestTimeTooSkewed", "BadDigest", "XAmzContentSHA256Mismatch", "IncompleteBody", "ConditionalRequestConflict",
    "OperationAborted",
}  # fmt: skip
_REFUSED = {"AccessDenied", "AllAccessDisabled", "AccountProblem", "Forbidden", "Unauthorized"}
_WRONG_KEY = {
    "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "TokenRefreshRequired",
    "InvalidClientTokenId",
}  # fmt: skip
_LIBRARIES = ("botocore", "boto3", "s3transfer", "urllib3", "fsspec", "s3fs", "aiobotocore", "gcsfs", "adlfs")


class UploadGoneError(EdgecheckError):
    """A multipart upload that was completed or given up by somebody else."""


class RefusedError(EdgecheckError):
    """Not allowed."""


class PastTheEnd(Exception):  # noqa: N818 - an answer, not an error
    """The range begins where the object ends."""


class Taken(Exception):  # noqa: N818 - an answer, not an error
    """There is an object of that name."""


class NotKnown(Exception):  # noqa: N818 - an answer, not an error
    """The service does not know what was asked of it."""


def connect() -> tuple[Any, str]:
    """(S3 client, its endpoint without credentials). botocore's own retries are off: there is one policy, `again`."""
    try:
        import botocore.session
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
    except ImportError:
        raise EdgecheckError(
            "an s3:// store needs boto3, which is not installed", code=3, help="pip install 'edgecheck-ml[s3]'"
        ) from None
    hush()
    try:
        session = botocore.session.get_session()
        session.register_component("data_loader", _descriptions())
        style = (session.get_scoped_config().get("s3") or {}).get("addressing_style")
        given = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        config = Config(
            retries={"total_max_attempts": 1}, connect_timeout=10, read_timeout=60, max_pool_connections=ABREAST * 4,
            request_checksum_calculation="when_required", response_checksum_validation="when_required",
            s3={"addressing_style": style or ("path" if given else "auto")}, user_agent_extra="edgecheck",
        )  # fmt: skip
        client = session.create_client("s3", config=config)
    except (BotoCoreError, ValueError) as error:
        raise EdgecheckError(
            f"the AWS settings are wrong ({type(error).__name__})",
            help="check AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL and ~/.aws/config",
        ) from None
    parts = urlsplit(client.meta.endpoint_url)
    return client, f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


@cache
def _descriptions() -> Any:
    """botocore's descriptions of the services: they are large, and every client of a process can share them."""
    from botocore.loaders import create_loader

    return create_loader()


def hush() -> None:
    """No debug log of the libraries below: botocore's holds session tokens."""
    known = [name for name in logging.root.manager.loggerDict if name.partition(".")[0] in _LIBRARIES]
    for name in (*_LIBRARIES, *known):
        logger = logging.getLogger(name)
        if name in _LIBRARIES or logger.level:
            logger.setLevel(max(logger.getEffectiveLevel(), logging.INFO))


def said(response: Mapping[str, Any], url: str, bucket: str, endpoint: str) -> Exception:
    """What a service's refusal means. Its own words are left out: they may repeat the request."""
    code = str(response.get("Error", {}).get("Code", ""))[:60]
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _PASSING or (status >= 500 and status != 501) or status == 429:
        return Passing(f"it answered {status or ''} {'' if code == str(status) else code}".strip())
    if code == "NoSuchBucket":
        return EdgecheckError(f"there is no bucket {bucket} at {endpoint}", help="make it, or check its name")
    if code == "NoSuchUpload":
        return UploadGoneError(f"{url}: an upload was ended by somebody else")
    if code in _MISSING:
        return GoneError(f"{url}: something was removed while it was used", help="run the same command again")
    if status == 416:
        return PastTheEnd()
    if status == 412:
        return Taken()
    if status == 501:
        return NotKnown()
    return _not_allowed(code, status, url)


def _not_allowed(code: str, status: int, url: str) -> EdgecheckError:
    if code in _WRONG_KEY:
        return RefusedError(
            f"the AWS credentials are not accepted for {url} ({code})",
            help="check AWS_PROFILE or the keys in the environment, or sign in again",
        )
    if code in _REFUSED or status in (401, 403):
        return RefusedError(
            f"access to {url} is denied",
            help="it takes s3:ListBucket, GetObject; to push and prune PutObject, DeleteObject, AbortMultipartUpload",
        )
    return EdgecheckError(f"{url}: the service answered {code or status}", help="check bucket, region and endpoint")


def no_credentials(url: str) -> EdgecheckError:
    """What is said where the chain finds nothing."""
    return EdgecheckError(
        f"there are no AWS credentials for {url}",
        help="set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run where a role gives them",
    )
