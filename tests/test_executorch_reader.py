"""ExecuTorch programs (.pte) and programs of torch.export (.pt2), read without torch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from edgecheck.errors import FormatError
from edgecheck.model import formats
from edgecheck.model.formats import aten_schema
from edgecheck.model.formats.xnnpack_payload import payload

CASES = Path(__file__).parent / "cases" / "programs"


def exported(name="net"):
    return formats.read(CASES / f"{name}.pt2")


def lowered():
    return formats.read(CASES / "net.pte")


def node(model, name):
    return next(one for one in model.nodes if one.name == name)


def test_an_exported_program():
    model = exported()
    assert (model.format, model.metadata["kind"], model.metadata["dialect"]) == (
        "executorch", "torch.export", ("TRAINING",),
    )  # fmt: skip
    assert [one.op for one in model.nodes] == [
        "aten.add_.Tensor", "aten.conv2d.default", "aten.batch_norm.default", "aten.silu.default",
        "aten.adaptive_avg_pool2d.default", "aten.flatten.using_ints", "aten.dropout.default", "aten.linear.default",
        "aten.linear.default", "aten.max.dim", "aten.softmax.int", "aten.mul.Tensor", "aten.cat.default",
        "aten.mul.Tensor",
    ]  # fmt: skip
    assert [tensor.name for tensor in model.graphs[0].inputs] == ["x"]
    assert len(model.graphs[0].outputs) == 5


def test_arguments_are_tensors_or_attributes_with_the_schemas_defaults():
    conv = node(exported(), "conv2d")
    assert conv.input_names == ("input", "weight", "bias")
    assert conv.attrs == {"stride": (1, 1), "padding": (1, 1), "dilation": (1, 1), "groups": 1}
    assert [tensor.shape for tensor in conv.inputs] == [(None, 3, 8, 8), (4, 3, 3, 3), (4,)]
    assert conv.outputs[0].shape == (None, 4, 8, 8), "a dynamic batch is None"


def test_a_number_in_place_of_a_tensor_is_an_attribute():
    times = node(exported(), "mul")
    assert times.input_names == ("self",)
    assert times.attrs == {"other": 2}


def test_an_optional_tensor_that_is_left_out_is_not_listed():
    first = node(exported(), "linear")
    assert first.input_names == ("input", "weight")


def test_lists_of_tensors_and_several_outputs():
    model = exported()
    assert node(model, "cat").input_names == ("tensors", "tensors")
    assert [tensor.dtype for tensor in node(model, "max_1").outputs] == ["float32", "int64"]


def test_where_a_node_comes_from():
    assert node(exported(), "silu").source == "net.py:16"


def test_weights_stay_in_the_file_and_tied_ones_are_one():
    first, second = node(exported(), "linear").inputs[1], node(exported(), "linear_1").inputs[1]
    assert first.const
    assert first.data.array().shape == (4, 4)
    assert (first.data.array() == second.data.array()).all()


def test_a_constant_with_strides():
    turned = node(exported(), "mul_1").inputs[0]
    assert turned.data.array().tolist() == [[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]]


def test_a_buffer_that_is_written_is_no_constant():
    count = node(exported(), "add_").inputs[0]
    assert (count.const, count.variable) == (False, True)


def test_graphs_inside_a_node():
    model = exported("branch")
    cond = node(model, "cond")
    assert cond.op == "higher_order.cond"
    assert [model.graphs[number].name for number in cond.subgraphs] == ["true_graph_0", "false_graph_0"]
    assert [model.graphs[number].parent for number in cond.subgraphs] == [(0, cond.index)] * 2
    assert [one.op for one in model.graphs[1].nodes] == ["aten.sin.default"]


def test_a_lowered_program():
    model = lowered()
    assert [one.op for one in model.nodes] == [
        "dim_order_ops._to_dim_order_copy.out", "dim_order_ops._to_dim_order_copy.out",
        "executorch_call_delegate::XnnpackBackend", "aten.max.dim_max", "aten.copy_.default",
    ]  # fmt: skip
    assert model.metadata["methods"] == ("forward",)


def test_what_a_delegate_holds():
    call = lowered().graphs[0].nodes[2]
    assert call.attrs["delegate"] == "XnnpackBackend"
    assert call.attrs["bytes"] > 1000
    assert call.attrs["ops"]["FullyConnected"] == 2
    assert call.attrs["ops"]["Conv2d"] == 1
    assert [tensor.shape for tensor in call.outputs][:2] == [(1,), (2, 4)]


def test_a_kernel_call():
    largest = lowered().graphs[0].nodes[3]
    assert largest.input_names == ("self",)
    assert largest.attrs == {"dim": -1, "keepdim": False}
    assert [(tensor.dtype, tensor.shape) for tensor in largest.outputs] == [("float32", (2,)), ("int64", (2,))]


def test_a_constant_of_a_lowered_program():
    two = lowered().graphs[0].nodes[0].inputs[0]
    assert (two.dtype, two.data.array().item()) in (("int64", 1), ("int64", 2))


def test_every_value_is_made_before_it_is_read():
    graph = lowered().graphs[0]
    made = {id(tensor) for tensor in graph.inputs}
    state = {id(tensor) for tensor in graph.nodes[-1].outputs}  # what copy_ writes back, and the next call reads
    for one in graph.nodes:
        for tensor in one.inputs:
            assert tensor.const or id(tensor) in made | state
        made |= {id(tensor) for tensor in one.outputs}


def test_a_payload_that_is_no_payload():
    assert payload(memoryview(b"")) is None
    assert payload(memoryview(b"\0\0\0\0XH00" + b"\xff" * 40)) is None


@pytest.mark.parametrize(
    ("op", "names"),
    [
        ("aten.add.Tensor", ["self", "other", "alpha"]),
        ("aten.add_.Tensor", ["self", "other", "alpha"]),
        ("aten.add.out", ["self", "other", "alpha", "out"]),
    ],
)
def test_schemas(op, names):
    assert [argument.name for argument in aten_schema.schema(op).arguments] == names


@pytest.mark.parametrize("op", ["aten.no_such.default", "", "x y", "a\nb", "custom.relu_.default"])
def test_no_schema(op):
    assert aten_schema.schema(op) is None


def test_no_framework_is_imported():
    code = (
        "import sys; from pathlib import Path; from edgecheck.model import formats;"
        f"[formats.read(Path({str(CASES)!r}) / name) for name in ('net.pt2', 'net.pte')];"
        "print([name for name in ('torch', 'numpy', 'zipfile', 'executorch.exir') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def rezipped(path, target, change):
    """The archive again with one entry's content changed, stored or compressed."""
    import zipfile

    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w") as new:
        for entry in old.infolist():
            content, method = change(entry.filename, old.read(entry))
            new.writestr(entry.filename, content, method)
    return target


def test_a_compressed_archive_is_refused(tmp_path):
    packed = rezipped(CASES / "net.pt2", tmp_path / "z.pt2", lambda name, content: (content, 8))
    with pytest.raises(FormatError, match="is compressed"):
        formats.read(packed)


def test_another_schema_version_is_refused(tmp_path):
    def older(name, content):
        if name.endswith("models/model.json"):
            program = json.loads(content)
            program["schema_version"]["major"] = 7
            content = json.dumps(program)
        return content, 0

    with pytest.raises(FormatError, match="its schema is version 7, and version 8 is read"):
        formats.read(rezipped(CASES / "net.pt2", tmp_path / "old.pt2", older))


def test_a_weight_that_leads_out_of_the_archive(tmp_path):
    def elsewhere(name, content):
        return (content.replace(b'"weight_0"', b'"../../etc"') if name.endswith("weights_config.json") else content), 0

    model = formats.read(rezipped(CASES / "net.pt2", tmp_path / "m.pt2", elsewhere))
    broken = [tensor for one in model.nodes for tensor in one.inputs if tensor.const and tensor.data.nbytes == 0]
    assert broken
    with pytest.raises(FormatError, match="not in the archive"):
        broken[0].data.array()


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("m.pt2", b"PK\x03\x04", "the end of its zip directory is missing"),
        ("m.pt2", b"\x80\x02}q\x00.", "a pickle of PyTorch"),
        ("m.pte", b"\0\0\0\0ET12", "leads to byte"),
        ("m.pte", b"hello, world", "not an ExecuTorch program"),
    ],
)
def test_files_that_are_no_programs(tmp_path, name, content, sentence):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(FormatError, match=sentence) as caught:
        formats.read(path)
    assert "\n" not in str(caught.value)
