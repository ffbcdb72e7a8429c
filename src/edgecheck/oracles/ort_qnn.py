"""Qualcomm's HTP compiler behind ONNX Runtime's QNN provider: what it takes, and whether it really compiles.

A file is cut into its operators, with the DequantizeLinear and QuantizeLinear that the provider takes together with
them, and a session is made with a handful of them side by side. It has two stages: the provider's partitioner says
which nodes it wants, then they are compiled for the chip. Where no session comes of it, each half is asked alone, down
to the operator. `fallback` is a node left to the CPU; `rejected` one that was taken and then did not compile, so that
no session can be made, or that neither the provider nor the CPU has: in a small file what is left to the CPU is also
run there once, alone, for what a kernel refuses only then. Qualcomm's binaries come under their own terms; only
verdicts are kept.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from edgecheck.model import formats
from edgecheck.model.clips import needless
from edgecheck.model.graph import Node, Tensor
from edgecheck.oracles import Answer, isolated, onnx_probe, ort_cpu
from edgecheck.oracles.onnx_cut import Neighbours, describe

NAME = "onnxruntime-qnn"
ENVIRONMENT = "ort-qnn"
NEEDS = ("onnxruntime_qnn", "onnxruntime", "numpy")
TARGETS = ("ort-qnn",)

#: The HTP architecture and a chip that has it, by the numbers of Qualcomm's `soc_model`; both have to be named.
#: pytorch/executorch:backends/qualcomm/serialization/qc_schema.py
CHIPS = {"v68": "30", "v69": "36", "v73": "43", "v75": "57", "v79": "69", "v81": "87"}

Spec = Mapping[str, Any]
_BESIDE_NAME = "beside_"


def _beside(number: int) -> dict[str, Any]:
    return {"n": f"{_BESIDE_NAME}{number}", "t": "float32", "s": [1, 2]}


Found = tuple[str, str]  # verdict and reason
_Q = "QuantizeLinear"
_DYNAMIC = "DynamicQuantizeLinear"  # an operator of its own, joined with nothing
_CONVERTERS = (_Q, "DequantizeLinear")
_INITIALIZER: Found = ("inconclusive", "it becomes an initializer, and is no node of the session")
_STILL: Found = ("invalid", "it reads constants alone: nothing flows into the graph")

_PROVIDER = "QNNExecutionProvider"
_TOGETHER = 24  # operators in one session
_LARGE = 1 << 24  # bytes of constants in one session
_SECONDS = 120.0
_MOST_RUN = 64  # operators of a file whose operators are run on the CPU
#: What a session says of a file that is wrong, whoever runs it.
_INVALID = (
    "INVALID_GRAPH", "Type Error", "TypeInferenceError", "ShapeInferenceError", "is not a registered function/op",
    "Unsupported model IR version", "only *guarantees* support", "Having zero graph inputs",
)  # fmt: skip
_OF_THE_MACHINE = "Failed to construct locale"


def warm_up() -> None:
    """Load the provider once, before the forks."""
    _devices()


def verdicts(model: Path, target: str, settings: Mapping[str, str]) -> list[Answer]:
    """One answer for each node of each graph, numbered depth-first. `settings`: `version` (v68 … v81), `soc_model`."""
    arch = settings.get("version") or "v81"
    options = {
        "backend_path": _library(),
        "htp_arch": arch.removeprefix("v"),
        "soc_model": settings.get("soc_model") or CHIPS[arch],
    }
    read = formats.read(model)
    around = _Units(read)
    nodes = list(read.nodes)
    specs = [None if node.op == "Constant" else _described(node, around) for node in nodes]
    groups = _groups([(i, spec) for i, spec in enumerate(specs) if spec is not None and not _still(spec)])
    found = {i: one for group in groups for i, one in _asked(group, options)}
    if len(nodes) <= _MOST_RUN:
        left = [(i, spec) for i, spec in enumerate(specs) if spec is not None and found.get(i, ("",))[0] == "fallback"]
        found |= {i: _run_on_cpu(spec, found[i]) for i, spec in left}
    found |= {i: _STILL for i, spec in enumerate(specs) if spec is not None and _still(spec)}
    missing: Found = ("inconclusive", "it cannot be cut out of its model")
    found |= {i: _INITIALIZER for i, node in enumerate(nodes) if node.op == "Constant"}
    return [_answer(node, found.get(i, missing)) for i, node in enumerate(nodes)]


class _Units(Neighbours):
    """The provider's units: a Relu or Clip that its QuantizeLinear makes needless belongs to the operator before it."""

    def quantized(self, node: Node) -> tuple[list[Node], list[Node]]:
        """The DequantizeLinear before; behind the QuantizeLinear, and the needless Relu or Clip between."""
        before, behind = super().quantized(node)
        clip = self._only_reader(node) if before and not behind else None
        if clip is None or clip.op not in ("Relu", "Clip") or clip.inputs[0] is not node.outputs[0]:
            return before, behind
        quantize = self._only_reader(clip)
        return before, [clip, quantize] if quantize and quantize.op == _Q and needless(clip, quantize) else behind

    def unit(self, node: Node) -> Node:
        """The operator that a QuantizeLinear, a DequantizeLinear, a needless Relu or Clip belongs to."""
        clip = self.maker.get(id(node.inputs[0])) if node.op == _Q and node.inputs else node
        maker = None if clip is None or not clip.inputs else self.maker.get(id(clip.inputs[0]))
        return maker if maker is not None and clip in self.quantized(maker)[1] else super().unit(node)

    def _only_reader(self, node: Node) -> Node | None:
        """What alone reads the only output of the node, where no one outside does."""
        made = node.outputs[0] if len(node.outputs) == 1 else None
        outside = {id(tensor) for graph in self.model.graphs[:1] for tensor in graph.outputs}
        readers = [] if made is None or id(made) in outside else self.readers.get(id(made), [])
        return readers[0] if len(readers) == 1 else None


def _described(node: Node, around: Neighbours) -> Spec | None:
    """The piece of a node. A Transpose between quantised tensors keeps a node more on each side that has one: ONNX
    Runtime moves it out of its unit, and of a graph's own input or output the provider sees only the integer. So does
    a QuantizeLinear or DequantizeLinear that belongs to no unit: at the edge of a graph they stay on the CPU."""
    spec = describe(node, around)
    unit = around.unit(node)
    before, behind = around.quantized(unit) if unit.op == "Transpose" else ([], [])
    if spec is not None and not {"before", "after"} & spec.keys():
        return spec | _neighbour(node, spec, around)
    if spec is None or not before or not behind:
        return spec
    chain = [*spec.get("before", ()), spec, *spec.get("after", ())]
    read = next(one for one in chain if one["op"] == "DequantizeLinear")
    made = next(one for one in reversed(chain) if one["op"] == "QuantizeLinear")
    earlier = _relu_and("QuantizeLinear", read) if _known(before[0].inputs[0], around.maker) else []
    later = _relu_and("DequantizeLinear", made) if _known(behind[-1].outputs[0], around.readers) else []
    return {**spec, "before": [*earlier, *spec.get("before", ())], "after": [*spec.get("after", ()), *later]}


def _neighbour(node: Node, spec: Spec, around: Neighbours) -> dict[str, list[Spec]]:
    """A Relu before a QuantizeLinear, or behind a DequantizeLinear, that has a neighbour in its model."""
    quantizes = node.op.endswith(_Q) and node.op != _DYNAMIC
    dequantizes = node.op.endswith("DequantizeLinear")
    if quantizes and _known(node.inputs[0], around.maker) and "c" not in spec["i"][0]:
        return {"before": [{"op": "Relu", "i": [spec["i"][0] | {"n": "before_it"}], "o": [spec["i"][0]]}]}
    if dequantizes and _known(node.outputs[0], around.readers):
        return {"after": [{"op": "Relu", "i": [spec["o"][0]], "o": [spec["o"][0] | {"n": "behind_it"}]}]}
    return {}


def _known(tensor: Tensor | None, nodes: Mapping[int, Any]) -> bool:
    return tensor is not None and id(tensor) in nodes


def _relu_and(op: str, beside: Spec) -> list[dict[str, Any]]:
    """Relu and QuantizeLinear before a DequantizeLinear, or DequantizeLinear and Relu behind a QuantizeLinear."""
    one = (beside["i"] if op == "QuantizeLinear" else beside["o"])[0]
    real = {**{key: value for key, value in one.items() if key != "c"}, "t": "float32"}
    near, far = {**real, "n": f"{one['n']}_near"}, {**real, "n": f"{one['n']}_far"}
    domain = {"domain": beside["domain"]} if "domain" in beside else {}
    if op == "QuantizeLinear":
        return [
            {"op": "Relu", "i": [far], "o": [near]},
            {"op": op, **domain, "i": [near, *beside["i"][1:]], "o": [one]},
        ]
    return [{"op": op, **domain, "i": [one, *beside["i"][1:]], "o": [near]}, {"op": "Relu", "i": [near], "o": [far]}]


def _answer(node: Node, found: Found) -> Answer:
    return Answer(graph=node.graph, index=node.index, op=node.op, verdict=found[0], reason=found[1])


def _groups(specs: Sequence[tuple[int, Spec]]) -> Iterator[list[tuple[int, Spec]]]:
    """A few operators each, and not too many bytes of constants."""
    group: list[tuple[int, Spec]] = []
    weight = 0
    for one in specs:
        more = _bytes(one[1])
        if group and (len(group) == _TOGETHER or weight + more > _LARGE):
            yield group
            group, weight = [], 0
        group.append(one)
        weight += more
    if group:
        yield group


def _still(spec: Spec) -> bool:
    """Whether it reads constants alone; cut out, it leaves the compiler a graph without inputs, which it refuses."""
    chain = (*spec.get("before", ()), spec)
    made = {t["n"] for node in chain for t in node["o"] if t}
    reads = [t for node in chain for t in node["i"] if t and t["n"] not in made]
    return bool(reads) and all("c" in t for t in reads) and not any(_holds_graph(node) for node in chain)


def _holds_graph(node: Spec) -> bool:
    return any(isinstance(value, Mapping) and "nodes" in value for value in (node.get("a") or {}).values())


def _bytes(spec: Spec) -> int:
    nodes = [spec, *spec.get("before", ()), *spec.get("after", ())]
    constants = (t["c"] for node in nodes for t in node["i"] if t and "c" in t)
    return sum(int(getattr(one, "nbytes", 0)) for one in constants)


def _asked(group: Sequence[tuple[int, Spec]], options: Mapping[str, str]) -> Iterator[tuple[int, Found]]:
    """The verdict of each of the group, in a process of its own: the compiler aborts on some operators."""
    content = onnx_probe.write(together([spec for _, spec in group]))
    ran = isolated(lambda: _session(content, options), seconds=_SECONDS)
    if ran.failure is None and "failed" not in ran.value:
        for place, (i, spec) in enumerate(group):
            found = judged(f"n{place}", ran.value, alone=len(group) == 1, moved=spec["op"] in _CONVERTERS)
            yield from [(i, found)] if found else _asked([(i, spec)], options)
    elif len(group) == 1:
        yield group[0][0], ("inconclusive", ran.failure) if ran.failure else refused(ran.value["failed"])
    else:
        half = (len(group) + 1) // 2
        yield from _asked(group[:half], options)
        yield from _asked(group[half:], options)


def _run_on_cpu(spec: Spec, found: Found) -> Found:
    """What was found of an operator that is left to the CPU; rejected where the CPU refuses every run of it."""
    with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
        file.write(onnx_probe.write(together([spec])))
        file.flush()
        told = ort_cpu.run_refusal(Path(file.name))
    return found if told is None else ("rejected", f"{found[1]}, where every run fails: … {told[-120:]}")


def together(specs: Sequence[Spec]) -> dict[str, Any]:
    """One description with all the operators side by side; the one asked about in specs[n] is called `n<n>`."""
    nodes: list[dict[str, Any]] = []
    for place, spec in enumerate(specs):
        before, after = spec.get("before", ()), spec.get("after", ())
        for number, node in enumerate((*before, spec, *after)):
            own = number == len(before)
            nodes.append(_prefixed(node, f"p{place}_") | {"name": f"n{place}" if own else f"p{place}_{number}"})
    first = {key: specs[0][key] for key in ("opset", "ir", "opsets") if key in specs[0]}
    if any(node["op"].endswith("QuantizeLinear") or node["op"] == "DequantizeLinear" for node in nodes):
        nodes += _BESIDE
    return nodes[0] | first | ({"after": nodes[1:]} if nodes[1:] else {})


#: A QuantizeLinear or DequantizeLinear alone in a part of the graph is left to the CPU; these make it never alone,
#: whatever stands before it: the provider takes Relu, and not Acosh.
_BESIDE = [
    {"op": op, "name": f"{_BESIDE_NAME}{number}", "i": [_beside(number)], "o": [_beside(number + 1)]}
    for number, op in enumerate(("Relu", "Acosh", "Relu", "Acosh", "Relu"))
]


def _prefixed(node: Spec, prefix: str) -> dict[str, Any]:
    """The node with other names for its tensors; one that stands in several operators stays apart in each."""
    kept = {key: value for key, value in node.items() if key in ("op", "domain")}
    if "a" in node:
        kept["a"] = {name: _inner(value, prefix) for name, value in node["a"].items()}
    sides = {side: [one and one | {"n": prefix + one["n"]} for one in node[side]] for side in ("i", "o")}
    return kept | sides


def _inner(value: Any, prefix: str) -> Any:
    """The graph of an attribute, its names as around it; anything else as it is."""
    if not isinstance(value, Mapping) or "nodes" not in value:
        return value
    nodes = [_prefixed(node, prefix) | {"name": node.get("name", "")} for node in value["nodes"]]
    return {"nodes": nodes} | {side: [one | {"n": prefix + one["n"]} for one in value[side]] for side in ("i", "o")}


def _session(content: bytes, options: Mapping[str, str]) -> dict[str, list[str]]:
    """The providers of each node by its name; `failed`: what ONNX Runtime says when it makes no session."""
    import onnxruntime

    session_options = onnxruntime.SessionOptions()
    session_options.log_severity_level = 4
    session_options.intra_op_num_threads = 1
    session_options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session_options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    session_options.add_provider_for_devices(_devices(), dict(options))
    try:
        session = onnxruntime.InferenceSession(content, session_options)
    except Exception as error:  # the boundary to a runtime whose exceptions have no common base
        return {"failed": [" ".join(str(error).split())]}
    found: dict[str, list[str]] = {}
    for group in session.get_provider_graph_assignment_info():
        for node in group.get_nodes():
            found.setdefault(node.name.split("_token_")[0], []).append(group.ep_name)
    return found


def judged(name: str, placed: Mapping[str, Sequence[str]], *, alone: bool, moved: bool = False) -> Found | None:
    """The verdict on the operator of this name. None: it has become others (a function's body); ask it alone.

    `moved`: it may stand there under a name of ONNX Runtime's own, beside neighbours that kept theirs.
    """
    mine = set(placed.get(name, ()))
    if not mine and alone:
        kept = (_BESIDE_NAME, "p0_") if moved else (_BESIDE_NAME,)
        others = {node: on for node, on in placed.items() if not node.startswith(kept)}
        mine = {one for providers in others.values() for one in providers}
        if not mine:
            return "inconclusive", "the operator is gone from the session"
    if not mine:
        return None
    return ("supported", "") if mine == {_PROVIDER} else ("fallback", "left to the CPU")


def refused(failed: Sequence[str]) -> Found:
    """What a session that was not made says of its only operator, in our words."""
    said = failed[0]
    if _OF_THE_MACHINE in said:
        return "inconclusive", said[:200]
    if any(sign in said for sign in _INVALID):
        return "invalid", said[:200]
    if "inalize" in said or "ompose" in said:
        return "rejected", "taken, then not compiled for the chip"
    if "NHWC" in said:
        return "rejected", "taken, then refused in the channels-last layout"
    return "rejected", "not taken, and the CPU has no kernel" if "NOT_IMPLEMENTED" in said else said[:200]


@cache
def _devices() -> list[Any]:
    import onnxruntime
    import onnxruntime_qnn

    onnxruntime.register_execution_provider_library(_PROVIDER, onnxruntime_qnn.get_library_path())
    return [device for device in onnxruntime.get_ep_devices() if device.ep_name == _PROVIDER]


def _library() -> str:
    import onnxruntime_qnn

    return str(onnxruntime_qnn.get_qnn_htp_path())
