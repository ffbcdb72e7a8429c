"""The table `coreml` against coremltools: stored probes, files made at one opset and taken to another, real models."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from edgecheck.check import check, judge, point
from edgecheck.check_findings import findings
from edgecheck.model.formats import coreml as reader
from edgecheck.model.graph import Node, Tensor
from edgecheck.oracles import ask
from edgecheck.tables import bundle
from edgecheck.tables.scope import Edges, Scope

PROBES = Path(__file__).parents[1] / "op_tables" / "evidence" / "coremltools-9.0.jsonl"


@pytest.fixture(scope="module")
def table():
    return bundle.load("coreml")


def judged(table, op, version, *, inputs=(), file="mlProgram", specification=None, at=None, attrs=None):
    """The verdict of one node; `inputs` maps formal names to (dtype, whether constant)."""
    tensors = tuple(
        Tensor(name=n, dtype=t, shape=(1,), data=object() if c else None) for n, (t, c) in dict(inputs).items()
    )
    node = Node(
        graph=0, index=0, name="", op=op, version=version, inputs=tensors, outputs=(), attrs=attrs or {},
        input_names=tuple(dict(inputs)),
    )  # fmt: skip
    specification = specification or (10 if version == 26 else (version or 13) - 9)
    env = {"file_specification_version": specification, "file_type": file}
    at = str(at or version)
    env["version"] = int(at)
    return judge(node, point(table, at), Scope(node=node, env=env, edges=Edges({}, {})))


def test_stored_probes_are_judged_as_they_were_measured(table):
    wrong = []
    for line in PROBES.read_text().splitlines():
        row = json.loads(line)
        inputs = {name: tuple(one) for name, one in row["inputs"].items()}
        verdict = judged(table, row["op"], row["op_version"], inputs=inputs).verdict
        if verdict != row["verdict"]:
            wrong.append((row["probe"], verdict, row["verdict"]))
    assert wrong == []


def test_every_limit_of_an_operation_has_a_probe_outside(table):
    rows = [json.loads(line) for line in PROBES.read_text().splitlines()]
    outside = {(row["op"], row["limit"]) for row in rows if row["side"] == "outside"}
    programs = [op for op in table.ops if "::" not in op and op not in ("const", "write_state", "classify")]
    missing = {(op, limit.id) for op in programs for entry in table.entries(op) for limit in entry.limits} - outside
    assert missing == set()


CONV = {"x": ("float32", False), "weight": ("float32", True), "bias": ("float32", False)}


@pytest.mark.parametrize(
    ("op", "opset", "inputs", "verdict"),
    [
        ("conv", 16, CONV, "rejected"),  # a bias that is computed
        ("conv", 17, CONV, "supported"),
        ("gather", 15, {"x": ("float32", False), "indices": ("int16", False)}, "rejected"),
        ("gather", 16, {"x": ("float32", False), "indices": ("int16", False)}, "supported"),
        ("gather", 16, {"x": ("int8", False), "indices": ("int32", False)}, "rejected"),
        ("gather", 17, {"x": ("int8", False), "indices": ("int32", False)}, "supported"),
        ("scaled_dot_product_attention", 17, dict.fromkeys(("query", "key", "value"), ("float32", False)), "rejected"),
        ("scaled_dot_product_attention", 18, dict.fromkeys(("query", "key", "value"), ("float32", False)), "supported"),
        ("add", 15, {"x": ("float32", False), "y": ("float16", False)}, "rejected"),
        ("no_such_operation", 26, {}, "rejected"),
        ("upsample_bilinear", 15, {"x": ("float32", False), "half_pixel_centers": ("bool", True)}, "rejected"),
        ("upsample_bilinear", 16, {"x": ("float32", False), "half_pixel_centers": ("bool", True)}, "supported"),
    ],
)
def test_what_each_opset_brought(table, op, opset, inputs, verdict):
    assert judged(table, op, opset, inputs=inputs).verdict == verdict


@pytest.mark.parametrize(
    ("op", "at", "attrs", "verdict"),
    [
        ("nn::convolution", 13, {}, "supported"),
        ("nn::oneHot", 13, {}, "rejected"),
        ("nn::oneHot", 14, {}, "supported"),
        ("nn::reorganizeData", 13, {"mode": 2}, "rejected"),
        ("nn::reorganizeData", 14, {"mode": 2}, "supported"),
        ("nn::reorganizeData", 13, {"mode": 1}, "supported"),
        ("nn::custom", 18, {}, "unknown"),
        ("model::audioFeaturePrint", 14, {}, "rejected"),
        ("model::treeEnsembleClassifier", 13, {}, "supported"),
    ],
)
def test_layers_and_models_of_old_files(table, op, at, attrs, verdict):
    found = judged(table, op, None, file="neuralNetwork", specification=4, at=at, attrs=attrs)
    assert found.verdict == verdict


def test_a_file_that_is_newer_than_the_system(table):
    found = judged(table, "relu", 16, inputs={"x": ("float32", False)}, specification=7, at=15)
    assert found.verdict == "rejected"
    assert found.reason == "the file's specification version is 7; iOS 15 loads specification version 6 or lower"


def test_real_models(table, models_dir):
    for path in sorted(models_dir.rglob("*.mlpackage")):
        model = reader.read(path)
        needs = model.metadata["specification_version"] + 9
        for version in table.versions:
            verdicts = {one.verdict for one in check(model, point(table, version))}
            assert verdicts == {"supported" if int(version) >= needs else "rejected"}, (path.name, version)


@pytest.mark.parametrize(("version", "verdict"), [("17.4", "supported"), ("15.8.2", "rejected"), ("26.1", "supported")])
def test_points_between_the_releases_of_the_axis(table, models_dir, version, verdict):
    model = reader.read(next(models_dir.rglob("hand_detector.mlpackage")))
    assert {one.verdict for one in check(model, point(table, version))} == {verdict}


def test_a_file_that_is_too_new_is_one_finding(table, models_dir):
    model = reader.read(next(models_dir.rglob("hand_detector.mlpackage")))
    target = point(table, "15")
    whole, *others = findings(model, target, check(model, target))
    assert {one.message.split(" is rejected")[0] for one in others} == {"upsample_bilinear"}  # which iOS 16 changed
    assert whole.count + sum(one.count for one in others) == model.node_count
    assert whole.message == (
        "the file is rejected on coreml: the file's specification version is 7; "
        "iOS 15 loads specification version 6 or lower"
    )


MAKE = """
import sys, numpy, coremltools as ct
import coremltools.optimize.coreml as cto
from coremltools.converters.mil import Builder as mb
from coremltools.converters.mil.mil import types

folder = sys.argv[1]
F = lambda *shape: mb.TensorSpec(shape=shape, dtype=types.fp32)

@mb.program(input_specs=[F(1, 3, 8, 8), F(4)], opset_version=ct.target.iOS17)
def variable_bias(x, b):
    return mb.conv(x=mb.relu(x=x), weight=numpy.ones((4, 3, 1, 1), "float32"), bias=b)

@mb.program(input_specs=[F(1, 2, 4, 8) for _ in range(3)], opset_version=ct.target.iOS18)
def attention(q, k, v):
    return mb.scaled_dot_product_attention(query=q, key=k, value=v)

@mb.program(input_specs=[F(2, 3)], opset_version=ct.target.iOS15)
def branches(x):
    small = mb.less(x=mb.reduce_sum(x=x, axes=[0, 1], keep_dims=False), y=0.0)
    return mb.cond(pred=small, _true_fn=lambda: mb.relu(x=x), _false_fn=lambda: mb.topk(x=x, k=3)[0])

@mb.program(input_specs=[F(2, 3)], opset_version=ct.target.iOS15)
def single(x):  # a list of one value looks like that value in the file
    return mb.relu(x=mb.stack(values=(x,), axis=0))

OPSETS = {15: ("CoreML5", 6), 16: ("CoreML6", 7), 17: ("CoreML7", 8), 18: ("CoreML8", 9)}
for name, program, made in (("bias", variable_bias, 17), ("attention", attention, 18), ("branches", branches, 15), ("single", single, 15)):
    target = getattr(ct.target, f"iOS{made}")
    package = ct.convert(program, convert_to="mlprogram", minimum_deployment_target=target, skip_model_load=True,
                         compute_precision=ct.precision.FLOAT32)
    spec = package.get_spec()
    for ios, (opset, version) in OPSETS.items():
        for function in spec.mlProgram.functions.values():
            block = function.block_specializations[function.opset]
            kept = type(block)()
            kept.CopyFrom(block)
            del function.block_specializations[function.opset]
            function.opset = opset
            function.block_specializations[opset].CopyFrom(kept)
        spec.specificationVersion = version
        ct.models.utils.save_spec(spec, f"{folder}/{name}-{made}-{ios}.mlpackage",
                                  weights_dir=package.weights_dir)

@mb.program(input_specs=[F(2, 64)], opset_version=ct.target.iOS16)
def compressed(x):  # its weights become constexpr_affine_dequantize, whose parameters are attributes
    return mb.linear(x=x, weight=numpy.arange(4096, dtype="float32").reshape(64, 64))

package = ct.convert(compressed, convert_to="mlprogram", minimum_deployment_target=ct.target.iOS16, skip_model_load=True)
config = cto.OptimizationConfig(cto.OpLinearQuantizerConfig(weight_threshold=16))
cto.linear_quantize_weights(package, config).save(f"{folder}/compressed-16.mlpackage")
"""


@pytest.fixture(scope="module")
def relabelled(torch_python, tmp_path_factory):
    """Programs written at one opset and marked as another: what a hand-edited or a careless file looks like."""
    folder = tmp_path_factory.mktemp("programs")
    done = subprocess.run([torch_python, "-c", MAKE, folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return sorted(folder.glob("*.mlpackage"))


@pytest.mark.export
@pytest.mark.parametrize("version", ["15", "17"])
def test_files_against_coremltools_registry(table, relabelled, models_dir, torch_python, version):
    paths = [*relabelled, *sorted(models_dir.rglob("*.mlpackage"))[:1]]
    seen = set()
    for outcome in ask("coreml_registry", torch_python, paths, "coreml", {"version": version}):
        assert outcome.failure is None
        theirs = {(one.graph, one.index): (one.op, one.verdict) for one in outcome.answers}
        ours = {
            (one.node.graph, one.node.index): (one.node.op, one.verdict)
            for one in check(reader.read(outcome.model), point(table, version))
        }
        assert ours == theirs, outcome.model.name
        seen |= {verdict for _, verdict in ours.values()}
    assert seen == {"supported", "rejected"}
