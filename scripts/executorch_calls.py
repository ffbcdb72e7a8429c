"""Calls of torch functions to make programs of: each a function, its inputs and its constants, drawn at random.

`CALLS` has them by name; scripts/make_probes_executorch.py puts them into programs.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F  # torch's own name for it

Call = Callable[..., Any]
R = random.Random()
#: Core ML's converter refuses a whole program for any type but float32, int32 and bool: `plain` draws these only.
DRAWN = {"plain": False}


def dims(rank: int, low: int = 2, high: int = 9) -> tuple[int, ...]:
    return tuple(R.randint(low, high) for _ in range(rank))


def rank(*choices: int) -> tuple[int, ...]:
    return dims(R.choice(choices or (1, 2, 3, 4, 5)))


def image(channels: int | None = None) -> tuple[int, int, int, int]:
    return (R.choice((1, 2)), channels or R.choice((2, 3, 4, 8)), R.randint(6, 12), R.randint(6, 12))


FLOATS = (torch.float32,) * 8 + (torch.float16, torch.bfloat16, torch.float64)
ANY = (torch.float32,) * 6 + (torch.float16, torch.int32, torch.int64, torch.int8, torch.uint8)
INTS = (torch.int32, torch.int64)


def t(shape: tuple[int, ...], dtypes: tuple[torch.dtype, ...] = FLOATS) -> torch.Tensor:
    return made(shape, R.choice(dtypes))


def made(shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    generator = torch.Generator().manual_seed(R.randrange(1 << 30))
    if DRAWN["plain"]:
        dtype = torch.float32 if dtype.is_floating_point else torch.bool if dtype == torch.bool else torch.int32
    if dtype == torch.bool:
        return torch.randint(0, 2, shape, generator=generator).bool()
    if not dtype.is_floating_point:
        return torch.randint(1, 4, shape, generator=generator).to(dtype)
    return (torch.rand(shape, generator=generator) * 0.8 + 0.1).to(dtype)


def unary(function: Call, dtypes: tuple[torch.dtype, ...] = FLOATS) -> Call:
    return lambda: (function, [t(rank(), dtypes)], [])


UNARY: dict[str, Call] = {
    name: unary(getattr(torch, name))
    for name in (
        "abs", "neg", "relu", "sigmoid", "tanh", "exp", "log", "sqrt", "rsqrt", "sin", "cos", "floor", "ceil", "round",
        "erf", "reciprocal", "square", "sign", "log1p", "expm1", "tan", "atan", "log2", "log10", "asin", "acos",
        "sinh", "cosh", "isnan", "isinf", "logical_not", "trunc", "selu", "zeros_like", "ones_like", "frac", "asinh",
        "acosh", "atanh", "exp2", "erfinv", "rad2deg", "sgn",
    )
}  # fmt: skip
UNARY |= {
    name: unary(getattr(F, name))
    for name in (
        "relu6", "hardswish", "hardsigmoid", "silu", "elu", "mish", "softplus", "celu", "logsigmoid", "tanhshrink",
        "softsign", "hardshrink", "softshrink", "hardtanh",
    )
}  # fmt: skip
UNARY |= {
    "abs_int": unary(torch.abs, INTS),
    "neg_int": unary(torch.neg, INTS),
    "relu_int": unary(torch.relu, INTS),
    "bitwise_not": unary(torch.bitwise_not, (*INTS, torch.bool)),
    "gelu": lambda: (_gelu(R.choice(("none", "tanh"))), [t(rank())], []),
    "leaky_relu": lambda: (_with(F.leaky_relu, R.choice((0.01, 0.2))), [t(rank())], []),
    "hardtanh_args": lambda: (_with(F.hardtanh, *R.choice(((-2.0, 2.0), (0.0, 6.0), (0.0, 1.0)))), [t(rank())], []),
    "elu_alpha": lambda: (_with(F.elu, R.choice((1.0, 0.5))), [t(rank())], []),
    "clamp": lambda: (_with(torch.clamp, *R.choice(((0.0, 1.0), (None, 0.5), (0.2, None), (0, 6)))), [t(rank(), ANY)], []),
    "pow": lambda: (_with(torch.pow, R.choice((2, 2, 2.0, 3, 0.5, -1, -0.5))), [t(rank())], []),
    "dropout": lambda: (lambda x: F.dropout(x, 0.5, training=False), [t(rank(), ANY)], []),
    "softplus_beta": lambda: (lambda x: F.softplus(x, 2.0), [t(rank())], []),
    "clone": unary(torch.clone, ANY),
    "contiguous": unary(lambda x: x.contiguous(), ANY),
    "detach": unary(lambda x: x.detach(), ANY),
    "to": lambda: (_to(R.choice((torch.float32, torch.int32) if DRAWN["plain"] else (torch.float32, torch.float16, torch.int64, torch.int32, torch.bool))), [t(rank(), ANY)], []),
    "channels_last": lambda: (lambda x: x.contiguous(memory_format=torch.channels_last), [t(rank(4))], []),
    "full_like": lambda: (lambda x: torch.full_like(x, 2.0), [t(rank())], []),
    "bernoulli_free": lambda: (lambda x: x + torch.arange(x.shape[-1]), [t(rank(2, 3))], []),
    "nan_to_num": unary(torch.nan_to_num),
    "glu": lambda: (_with(F.glu, -1), [t((*dims(R.choice((1, 2, 3))), 4))], []),
    "normalize": lambda: (lambda x: F.normalize(x, dim=-1), [t(rank(2, 3))], []),
}  # fmt: skip


def _with(function: Call, *args: Any, **kwargs: Any) -> Call:
    return lambda *given: function(*given, *args, **kwargs)


def _gelu(kind: str) -> Call:
    return lambda x: F.gelu(x, approximate=kind)


def _to(dtype: torch.dtype) -> Call:
    return lambda x: x.to(dtype)


def pair(dtypes: tuple[torch.dtype, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    """Two tensors that broadcast; mostly of one dtype."""
    shape = rank(1, 2, 3, 4)
    other = tuple(1 if R.random() < 0.25 else d for d in shape) if R.random() < 0.4 else shape
    other = other[R.randrange(len(other)) :] if R.random() < 0.2 else other
    first = R.choice(dtypes)
    second = first if R.random() < 0.92 else R.choice(dtypes)
    return made(shape, first), made(other, second)


def binary(function: Call, dtypes: tuple[torch.dtype, ...] = ANY, scalar: bool = True) -> Call:
    def make() -> tuple[Call, list[torch.Tensor], list[torch.Tensor | None]]:
        kind = R.random()
        a, b = pair(dtypes)
        if scalar and kind < 0.25:
            return _with(function, R.choice((2, 0.5, 3.0, 1))), [a], []
        return (function, [a], [b]) if kind < 0.45 else (function, [a, b], [])

    return make


BINARY: dict[str, Call] = {
    name: binary(getattr(torch, name), scalar=name not in ("maximum", "minimum", "fmod_"))
    for name in ("add", "sub", "mul", "div", "eq", "ne", "lt", "le", "gt", "ge", "remainder", "rsub", "floor_divide")
}  # fmt: skip
BINARY |= {
    "maximum": binary(torch.maximum, scalar=False),
    "minimum": binary(torch.minimum, scalar=False),
    "pow_tensor": binary(torch.pow, FLOATS),
    "atan2": binary(torch.atan2, FLOATS, scalar=False),
    "fmod": binary(torch.fmod, FLOATS),
    "logical_and": binary(torch.logical_and, (torch.bool,), scalar=False),
    "logical_or": binary(torch.logical_or, (torch.bool,), scalar=False),
    "bitwise_and": binary(torch.bitwise_and, (*INTS, torch.bool), scalar=False),
    "add_alpha": lambda: (_with(torch.add, alpha=R.choice((2, 1.0, 0.5))), list(pair((torch.float32,))), []),
    "sub_alpha": lambda: (_with(torch.sub, alpha=R.choice((2, 1.0))), list(pair((torch.float32,))), []),
    "div_mode": lambda: (_with(torch.div, rounding_mode=R.choice(("floor", "trunc"))), list(pair(ANY)), []),
    "prelu": lambda: (F.prelu, [t((1, 4, *dims(R.choice((0, 1, 2)))))], [torch.rand(R.choice((1, 4)))]),
    "prelu_input": lambda: (F.prelu, [t((1, 4, 3)), torch.rand(4)], []),
    "where": lambda: (torch.where, [made((2, 3), torch.bool), *_two((2, 3))], []),
    "masked_fill": lambda: (lambda x, m: x.masked_fill(m, 0.5), [t((2, 3)), made((2, 3), torch.bool)], []),
    "addcmul": lambda: (torch.addcmul, [*_two((2, 3)), torch.rand(2, 3)], []),
    "lerp": lambda: (lambda x, y: torch.lerp(x, y, 0.3), list(_two((2, 3))), []),
}  # fmt: skip


def _two(shape: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.rand(shape), torch.rand(shape)


def linear() -> tuple[Call, list[torch.Tensor], list[torch.Tensor | None]]:
    dtype = R.choice(FLOATS)
    x = made((*dims(R.choice((0, 1, 1, 2))), 6), dtype)
    w, b = made((4, 6), dtype), made((4,), dtype) if R.random() < 0.7 else None
    if R.random() < 0.15:
        return F.linear, [x, w], []
    return F.linear, [x], [w, b]


def matmul() -> tuple[Call, list[torch.Tensor], list[torch.Tensor | None]]:
    dtype = R.choice(FLOATS)
    batch = dims(R.choice((0, 0, 1, 2)))
    a = made((*batch, 5, 6), dtype)
    b = made((*(batch if R.random() < 0.7 else ()), 6, 4), dtype)
    return (torch.matmul, [a], [b]) if R.random() < 0.4 else (torch.matmul, [a, b], [])


def conv(spatial: int, transposed: bool = False) -> Call:
    function = getattr(F, f"conv{'_transpose' if transposed else ''}{spatial}d")

    def make() -> tuple[Call, list[torch.Tensor], list[torch.Tensor | None]]:
        dtype = R.choice(FLOATS)
        groups, channels = R.choice(((1, 3), (1, 4), (2, 4), (4, 4)))
        out = R.choice((4, 8))
        kernel = tuple(R.choice((1, 2, 3)) for _ in range(spatial))
        shape = (channels, out // groups, *kernel) if transposed else (out, channels // groups, *kernel)
        x = made((R.choice((1, 2)), channels, *(R.randint(7, 11) for _ in range(spatial))), dtype)
        if R.random() < 0.08:
            x = x[0]
        options: dict[str, Any] = {"stride": R.choice((1, 2)), "groups": groups, "dilation": R.choice((1, 1, 2))}
        options["padding"] = R.choice((0, 1)) if transposed or R.random() < 0.85 else "same"
        if options["padding"] == "same":
            options["stride"] = 1
        if transposed and options["stride"] == 2 and R.random() < 0.3:
            options["output_padding"] = 1
        w, b = made(shape, dtype), made((out,), dtype)
        if R.random() < 0.1:
            return _with(function, **options), [x, w], []
        return (lambda x, w, b: function(x, w, b, **options)), [x], [w, b if R.random() < 0.7 else None]

    return make


def batch_norm(spatial: int) -> Call:
    def make() -> tuple[Call, list[torch.Tensor], list[torch.Tensor | None]]:
        dtype = R.choice(FLOATS)
        c = 4
        affine = R.random() < 0.8
        x = made((2, c, *dims(spatial)), dtype)
        w, b = (made((c,), dtype), made((c,), dtype)) if affine else (None, None)
        mean, var = made((c,), dtype), made((c,), dtype)
        return (lambda x, m, v, w, b: F.batch_norm(x, m, v, w, b)), [x], [mean, var, w, b]

    return make


def pool(function: Call, spatial: int, maximum: bool) -> Call:
    def make() -> tuple[Call, list[torch.Tensor], list[torch.Tensor | None]]:
        kernel = R.choice((2, 3))
        options: dict[str, Any] = {"stride": R.choice((None, 1, 2, 3)), "padding": R.choice((0, 0, 1))}
        options["ceil_mode"] = R.random() < 0.25
        if maximum:
            options["dilation"] = R.choice((1, 1, 1, 2))
        else:
            options["count_include_pad"] = R.random() < 0.5
            if spatial == 2 and R.random() < 0.2:
                options["divisor_override"] = R.choice((kernel * kernel, 3))
        x = t((R.choice((1, 2)), 3, *(R.randint(7, 11) for _ in range(spatial))))
        return _with(function, kernel, **options), [x[0] if R.random() < 0.1 else x], []

    return make


def reduction(function: Call, dtypes: tuple[torch.dtype, ...] = FLOATS, several: bool = True) -> Call:
    def make() -> tuple[Call, list[torch.Tensor], list[torch.Tensor | None]]:
        shape = rank(2, 3, 4, 4)
        last = [len(shape) - 2, len(shape) - 1]
        choices = [last, [-2, -1], [-1], [1], [0]] if several else [-1, 0, 1]
        dim, keep = R.choice(choices), R.random() < 0.6
        return (lambda x: function(x, dim=dim, keepdim=keep)), [t(shape, dtypes)], []

    return make


def along(function: Call, dtypes: tuple[torch.dtype, ...] = FLOATS) -> Call:
    def make() -> tuple[Call, list[torch.Tensor], list[torch.Tensor | None]]:
        shape = rank(1, 2, 3, 4)
        dim = R.choice((-1, -1, len(shape) - 1, 0))
        return (lambda x: function(x, dim=dim)), [t(shape, dtypes)], []

    return make


def moved(function: Call, shape: Call, dtypes: tuple[torch.dtype, ...] = ANY) -> Call:
    return lambda: (function, [t(shape(), dtypes)], [])


def permute() -> tuple[Call, list[torch.Tensor], list[torch.Tensor | None]]:
    shape = rank(2, 3, 4, 5)
    order = list(range(len(shape)))
    R.shuffle(order)
    return (lambda x: x.permute(order)), [t(shape, ANY)], []


def cat() -> tuple[Call, list[torch.Tensor], list[torch.Tensor | None]]:
    shape, count = rank(1, 2, 3, 4), R.choice((1, 2, 2, 3, 4, 5, 6, 7))
    dtype = R.choice(ANY)
    dim = R.choice((0, -1))
    return (lambda *xs: torch.cat(xs, dim=dim)), [made(shape, dtype) for _ in range(count)], []


def slice_() -> tuple[Call, list[torch.Tensor], list[torch.Tensor | None]]:
    step = R.choice((1, 1, 1, 2))
    if R.random() < 0.3:
        return (lambda x: x[:, 1]), [t(rank(2, 3, 4), ANY)], []
    return (lambda x: x[..., 1::step]), [t(rank(1, 2, 3, 4), ANY)], []


def pad() -> tuple[Call, list[torch.Tensor], list[torch.Tensor | None]]:
    mode = R.choice(("constant", "constant", "constant", "reflect", "replicate"))
    amounts = (
        R.choice(((1, 1), (1, 1, 2, 0), (0, 1, 0, 1)))
        if mode != "constant"
        else R.choice(((1, 2), (1, 1, 1, 1), (0, -1)))
    )
    shape = dims(len(amounts) // 2 + 2, 4, 7)
    extra = {"value": 0.5} if mode == "constant" and R.random() < 0.4 else {}
    return (lambda x: F.pad(x, amounts, mode=mode, **extra)), [t(shape)], []


def upsample() -> tuple[Call, list[torch.Tensor], list[torch.Tensor | None]]:
    mode = R.choice(("nearest", "bilinear", "bilinear", "bicubic"))
    options: dict[str, Any] = {"mode": mode}
    options |= {"scale_factor": R.choice((2, 1.5))} if R.random() < 0.6 else {"size": (R.randint(8, 20), 16)}
    if mode != "nearest":
        options["align_corners"] = R.random() < 0.5
    return (lambda x: F.interpolate(x, **options)), [t(image())], []


def attention() -> tuple[Call, list[torch.Tensor], list[torch.Tensor | None]]:
    dtype = R.choice((torch.float32, torch.float32, torch.float16))
    q, k, v = (made((1, 2, 5, 8), dtype) for _ in range(3))
    options = {"is_causal": True} if R.random() < 0.3 else {}
    return (lambda q, k, v: F.scaled_dot_product_attention(q, k, v, **options)), [q, k, v], []


OTHER: dict[str, Call] = {
    "linear": linear, "matmul": matmul, "conv1d": conv(1), "conv2d": conv(2), "conv3d": conv(3), "conv2d_again": conv(2),
    "conv_transpose1d": conv(1, True), "conv_transpose2d": conv(2, True),
    "batch_norm1": batch_norm(1), "batch_norm2": batch_norm(2), "batch_norm3": batch_norm(3), "batch_norm0": batch_norm(0),
    "max_pool2d": pool(F.max_pool2d, 2, True), "avg_pool2d": pool(F.avg_pool2d, 2, False),
    "max_pool1d": pool(F.max_pool1d, 1, True), "avg_pool1d": pool(F.avg_pool1d, 1, False),
    "max_pool3d": pool(F.max_pool3d, 3, True), "avg_pool3d": pool(F.avg_pool3d, 3, False),
    "adaptive_avg": lambda: (_with(F.adaptive_avg_pool2d, R.choice((1, (1, 1), 2, 3))), [t(image())], []),
    "adaptive_max": lambda: (_with(F.adaptive_max_pool2d, R.choice((1, 2))), [t(image())], []),
    "adaptive_avg1": lambda: (_with(F.adaptive_avg_pool1d, R.choice((1, 2))), [t(dims(3, 4, 8))], []),
    "mean": reduction(torch.mean), "sum": reduction(torch.sum, ANY), "amax": reduction(torch.amax), "amin": reduction(torch.amin),
    "var": reduction(torch.var), "std": reduction(torch.std), "any": reduction(torch.any, (torch.bool,), False),
    "prod": reduction(torch.prod, FLOATS, False), "argmax": reduction(torch.argmax, FLOATS, False),
    "argmin": reduction(torch.argmin, FLOATS, False), "logsumexp": reduction(torch.logsumexp),
    "mean_all": unary(torch.mean), "sum_all": unary(torch.sum), "max_all": unary(torch.max),
    "argmax_all": unary(torch.argmax),
    "max_values": lambda: (lambda x: torch.max(x, dim=-1)[0], [t(rank(2, 3, 4, 4))], []),
    "max_dim": lambda: (lambda x: torch.max(x, dim=-1), [t(rank(2, 3, 4))], []),
    "min_dim": lambda: (lambda x: torch.min(x, dim=-1), [t(rank(2, 3, 4))], []),
    "norm": lambda: (lambda x: torch.linalg.vector_norm(x, dim=-1), [t(rank(2, 3))], []),
    "softmax": along(torch.softmax), "log_softmax": along(torch.log_softmax), "cumsum": along(torch.cumsum, ANY),
    "sort": along(torch.sort), "topk": lambda: (lambda x: torch.topk(x, 2), [t(rank(2, 3))], []),
    "layer_norm": lambda: (lambda x, w, b: F.layer_norm(x, (6,), w, b), [made((2, 3, 6), torch.float32)],
                           [torch.rand(6), torch.rand(6)] if R.random() < 0.7 else [None, None]),
    "group_norm": lambda: (lambda x, w, b: F.group_norm(x, 2, w, b), [torch.rand(2, 4, 5, 5)], [torch.rand(4), torch.rand(4)]),
    "instance_norm": lambda: (F.instance_norm, [torch.rand(2, 4, 5, 5)], []),
    "rms_norm": lambda: (lambda x, w: F.rms_norm(x, (6,), w), [torch.rand(2, 3, 6)], [torch.rand(6)]),
    "attention": attention, "mm": lambda: (torch.mm, [t((3, 4), (torch.float32,))], [torch.rand(4, 5)]),
    "bmm": lambda: (torch.bmm, [torch.rand(2, 3, 4), torch.rand(2, 4, 5)], []),
    "addmm": lambda: (torch.addmm, [torch.rand(5), torch.rand(3, 4), torch.rand(4, 5)], []),
    "addmm_const": lambda: (lambda x, w, b: torch.addmm(b, x, w), [torch.rand(3, 4)], [torch.rand(4, 5), torch.rand(5)]),
    "baddbmm": lambda: (torch.baddbmm, [torch.rand(2, 3, 5), torch.rand(2, 3, 4), torch.rand(2, 4, 5)], []),
    "einsum": lambda: (lambda a, b: torch.einsum("bij,bjk->bik", a, b), [torch.rand(2, 3, 4), torch.rand(2, 4, 5)], []),
    "outer": lambda: (torch.outer, [torch.rand(3), torch.rand(4)], []),
    "reshape": moved(lambda x: x.reshape(-1), rank), "flatten": moved(lambda x: x.flatten(1), lambda: rank(2, 3, 4)),
    "view": moved(lambda x: x.view(x.shape[0], -1), lambda: rank(2, 3, 4)), "permute": permute,
    "transpose": moved(lambda x: x.transpose(0, -1), lambda: rank(2, 3, 4)), "t": moved(lambda x: x.t(), lambda: rank(2)),
    "unsqueeze": lambda: (_with(torch.unsqueeze, R.choice((-1, 0, 1))), [t(rank(1, 2, 3, 4), ANY)], []),
    "squeeze": lambda: (_with(torch.squeeze, 1), [t((2, 1, *dims(R.choice((0, 1, 2)))), ANY)], []),
    "slice": slice_, "select": moved(lambda x: x.select(0, 1), lambda: rank(2, 3, 4)), "cat": cat,
    "stack": lambda: (lambda a, b: torch.stack((a, b), R.choice((0, 1))), list(_two((2, 3))), []),
    "split": moved(lambda x: torch.split(x, 2, dim=-1), lambda: (*dims(R.choice((1, 2, 3))), 4)),
    "chunk": moved(lambda x: torch.chunk(x, 2, dim=1), lambda: (2, 4, *dims(R.choice((0, 1, 2))))),
    "unbind": moved(lambda x: torch.unbind(x, 0), lambda: rank(2, 3)),
    "expand": moved(lambda x: x.expand(3, *x.shape[1:]), lambda: (1, *dims(R.choice((1, 2))))),
    "repeat": moved(lambda x: x.repeat(*([2] * x.dim())), lambda: rank(1, 2, 3)), "pad": pad, "upsample": upsample,
    "flip": moved(lambda x: x.flip(0), lambda: rank(2, 3)), "roll": moved(lambda x: x.roll(1, 0), lambda: rank(2, 3)),
    "gather": lambda: (lambda x, i: torch.gather(x, 1, i), [torch.rand(3, 4), torch.randint(0, 4, (3, 2))], []),
    "index_select": lambda: (lambda x, i: torch.index_select(x, 0, i), [torch.rand(3, 4), torch.tensor([0, 2])], []),
    "index": lambda: (lambda x, i: x[i], [torch.rand(3, 4), torch.tensor([0, 2])], []),
    "embedding": lambda: (lambda i, w: F.embedding(i, w), [made((2, 3), R.choice(INTS))], [torch.rand(5, 4)]),
    "pixel_shuffle": lambda: (_with(F.pixel_shuffle, 2), [t((1, 8, 3, 3))], []),
    "pixel_unshuffle": lambda: (_with(F.pixel_unshuffle, 2), [t((1, 2, 4, 4))], []),
    "channel_shuffle": lambda: (lambda x: F.channel_shuffle(x, 2), [torch.rand(1, 4, 3, 3)], []),
    "tril": moved(torch.tril, lambda: rank(2)), "unfold": lambda: (lambda x: F.unfold(x, 2), [torch.rand(1, 2, 5, 5)], []),
    "grid_sample": lambda: (lambda x, g: F.grid_sample(x, g, align_corners=False), [torch.rand(1, 2, 5, 5), torch.rand(1, 4, 4, 2)], []),
    "conv_bn": lambda: (lambda x, w, m, v: F.batch_norm(F.conv2d(x, w), m, v), [torch.rand(1, 3, 6, 6)],
                        [torch.rand(4, 3, 3, 3), torch.rand(4), torch.rand(4)]),
    "linear_bn": lambda: (lambda x, w, m, v: F.batch_norm(F.linear(x, w), m, v), [torch.rand(2, 3)],
                          [torch.rand(4, 3), torch.rand(4), torch.rand(4)]),
    "conv_relu": lambda: (lambda x, w: F.relu(F.conv2d(x, w)), [torch.rand(1, 3, 6, 6)], [torch.rand(4, 3, 3, 3)]),
    "movedim": moved(lambda x: x.movedim(0, -1), lambda: rank(2, 3, 4)),
    "unflatten": moved(lambda x: x.unflatten(-1, (2, -1)), lambda: (3, 4)),
    "type_as": lambda: (lambda a, b: a.type_as(b), [t((2, 3)), t((2, 3))], []),
    "scatter": lambda: (lambda x, i, s: x.scatter(1, i, s), [torch.rand(3, 4), torch.randint(0, 4, (3, 2)), torch.rand(3, 2)], []),
    "one_hot": lambda: (_with(F.one_hot, 4), [torch.randint(0, 4, (3,))], []),
    "select_scatter": lambda: (lambda x, y: torch.select_scatter(x, y, 0, 1), [torch.rand(3, 4), torch.rand(4)], []),
    "mul_int_scalar": lambda: (lambda x: x * 2, [t(rank(), (torch.float32, torch.int64))], []),
    "local_response": lambda: (_with(F.local_response_norm, 2), [torch.rand(1, 4, 5, 5)], []),
    "cosine": lambda: (F.cosine_similarity, list(_two((2, 3))), []),
}  # fmt: skip
CALLS = UNARY | BINARY | OTHER
