"""What Arm's partitioner asks of layers: the attributes of convolutions, poolings, upsampling and sums."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace

from executorch_rules import Limit

U85 = json.dumps([f"ethos-u85-{macs}" for macs in (128, 256, 512, 1024, 2048)])


#: Makes the limit of this name, condition and sentence.
Say = Callable[[str, str, str], Limit]


def of_source(op: str, at: str) -> Iterator[Limit]:
    """The same of an operator of the file; Ethos-U65 has the checks of Ethos-U55."""

    def both(name: str, require: str, say: str) -> Limit:
        return Limit(id=name, require=require, say=say, source=at)

    def u55(name: str, require: str, say: str) -> Limit:
        return both(name, f"env.config in {U85} or ({require})", f"{say}, on Ethos-U55 and U65")

    if "conv" in op:
        batched = both(
            "batched", "in[0].rank == in.weight.rank",
            "the input has a batch dimension: one that is made for it stands between the layer and its dequantize",
        )  # fmt: skip
        yield replace(batched, help="add the batch dimension before the model")
    if "conv_transpose" in op:
        yield from of_transposed(both, u55)
    elif ".conv" in op:
        yield from of_convolution(op, u55)
    elif "max_pool" in op:
        yield from of_maximum(both, u55)
    elif "avg_pool" in op:
        yield from of_average(u55)
    elif "upsample" in op:
        yield from of_upsampling(both, u55)
    else:
        yield of_sum(u55)


def of_maximum(both: Say, u55: Say) -> Iterator[Limit]:
    yield both(
        "dilation", "all(d == 1 for d in attr.dilation) or all(s == 1 for s in attr.stride) and len(attr.stride) > 0",
        "a pooling with a dilation needs stride 1",
    )  # fmt: skip
    yield u55(
        "stride-3",
        f"({POOL_STRIDE}) or ((len(attr.stride) == 0 or attr.stride == attr.kernel_size) and all(p == 0 for p in attr.padding) and all(d == 1 for d in attr.dilation) and not attr.ceil_mode)",
        "the stride is at most 3, or that of a pooling that neither overlaps nor pads",
    )
    yield u55("pool-window", POOL_WINDOW, "the window is at most 256 wide and has at most 65536 elements")


def of_average(u55: Say) -> Iterator[Limit]:
    yield u55("batch-1", "in[0].shape[0] == 1", "the batch is 1")
    yield u55("stride-3", POOL_STRIDE, "the stride is at most 3")
    yield u55("pool-window", POOL_WINDOW, "the window is at most 256 wide and has at most 65536 elements")
    yield u55(
        "padded-window",
        "all(k <= 8 for k in attr.kernel_size) or attr.count_include_pad or exists(attr.divisor_override) or all(p == 0 for p in attr.padding)",
        "a padded window is at most 8 x 8",
    )


def of_upsampling(both: Say, u55: Say) -> Iterator[Limit]:
    yield u55("batch-1", "in[0].shape[0] == 1", "the batch is 1")
    yield u55(
        "twofold",
        "any(out[0].shape[2] == k * in[0].shape[2] and out[0].shape[3] == k * in[0].shape[3] for k in [2, 4, 8])"
        " and (not exists(attr.scale_factors) or attr.scale_factors[0] in [2, 4, 8])",
        "both sides grow 2, 4 or 8 times",
    )
    scaled = " and ".join(
        f"out[0].shape[{n}] <= 1024 and out[0].shape[{n}] <= 256 * in[0].shape[{n}] and 16 * out[0].shape[{n}] > in[0].shape[{n}]"
        for n in (2, 3)
    )
    asked = both("resize", "", "what TOSA's RESIZE asks of scale, offset and border")
    yield replace(asked, when=f"env.config in {U85} and not ({scaled})")


def of_sum(u55: Say) -> Limit:
    dims = "(attr.dim if exists(attr.dim) and len(attr.dim) > 0 else [d - 1 for d in 1..in[0].rank])"
    before = "sum([log2(n) for n in in[0].shape[:d % in[0].rank]]) < 16.0001"
    behind = "sum([log2(n) for n in in[0].shape[d % in[0].rank + 1:]]) < 16.0001"
    return u55(
        "sum-size", f"in[0].size <= 65536 or all(in[0].shape[d] <= 65536 and {before} and {behind} for d in {dims})",
        "the products of the sizes before and behind a summed dimension are at most 65536",
    )  # fmt: skip


POOL_STRIDE = "all(s <= 3 for s in attr.stride) and (len(attr.stride) > 0 or all(k <= 3 for k in attr.kernel_size))"
POOL_WINDOW = "attr.kernel_size[-1] <= 256 and attr.kernel_size[0] * attr.kernel_size[-1] <= 65536"


def of_transposed(both: Say, u55: Say) -> Iterator[Limit]:
    yield both("rank-2d", "in.weight.rank == 4", "only transposed convolutions in two dimensions are taken")
    yield both("no-dilation", "all(d == 1 for d in attr.dilation)", "a transposed convolution has no dilation")
    yield both(
        "one-group", 'attr.groups == 1 or in.weight.producer != "quantized_decomposed.dequantize_per_channel.default"',
        "a transposed convolution in groups has weights quantised per tensor",
    )  # fmt: skip
    yield both(
        "pad-in-kernel", "attr.padding[0] < in.weight.shape[2] and attr.padding[-1] < in.weight.shape[3]",
        "the padding is smaller than the kernel",
    )  # fmt: skip
    yield u55(
        "stride-2",
        "(attr.stride[0] == attr.stride[-1] and attr.stride[0] <= 2) or (attr.stride[0] == 1 and attr.stride[-1] == 2 and in[0].shape[2] == 1 and in.weight.shape[2] == 1)"
        " or (attr.stride[0] == 2 and attr.stride[-1] == 1 and in[0].shape[3] == 1 and in.weight.shape[3] == 1)",
        "the stride of a transposed convolution is 1 or 2, the same both ways",
    )
    yield u55(
        "kernel",
        "in.weight.shape[2] <= 64 and in.weight.shape[2] * in.weight.shape[3] <= 4096",
        "the kernel is at most 64 high, of 4096 elements",
    )


def of_convolution(op: str, u55: Say) -> Iterator[Limit]:
    unpadded = 'attr.padding == "valid"' if op.endswith(".padding") else "all(p == 0 for p in attr.padding)"
    yield u55(
        "stride-3",
        " and ".join(
            f"(attr.stride[{n}] <= 3 or ({unpadded} and attr.dilation[{n}] == 1))"
            for n in ((0,) if "1d" in op else (0, 1))
        ),
        "the stride is at most 3, unless there is neither padding nor dilation",
    )
    size = "in.weight.shape[2]" if "1d" in op else "in.weight.shape[2] * in.weight.shape[3]"
    high = "" if "1d" in op else "in.weight.shape[3] <= 64 and "
    yield u55("kernel", f"{high}{size} <= 4096", "the kernel is at most 64 wide and has at most 4096 elements")
    if "3d" in op:
        yield u55(
            "flat",
            "in.weight.shape[4] == 1 and attr.stride[-1] == 1",
            "a kernel in three dimensions has the last size and stride 1",
        )
