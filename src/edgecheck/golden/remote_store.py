"""Golden runs in a bucket that has no rename: data first, the marker last; out, the marker first.

A push that was cut off leaves data without a marker (or parts of an upload): nobody sees them, and the next push of
the same content goes on with them. A removal first turns the marker into one that says `removed`, then deletes the
data, then the marker: whoever finds such a marker ends the removal, and its data are never used again.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from edgecheck.errors import EdgecheckError, FormatError
from edgecheck.golden.bucket import PIECE, Bucket, GoneError, Object, Source
from edgecheck.golden.pulling import pull
from edgecheck.golden.reading import read
from edgecheck.golden.store import MOST_DAYS, Entry, Filter, Transfer
from edgecheck.golden.stored import (
    FILES,
    MARKER,
    MOST_MARKER,
    PLACE,
    SAFE,
    Content,
    Marker,
    address,
    digest,
    facts,
    parse,
    safe,
    write,
)  # fmt: skip

Moved = Callable[[int], None]
MOST_PIECES = 10_000  # of one upload: S3's bound
READERS = 16  # markers read at once
LOOKS = 5  # at a run that changes while it is looked at


class RemoteStore:
    """See `store.Store`. The bucket's root may be a store, or a pipeline, device or run inside one."""

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket

    def entries(self, wanted: Filter) -> list[Entry]:
        """The runs whose marker is there. Markers are read, data are not; sizes come from the listing."""
        sizes = {one.key: one.size for one in self._objects(wanted)}
        bases = [
            key[: -len(MARKER)].rstrip("/") for key in sorted(sizes) if key == MARKER or key.endswith("/" + MARKER)
        ]
        with ThreadPoolExecutor(READERS) as pool:
            markers = list(pool.map(self._looked_at, bases))
        listed = [self._seen(base, marker, sizes) for base, marker in zip(bases, markers)]
        found = [one for one in listed if one is not None]
        return [one for one in found if (one.problem and not one.facts) or wanted.admits(one.facts)]

    def _objects(self, wanted: Filter) -> Iterator[Object]:
        """What is stored; at a store's root only below the pipeline that is wanted, where it has a folder."""
        prefix = f"{safe(wanted.pipeline)}/" if wanted.pipeline else ""
        narrow = list(self.bucket.objects(prefix)) if prefix else []
        yield from narrow or self.bucket.objects("")

    def _looked_at(self, base: str) -> Marker | FormatError | None:
        """A marker, what is wrong with it, or None where there is none (any more)."""
        try:
            marker = self._marker(base)
        except FormatError as error:
            return error
        return None if marker is None or marker.removed else marker

    def _marker(self, base: str) -> Marker | None:
        key = _join(base, MARKER)
        try:
            content = self.bucket.read(key, 0, MOST_MARKER)
        except GoneError:
            return None
        return parse(content, self._name(key))

    def _seen(self, base: str, marker: Marker | FormatError | None, sizes: Mapping[str, int]) -> Entry | None:
        """An entry; what looks broken is looked at again: it may have been pruned and pushed since the listing."""
        found = None if marker is None else self._entry(base, marker, sizes)
        if found is None or not found.problem:
            return found
        prefix = f"{base}/" if base else ""
        for _ in range(LOOKS):
            now = self._looked_at(base)
            if now is None:
                return None
            found = self._entry(base, now, {one.key: one.size for one in self.bucket.objects(prefix)})
            if not found.problem or isinstance(now, FormatError) or self._looked_at(base) == now:
                return found
        return found

    def _entry(self, base: str, marker: Marker | FormatError, sizes: Mapping[str, int]) -> Entry:
        name = self._name(base)
        where = _join(self.bucket.url.partition("://")[2], base).split("/")[-3:]
        if isinstance(marker, FormatError):
            return Entry(name=name, address="", facts={}, problem=str(marker), help="push the run again, or remove it")
        problem = ""
        if len(where) < 3 or not all(SAFE.fullmatch(part) for part in where):
            problem = f"{name} does not lie at <pipeline>/<device>/<run>"
        for file, content in marker.files.items():
            size = sizes.get(_join(base, marker.place, file))
            if size != content.size:
                has = "is missing" if size is None else f"has {size:,} bytes"
                problem = f"{name}: {file} {has}, the marker says {content.size:,} bytes"
        return Entry(
            name=name, address="/".join(where), facts=marker.facts, size=marker.size, problem=problem,
            help="prune it (`--broken`) and push the run again" if problem else None,
        )  # fmt: skip

    def _name(self, key: str) -> str:
        return f"{self.bucket.url}/{key}" if key else self.bucket.url

    def _base(self, entry: Entry) -> str:
        return entry.name[len(self.bucket.url) :].strip("/")

    def push(self, folder: Path, moved: Moved) -> Transfer:
        """Data, then the marker; see the module."""
        run = read(folder)
        base = address(run)
        sources = {name: examine(folder / name) for name in FILES}
        files = {name: Content(size=one.size, sha256=one.sha256) for name, one in sources.items()}
        there = self._marker(base)
        if there is not None and not there.removed and dict(there.files) != files:
            raise EdgecheckError(
                f"{self._name(base)} is there already and holds another recording",
                help="give the run's folder another name, or prune the old one",
            )
        if there is not None and not there.removed and self._held(base, there):
            moved(there.size)
            return Transfer(name=self._name(base), size=there.size, sent=0, there=there.size)
        if there is not None:  # a removal that was cut off, or a marker whose data somebody deleted
            self._remove(base, there)
        place = self._begun(base, digest(files)) or f"data-{digest(files)[:16]}-{secrets.token_hex(4)}"
        sent = [self.bucket.upload(one, _join(base, place, name), moved) for name, one in sources.items()]
        marker = Marker(place=place, files=files, facts=facts(run))
        if not self.bucket.create(_join(base, MARKER), write(marker)):
            self._lost(base, marker)
        else:
            self._ended(base, marker)
        size, now = marker.size, sum(one.sent for one in sent)
        return Transfer(name=self._name(base), size=size, sent=now, there=sum(one.there for one in sent))

    def _held(self, base: str, marker: Marker) -> bool:
        """Whether all that the marker names is there, by size."""
        sizes = {one.key: one.size for one in self.bucket.objects(_join(base, marker.place) + "/")}
        return all(sizes.get(_join(base, marker.place, name)) == one.size for name, one in marker.files.items())

    def _begun(self, base: str, content: str) -> str | None:
        """The folder in which an earlier push of the same content began and did not end."""
        begun = f"{base}/data-{content[:16]}-"
        keys = [one.key for one in self.bucket.objects(begun)] + [one.key for one in self.bucket.unfinished(begun)]
        places = sorted({key[len(base) + 1 :].partition("/")[0] for key in keys})
        return next((one for one in places if PLACE.fullmatch(one)), None)

    def _ended(self, base: str, mine: Marker) -> None:
        """That the marker is still ours, with its data: some places cannot look and put in one step."""
        there = self._marker(base)
        if there is None or there.removed or there.place != mine.place:
            self._lost(base, mine)
        elif not self._held(base, mine):
            self._remove(base, mine)
            raise self._disturbed(base)

    def _lost(self, base: str, mine: Marker) -> None:
        """Somebody's marker was faster: the same content is no fault, and what is ours alone goes."""
        there = self._marker(base)
        if there is not None and there.place != mine.place:
            self.bucket.delete([_join(base, mine.place, name) for name in FILES])
        if there is None or there.removed or dict(there.files) != dict(mine.files):
            raise self._disturbed(base)

    def _disturbed(self, base: str) -> EdgecheckError:
        return EdgecheckError(
            f"{self._name(base)} was pushed or removed by somebody else at the same time",
            help="list the store, then push again, under another name if it is another recording",
        )

    def pull(self, entry: Entry, into: Path, moved: Moved) -> Transfer:
        """See `pulling`."""
        base = self._base(entry)
        marker = self._marker(base)
        if entry.problem and marker is not None:
            raise EdgecheckError(entry.problem, help=entry.help)
        if marker is None or marker.removed:
            raise GoneError(f"{entry.name} is not there any more")
        keys = {name: _join(base, marker.place, name) for name in FILES}
        return pull(self.bucket, marker, keys, into / entry.address, moved)

    def remove(self, entry: Entry) -> None:
        """The marker first."""
        base = self._base(entry)
        try:
            marker = self._marker(base)
        except FormatError:  # a broken marker names nothing: it goes alone, and its data with the next sweep
            self.bucket.delete([_join(base, MARKER)])
            return
        if marker is not None:
            self._remove(base, marker)

    def _remove(self, base: str, marker: Marker) -> None:
        if not marker.removed:
            self.bucket.replace(_join(base, MARKER), write(replace(marker, removed=True)))
        self._clear(base, marker)

    def _clear(self, base: str, marker: Marker) -> None:
        self.bucket.delete([_join(base, marker.place, name) for name in FILES])
        now = self._marker(base)
        if now is not None and now.removed and now.place == marker.place:
            self.bucket.delete([_join(base, MARKER)])

    def sweep(self, *, dry: bool) -> list[str]:
        """Removals that were cut off, at once; uploads and data without a marker when they are old."""
        objects = list(self.bucket.objects(""))
        swept = list(self._removals(objects, dry=dry))
        old = datetime.now(UTC) - timedelta(days=MOST_DAYS)
        for one in self._orphans(objects):
            if one.modified is not None and one.modified < old:
                swept.append(self._name(one.key))
                if not dry:
                    self.bucket.delete([one.key])
        for upload in self.bucket.unfinished(""):
            if upload.begun is not None and upload.begun < old and _data(upload.key):
                swept.append(f"an upload of {self._name(upload.key)}")
                if not dry:
                    self.bucket.abandon(upload)
        return swept

    def _removals(self, objects: list[Object], *, dry: bool) -> Iterator[str]:
        for one in objects:
            base = one.key[: -len(MARKER)].rstrip("/")
            if one.key.rpartition("/")[2] != MARKER:
                continue
            try:
                marker = self._marker(base)
            except FormatError:
                continue
            if marker is not None and marker.removed:
                yield self._name(base)
                if not dry:
                    self._clear(base, marker)

    def _orphans(self, objects: list[Object]) -> Iterator[Object]:
        """Data that no marker names; where a marker cannot be read, its data are left alone."""
        named: dict[str, str | None] = {}
        for one in objects:
            data = _data(one.key)
            if data is None:
                continue
            base, place = data
            if base not in named:
                try:
                    marker = self._marker(base)
                except FormatError:
                    named[base] = "?"
                else:
                    named[base] = marker.place if marker else None
            if named[base] not in (place, "?"):
                yield one


def _data(key: str) -> tuple[str, str] | None:
    """(run, folder) of a file of a run's data."""
    head, _, name = key.rpartition("/")
    base, _, place = head.rpartition("/")
    return (base, place) if name in FILES and PLACE.fullmatch(place) else None


def _join(*parts: str) -> str:
    return "/".join(part for part in parts if part)


def examine(path: Path) -> Source:
    """Read a file once: its SHA-256, and the MD5 of each piece (what S3 holds an arriving part against)."""
    size = path.stat().st_size
    piece = max(PIECE, -(-size // MOST_PIECES))
    whole, pieces, read_ = hashlib.sha256(), [], 0
    try:
        with path.open("rb") as file:
            while content := file.read(piece):
                whole.update(content)
                pieces.append(hashlib.md5(content, usedforsecurity=False).digest())
                read_ += len(content)
    except OSError as error:
        raise EdgecheckError(f"cannot read {path}: {error.strerror}") from None
    if read_ != size:
        raise EdgecheckError(f"{path} changed while it was read", help="push it when nobody writes to it")
    return Source(path=path, size=size, sha256=whole.hexdigest(), piece=piece, pieces=tuple(pieces))
