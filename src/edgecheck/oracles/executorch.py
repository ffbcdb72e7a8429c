"""What ExecuTorch's partitioners take of a program of torch.export, node by node of the `.pt2` file.

The program is lowered as a user lowers it (`to_edge_transform_and_lower` with the backend's partitioner, all options
at their defaults). Each operator of the lowered program, delegated or not, still names the node of the file that it
came from. A node of the file is

- `supported` where everything that became of it went to the delegate, or nothing is left of it;
- `fallback` where a part stayed outside and ExecuTorch's portable and quantised kernels have all that stayed;
- `rejected` where a part stayed outside and they do not have it, or where the delegate's own compiler fails
  on a program of that one operator;
- `invalid` where ExecuTorch cannot lower the program without any delegate either, or where nothing reads what the
  node makes, so that it is left out; or where it makes a size, which keeps no trace of where it came from.

Where the delegate's compiler fails on a part of a larger program, each operator of that part is asked alone: `rejected`
where it fails on that one too, and the others stand where such a one was found; where none was, the part is
`inconclusive`. An operator without inputs is asked alone last, as some compilers refuse a part that has none.
ExecuTorch keeps one of several equal calls: the others have its verdict.

A `.pte` file is lowered already: each instruction is `supported` where it calls the target's own delegate, `fallback`
where the runtime here has its kernel, `rejected` where it has not; another backend's delegate is `inconclusive`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edgecheck.oracles import Answer, executorch_qnn
from edgecheck.oracles.executorch_alone import alone, by_inputs, first_of_equals, parts_that_fail, sizes, writers

NAME = "executorch"
ENVIRONMENT = "executorch"
NEEDS = ("executorch", "torch")
TARGETS = ("executorch-xnnpack", "executorch-vulkan", "executorch-coreml", "executorch-ethos-u", executorch_qnn.TARGET)
#: The environments whose libraries a target's own backend loads.
BESIDE = {executorch_qnn.TARGET: executorch_qnn.LIBRARIES}

#: The name that each target's delegate has in a `.pte` file.
_BACKENDS = {
    "executorch-xnnpack": "XnnpackBackend",
    "executorch-vulkan": "VulkanBackend",
    "executorch-coreml": "CoreMLBackend",
    "executorch-ethos-u": "EthosUBackend",
    executorch_qnn.TARGET: executorch_qnn.BACKEND,
}

#: Nodes of a program of which each is asked alone, where one of them stops the lowering.
_MOST_ALONE = 24

#: Of the runtime itself, or no computation at all.
_FREE = ("<built-in function getitem>", "getitem", "executorch_call_delegate")


def verdicts(model: Path, target: str, settings: Mapping[str, str]) -> list[Answer]:
    """One answer for each call in the program, nested graphs left out (they have no numbers of their own here)."""
    import torch

    if model.suffix.lower() == ".pte":
        return list(_of_lowered(model, _BACKENDS[target]))
    program = torch.export.load(model)
    _forget(program)
    sources = _sources(program)
    lowered, failure = None, ""
    if target != executorch_qnn.TARGET or len(sources) == 1:
        lowered, failure = _lowered(program, target, settings)
    refused: dict[str, tuple[str, str]] = {}
    if lowered is None and not failure.startswith("invalid: ") and len(sources) > 1:
        lowered, failure, refused = _in_parts(program, target, settings, sources)
    kernels = _portable()
    if lowered is None and target == executorch_qnn.TARGET and 1 < len(sources) <= _MOST_ALONE:
        return _each_alone(program, target, settings, sources)
    if lowered is None:
        return _refusal(model, sources, failure)
    made = list(_nodes(lowered.exported_program().graph_module, False))
    adopted = (
        executorch_qnn.adopted([node for node, _ in made], program, _origins) if target == executorch_qnn.TARGET else {}
    )
    taken, left = _split(lowered, adopted)
    answers = []
    dead, first, numbers = _dead(program), first_of_equals(program), sizes(program)
    for index, (name, op) in enumerate(sources):
        kept = name if name in taken or name in left else first.get(name, name)
        verdict, reason = _judge(taken.get(kept, []), left.get(kept, []), kernels)
        if name in dead and name not in taken and name not in left:
            verdict, reason = "invalid", "nothing reads what it makes"
        if name in numbers and name not in taken and name not in left:
            verdict, reason = "invalid", "a number that ExecuTorch computes anew"
        verdict, reason = refused.get(name, (verdict, reason))
        answers.append(Answer(graph=0, index=index, op=op, verdict=verdict, reason=reason))
    return answers


def warm_up() -> None:
    """Import everything and lower a smallest program once, so that the children that are forked need not."""
    import torch

    torch.set_num_threads(1)
    program = torch.export.export(torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU()), (torch.zeros(1, 2),))
    for target in TARGETS[:2]:
        _lowered(program, target, {})
    _portable()
    if executorch_qnn.ready():
        executorch_qnn.warm_up()


def _forget(program: Any) -> None:
    """Take away what the nodes of the file came from themselves: a quantised program still names those before it."""
    for node in program.graph.nodes:
        node.meta.pop("from_node", None)


def _sources(program: Any) -> list[tuple[str, str]]:
    """(name in torch's graph, operator) of each node of the file, in its order."""
    calls = [node for node in program.graph.nodes if node.op == "call_function"]
    return [(node.name, _op(node.target)) for node in calls if not _unpacks(node)]


def _dead(program: Any) -> set[str]:
    """The names of the nodes that no output and no write hangs on."""
    nodes = list(program.graph.nodes)
    waiting = [
        one for one in nodes if one.op == "output" or getattr(one.target, "__name__", "").split(".")[0].endswith("_")
    ]
    alive = set(waiting)
    while waiting:
        for source in waiting.pop().all_input_nodes:
            if source not in alive:
                alive.add(source)
                waiting.append(source)
    return {node.name for node in nodes if node not in alive}


def _unpacks(node: Any) -> bool:
    return "getitem" in getattr(node.target, "__name__", "") and getattr(node.target, "__module__", "") == "_operator"


def _op(target: Any) -> str:
    """ "aten.add.Tensor", as the file has it."""
    text = str(target)
    name = getattr(target, "__name__", text)
    if text.startswith("<EdgeOpOverload"):
        return text[len("<EdgeOpOverload: ") :].partition(">")[0]
    return text if "." in text and "<" not in text else str(name)


def _partitioner(target: str, settings: Mapping[str, str]) -> Any:
    if target == "executorch-xnnpack":
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner

        return XnnpackPartitioner()
    if target == "executorch-vulkan":
        from executorch.backends.vulkan.partitioner.vulkan_partitioner import VulkanPartitioner

        return VulkanPartitioner()
    if target == "executorch-coreml":
        from executorch.backends.apple.coreml.partition import CoreMLPartitioner

        return CoreMLPartitioner()
    from executorch.backends.arm.ethosu import EthosUCompileSpec, EthosUPartitioner

    return EthosUPartitioner(EthosUCompileSpec(settings.get("config", "ethos-u55-128")))


def _lowered(program: Any, target: str, settings: Mapping[str, str]) -> tuple[Any, str]:
    """The lowered program; (None, why) where it fails, "invalid: " in front where it fails without a delegate too.

    An operator outside the core ATen set makes ExecuTorch refuse the whole program. It is lowered again without that
    check, so that only the node it came from is found to have no kernel.
    """
    from executorch.exir import EdgeCompileConfig, to_edge_transform_and_lower

    failure = ""
    for checked in (True, False):
        config = EdgeCompileConfig(_check_ir_validity=checked)
        try:
            if target == executorch_qnn.TARGET:
                return executorch_qnn.lowered(program, settings), ""
            partitioner = [_partitioner(target, settings)]
            return to_edge_transform_and_lower(program, partitioner=partitioner, compile_config=config), ""
        except Exception as error:  # whatever a backend raises is its answer
            failure = _sentence(error)
        if "SpecViolation" not in failure:
            break
    try:
        to_edge_transform_and_lower(program, compile_config=EdgeCompileConfig(_check_ir_validity=False))
    except Exception as error:  # the same program without a delegate
        return None, f"invalid: {_sentence(error)}"
    return None, failure


def _in_parts(
    program: Any, target: str, settings: Mapping[str, str], sources: list[tuple[str, str]]
) -> tuple[Any, str, dict[str, tuple[str, str]]]:
    """As `_lowered`, where the backend's compiler may fail; and (verdict, reason) of nodes in the parts it fails on."""
    refused: dict[str, tuple[str, str]] = {}
    if target == executorch_qnn.TARGET:
        with executorch_qnn.going_on(_origins, _sentence) as (refused, failed):
            lowered, failure = _lowered(program, target, settings)
    else:
        with parts_that_fail(_origins, _sentence) as failed:
            lowered, failure = _lowered(program, target, settings)
    for part in failed:
        inside = [(name, op) for name, op in sources if name in part.sources]
        if len(inside) == 1:
            refused |= {name: ("rejected", part.said) for name, _ in inside}
            continue
        states = writers(program) if "State model" in part.said else set()
        said = {name: part.said for name, _ in inside if name in states}
        for group in by_inputs(program, [name for name, _ in inside]):
            if not said:
                said = {name: why for name in group if (why := _fails_alone(program, name, target, settings))}
        refused |= {name: ("rejected", why) for name, why in said.items()}
        if not said:
            refused |= {name: ("inconclusive", part.said) for name, _ in inside}
    return lowered, failure, refused


def _each_alone(program: Any, target: str, settings: Mapping[str, str], sources: list[tuple[str, str]]) -> list[Answer]:
    """What is said of a program of each call: one of them stops the lowering of them all."""
    kernels, answers = _portable(), []
    for index, (name, op) in enumerate(sources):
        single = alone(program, name)
        lowered, failure = (None, "") if single is None else _lowered(single, target, settings)
        verdict, reason = "inconclusive", "another operator stops the lowering of the program"
        if lowered is not None:
            parts = [
                (_op(node.target), inside) for node, inside in _nodes(lowered.exported_program().graph_module, False)
            ]
            taken = [name for name, inside in parts if inside and name not in _FREE]
            left = [name for name, inside in parts if not inside and name not in _FREE]
            verdict, reason = _judge(taken, left, kernels)
        elif failure and not failure.startswith("invalid: "):
            verdict, reason = "rejected", failure
        answers.append(Answer(graph=0, index=index, op=op, verdict=verdict, reason=reason))
    return answers


def _fails_alone(program: Any, name: str, target: str, settings: Mapping[str, str]) -> str:
    """What the backend's compiler says of a program of this one call; "" where it takes it or there is none."""
    single = alone(program, name)
    if single is None:
        return ""
    lowered, failure = _lowered(single, target, settings)
    return "" if lowered is not None or failure.startswith("invalid: ") else failure


def _sentence(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else ''}"[:300]


def _refusal(model: Path, sources: list[tuple[str, str]], failure: str) -> list[Answer]:
    if failure.startswith("invalid: "):
        verdict = "invalid"
    else:
        verdict = "rejected" if len(sources) == 1 else "inconclusive"
    return [
        Answer(graph=0, index=index, op=op, verdict=verdict, reason=failure) for index, (_, op) in enumerate(sources)
    ]


def _of_lowered(model: Path, backend: str) -> Iterator[Answer]:
    """The instructions of a `.pte` file, method by method."""
    from executorch.exir._serialize._program import deserialize_pte_binary

    kernels = _portable()
    for graph, plan in enumerate(deserialize_pte_binary(model.read_bytes()).program.execution_plan):
        instructions = [one.instr_args for chain in plan.chains for one in chain.instructions]
        for index, call in enumerate(instructions):
            op, verdict, reason = _instruction(call, plan, backend, kernels)
            yield Answer(graph=graph, index=index, op=op, verdict=verdict, reason=reason)


def _instruction(call: Any, plan: Any, backend: str, kernels: frozenset[str]) -> tuple[str, str, str]:
    """The name, the verdict and the reason of one instruction of a method."""
    kind = type(call).__name__
    if kind == "DelegateCall":
        name = plan.delegates[call.delegate_index].id
        return f"executorch_call_delegate::{name}", "supported" if name == backend else "inconclusive", name
    if kind != "KernelCall":
        names = {"MoveCall": "move_call", "JumpFalseCall": "jump_false_call", "FreeCall": "free_call"}
        return f"executorch.{names[kind]}", "fallback", "the runtime's own"
    operator = plan.operators[call.op_index]
    short = operator.name.replace("::", ".")
    op = f"{short}.{operator.overload or 'default'}"
    return (op, "fallback", "a portable kernel") if short in kernels else (op, "rejected", f"no kernel for {op}")


def _split(lowered: Any, adopted: Mapping[Any, set[str]]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Source node → what of it went to the delegate, and what stayed outside; `adopted`: of nodes without a source."""
    taken: dict[str, list[str]] = defaultdict(list)
    left: dict[str, list[str]] = defaultdict(list)
    for node, inside in _nodes(lowered.exported_program().graph_module, False):
        op = _op(node.target)
        if op in _FREE:
            continue
        for name in adopted.get(node) or _origins(node):
            (taken if inside else left)[name].append(op)
    return taken, left


def _nodes(module: Any, inside: bool) -> Iterator[tuple[Any, bool]]:
    """Every call of a graph and of those inside it, and whether it is a delegate's."""
    for node in module.graph.nodes:
        if node.op == "call_function":
            yield node, inside
    for _, child in module.named_children():
        original = getattr(child, "original_module", None)
        if original is not None:
            yield from _nodes(original.graph_module, True)
        elif hasattr(child, "graph"):
            yield from _nodes(child, inside)


def _origins(node: Any) -> set[str]:
    """The names of the nodes of the file that a node came from, which ExecuTorch keeps through every pass."""
    found = set()
    waiting = list(node.meta.get("from_node", ()))
    while waiting:
        source = waiting.pop()
        if source.from_node:
            waiting.extend(source.from_node)
        else:
            found.add(source.name)
    return found


def _portable() -> frozenset[str]:
    """ "aten.add", the operators (without their overload) that the runtime here has, or that kernels/quantized adds."""
    from executorch.extension.pybindings import portable_lib

    listed = Path(portable_lib.__file__).parents[2] / "kernels" / "quantized" / "quantized.yaml"
    added = re.findall(r"^- func: (\w+::\w+\.\w+)", listed.read_text(encoding="utf-8"), re.MULTILINE)
    names = (name.replace("::", ".") for name in (*portable_lib._get_operator_names(), *added))
    return frozenset(name.rpartition(".")[0] if "." in name.partition(".")[2] else name for name in names)


def _judge(taken: list[str], left: list[str], kernels: frozenset[str]) -> tuple[str, str]:
    if not left:
        return "supported", f"delegated: {', '.join(sorted(set(taken)))}" if taken else "nothing is left of it"
    missing = sorted({op for op in left if op.rpartition(".")[0] not in kernels and _computes(op)})
    where = f"; delegated: {', '.join(sorted(set(taken)))}" if taken else ""
    if missing:
        return "rejected", f"no portable kernel for {', '.join(missing)}{where}"
    return "fallback", f"left outside: {', '.join(sorted(set(left)))}{where}"


def _computes(op: str) -> bool:
    """Whether it needs a kernel: arithmetic on sizes is the runtime's own."""
    return op.startswith(("aten.", "dim_order_ops.", "quantized_decomposed.", "torchao."))
