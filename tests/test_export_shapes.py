"""PyTorch models in the shapes people's code has: trainers, wrappers, half precision, structured inputs and outputs."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.export

HERE = Path(__file__).parent
SHAPES = HERE / "cases" / "shapes.py"
ALL = ("onnx", "tflite", "coreml")

#: callable: (inputs, outputs, what a note says)
EVAL = "the model was in training mode: eval() was called"
SHAPED = {
    "lit": (["x"], ["output"], EVAL),
    "learner": (["input"], ["output"], EVAL),
    "parallel": (["input"], ["output"], EVAL),
    "compiled": (["input"], ["output"], EVAL),
    "training": (["input"], ["output"], EVAL),
    "half": (["input"], ["output"], "the model computed in float16: it is taken in float32"),
    "bfloat": (["input"], ["output"], "the model computed in bfloat16: it is taken in float32"),
    "double": (["input"], ["output"], "the model computed in float64: it is taken in float32"),
    "dict_in": (["batch_image", "batch_bias"], ["logits", "image"], EVAL),
    "dict_in_positional": (["batch_image", "batch_bias"], ["logits", "image"], EVAL),
    "named_tuple": (["x"], ["scores", "places"], EVAL),
    "data_class": (["x"], ["logits", "hidden"], EVAL),
    "model_output": (["x"], ["logits", "hidden"], EVAL),
    "optional_keyword": (["x", "mask"], ["logits", "hidden"], EVAL),
    "hf": (["input_ids", "attention_mask"], ["logits"], EVAL),
    "scripted_inside": (["x"], ["output"], EVAL),
    "scripted_whole": (["x"], ["output"], ""),
    "weight_norm_new": (["input"], ["output"], EVAL),
    "weight_norm_old": (["input"], ["output"], EVAL),
    "pruned": (["input"], ["output"], EVAL),
    "numpy_inputs": (["input"], ["output"], EVAL),
    "grads": (["input"], ["output"], EVAL),
    "hooked": (["x"], ["output"], EVAL),
    "same": (["x"], ["output_0", "output_1", "output_2"], EVAL),
    "reserved": (["input"], ["input_1", "_class"], EVAL),
    "buffered": (["x"], ["output"], EVAL),
    "lists": (["xs_0", "xs_1"], ["output_0", "output_1"], EVAL),
}
#: What every run of the tests exports to all three formats, and to ONNX only; the rest goes with the slow tests.
EVERYWHERE = ("lit", "half", "data_class", "scripted_inside")
ONNX_ONLY = ("learner", "parallel", "compiled", "dict_in", "optional_keyword", "numpy_inputs")
QUICK = [*((name, format) for name in EVERYWHERE for format in ALL), *((name, "onnx") for name in ONNX_ONLY)]
SLOW = [(name, format) for name in SHAPED for format in ALL if (name, format) not in QUICK]
SHAPED["scalar"] = (["x", "k"], ["output"], EVAL)  # Core ML has no inputs without dimensions
SLOW += [("scalar", "onnx"), ("scalar", "tflite")]

REFUSED = {
    "state": "returned weights without a module (a state dict); it should return an nn.Module",
    "checkpoint": "returned a checkpoint (weights without a module); it should return an nn.Module",
    "lazy": "0.weight is of a lazy layer and has no values yet",
    "meta": "0.weight lies on the meta device and has no values",
    "empty_batch": "the example of input is empty (0x3x8x8)",
    "klass_class": "returned the class Lit, not an instance of it",
}


def measured(folder: Path, python: Path, cells: list[tuple[str, str]], more: tuple[str, ...] = ()) -> dict:
    job = {f"{name}/{format}": {"source": f"{SHAPES}:{name}", "format": format} for name, format in cells}
    job |= {name: {"source": f"{SHAPES}:{name}"} for name in more}
    (folder / "job.json").write_text(json.dumps(job))
    done = subprocess.run(
        [str(python), str(HERE / "shape_cells.py"), str(folder / "job.json")],
        capture_output=True, text=True, timeout=1200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads((folder / "results.json").read_text())


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory, torch_python: Path) -> dict:
    """In one child: torch and the converters are imported once."""
    return measured(tmp_path_factory.mktemp("quick"), torch_python, QUICK, (*REFUSED, "quantized_dynamic"))


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory, torch_python: Path) -> dict:
    return measured(tmp_path_factory.mktemp("slow"), torch_python, SLOW)


def seen(found: dict, name: str) -> tuple:
    """What `expected` says, as it was found."""
    noted = any(text.startswith(SHAPED[name][2]) for text in found["notes"]) or not SHAPED[name][2]
    types = all(dtype in ("float32", "int64") for _, _, dtype in found["inputs"])
    inputs = [spec[0] for spec in found["inputs"]]
    return found.get("state"), found.get("wrong"), inputs, found["outputs"], noted, types


def expected(name: str) -> tuple:
    inputs, outputs, _ = SHAPED[name]
    return "proven", [], inputs, outputs, True, True


@pytest.mark.parametrize(("name", "format"), QUICK)
def test_shapes_people_have_are_proven(quick: dict, name: str, format: str) -> None:
    found = quick[f"{name}/{format}"]
    assert found.get("state") == "proven", found
    assert seen(found, name) == expected(name)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "format"), SLOW)
def test_and_the_others(slow: dict, name: str, format: str) -> None:
    found = slow[f"{name}/{format}"]
    assert found.get("state") == "proven", found
    assert seen(found, name) == expected(name)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_model_is_said(quick: dict, name: str) -> None:
    assert REFUSED[name] in quick[name]["error"]
    assert quick[name]["code"] == 2


def test_a_model_that_is_quantised_already_is_said(quick: dict) -> None:
    assert quick["quantized_dynamic"]["notes"] == [
        "4 (Linear) is quantised by torch already, which few converters take: return the float module and say "
        "--precision int8-dynamic or int8-static"
    ]
