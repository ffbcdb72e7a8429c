"""The limit language: parsing, three-valued evaluation, words; and nothing a file holds makes it crash."""

from __future__ import annotations

import json
from pathlib import Path

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecheck.errors import FormatError
from edgecheck.model.graph import Graph, Node, Quantization, Tensor
from edgecheck.tables.evaluation import evaluate, holds
from edgecheck.tables.language import LanguageError, parse
from edgecheck.tables.observed import observed
from edgecheck.tables.phrases import words
from edgecheck.tables.scope import Edges, Scope, Unknown


class Values:
    """Constant data of a test tensor."""

    def __init__(self, values):
        self.values, self.nbytes = values, values.nbytes

    def array(self):
        return self.values


class Missing:
    nbytes = 4

    def array(self):
        raise FormatError("weight.bin is not there")


def tensor(name="x", dtype="float32", shape=(1, 8, 8, 3), **more):
    return Tensor(name=name, dtype=dtype, shape=shape, **more)


def scope(*, inputs=(), outputs=(), attrs=None, env=None, names=(), version=1):
    node = Node(
        graph=0, index=0, name="n", op="CONV_2D", version=version, inputs=tuple(inputs), outputs=tuple(outputs),
        attrs=attrs or {}, input_names=names,
    )  # fmt: skip
    graph = Graph(index=0, name="main", inputs=tuple(i for i in inputs if i), outputs=tuple(outputs), nodes=(node,))
    return Scope(node=node, env=env or {}, edges=Edges.of((graph,)))


def value(text, **given):
    return evaluate(parse(text), scope(**given))


X, DYNAMIC, NO_RANK = tensor(), tensor(shape=(1, None, 8, 3)), tensor(shape=None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("in[0].shape[-1] <= 127", True),
        ("in[0].shape[-1] in 1..3", True),
        ("in[0].shape[-1] in 4..8", False),
        ("dtype(in[0]) in ['int8', 'float32']", True),
        ("in[0].dtype not in ['int8']", True),
        ("rank(in[0]) == 4 and static(in[0])", True),
        ("attr.stride_w * attr.stride_h <= 4", False),
        ("1 <= attr.stride_w <= 3", True),
        ("attr.stride_w % 2 == 1 if attr.padding == 'SAME' else False", True),
        ("all(d > 0 for d in in[0].shape)", True),
        ("any(d == 3 for d in in[0].shape[1:3])", False),
        ("sum([t.size for t in inputs]) == 192", True),
        ("pow2(in[0].shape[1])", True),
        ("len(inputs) == 1 and len(outputs) == 0", True),
        ("exists(in[1])", False),
        ("not exists(in[2]) or const(in[2])", True),
        ("exists(attr.beta)", False),
        ("written(attr.beta)", False),
        ("arity == 1 and len(inputs) == 1", True),
        ("all(name in ['x'] for name in named)", True),
        ("known(attr.beta, 7) == 7 and known(in[0].shape[-1], 7) == 3", True),
        ("all(known(d, 1) > 0 for d in in[0].shape)", True),
        ("-1 in [-1, 2]", True),
        ("max(in[0].shape) == 8", True),
        ("same(in[0].shape[1], in[0].shape[2], 8)", True),
        ("op == 'CONV_2D' and op_version == 1 and graph == 0", True),
        (
            "[lone_sums(e) for e in ['bij,bjk->bik', '...ij->...j', 'ij,k->', 'ij,jk', 'ii->i']] == [0, 1, 3, 0, -1]",
            True,
        ),
        (
            "[einsum_kind(e) for e in ['ij->ij', 'ji', 'ijk->kij', 'ij->i', 'ii->i', 'ijj->ij', 'iij->ij', 'ii', 'iji->ij']]"
            " == ['identity', 'transpose', 'transpose', 'sum', 'diagonal', 'diagonal', 'inner diagonal', 'inner diagonal', '']",
            True,
        ),
        (
            "[einsum_kind(e) for e in ['ij,ij->ij', 'ij, jk', 'i,j->ij', 'bij,bik->jk', '...ij->...ji', 'ij,jk,kl->il']]"
            " == ['product', 'pairwise', 'pairwise', 'flattened', '', '']",
            True,
        ),
        ("canonical('bhid, bhjd -> bhij') == 'abcd,abed->abce' and canonical('...ij->...j') == '...ab->...b'", True),
    ],
)
def test_value(text, expected):
    assert value(text, inputs=[X], attrs={"stride_w": 3, "stride_h": 3, "padding": "SAME"}) is expected


@pytest.mark.parametrize(
    ("text", "given", "reason"),
    [
        ("in[0].shape[1] == 8", {"inputs": [DYNAMIC]}, "dimension 1 of 'x' is dynamic"),
        ("in[0].shape[1] == 8", {"inputs": [NO_RANK]}, "the rank of 'x' is not known"),
        ("in[0].size <= 8", {"inputs": [DYNAMIC]}, "the size of 'x' is not known"),
        ("in[1].shape[1] == 8", {"inputs": [X]}, "input 1 is not there"),
        ("attr.alpha == 1", {}, "attribute alpha is not there"),
        ("env.api >= 29", {}, "setting api is not set (--set api=…)"),
        ("in[0].shape[9] == 1", {"inputs": [X]}, "input 0's shape has no place 9"),
        ("in[0].scale > 0", {"inputs": [X]}, "'x' has no quantisation"),
        ("scalar(in[0]) == 1", {"inputs": [X]}, "'x' is not constant"),
        ("attr.a / 0 == 1", {"attrs": {"a": 1}}, "a division by zero"),
        ("attr.a < 'x'", {"attrs": {"a": 1}}, "a < 'x' has no value here"),
        ("value(in[0]) == []", {"inputs": [tensor(shape=(1,), data=Missing())]}, "weight.bin is not there"),
    ],
)
def test_not_known_is_unknown_with_the_reason(text, given, reason):
    assert holds(parse(text), scope(**given)) == Unknown(reason)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("env.nothing == 1 or True", True),
        ("env.nothing == 1 and False", False),
        ("all(d in 1..9 for d in in[0].shape)", Unknown),
        ("any(d == 3 for d in in[0].shape)", True),
        ("all(d == 3 for d in in[0].shape)", False),
        ("not env.nothing", Unknown),
        ("True if env.nothing else True", True),
        ("in[0].shape == [1, 2, 8, 4]", False),
        ("in[0].shape == [1, 2, 8, 3]", Unknown),
        ("3 in in[0].shape", True),
        ("7 in in[0].shape", Unknown),
    ],
)
def test_kleene(text, expected):
    result = value(text, inputs=[DYNAMIC])
    assert isinstance(result, Unknown) if expected is Unknown else result is expected


def test_constants_are_read_only_when_asked():
    import numpy

    weights = tensor(
        "w", "int8", (2, 3), data=Values(numpy.array([[1, -2, 3], [4, 4, -4]], numpy.int8)),
        quantization=Quantization(scales=(0.5, 0.25), zero_points=(0, 1), axis=0),
    )  # fmt: skip
    given = {"inputs": [X, weights]}
    assert value("weight_sum(in[1])", **given) == 3 + 3 + 5
    assert value("value(in[1])", **given) == [1, -2, 3, 4, 4, -4]
    assert value("per_channel(in[1]) and in[1].axis == 0 and in[1].scales[1] == 0.25", **given) is True


@pytest.mark.parametrize(
    "text",
    ["__import__('os')", "in[0].__class__", "x", "in[0].nothing", "open('f')", "lambda: 1", "in[", "a b", "in[attr.x]",
     "[t for t in inputs for u in inputs]", "f'{op}'", "in[0].shape[::2]", "\"a\\n\"", "{}", "in_[0]", "attr.x := 1"],
)  # fmt: skip
def test_what_is_not_in_the_language_is_refused(text):
    with pytest.raises(LanguageError):
        parse(text)


@pytest.mark.parametrize(
    ("text", "given", "expected"),
    [
        ("in[0].shape[-1] <= 2", {"inputs": [X]}, "input 0's shape[-1] is 3"),
        ("all(t.dtype == 'int8' for t in inputs)", {"inputs": [X]}, "'x' dtype is float32"),
        ("not exists(in[0]) or dtype(in[0]) == 'int8'", {"inputs": [X]}, "input 0's dtype is float32"),
        ("attr.a == 1 and attr.b == 1", {"attrs": {"a": 1, "b": 2}}, "b is 2"),
        ("const(in[0])", {"inputs": [X]}, "input 0 is not a constant"),
        ("static(in[0])", {"inputs": [DYNAMIC]}, "input 0 has dynamic dimensions [1, ?, 8, 3]"),
        ("all(static(t) for t in inputs)", {"inputs": [X, DYNAMIC]}, "'x' has dynamic dimensions [1, ?, 8, 3]"),
        ("all(known(d, 0) > 0 for d in in[0].shape)", {"inputs": [DYNAMIC]}, "one of input 0's shape is not known"),
        ("not const(in[0])", {"inputs": [tensor(data=Values(numpy.zeros(1)))]}, "input 0 is a constant"),
        ("len(inputs) == 3", {"inputs": [X]}, "number of inputs is 1"),
        (
            "known(env.file_static_inputs, True)",
            {"env": {"file_static_inputs": False}},
            "the file has no static inputs",
        ),
        ("in[0].shape == [1]", {"inputs": [X]}, "input 0's shape is [1, 8, 8, 3]"),
    ],
)
def test_what_was_observed(text, given, expected):
    assert observed(parse(text), scope(**given)) == expected


NAMES = st.sampled_from(
    [
        "in[0]",
        "in[1]",
        "in.w",
        "out[0]",
        "attr.a",
        "attr.b",
        "env.c",
        "inputs",
        "op",
        "op_version",
        "1",
        "-3",
        "2.5",
        "'int8'",
        "True",
    ]
)
LIMITS = st.recursive(
    NAMES,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "//", "%", "**", "==", "<", ">=", "in", "not in", "and", "or"]), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        inner.map(lambda t: f"(not {t})"),
        inner.map(lambda t: f"({t}).shape"),
        st.tuples(inner, inner).map(lambda t: f"({t[0]})[{t[1]}]"),
        inner.map(lambda t: f"all(u for u in {t})"),
        st.tuples(st.sampled_from(sorted({"const", "rank", "static", "value", "scalar", "weight_sum", "len", "min", "abs", "pow2", "exists", "folded"})), inner).map(lambda t: f"{t[0]}({t[1]})"),
        st.tuples(inner, inner, inner).map(lambda t: f"({t[0]} if {t[1]} else {t[2]})"),
    ),
    max_leaves=12,
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("len([t for t in inputs if not const(t)]) == 1", "number of computed inputs == 1"),
        ("len([t for t in inputs if const(t)]) == 1", "number of constant inputs == 1"),
        ("len([t for t in inputs if t.rank > 1]) == 1", "number of inputs that count == 1"),
        ("2 in [(a if a >= 0 else a + 4) for a in value(in[0])]", "2 in input 0's values"),
        ("sum([1 for t in inputs]) == 2", "sum(1 for t in inputs) == 2"),
        ("len([1 for t in inputs if t.rank > 1]) == 2", "number of 1 for t in inputs == 2"),
        ("unit_type(in[0]) == 'int8'", "input 0's type on the engine == 'int8'"),
        ("before(in[0]).rank > 2", "the first input of what makes input 0's rank > 2"),
        ("made_with(in[1], 'axis') == 0", "axis of what makes input 1 == 0"),
    ],
)
def test_a_list_in_words(text, said):
    assert words(parse(text)) == said


@settings(max_examples=400, deadline=None)
@given(
    LIMITS,
    st.dictionaries(
        st.sampled_from("ab"),
        st.one_of(st.integers(), st.floats(), st.text(max_size=3), st.lists(st.integers(), max_size=3), st.none()),
    ),
)
def test_any_limit_on_any_node_has_a_value(text, attrs):
    tree = parse(text)
    assert json.loads(json.dumps(tree)) == tree, "the bundle holds trees as JSON"
    assert isinstance(words(tree), str)
    for inputs in ([], [X], [DYNAMIC, None], [NO_RANK, X]):
        given_scope = scope(inputs=inputs, attrs=attrs, names=("x", "w"))
        assert isinstance(holds(tree, given_scope), (bool, Unknown))
        assert isinstance(observed(tree, given_scope), str)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60))
def test_any_text_parses_or_is_refused(text):
    try:
        parse(text)
    except LanguageError as error:
        assert str(error)


def test_the_readme_documents_every_function():
    from edgecheck.tables.language import FIELDS, FUNCTIONS
    from edgecheck.tables.language import NAMES as LANGUAGE_NAMES

    readme = (Path(__file__).parents[1] / "op_tables/README.md").read_text()
    missing = {name for name in FUNCTIONS | FIELDS | LANGUAGE_NAMES if name not in readme}
    assert not missing


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(["all", "any"]), st.sampled_from(["<", "<=", ">", ">=", "=="]), st.integers(-3, 3),
    st.lists(st.one_of(st.integers(-3, 3), st.sampled_from([0.0, 1.5, float("nan"), float("inf")])), max_size=30),
)  # fmt: skip
def test_many_numbers_are_judged_as_one_by_one(name, sign, bound, numbers):
    python = {"all": all, "any": any}[name](
        eval(f"{number!r} {sign} {bound}", {"nan": float("nan"), "inf": float("inf")}) for number in numbers
    )
    assert value(f"{name}(n {sign} {bound} for n in attr.numbers)", attrs={"numbers": numbers}) is python


def test_a_range_too_long_is_unknown_not_empty():
    assert isinstance(value("all(i > 5 for i in 0..attr.n)", attrs={"n": 10**9}), Unknown)


def chain(*steps):
    """One-input, one-output nodes in a row over `(op, dtype of its output)`; a scope for each, and the tensors."""
    tensors = [tensor("t0", "uint8"), *(tensor(f"t{i + 1}", dtype) for i, (_, dtype) in enumerate(steps))]
    nodes = [
        Node(
            graph=0, index=i, name="n", op=op, version=1, inputs=(tensors[i],), outputs=(tensors[i + 1],), attrs={}
        )
        for i, (op, _) in enumerate(steps)
    ]  # fmt: skip
    edges = Edges.of((Graph(index=0, name="g", inputs=(tensors[0],), outputs=(tensors[-1],), nodes=tuple(nodes)),))
    return lambda text, at, verdict=None: evaluate(
        parse(text), Scope(node=nodes[at], env={}, edges=edges, verdict=verdict)
    )


def test_a_quantised_unit_is_seen_with_its_stored_types():
    ask = chain(("DequantizeLinear", "float32"), ("Relu", "float32"), ("com.microsoft::QuantizeLinear", "uint16"))
    assert ask("unit_type(in[0])", 1) == "uint8"
    assert ask("unit_type(out[0])", 1) == "uint16"
    assert ask("unit_type(in[0])", 0) == "uint8"
    assert ask("unit_type(out[0])", 2) == "uint16"
    plain = chain(("Relu", "float32"), ("DynamicQuantizeLinear", "uint8"))
    assert plain("unit_type(out[0])", 0) == "float32"


def test_the_values_of_a_constant_that_is_only_reshaped():
    axis = tensor("k", "int64", (), data=Values(numpy.array(-1, "int64")))
    moved, scaled = tensor("m", "int64", (1,)), tensor("d", "int64", (1,))
    first, second = (
        Node(graph=0, index=i, name=str(i), op=op, version=13, inputs=(x,), outputs=(y,), attrs={})
        for i, (op, x, y) in enumerate((("Unsqueeze", axis, moved), ("Neg", moved, scaled)))
    )
    edges = Edges.of((Graph(index=0, name="g", inputs=(), outputs=(scaled,), nodes=(first, second)),))
    ask = lambda text: evaluate(parse(text), Scope(node=second, env={}, edges=edges))  # noqa: E731
    assert (ask("value(in[0])"), ask("scalar(in[0])"), ask("const(in[0])")) == ([-1], -1, False)
    assert isinstance(ask("value(out[0])"), Unknown)


def test_what_is_computed_from_sizes():
    ask = chain(("Relu", "float32"), ("Shape", "int64"), ("Gather", "int64"), ("Reshape", "float32"))
    assert [ask("computed(in[0])", place) for place in range(4)] == [False, False, True, True]
    assert ask("folded(in[0])", 3) is False
    drawn = chain(("Shape", "int64"), ("RandomNormalLike", "float32"), ("Relu", "float32"))
    assert drawn("computed(in[0])", 2) is False


def test_the_scale_of_a_quantised_unit():
    x, y, z = tensor("x", "uint8"), tensor("y"), tensor("z")
    scale = tensor("s", shape=(), data=Values(numpy.array(0.5, "float32")))
    zero = tensor("z0", "uint8", shape=(), data=Values(numpy.array(3, "uint8")))
    dq = Node(
        graph=0, index=0, name="d", op="DequantizeLinear", version=13, inputs=(x, scale, zero), outputs=(y,), attrs={}
    )
    relu = Node(graph=0, index=1, name="r", op="Relu", version=14, inputs=(y,), outputs=(z,), attrs={})
    edges = Edges.of((Graph(index=0, name="g", inputs=(x,), outputs=(z,), nodes=(dq, relu)),))
    ask = lambda text: evaluate(parse(text), Scope(node=relu, env={}, edges=edges))  # noqa: E731
    assert (ask("unit_scale(in[0])"), ask("unit_zero_point(in[0])")) == (0.5, 3)
    assert ask("unit_per_channel(in[0])") is False
    assert isinstance(ask("unit_scale(out[0])"), Unknown)


def test_the_verdict_of_the_node_before():
    ask = chain(("Relu", "float32"), ("QuantizeLinear", "uint8"))
    assert ask("maker_supported(in[0])", 0) is True
    assert isinstance(ask("maker_supported(in[0])", 1), Unknown)
    assert isinstance(ask("maker_supported(in[0])", 1, lambda node: "unknown"), Unknown)
    assert ask("maker_supported(in[0])", 1, lambda node: "supported") is True
    assert ask("maker_supported(in[0])", 1, lambda node: "fallback") is False
    assert ask("maker_verdict(in[0])", 1, lambda node: "rejected") == "rejected"
    assert isinstance(ask("maker_verdict(in[0])", 0, lambda node: "rejected"), Unknown)
    assert ask("reader_verdict(out[0])", 0, lambda node: "fallback") == "fallback"
    assert isinstance(ask("reader_verdict(out[0])", 1, lambda node: "fallback"), Unknown)
    assert isinstance(ask("reader_verdict(out[0])", 0), Unknown)


def test_what_is_read_together():
    ask = chain(("Relu", "float32"), ("QuantizeLinear", "uint8"))
    assert ask("len(siblings(out[0]))", 0) == 1
    assert isinstance(ask("siblings(out[0])", 1), Unknown)
    assert ask("unit_type(siblings(out[0])[0]) == unit_type(read_into(out[0])[0])", 0) is True
    assert isinstance(ask("read_into(out[0])", 1), Unknown)
    assert ask("all(t.producer == '' for t in made_from(in[0]))", 1) is True
    assert isinstance(ask("made_from(in[0])", 0), Unknown)


def test_what_the_model_is_given_and_gives():
    """An output of the model is one though an operator reads it too; a nested graph's are none."""
    a, b, c = (tensor(name) for name in "abc")
    first, second = (
        Node(graph=0, index=i, name=str(i), op="ABS", version=1, inputs=(x,), outputs=(y,), attrs={})
        for i, (x, y) in enumerate(((a, b), (b, c)))
    )
    main = Graph(index=0, name="main", inputs=(a,), outputs=(b,), nodes=(first, second))
    edges = Edges.of(
        (
            main,
            Graph(index=1, name="nested", inputs=(c,), outputs=(c,), nodes=()),
        )
    )
    ask = lambda text, node: evaluate(parse(text), Scope(node=node, env={}, edges=edges))  # noqa: E731
    assert [ask("of_model(in[0])", first), ask("of_model(out[0])", first)] == [True, True]
    assert [ask("of_model(in[0])", second), ask("of_model(out[0])", second)] == [True, False]


def test_a_branch_that_reads_constants_of_the_graph_around_it():
    held, outer = (tensor(name, data=Values(numpy.ones(2))) for name in ("held", "outer"))
    x, y = tensor("x"), tensor("y")

    def ask(weight):
        add = Node(graph=1, index=0, name="a", op="Add", version=14, inputs=(x, weight), outputs=(y,), attrs={})
        branch = Graph(
            index=1, name="b", inputs=(), outputs=(y,), nodes=(add,), parent=(0, 0), constants=frozenset({"held"})
        )
        choice = Node(graph=0, index=0, name="i", op="If", version=13, inputs=(), outputs=(), attrs={}, subgraphs=(1,))
        main = Graph(index=0, name="m", inputs=(x,), outputs=(), nodes=(choice,))
        return evaluate(
            parse("captures"),
            Scope(
                node=choice,
                env={},
                edges=Edges.of(
                    (
                        main,
                        branch,
                    )
                ),
            ),
        )

    assert (ask(held), ask(outer)) == (False, True)


def test_a_default_that_was_filled_in_is_not_written():
    from dataclasses import replace

    asked = scope(attrs={"dilations": (1, 1), "group": 1})
    asked.node = replace(asked.node, written=frozenset({"group"}))
    for text, expected in (("written(attr.group)", True), ("written(attr.dilations)", False)):
        assert evaluate(parse(text), asked) is expected
    assert evaluate(parse("exists(attr.dilations)"), asked) is True


def test_a_graph_that_hands_an_input_straight_back():
    """A Loop's body whose output is its own input, and one that computes it."""
    state, made, after = (tensor(name) for name in ("state", "made", "after"))
    loop = Node(graph=0, index=0, name="", op="Loop", version=16, inputs=(), outputs=(after,), attrs={}, subgraphs=(1,))

    def ask(result):
        body = Graph(index=1, name="body", inputs=(state,), outputs=(result,), nodes=(), parent=(0, 0))
        edges = Edges.of(
            (
                Graph(index=0, name="main", inputs=(), outputs=(after,), nodes=(loop,)),
                body,
            )
        )
        return evaluate(parse("given_back"), Scope(node=loop, env={}, edges=edges))

    assert [ask(state), ask(made)] == [True, False]


def test_the_operators_of_its_graphs():
    """A scatter whose computation adds, and a node without graphs."""
    x, y = tensor("x"), tensor("y")
    add = Node(graph=1, index=0, name="a", op="ADD", version=1, inputs=(x, x), outputs=(y,), attrs={})
    body = Graph(index=1, name="b", inputs=(x,), outputs=(y,), nodes=(add,), parent=(0, 0))
    scatter = Node(graph=0, index=0, name="s", op="S", version=1, inputs=(x,), outputs=(), attrs={}, subgraphs=(1,))
    edges = Edges.of(
        (
            Graph(index=0, name="m", inputs=(x,), outputs=(), nodes=(scatter,)),
            body,
        )
    )
    found = [evaluate(parse("inner_ops"), Scope(node=node, env={}, edges=edges)) for node in (scatter, add)]
    assert found == [["ADD"], []]


def test_branches_that_end_in_the_same_ranks_or_not():
    made = tensor("made")

    def ask(*branches):
        choice = Node(
            graph=0, index=0, name="", op="If", version=16, inputs=(), outputs=(made,), attrs={}, subgraphs=(1, 2)
        )
        inner = [
            Graph(
                index=number,
                name="b",
                inputs=(),
                outputs=tuple(tensor(f"r{number}{k}", shape=one) for k, one in enumerate(shapes)),
                nodes=(),
                parent=(0, 0),
            )
            for number, shapes in enumerate(branches, 1)
        ]
        edges = Edges.of(
            (
                Graph(index=0, name="main", inputs=(), outputs=(made,), nodes=(choice,)),
                *inner,
            )
        )
        return evaluate(parse("ranks_meet"), Scope(node=choice, env={}, edges=edges))

    assert ask([(1, 2)], [(None, 3)]) is True
    assert ask([(1, 2), None], [(1,), None]) is False
    assert isinstance(ask([(1, 2)], [None]), Unknown)


def test_an_attribute_that_is_a_map_is_asked_by_name():
    node = Node(
        graph=0, index=0, name="n", op="STABLEHLO_COMPOSITE", version=1, inputs=(), outputs=(),
        attrs={"composite_attributes": {"epsilon": 0.5, "axes": (1, 2)}},
    )  # fmt: skip
    scope = Scope(node=node, env={}, edges=Edges.of((Graph(index=0, name="g", inputs=(), outputs=(), nodes=(node,)),)))
    for text, expected in (
        ("attr.composite_attributes['epsilon'] == 0.5", True),
        ("attr.composite_attributes['axes'] == [1, 2]", True),
        ("known(attr.composite_attributes['groups'], 2) == 2", True),
        ("'groups' in attr.composite_attributes", False),
    ):
        assert holds(parse(text), scope) is expected
    assert isinstance(holds(parse("attr.composite_attributes['groups'] == 2"), scope), Unknown)
