"""Write the generated half of op_tables/targets/imx500.toml from Sony's own description of the IMX500 in edge-mdt-tpc.

    python scripts/import_imx500.py PACKAGES [--check]

PACKAGES is a folder with the unpacked wheels edge-mdt-tpc 1.3.0 (`edgemdt_tpc/`) and model-compression-toolkit 2.6.1
(`model_compression_toolkit/`). The description is Python that builds objects of the toolkit; it is run here with a stand-in
that records names and bit widths, so that neither the toolkit nor a framework is needed.
"""

from __future__ import annotations

import re
import sys
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from two_halves import run

DATA = Path("edgemdt_tpc/data/imx500")
TORCH = Path("model_compression_toolkit/target_platform_capabilities/targetplatform2framework/attach2pytorch.py")
VERSIONS = {"1.0": "tpc_v1_0", "4.0": "tpc_v4_0", "4.1": "tpc_v4_1", "5.0": "tpc_v5_0"}
#: Operator set → what PyTorch's ONNX exporter makes of its functions.
ONNX: Mapping[str, tuple[str, ...]] = {
    "CONV": ("Conv",), "DEPTHWISE_CONV": ("Conv",), "CONV_TRANSPOSE": ("ConvTranspose",), "FULLY_CONNECTED": ("Gemm",),
    "CONCATENATE": ("Concat",), "STACK": ("Concat",), "UNSTACK": ("Split",), "GATHER": ("GatherElements",),
    "EXPAND": ("Expand",), "BATCH_NORM": ("BatchNormalization",), "RELU": ("Relu",), "RELU6": ("Clip",),
    "HARD_TANH": ("Clip",), "LEAKY_RELU": ("LeakyRelu",), "ADD": ("Add",), "SUB": ("Sub",), "MUL": ("Mul",),
    "DIV": ("Div",), "MIN": ("Min",), "MAX": ("Max",), "PRELU": ("PRelu",), "SIGMOID": ("Sigmoid",), "TANH": ("Tanh",),
    "GELU": ("Gelu",), "HARDSIGMOID": ("HardSigmoid",), "HARDSWISH": ("HardSwish",), "FLATTEN": ("Flatten",),
    "GET_ITEM": ("Slice", "Gather"), "STRIDED_SLICE": ("Slice",), "RESHAPE": ("Reshape",), "UNSQUEEZE": ("Unsqueeze",),
    "SQUEEZE": ("Squeeze",), "PERMUTE": ("Transpose",), "TRANSPOSE": ("Transpose",), "DROPOUT": ("Dropout",),
    "SPLIT_CHUNK": ("Split",), "MAXPOOL": ("MaxPool",), "SIZE": ("Shape",), "EQUAL": ("Equal",), "ARGMAX": ("ArgMax",),
    "TOPK": ("TopK",), "PAD": ("Pad",), "ZERO_PADDING2D": ("Pad",), "CAST": ("Cast",), "EXP": ("Exp",), "SIN": ("Sin",),
    "COS": ("Cos",), "SWISH": ("Swish",),
}  # fmt: skip


class Config:
    """One way to quantise: the arguments it was made with."""

    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)

    def clone_and_edit(self, attr_to_edit: Any = None, **values: Any) -> Config:
        return Config(**(self.__dict__ | values))


class Options:
    """The ways that an operator set allows."""

    def __init__(self, quantization_configurations: tuple[Config, ...], base_config: Config | None = None) -> None:
        self.configs = quantization_configurations

    def clone_and_edit(self, **values: Any) -> Options:
        return Options(tuple(one.clone_and_edit(**values) for one in self.configs))

    def clone_and_edit_weight_attribute(self, **_: Any) -> Options:
        return self


class Names:
    """Any attribute is its own name."""

    def __getattr__(self, name: str) -> str:
        return name


@dataclass(frozen=True)
class Bits:
    """Widths of an operator set's output; none where it passes its input's on."""

    out: frozenset[int]
    line: int


def recorded(checkout: Path, module: str) -> dict[str, Bits]:
    """Operator set → bits of one version."""
    sets: list[tuple[str, Options | None]] = []

    def listed(name: str, qc_options: Options | None = None) -> str:
        sets.append((name, qc_options))
        return name

    schema = types.SimpleNamespace(
        AttributeQuantizationConfig=Config, OpQuantizationConfig=Config, QuantizationConfigOptions=Options,
        OperatorSetNames=Names(), QuantizationMethod=Names(), Signedness=Names(), OperatorSetGroup=Config, Fusing=Config,
        OperatorsSet=listed,
        TargetPlatformCapabilities=Config,
    )  # fmt: skip
    path = checkout / DATA / f"{module}.py"
    text = path.read_text()
    body = re.sub(r"^import model_compression_toolkit\S+ as (\w+)$", "", text, flags=re.M)
    space: dict[str, Any] = {"schema": schema}
    exec(compile(body, module, "exec"), space)  # the package's own data, Apache-2.0
    space["get_tp_model"]()
    return {name: Bits(_widths(options), _line(text, name)) for name, options in sets}


def _widths(options: Options | None) -> frozenset[int]:
    """A set without options of its own is quantised by the default: 8 bits."""
    if options is None:
        return frozenset({8})
    return frozenset(one.activation_n_bits for one in options.configs if one.enable_activation_quantization)


def _line(text: str, name: str) -> int:
    found = re.search(rf"OperatorSetNames\.{name}\b", text)
    return 0 if found is None else text.count("\n", 0, found.start()) + 1


def half(checkout: Path) -> Iterator[str]:
    versions = {version: recorded(checkout, module) for version, module in VERSIONS.items()}
    torch = (checkout / TORCH).read_text()
    for op in sorted({op for ops in ONNX.values() for op in ops}):
        names = [name for name, ops in ONNX.items() if op in ops]
        yield from _spans(op, names, versions, torch)


def _spans(op: str, names: list[str], versions: Mapping[str, Mapping[str, Bits]], torch: str) -> Iterator[str]:
    """One entry for each run of versions that say the same."""
    points = list(versions)
    said = [
        tuple(sorted({(name, versions[point][name].out) for name in names if name in versions[point]}))
        for point in points
    ]
    start = 0
    for at in range(1, len(points) + 1):
        if at == len(points) or [out for _, out in said[at]] != [out for _, out in said[start]]:
            if said[start]:
                yield _written(op, said[start], points, start, at, versions, torch)
            start = at


def _cite(point: str, versions: Mapping[str, Mapping[str, Bits]], name: str) -> str:
    return f"tpc{point.replace('.', '_')}:{versions[point][name].line}"


def _line_of(torch: str, name: str) -> int:
    return torch.count("\n", 0, torch.index(f"OperatorSetNames.{name}:")) + 1


def _written(op: str, said: Any, points: list[str], start: int, end: int, versions: Any, torch: str) -> str:
    cited = [f'"{_cite(points[at], versions, name)}"' for at in sorted({start, end - 1}) for name, _ in said]
    cited += [f'"torch:{_line_of(torch, name)}"' for name, _ in said if f"OperatorSetNames.{name}:" in torch]
    axis = (f'since = "{points[start]}"\n' if start else "") + (
        f'removed = "{points[end]}"\n' if end < len(points) else ""
    )
    text = f'[[op]]\nop = "{op}"\n{axis}source = [{", ".join(cited)}]\n'
    widths = [out for _, out in said if out]
    if widths and all(16 not in out for out in widths):
        text += (
            '[[op.limit]]\nid = "output-8"\nopaque = "its output has 8 bits only, whatever width is asked for"\n'
            'when = "env.activation_bits != \'8\'"\notherwise = "rejected"\n'
            f'say = "whether the rest of a 16-bit model fits is not in the description"\nsource = [{cited[0]}]\n'
        )
    return text


def main() -> int:
    return run("import_imx500.py", "the unpacked wheels", {"imx500": half}, __doc__)


if __name__ == "__main__":
    sys.exit(main())
