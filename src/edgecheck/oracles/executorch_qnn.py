"""ExecuTorch's Qualcomm backend, lowered and compiled on this machine: its passes, its partitioner, QNN's compiler.

executorch's wheel has the partitioner and its adaptor (PyQnnManagerAdaptor), and Qualcomm's libraries for x86-64 lie
in the wheel of onnxruntime-qnn, so that the environment `ort-qnn` must be made as well. They are loaded by their path
before the adaptor asks for them by name; nothing is downloaded (`QNN_SDK_ROOT` is set, and empty). The adaptor was
built with the headers of QNN 2.37, where a device's own setting is `{option, value}` in four bytes each; since then
the value stands at the eighth byte. So a device that the adaptor makes gets its settings as the library reads them,
and nothing else is changed. Qualcomm's binaries come under their own terms; only verdicts are kept.

A program is lowered as `to_edge_transform_and_lower_to_qnn` does it, without exporting it again, for the chip `soc`
(SM8650 where nothing is set), in fp16 or, where it has quantised tensors, as they are. Where a builder or the compiler
raises, no program comes of it: `rejected`.
"""

from __future__ import annotations

import copy
import ctypes
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edgecheck import environments
from edgecheck.oracles.executorch_alone import Part

TARGET, BACKEND = "executorch-qnn", "QnnBackend"
#: The environment whose wheel has the libraries.
LIBRARIES = "ort-qnn"
SOC = "SM8650"

_NAMES = ("libQnnSystem.so", "libHtpPrepare.so", "libQnnHtp.so")
_DEVICE_CREATE = 40  # the place of `deviceCreate` among QnnInterface's functions, QNN core API 2.x
_HEAD = 40  # bytes of a QnnInterface_t before its functions
_CUSTOM = 0  # QNN_DEVICE_CONFIG_OPTION_CUSTOM
_loaded: list[Any] = []

Found = dict[str, tuple[str, str]]
#: Of a node, the names of the nodes of the file that it came from.
Origins = Callable[[Any], set[str]]


def ready() -> bool:
    """Whether the libraries are there."""
    return _folder() is not None


def _folder() -> Path | None:
    home = environments.folder(LIBRARIES)
    return next(iter(home.glob("lib/python3*/site-packages/onnxruntime_qnn")), None)


def load() -> None:
    """Load the libraries, once. Raises OSError where they cannot be, FileNotFoundError where they are not."""
    if _loaded:
        return
    os.environ["QNN_SDK_ROOT"] = ""  # else executorch downloads an SDK
    place = _folder()
    if place is None:
        raise FileNotFoundError("Qualcomm's libraries come with `edgecheck doctor --make ort-qnn`")
    _loaded.extend(ctypes.CDLL(str(place / name)) for name in _NAMES)
    _loaded.append(_as_the_library_reads_it(_loaded[-1]))


def _as_the_library_reads_it(library: Any) -> Any:
    """Let the library's `deviceCreate` get settings of its own layout; the function must be kept."""
    providers, count = ctypes.POINTER(ctypes.c_void_p)(), ctypes.c_uint32()
    library.QnnInterface_getProviders(ctypes.byref(providers), ctypes.byref(count))
    place = int(providers[0] or 0) + _HEAD + 8 * _DEVICE_CREATE
    kind = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
    real = kind(ctypes.c_void_p.from_address(place).value or 0)

    def create(logger: int, settings: int, device: int) -> int:
        rows = [_config(one) for one in _pointers(settings)]
        given = (ctypes.c_void_p * (len(rows) + 1))(*(ctypes.addressof(row) for row, _ in rows), None)
        return int(real(logger, ctypes.addressof(given), device))

    ours = kind(create)
    size = os.sysconf("SC_PAGE_SIZE")
    ctypes.CDLL(None).mprotect(ctypes.c_void_p(place // size * size), size, 3)  # it is written once, when loaded
    ctypes.c_void_p.from_address(place).value = ctypes.cast(ours, ctypes.c_void_p).value
    return ours, real


def _pointers(place: int) -> Iterator[int]:
    """The pointers of an array that ends with a null."""
    while (found := ctypes.c_void_p.from_address(place).value) is not None:
        yield found
        place += 8


def _config(place: int) -> tuple[Any, Any]:
    """A QnnDevice_Config_t as the library reads it, and what it points at."""
    option, value = ctypes.c_uint32.from_address(place).value, ctypes.c_uint64.from_address(place + 8).value
    if option != _CUSTOM:
        return (ctypes.c_uint64 * 2)(option, value), None
    first, second = (ctypes.c_uint32.from_address(value + 4 * n).value for n in (0, 1))
    inner = (ctypes.c_uint64 * 2)(first, second)
    return (ctypes.c_uint64 * 2)(_CUSTOM, ctypes.addressof(inner)), inner


def warm_up() -> None:
    """Import and load everything, so that the children that are forked need not."""
    from executorch.backends.qualcomm.utils import utils  # noqa: F401

    load()


def lowered(program: Any, settings: Mapping[str, str]) -> Any:
    """The program lowered for QNN; raises what a pass, a builder or the compiler raises."""
    from executorch.backends.qualcomm._passes.qnn_pass_manager import get_qnn_pass_manager_cls
    from executorch.backends.qualcomm.partition.qnn_partitioner import QnnPartitioner
    from executorch.backends.qualcomm.utils.qnn_manager_lifecycle import QnnManagerContext
    from executorch.backends.qualcomm.utils.utils import qnn_edge_config
    from executorch.exir import to_edge_transform_and_lower

    load()
    program = copy.deepcopy(program)
    spec = _spec(settings.get("soc", SOC), quantised(program))
    passes = get_qnn_pass_manager_cls()()
    program = passes.transform_for_export_pipeline(program)
    transforms = passes.get_to_edge_transform_passes(program, compiler_specs=spec)
    with QnnManagerContext({"forward": spec}):
        return to_edge_transform_and_lower(
            {"forward": program},
            transform_passes={"forward": transforms},
            partitioner={"forward": [QnnPartitioner(spec)]},
            compile_config=qnn_edge_config(),
        )


def quantised(program: Any) -> bool:
    """Whether a node of it quantises, or reads what is quantised."""
    return any("quantize" in str(node.target) for node in program.graph.nodes if node.op == "call_function")


def _spec(soc: str, quantised: bool) -> Any:
    from executorch.backends.qualcomm.serialization.qc_schema import QcomChipset
    from executorch.backends.qualcomm.utils.utils import (
        generate_htp_compiler_spec,
        generate_qnn_executorch_compiler_spec,
    )

    options = generate_htp_compiler_spec(use_fp16=not quantised)
    return generate_qnn_executorch_compiler_spec(soc_model=QcomChipset[soc], backend_options=options)


@contextmanager
def going_on(origins: Origins, sentence: Callable[[Exception], str]) -> Iterator[tuple[Found, list[Part]]]:
    """While this holds, a builder that raises refuses its node only, and a part that is not compiled is empty.

    Given are (verdict, reason) of the nodes of the file at which a builder raised, or which were kept whole for the
    backend that then did not take them; and the parts.
    """
    from executorch.backends.qualcomm.partition.qnn_partitioner import QnnOperatorSupport
    from executorch.backends.qualcomm.qnn_preprocess import QnnBackend
    from executorch.exir.program import _program as lowering

    refused: Found = {}
    parts: list[Part] = []

    def refuse(node: Any, why: str) -> None:
        refused.update(dict.fromkeys(origins(node), ("rejected", why)))

    def fail(program: Any, spec: Any, error: Exception) -> None:
        parts.extend(_that_fail(program, spec, origins, sentence(error)))

    asked, compiled = QnnOperatorSupport.is_node_supported, QnnBackend.preprocess_multimethod
    last_check = lowering._sanity_check_graph_for_non_decomp_ops
    QnnOperatorSupport.is_node_supported = _asking(asked, lambda node, error: refuse(node, sentence(error)))
    QnnBackend.preprocess_multimethod = staticmethod(_compiling(compiled, fail))
    lowering._sanity_check_graph_for_non_decomp_ops = _checking(lowering.aten_to_edge, refuse)
    try:
        yield refused, parts
    finally:
        lowering._sanity_check_graph_for_non_decomp_ops = last_check
        QnnOperatorSupport.is_node_supported = asked
        QnnBackend.preprocess_multimethod = staticmethod(compiled)


def _asking(asked: Callable[..., Any], refuse: Callable[[Any, Exception], None]) -> Callable[..., bool]:
    """The partitioner's question of a node; where a builder raises, the node is refused."""

    def is_node_supported(self: Any, modules: Any, node: Any) -> bool:
        try:
            return bool(asked(self, modules, node))
        except Exception as error:  # whatever a builder raises is its answer
            self.nodes_to_wrappers.clear()
            refuse(node, error)
            return False

    return is_node_supported


def _compiling(compiled: Callable[..., Any], fail: Callable[[Any, Any, Exception], None]) -> Callable[..., Any]:
    """The compiling of each part on its own; one that fails is empty."""
    from executorch.exir.backend.backend_details import PreprocessResult

    def preprocess_multimethod(programs: Any, specs: Any) -> Any:
        (name, several), found = next(iter(programs.items())), []
        for place, one in enumerate(several):
            before, spec = copy.deepcopy(one), specs[name][place]
            try:
                found += compiled({name: [one]}, {name: [spec]})[name]
            except Exception as error:  # whatever the compiler raises is its answer
                fail(before, spec, error)
                found.append(PreprocessResult(processed_bytes=b""))
        return {name: found}

    return preprocess_multimethod


def _checking(edge: Callable[[Any], Any], refuse: Callable[[Any, str], None]) -> Callable[..., None]:
    """The last look at what was kept whole for the backend; a node that it did not take is refused."""

    def check(name: str, made: Any, kept: Any, asks: Any, generate_error: bool = False, **more: Any) -> None:
        whole = {edge(op) for op in kept} if generate_error else set()
        for node in made.graph.nodes:
            if node.op == "call_function" and node.target in whole and (asks is None or asks(node)):
                refuse(node, f"RuntimeError: {node.target.__name__} was not decomposed or delegated")

    return check


def _that_fail(program: Any, spec: Any, origins: Origins, said: str) -> Iterator[Part]:
    """The parts of a delegate's program, no operator of one reads what another makes, that are not compiled alone."""
    from executorch.backends.qualcomm.serialization.qc_schema import QnnExecuTorchBackendType
    from executorch.backends.qualcomm.utils.qnn_manager_lifecycle import get_current_qnn_manager

    manager = get_current_qnn_manager(QnnExecuTorchBackendType.kHtpBackend, spec)
    manager.DestroyContext()  # which the failure left
    built = _wrappers(program)
    groups = _apart_of({one for node, _ in built for one in (node, *node.all_input_nodes)})
    given = set(program.graph_signature.user_inputs)
    for nodes in groups:
        if len(groups) > 1 and not any(node.name in given for node in nodes):
            continue  # constants only: not compiled alone, but beside others
        wrappers = [wrapper for node, several in built if node in nodes for wrapper in several]
        if not _compiles(manager, wrappers):
            yield Part(sources=frozenset(source for node in nodes for source in origins(node)), said=said)


def _wrappers(program: Any) -> list[tuple[Any, list[Any]]]:
    """Each call of a delegate's program, as the compiler gets it, with what the builders make of it."""
    from executorch.backends.qualcomm._passes.qnn_pass_manager import get_qnn_pass_manager_cls
    from executorch.backends.qualcomm.builders.node_visitor_manager import get_node_visitors
    from executorch.backends.qualcomm.utils.constants import QCOM_AXIS_ORDER

    for node in program.graph_module.graph.nodes:
        node.meta.pop(QCOM_AXIS_ORDER, "")
    graph = get_qnn_pass_manager_cls()().transform_for_preprocess_pipeline(program).graph
    visitors = get_node_visitors(program)
    made: dict[str, dict[int, Any]] = defaultdict(dict)
    built: list[tuple[Any, list[Any]]] = []
    for node in graph.nodes:
        if node.op == "call_function":
            wrapper = visitors[node.target.__name__].define_node(node, made)
            several = wrapper if isinstance(wrapper, list) else [wrapper]
            built.append((node, [one for one in several if one is not None]))
    return built


def _compiles(manager: Any, wrappers: list[Any]) -> bool:
    manager.InitContext(["forward"])
    made = manager.Compile(["forward"], [[one.GetOpWrapper() for one in wrappers]])
    manager.DestroyContext()
    return len(made) > 0


def adopted(made: list[Any], program: Any, origins: Origins) -> dict[Any, set[str]]:
    """Nodes that a pass made without naming a source, and the nodes of the file that they take the place of.

    Such nodes hang together; of what no made node names, it is what stands in the file next to the sources around them.
    """
    calls = [node for node in program.graph.nodes if node.op == "call_function"]
    file = {node.name for node in program.graph.nodes}
    free = ("getitem", "getitem>", "executorch_call_delegate", "aten.sym_size.int")
    ours = [node for node in made if not str(node.target).endswith(free)]
    strangers = {node for node in ours if not origins(node) & file}
    named = {name for node in made for name in origins(node)}
    gone = [node for node in calls if node.name not in named]
    found: dict[Any, set[str]] = {}
    for group in _apart_of(strangers):
        beside = {
            one
            for node in group
            for one in (*node.all_input_nodes, *node.users)
            if one not in group and one.op != "output"
        }
        around = {name for one in beside for name in (origins(one) & file or {one.name})}
        near = [
            one for one in gone if around & {n.name for n in (*one.all_input_nodes, *one.users) if n.op != "output"}
        ]
        found |= {node: {one.name for one in near} for node in group}
    return found


def _apart_of(nodes: set[Any]) -> list[set[Any]]:
    """The nodes in groups that hang together."""
    groups: list[set[Any]] = []
    for node in nodes:
        near = {node, *(one for one in (*node.all_input_nodes, *node.users) if one in nodes)}
        touched = [group for group in groups if group & near]
        groups = [group for group in groups if not group & near] + [near.union(*touched)]
    return groups
