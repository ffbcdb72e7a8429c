"""Stores of golden runs: a folder, fsspec's memory, and S3 over HTTP on loopback, with faults on the way to it."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecheck.cli import main
from edgecheck.errors import EdgecheckError, FormatError
from edgecheck.golden import pulling
from edgecheck.golden.recorder import Recorder
from edgecheck.golden.remote_store import examine
from edgecheck.golden.store import Filter, instant, open_store
from edgecheck.golden.stored import MARKER, PLACE, SAFE, parse, safe
from store_server import Proxy, Service, kind

SECRET, TOKEN = "wJalrXUtnFEMIK7MDENGbPxRfiCYSECRETKEY", "FwoGZXIvYXdzSESSIONTOKENnotforanyone"
FILES = ("run.json", "tensors.safetensors")
PIECE = 256 << 10  # of the tests; S3 itself takes no part below 5 MiB, moto is told to
LARGE = 700_000  # three pieces


def recorded(
    folder: Path,
    *,
    size: int = 12,
    seed: int = 0,
    pipeline: str = "face",
    device: str = "Pixel 8",
    time: str = "2026-11-21T07:00:00Z",
) -> Path:
    folder.parent.mkdir(parents=True, exist_ok=True)
    recorder = Recorder(str(folder), pipeline, ["decode"], device={"model": device}, time=time)
    recorder.case("img")
    recorder.tensor("decode", "image", numpy.random.default_rng(seed).integers(0, 255, size, dtype=numpy.uint8))
    assert recorder.finish(), recorder.error
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in FILES}


@pytest.fixture(scope="module")
def service():
    made = Service()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def direct(service):
    """A client that does not go through the proxy."""
    import botocore.session

    session = botocore.session.get_session()
    session.set_credentials("AKIADIRECT", "direct")
    return session.create_client("s3", endpoint_url=service.url, region_name="us-east-1")


@pytest.fixture(scope="module")
def proxy(service):
    made = Proxy(service.port)
    yield made
    made.stop()


@pytest.fixture(autouse=True)
def pieces(monkeypatch):
    for module in ("remote_store", "pulling", "bucket"):
        monkeypatch.setattr(f"edgecheck.golden.{module}.PIECE", PIECE)


@pytest.fixture(autouse=True)
def aws(monkeypatch, tmp_path):
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLEEXAMPLE12")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "no-such-file"))


@pytest.fixture
def s3(direct, proxy, monkeypatch):
    """(URL of an empty store behind the proxy, a client straight to the service)."""
    proxy.reset()
    bucket = f"golden-{os.urandom(6).hex()}"
    direct.create_bucket(Bucket=bucket)
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
    return f"s3://{bucket}/team/runs", direct


def keys(client, url: str) -> list[str]:
    name = url.split("/")[2]
    return [one["Key"] for one in client.list_objects_v2(Bucket=name).get("Contents", ())]


@pytest.fixture(params=["folder", "memory", "s3"])
def place(request, tmp_path):
    if request.param == "folder":
        return str(tmp_path / "shelf")
    if request.param == "memory":
        return f"memory://{os.urandom(4).hex()}/runs"
    return request.getfixturevalue("s3")[0]


def golden(capsys, *arguments: object) -> tuple[int, dict]:
    capsys.readouterr()
    code = main(["golden", *map(str, arguments), "--output-format", "json"])
    out = capsys.readouterr().out
    return code, json.loads(out) if out else {}


def test_there_and_back(place, tmp_path, capsys):
    """push, list, show, verify, pull, prune are the same on every kind of store."""
    for i in range(3):
        recorded(tmp_path / "new" / f"run-{i}", seed=i, time=f"2026-11-2{i}T07:00:00Z")
    recorded(tmp_path / "new" / "Größer & so", size=LARGE, device="iPhone 15", pipeline="wake word")
    code, pushed = golden(capsys, "push", tmp_path / "new", place)
    assert code == 0
    assert all(one["sent"] == one["bytes"] for one in pushed["runs"])
    code, again = golden(capsys, "push", tmp_path / "new", place)
    assert [(one["sent"], one["there"] == one["bytes"]) for one in again["runs"]] == [(0, True)] * 4

    listed = golden(capsys, "list", place)[1]["runs"]
    assert [(one["pipeline"], one["device"], one["time"][:10]) for one in listed] == [
        ("face", "Pixel 8", "2026-11-20"), ("face", "Pixel 8", "2026-11-21"), ("face", "Pixel 8", "2026-11-22"), ("wake word", "iPhone 15", "2026-11-21"),
    ]  # fmt: skip
    for options, count in [(["--pipeline", "face"], 3), (["--device", "iphone-15"], 1), (["--since", "2026-11-22"], 1), (["--until", "2026-11-21"], 3),
                           (["--pipeline", "face", "--since", "2026-11-21", "--until", "2026-11-21"], 1), (["--pipeline", "none"], 0)]:  # fmt: skip
        assert len(golden(capsys, "list", place, *options)[1]["runs"]) == count, options
    assert golden(capsys, "verify", place)[0] == 0
    assert golden(capsys, "show", f"{place}/face/pixel-8/run-1")[1]["folder"] == f"{place}/face/pixel-8/run-1"

    code, _ = golden(capsys, "pull", place, tmp_path / "here")
    assert code == 0
    assert content(tmp_path / "here/face/pixel-8/run-1") == content(tmp_path / "new/run-1")
    large = next((tmp_path / "here/wake-word/iphone-15").iterdir())
    assert SAFE.fullmatch(large.name)
    assert content(large) == content(tmp_path / "new/Größer & so")
    assert golden(capsys, "pull", f"{place}/face/pixel-8", tmp_path / "some")[1]["runs"][2]["name"].endswith(
        "some/face/pixel-8/run-2"
    )
    assert not [path for path in tmp_path.rglob("*") if ".part" in path.name]

    assert main(["golden", "prune", place, "--keep", "1"]) == 0
    assert capsys.readouterr().out.count("removed ") == 2
    assert len(golden(capsys, "list", place)[1]["runs"]) == 2


def test_another_recording_of_the_same_name_is_refused(place, tmp_path, capsys):
    recorded(tmp_path / "a" / "run", seed=1)
    recorded(tmp_path / "b" / "run", seed=2)
    assert main(["golden", "push", str(tmp_path / "a/run"), place]) == 0
    assert main(["golden", "push", str(tmp_path / "b/run"), place]) == 2
    assert "holds" in capsys.readouterr().err
    assert main(["golden", "pull", place, str(tmp_path / "here")]) == 0
    assert content(tmp_path / "here/face/pixel-8/run") == content(tmp_path / "a/run")
    (tmp_path / "here/face/pixel-8/run/tensors.safetensors").write_bytes(b"mine")
    assert main(["golden", "pull", place, str(tmp_path / "here")]) == 2
    assert (tmp_path / "here/face/pixel-8/run/tensors.safetensors").read_bytes() == b"mine"


def test_pieces_of_the_real_size(s3, proxy, tmp_path, monkeypatch):
    url, _ = s3
    for module in ("remote_store", "pulling", "bucket"):
        monkeypatch.setattr(f"edgecheck.golden.{module}.PIECE", 8 << 20)
    source = recorded(tmp_path / "run", size=17 << 20)
    open_store(url).push(source, lambda size: None)
    assert sum(kind(one.path) == "part" for one in proxy.log) == 3
    (entry,) = open_store(url).entries(Filter())
    open_store(url).pull(entry, tmp_path / "here", lambda size: None)
    assert content(tmp_path / "here" / entry.address) == content(source)
    assert examine(source / FILES[1]).piece == 8 << 20


@pytest.mark.parametrize("alike", [True, False])
def test_many_pushes_at_once_leave_one_run(s3, tmp_path, alike):
    url, client = s3
    folders = [recorded(tmp_path / str(i) / "run", size=LARGE, seed=0 if alike else i) for i in range(4)]
    problems: list[EdgecheckError] = []

    def push(folder: Path) -> None:
        try:
            open_store(url).push(folder, lambda size: None)
        except EdgecheckError as error:
            problems.append(error)

    threads = [threading.Thread(target=push, args=[folder]) for folder in folders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(problems) == (0 if alike else 3), problems
    (entry,) = open_store(url).entries(Filter())
    assert not entry.problem
    open_store(url).pull(entry, tmp_path / "here", lambda size: None)
    assert content(tmp_path / "here" / entry.address) in [content(folder) for folder in folders]
    assert len(keys(client, url)) == 3  # the losers took away what they had brought


def test_many_pulls_at_once_are_one(s3, tmp_path):
    url, _ = s3
    source = recorded(tmp_path / "run", size=LARGE)
    open_store(url).push(source, lambda size: None)
    (entry,) = open_store(url).entries(Filter())
    stores = [open_store(url) for _ in range(3)]
    threads = [threading.Thread(target=one.pull, args=[entry, tmp_path / "here", lambda size: None]) for one in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert content(tmp_path / "here" / entry.address) == content(source)
    assert [path.name for path in (tmp_path / "here/face/pixel-8").iterdir()] == ["run"]


def test_a_pull_waits_while_another_gives_its_folder_the_name(tmp_path):
    """A folder that is there when it is made and gone when it is looked at is another pull's, ready."""
    part, stop = tmp_path / ".run.part", threading.Event()

    def another():
        for number in itertools.count():
            if stop.is_set():
                return
            with suppress(OSError):
                part.mkdir()
                part.rename(tmp_path / f"run-{number}")

    thread = threading.Thread(target=another)
    thread.start()
    entered = 0
    try:
        for _ in range(3000):
            with pulling._alone(part):
                entered += 1
    finally:
        stop.set()
        thread.join()
    assert entered == 3000


def test_a_list_reads_markers_only(s3, proxy, tmp_path):
    url, _ = s3
    open_store(url).push(recorded(tmp_path / "run", size=LARGE), lambda size: None)
    proxy.reset()
    assert len(open_store(url).entries(Filter(device="pixel-8"))) == 1
    assert sorted({kind(one.path) for one in proxy.log}) == [MARKER, "list"]
    assert proxy.down < 10_000


def test_without_its_marker_there_is_no_run(s3, tmp_path, capsys):
    """Data alone are nothing; the next push of the same content finds them and sends none."""
    url, client = s3
    open_store(url).push(recorded(tmp_path / "run", size=LARGE), lambda size: None)
    name = url.split("/")[2]
    client.delete_object(Bucket=name, Key=f"team/runs/face/pixel-8/run/{MARKER}")
    assert golden(capsys, "list", url)[1]["runs"] == []
    assert main(["golden", "pull", url, str(tmp_path / "here")]) == 2
    moved = open_store(url).push(tmp_path / "run", lambda size: None)
    assert (moved.sent, moved.there) == (0, moved.size)
    assert len(keys(client, url)) == 3


def test_damage_in_the_store_is_found(s3, tmp_path, capsys):
    url, client = s3
    open_store(url).push(recorded(tmp_path / "run", size=1000), lambda size: None)
    name = url.split("/")[2]
    key = next(key for key in keys(client, url) if key.endswith("tensors.safetensors"))
    stored = bytearray(client.get_object(Bucket=name, Key=key)["Body"].read())
    stored[-10] ^= 4
    client.put_object(Bucket=name, Key=key, Body=bytes(stored))
    assert main(["golden", "verify", url]) == 1
    assert "does not have the SHA-256 that its marker names" in capsys.readouterr().out
    assert main(["golden", "pull", url, str(tmp_path / "here")]) == 3
    assert "SHA-256" in capsys.readouterr().err
    assert not list((tmp_path / "here").rglob("tensors*"))
    client.put_object(Bucket=name, Key=key, Body=bytes(stored[:-1]))
    assert main(["golden", "list", url]) == 1
    assert "the marker says" in capsys.readouterr().out
    assert main(["golden", "prune", url, "--broken"]) == 0
    assert keys(client, url) == []


FAULTS = {
    "503 now and then": lambda request: "503" if request.number % 3 == 1 else "",
    "the first of each kind is cut": lambda request: "cut" if request.number == 0 else "",
    "the first answer of each kind is lost": lambda request: "lost" if request.number == 0 else "",
    "a bit flips in the first of each kind that is data": lambda request: "flip"
    if request.number == 0 and kind(request.path) in {"part", *FILES}
    else "",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_on_the_way_pass(s3, proxy, tmp_path, monkeypatch, fault):
    monkeypatch.setattr("edgecheck.golden.bucket.pause", lambda i: None)
    url, client = s3
    source = recorded(tmp_path / "run", size=LARGE)
    proxy.plan = FAULTS[fault]
    open_store(url).push(source, lambda size: None)
    assert len(keys(client, url)) == 3
    proxy.log.clear()
    (entry,) = open_store(url).entries(Filter())
    proxy.log.clear()
    open_store(url).pull(entry, tmp_path / "here", lambda size: None)
    assert content(tmp_path / "here" / entry.address) == content(source)


def test_a_fault_that_stays_is_one_sentence(s3, proxy, tmp_path, monkeypatch, capsys):
    url, _ = s3
    monkeypatch.setattr("edgecheck.golden.bucket.pause", lambda i: None)
    source = recorded(tmp_path / "run", size=LARGE)
    proxy.plan = lambda request: "503" if kind(request.path) == "part" and request.number > 1 else ""
    assert main(["golden", "push", str(source), url]) == 3
    err = capsys.readouterr().err
    assert "failed 6 times, at last: it answered 503" in err
    assert "what has arrived is kept" in err
    assert golden(capsys, "list", url)[1]["runs"] == []
    proxy.plan = lambda request: ""
    _, moved = golden(capsys, "push", source, url)
    assert moved["runs"][0]["there"] >= PIECE
    proxy.plan = lambda request: "flip" if kind(request.path) == "tensors.safetensors" else ""
    assert main(["golden", "pull", url, str(tmp_path / "here")]) == 3
    assert "does not have the SHA-256" in capsys.readouterr().err


def test_tags_that_are_no_md5_do_not_stop_a_resume(s3, proxy, tmp_path, monkeypatch, capsys):
    """A bucket with a key of its own (SSE-KMS)."""
    url, _ = s3
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    source = recorded(tmp_path / "run", size=LARGE)
    proxy.sealed = True
    proxy.plan = lambda request: "503" if kind(request.path) == "part" and request.number > 1 else ""
    assert main(["golden", "push", str(source), url]) == 3
    proxy.plan = lambda request: ""
    code, moved = golden(capsys, "push", source, url)
    assert code == 0
    assert moved["runs"][0]["there"] >= PIECE
    assert golden(capsys, "verify", url)[0] == 0


def test_a_service_with_another_kind_of_tag_is_read_back(s3, proxy, tmp_path, capsys):
    """npm's s3rver is one: parts have MD5s, the object that comes of them has something else."""
    url, _ = s3
    source = recorded(tmp_path / "run", size=LARGE)
    proxy.foreign = True
    assert main(["golden", "push", str(source), url]) == 0
    assert proxy.down > LARGE
    assert golden(capsys, "verify", url)[0] == 0


def test_prune_takes_the_marker_first(s3, proxy, tmp_path):
    url, client = s3
    open_store(url).push(recorded(tmp_path / "run"), lambda size: None)
    (entry,) = open_store(url).entries(Filter())
    proxy.reset()
    open_store(url).remove(entry)
    changes = [(one.method, kind(one.path)) for one in proxy.log if one.method != "GET"]
    assert changes == [("PUT", MARKER), ("DELETE", "run.json"), ("DELETE", "tensors.safetensors"), ("DELETE", MARKER)]
    assert keys(client, url) == []


@pytest.mark.parametrize("step", [0, 1, 2, 3])
def test_a_prune_that_was_cut_off_is_ended_by_the_next(s3, proxy, tmp_path, monkeypatch, capsys, step):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    url, client = s3
    for i in range(2):
        open_store(url).push(recorded(tmp_path / f"run-{i}", time=f"2026-11-2{i}T07:00:00Z"), lambda size: None)
    changes = iter(range(100))
    proxy.plan = lambda request: "lost" if request.method in ("PUT", "DELETE") and next(changes) == step else ""
    assert main(["golden", "prune", url, "--keep", "1"]) == 3
    proxy.plan = lambda request: ""
    assert [one["folder"][-5:] for one in golden(capsys, "list", url)[1]["runs"]] == ["run-1"]
    assert main(["golden", "prune", url, "--keep", "1"]) == 0
    assert len(keys(client, url)) == 3
    assert main(["golden", "push", str(tmp_path / "run-0"), url]) == 0
    assert len(golden(capsys, "list", url)[1]["runs"]) == 2


def test_what_nobody_finished_is_swept(s3, proxy, tmp_path, monkeypatch, capsys):
    """Parts of an upload that never ended cost money; moto says that every upload began in 2010."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    url, client = s3
    proxy.plan = lambda request: "503" if kind(request.path) == "part" and request.number > 1 else ""
    assert main(["golden", "push", str(recorded(tmp_path / "run", size=LARGE)), url]) == 3
    proxy.plan = lambda request: ""
    capsys.readouterr()
    name = url.split("/")[2]
    assert len(client.list_multipart_uploads(Bucket=name)["Uploads"]) == 1
    assert main(["golden", "prune", url, "--dry-run"]) == 0
    assert "would remove an upload of" in capsys.readouterr().out
    assert main(["golden", "prune", url]) == 0
    assert not client.list_multipart_uploads(Bucket=name).get("Uploads")


WRONG = [
    (["list", "s3://AKIAEXAMPLE:{secret}@bucket/x"], 2, "holds no credentials"),
    (["list", "s3://AKIAEXAMPLE:{secret}/b@bucket/x"], 2, "holds no credentials"),
    (["list", "s3://bucket/x?aws_secret_access_key={secret}"], 2, "holds no credentials"),
    (["push", "{run}", "s3://{secret}@bucket/x"], 2, "holds no credentials"),
    (["pull", "gs://user:{secret}@bucket/x"], 2, "holds no credentials"),
    (["list", "s3:/AKIAEXAMPLE:{secret}@bucket"], 2, "is written s3://bucket/prefix"),
    (["list", "s3://AKIAEXAMPLE:{secret}"], 2, "begins with a bucket's name"),
    (["list", "s3://no-such-bucket-here"], 2, "there is no bucket no-such-bucket-here at http://127.0.0.1"),
    (["push", "{run}", "s3://no-such-bucket-here"], 2, "there is no bucket no-such-bucket-here"),
    (["list", "nosuch://place"], 2, "there is no kind of store called nosuch://"),
    (["list", "gs://bucket"], 3, "a gs:// store needs gcsfs, which is not installed"),
    (["push", "{run}"], 2, "push takes runs and a store"),
    (["push", "s3://bucket-a", "s3://bucket-b"], 2, "push takes folders"),
    (["pull"], 2, "pull takes a store"),
    (["pull", "memory://empty"], 2, "there is no such run in memory://empty"),
    (["list", "memory://empty", "--since", "yesterday"], 2, "--since yesterday is no date"),
    (["list", "a", "b"], 2, "list takes one place"),
]


@pytest.mark.parametrize(
    ("arguments", "code", "says"), WRONG, ids=[says[:30] + str(i) for i, (_, _, says) in enumerate(WRONG)]
)
def test_wrong_orders_are_one_sentence_without_the_secret(s3, tmp_path, capsys, arguments, code, says):
    run = recorded(tmp_path / "run")
    assert main(["golden", *(one.format(secret=SECRET, run=run) for one in arguments)]) == code
    captured = capsys.readouterr()
    assert says in captured.err
    assert len(captured.err.splitlines()) <= 2
    assert SECRET not in captured.out + captured.err


def test_access_denied_no_credentials_nobody_there(s3, proxy, tmp_path, monkeypatch, capsys):
    url, _ = s3
    run = recorded(tmp_path / "run")
    proxy.plan = lambda request: "403"
    for arguments in (["list", url], ["push", str(run), url]):
        assert main(["golden", *arguments]) == 2
        assert f"access to {url} is denied" in capsys.readouterr().err
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://user:pass@127.0.0.1:1")
    assert main(["golden", "list", url]) == 3
    err = capsys.readouterr().err
    assert "http://127.0.0.1:1 cannot be reached" in err
    assert "pass" not in err
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert main(["golden", "list", url]) == 2
    assert f"there are no AWS credentials for {url}" in capsys.readouterr().err
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    assert main(["golden", "list", url]) == 2
    assert "the AWS settings are wrong (ProfileNotFound)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("package", "url", "install"),
    [
        ("botocore", "s3://some-bucket", "pip install 'edgecheck-ml[s3]'"),
        ("fsspec", "gs://b", "pip install 'edgecheck-ml[stores]'"),
    ],
)
def test_a_missing_package_is_one_sentence(package, url, install):
    code = f"import sys; sys.modules[{package!r}] = None; from edgecheck.cli import main; sys.exit(main(['golden', 'list', {url!r}]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 3
    assert "which is not installed" in done.stderr
    assert install in done.stderr
    assert len(done.stderr.splitlines()) == 2


LOUD = """
import logging, sys
logging.basicConfig(level=1, stream=sys.stderr)
import botocore.auth, botocore.endpoint, botocore.parsers, urllib3
for name in ["botocore", "urllib3", *logging.root.manager.loggerDict]:
    logging.getLogger(name).setLevel(1)
from edgecheck.cli import main
from edgecheck.golden import pulling, remote_store
pulling.PIECE = remote_store.PIECE = 256 << 10
logging.getLogger("edgecheck.test").debug("loud")
codes = [main(["golden", *order.split("|")]) for order in sys.argv[1:]]
print("codes", codes)
"""


def test_no_secret_is_ever_said(s3, proxy, tmp_path, monkeypatch):
    """At the lowest log level, in orders that succeed and that fail, on the way to the store and in it."""
    monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    url, _ = s3
    run = recorded(tmp_path / "run", size=LARGE)
    count = iter(range(10_000))
    proxy.plan = (
        lambda request: ("", "", "", "", "", "", "503", "lost", "403")[next(count) % 9] if next(count) > 60 else ""
    )
    orders = [f"push|{run}|{url}", f"list|{url}", f"verify|{url}", f"pull|{url}|{tmp_path / 'here'}", f"show|{url}", f"prune|{url}|--keep|1", f"pull|{url}|{tmp_path / 'there'}",
              "list|s3://no-such-bucket-here", f"list|{url}", f"list|{url}"]  # fmt: skip
    done = subprocess.run([sys.executable, "-c", LOUD, *orders], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "codes [0, 0," in done.stdout
    assert "loud" in done.stderr
    said = done.stdout + done.stderr
    assert SECRET not in said
    assert TOKEN not in said
    assert "AKIAEXAMPLEEXAMPLE12" not in said
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert SECRET.encode() not in path.read_bytes()
            assert TOKEN.encode() not in path.read_bytes()


HOSTILE = [
    b"", b"{", b"[]", b"{}", b'{"schema": "edgecheck.stored/2"}', b"[" * 100_000,
    b'{"schema": "edgecheck.stored/1", "place": "../..", "files": {}, "facts": {}}',
    *(json.dumps({"schema": "edgecheck.stored/1", "facts": {}, "place": place, "files": {"run.json": {"size": size, "sha256": sha}, name: {"size": 1, "sha256": "0" * 64}}}).encode()
      for place, size, sha, name in [("../../etc", 1, "0" * 64, FILES[1]), ("data-0000000000000000-00000000", -1, "0" * 64, FILES[1]),
                                     ("data-0000000000000000-00000000", 1e30, "0" * 64, FILES[1]), ("data-0000000000000000-00000000", 1, "x", FILES[1]),
                                     ("data-0000000000000000-00000000", 1, "0" * 64, "../up")]),
]  # fmt: skip


@pytest.mark.parametrize("raw", HOSTILE, ids=range(len(HOSTILE)))
def test_a_marker_from_a_stranger(raw, tmp_path, capsys):
    with pytest.raises(FormatError, match="a/complete.json"):
        parse(raw, "a/complete.json")
    import fsspec

    place = f"memory://{os.urandom(4).hex()}"
    fsspec.filesystem("memory").pipe_file(f"{place}/face/pixel-8/run/{MARKER}", raw)
    assert main(["golden", "list", place]) == 1
    assert main(["golden", "pull", place, str(tmp_path / "here")]) == 2
    assert not (tmp_path / "here").exists()
    assert main(["golden", "prune", place, "--broken"]) == 0


@given(st.text(max_size=300))
def test_names_become_parts_of_keys(name):
    made = safe(name) or safe("-")
    assert SAFE.fullmatch(made)
    assert ".part" not in made
    assert safe(made) == made
    assert not PLACE.fullmatch(made) or PLACE.fullmatch(name)


def test_names_that_differ_stay_apart():
    names = ["Pixel 8", "Pixel 9", "画像", "画面", "größer", "grösser", "a:b", "a;b", "x" * 200, "x" * 201]
    assert len({safe(name) for name in names}) == len(names)
    assert safe("Pixel 8") == "pixel-8"


def test_times():
    assert instant("2026-11-21T07:00:00Z") == instant("2026-11-21T08:00:00+01:00")
    assert instant("2026-11-21", end=True) > instant("2026-11-21T23:59:59Z")
    assert instant("soon") is None
    assert not Filter(since=instant("2026-11-21")).admits({"pipeline": "", "device": "", "time": ""})


def test_a_long_transfer_says_how_far_it_is(monkeypatch, capsys):
    from edgecheck.cli import progress

    monkeypatch.setattr(progress, "QUIET", 0.0)
    with progress.Progress("pushing", 10_000_000) as line:
        line.moved(2_500_000)
    captured = capsys.readouterr()
    assert captured.err == "pushing: 2.5 of 10.0 MB\n"
    assert not captured.out


LEAN = """
import sys
from edgecheck.cli import main
code = main(sys.argv[1:])
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print("peak", peak.split()[1])
sys.exit(code)
"""


@pytest.mark.slow
def test_a_large_run_passes_in_little_memory(s3, service, tmp_path):
    """256 MiB each way, with pieces of the real size; peak memory of the process in kB."""
    url, _ = s3
    folder = tmp_path / "run"
    recorder = Recorder(str(folder), "face", ["decode"], most=1 << 30)
    recorder.case("img")
    recorder.tensor("decode", "image", numpy.random.default_rng(0).integers(0, 255, 256 << 20, dtype=numpy.uint8))
    assert recorder.finish(), recorder.error
    environment = os.environ | {"AWS_ENDPOINT_URL": service.url}
    for order in (["push", folder, url], ["pull", url, tmp_path / "here"]):
        command = [sys.executable, "-c", LEAN, "golden", *map(str, order)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, env=environment)
        assert done.returncode == 0, done.stderr
        assert int(done.stdout.split()[-1]) < 150_000, done.stdout


@pytest.mark.slow
def test_pushes_prunes_and_pulls_of_one_run_at_once(s3, service, tmp_path, monkeypatch):
    """Fifteen seconds of it: a list never shows a run that is not whole, a pull never brings one that nobody pushed."""
    url, _ = s3
    monkeypatch.setenv("AWS_ENDPOINT_URL", service.url)
    folders = [recorded(tmp_path / str(i) / "run", size=LARGE, seed=i) for i in range(2)]
    wanted = [content(folder) for folder in folders]
    stop, wrong, pulled = threading.Event(), [], []

    def push(store, number: int) -> None:
        store.push(folders[number % 2], lambda size: None)

    def prune(store, number: int) -> None:
        for entry in store.entries(Filter()):
            store.remove(entry)

    def pull(store, number: int) -> None:
        for entry in store.entries(Filter()):
            wrong.extend([entry.problem] if entry.problem else [])
            into = tmp_path / f"back-{threading.get_ident()}-{number}"
            store.pull(entry, into, lambda size: None)
            pulled.append(content(into / entry.address))

    def go_on(act) -> None:
        store, number = open_store(url), 0
        while not stop.is_set():
            number += 1
            try:
                act(store, number)
            except EdgecheckError as error:  # "removed by somebody else" is an answer here; a fault is not
                wrong.extend([str(error)] if error.code == 3 else [])

    threads = [threading.Thread(target=go_on, args=[act]) for act in (push, push, push, prune, prune, pull, pull)]
    for thread in threads:
        thread.start()
    stop.wait(15)
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong
    assert all(one in wanted for one in pulled)
    assert not [one.problem for one in open_store(url).entries(Filter()) if one.problem]
