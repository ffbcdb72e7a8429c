"""coremltools' own rules for Core ML files: which operations an iOS can represent.

ML Program operations go through the input validation of coremltools' registry (`SSAOpRegistry.core_ops`), at the opset
of their function; layers of the old network through its check of iOS 14's additions. It says what can be represented
and loaded at a deployment target, nothing of where it runs: Core ML itself is on no Linux machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgecheck.oracles import Answer

NAME = "coremltools"
ENVIRONMENT = "torch"
NEEDS = ("coremltools",)
TARGETS = ("coreml",)

NEWEST = "26"
_PREFIX = re.compile(r"^(?:ios|coreml)\d+[.:]+", re.IGNORECASE)
_OPSETS = {"CoreML5": 15, "CoreML6": 16, "CoreML7": 17, "CoreML8": 18, "CoreML9": 26}
_NETWORKS = ("neuralNetwork", "neuralNetworkClassifier", "neuralNetworkRegressor")


@dataclass(frozen=True, slots=True)
class _Operation:
    """An operation of a program, where it stands, and the inputs as coremltools' variables."""

    graph: int
    index: int
    op: str
    opset: int | None
    inputs: Mapping[str, Any]
    ranks: Sequence[int]


def warm_up() -> None:
    """Import coremltools once, before the forks."""
    import coremltools.converters.mil.mil.ops.registry  # noqa: F401


def verdicts(model: Path, target: str, settings: Mapping[str, str]) -> list[Answer]:
    """One answer for each operation that is no `const`, or layer; `settings["version"]` is the iOS, 13 to 26."""
    import coremltools

    spec = coremltools.utils.load_spec(str(model))
    ios = int(str(settings.get("version") or NEWEST).partition(".")[0])
    newest = _specification(ios)
    kind = spec.WhichOneof("Type")
    late = f"specification version {spec.specificationVersion}; iOS {ios} loads up to {newest}"
    too_new = late if spec.specificationVersion > newest else None
    if kind == "mlProgram":
        return [_of_operation(one, too_new, ios) for one in _program(spec.mlProgram) if one.op != "const"]
    if kind in _NETWORKS:
        return list(_of_layers(getattr(spec, kind), ios, too_new))
    verdict = "rejected" if too_new else "supported"
    return [Answer(graph=0, index=0, op=f"model::{kind}", verdict=verdict, reason=too_new or "")]


def _specification(ios: int) -> int:
    """The newest specification version that this iOS loads, from coremltools' list of targets."""
    from coremltools.converters.mil._deployment_compatibility import AvailableTarget

    return max(
        int(one)
        for one in AvailableTarget
        if int(re.sub(r"\D", "", one.name) or 99) <= ios and one.name.startswith("iOS")
    )


def _of_operation(one: _Operation, too_new: str | None, ios: int) -> Answer:
    if too_new is None and one.opset is not None and one.opset > ios:
        too_new = f"the opset of iOS {one.opset}, which iOS {ios} does not have"
    if too_new is None and (broken := _broken(one)):
        return Answer(graph=one.graph, index=one.index, op=one.op, verdict="invalid", reason=broken)
    refusal = too_new or refusal_of(one.op, one.opset, one.inputs)
    if refusal is None and not one.op.startswith("constexpr_") and max(one.ranks, default=0) > 5:
        refusal = f"outputs a tensor of rank {max(one.ranks)}; Core ML has at most 5"
    return Answer(
        graph=one.graph,
        index=one.index,
        op=one.op,
        verdict="rejected" if refusal else "supported",
        reason=refusal or "",
    )


def _broken(one: _Operation) -> str | None:
    """What makes it no program of its opset: an input that the operation needs is not there."""
    from coremltools.converters.mil._deployment_compatibility import AvailableTarget
    from coremltools.converters.mil.mil.input_type import TensorInputType
    from coremltools.converters.mil.mil.ops.registry import SSAOpRegistry

    versions = SSAOpRegistry.core_ops.get(one.op, {})
    definition = versions.get(getattr(AvailableTarget, f"iOS{min(one.opset or 0, 18)}", None))
    if definition is None:
        return None
    for name, rule in definition.input_spec.input_types.items():
        if isinstance(rule, TensorInputType) and not rule.optional and name not in one.inputs:
            return f"required input {name} is missing"
    return None


def refusal_of(op: str, opset: int | None, inputs: Mapping[str, Any]) -> str | None:
    """coremltools' sentence when it does not take these inputs for this operation at this opset; None when it does.

    A list that holds one value looks like that value in a file; coremltools looks at no list's types.
    """
    from coremltools.converters.mil._deployment_compatibility import AvailableTarget
    from coremltools.converters.mil.mil.input_type import TensorInputType, TupleInputType
    from coremltools.converters.mil.mil.ops.registry import SSAOpRegistry

    if opset is None:
        return "its opset is not known to coremltools"
    if op == "write_state":  # what the dialect's coreml_update_state becomes in a file
        return None if opset >= 18 else f"write_state is not in the opset of iOS {opset}"
    versions = SSAOpRegistry.core_ops.get(op, {})
    definition = versions.get(getattr(AvailableTarget, f"iOS{min(opset, 18)}"))
    if definition is None:
        return f"{op} is not in the opset of iOS {opset}"
    rules = definition.input_spec
    for one in rules.input_types.values():
        if isinstance(one, TensorInputType) and one.type_domain_id is not None:
            one.type_domain = definition.type_domains[one.type_domain_id]
    lists = {name for name, one in rules.input_types.items() if isinstance(one, TupleInputType)}
    known = {name: given for name, given in inputs.items() if given is not None and name not in lists}
    try:
        rules.validate_inputs(op, op, known)
    except (ValueError, KeyError) as error:
        return str(error.args[0]).strip()[:300] if error.args else type(error).__name__
    return None


def _program(program: Any) -> Iterator[_Operation]:
    """Every operation; the function `main` first, blocks numbered depth-first."""
    counter = iter(range(1 << 30))
    for name in sorted(program.functions, key=lambda key: (key != "main", key)):
        function = program.functions[name]
        opset = _OPSETS.get(function.opset)
        scope = {one.name: variable(one.type) for one in function.inputs}
        yield from _block(function.block_specializations[function.opset], opset, scope, counter)


def _block(block: Any, opset: int | None, outer: Mapping[str, Any], counter: Iterator[int]) -> Iterator[_Operation]:
    graph = next(counter)
    scope = dict(outer) | {one.name: variable(one.type) for one in block.inputs}
    for index, operation in enumerate(block.operations):
        op = _PREFIX.sub("", operation.type)
        inputs = {name: _bound(argument, scope) for name, argument in operation.inputs.items()}
        ranks = [one.type.tensorType.rank for one in operation.outputs if one.type.WhichOneof("type") == "tensorType"]
        constant = op == "const" or op.startswith("constexpr_")
        if constant:  # iOS 16's compressed constants are written with their parameters as attributes
            written = {name: variable(one.type, True) for name, one in operation.attributes.items() if name != "name"}
            inputs = written | inputs
        yield _Operation(graph, index, op, opset, inputs, ranks)
        scope |= {one.name: variable(one.type, constant) for one in operation.outputs}
        for inner in operation.blocks:
            yield from _block(inner, opset, scope, counter)


def _bound(argument: Any, scope: Mapping[str, Any]) -> Any:
    """The variable of an argument; None for a list of several, whose types coremltools does not check."""
    if len(argument.arguments) != 1:
        return None
    (binding,) = argument.arguments
    return scope.get(binding.name) if binding.WhichOneof("binding") == "name" else variable(binding.value.type, True)


def variable(value_type: Any, constant: bool = False) -> Any:
    """A variable of a file's type; None for a type that coremltools cannot name."""
    from coremltools.converters.mil.frontend.milproto.helper import proto_to_types
    from coremltools.converters.mil.mil.var import Var

    try:
        made = Var("v", proto_to_types(value_type))
    except (KeyError, NotImplementedError, ValueError, AttributeError):
        return None
    made.is_descendant_of_const = constant
    return made


def _of_layers(network: Any, ios: int, too_new: str | None) -> Iterator[Answer]:
    """The layers of the main network; those inside loops and branches follow their layer's network."""
    graph = 0
    queue = [network]
    while queue:
        here = queue.pop(0)
        inner = []
        for index, layer in enumerate(here.layers):
            kind = layer.WhichOneof("layer")
            refusal = too_new or (_needs_14(layer) if ios < 14 else None)
            verdict = "rejected" if refusal else "inconclusive" if kind == "custom" else "supported"
            reason = refusal or ("its implementation is in no file" if kind == "custom" else "")
            yield Answer(graph=graph, index=index, op=f"nn::{kind}", verdict=verdict, reason=reason)
            fields = {"branch": ("ifBranch", "elseBranch"), "loop": ("conditionNetwork", "bodyNetwork")}.get(
                kind or "", ()
            )
            inner += [getattr(getattr(layer, kind), name) for name in fields if getattr(layer, kind).HasField(name)]
        queue = inner + queue
        graph += 1


def _needs_14(layer: Any) -> str | None:
    """What of this layer came with iOS 14, in coremltools' words."""
    from coremltools.converters.mil._deployment_compatibility import iOS14Features
    from coremltools.proto import Model_pb2

    spec = Model_pb2.Model()
    spec.neuralNetwork.layers.append(layer)
    found = iOS14Features(spec)
    return found[0] if found else None
