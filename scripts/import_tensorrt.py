"""Write the generated half of op_tables/targets/tensorrt.toml from docs/operators.md of onnx/onnx-tensorrt.

    python scripts/import_tensorrt.py CHECKOUT [--lists FOLDER] [--check]

CHECKOUT is a clone (bare or not) that has the commits of AXIS; each is read with `git show`. A commit that it lacks is
read as FOLDER/<commit>.md. Facts of one operator that are the same from release to release become one entry with `since`
and `removed`. The releases between two lists (10.2 to 10.13 have none here) are those of docs/Changelog.md: TOLD. Everything
above the line `# == generated` is written by hand and stays.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
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
    "10.14": "c72727708d4ed8a379c04c4ea235c157ce9c3870",
    "10.15": "fa5aa9f61e7781d2ca8f5351d42c1f19525a6124",
    "11.1": "7c51a63a719180eb5160c874c111746f3fb46a6b",
}
#: What docs/Changelog.md (source `changes`) says of the releases between 10.1 and 10.14: operator, line, and either None,
#: the row of the next list holds from here on, or the types that the row gains.
TOLD: dict[str, tuple[tuple[str, int, tuple[str, ...] | None], ...]] = {
    "10.3": (("Slice", 106, None),),
    "10.4": (("Pad", 98, None), ("BlackmanWindow", 99, None), ("HammingWindow", 99, None), ("HannWindow", 99, None)),
    "10.5": (("STFT", 92, None),),
    "10.7": (("Squeeze", 77, None), ("Unsqueeze", 77, None)),
    "10.8": (("CumSum", 69, None), ("DequantizeLinear", 68, None), ("Constant", 68, ("float4e2m1",)),
             ("ConstantOfShape", 68, ("float4e2m1",))),
    "10.9": (("ScatterND", 63, None),),
    "10.12": (("Pow", 39, None),),
}  # fmt: skip
RELEASES = sorted({*AXIS, *TOLD}, key=lambda one: [int(part) for part in one.split(".")])
NAMES = {
    "FP32": "float32", "FP16": "float16", "BF16": "bfloat16", "INT32": "int32", "INT64": "int64", "INF64": "int64",
    "INT8": "int8", "UINT8": "uint8", "BOOL": "bool", "FP8": "float8e4m3fn", "INT4": "int4", "FP4": "float4e2m1",
}  # fmt: skip
#: The tensor that a row's types speak of, where it is not the first input.
TYPED = {
    "Where": "in[1]", "OneHot": "in[2]", "If": "", "Loop": "", "Scan": "", "Constant": "out[0]",
    "ConstantOfShape": "out[0]", "EyeLike": "out[0]", "RandomNormal": "out[0]", "RandomUniform": "out[0]",
    "RandomNormalLike": "out[0]", "RandomUniformLike": "out[0]", "BlackmanWindow": "out[0]", "HammingWindow": "out[0]",
    "HannWindow": "out[0]",
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
    ("Attention", r"must be 4D", (("rank-4", "all(t.rank == 4 for t in inputs[0:3]) and (not exists(in[3]) or in[3].rank == 4)", "Q, K, V and the mask must have rank 4"), ("no-cache", "not any(exists(t) for t in inputs[4:7])", "past_key, past_value and nonpad_kv_seqlen are not supported"), ("one-output", "not any(exists(t) for t in outputs[1:4])", "only the first output is supported"), ("no-softcap", "known(attr.softcap, 0) == 0 and not exists(attr.qk_matmul_output_mode)", "softcap and qk_matmul_output_mode are not supported"))),
    ("Clip", r"clip values must be initializers", (("bounds-const", "(not exists(in[1]) or const(in[1])) and (not exists(in[2]) or const(in[2]))", "min and max must be initializers"),)),
    ("", r"Weights `W` must be an initi?ai?lizer", (("weight-const", "folded(in[1])", "the weight must be an initializer"),)),
    ("CumSum", r"`axis` must be a build-time constant", (("axis-known", "folded(in[1])", "axis must be known when the engine is built"),)),
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
    ("", r"`axes` must be resolvable to a constant", (("axes-known", "not exists(in[1]) or folded(in[1])", "axes must be known when the engine is built"),)),
    ("RotaryEmbedding", r"must be INT64", (("positions-int64", "not exists(in[3]) or dtype(in[3]) == 'int64'", "position_ids must be int64"),)),
    ("STFT", r"must be an initializer", (("step-const", "const(in[1]) and (not exists(in[2]) or const(in[2]))", "frame_step and window must be initializers"), ("real", "in[0].rank == 2 or in[0].shape[-1] == 1", "the input must be real-valued"))),
    ("TensorScatter", r"must be 4D", (("rank-4", "in[0].rank == 4 and in[1].rank == 4", "past_cache and update must have rank 4"), ("axis-2", "known(attr.axis, -2) == -2", "axis must be -2"))),
    ("Resize", r"transformation modes", (("transform", f"known(attr.coordinate_transformation_mode, 'half_pixel') in {_MODES}", "the coordinate transformation must be half_pixel, pytorch_half_pixel, asymmetric or align_corners"), ("mode", "known(attr.mode, 'nearest') in ['nearest', 'linear']", "the mode must be nearest or linear"))),
    ("Resize", r"aspect ratio policy: `stretch`", (("stretch", "known(attr.keep_aspect_ratio_policy, 'stretch') == 'stretch'", "the aspect ratio policy must be stretch"), ("no-antialias", "known(attr.antialias, 0) == 0", "antialias is not supported"))),
    ("Resize", r"iota vector", (("axes-all", "not exists(attr.axes) or len(attr.axes) == in[0].rank", "axes must name every dimension in order"),)),
    ("ReverseSequence", r"Dynamic input shapes", (("static", "static(in[0])", "the input's sizes must be static"),)),
    ("ScatterND", r"`reduction` (is not|other than `none` is not) supported", (("no-reduction", "known(attr.reduction, 'none') == 'none'", "reduction is not supported"),)),
    ("Split", r"`split` must be an initializer", (("split-const", "not exists(in[1]) or const(in[1])", "split must be an initializer"),)),
    ("TopK", r"`K` input must be an initializer", (("k-const", "const(in[1])", "K must be an initializer"),)),
    ("TopK", r"less than 3840", (("sorted", "known(attr.sorted, 1) == 1", "sorted must be 1"), ("k-3840", "scalar(in[1]) < 3840", "K must be less than 3840"))),
)  # fmt: skip
_SAYS_NOTHING = r"`seed` value is ignored"


@dataclass(frozen=True, kw_only=True)
class Row:
    """An operator's line of one release."""

    place: str  # source:line
    supported: bool
    types: tuple[str, ...]
    limits: tuple[Said, ...]

    def same(self, other: Row) -> bool:
        """Whether both say the same, wherever they say it."""
        return replace(self, place="") == replace(other, place="")


ABSENT = Row(place="", supported=False, types=(), limits=())


def _list(checkout: Path, lists: Path | None, commit: str) -> str:
    kept = lists / f"{commit}.md" if lists else None
    if kept and kept.exists():
        return kept.read_text("utf-8")
    command = ["git", "-C", str(checkout), "show", f"{commit}:docs/operators.md"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def rows(text: str, version: str) -> Iterator[tuple[str, Row]]:
    """(operator, its row) of a release's table."""
    for number, line in enumerate(text.splitlines(), 1):
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) > 3 and not cells[0] and re.fullmatch(r"[A-Z]\w+", cells[1]) and cells[1] != "Operator":
            supported = cells[2].startswith("Y")
            types = _types(cells[3], before_9=version.startswith("8.")) if supported else ()
            said = re.sub(r"\s+", " ", cells[4]) if supported and len(cells) > 4 else ""
            place = f"list-{version.replace('.', '-')}:{number}"
            yield cells[1], Row(place=place, supported=supported, types=types, limits=_limits(cells[1], said))


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


def releases(checkout: Path, lists: Path | None) -> dict[str, dict[str, Row]]:
    """Release → operator → its row, for the releases that the change log alone speaks of too."""
    listed = {version: dict(rows(_list(checkout, lists, commit), version)) for version, commit in AXIS.items()}
    every: dict[str, dict[str, Row]] = {}
    for number, version in enumerate(RELEASES):
        if version in listed:
            every[version] = listed[version]
            continue
        every[version] = dict(every[RELEASES[number - 1]])
        following = next(listed[one] for one in RELEASES[number:] if one in listed)
        for op, line, gained in TOLD[version]:
            new = following[op]
            if gained is not None:
                last = every[version][op]
                new = replace(last, types=tuple(sorted({*last.types, *gained})))
            every[version][op] = replace(new, place=f"changes:{line}")
    return every


def spans(every: dict[str, dict[str, Row]]) -> Iterator[tuple[str, list[tuple[str, Row]]]]:
    """Each operator with its rows, one where a row differs from that of the release before."""
    for op in sorted({op for listed in every.values() for op in listed}):
        told: list[tuple[str, Row]] = []
        for version in RELEASES:
            row = every[version].get(op, ABSENT)
            if not told or not row.same(told[-1][1]):
                told.append((version, row))
        yield op, told


def half(every: dict[str, dict[str, Row]]) -> Iterator[str]:
    """The entries of the table."""
    for op, told in spans(every):
        for place, (version, row) in enumerate(told):
            if not row.place:
                continue  # the release's list does not have it
            removed = told[place + 1][0] if place + 1 < len(told) else None
            since = [] if version == RELEASES[0] and removed is None else [f'since = "{_bound(version)}"']
            ends = [f'removed = "{removed}"'] if removed else []
            yield "\n".join(["[[op]]", f'op = "{op}"', *since, *ends, *_verdict(op, row), ""])


def _bound(version: str) -> str:
    return f"≤{version}" if version == RELEASES[0] else version


def _verdict(op: str, row: Row) -> Iterable[str]:
    source = f'source = ["{row.place}"]'
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
    parser.add_argument("--lists", type=Path, help="folder of <commit>.md, for commits that the clone lacks")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where the table differs")
    given = parser.parse_args()
    path = TABLES / "tensorrt.toml"
    line = mark("import_tensorrt.py")
    text = path.read_text().partition(line)[0] + line + "\n".join(half(releases(given.checkout, given.lists)))
    if given.check:
        return int(text != path.read_text())
    path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
