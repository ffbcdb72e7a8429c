"""Recorders in every language that runs here write the same bytes for the same calls, and what they write reads back equal."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import numpy
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgecheck.golden import DTYPE_BITS
from edgecheck.golden.reading import read
from edgecheck.golden.recorder import Recorder

HERE = Path(__file__).parent
ROOT = HERE.parent
NAMES = st.text(
    st.characters(blacklist_characters="/\\#\x7f", blacklist_categories=("Cs", "Cc")), min_size=1, max_size=12
).filter(lambda text: text.strip() == text and text not in {".", "..", "latency"})
TEXTS = st.text(st.characters(blacklist_categories=("Cs",)), max_size=12).filter(lambda text: "\x00" not in text)
PLAIN = [name for name in DTYPE_BITS if name != "string"]


@pytest.fixture(scope="session")
def drivers(tmp_path_factory):
    """Language → the command that plays a script. A language whose compiler is missing is left out, and said so."""
    found = {}
    if shutil.which("g++"):
        program = tmp_path_factory.mktemp("cpp") / "drive"
        command = ["g++", "-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror", "-I", str(ROOT / "recorders/cpp")]
        subprocess.run([*command, str(HERE / "recorders/drive.cpp"), "-o", str(program)], check=True, timeout=180)
        found["c++"] = [str(program)]
    if shutil.which("node"):
        found["javascript"] = ["node", str(HERE / "recorders/drive.mjs")]
    if not found:
        pytest.skip("neither g++ nor node is on this machine")
    return found


@st.composite
def tensors(draw):
    """(stage, name, dtype, shape, bytes or texts, withhold)."""
    dtype = draw(st.sampled_from(list(DTYPE_BITS)))
    shape = draw(st.lists(st.integers(0, 4), max_size=3))
    count = int(numpy.prod(shape, dtype=numpy.int64))
    withhold = draw(st.sampled_from(["", "", "", "hash", "omitted"]))
    if dtype == "string":
        content = draw(st.lists(TEXTS, min_size=count, max_size=count))
        shape = shape or [1]
        content = content or [""] * int(numpy.prod(shape))
    else:
        size = (count * DTYPE_BITS[dtype] + 7) // 8
        content = draw(st.binary(min_size=size, max_size=size))
        if dtype == "bool":
            content = bytes(one & 1 for one in content)
    return draw(st.sampled_from(["in", "out"])), draw(NAMES), dtype, shape, content, withhold


@st.composite
def runs(draw):
    facts = draw(
        st.dictionaries(
            st.sampled_from(["model", "device", "runtime", "conditions"]), st.dictionaries(NAMES, TEXTS, max_size=3)
        )
    )
    for section in ("runtime", "conditions"):
        if section in facts:
            facts[section] |= {"threads": draw(st.integers(-(2**31), 2**31))}
    cases = draw(
        st.lists(
            st.tuples(NAMES, st.lists(tensors(), max_size=4, unique_by=lambda t: t[:2])),
            max_size=3,
            unique_by=lambda c: c[0],
        )
    )
    spans = draw(
        st.lists(st.tuples(NAMES, st.lists(st.integers(0, 2**53 - 1), max_size=4)), max_size=2, unique_by=lambda s: s[0])
    )
    launches = draw(st.lists(st.tuples(NAMES, st.integers(0, 99)), max_size=2, unique_by=lambda one: one[0]))
    return {
        "pipeline": draw(NAMES),
        "facts": facts,
        "cases": cases,
        "spans": spans,
        "launches": launches,
        "time": draw(TEXTS),
    }


def hexed(text):
    return "x" + (text.encode("utf-8") if isinstance(text, str) else text).hex()


def script(run, folder):
    """The run as the drivers read it."""
    lines = [f"open {hexed(str(folder))} {hexed(run['pipeline'])} {hexed('in')} {hexed('out')}"]
    for section, facts in run["facts"].items():
        for key, value in facts.items():
            lines.append(
                f"fact {section} {hexed(key)} {'n' if isinstance(value, int) else 't'} {value if isinstance(value, int) else hexed(value)}"
            )
    lines.append(f"time {hexed(run['time'])}")
    for name, found in run["cases"]:
        lines.append(f"case {hexed(name)}")
        for stage, tensor, dtype, shape, content, withhold in found:
            sizes = ",".join(map(str, shape)) or "-"
            head = f"{hexed(stage)} {hexed(tensor)}"
            if dtype == "string":
                lines.append(f"strings {head} {sizes} {withhold or '-'} " + " ".join(map(hexed, content)))
            else:
                lines.append(f"tensor {head} {dtype} {sizes} {hexed(content)} {withhold or '-'}")
    for name, warmup in run["launches"] or [("0", 0)]:
        lines.append(f"launch {hexed(name)} {warmup}")
        lines += [f"sample {hexed(span)} {value}" for span, values in run["spans"] for value in values]
    return "\n".join([*lines, "close", ""]).replace(" \n", "\n")


def python(run, folder):
    recorder = Recorder(str(folder), run["pipeline"], ["in", "out"], time=run["time"], **run["facts"])
    for name, found in run["cases"]:
        recorder.case(name)
        for stage, tensor, dtype, shape, content, withhold in found:
            recorder.tensor(stage, tensor, content, dtype=dtype, shape=shape, withhold=withhold)
    for name, warmup in run["launches"] or [("0", 0)]:
        recorder.launch(name, warmup)
        for span, values in run["spans"]:
            for value in values:
                recorder.sample(span, value)
    assert recorder.finish(), recorder.error


def held(folder):
    return {name: (folder / name).read_bytes() for name in ("run.json", "tensors.safetensors")}


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(run=runs())
def test_the_same_calls_give_the_same_bytes_in_every_language(run, drivers, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    python(run, folder / "python")
    wanted = held(folder / "python")
    for language, command in drivers.items():
        done = subprocess.run(
            command, input=script(run, folder / language), text=True, capture_output=True, timeout=60, check=False
        )
        assert (done.returncode, done.stderr) == (0, ""), language
        assert held(folder / language) == wanted, language


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(run=runs())
def test_what_was_recorded_reads_back_equal(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    python(run, folder)
    found = read(folder)
    assert (found.pipeline, found.stages, found.time) == (run["pipeline"], ("in", "out"), run["time"])
    assert [case.name for case in found.cases] == [name for name, _ in run["cases"]]
    for section, facts in run["facts"].items():
        assert getattr(found, section) == facts
    for case, (_, wanted) in zip(found.cases, run["cases"], strict=True):
        for tensor, (stage, name, dtype, shape, content, withhold) in zip(case.tensors, wanted, strict=True):
            assert (tensor.stage, tensor.name, tensor.dtype, list(tensor.shape)) == (stage, name, dtype, shape)
            raw = "".join(content).encode() if dtype == "string" else content
            if withhold:
                assert tensor.sha256 == (hashlib.sha256(raw).hexdigest() if withhold == "hash" else None)
                continue
            assert same(found.values(case.name, tensor), dtype, shape, content)
    for span, values in run["spans"]:
        if values:
            assert all(found.latency(span, one.name).tolist() == values for one in found.launches)


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
    }
    for name, value in arrays.items():
        recorder.tensor("s", name, value)
    assert recorder.finish(), recorder.error
    found = read(tmp_path / "run")
    for tensor in found.cases[0].tensors:
        numpy.testing.assert_array_equal(found.values("c", tensor), arrays[tensor.name])


@pytest.mark.parametrize(
    ("act", "says"),
    [
        (lambda r: r.tensor("s", "t", numpy.zeros(3)), "no case was begun"),
        (lambda r: (r.case("c"), r.tensor("s", "t", b"123", dtype="float32", shape=[1])), "3 bytes for [1] float32"),
        (lambda r: (r.case("c"), r.tensor("s", "t", object())), "was not recorded"),
        (lambda r: (r.case("c"), r.tensor("s", "t", numpy.zeros(1 << 18))), "raise `most`"),
    ],
)
def test_an_app_is_never_raised_into_and_nothing_half_written(tmp_path, act, says):
    recorder = Recorder(str(tmp_path / "run"), "p", ["s"], most=1 << 20)
    act(recorder)
    assert not recorder.finish()
    assert says in recorder.error
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_is_not_replaced(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine").write_text("kept")
    recorder = Recorder(str(tmp_path / "run"), "p", ["s"])
    recorder.case("c")
    assert not recorder.finish()
    assert "was not written" in recorder.error
    assert [one.name for one in tmp_path.rglob("*") if one.is_file()] == ["mine"]


def test_switched_off_it_costs_next_to_nothing(tmp_path):
    """Far below 1 % of a 10 ms frame: counted in calls made, not in time: nothing of the value is touched."""

    class Untouchable:
        def __getattribute__(self, name):
            raise AssertionError("a value was looked at")

    recorder = Recorder(str(tmp_path / "run"), "p", ["s"], on=False)
    recorder.case("c")
    recorder.tensor("s", "t", Untouchable())
    recorder.sample("model", 1)
    assert not recorder.finish()
    assert not (tmp_path / "run").exists()
