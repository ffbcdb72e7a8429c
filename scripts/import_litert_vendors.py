"""Write the generated halves of the LiteRT NPU tables from the vendors' compiler plugins.

    python scripts/import_litert_vendors.py CHECKOUT            # all five tables
    python scripts/import_litert_vendors.py CHECKOUT --check    # exit 1 where a table differs or cites a line that is not there

CHECKOUT is google-ai-edge/LiteRT at the commit the tables name; `litert/vendors` and `litert/c/litert_op_code.h` are read.
What stands above the line `# == generated` (limits, sources, notes) is written by hand and stays. Qualcomm's operators
and their types were measured: scripts/litert_qualcomm_types.txt.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from litert_npu_types import Types, limits, types
from two_halves import entry, run

ROOT = Path(__file__).parents[1]
SCHEMA = ROOT / "src/edgecheck/model/formats/tflite_schema.json"
VENDORS = Path("litert/vendors")
CODES = Path("litert/c/litert_op_code.h")

COMPOSITE = "STABLEHLO_COMPOSITE"
NO_OPERATORS = frozenset({"CUSTOM", "DELEGATE", "PLACEHOLDER_FOR_GREATER_OP_CODES"})
QNN_TYPES = """\
[[op.limit]]
id = "types"
of = "fallback"
require = "all(t.dtype not in ['resource', 'string', 'complex64', 'complex128', 'variant', 'bfloat16', 'uint4'] for t in inputs + outputs)"
otherwise = "rejected"
say = "the plugin converts the tensors of every operator, and gives up on the whole model at the first one that QNN has no type for"
source = ["plugin:478", "compose:163"]
help = "keep state out of the model: make it an input and an output"
"""

Listed = Sequence[tuple[str, int]]  # TFLite operator, line
Codes = Mapping[str, tuple[str, int]]  # LiteRT's name → TFLite operator, line


@dataclass(frozen=True, kw_only=True)
class Vendor:
    """Where a plugin says what it takes: the file, and how its list is read."""

    file: Path
    source: str  # the table's name for that file
    pattern: re.Pattern[str]
    starts: str
    ends: str
    chips: Callable[[Path], list[str]]
    chip: str  # the default
    denied: bool = False  # the list says what is left to others
    special: str = ""  # entries for the operator that depends on its name
    unlisted: str = ""  # what else may happen to an operator that is not listed: a limit, as TOML
    measured: bool = False  # the operators and their types are in scripts/litert_qualcomm_types.txt


def _csv(vendor: str) -> Callable[[Path], list[str]]:
    def chips(checkout: Path) -> list[str]:
        lines = (checkout / VENDORS / vendor / "supported_soc.csv").read_text().splitlines()
        return [line.split(",")[1].strip() for line in lines if line and not line.startswith("#")]

    return chips


def _mediatek(checkout: Path) -> list[str]:
    """The chips of the CSV, and those that only the plugin names."""
    text = (checkout / VENDORS / "mediatek/compiler/compiler_plugin.cc").read_text()
    named = [match.upper() for match in re.findall(r'^    \{"(mt\d+)", "\1"\},$', text, re.M)]
    return sorted({*_csv("mediatek")(checkout), *named})


def _samsung(checkout: Path) -> list[str]:
    return re.findall(r'\{"(E\d+)", \d+\}', (checkout / VENDORS / "samsung/soc_model.cc").read_text())


def _google(checkout: Path) -> list[str]:
    text = (checkout / VENDORS / "google_tensor/compiler/compiler_plugin.cc").read_text()
    start = text.index("kPluginSocModels[] = {")
    return re.findall(r'"(Tensor_G\d+)"', text[start : text.index("copybara", start)])


def _composites(names: Sequence[str], source: str, line: int) -> str:
    """A composite is one node where its name is known; else LiteRT inlines its decomposition and asks about that."""
    known = " or ".join(f"attr.name == '{name}'" for name in names)
    return "\n".join(
        [
            "[[op]]",
            'op = "STABLEHLO_COMPOSITE"',
            f'when = "{known}"',
            f'source = ["{source}:{line}"]',
            "",
            "[[op]]",
            'op = "STABLEHLO_COMPOSITE"',
            f"when = \"not ({known}) and attr.name != 'odml.npu_call'\"",
            'verdict = "fallback"',
            f'say = "of composites only {", ".join(names)} {"is" if len(names) == 1 else "are"} taken whole; '
            'the others are replaced by their decomposition, whose operators are asked about one by one"',
            f'source = ["{source}:{line}", "framework:554"]',
            "",
            "[[op]]",
            'op = "STABLEHLO_COMPOSITE"',
            "when = \"attr.name == 'odml.npu_call'\"",
            'source = ["framework:554"]',
            "[[op.limit]]",
            'id = "npu-call"',
            "opaque = \"the model's author asked for the NPU: LiteRT hands the decomposition to the vendor's compiler "
            'whatever the plugin selects, and the model fails there if the compiler refuses it"',
            'otherwise = "rejected"',
            'say = "whether the vendor\'s compiler takes the decomposition is not in the plugin"',
            'source = ["framework:554"]',
            "",
        ]
    )


SAMSUNG = """\
[[op]]
op = "STABLEHLO_COMPOSITE"
when = "attr.name != 'odml.cpu_call'"
source = ["create:516"]

[[op]]
op = "STABLEHLO_COMPOSITE"
when = "attr.name == 'odml.cpu_call'"
verdict = "fallback"
say = "the model's author asked for the CPU: LiteRT keeps the decomposition from every plugin"
source = ["framework:554"]
"""
_ARRAY = re.compile(r"^\s+kLiteRtOpCode(\w+),", re.M)
_CASE = re.compile(r"^\s+case kLiteRtOpCode(\w+):", re.M)
_SLOT = re.compile(r"^  builders\[kLiteRtOpCode(\w+)\] =", re.M)

VENDOR = {
    "litert-qualcomm": Vendor(
        file=Path("qualcomm/compiler/qnn_compose_graph.cc"),
        source="compose",
        pattern=_SLOT,
        starts="GetOpBuilders() {",
        ends="return builders;",
        chips=_csv("qualcomm"),
        chip="SM8750",
        special=_composites(("odml.rms_norm", "odml.group_norm", "odml.l2_norm"), "compose", 1034),
        unlisted=QNN_TYPES,
        measured=True,
    ),
    "litert-mediatek": Vendor(
        file=Path("mediatek/compiler/compiler_plugin.cc"),
        source="plugin",
        pattern=_ARRAY,
        starts="kSupportedOps[] = {",
        ends="};",
        chips=_mediatek,
        chip="MT6991",
        special=_composites(("odml.rms_norm", "odml.l2_norm"), "verify", 49),
    ),
    "litert-intel-npu": Vendor(
        file=Path("intel_openvino/compiler/openvino_compiler_plugin.cc"),
        source="plugin",
        pattern=_ARRAY,
        starts="kSupportedOps[] = {",
        ends="};",
        chips=_csv("intel_openvino"),
        chip="PTL",
        special=_composites(("odml.rms_norm",), "plugin", 450),
    ),
    "litert-samsung": Vendor(
        file=Path("samsung/compiler/create_model.cc"),
        source="create",
        pattern=_CASE,
        starts="switch (op.Code()) {",
        ends="default:",
        chips=_samsung,
        chip="E9965",
        special=SAMSUNG,
    ),
    "litert-google-tensor": Vendor(
        file=Path("google_tensor/compiler/compiler_plugin.cc"),
        source="plugin",
        pattern=_ARRAY,
        starts="kUnSupportedOps[] = {",
        ends="};",
        chips=_google,
        chip="Tensor_G5",
        denied=True,
        special=_composites(
            ("odml.rms_norm", "odml.group_norm", "odml.scaled_dot_product_attention"), "plugin", 166
        ),
    ),
}  # fmt: skip


def codes(checkout: Path) -> Codes:
    """LiteRT's name of an operator code → the TFLite operator and the line."""
    operators = json.loads(SCHEMA.read_text())["operators"]
    text = (checkout / CODES).read_text()
    found = {}
    for match in re.finditer(r"kLiteRtOpCode(\w+)\s*=\s*(\d+),", text):
        number = int(match[2])
        if number < len(operators):
            found[match[1]] = (operators[number], text.count("\n", 0, match.start()) + 1)
    return found


def listed(checkout: Path, vendor: Vendor) -> Listed:
    text = (checkout / VENDORS / vendor.file).read_text()
    start = text.index(vendor.starts)
    end = text.index(vendor.ends, start)
    names = codes(checkout)
    found = {}
    for match in vendor.pattern.finditer(text, start, end):
        line = text.count("\n", 0, match.start(1)) + 1
        found[names[match[1]][0]] = line
    return sorted(found.items())


def entries(checkout: Path, vendor: Vendor) -> Iterator[str]:
    found = dict(listed(checkout, vendor))
    if vendor.denied:
        yield from _unless_denied(codes(checkout), found, vendor)
        return
    if vendor.measured:
        measured = {one.op for one in types()}
        found = {op: found.get(op, 0) for op in measured | ({COMPOSITE} & found.keys())}
    if vendor.unlisted:
        yield from _left_to_others(codes(checkout), found, vendor)
    for op, line in sorted(found.items()):
        yield vendor.special if op == COMPOSITE and vendor.special else _taken(op, line, vendor)


def _taken(op: str, line: int, vendor: Vendor) -> str:
    """An operator of the list, with the types that were measured. One that is not in it came after that commit."""
    at = [f"{vendor.source}:{line}"] if line else []
    if not vendor.measured:
        return entry(op, *at)
    return "\n".join(_measured(one, at) for one in types() if one.op == op)


def _measured(one: Types, at: Sequence[str]) -> str:
    more = {"when": one.when} if one.when else {}
    if not one.groups:
        more |= {"verdict": "fallback", "say": "Qualcomm's compiler takes it in no type"}
    return entry(one.op, *at, "measured", **more) + "".join(limits(one))


def _left_to_others(every: Codes, found: Mapping[str, int], vendor: Vendor) -> Iterator[str]:
    """Operators without a builder: the CPU runs them, unless their tensors alone stop the plugin."""
    for op, line in sorted(every.values()):
        if op not in found and op not in NO_OPERATORS:
            say = f'verdict = "fallback"\nsay = "the plugin has no builder for {op}"\n'
            yield f'[[op]]\nop = "{op}"\n{say}source = ["codes:{line}"]\n{vendor.unlisted}'


def _unless_denied(every: Codes, denied: Mapping[str, int], vendor: Vendor) -> Iterator[str]:
    """Every operator of LiteRT: those of the deny list fall back, the others go to the compiler."""
    for op, line in sorted(every.values()):
        if op in denied and op != "CUSTOM":
            say = 'verdict = "fallback"\nsay = "the plugin\'s deny list leaves it to the CPU"\n'
            yield f'[[op]]\nop = "{op}"\n{say}source = ["{vendor.source}:{denied[op]}"]\n'
        elif op == COMPOSITE:
            yield vendor.special
        elif op not in NO_OPERATORS:
            yield entry(op, f"codes:{line}")


def lower(vendor: Vendor) -> Callable[[Path], Iterator[str]]:
    def half(checkout: Path) -> Iterator[str]:
        chips = ", ".join(f'"{chip}"' for chip in vendor.chips(checkout))
        yield f'[target.settings.soc]\ndefault = "{vendor.chip}"\nvalues = [{chips}]\nhelp = "chip"\n'
        yield from entries(checkout, vendor)

    return half


def main() -> int:
    halves = {name: lower(vendor) for name, vendor in VENDOR.items()}
    return run("import_litert_vendors.py", "google-ai-edge/LiteRT", halves, __doc__)


if __name__ == "__main__":
    sys.exit(main())
