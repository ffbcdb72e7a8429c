"""Zip archives whose entries are stored, not compressed, read in place: names, places and sizes.

torch.save and torch.export.save write such archives, so that weights can be mapped. A compressed entry is refused:
nothing is ever unpacked, so an archive costs its directory and no more. Source: PKWARE's APPNOTE 6.3 (the end of
central directory record, its 64-bit form, central directory headers and local headers).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping

from edgecheck.errors import FormatError

_END, _END64, _LOCATOR64 = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
_CENTRAL, _LOCAL = b"PK\x01\x02", b"PK\x03\x04"
_LONGEST_COMMENT = 0xFFFF
_MOST_ENTRIES = 1 << 18
_FULL = 0xFFFFFFFF


def entries(buffer: memoryview) -> Mapping[str, tuple[int, int]]:
    """For each entry's name the (first byte, size) of its data in the archive.

    Raises FormatError for an archive that is damaged, that holds a compressed or encrypted entry, two entries of one
    name, or data that overlap.
    """
    count, start, size = _directory(buffer)
    if count > _MOST_ENTRIES or size > len(buffer) or start > len(buffer) - size:
        raise FormatError("its zip directory does not lie in the file")
    found: dict[str, tuple[int, int]] = {}
    for name, place in _headers(buffer, start, start + size, count):
        if name in found:
            raise FormatError(f"the archive has two entries of the name {name[:80]!r}")
        found[name] = place
    _refuse_overlap(found)
    return found


def _directory(buffer: memoryview) -> tuple[int, int, int]:
    """(entries, first byte, size) of the central directory."""
    tail = bytes(buffer[-(_LONGEST_COMMENT + 22) :])
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < 22:
        raise FormatError("the end of its zip directory is missing")
    count, size, start = struct.unpack_from("<HII", tail, at + 10)
    if at >= 20 and tail[at - 20 : at - 16] == _LOCATOR64 and (count == 0xFFFF or _FULL in (size, start)):
        (place,) = struct.unpack_from("<Q", tail, at - 12)
        if place > len(buffer) - 56 or bytes(buffer[place : place + 4]) != _END64:
            raise FormatError("the end of its 64-bit zip directory is missing")
        count, size, start = struct.unpack_from("<QQQ", buffer, place + 32)
    return count, start, size


def _headers(buffer: memoryview, at: int, end: int, count: int) -> Iterator[tuple[str, tuple[int, int]]]:
    for _ in range(count):
        if at > end - 46 or bytes(buffer[at : at + 4]) != _CENTRAL:
            raise FormatError("its zip directory is damaged")
        flags, method = struct.unpack_from("<HH", buffer, at + 8)
        packed, size, name_size, extra_size, comment_size = struct.unpack_from("<IIHHH", buffer, at + 20)
        (local,) = struct.unpack_from("<I", buffer, at + 42)
        extra = at + 46 + name_size
        if extra + extra_size + comment_size > end:
            raise FormatError("its zip directory is damaged")
        name = str(buffer[at + 46 : extra], "utf-8", "replace")
        size, packed, local = _wide(bytes(buffer[extra : extra + extra_size]), (size, packed, local))
        if method != 0 or size != packed:
            raise FormatError(
                f"its entry {name[:80]!r} is compressed", help="save it again with torch.export.save, which stores"
            )
        if flags & 1:
            raise FormatError(f"its entry {name[:80]!r} is encrypted")
        yield name, (_data(buffer, local, size, name), size)
        at = extra + extra_size + comment_size


def _wide(extra: bytes, values: tuple[int, int, int]) -> tuple[int, int, int]:
    """Sizes and offset with those of the 64-bit extra field in place of 0xFFFFFFFF."""
    at = 0
    while at + 4 <= len(extra):
        kind, size = struct.unpack_from("<HH", extra, at)
        if kind == 1:
            field = iter(struct.unpack_from(f"<{min(size, len(extra) - at - 4) // 8}Q", extra, at + 4))
            wide = [next(field, value) if value == _FULL else value for value in values]
            return wide[0], wide[1], wide[2]
        at += 4 + size
    return values


def _data(buffer: memoryview, local: int, size: int, name: str) -> int:
    """The first byte of an entry's data, behind its local header."""
    if local > len(buffer) - 30 or bytes(buffer[local : local + 4]) != _LOCAL:
        raise FormatError(f"its entry {name[:80]!r} has no header in the file")
    name_size, extra_size = struct.unpack_from("<HH", buffer, local + 26)
    start: int = local + 30 + name_size + extra_size
    if start + size > len(buffer):
        raise FormatError(
            f"its entry {name[:80]!r} should lie at bytes {start:,} to {start + size:,} of {len(buffer):,}"
        )
    return start


def _refuse_overlap(found: Mapping[str, tuple[int, int]]) -> None:
    end, last = 0, ""
    for start, size, name in sorted((start, size, name) for name, (start, size) in found.items()):
        if start < end and size:
            raise FormatError(f"its entries {last[:80]!r} and {name[:80]!r} overlap")
        if start + size > end:
            end, last = start + size, name
