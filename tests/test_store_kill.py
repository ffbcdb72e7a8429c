"""A push, a pull, a prune, killed at random moments: nothing half-visible, nothing lost, and the next try goes on.

The moment is a reading of the proxy's clock (bytes and requests), so that seeds hit the middle of parts and the gaps between requests.
`EDGECHECK_SEED` and `EDGECHECK_KILLS` choose other moments, and more of them.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys

import pytest

from edgecheck.golden.shelf import find
from edgecheck.golden.store import Filter, open_store
from store_server import Proxy, Service
from test_store import FILES, content, recorded

PIECE = 128 << 10
SIZE = 1_500_000  # twelve pieces
CHILD = f"""
import sys
from edgecheck.golden import pulling, remote_store, s3_multipart
pulling.PIECE = remote_store.PIECE = {PIECE}
pulling.ABREAST = s3_multipart.ABREAST = 2
from edgecheck.cli import main
sys.exit(main(sys.argv[1:]))
"""
SEED = int(os.environ.get("EDGECHECK_SEED") or 20261121)
KILLS = int(os.environ.get("EDGECHECK_KILLS") or 3)


def moments(what: str, count: int) -> list[float]:
    """When to kill, as parts of the whole: at random, one in each stretch of it."""
    chance = random.Random(f"{SEED} {what}")
    return [(i + chance.random()) / count for i in range(count)]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """(proxy, environment of the child, environment that goes straight to the service, bucket)."""
    service = Service()
    proxy = Proxy(service.port)
    keep = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "EDGECHECK"))}
    nothing = str(tmp_path_factory.mktemp("aws") / "none")
    keep |= {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "example", "AWS_REGION": "us-east-1", "AWS_CONFIG_FILE": nothing,
             "AWS_SHARED_CREDENTIALS_FILE": nothing, "PYTHONDONTWRITEBYTECODE": "1"}  # fmt: skip
    yield proxy, keep | {"AWS_ENDPOINT_URL": proxy.url}, keep | {"AWS_ENDPOINT_URL": service.url}
    proxy.stop()
    service.stop()


@pytest.fixture
def place(world, monkeypatch):
    """(an empty store, a client); this process goes straight to the service."""
    import botocore.session

    _, _, straight = world
    for key in [key for key in os.environ if key.startswith("AWS_")]:
        monkeypatch.delenv(key)
    for key, value in straight.items():
        if key.startswith("AWS_"):
            monkeypatch.setenv(key, value)
    bucket = f"golden-{os.urandom(6).hex()}"
    client = botocore.session.get_session().create_client("s3")
    client.create_bucket(Bucket=bucket)
    return f"s3://{bucket}/runs", bucket, client


def start(environment: dict[str, str], *arguments: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, "golden", *map(str, arguments)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def undisturbed(proxy: Proxy, environment: dict[str, str], *arguments: object) -> int:
    """Do it to its end; what the clock says then."""
    proxy.reset()
    child = start(environment, *arguments)
    out, err = child.communicate(timeout=120)
    assert child.returncode == 0, (out + err).decode()[-2000:]
    return proxy.clock


LENGTHS: dict[str, int] = {}


def length(what: str, proxy: Proxy, environment: dict[str, str], *arguments: object) -> int:
    """What the clock says at the end of an undisturbed transfer; one is enough."""
    if what not in LENGTHS:
        LENGTHS[what] = undisturbed(proxy, environment, *arguments)
    return LENGTHS[what]


def killed(proxy: Proxy, at: int, environment: dict[str, str], *arguments: object) -> None:
    """Begin it, and kill it when the clock says `at`."""
    proxy.reset(hold_at=at)
    child = start(environment, *arguments)
    try:
        assert proxy.held.wait(120), "it ended before its time"
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.communicate(timeout=20)
        proxy.let_go()


def visible(url: str) -> list[str]:
    """The runs that a list shows; each is whole."""
    entries = open_store(url).entries(Filter())
    assert not [one.problem for one in entries if one.problem]
    return [one.address for one in entries]


def parts_there(client, bucket: str) -> int:
    """Pieces that have arrived, of uploads that wait and of objects that are there without a marker."""
    waiting = client.list_multipart_uploads(Bucket=bucket, Prefix="runs/").get("Uploads", ())
    parts = sum(
        len(client.list_parts(Bucket=bucket, Key=one["Key"], UploadId=one["UploadId"]).get("Parts", ()))
        for one in waiting
    )
    whole = [
        one
        for one in client.list_objects_v2(Bucket=bucket, Prefix="runs/face/pixel-8/new/").get("Contents", ())
        if one["Size"] > SIZE
    ]
    return parts + len(whole) * (SIZE // PIECE)


@pytest.mark.parametrize("moment", moments("push", KILLS))
def test_a_push_that_is_killed(world, place, tmp_path, moment):
    proxy, environment, _ = world
    url, bucket, client = place
    source = recorded(tmp_path / "new", size=SIZE, seed=3)
    whole = sum(len(one) for one in content(source).values())
    old = recorded(tmp_path / "old", time="2026-11-01T00:00:00Z")
    open_store(url).push(old, lambda size: None)
    total = length("push", proxy, environment, "push", source, f"{url}-measured")
    killed(proxy, 1 + int(moment * total), environment, "push", source, url)

    assert set(visible(url)) - {"face/pixel-8/new"} == {"face/pixel-8/old"}
    there = parts_there(client, bucket)
    if moment > 0.6:
        assert there, "more than half had been sent, and nothing of it is there"
    undisturbed(proxy, environment, "push", source, url)
    assert proxy.up <= max(0, whole - there * PIECE) + 10_000, "what had arrived was sent again"
    assert visible(url) == ["face/pixel-8/new", "face/pixel-8/old"]
    for entry, folder in zip(open_store(url).entries(Filter()), (source, old)):
        open_store(url).pull(entry, tmp_path / "back", lambda size: None)
        assert content(tmp_path / "back" / entry.address) == content(folder)
    assert not client.list_multipart_uploads(Bucket=bucket).get("Uploads")


@pytest.mark.parametrize("moment", moments("pull", KILLS))
def test_a_pull_that_is_killed(world, place, tmp_path, moment):
    proxy, environment, _ = world
    url, _, _ = place
    source = recorded(tmp_path / "new", size=SIZE, seed=4)
    open_store(url).push(source, lambda size: None)
    total = length("pull", proxy, environment, "pull", url, tmp_path / "measured")
    shelf = tmp_path / "shelf"
    recorded(shelf / "face" / "pixel-8" / "mine")
    killed(proxy, 1 + int(moment * total), environment, "pull", url, shelf)

    assert [one.folder.name for one in find(shelf) if one.run] == ["mine"]
    assert not [one.problem for one in find(shelf) if one.problem]
    kept = sum(path.stat().st_size for path in shelf.rglob("*") if path.is_file() and ".part" in path.parent.name)
    if moment > 0.6:
        assert kept > 0
    undisturbed(proxy, environment, "pull", url, shelf)
    assert proxy.down <= SIZE + 10_000 - kept, "what had come was fetched again"
    assert content(shelf / "face/pixel-8/new") == content(source)
    assert sorted(path.name for path in (shelf / "face/pixel-8").iterdir()) == ["mine", "new"]
    assert sorted(path.name for path in (shelf / "face/pixel-8/new").iterdir()) == sorted(FILES)


@pytest.mark.parametrize("moment", moments("prune", max(2, KILLS // 2)))
def test_a_prune_that_is_killed(world, place, tmp_path, moment):
    proxy, environment, _ = world
    url, bucket, client = place
    folders = [recorded(tmp_path / f"run-{i}", seed=i, time=f"2026-11-2{i}T00:00:00Z") for i in range(3)]
    for folder in folders:
        open_store(url).push(folder, lambda size: None)
        open_store(f"{url}-measured").push(folder, lambda size: None)
    total = length("prune", proxy, environment, "prune", f"{url}-measured", "--keep", "1")
    killed(proxy, 1 + int(moment * total), environment, "prune", url, "--keep", "1")

    assert "face/pixel-8/run-2" in visible(url)
    undisturbed(proxy, environment, "prune", url, "--keep", "1")
    assert visible(url) == ["face/pixel-8/run-2"]
    left = [one["Key"] for one in client.list_objects_v2(Bucket=bucket, Prefix="runs/")["Contents"]]
    assert len(left) == 3, left
