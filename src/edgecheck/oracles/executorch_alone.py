"""Parts of a program that a delegate's own compiler fails on, and which of their operators it fails on alone.

A partitioner hands its backend one part of a program after the other. `parts_that_fail` lets the lowering go on where
the backend's compiler raises, and notes the part; `alone` writes a program of one call of the file, with its own
arguments, to be lowered by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part that the backend's compiler raised at: the nodes of the file that it came from, and what it said."""

    sources: frozenset[str]
    said: str


@contextmanager
def parts_that_fail(origins: Callable[[Any], set[str]], sentence: Callable[[Exception], str]) -> Iterator[list[Part]]:
    """The parts that any backend fails on while this holds; what it made of them is empty."""
    from executorch.exir.backend.backend_details import BackendDetails, PreprocessResult

    failed: list[Part] = []
    backends = {backend: backend.__dict__["preprocess"] for backend in BackendDetails.__subclasses__()}

    def tolerant(backend: Any, compiler: Any) -> Any:
        def preprocess(edge_program: Any, compile_specs: Any) -> Any:
            try:
                return compiler.__get__(None, backend)(edge_program, compile_specs)
            except Exception as error:  # whatever a backend raises is its answer
                calls = [node for node in edge_program.graph.nodes if node.op == "call_function"]
                names = frozenset(name for node in calls for name in origins(node))
                failed.append(Part(sources=names, said=sentence(error)))
                return PreprocessResult(processed_bytes=b"")

        return staticmethod(preprocess)

    for backend, compiler in backends.items():
        backend.preprocess = tolerant(backend, compiler)
    try:
        yield failed
    finally:
        for backend, compiler in backends.items():
            backend.preprocess = compiler


def alone(program: Any, name: str) -> Any | None:
    """A program of the one call of this name; None where a size or an argument of it is not known as a number."""
    import torch

    node = next(one for one in program.graph.nodes if one.name == name)
    given: list[Any] = []
    module = torch.nn.Module()
    constants = _constants(program)

    def argument(value: Any) -> Any:
        if not isinstance(value, torch.fx.Node):
            return value
        known = _value(value, constants)
        if isinstance(known, torch.Tensor):
            place = f"p{len(list(module.buffers()))}"
            module.register_buffer(place, known.detach().clone())
            return ("constant", place)
        given.append(_example(value.meta.get("val")))
        return ("given", len(given) - 1)

    arguments = torch.fx.map_arg((node.args, dict(node.kwargs)), argument)
    if any(one is None for one in given):
        return None
    read = sorted({user.args[1] for user in node.users if user.users and _unpacks(user)})
    return _exported(_call(module, node.target, arguments, read), tuple(given))


def by_inputs(program: Any, names: list[str]) -> tuple[list[str], list[str]]:
    """The names of calls that hang on an input of the program, and of those of constants only or of nothing."""
    free = set(_constants(program))
    for node in program.graph.nodes:
        if node.op == "call_function" and all(one.name in free for one in node.all_input_nodes):
            free.add(node.name)
    return [name for name in names if name not in free], [name for name in names if name in free]


def writers(program: Any) -> set[str]:
    """The names of calls in place whose tensor is a buffer of the program, or a view of one."""
    kept = set(program.graph_signature.inputs_to_buffers)
    found = set()
    for node in program.graph.nodes:
        first = node.args[0] if node.op == "call_function" and node.args else None
        if getattr(first, "name", "") not in kept:
            continue
        schema = getattr(node.target, "_schema", None)
        alias = schema.arguments[0].alias_info if schema is not None and schema.arguments else None
        if alias is not None:
            kept.add(node.name)
            found |= {node.name} if alias.is_write else set()
    return found


def sizes(program: Any) -> set[str]:
    """The names of calls that make no tensor but a number, as the size of a dimension."""
    import torch

    calls = [node for node in program.graph.nodes if node.op == "call_function"]
    return {
        node.name for node in calls if isinstance(node.meta.get("val"), (torch.SymInt, torch.SymFloat, torch.SymBool))
    }


def first_of_equals(program: Any) -> dict[str, str]:
    """Of each call that does what an earlier one does, with the same arguments: the name of the earlier one."""
    import torch

    first: dict[str, str] = {}
    calls: dict[str, str] = {}

    def named(node: Any) -> str:
        return f"%{first.get(node.name, node.name)}"

    for node in program.graph.nodes:
        if node.op == "call_function":
            given = torch.fx.map_arg((node.args, dict(node.kwargs)), named)
            first[node.name] = calls.setdefault(f"{node.target} {given}", node.name)
    return first


def _unpacks(node: Any) -> bool:
    return getattr(node.target, "__name__", "") == "getitem"


def _constants(program: Any) -> dict[str, Any]:
    """The values of the weights and constants of a program, by the name of their node."""
    signature = program.graph_signature
    named = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
    named |= signature.inputs_to_lifted_tensor_constants
    stored = {**program.constants, **program.state_dict}
    return {node: stored[target] for node, target in named.items() if target in stored}


def _value(node: Any, constants: Mapping[str, Any]) -> Any | None:
    """The value of a weight or constant, and of what calls make of such ones only; else None."""
    import torch

    if node.op != "call_function":
        known = constants.get(node.name)
        return known.detach().clone() if isinstance(known, torch.Tensor) else None  # a call may write in place
    found = {one: _value(one, constants) for one in node.all_input_nodes}
    if not found or any(one is None for one in found.values()):
        return None
    args, named = torch.fx.map_arg((node.args, dict(node.kwargs)), lambda one: found[one])
    with torch.no_grad():
        return node.target(*args, **named)


def _example(value: Any) -> Any | None:
    """A tensor of the dtype and shape of a traced one."""
    import torch

    if not isinstance(value, torch.Tensor) or not all(isinstance(size, int) for size in value.shape):
        return None
    if value.dtype.is_floating_point:
        return (torch.rand(value.shape) * 0.8 + 0.1).to(value.dtype)
    return torch.zeros(tuple(value.shape), dtype=value.dtype)


def _call(module: Any, target: Any, arguments: Any, read: list[int]) -> Any:
    """`module` with a forward that makes the call; `read`: which of several outputs are returned."""
    import torch

    class Call(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.held = module

        def forward(self, *given: Any) -> Any:
            def found(value: Any) -> Any:
                if isinstance(value, tuple) and len(value) == 2 and value[0] == "given":
                    return given[value[1]]
                if isinstance(value, tuple) and len(value) == 2 and value[0] == "constant":
                    return getattr(self.held, value[1])
                if isinstance(value, (list, tuple)):
                    return [found(one) for one in value]
                return value

            args, named = arguments
            made = target(*(found(one) for one in args), **{key: found(one) for key, one in named.items()})
            return tuple(made[place] for place in read) if read else made

    return Call().eval()


def _exported(module: Any, given: tuple[Any, ...]) -> Any | None:
    import torch

    try:
        return torch.export.export(module, given)
    except Exception:  # torch.export raises what it likes; there is no such program
        return None
