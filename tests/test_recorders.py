"""Recorders in every language that runs here write the same bytes for the same calls, and what they write reads back equal."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgecheck.errors import FormatError
from edgecheck.golden import DTYPE_BITS, recorder
from edgecheck.golden.reading import read
from edgecheck.golden.recorder import Recorder

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path.insert(0, str(HERE / "recorders"))

from driving import MOST, Driver, held, python  # noqa: E402

NAMES = st.text(
    st.characters(blacklist_characters="/\\#\x7f", blacklist_categories=("Cs", "Cc")), min_size=1, max_size=12
).filter(lambda text: text.strip(" ") == text and text not in {".", "..", "latency"})
TEXTS = st.text(st.characters(blacklist_categories=("Cs",)), max_size=12).filter(lambda text: "\x00" not in text)
#: Texts as JavaScript and Kotlin have them: halves of pairs may stand alone.
HALVES = st.text(st.sampled_from("aé漢😀\ud83d\ude00\udfff\ud800"), min_size=1, max_size=8)
CPP = ["g++", "-std=c++17", "-Wall", "-Wextra", "-Werror", "-I", str(ROOT / "recorders/cpp")]


def driven(command):
    driver = Driver(command)
    yield driver
    driver.close()


@pytest.fixture(scope="session")
def cpp(tmp_path_factory):
    program = tmp_path_factory.mktemp("cpp") / "drive"
    # -march=native: with fused multiplication and addition, which the aggregates must not use.
    subprocess.run(
        [*CPP, "-O2", "-march=native", str(HERE / "recorders/drive.cpp"), "-o", str(program)], check=True, timeout=300
    )
    yield from driven([str(program)])


@pytest.fixture(scope="session")
def javascript():
    yield from driven(["node", str(HERE / "recorders/drive.mjs")])


@pytest.fixture(scope="session")
def kotlin(tmp_path_factory):
    sys.path.insert(0, str(ROOT / "scripts"))
    import fetch_kotlin

    jar = tmp_path_factory.mktemp("kotlin") / "drive.jar"
    fetch_kotlin.compile_to(jar, ROOT / "recorders/kotlin/EdgecheckRecorder.kt", HERE / "recorders/Drive.kt")
    yield from driven(["java", "-Xmx256m", "-XX:+UseSerialGC", "-jar", str(jar)])


@pytest.fixture(params=["cpp", "javascript", pytest.param("kotlin", marks=pytest.mark.slow)])
def driver(request):
    return request.getfixturevalue(request.param)


@st.composite
def tensors(draw, texts=TEXTS):
    """(stage, name, dtype, shape, bytes or texts, withhold, aggregates)."""
    dtype = draw(st.sampled_from(list(DTYPE_BITS)))
    shape = draw(st.lists(st.integers(0, 4), max_size=3))
    count = math.prod(shape)
    withhold = draw(st.sampled_from(["", "", "", "hash", "omitted"]))
    if dtype == "string":
        content = draw(st.lists(texts, min_size=count, max_size=count))
    else:
        size = (count * DTYPE_BITS[dtype] + 7) // 8
        content = draw(st.binary(min_size=size, max_size=size))
        if dtype == "bool":
            content = bytes(one & 1 for one in content)
    return draw(st.sampled_from(["in", "out"])), draw(NAMES), dtype, shape, content, withhold, draw(st.booleans())


@st.composite
def runs(draw, texts=TEXTS):
    """Calls that make a whole run."""
    most, keep_last = draw(st.sampled_from([(MOST, False), (MOST, True), (1500, True)]))
    calls = [("open", draw(NAMES), ["in", "out"], most, keep_last), ("time", draw(texts))]
    for section in draw(st.sets(st.sampled_from(["model", "device", "runtime", "conditions", "recorder"]))):
        calls += [("fact", section, key, draw(texts)) for key in draw(st.sets(NAMES, max_size=3))]
        if section in ("runtime", "conditions"):
            calls.append(("fact", section, "threads", draw(st.integers(-(2**31), 2**53 - 1))))
    for name in draw(st.lists(NAMES, max_size=3, unique=True)):
        calls.append(("case", name))
        calls += [("tensor", *one) for one in draw(st.lists(tensors(texts), max_size=4, unique_by=lambda t: t[:2]))]
    spans = draw(st.lists(NAMES, max_size=2, unique=True))
    for launch in [None, *draw(st.lists(NAMES.filter(lambda one: one != "0"), max_size=2, unique=True))]:
        calls += [] if launch is None else [("launch", launch, draw(st.integers(0, 99)))]
        for span in spans:
            calls += [("sample", span, value) for value in draw(st.lists(st.integers(0, 2**53 - 1), max_size=3))]
    return calls


WILD_NAMES = st.sampled_from(
    [
        "a",
        "b",
        "in",
        "out",
        "é" * 200,
        "😀" * 200,
        "x" * 201,
        "😀" * 201,
        "",
        ".",
        "..",
        " x",
        "x ",
        "\u00a0x",
        "a/b",
        "a\\b",
        "a#b",
        "\x1f",
        "latency",
    ]
)
WILD = st.one_of(
    st.tuples(st.just("case"), WILD_NAMES),
    st.tuples(st.just("launch"), WILD_NAMES, st.sampled_from([-1, 0, 3])),
    st.tuples(st.just("sample"), WILD_NAMES, st.sampled_from([-1, 0, 5, 2**53 - 1, 2**53])),
    st.tuples(st.just("time"), st.sampled_from(["", "now", "é" * 2000, "é" * 2001])),
    st.tuples(
        st.just("fact"), st.sampled_from(["model", "runtime", "conditions", "secrets"]), WILD_NAMES,
        st.sampled_from(["", "x" * 2001, 7, -(2**53), 2**53 - 1]),
    ),
    st.tuples(
        st.just("tensor"), WILD_NAMES, WILD_NAMES, st.sampled_from(["uint8", "float32", "int4", "object", "string"]),
        st.sampled_from([[], [2], [0], [0, 2**30, 2**30], [2**30] * 3, [-1], [1] * 32, [1] * 33]),
        st.sampled_from([b"", b"1", b"1234", b"12345678"]), st.sampled_from(["", "hash", "omitted", "secret"]), st.booleans(),
    ),
    st.tuples(
        st.just("tensor"), WILD_NAMES, WILD_NAMES, st.just("string"), st.sampled_from([[], [2], [0], [-1], [2**30] * 3]),
        st.lists(st.sampled_from(["", "a", "\n\"\\\x01"]), max_size=2), st.sampled_from(["", "hash"]), st.booleans(),
    ),
)  # fmt: skip
LIKELY = st.one_of(
    st.tuples(st.just("case"), st.sampled_from("abcdef")),
    st.tuples(st.just("sample"), st.sampled_from("ab"), st.integers(0, 9)),
    st.tuples(
        st.just("tensor"), st.just("in"), st.sampled_from("abcdef"), st.just("uint8"), st.just([4]), st.just(b"1234"),
        st.sampled_from(["", "hash"]), st.booleans(),
    ),
)  # fmt: skip


@st.composite
def wild_calls(draw):
    opening = ("open", draw(st.sampled_from(["p", "p", "p", "a/b"])), draw(st.sampled_from([["in", "out"], ["in", "in"], ["/"]])),
               draw(st.sampled_from([MOST, 700])), draw(st.booleans()))  # fmt: skip
    return [opening, ("case", "a"), *draw(st.lists(st.one_of(LIKELY, LIKELY, WILD), max_size=8))]


QUIET = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]}


def agree(driver, calls, folder):
    """That a recorder in another language did what Python's did: the same bytes, or nothing at all and a reason."""
    ours, theirs = python(calls, folder / "ours"), driver.play(calls, folder / "theirs")
    assert bool(ours) == bool(theirs), (ours, theirs)
    return list(folder.iterdir()) == [] if ours else held(folder / "theirs") == held(folder / "ours")


@settings(max_examples=150, **QUIET)
@given(calls=runs())
def test_the_same_calls_give_the_same_bytes_in_every_language(driver, calls, tmp_path_factory):
    assert agree(driver, calls, tmp_path_factory.mktemp("runs"))


@settings(max_examples=150, **QUIET)
@given(calls=wild_calls())
def test_calls_that_make_no_sense_are_refused_alike_and_nothing_is_half_written(driver, calls, tmp_path_factory):
    assert agree(driver, calls, tmp_path_factory.mktemp("runs"))


@settings(max_examples=60, **QUIET)
@given(calls=runs(HALVES), name=HALVES)
@pytest.mark.parametrize("driver", ["javascript", pytest.param("kotlin", marks=pytest.mark.slow)], indirect=True)
def test_half_a_surrogate_pair_becomes_a_replacement_sign(driver, calls, name, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    assert agree(
        driver, [*calls, ("case", name + "!"), ("tensor", "in", name, "string", [1], [name], "", True)], folder
    )


@pytest.fixture
def driver_of(request):
    return request.getfixturevalue


@settings(max_examples=100, **QUIET)
@given(pieces=st.lists(st.sampled_from([b"a", "é".encode(), "漢".encode(), "😀".encode(), b"\xc3", b"\xe6\xbc", b"\xed\xa0\x80", b"\xf0\x9f", b"\xff", b"\xc0\xaf", b"\xf4\x90\x80\x80"]), max_size=8))  # fmt: skip
def test_broken_utf8_in_cpp_is_mended_as_python_mends_it(cpp, pieces, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    broken = b"".join(pieces)
    mended = broken.decode("utf-8", "replace")

    def calls(text):
        return [
            ("open", "p", ["s"], MOST, False),
            ("case", "c"),
            ("tensor", "s", "t", "string", [1], [text], "", False),
        ]

    assert cpp.play(calls(broken), folder / "cpp") == python(calls(mended), folder / "python") == ""
    assert held(folder / "cpp") == held(folder / "python")


@settings(max_examples=150, **QUIET)
@given(calls=runs())
def test_what_was_recorded_reads_back_equal(calls, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    said = python(calls, folder)
    if said:
        assert "raise `most`" in said
        return
    found = read(folder)
    assert (found.pipeline, found.stages) == (calls[0][1], ("in", "out"))
    assert found.time == next(given[0] for call, *given in calls if call == "time")
    for call, *given_ in calls:
        if call == "fact":
            assert getattr(found, given_[0])[given_[1]] in [
                c[3] for c in calls if c[0] == "fact" and c[1:3] == tuple(given_[:2])
            ]
    wanted: dict[str, list] = {}
    for call, *given_ in calls:
        if call == "case":
            wanted[given_[0]] = []
        elif call == "tensor":
            wanted[next(reversed(wanted))].append(given_)
    dropped = int(found.recorder.get("dropped", "0"))
    assert [case.name for case in found.cases] == list(wanted)[dropped:]
    for case in found.cases:
        for tensor, one in zip(case.tensors, wanted[case.name], strict=True):
            same_tensor(found, case.name, tensor, *one)
    samples: dict[tuple[str, str], list[int]] = {}
    launch = "0"
    for call, *given_ in calls:
        launch = given_[0] if call == "launch" else launch
        if call == "sample":
            samples.setdefault((given_[0], launch), []).append(given_[1])
    for span in found.spans:
        for one in found.launches:
            assert found.latency(span, one.name).tolist() == samples.pop((span, one.name), [])
    assert not samples


def same_tensor(found, case, tensor, stage, name, dtype, shape, content, withhold, aggregates):
    assert (tensor.stage, tensor.name, tensor.dtype, list(tensor.shape)) == (stage, name, dtype, shape)
    raw = "".join(content).encode() if dtype == "string" else content
    assert tensor.sha256 == (hashlib.sha256(raw).hexdigest() if withhold == "hash" else None)
    if not withhold:
        assert same(found.values(case, tensor), dtype, shape, content)
    seen = found.aggregates(case, tensor)
    assert (seen is None) == (bool(withhold) and not aggregates)
    if seen is not None:
        assert seen.count == math.prod(shape) == seen.nan + seen.inf + sum(seen.histogram)


def same(values, dtype, shape, content):
    """Whether values read are those recorded, bit by bit."""
    assert list(values.shape) == shape
    if dtype == "string":
        return values.reshape(-1).tolist() == list(content)
    if dtype in ("int4", "uint4"):
        nibbles = [n for byte in content for n in (byte & 15, byte >> 4)][: values.size]
        return (values.reshape(-1).astype(int) & 15).tolist() == nibbles
    if dtype == "bfloat16":
        return (values.view(numpy.uint32) >> 16).astype("<u2").tobytes() == content
    return values.astype(values.dtype.newbyteorder("<")).tobytes() == content


HARD = {
    "sums that have no room": [1.7e308, 1.7e308, -1.0],
    "squares that have no room": [1e200, -1e200],
    "the widest range": [-1.7976931348623157e308, 0.0, 1.7976931348623157e308],
    "the smallest": [5e-324, 0.0, 1e-323],
    "zeros of both signs": [-0.0, 0.0, -0.0],
    "one value": [0.1],
    "no value": [],
    "nothing finite": [math.nan, math.inf, -math.inf],
    "rounding": [0.1 * i for i in range(1000)],
    "cancelling": [1e16, 1.0, -1e16, 3.0],
}


@pytest.mark.parametrize("values", HARD.values(), ids=HARD)
def test_aggregates_are_the_same_bits_everywhere(driver, values, tmp_path):
    """float64 as it is; and every other type from the same numbers, as far as it can hold them."""
    calls = [("open", "p", ["s"], MOST, False), ("case", "c")]
    with numpy.errstate(all="ignore"):
        for name in [one for one in DTYPE_BITS if one not in ("string", "int4", "uint4", "bfloat16")]:
            content = numpy.nan_to_num(values) if not name.startswith("float") else numpy.array(values)
            made = content.astype(name)
            calls.append(("tensor", "s", name, name, list(made.shape), made.tobytes(), "omitted", True))
    assert agree(driver, calls, tmp_path)


@settings(max_examples=200, deadline=None)
@given(one=tensors())
def test_aggregates_without_numpy_are_the_same_bits(one):
    _, _, dtype, shape, content, _, _ = one
    if dtype != "string":
        slow = recorder._one_by_one(content, dtype, math.prod(shape))
        fast = recorder._by_blocks(content, dtype, math.prod(shape))
        assert repr(slow) == repr(fast)


def test_aggregates_of_many_values_are_those_of_numpy(tmp_path):
    values = numpy.random.default_rng(0).normal(3, 2, 200_001).astype(numpy.float32)
    values[5], values[70_000] = numpy.nan, numpy.inf
    recorded = Recorder(str(tmp_path / "run"), "p", ["s"])
    recorded.case("c")
    recorded.tensor("s", "t", values, withhold="omitted", aggregates=True)
    assert recorded.finish(), recorded.error
    run = read(tmp_path / "run")
    found = run.aggregates("c", run.cases[0].tensors[0])
    finite = values[numpy.isfinite(values)].astype(numpy.float64)
    assert (found.count, found.nan, found.inf, found.finite) == (200_001, 1, 1, 199_999)
    assert (found.low, found.high) == (finite.min(), finite.max())
    assert found.mean == pytest.approx(finite.mean(), rel=1e-12)
    assert found.deviation == pytest.approx(finite.std(), rel=1e-12)
    assert found.histogram == tuple(numpy.histogram(finite, 16)[0])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda figures, bins: figures.__setitem__(0, 3), "are not those of 2 values"),
        (lambda figures, bins: figures.__setitem__(1, math.nan), "are not those of 2 values"),
        (lambda figures, bins: figures.__setitem__(4, 9), "are not those of 2 values"),
        (lambda figures, bins: figures.__setitem__(7, -1), "are not those of 2 values"),
        (lambda figures, bins: bins.__setitem__(0, 7), "are not those of 2 values"),
        (lambda figures, bins: bins.__setitem__(slice(0, 2), [-1, 2]), "are not those of 2 values"),
    ],
)
def test_aggregates_that_cannot_be_are_refused(tmp_path, change, says):
    recorded = Recorder(str(tmp_path / "run"), "p", ["s"])
    recorded.case("c")
    recorded.tensor("s", "t", numpy.array([1.0, 2.0]), withhold="hash", aggregates=True)
    assert recorded.finish(), recorded.error
    path = tmp_path / "run" / "tensors.safetensors"
    content = path.read_bytes()
    figures, bins = numpy.frombuffer(content[-192:-128]).copy(), numpy.frombuffer(content[-128:], numpy.int64).copy()
    read(tmp_path / "run")
    change(figures, bins)
    path.write_bytes(content[:-192] + figures.tobytes() + bins.tobytes())
    with pytest.raises(FormatError, match=says):
        read(tmp_path / "run")


def test_arrays_of_numpy_know_their_type_and_shape(tmp_path):
    recorder = Recorder(str(tmp_path / "run"), "p", ["s"])
    recorder.case("c")
    arrays = {
        name: numpy.arange(6).astype(name).reshape(2, 3)
        for name in ("int8", "uint16", "int64", "float16", "float64", "bool")
    }
    arrays |= {
        "big": numpy.arange(6, dtype=">f4"),
        "strided": numpy.arange(12, dtype=numpy.int32)[::2],
        "scalar": numpy.float32(3),
        "column order": numpy.asfortranarray(numpy.arange(6.0).reshape(2, 3)),
    }
    for name, value in arrays.items():
        recorder.tensor("s", name, value)
    assert recorder.finish(), recorder.error
    found = read(tmp_path / "run")
    for tensor in found.cases[0].tensors:
        numpy.testing.assert_array_equal(found.values("c", tensor), arrays[tensor.name])


class Raising:
    def __array__(self, *_):
        raise KeyboardError("no")

    def __str__(self):
        raise KeyboardError("no")


class KeyboardError(Exception):
    pass


@pytest.mark.parametrize(
    ("act", "says"),
    [
        (lambda r: r.tensor("s", "t", numpy.zeros(3)), "no case was begun"),
        (lambda r: (r.case("c"), r.tensor("s", "t", b"123", dtype="float32", shape=[1])), "3 bytes for [1] float32"),
        (lambda r: (r.case("c"), r.tensor("s", "t", object())), "was not recorded"),
        (lambda r: (r.case("c"), r.tensor("s", "t", None)), "was not recorded"),
        (lambda r: (r.case("c"), r.tensor("s", "t", Raising())), "s/t was not recorded: no"),
        (lambda r: (r.case("c"), r.tensor("s", Raising(), b"")), "was not recorded"),
        (lambda r: r.case(None), "a case was not recorded"),
        (lambda r: r.sample([], {}), "a sample was not recorded"),
        (lambda r: r.launch("l", None), "a launch was not recorded"),
        (lambda r: r.fact("device", "model", None), "a fact was not recorded"),
        (lambda r: (r.case("c"), r.tensor("s", "t", numpy.zeros(1 << 18))), "raise `most`"),
        (lambda r: [(r.case(f"c{i}"), r.tensor("s", "t", b"", shape=[0], withhold="omitted")) for i in range(4000)], "raise `most`"),
        (lambda r: [r.sample("s", 1) for _ in range(200_000)], "raise `most`"),
        (lambda r: (r.finish(), shutil.rmtree(r._folder), r.case("c")), "finish() was called before"),
    ],
)  # fmt: skip
def test_an_app_is_never_raised_into_and_nothing_half_written(tmp_path, act, says):
    recorder = Recorder(str(tmp_path / "run"), "p", ["s"], most=1 << 20)
    act(recorder)
    assert not recorder.finish()
    assert says in recorder.error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments", [("p", None), (None, ["s"]), ("p", ["s"], {"secrets": {"a": "b"}}), ("p", ["s"], {"device": None})]
)
def test_a_recorder_that_cannot_be_begun_says_so(tmp_path, arguments):
    recorder = Recorder(str(tmp_path / "run"), *arguments[:2], **(arguments[2] if len(arguments) > 2 else {}))
    assert "the run was not begun" in recorder.error
    recorder.case("c")
    assert not recorder.finish()


ONE = [("open", "p", ["s"], MOST, False), ("case", "c"), ("tensor", "s", "t", "uint8", [9000], bytes(9000), "", False)]


@pytest.mark.parametrize("place", ["there/run", "file/run", "proc"])
def test_where_nothing_can_be_written_it_says_so(driver, tmp_path, place):
    (tmp_path / "there" / "run").mkdir(parents=True)
    (tmp_path / "there" / "run" / "mine").write_text("kept")
    (tmp_path / "file").write_text("kept")
    folder = Path("/proc/edgecheck-run") if place == "proc" else tmp_path / place
    before = sorted(tmp_path.rglob("*"))
    assert "the run was not written" in python(ONE, folder)
    assert "the run was not written" in driver.play(ONE, folder)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("language", ["python", "cpp", "javascript"])
def test_a_full_disk_leaves_nothing(language, cpp, tmp_path):
    """A limit of 4 kB on a file's size stands for the disk: a write fails in the middle of it."""
    limited = ["sh", "-c", "trap '' XFSZ; ulimit -f 8; exec \"$@\"", "sh"]
    if language == "python":
        code = (
            "import sys; from pathlib import Path; sys.path[:0] = sys.argv[2:]\n"
            "from test_recorders import ONE, python\nprint(python(ONE, Path(sys.argv[1])))"
        )
        command = [*limited, sys.executable, "-c", code, str(tmp_path / "run"), str(HERE), str(ROOT / "src")]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    else:
        command = ["node", str(HERE / "recorders/drive.mjs")] if language == "javascript" else cpp.process.args
        (driver,) = [Driver([*limited, *command])]
        said = driver.play(ONE, tmp_path / "run")
        driver.close()
    assert "the run was not written" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_cpp_without_exceptions_and_under_the_sanitizers(tmp_path):
    """As the NDK builds it; and no undefined behaviour, leak or overrun in calls that make no sense."""
    source = str(HERE / "recorders/drive.cpp")
    subprocess.run([*CPP, "-Wpedantic", "-Wconversion", "-fno-exceptions", "-fsyntax-only", source], check=True)
    subprocess.run([*CPP, "-DEDGECHECK_RECORDER_NO_FILES", "-fno-exceptions", "-fno-rtti", "-fsyntax-only", str(HERE / "recorders/misuse.cpp")], check=True)  # fmt: skip
    sanitized = ["-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    subprocess.run([*CPP, *sanitized, source, "-o", str(tmp_path / "drive")], check=True)
    subprocess.run([*CPP, *sanitized, str(HERE / "recorders/misuse.cpp"), "-o", str(tmp_path / "misuse")], check=True)
    asked = {
        **os.environ,
        "ASAN_OPTIONS": "allocator_may_return_null=1",
    }  # as it is without the sanitizer
    done = subprocess.run([str(tmp_path / "misuse")], capture_output=True, text=True, check=False, env=asked)
    assert done.returncode == 0, done.stderr
    driver = Driver([str(tmp_path / "drive")])

    @settings(max_examples=200, **QUIET)
    @given(calls=st.one_of(runs(), wild_calls()))
    def play(calls):
        folder = tmp_path / "run"
        driver.play(calls, folder)
        shutil.rmtree(folder, ignore_errors=True)

    play()
    driver.close()
    assert driver.process.returncode == 0


def test_switched_off_it_costs_next_to_nothing(tmp_path):
    """Far below 1 % of a 10 ms frame: counted in calls made, not in time: nothing of the value is touched."""

    class Untouchable:
        def __getattribute__(self, name):
            raise AssertionError("a value was looked at")

    recorder = Recorder(str(tmp_path / "run"), "p", ["s"], on=False)
    recorder.case("c")
    recorder.tensor("s", "t", Untouchable())
    recorder.sample("model", 1)
    recorder.fact("device", "model", Untouchable())
    recorder.launch("l")
    assert not recorder.finish()
    assert recorder.error == ""
    assert not (tmp_path / "run").exists()


def test_a_stream_keeps_its_last_cases(tmp_path):
    recorder = Recorder(str(tmp_path / "run"), "p", ["s"], most=1 << 16, keep_last=True)
    for frame in range(1000):
        recorder.case(f"frame {frame}")
        recorder.tensor("s", "t", numpy.full(1000, frame % 256, numpy.uint8))
    assert recorder.finish(), recorder.error
    run = read(tmp_path / "run")
    assert run.cases[-1].name == "frame 999"
    assert 40 < len(run.cases) < 60
    assert int(run.recorder["dropped"]) == 1000 - len(run.cases)
    assert json.loads((tmp_path / "run" / "run.json").read_text())["recorder"]["name"] == "edgecheck"


EXAMPLES = {
    "python": ("example.py", ["python/edgecheck_recorder.py"], [sys.executable, "example.py"]),
    "cpp": ("example.cpp", ["cpp/edgecheck_recorder.hpp"], ["sh", "-c", "g++ -std=c++17 example.cpp -o example && ./example"]),
    "javascript": ("example.mjs", ["javascript/edgecheck-recorder.js"], ["node", "example.mjs"]),
}  # fmt: skip


def example(language):
    text = (ROOT / "docs/recorders.md").read_text("utf-8")
    return text.split(f"```{language}\n")[1].split("```")[0]


def examined(folder, language):
    """What the example of the documentation wrote, the same in every language."""
    run = read(folder / f"run-{language}")
    assert (run.pipeline, run.device, run.runtime) == ("face", {"model": "Pixel 8"}, {"name": "litert", "threads": 4})
    image, label = run.cases[0].tensors
    assert run.values("img_001", image).reshape(-1).tolist() == list(range(12))
    assert (label.withheld, label.sha256) == ("hash", hashlib.sha256(b"cat").hexdigest())
    assert run.aggregates("img_001", label).mean == 3
    assert run.latency("model", "first").tolist() == [12_345_678]
    assert run.conditions == {"thermal_after": "light"}


@pytest.mark.parametrize("language", EXAMPLES)
def test_the_examples_of_the_documentation(tmp_path, language):
    name, copied, command = EXAMPLES[language]
    for one in copied:
        shutil.copy(ROOT / "recorders" / one, tmp_path)
    if language == "javascript":  # a module by its name, as a bundler or package.json would say
        (tmp_path / "package.json").write_text('{"type":"module"}')
    (tmp_path / name).write_text(example(language), "utf-8")
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")
    examined(tmp_path, language)


@pytest.mark.slow
def test_the_example_in_kotlin(tmp_path):
    sys.path.insert(0, str(ROOT / "scripts"))
    import fetch_kotlin

    (tmp_path / "Example.kt").write_text(example("kotlin"), "utf-8")
    fetch_kotlin.compile_to(
        tmp_path / "example.jar", ROOT / "recorders/kotlin/EdgecheckRecorder.kt", tmp_path / "Example.kt"
    )
    done = subprocess.run(["java", "-jar", "example.jar"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    examined(tmp_path, "kotlin")


def test_the_python_recorder_is_one_file_and_needs_nothing(tmp_path):
    """Copied alone, in an interpreter that has no packages."""
    shutil.copy(ROOT / "recorders/python/edgecheck_recorder.py", tmp_path)
    (tmp_path / "example.py").write_text(example("python"), "utf-8")
    command = [sys.executable, "-I", "-S", "-c", "import sys; sys.path.insert(0, '.'); exec(open('example.py').read())"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    examined(tmp_path, "python")


@pytest.mark.slow
def test_an_arm_processor_gets_the_same_bits(tmp_path):
    """Debian's g++-aarch64-linux-gnu and qemu-user-static; left out where they are not installed."""
    compiler, machine = shutil.which("aarch64-linux-gnu-g++"), shutil.which("qemu-aarch64-static")
    if compiler is None or machine is None:
        pytest.skip("aarch64-linux-gnu-g++ and qemu-aarch64-static are not installed")
    program = str(tmp_path / "drive")
    flags = [*CPP[1:], "-O2", "-static", str(HERE / "recorders/drive.cpp"), "-o", program]
    subprocess.run([compiler, *flags], check=True)
    driver = Driver([machine, program])
    rng = numpy.random.default_rng(0)
    for run in range(20):
        calls = [("open", "p", ["s"], MOST, False), ("case", "c")]
        for dtype in ("float16", "float32", "float64", "int64"):
            values = rng.normal(0.1, 300, int(rng.integers(1, 400))).astype(dtype)
            calls.append(("tensor", "s", dtype, dtype, list(values.shape), values.tobytes(), "omitted", True))
        (tmp_path / str(run)).mkdir()
        agree(driver, calls, tmp_path / str(run))
    driver.close()
