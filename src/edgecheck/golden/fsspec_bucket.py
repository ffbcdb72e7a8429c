"""Any place that fsspec knows: gs://, az://, sftp://, memory://, … Each brings its own library and credentials."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from edgecheck.errors import EdgecheckError
from edgecheck.golden.bucket import GoneError, Moved, Object, Passing, Sent, Source, Unfinished, again, same_bytes
from edgecheck.golden.s3_session import hush

T = TypeVar("T")


class FsspecBucket:
    """See `bucket.Bucket`. An upload goes on with the files that are there, not with parts of one."""

    def __init__(self, scheme: str, place: str) -> None:
        self.url = f"{scheme}://{place}"
        self._files, root = _open(scheme, self.url)
        self._root = root.rstrip("/")

    def objects(self, prefix: str) -> Iterator[Object]:
        """Everything below the folder of `prefix` that begins with it."""
        folder = self._path(prefix.rpartition("/")[0])
        found = self._do(lambda: self._found(folder), f"listing {self.url}")
        root = self._root.strip("/")
        for path, about in sorted(found.items()):
            key = path.strip("/")[len(root) :].lstrip("/")
            if key.startswith(prefix):
                yield Object(key=key, size=int(about.get("size") or 0), modified=_when(about))

    def _found(self, folder: str) -> dict[str, dict[str, Any]]:
        self._files.invalidate_cache()
        try:
            found: dict[str, dict[str, Any]] = self._files.find(folder, detail=True)
        except FileNotFoundError:
            return {}
        return found

    def _path(self, key: str) -> str:
        return f"{self._root}/{key}".rstrip("/") if key else self._root

    def read(self, key: str, start: int, end: int) -> bytes:
        """One range."""
        found: bytes = self._do(
            lambda: self._files.cat_file(self._path(key), start=start, end=end), f"reading {self.url}/{key}"
        )
        return found

    def create(self, key: str, content: bytes) -> bool:
        """At once where the place can (`mode="create"`), else after a look."""

        def put() -> bool:
            self._files.invalidate_cache()
            if self._files.exists(self._path(key)):
                return False
            try:
                self._files.pipe_file(self._path(key), content, mode="create")
            except FileExistsError:
                return False
            except (TypeError, NotImplementedError, ValueError):
                self._files.pipe_file(self._path(key), content)
            return True

        return self._do(put, f"writing {self.url}/{key}")

    def replace(self, key: str, content: bytes) -> None:
        """Whatever is there."""
        self._do(lambda: self._files.pipe_file(self._path(key), content), f"writing {self.url}/{key}")

    def delete(self, keys: Sequence[str]) -> None:
        """What is not there is deleted."""
        for key in keys:
            self._do(partial(self._remove, self._path(key)), f"deleting {self.url}/{key}")

    def _remove(self, path: str) -> None:
        with suppress(FileNotFoundError):
            self._files.rm_file(path)

    def upload(self, source: Source, key: str, moved: Moved) -> Sent:
        """The whole file, unless it is there: then it is read and held against the hash."""
        if self._holds(key, source):
            moved(source.size)
            return Sent(sent=0, there=source.size)
        path = self._path(key)

        def put() -> None:
            self._files.makedirs(path.rpartition("/")[0], exist_ok=True)
            self._files.put_file(str(source.path), path)
            self._files.invalidate_cache()
            if self._files.info(path)["size"] != source.size:
                raise Passing("not all bytes arrived")

        self._do(put, f"writing {self.url}/{key}")
        moved(source.size)
        return Sent(sent=source.size, there=0)

    def _holds(self, key: str, source: Source) -> bool:
        if not any(one.key == key and one.size == source.size for one in self.objects(key)):
            return False
        return same_bytes(self, key, source)

    def unfinished(self, prefix: str) -> list[Unfinished]:
        """None that could be gone on with."""
        return []

    def abandon(self, upload: Unfinished) -> None:
        """Nothing to do."""

    def _do(self, act: Callable[[], T], what: str) -> T:
        def once() -> T:
            try:
                return act()
            except (EdgecheckError, Passing):
                raise
            except FileNotFoundError:
                raise GoneError(f"{self.url}: something is not there (any more)", help="list the store") from None
            except PermissionError:
                raise EdgecheckError(f"access to {self.url} is denied", help="check the credentials") from None
            except (OSError, TimeoutError) as error:
                raise Passing(type(error).__name__) from None
            # fsspec does not say what a place's own library may raise, and its text may repeat a request.
            except Exception as error:
                raise EdgecheckError(
                    f"{what} failed with {type(error).__name__}", code=3, help="check the credentials and the URL"
                ) from None

        return again(once, what)


def _open(scheme: str, url: str) -> tuple[Any, str]:
    """(file system, path in it)."""
    try:
        import fsspec
    except ImportError:
        raise EdgecheckError(
            f"a {scheme}:// store needs fsspec, which is not installed", code=3,
            help="pip install 'edgecheck-ml[stores]'",
        ) from None  # fmt: skip
    hush()
    try:
        files, path = fsspec.core.url_to_fs(url)
    except ImportError as error:
        cause = error.__cause__ if isinstance(error.__cause__, ImportError) else error
        package = str(cause.name or "a package of its own").partition(".")[0]
        raise EdgecheckError(
            f"a {scheme}:// store needs {package}, which is not installed", code=3,
            help=f"pip install {package}" if cause.name else "fsspec's documentation says which",
        ) from None  # fmt: skip
    except ValueError:
        raise EdgecheckError(
            f"there is no kind of store called {scheme}://",
            help="a folder, s3://, gs://, az://, … as fsspec names them",
        ) from None
    # fsspec does not say what a place's own library may raise, and its text may repeat a secret.
    except Exception as error:
        raise EdgecheckError(
            f"{scheme}:// cannot be opened ({type(error).__name__})", code=3, help="check its credentials and the URL"
        ) from None
    return files, str(path)


def _when(about: dict[str, Any]) -> datetime | None:
    """When it was last written, under whichever name a place says so."""
    for name in ("LastModified", "last_modified", "mtime", "updated", "created"):
        value = about.get(name)
        if isinstance(value, str):
            try:
                value = datetime.fromisoformat(value)
            except ValueError:
                continue
        if isinstance(value, (int, float)):
            return datetime.fromtimestamp(value, UTC)
        if isinstance(value, datetime):
            return value if value.tzinfo else value.replace(tzinfo=UTC)
    return None
