"""Random one-operator ONNX models for the oracles: descriptions (and files) that onnx's own checker accepts.

    python scripts/make_probes_onnx.py --seed 1 --count 2000 --out probes.jsonl [--files FOLDER] [--ops Conv,Add]
    python scripts/make_probes_onnx.py --node-tests --out probes.jsonl [--files FOLDER]

The same seed gives the same probes. Runs where `onnx` is installed. A probe starts from a random geometry of
scripts/onnx_bases.py or from one of onnx's node tests, and is changed: element type (by the schema's type constraints),
rank, sizes, dynamic sizes, constants, attribute values, inputs left out, opset, QDQ around it. What strict shape
inference refuses is thrown away. `--node-tests` writes those tests themselves, each as it is.
"""

from __future__ import annotations

import argparse
import copy
import functools
import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "src"), str(Path(__file__).parent)]

import onnx_bases_move  # noqa: E402, F401
from edgecheck.oracles import isolated, onnx_probe, onnx_wire  # noqa: E402
from onnx_bases import BASES, Dice  # noqa: E402
from onnx_node_tests import seeds  # noqa: E402

Json = dict[str, Any]
OPSETS = (7, 8, 9, 10, 11, 11, 12, 13, 13, 14, 15, 16, 17, 17, 17, 18, 18, 19, 20, 21, 22, 23, 24, 25)
VALUES: dict[str, tuple[Any, ...]] = {
    "auto_pad": ("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"),
    "mode": ("constant", "reflect", "edge", "wrap", "nearest", "linear", "cubic", "DCR", "CRD"),
    "coordinate_transformation_mode": (
        "half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel", "tf_crop_and_resize", "half_pixel_symmetric",
    ),
    "nearest_mode": ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil"),
    "direction": ("forward", "reverse", "bidirectional"),
    "reduction": ("none", "add", "mul", "max", "min", "mean", "sum"),
    "padding_mode": ("zeros", "border", "reflection"),
    "keep_aspect_ratio_policy": ("stretch", "not_larger", "not_smaller"),
    "approximate": ("none", "tanh"),
    "equation": ("ij,jk->ik", "bij,bjk->bik", "ij->ji", "ii->i", "bhid,bhjd->bhij", "i,i->", "ij->", "...ij,...jk->...ik"),
    "to": tuple(range(1, 27)),
    "dtype": (1, 6, 7, 10, 11),
}  # fmt: skip


@functools.cache
def schema(op: str, opset: int) -> Any:
    """onnx's schema of the operator at the opset; None where there is none."""
    from onnx import defs

    domain, _, name = op.rpartition("::")
    try:
        return defs.get_schema(name, opset, domain)
    except defs.SchemaError:
        return None


class Maker:
    """Makes probes of one seed."""

    def __init__(self, seed: int, ops: list[str]) -> None:
        self.d = Dice(seed)
        self.seeds = seeds()
        known = set(BASES) | set(self.seeds)
        self.ops = [op for op in ops if op in known] if ops else sorted(known)

    def probe(self) -> Json | None:
        """One random probe; None where chance made an invalid one."""
        op = self.d.choice(self.ops)
        try:
            spec = self._start(op)
            if spec is None:
                return None
            for change, share in self._changes():
                if self.d.odds(share):
                    change(spec)
        except (ValueError, OverflowError):  # a NaN to quantise, a size smaller than its window
            return None
        for one in spec["i"]:
            if one is not None:
                one.pop("data", None)
        return _whole(spec)

    def _start(self, op: str) -> Json | None:
        bases = op in BASES and (op not in self.seeds or self.d.odds(0.7))
        if bases:
            made = BASES[op](self.d)
            spec = {"opset": self.d.choice(OPSETS), **made}
            for one in (*spec["i"], *spec["o"]):
                if one is not None:
                    one.setdefault("t", "float32") if one in spec["i"] else None
            return _moved(copy.deepcopy(spec))
        if op not in self.seeds:
            return None
        spec = copy.deepcopy(self.d.choice(self.seeds[op]))
        spec.pop("test")
        for side in ("i", "o"):
            for one in spec[side]:
                if one is not None:
                    one.pop("n", None)
        return spec

    def _changes(self) -> list[tuple[Any, float]]:
        return [
            (self._constness, 0.45), (self._retype, 0.4), (self._size, 0.35), (self._rank, 0.12), (self._attribute, 0.35),
            (self._leave_out, 0.12), (self._opset, 0.35), (self._dynamic, 0.2), (self._quantize, 0.08),
        ]  # fmt: skip

    def _constness(self, spec: Json) -> None:
        """Make a constant an input, or an input a constant (with the test's values where there are)."""
        one = self.d.choice([one for one in spec["i"] if one] or [None])
        if one is None or "s" not in one or not all(isinstance(size, int) for size in one["s"]):
            return
        if "c" in one:
            del one["c"]
        elif (
            one["t"] in onnx_wire.CODES
            and one["t"] != "string"
            and not one["t"].startswith(("float8", "float4", "complex"))
        ):
            low, high = (0, 2) if one["t"].startswith(("u", "bool")) else (-2, 3)
            one["c"] = one.get("data") or {"r": self.d.randrange(1000), "lo": low, "hi": high}

    def _retype(self, spec: Json) -> None:
        """Another element type for one of the schema's type variables, in all tensors that share it."""
        known = schema(onnx_probe.name(spec), spec["opset"])
        if known is None:
            return
        letters = {one.type_param_str: one.allowed_type_strs for one in known.type_constraints}
        letter = self.d.choice(sorted(letters) or [""])
        tensors = [t for t in map(_dtype, sorted(letters.get(letter, ()))) if t]
        if not tensors:
            return
        wanted = self.d.choice(tensors)
        for side, formal in (("i", known.inputs), ("o", known.outputs)):
            for place, one in enumerate(spec[side]):
                if one is not None and formal and formal[min(place, len(formal) - 1)].type_str == letter:
                    _set_type(one, wanted)

    def _size(self, spec: Json) -> None:
        """Another value for one size, wherever that size stands among the inputs."""
        sizes = sorted({s for one in spec["i"] if one for s in one.get("s") or () if isinstance(s, int) and s > 1})
        if not sizes:
            return
        old, new = self.d.choice(sizes), self.d.choice((1, 2, 3, 4, 5, 6, 8, 10, 16, 24, 33, 64, 129))
        for one in spec["i"]:
            if one and old in (one.get("s") or ()) and _free_size(one):
                one["s"] = [new if size == old else size for size in one["s"]]

    def _rank(self, spec: Json) -> None:
        """One dimension more or less in front of the first input, or of all."""
        which = [one for one in spec["i"] if one and _free_size(one) and one.get("s") is not None]
        more = self.d.odds(0.6)
        for one in which if self.d.odds(0.5) else which[:1]:
            one["s"] = [1, *one["s"]] if more else one["s"][1:]

    def _attribute(self, spec: Json) -> None:
        """Another value for one attribute, or none."""
        known = schema(onnx_probe.name(spec), spec["opset"])
        names = sorted(known.attributes) if known else []
        if not names:
            return
        name = self.d.choice(names)
        a = spec.setdefault("a", {})
        if name in a and self.d.odds(0.25):
            del a[name]
        elif name in VALUES:
            a[name] = self.d.choice(VALUES[name])
        else:
            value = self._value(a.get(name), str(known.attributes[name].type).rpartition(".")[2])
            if value is not None:
                a[name] = value

    def _value(self, old: Any, kind: str) -> Any:
        if kind == "INT":
            return self.d.choice((0, 1, 2, -1, 3, (old if isinstance(old, int) else 0) + self.d.choice((-1, 1))))
        if kind == "FLOAT":
            return self.d.choice((0.0, 1.0, 0.5, -1.0, 1e-8, 2.0, 1e-3))
        if kind == "INTS" and isinstance(old, list) and old:
            values, place = list(old), self.d.randrange(len(old))
            values[place] = self.d.choice((0, 1, 2, 3, 4, -1))
            return values if self.d.odds(0.6) else [values[place]] * len(old)
        return None

    def _leave_out(self, spec: Json) -> None:
        """An input that is optional goes, or an output that is."""
        side = self.d.choice(("i", "i", "o"))
        if len(spec[side]) < 2:
            return
        if side == "i" and self.d.odds(0.4):
            spec["i"][self.d.randrange(1, len(spec["i"]))] = None
        else:
            spec[side] = spec[side][:-1]
        while spec[side] and spec[side][-1] is None:
            spec[side].pop()

    def _opset(self, spec: Json) -> None:
        if not spec.get("domain"):
            spec["opset"] = self.d.choice(OPSETS)
            spec.pop("ir", None)
            _moved(spec)

    def _dynamic(self, spec: Json) -> None:
        """A size, the batch or all of the sizes of free inputs are not known; sometimes not even the rank."""
        free = [one for one in spec["i"] if one and "c" not in one and one.get("s")]
        how = self.d.random()
        for one in free if self.d.odds(0.5) else free[:1]:
            if how < 0.5:
                one["sig"] = [-1, *one["s"][1:]]
            elif how < 0.8:
                one["sig"] = [-1 if self.d.odds(0.5) else size for size in one["s"]]
            elif how < 0.95:
                one["sig"] = [-1] * len(one["s"])
            else:
                one.pop("s")

    def _quantize(self, spec: Json) -> None:
        """DequantizeLinear before every float input, QuantizeLinear behind the first output."""
        dtype = self.d.choice(("int8", "uint8", "uint8", "int16", "uint16"))
        scale = {"n": "scale", "t": "float32", "s": [], "c": [0.25]}
        point = {"n": "point", "t": dtype, "s": [], "c": [0]}
        before = []
        for place, one in enumerate(spec["i"]):
            if one is None or one.get("t") != "float32" or "s" not in one or "before" in spec:
                continue
            stored = {key: value for key, value in one.items() if key not in ("n", "data")} | {
                "n": f"q{place}",
                "t": dtype,
            }
            if "c" in one and not isinstance(one["c"], dict):
                stored["c"] = [abs(int(v)) for v in one["c"]]
            spec["i"][place] = {"n": f"x{place}", "t": "float32", "s": one["s"]}
            before.append({"op": "DequantizeLinear", "a": {}, "i": [stored, scale, point], "o": [{"n": f"x{place}"}]})
        if before and spec["opset"] >= 13:
            spec["before"] = before
            spec["o"][0] = {**(spec["o"][0] or {}), "n": "y"}
            spec["after"] = [
                {"op": "QuantizeLinear", "a": {}, "i": [{"n": "y"}, scale, point], "o": [{"n": "q", "t": dtype}]}
            ]


def _free_size(one: Json) -> bool:
    return "c" not in one or (isinstance(one["c"], dict) and "h" not in one["c"])


def _dtype(name: str) -> str | None:
    """The element type of `tensor(float)`; None for what is no tensor."""
    inner = {"float": "float32", "double": "float64"}.get(name[7:-1], name[7:-1])
    return inner if name.startswith("tensor(") and inner in onnx_wire.CODES else None


def _set_type(one: Json, dtype: str) -> None:
    one["t"] = dtype
    if "c" not in one:
        return
    if dtype == "string" or dtype.startswith(("float8", "float4", "complex")):
        del one["c"]
    elif isinstance(one["c"], list):
        one["c"] = [_fitting(value, dtype) for value in one["c"]]
    elif "h" in one["c"]:
        one["c"] = {"r": 1, "lo": 0, "hi": 2}
    elif dtype.startswith(("u", "bool")) and "r" in one["c"]:
        one["c"] |= {"lo": 0, "hi": 2}


def _fitting(value: Any, dtype: str) -> Any:
    if dtype.startswith(("float", "bfloat")):
        return float(value) if isinstance(value, (int, float)) else 0.0
    number = int(value) if isinstance(value, (int, float)) and abs(value) < 128 else 1
    return abs(number) % 2 if dtype == "bool" else abs(number) if dtype.startswith("u") else number


def _moved(spec: Json) -> Json:
    """What was an attribute in one opset and an input in another, moved to where this opset has it."""
    known = schema(onnx_probe.name(spec), spec["opset"])
    newest = schema(onnx_probe.name(spec), 28)
    if known is None or newest is None:
        return spec
    names = [one.name for one in known.inputs]
    variadic = bool(known.inputs) and str(known.inputs[-1].option).endswith("Variadic")
    a = spec.setdefault("a", {})
    for place, formal in enumerate(newest.inputs):
        if formal.name in known.attributes and formal.name not in names and place < len(spec["i"]):
            one = spec["i"][place]
            if one is not None and isinstance(one.get("c"), list):
                scalar = str(known.attributes[formal.name].type).endswith(("INT", "FLOAT"))
                a[formal.name] = one["c"][0] if scalar and one["c"] else one["c"]
    if len(spec["i"]) > len(names) and not variadic:
        spec["i"] = spec["i"][: len(names)]
    for name in [name for name in a if name not in known.attributes]:
        del a[name]
    return spec


def _whole(spec: Json) -> Json | None:
    """`completed` in a fork: onnx's inference aborts the process on some of what is invalid.

    A fork can hang on a lock that a thread held at that moment: one without an answer is made again.
    """
    for _ in range(3):
        ran = isolated(lambda: completed(spec), seconds=60)
        if not (ran.failure or "").startswith("no answer in"):
            break
    if ran.failure and not ran.failure.startswith("killed by"):
        raise RuntimeError(f"{onnx_probe.name(spec)}: {ran.failure}")
    value: Json | None = ran.value
    return value


def completed(spec: Json) -> Json | None:
    """The description with its outputs' types and shapes; None where strict inference or the checker refuses it."""
    import numpy
    import onnx
    from onnx.shape_inference import InferenceError, infer_shapes

    spec.setdefault("a", {})
    blank = {**spec, "o": [one and {k: v for k, v in one.items() if k == "n"} for one in spec["o"]]}
    try:
        model = onnx.load_from_string(onnx_probe.write(blank))
        inferred = infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
        known = {v.name: v for v in (*inferred.graph.output, *inferred.graph.value_info)}
        for place, one in enumerate(spec["o"]):
            if one is not None:
                _fill(one, known.get(one.get("n", f"o{place}")))
        for after in spec.get("after", ()):
            after["o"][0]["s"] = spec["o"][0].get("s", [])
        onnx.checker.check_model(onnx.load_from_string(onnx_probe.write(spec)), full_check=True)
    except (InferenceError, onnx.checker.ValidationError, ValueError, TypeError, KeyError, OverflowError, IndexError,
            numpy.exceptions.AxisError, onnx_probe.EdgecheckError):  # fmt: skip
        return None
    return spec


def _fill(one: Json, value: Any) -> None:
    """What inference found of an output."""
    if value is None or not value.type.HasField("tensor_type"):
        return
    names = {code: name for name, code in onnx_wire.CODES.items()}
    found = value.type.tensor_type
    if found.elem_type:
        one["t"] = names[found.elem_type]
    one.pop("s", None)
    if found.HasField("shape"):
        one["s"] = [size.dim_value if size.HasField("dim_value") else None for size in found.shape.dim]


def made(seed: int, count: int, ops: list[str]) -> Iterator[Json]:
    """`count` probes of the seed, each different."""
    maker, seen = Maker(seed, ops), set()
    for _ in range(50 * count if maker.ops else 0):
        spec = maker.probe()
        text = json.dumps(spec, sort_keys=True)
        if spec is not None and text not in seen:
            seen.add(text)
            yield spec
            if len(seen) == count:
                return


def node_tests() -> Iterator[Json]:
    """onnx's tests of one operator each."""
    for tests in seeds().values():
        for spec in tests:
            for one in (*spec["i"], *spec["o"]):
                if one is not None:
                    one.pop("data", None)
            yield spec


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--ops", default="")
    parser.add_argument("--node-tests", action="store_true")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--files", type=Path)
    options = parser.parse_args()
    ops = [op for op in options.ops.split(",") if op]
    specs = list(node_tests() if options.node_tests else made(options.seed, options.count, ops))
    options.out.write_text("".join(json.dumps(spec) + "\n" for spec in specs))
    if options.files:
        options.files.mkdir(parents=True, exist_ok=True)
        for number, spec in enumerate(specs):
            (options.files / f"{number:05}.onnx").write_bytes(onnx_probe.write(spec))
    return 0


if __name__ == "__main__":
    random.seed(0)
    sys.exit(main())
