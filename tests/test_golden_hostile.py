"""Golden runs made to harm: each is refused with one sentence, in a process that takes under 100 MB and a few seconds."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src"
#: Reads a run in a process of its own; prints what was said, and the peak of its memory in MB.
READ = """
import resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
resource.setrlimit(resource.RLIMIT_DATA, (400 << 20, 400 << 20))
from edgecheck.errors import FormatError
from edgecheck.golden.reading import read
try:
    print("read", len(read(Path(sys.argv[1])).cases))
except FormatError as error:
    print(error)
status = Path("/proc/self/status").read_text()  # not ru_maxrss: that starts from the parent's
print(int(status.split("VmHWM:")[1].split()[0]) >> 10)
"""
TENSOR = '{"stage":"s","name":"%s","dtype":"uint8","shape":[1]%s}'


def said(folder: Path) -> str:
    """What reading says: one line, under 100 MB."""
    command = [sys.executable, "-c", READ, str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    *lines, peak = done.stdout.splitlines()
    assert len(lines) == 1, lines
    assert int(peak) < 100, f"{peak} MB"
    return lines[0]


def run_json(folder: Path, cases: str = "[]", stages: str = '["s"]', more: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    text = f'{{"schema":"edgecheck.golden/1","pipeline":"p"{more},"stages":{stages},"cases":{cases}}}'
    (folder / "run.json").write_text(text, "utf-8")
    return folder


def safetensors(folder: Path, header: str | dict, data: bytes = b"") -> Path:
    text = (header if isinstance(header, str) else json.dumps(header)).encode("utf-8", "surrogatepass")
    (folder / "tensors.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)
    return folder


def many(text: str, count: int) -> str:
    return ",".join(text % i if "%" in text else text for i in range(count))


def rows(text: str, count: int) -> str:
    return f"[{many(text, count)}]"


def one(tensor: str) -> str:
    """Cases: one, of one tensor."""
    return '[{"name":"a","tensors":[' + tensor + "]}]"


CASE = '{"name":"%06d","tensors":[]}'


RUNS = {
    "a million stages": (lambda: {"stages": rows('"s%d"', 1_000_000)}, "describes more than a run holds"),
    "a million cases": (lambda: {"cases": rows(CASE, 1_000_000)}, "has more than 16 MB"),
    "400 thousand cases": (lambda: {"cases": rows(CASE, 400_000)}, "describes more than a run holds"),
    "64 MB of lists": (lambda: {"cases": rows("[]", 22_000_000)}, "has more than 16 MB"),
    "16 MB of lists": (lambda: {"cases": rows("[]", 5_000_000)}, "describes more than a run holds"),
    "as many lists as pass": (lambda: {"cases": rows("[]", 190_000)}, "'cases' is no list of at most 20,000"),
    "as many objects as pass": (lambda: {"cases": rows("{}", 190_000)}, "'cases' is no list of at most 20,000"),
    "as many keys as pass": (lambda: {"more": "," + many('"key%07d":0', 190_000)}, "there is no key 'key0000000'"),
    "15 MB of one text": (lambda: {"more": f',"time":"{"é" * 7_500_000}"'}, "'time' is no text of at most 2,000 signs"),
    "15 MB of digits": (lambda: {"more": f',"time":{"9" * 15_000_000}'}, "is no JSON"),
    "lists in lists": (lambda: {"cases": "[" * 190_000 + "]" * 190_000}, "is no JSON"),
    "objects in objects": (lambda: {"more": ',"device":' + '{"a":' * 150_000 + "1" + "}" * 150_000}, "is no JSON"),
    "an endless number": (lambda: {"more": ',"runtime":{"threads":1e999}'}, "'runtime.threads' is not text or a whole number"),
    "no number": (lambda: {"more": ',"runtime":{"threads":NaN}'}, "NaN is no number"),
    "a key twice": (lambda: {"more": ',"pipeline":"q"'}, "a name stands twice"),
    "half a pair in a name": (lambda: {"stages": '["\\ud800"]'}, "which is no name"),
    "half a pair in a text": (lambda: {"more": ',"device":{"model":"\\udc00"}'}, "'device.model' is not text"),
    "half a pair in a key": (lambda: {"more": ',"device":{"\\udc00":"x"}'}, "is not text"),
    "a line in a key": (lambda: {"more": ',"a\\nb":1'}, "there is no key 'a\\nb'"),
    "a path up": (lambda: {"cases": '[{"name":"..","tensors":[]}]'}, "which is no name"),
    "a path": (lambda: {"cases": '[{"name":"../../etc/passwd","tensors":[]}]'}, "which is no name"),
    "a path of Windows": (lambda: {"stages": '["..\\\\..\\\\x"]'}, "which is no name"),
    "a NUL": (lambda: {"stages": '["a\\u0000b"]'}, "which is no name"),
    "a dtype that is a list": (lambda: {"cases": '[{"name":"a","tensors":[{"stage":"s","name":"t","dtype":[],"shape":[]}]}]'}, ".dtype' is '[]'"),
    "a stage that is a list": (lambda: {"cases": '[{"name":"a","tensors":[{"stage":[],"name":"t","dtype":"bool","shape":[]}]}]'}, "which is no name"),
    "a shape that is NaN": (lambda: {"cases": '[{"name":"a","tensors":[{"stage":"s","name":"t","dtype":"bool","shape":[NaN]}]}]'}, "NaN is no number"),
    "a shape of a million": (lambda: {"cases": one('{"stage":"s","name":"t","dtype":"bool","shape":' + rows("1", 300_000) + "}")}, "'cases[0].tensors[0].shape' is no list of at most 32 sizes"),
    "a size beyond all": (lambda: {"cases": '[{"name":"a","tensors":[{"stage":"s","name":"t","dtype":"bool","shape":[9007199254740991,9007199254740991]}]}]'}, "values"),
    "a size of a thousand digits": (lambda: {"cases": one('{"stage":"s","name":"t","dtype":"bool","shape":[' + "9" * 1000 + "]}")}, "is no list of at most 32 sizes"),
    "aggregates that are no truth": (lambda: {"cases": one(TENSOR % ("t", ',"aggregates":{}'))}, "'cases[0].tensors[0].aggregates' is not true"),
}  # fmt: skip


@pytest.mark.parametrize(("parts", "says"), RUNS.values(), ids=RUNS)
def test_a_description_made_to_harm(tmp_path, parts, says):
    run = safetensors(run_json(tmp_path / "run", **parts()), "{}")
    assert says in said(run)


def placed(start: int | float | str, end: int | float | str, shape: object = (1,), dtype: object = "U8") -> dict:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


FILES = {
    "overlapping": ({"a/s/t0": placed(0, 1), "a/s/t1": placed(0, 1)}, b"1", "begins at 0, where 1 was to be expected"),
    "a gap": ({"a/s/t0": placed(0, 1), "a/s/t1": placed(2, 3)}, b"123", "begins at 2, where 1 was to be expected"),
    "backwards": ({"a/s/t0": placed(1, 0), "a/s/t1": placed(0, 1)}, b"1", "bytes for a shape"),
    "beyond the end": ({"a/s/t0": placed(0, 1 << 52, [1 << 52])}, b"1", "bytes for a shape"),
    "more than there is": ({"a/s/t0": placed(0, 1), "a/s/t1": placed(1, 2)}, b"1", "bytes for a shape"),
    "cut short": ({"a/s/t0": placed(0, 9, [9])}, b"12345678", "bytes for a shape"),
    "below zero": ({"a/s/t0": placed(-1, 0)}, b"", "an element type, shape or place that is none"),
    "a length that is NaN": ('{"a/s/t0":{"dtype":"U8","shape":[NaN],"data_offsets":[0,1]}}', b"1", "NaN is no number"),
    "a length with a fraction": ({"a/s/t0": placed(0, 1.0)}, b"1", "an element type, shape or place that is none"),
    "a length as text": ({"a/s/t0": placed(0, "1")}, b"1", "an element type, shape or place that is none"),
    "a length that is true": ({"a/s/t0": placed(0, True)}, b"1", "an element type, shape or place that is none"),
    "one name twice": ('{"a":{"dtype":"U8"},"a":{"dtype":"U8"}}', b"", "a name stands twice"),
    "one key twice": ('{"a":{"dtype":"U8","dtype":"F32"}}', b"", "a name stands twice"),
    "a pickle's type": ({"a/s/t0": placed(0, 1, dtype="O")}, b"1", "an element type, shape or place that is none"),
    "a type that is a list": ({"a/s/t0": placed(0, 1, dtype=["U8"])}, b"1", "an element type, shape or place that is none"),
    "a name with lines": ({"a\nb\ud800": placed(1, 2)}, b"12", "begins at 1"),
    "not declared": ({"a/s/t0": placed(0, 1), "a/s/t1": placed(1, 2), "../../x": placed(2, 3)}, b"123", "run.json does not declare '../../x'"),
    "as many as pass": (lambda: "{" + many('"k%06d":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}', 36_000) + "}", b"", "there is no tensor 'a/s/t0'"),
    "more than pass": (lambda: "{" + many('"k%06d":{"dtype":"U8","shape":[],"data_offsets":[0,0]}', 90_000) + "}", b"", "describes more than a run holds"),
    "lists in lists": ('{"a":' + "[" * 100_000 + "]" * 100_000 + "}", b"", "is no JSON"),
    "a list": ("[]", b"", "its header is no JSON object"),
    "another coding": ("\ud800", b"", "is no JSON"),
}  # fmt: skip


@pytest.mark.parametrize(("header", "data", "says"), FILES.values(), ids=FILES)
def test_tensors_made_to_harm(tmp_path, header, data, says):
    cases = one(",".join(TENSOR % (name, "") for name in ("t0", "t1")))
    assert says in said(safetensors(run_json(tmp_path / "run", cases), header() if callable(header) else header, data))


def test_as_much_as_a_run_holds_is_read_in_little_memory(tmp_path):
    """The largest run that is taken: 9,000 cases of one tensor and its aggregates."""
    folder = tmp_path / "run"
    tensor = TENSOR % ("t", ',"withheld":"omitted","aggregates":true')
    run_json(folder, rows('{"name":"%06d","tensors":[' + tensor + "]}", 9_000))
    parts, at = [], 0
    for suffix, dtype, shape, size in (("aggregates", "F64", 8, 64), ("histogram", "I64", 16, 128)):
        for i in range(9_000):
            parts.append(
                f'"{i:06d}/s/t#{suffix}":{{"dtype":"{dtype}","shape":[{shape}],"data_offsets":[{at},{at + size}]}}'
            )
            at += size
    figures = struct.pack("<8d", 1, 0, 0, 1, 0, 0, 0, 0) * 9_000
    safetensors(folder, "{" + ",".join(parts) + "}", figures + struct.pack("<16q", 1, *[0] * 15) * 9_000)
    assert said(folder) == "read 9000"


@pytest.mark.parametrize("name", ["run.json", "tensors.safetensors"])
def test_what_is_no_plain_file(tmp_path, name):
    run = safetensors(run_json(tmp_path / "run"), "{}")
    assert said(run) == "read 0"
    path = run / name
    path.rename(tmp_path / "elsewhere")
    assert f"cannot read {path}" in said(run)
    path.symlink_to(tmp_path / "elsewhere")
    assert said(run) == f"{path} is a link"
    path.unlink()
    path.symlink_to("/dev/zero")
    assert said(run) == f"{path} is a link"
    path.unlink()
    os.mkfifo(path)
    assert said(run) == f"{path} is no plain file"
    path.unlink()
    path.mkdir()
    assert said(run) == f"cannot read {path}: Is a directory"
    path.rmdir()
    path.write_bytes(b"")
    assert str(path) in said(run)


def test_a_hole_of_terabytes(tmp_path):
    run = safetensors(run_json(tmp_path / "run"), "{}")
    with (run / "run.json").open("r+b") as file:
        file.truncate(1 << 40)
    assert "has more than 16 MB" in said(run)
    run_json(run)
    with (run / "tensors.safetensors").open("r+b") as file:
        file.truncate(1 << 40)
    assert "its tensors end at 0" in said(run)
    with (run / "tensors.safetensors").open("r+b") as file:
        file.write(struct.pack("<Q", 1 << 39))
    assert "its header claims" in said(run)
