"""Where golden runs are kept: a folder, or any place that fsspec knows, S3 first.

`open_store` takes what the user typed. Credentials come from the usual AWS chain (environment, profile, role) or
from what the other place's own library looks at: never from a URL, and no message holds one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from edgecheck.errors import EdgecheckError
from edgecheck.golden.stored import safe

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*(?:::[A-Za-z][A-Za-z0-9+.-]*)*)://(.*)", re.DOTALL)
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,62}|arn:aws[a-z-]*:s3[a-z-]*:[a-z0-9-]*:[0-9]*:[A-Za-z0-9/:_-]+")

Moved = Callable[[int], None]
MOST_DAYS = 7  # after so long an unfinished push is nobody's any more


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One run of a store, without its tensors. `problem`: why it cannot be used."""

    name: str  # what the user says to get at it: a folder, or a URL
    address: str  # <pipeline>/<device>/<run>
    facts: Mapping[str, Any]
    size: int = 0
    problem: str = ""
    help: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """What became of one run: where it is now, its bytes, how many of them travelled and how many had been there."""

    name: str
    size: int
    sent: int
    there: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which runs are meant; an empty one means all. Times are inclusive, UTC."""

    pipeline: str = ""
    device: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def admits(self, facts: Mapping[str, Any]) -> bool:
        """Whether a run with these facts is meant; one without a time is in no span of time."""
        for wanted, found in ((self.pipeline, facts["pipeline"]), (self.device, facts["device"])):
            if wanted and safe(wanted) != safe(found or "unknown-device"):
                return False
        if self.since is None and self.until is None:
            return True
        time = instant(str(facts["time"]))
        return time is not None and (not self.since or time >= self.since) and (not self.until or time <= self.until)


class Store(Protocol):
    """See the module."""

    def entries(self, wanted: Filter) -> list[Entry]:
        """The runs, by address; reads no tensors. Raises `EdgecheckError` where there is no such place."""

    def push(self, folder: Path, moved: Moved) -> Transfer:
        """Put the run of `folder` in; refused where another of its name is there."""

    def pull(self, entry: Entry, into: Path, moved: Moved) -> Transfer:
        """Put a copy of the run at `into`/<address>; `name` of what is returned is the folder."""

    def remove(self, entry: Entry) -> None:
        """Take a run out: nobody sees half of one."""

    def sweep(self, *, dry: bool) -> list[str]:
        """Clear what pushes and removals left that nobody finished within a week; what it was."""


def is_url(text: str) -> bool:
    return _URL.fullmatch(text) is not None


def open_store(text: str) -> Store:
    """The store that `text` names: a URL or a folder, which need not exist."""
    from edgecheck.golden.folder_store import FolderStore
    from edgecheck.golden.remote_store import RemoteStore

    found = _URL.fullmatch(text)
    if found is None:
        if re.match(r"s3[an]?:", text, re.IGNORECASE):
            raise EdgecheckError("an S3 store is written s3://bucket/prefix", help="two slashes after the colon")
        return FolderStore(Path(text))
    scheme, rest = found[1].lower(), found[2]
    _refuse_secrets(scheme, rest)
    if scheme in ("file", "local"):
        return FolderStore(Path(rest))
    if scheme in ("s3", "s3a", "s3n"):
        return RemoteStore(_s3(rest))
    from edgecheck.golden.fsspec_bucket import FsspecBucket

    return RemoteStore(FsspecBucket(scheme, rest.rstrip("/")))


def _refuse_secrets(scheme: str, rest: str) -> None:
    """No sentence here repeats the URL: what is wrong with it may be a secret."""
    place = rest.partition("/")[0]
    if re.search(r":[^/]*@|:.*@", rest) or "?" in rest or (scheme.startswith("s3") and "@" in rest):
        raise EdgecheckError(
            "a store's URL holds no credentials and no options",
            help="write s3://bucket/prefix; credentials come from AWS_PROFILE, the environment or the role",
        )
    if scheme.startswith("s3") and not _BUCKET.match(place):
        raise EdgecheckError(
            "an s3:// URL begins with a bucket's name: 3 to 63 letters, digits, dots and hyphens, nothing else",
            help="write s3://bucket/prefix; credentials come from AWS_PROFILE, the environment or the role",
        )
    if not place and scheme != "memory":
        raise EdgecheckError(f"{scheme}:// names no place", help="write s3://bucket/prefix")


def _s3(rest: str) -> Any:
    from edgecheck.golden.s3_bucket import S3Bucket

    if rest.startswith("arn:"):  # an access point's name has a slash in it
        found = re.fullmatch(r"(arn:[^/]+/[^/]+)/?(.*)", rest)
        bucket, prefix = (found[1], found[2]) if found else (rest, "")
    else:
        bucket, _, prefix = rest.partition("/")
    if not _BUCKET.fullmatch(bucket):
        raise EdgecheckError(
            "an s3:// URL begins with a bucket's name: 3 to 63 letters, digits, dots and hyphens, nothing else",
            help="write s3://bucket/prefix",
        )
    return S3Bucket(bucket, prefix.strip("/"))


def instant(text: str, *, end: bool = False) -> datetime | None:
    """A moment from ISO 8601 text, UTC where it says nothing; None where it is none. `end`: a day means its end."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    if end and len(text) == 10:
        found = found.replace(hour=23, minute=59, second=59, microsecond=999_999)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def superseded(entries: Sequence[Entry], keep: int) -> list[Entry]:
    """All but the newest `keep` runs of each pipeline and device, oldest first; one without a time is oldest."""
    groups: dict[tuple[str, str], list[Entry]] = {}
    for one in entries:
        if not one.problem:
            groups.setdefault((one.facts["pipeline"], one.facts["device"]), []).append(one)
    old: list[Entry] = []
    for group in groups.values():
        group.sort(key=lambda one: (one.facts["time"], one.name))
        old += group[: max(0, len(group) - keep)]
    return old
