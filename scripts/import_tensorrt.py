"""Write the generated half of op_tables/targets/tensorrt.toml from docs/operators.md of onnx/onnx-tensorrt.

    python scripts/import_tensorrt.py CHECKOUT [--check]

CHECKOUT is a clone (bare or not) that has the commits of AXIS; each is read with `git show`. Facts of one operator that
are the same from release to release become one entry with `since` and `removed`. Everything above the line `# == generated`
is written by hand and stays.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from two_halves import TABLES, mark

#: Release → commit of its branch on which docs/operators.md is read.
AXIS = {
    "8.0": "3f211d67a6b31b9c7ff0db00b0365bebee697557",
    "8.2": "f42daeee49f2517a954c5601f0f76bef9ed94b62",
    "8.4": "63d626b673ef456966341f8e17ffd3ebf323ceb7",
    "8.5": "fdeeaca87ad2eef316aafb016e1822502f383eea",
    "8.6": "ee0b139bc68567a89618c1d84dcd461cc144aad4",
    "9.0": "9d2d786c98129ecab62be0759d1ba2e5791ee424",
    "9.1": "877b5dccf5779d7d7dfa0c45b9c11cbee3b285ce",
    "9.2": "306247b30da17ec10b578d17c408fe04864d6fe5",
    "9.3": "1def182e2a04e939130b1070151a048321c6719c",
    "10.0": "73f629e04a68765647010b98dd94257282d05d11",
    "10.1": "96e781103cfc4adf4a6bb557e94bac8e693f6f4c",
}
NAMES = {
    "FP32": "float32", "FP16": "float16", "BF16": "bfloat16", "INT32": "int32", "INT64": "int64", "INF64": "int64",
    "INT8": "int8", "UINT8": "uint8", "BOOL": "bool", "FP8": "float8e4m3fn", "INT4": "int4",
}  # fmt: skip
#: The tensor that a row's types speak of, where it is not the first input.
TYPED = {
    "Where": "in[1]", "OneHot": "in[2]", "If": "", "Loop": "", "Scan": "", "Constant": "out[0]",
    "ConstantOfShape": "out[0]", "EyeLike": "out[0]", "RandomNormal": "out[0]", "RandomUniform": "out[0]",
    "RandomNormalLike": "out[0]", "RandomUniformLike": "out[0]",
}  # fmt: skip
_SPATIAL = "in[0].rank in [4, 5]"
_ONES = "not exists(attr.dilations) or all(d == 1 for d in attr.dilations)"
_MODES = "['half_pixel', 'pytorch_half_pixel', 'tf_half_pixel_for_nn', 'asymmetric', 'align_corners']"
Said = tuple[str, str, str]  # id, condition ("" where none can hold it), sentence

#: (operator or "", the source's words as a pattern) → limits.
MEANING: tuple[tuple[str, str, tuple[Said, ...]], ...] = (
    ("", r"^2D or 3D (Pooling|pooling|convolutions|deconvolutions) only", (("spatial-2-3", _SPATIAL, "two or three spatial dimensions (rank 4 or 5)"),)),
    ("", r"`dilations` must be empty or all ones", (("no-dilation", _ONES, "dilations must be left out or all 1"),)),
    ("MaxPool", r"`Indices` output tensor unsupported", (("no-indices", "not exists(out[1])", "the output Indices is not supported"),)),
    ("Clip", r"clip values must be initializers", (("bounds-const", "(not exists(in[1]) or const(in[1])) and (not exists(in[2]) or const(in[2]))", "min and max must be initializers"),)),
    ("", r"Weights `W` must be an initi?ai?lizer", (("weight-const", "folded(in[1])", "the weight must be an initializer"),)),
    ("CumSum", r"`axis` must be an initializer", (("axis-const", "const(in[1])", "axis must be an initializer"),)),
    ("Constant", r"attributes are unsupported", (("plain-value", "not exists(attr.sparse_value) and not exists(attr.value_string) and not exists(attr.value_strings)", "sparse and text constants are not supported"),)),
    ("DeformConv", r"1D or 2D spatial dimensions", (("spatial-1-2", "in[0].rank in [3, 4]", "one or two spatial dimensions (rank 3 or 4)"), ("even-pads", "not exists(attr.pads) or all(attr.pads[i] == attr.pads[i + len(attr.pads) // 2] for i in [0, 1] if i < len(attr.pads) // 2)", "padding at the beginning and the end of an axis must be the same"))),
    ("", r"`[xy]_zero_point` must be (zero|0)", (("zero-point-0", "not exists(in[2]) or all(v == 0 for v in value(in[2]))", "the zero point must be 0 (symmetric quantisation)"),)),
    ("Dropout", r"must be an initializer and evaluate to False", (("inference", "not exists(in[2]) or scalar(in[2]) == 0", "training_mode must be an initializer that is false"),)),
    ("Einsum", r"Ellipsis and diagonal", (("no-ellipsis", "'...' not in attr.equation", "an ellipsis is not supported"), ("no-diagonal", "", "diagonals (an index twice in one operand) are not supported"), ("no-broadcast", "", "the operands must not broadcast"))),
    ("EyeLike", r"static dimensions", (("static", "static(in[0])", "the input's sizes must be static"),)),
    ("", r"^For bidirectional", (("same-activations", "known(attr.direction, 'forward') != 'bidirectional' or not exists(attr.activations) or attr.activations[0 : len(attr.activations) // 2] == attr.activations[len(attr.activations) // 2 : len(attr.activations)]", "a bidirectional layer must have the same activations in both directions"),)),
    ("LSTM", r"`input_forget` attribute must be 0", (("no-input-forget", "known(attr.input_forget, 0) == 0", "input_forget must be 0"), ("layout-0", "known(attr.layout, 0) == 0", "layout must be 0"))),
    ("", r"Only positive indices", (("indices-positive", "all(v >= 0 for v in value(in[1]))", "indices must not be negative (unless the parser was built with SUPPORT_NEGATIVE_GATHER)"),)),
    ("GridSample", r"must be 4D", (("rank-4", "in[0].rank == 4", "the input must have rank 4"),)),
    ("Hardmax", r"build-time constant", (("axis-static", "exists(in[0].shape[attr.axis])", "the size of the axis must be known when the engine is built"),)),
    ("If", r"broadcastable shapes", (("branches", "", "the outputs of the two branches must have broadcastable shapes and different names"),)),
    ("If", r"same rank", (("branches", "", "the outputs of the two branches must have the same rank and different names"),)),
    ("InstanceNormalization", r"must be initializers", (("scale-const", "const(in[1]) and const(in[2])", "scale and bias must be initializers"), ("rank-3-5", "in[0].rank in 3..5", "the rank must be 3 to 5"))),
    ("LayerNormalization", r"Only the first output", (("one-output", "not exists(out[1]) and not exists(out[2])", "only the first output is supported"),)),
    ("Loop", r"Scan output length", (("scan-static", "", "a scan output's length cannot be dynamic, and what the loop carries must keep its shape"),)),
    ("NonMaxSuppression", r"must be initializers", (("bounds-const", "all(not exists(t) or const(t) for t in inputs[2:5])", "max_output_boxes_per_class, iou_threshold and score_threshold must be initializers"),)),
    ("OneHot", r"build-time constant", (("depth-const", "folded(in[1])", "depth must be known when the engine is built"),)),
    ("Pad", r"Zero-constant padding", (("pad-zero", "known(attr.mode, 'constant') == 'constant' and (not exists(in[2]) or scalar(in[2]) == 0)", "only padding with the constant 0"), ("pad-two", "len([v for v in value(in[1]) if v != 0]) <= 4", "only two dimensions can be padded"))),
    ("Pad", r"`axes` must be an initializer", (("axes-const", "not exists(in[3]) or const(in[3])", "axes must be an initializer"),)),
    ("Range", r"Floating point inputs", (("float-const", "dtype(in[0]) in ['int32', 'int64'] or all(const(t) for t in inputs)", "with floats, start, limit and delta must be initializers"),)),
    ("Slice", r"`axes` must be an initializer", (("axes-const", "not exists(in[3]) or const(in[3])", "axes must be an initializer"),)),
    ("", r"`axes` must be (an initializer|a constant tensor)", (("axes-const", "not exists(in[1]) or const(in[1])", "axes must be an initializer"),)),
    ("Resize", r"transformation modes", (("transform", f"known(attr.coordinate_transformation_mode, 'half_pixel') in {_MODES}", "the coordinate transformation must be half_pixel, pytorch_half_pixel, asymmetric or align_corners"), ("mode", "known(attr.mode, 'nearest') in ['nearest', 'linear']", "the mode must be nearest or linear"))),
    ("Resize", r"aspect ratio policy: `stretch`", (("stretch", "known(attr.keep_aspect_ratio_policy, 'stretch') == 'stretch'", "the aspect ratio policy must be stretch"), ("no-antialias", "known(attr.antialias, 0) == 0", "antialias is not supported"))),
    ("Resize", r"iota vector", (("axes-all", "not exists(attr.axes) or len(attr.axes) == in[0].rank", "axes must name every dimension in order"),)),
    ("ReverseSequence", r"Dynamic input shapes", (("static", "static(in[0])", "the input's sizes must be static"),)),
    ("ScatterND", r"`reduction` is not supported", (("no-reduction", "known(attr.reduction, 'none') == 'none'", "reduction is not supported"),)),
    ("Split", r"`split` must be an initializer", (("split-const", "not exists(in[1]) or const(in[1])", "split must be an initializer"),)),
    ("TopK", r"`K` input must be an initializer", (("k-const", "const(in[1])", "K must be an initializer"),)),
    ("TopK", r"less than 3840", (("sorted", "known(attr.sorted, 1) == 1", "sorted must be 1"), ("k-3840", "scalar(in[1]) < 3840", "K must be less than 3840"))),
)  # fmt: skip
_SAYS_NOTHING = r"`seed` value is ignored"


@dataclass(frozen=True, kw_only=True)
class Row:
    """An operator's line of one release."""

    line: int
    supported: bool
    types: tuple[str, ...]
    limits: tuple[Said, ...]


def rows(checkout: Path, version: str) -> Iterator[tuple[str, Row]]:
    """(operator, its row) of a release's table."""
    command = ["git", "-C", str(checkout), "show", f"{AXIS[version]}:docs/operators.md"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for number, line in enumerate(text.splitlines(), 1):
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) > 3 and not cells[0] and re.fullmatch(r"[A-Z]\w+", cells[1]) and cells[1] != "Operator":
            supported = cells[2].startswith("Y")
            types = _types(cells[3], before_9=version.startswith("8.")) if supported else ()
            said = re.sub(r"\s+", " ", cells[4]) if len(cells) > 4 else ""
            yield cells[1], Row(line=number, supported=supported, types=types, limits=_limits(cells[1], said))


def _types(text: str, *, before_9: bool) -> tuple[str, ...]:
    """Element types; doubles are cast to float, and before 9.0 int64 to int32, values that do not fit clamped."""
    found = {NAMES[name] for name in re.findall(r"[A-Z]+\d*", text)}
    found |= {"float64"} if "float32" in found else set()
    found |= {"int64"} if before_9 and "int32" in found else set()
    return tuple(sorted(found))


def _limits(op: str, said: str) -> tuple[Said, ...]:
    found, left = [], said
    for wanted, pattern, limits in MEANING:
        if wanted in ("", op) and re.search(pattern, said) and not (set(limits) & set(found)):
            if any(have[0] == one[0] for have in found for one in limits):
                continue
            found += list(limits)
            left = ""
    if left and not re.search(_SAYS_NOTHING, left):
        raise SystemExit(f"{op}: nobody has said what this means: {said}")
    return tuple(found)


def spans(checkout: Path) -> Iterator[tuple[str, list[tuple[str, Row]]]]:
    """Each operator with its rows, one where a row differs from that of the release before."""
    every: dict[str, dict[str, Row]] = {}
    for version in AXIS:
        for op, row in rows(checkout, version):
            every.setdefault(op, {})[version] = row
    for op, by_version in sorted(every.items()):
        told: list[tuple[str, Row]] = []
        absent = Row(line=0, supported=False, types=(), limits=())
        for version in AXIS:
            row = by_version.get(version, absent)
            last = told[-1][1] if told else None
            if last is None or (row.supported, row.types, row.limits) != (last.supported, last.types, last.limits):
                told.append((version, row))
        yield op, told


def half(checkout: Path) -> Iterator[str]:
    """The entries of the table."""
    order = list(AXIS)
    for op, told in spans(checkout):
        for place, (version, row) in enumerate(told):
            if not row.line:
                continue  # the release's list does not have it
            removed = told[place + 1][0] if place + 1 < len(told) else None
            since = [] if version == order[0] and removed is None else [f'since = "{_bound(version)}"']
            ends = [f'removed = "{removed}"'] if removed else []
            yield "\n".join(["[[op]]", f'op = "{op}"', *since, *ends, *_verdict(op, version, row), ""])


def _bound(version: str) -> str:
    return f"≤{version}" if version == next(iter(AXIS)) else version


def _verdict(op: str, version: str, row: Row) -> Iterable[str]:
    source = f'source = ["list-{version.replace(".", "-")}:{row.line}"]'
    if not row.supported:
        return ['verdict = "rejected"', 'say = "TensorRT\'s parser does not import it"', source]
    lines = [source]
    typed = TYPED.get(op, "in[0]")
    if row.types and typed:
        allowed = ", ".join(f"'{one}'" for one in row.types)
        said = (
            f"the type must be {' or '.join(row.types)}"
            if len(row.types) < 3
            else f"the type must be one of {', '.join(row.types)}"
        )
        lines += _limit("type", f"dtype({typed}) in [{allowed}]", said, source)
    for name, condition, sentence in row.limits:
        lines += _limit(name, condition, sentence, source)
    return lines


def _limit(name: str, condition: str, sentence: str, source: str) -> list[str]:
    head = ["", "[[op.limit]]", f'id = "{name}"']
    if not condition:
        return [*head, f'opaque = "{sentence}"', source]
    return [*head, f'require = "{condition}"', 'otherwise = "rejected"', f'say = "{sentence}"', source]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where the table differs")
    given = parser.parse_args()
    path = TABLES / "tensorrt.toml"
    line = mark("import_tensorrt.py")
    text = path.read_text().partition(line)[0] + line + "\n".join(half(given.checkout))
    if given.check:
        return int(text != path.read_text())
    path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
