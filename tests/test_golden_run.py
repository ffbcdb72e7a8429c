"""Golden runs from strangers: whatever is wrong is one sentence with the place, in little memory and time."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecheck.errors import FormatError
from edgecheck.golden.reading import read
from edgecheck.golden.recorder import Recorder


@pytest.fixture
def run(tmp_path):
    recorder = Recorder(str(tmp_path / "run"), "face", ["decode", "model"], device={"model": "Pixel 8"})
    recorder.case("a")
    recorder.tensor("decode", "image", numpy.arange(12, dtype=numpy.uint8).reshape(2, 2, 3))
    recorder.tensor("model", "scores", numpy.linspace(0, 1, 4, dtype=numpy.float32), aggregates=True)
    recorder.tensor("model", "labels", ["cat", "dög", ""])
    recorder.launch("first", warmup=3)
    for value in (10, 20, 30):
        recorder.sample("model", value)
    assert recorder.finish()
    return tmp_path / "run"


def changed(folder: Path, change) -> Path:
    path = folder / "run.json"
    raw = json.loads(path.read_text("utf-8"))
    change(raw)
    path.write_text(json.dumps(raw), "utf-8")
    return folder


HOSTILE = [
    (lambda r: r.update(schema="edgecheck.golden/2"), "its schema is 'edgecheck.golden/2'"),
    (lambda r: r.update(verdict="good"), "there is no key 'verdict'"),
    (lambda r: r.pop("stages"), "'stages' is missing"),
    (lambda r: r.update(pipeline="../../etc"), "'pipeline' is '../../etc', which is no name"),
    (lambda r: r.update(pipeline=".."), "'pipeline' is '..'"),
    (lambda r: r["cases"][0].update(name="/abs"), "'cases[0].name' is '/abs'"),
    (lambda r: r["cases"][0].update(name="latency"), "'cases[0].name' 'latency' is taken"),
    (lambda r: r["stages"].extend(["model"]), "'stages' names something twice"),
    (lambda r: r.update(stages=[f"s{i}" for i in range(300)]), "'stages' is no list of at most 256 names"),
    (lambda r: r["cases"][0]["tensors"][0].update(stage="other"), "'other' is none of the stages"),
    (lambda r: r["cases"][0]["tensors"][0].update(dtype="object"), "'cases[0].tensors[0].dtype' is 'object'"),
    (lambda r: r["cases"][0]["tensors"][0].update(shape=[1 << 40, 1 << 40]), "values"),
    (lambda r: r["cases"][0]["tensors"][0].update(shape=[-1]), "is no list of at most 32 sizes"),
    (lambda r: r["cases"][0]["tensors"][0].update(shape=[2, 2, 4]), "declared as [2, 2, 4]"),
    (lambda r: r["cases"][0]["tensors"][1].update(dtype="float64"), "is stored as F32, declared as float64"),
    (lambda r: r["cases"][0]["tensors"][0].update(withheld="hash"), "'cases[0].tensors[0].sha256' goes with"),
    (lambda r: r["cases"][0]["tensors"][0].update(name="gone"), "there is no tensor 'a/decode/gone'"),
    (lambda r: r["cases"][0]["tensors"].pop(0), "run.json does not declare 'a/decode/image'"),
    (lambda r: r["cases"].append(dict(r["cases"][0])), "'cases[1].name' 'a' is taken"),
    (lambda r: r["latency"]["launches"][0].update(warmup=-1), "'latency.launches[0].warmup' is no count"),
    (lambda r: r["cases"][0]["tensors"][1].update(aggregates=False), "'cases[0].tensors[1].aggregates' is not true"),
    (lambda r: r["cases"][0]["tensors"][1].pop("aggregates"), "run.json does not declare 'a/model/scores#aggregates'"),
    (lambda r: r["latency"]["spans"].append("model/x"), "which is no name"),
    (lambda r: r["device"].update(model=3), "'device.model' is not text"),
    (lambda r: r["conditions"].update(temperature=31.5), "'conditions.temperature' is not text or a whole number"),
]


@pytest.mark.parametrize(("change", "says"), HOSTILE, ids=[says[:40] for _, says in HOSTILE])
def test_a_description_that_breaks_the_format(run, change, says):
    with pytest.raises(FormatError) as caught:
        read(changed(run, change))
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ['{"schema": NaN}', "[" * 100_000, '{"a":1,"a":2}', "\xff", ""])
def test_a_description_that_is_no_json(run, text):
    (run / "run.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(FormatError, match=r"run\.json"):
        read(run)


def header(run, change):
    path = run / "tensors.safetensors"
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    raw = json.loads(content[8 : 8 + length])
    change(raw)
    text = json.dumps(raw).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + content[8 + length :])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda h: h["a/decode/image"].update(data_offsets=[0, 1 << 50]), "bytes for a shape of"),
        (lambda h: h["a/decode/image"].update(shape=[1 << 52]), "bytes for a shape of"),
        (lambda h: h["a/decode/image"].update(dtype="OBJ"), "an element type, shape or place that is none"),
        (lambda h: h["a/decode/image"].update(code="evil"), "is not {dtype, shape, data_offsets}"),
        (lambda h: h.pop("a/decode/image"), "was to be expected"),
        (
            lambda h: h["a/model/labels#offsets"].update(
                shape=[1], data_offsets=h["a/model/labels#offsets"]["data_offsets"]
            ),
            "bytes for",
        ),
    ],
)
def test_tensors_that_do_not_add_up(run, change, says):
    header(run, change)
    with pytest.raises(FormatError) as caught:
        read(run)
    assert says in str(caught.value)


@pytest.mark.parametrize("claim", [1 << 63, 1 << 40, 10_000])
def test_a_header_that_claims_more_than_there_is(run, claim):
    path = run / "tensors.safetensors"
    path.write_bytes(struct.pack("<Q", claim) + path.read_bytes()[8:])
    with pytest.raises(FormatError, match="its header claims"):
        read(run)


def test_a_file_cut_short_anywhere(run):
    path = run / "tensors.safetensors"
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(FormatError):
            read(run)


def test_offsets_of_strings_that_point_elsewhere(run):
    path = run / "tensors.safetensors"
    content = bytearray(path.read_bytes())
    at = content.index(struct.pack("<qqq", 3, 7, 7))
    for bad in ((3, 2, 7), (-1, 7, 7), (3, 7, 1 << 40), (3, 7, 6)):
        content[at : at + 24] = struct.pack("<qqq", *bad)
        path.write_bytes(content)
        with pytest.raises(FormatError, match="#offsets"):
            read(run)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_bytes_changed_anywhere_never_crash(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("m") / "run"
    recorder = Recorder(str(folder), "p", ["s"])
    recorder.case("c")
    recorder.tensor("s", "t", numpy.arange(6, dtype=numpy.float32))
    recorder.tensor("s", "w", ["a", "bc"])
    assert recorder.finish()
    path = folder / data.draw(st.sampled_from(["run.json", "tensors.safetensors"]))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        found = read(folder)
        for case in found.cases:
            for tensor in case.tensors:
                if not tensor.withheld:
                    assert found.values(case.name, tensor).shape == tensor.shape
    except FormatError as error:
        assert "\n" not in str(error)


def test_nothing_is_loaded_before_it_is_asked_for(tmp_path):
    """A file of 3 GB (a hole) is opened, checked and read from in little memory."""
    import resource

    folder = tmp_path / "run"
    recorder = Recorder(str(folder), "p", ["s"])
    recorder.case("c")
    recorder.tensor("s", "t", numpy.zeros(4, numpy.float32))
    assert recorder.finish()
    count = 750_000_000
    changed(folder, lambda r: r["cases"][0]["tensors"][0].update(shape=[count]))
    header(folder, lambda h: h["c/s/t"].update(shape=[count], data_offsets=[0, 4 * count]))
    path = folder / "tensors.safetensors"
    (length,) = struct.unpack("<Q", path.read_bytes()[:8])
    with path.open("r+b") as file:
        file.truncate(8 + length + 4 * count)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = read(folder)
    values = found.values("c", found.cases[0].tensors[0])
    assert values.shape == (count,)
    assert float(values[-1]) == 0.0
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kB


def test_the_schema_of_the_documentation_says_the_same(run):
    """What the reader refuses in run.json alone, the published schema refuses too; and it takes what recorders write."""
    import jsonschema

    root = Path(__file__).parents[1]
    schema = json.loads((root / "docs/golden-run.schema.json").read_text("utf-8"))
    raw = json.loads((run / "run.json").read_text("utf-8"))
    validator = jsonschema.Draft202012Validator(schema)
    assert list(validator.iter_errors(raw)) == []
    refused = [
        says
        for change, says in HOSTILE
        if (one := json.loads(json.dumps(raw))) and (change(one), list(validator.iter_errors(one)))[1]
    ]
    beyond = {"'other' is none of the stages", "'cases[0].name' 'latency' is taken", "declared as [2, 2, 4]", "is stored as F32, declared as float64",
              "there is no tensor 'a/decode/gone'", "run.json does not declare 'a/decode/image'", "'cases[1].name' 'a' is taken", "values",
              "'cases[0].tensors[0].sha256' goes with", "'pipeline' is '..'", "run.json does not declare 'a/model/scores#aggregates'"}  # fmt: skip
    assert {says for _, says in HOSTILE} - set(refused) <= beyond
