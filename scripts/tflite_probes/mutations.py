"""One or two things of a description changed; it may no longer be valid."""

from __future__ import annotations

import copy

from tflite_probes.dice import ALL_TYPES, Dice, Json


def mutate(d: Dice, spec: Json) -> Json:
    """The description with one or two things changed; it may no longer be valid."""
    spec = copy.deepcopy(spec)
    for _ in range(d.choice((1, 1, 1, 2))):
        d.choice(MUTATIONS)(d, spec)
    return spec


def _any_tensor(d: Dice, spec: Json) -> Json | None:
    tensors = [t for t in (*spec["i"], *spec["i"], *spec["o"]) if t is not None]
    return d.choice(tensors) if tensors else None


def change_dtype(d: Dice, spec: Json) -> None:
    one = _any_tensor(d, spec)
    if one is None:
        return
    one["t"] = d.choice(ALL_TYPES)
    if d.random() < 0.8:
        one.pop("q", None)
        q = d.quantization(one["t"])
        if q:
            one["q"] = q
    if one["t"] in ("bool", "uint8", "uint16", "uint32") and isinstance(one.get("c"), dict) and "r" in one["c"]:
        one["c"]["lo"], one["c"]["hi"] = 0, 2


def change_all_dtypes(d: Dice, spec: Json) -> None:
    old = next((t["t"] for t in spec["i"] if t), None)
    new = d.choice(ALL_TYPES)
    for one in (*spec["i"], *spec["o"]):
        if one and one["t"] == old and "c" not in one:
            one["t"] = new
            one.pop("q", None)
            q = d.quantization(new)
            if q:
                one["q"] = q


def change_quantization(d: Dice, spec: Json) -> None:
    one = _any_tensor(d, spec)
    if one is None:
        return
    how = d.randrange(6)
    if how == 0:
        one.pop("q", None)
    elif how == 1:
        n = one["s"][-1] if one["s"] else 1
        one["q"] = {"s": [0.1] * n, "z": [0] * n, "d": max(len(one["s"]) - 1, 0)}
    elif how == 2:
        one["q"] = [0.1, d.choice((-129, 5, 128, 256, 1000, -1))]
    elif how == 3:
        one["q"] = [d.choice((1e-30, 1e20, 0.0, 1e-3)), 0]
    else:
        one["q"] = d.quantization(one["t"]) or [0.1, 0]


def change_constness(d: Dice, spec: Json) -> None:
    index = d.randrange(len(spec["i"])) if spec["i"] else 0
    one = spec["i"][index] if spec["i"] else None
    if one is None:
        return
    if "c" in one:
        del one["c"]
    elif not one.get("var"):
        one["c"] = {"f": 1}


def change_rank(d: Dice, spec: Json) -> None:
    how = d.randrange(3)
    for one in (*spec["i"], *spec["o"]):
        if one is None or ("c" in one and how):
            continue
        if how == 0:
            one["s"] = [1, *one["s"]] if "c" not in one else one["s"]
        elif how == 1 and one["s"][:1] == [1]:
            one["s"] = one["s"][1:]
        elif how == 2 and d.random() < 0.5:
            one["s"] = [1, 1, *one["s"]]


def change_batch(d: Dice, spec: Json) -> None:
    for one in (*spec["i"], *spec["o"]):
        if one and "c" not in one and len(one["s"]) > 1 and not one.get("var"):
            one["s"][0] = one["s"][0] * 2


def change_dimension(d: Dice, spec: Json) -> None:
    one = _any_tensor(d, spec)
    if one and one["s"] and not isinstance(one.get("c"), list):
        one["s"][d.randrange(len(one["s"]))] = d.choice((1, 2, 3, 17, 128, 260))


def make_dynamic(d: Dice, spec: Json) -> None:
    """As converters write it: the signature says -1, the shape 1."""
    where = 0 if d.random() < 0.7 else None
    for one in (*spec["i"], *spec["o"]):
        if one and "c" not in one and one["s"] and not one.get("var"):
            at = d.randrange(len(one["s"])) if where is None else 0
            one["sig"] = [*one["s"][:at], -1, *one["s"][at + 1 :]]
            one["s"][at] = 1


def drop_input(d: Dice, spec: Json) -> None:
    if len(spec["i"]) < 2:
        return
    if d.random() < 0.5:
        spec["i"].pop()
    else:
        spec["i"][-1] = None


def change_attribute(d: Dice, spec: Json) -> None:
    attrs = spec.get("a")
    if not attrs:
        return
    key = d.choice(sorted(attrs))
    value = attrs[key]
    if isinstance(value, bool):
        attrs[key] = not value
    elif isinstance(value, int):
        attrs[key] = d.choice((0, 1, 2, 3, 4, 5, 7, -1))
    elif key == "fused_activation_function":
        attrs[key] = d.choice(("RELU", "RELU6", "RELU_N1_TO_1", "TANH", "SIGN_BIT", "NONE"))


def change_version(d: Dice, spec: Json) -> None:
    spec["v"] = d.choice((2, 3, 5, 9))


def make_scalar(d: Dice, spec: Json) -> None:
    one = _any_tensor(d, spec)
    if one and not isinstance(one.get("c"), list):
        one["s"] = []


MUTATIONS = (
    change_dtype,
    change_dtype,
    change_all_dtypes,
    change_all_dtypes,
    change_quantization,
    change_quantization,
    change_quantization,
    change_constness,
    change_constness,
    change_rank,
    change_batch,
    change_batch,
    change_dimension,
    make_dynamic,
    drop_input,
    change_attribute,
    change_attribute,
    change_version,
    make_scalar,
)
