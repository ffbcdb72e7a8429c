"""Verdicts from a small table on nodes made by hand: the rules of `check` and `partition`."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from edgecheck import check as checking
from edgecheck.check_findings import findings
from edgecheck.errors import EdgecheckError, TableError
from edgecheck.model.graph import Graph, Model, Node, Tensor
from edgecheck.oracles import onnx_probe
from edgecheck.partition import partition
from edgecheck.tables import bundle
from edgecheck.tables.compiled import compile_table
from edgecheck.tables.optable import from_compiled

HEAD = """
[target]
id = "toy"
format = "tflite"
version_axis = "toy"
versions = ["1.0", "2.0", "10.0"]
closed_world = true
on_miss = "fallback"
partition = "islands"
[target.settings.size]
default = "small"
values = ["small", "large"]
[source.report]
package = "toy-compiler"
version = "1.2"
path = "OPS.md"
seen = 2026-11-21
"""


def table(ops, head=HEAD):
    return from_compiled(*compile_table(tomllib.loads(head + ops), where="toy.toml"))


def node(op="ADD", *, index=0, inputs=None, outputs=None, attrs=None, version=1, graph=0):
    x = Tensor(name="x", dtype="int8", shape=(1, 4, 4, 8))
    return Node(
        graph=graph, index=index, name=f"{op.lower()}{index}", op=op, version=version, attrs=attrs or {},
        inputs=tuple([x] if inputs is None else inputs), outputs=tuple([Tensor(name="y", dtype="int8", shape=(1, 4, 4, 8))] if outputs is None else outputs),
    )  # fmt: skip


def model(*nodes):
    graph = Graph(index=0, name="main", inputs=(), outputs=(), nodes=tuple(nodes))
    return Model(path=Path("m.tflite"), format="tflite", sha256="0" * 64, graphs=(graph,))


def verdict(ops, one=None, *, version=None, settings=None, head=HEAD):
    target = checking.point(table(ops, head), version, settings)
    return checking.check(model(one or node()), target)[0]


ADD = '[[op]]\nop = "ADD"\nsource = ["report:3"]\n'
DEPTH = (
    ADD
    + '[[op.limit]]\nid = "depth"\nrequire = "in[0].shape[-1] <= 4"\nsay = "depth must be at most 4"\nsource = ["report:4"]\nhelp = "split it"\n'
)


def test_supported_with_its_evidence():
    one = verdict(ADD)
    assert (one.verdict, one.reason, one.evidence) == ("supported", None, ("toy-compiler 1.2 OPS.md:3",))


def test_a_limit_that_fails_shows_what_was_observed():
    one = verdict(DEPTH)
    assert one.verdict == "fallback"
    assert one.limit == "depth"
    assert one.reason == "input 0's shape[-1] is 8; depth must be at most 4"
    assert one.evidence == ("toy-compiler 1.2 OPS.md:4",)
    assert one.help == "split it"


def test_a_dynamic_dimension_is_unknown_not_a_pass():
    x = Tensor(name="x", dtype="int8", shape=(1, None))
    one = verdict(DEPTH, node(inputs=[x]))
    assert (one.verdict, one.reason) == ("unknown", "dimension 1 of 'x' is dynamic; depth must be at most 4")


def test_closed_and_open_world():
    assert verdict(ADD, node("MUL")).verdict == "fallback"
    opened = HEAD.replace("closed_world = true", "closed_world = false")
    one = verdict(ADD, node("MUL"), head=opened)
    assert (one.verdict, one.reason) == ("unknown", "MUL is not in the table of toy")


def test_rejected_wins_over_fallback_and_a_possible_rejection_over_a_sure_fallback():
    rejected = '[[op.limit]]\nid = "no"\nrequire = "{}"\notherwise = "rejected"\nsay = "no"\nsource = ["report:5"]\n'
    assert verdict(DEPTH + rejected.format("rank(in[0]) == 3")).verdict == "rejected"
    assert verdict(DEPTH + rejected.format("attr.beta == 1")).verdict == "unknown"
    assert verdict(DEPTH + rejected.format("rank(in[0]) == 4")).verdict == "fallback"


def test_opaque_is_always_unknown():
    one = verdict(
        ADD + '[[op.limit]]\nid = "vague"\nopaque = "certain reshapes might not be mapped"\nsource = ["report:6"]\n'
    )
    assert (one.verdict, one.reason) == ("unknown", "certain reshapes might not be mapped")


@pytest.mark.parametrize(
    ("version", "expected"),
    [("1.0", "fallback"), ("2.0", "supported"), ("9.9", "supported"), ("10.0", "fallback"), (None, "fallback")],
)
def test_the_version_axis_counts_in_numbers_not_in_letters(version, expected):
    assert verdict(ADD + 'since = "2.0"\nremoved = "10.0"\n', version=version).verdict == expected


def test_the_reason_names_the_version_that_has_it():
    assert verdict(ADD + 'since = "2.0"\n', version="1.0").reason == "ADD needs toy 2.0; toy@1.0 was asked for"


def test_several_entries_are_alternatives():
    ops = (
        ADD
        + 'op_version = "1..2"\n'
        + ADD
        + 'op_version = "5.."\n[[op.limit]]\nid = "x"\nrequire = "False"\nsource = ["report:1"]\n'
    )
    assert verdict(ops, node(version=2)).verdict == "supported"
    assert verdict(ops, node(version=7)).limit == "x"
    assert verdict(ops, node(version=3)).reason == "version 3 of ADD is not among those toy takes (1..2, 5..)"
    assert verdict(ops, node(version=None)).verdict == "unknown"


def test_settings():
    ops = ADD + '[[op.limit]]\nid = "large"\nrequire = "env.size == \'large\'"\nsource = ["report:1"]\n'
    assert verdict(ops).verdict == "fallback"
    assert verdict(ops, settings={"size": "large"}).verdict == "supported"
    with pytest.raises(EdgecheckError, match="setting size of toy cannot be 'huge'"):
        verdict(ops, settings={"size": "huge"})
    with pytest.raises(EdgecheckError, match="toy has no setting 'speed'"):
        verdict(ops, settings={"speed": "1"})
    with pytest.raises(EdgecheckError, match="toy@11 lies outside what the table knows"):
        verdict(ops, version="11")


def test_an_axis_goes_on_under_a_new_name():
    head = HEAD.replace('versions = ["1.0", "2.0", "10.0"]', 'versions = ["2.3", "2.21", "litert-1.0", "litert-2.3"]')
    ops = ADD.replace("[[op]]\n", '[[op]]\nsince = "litert-1.0"\n', 1)
    points = {
        version: checking.point(table(ops, head), version) for version in ("2.3", "2.4", "litert-1.0", "litert-2.3.1")
    }
    verdicts = {version: checking.check(model(node()), at)[0].verdict for version, at in points.items()}
    assert verdicts == {"2.3": "fallback", "2.4": "fallback", "litert-1.0": "supported", "litert-2.3.1": "supported"}
    for outside in ("2.22", "litert-2.4", "tf-2.3"):
        with pytest.raises(EdgecheckError, match=f"toy@{outside} lies outside what the table knows"):
            checking.point(table(ops, head), outside)


def test_a_prefix_compiler_leaves_all_behind_the_first_miss():
    prefix = table(ADD, HEAD.replace('"islands"', '"prefix"'))
    verdicts = checking.check(model(node(), node("MUL", index=1), node(index=2)), checking.point(prefix))
    assert [one.verdict for one in verdicts] == ["supported", "fallback", "fallback"]
    assert verdicts[2].reason == "behind MUL 'mul1', the first op that is not mapped"
    verdicts = checking.check(model(node("MUL"), node(index=1), node(index=2)), checking.point(prefix))
    assert [one.verdict for one in verdicts] == ["fallback", "supported", "supported"]


@pytest.mark.parametrize(
    ("ops", "sentence"),
    [
        (ADD + "colour = 1\n", "Unexpected key 'op[0].colour'"),
        (ADD + "since = 3\n", r"Unexpected type int \(expected str\) in 'op\[0\].since'"),
        ('[[op]]\nop = "ADD"\n', r"'op\[0\].source' is missing: every fact has its place"),
        (ADD.replace("report:3", "book:3"), r"there is no \[source.book\]"),
        (DEPTH.replace("<= 4", "<= "), r"'op\[0\].limit\[0\].require': .* is not an expression"),
        (DEPTH + 'opaque = "also"\n', "must have one of 'require' and 'opaque'"),
        (ADD + 'verdict = "rejected"\n', "must say why ADD is not supported"),
        (ADD + 'op_version = "a..b"\n', "op_version' is 'a..b'"),
        ('[[op_limit]]\nops = ["MUL"]\nid = "x"\nrequire = "True"\nsource = ["report:1"]\n', "names MUL, which has no"),
    ],
)
def test_a_table_that_breaks_the_format_is_refused_with_the_place(ops, sentence):
    with pytest.raises(TableError, match="^toy.toml: .*" + sentence.replace("'op[0].colour'", r"'op\[0\].colour'")):
        table(ops)


def chain(*ops, dynamic=False):
    nodes, tensor = [], Tensor(name="in", dtype="int8", shape=(1, 100))
    for index, op in enumerate(ops):
        out = Tensor(name=f"t{index}", dtype="int8", shape=(1, None if dynamic else 100 + index))
        nodes.append(node(op, index=index, inputs=[tensor], outputs=[out]))
        tensor = out
    return model(*nodes)


def cut(one, **options):
    verdicts = checking.check(one, checking.point(table(ADD)))
    return partition(one, verdicts, lambda n: 10 if n.op == "ADD" else 30, **options)


def test_partition_of_a_chain():
    made = cut(chain("ADD", "ADD", "MUL", "ADD"))
    assert (made.islands, made.crossing_bytes, made.macs_supported) == (2, 101 + 102, 0.5)
    assert made.island_of == {(0, 0): 0, (0, 1): 0, (0, 3): 1}


def test_partition_extremes():
    assert cut(chain("ADD", "ADD")).macs_supported == 1.0
    assert (cut(chain("MUL")).islands, cut(chain("MUL")).macs_supported) == (0, 0.0)
    assert cut(chain("ADD", "MUL", dynamic=True)).crossing_bytes is None
    assert cut(chain("ADD", "MUL"), taken="whole").islands == 0


def test_a_target_that_takes_one_island_takes_the_largest():
    made = cut(chain("ADD", "MUL", "ADD", "ADD", "MUL", "ADD"), taken="largest")
    assert made.island_of == {(0, 2): 0, (0, 3): 0}
    assert (made.islands, made.crossing_bytes) == (1, 101 + 103)
    assert made.macs_supported == pytest.approx(20 / 100)
    assert cut(chain("MUL"), taken="largest").islands == 0


def test_branches_that_can_run_together_are_one_island():
    x = Tensor(name="x", dtype="int8", shape=(1, 8))
    a, b, c, d = (Tensor(name=name, dtype="int8", shape=(1, 8)) for name in "abcd")
    one = model(
        node("ADD", index=0, inputs=[x], outputs=[a]),
        node("MUL", index=1, inputs=[x], outputs=[b]),
        node("ADD", index=2, inputs=[a], outputs=[c]),
        node("ADD", index=3, inputs=[c, b], outputs=[d]),
    )
    assert cut(one).island_of == {(0, 0): 0, (0, 2): 0, (0, 3): 1}


def test_findings_are_one_per_cause_worst_first():
    target = checking.point(table(DEPTH))
    one = chain("ADD", "MUL", "ADD", "MUL")
    found = list(findings(one, target, checking.check(one, target)))
    assert [(f.rule, f.severity, f.count) for f in found] == [("EC102", "warning", 2), ("EC102", "warning", 2)]
    assert found[0].message == "ADD falls back on toy: input 0's shape[-1] is 100; depth must be at most 4"
    assert found[0].place == "graph 0 node 0 'add0'"


def test_a_limit_of_the_whole_target_is_one_cause_for_all_operators():
    """So are the operators that the table does not list: their names are in one sentence."""
    limit = (
        '[[limit]]\nid = "static"\nrequire = "static(in[0])"\nsay = "shapes must be static"\nsource = ["report:1"]\n'
    )
    listed = "".join(f'[[op]]\nop = "{op}"\nsource = ["report:3"]\n' for op in ("ADD", "MUL", "SUB", "DIV", "ABS"))
    loose = Tensor(name="open", dtype="int8", shape=(None, 8))
    ops = ["ADD", "MUL", "SUB", "DIV", "ABS", "ADD", "EXP", "SIN"]
    one = model(*(node(op, index=i, inputs=[loose]) for i, op in enumerate(ops)))
    target = checking.point(table(limit + listed))
    found = list(
        findings(one, target, checking.check(one, target), rewrites=lambda node, why: ["by-hand"] * (node.op == "SIN"))
    )
    assert [(f.message, f.count, f.help) for f in found] == [
        (
            "ADD, MUL, SUB and 2 more operators fall back on toy: input 0 has dynamic dimensions [?, 8]; "
            "shapes must be static",
            6,
            None,
        ),
        (
            "EXP and SIN fall back on toy: they are not in the table of toy, which lists every op it takes",
            2,
            "`edgecheck fix --target toy` may rewrite some of them (by-hand)",
        ),
    ]


def test_what_the_engine_behind_refuses_too_is_rejected():
    """ort-nnapi leaves a bfloat16 Add to the CPU provider, which has no kernel for it; a float64 one runs there."""

    def judged(dtype):
        tensors = {"i": [{"t": dtype, "s": [1, 4]}, {"t": dtype, "s": [1, 4]}], "o": [{"t": dtype, "s": [1, 4]}]}
        target = checking.point(bundle.load("ort-nnapi"))
        (one,) = checking.check(onnx_probe.read({"op": "Add", "opset": 17, **tensors}), target)
        return one

    assert judged("float64").verdict == "fallback"
    assert judged("bfloat16").verdict == "rejected"
    assert "ort-cpu does not take it either" in judged("bfloat16").reason


def test_the_engine_behind_is_a_table_at_a_point_of_its_axis():
    for name in bundle.targets():
        behind = bundle.load(name).falls_to
        if behind is not None:
            table, _, version = behind.partition("@")
            assert version in bundle.load(table).versions


def test_a_limit_of_what_is_supported_is_asked_last():
    ops = """
[[op]]
op = "ADD"
source = ["report:1"]
[[op.limit]]
id = "crash"
of = "supported"
require = "in[0].shape[0] == 1"
otherwise = "rejected"
say = "the batch must be 1"
source = ["report:2"]
[[op.limit]]
id = "dtype"
require = "in[0].dtype == 'int8'"
say = "int8"
source = ["report:3"]
"""

    def of(dtype, batch):
        x = Tensor(name="x", dtype=dtype, shape=(batch, 4))
        found = verdict(ops, node(inputs=[x]))
        return found.verdict, found.limit

    assert of("int8", 1) == ("supported", None)
    assert of("int8", 2) == ("rejected", "crash")
    assert of("float32", 2) == ("fallback", "dtype")
    assert of("int8", None) == ("unknown", "crash")
