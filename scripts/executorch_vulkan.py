"""What ExecuTorch's Vulkan partitioner takes, read from its registry of operators; each limit with its place."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from executorch_parts import CAST
from executorch_rules import CASTS, RECURRENT, Backend, Limit, line_of

VULKAN = "executorch/backends/vulkan/op_registry.py"
SETS = {
    "FP_T": ["float16", "float32"], "INT_T": ["int32", "int64"], "BOOL_T": ["bool"],
    "FP_INT_T": ["float16", "float32", "int32", "int64"], "FP_INT_BOOL_T": ["float16", "float32", "int32", "int64", "bool"],
}  # fmt: skip


def vulkan(site: Path) -> Backend:
    path = site / VULKAN
    tree = ast.parse(path.read_text(encoding="utf-8"))
    utils = f"textures:{line_of(path.with_name('utils.py'), '^DEFAULT_TEXTURE_LIMITS = .16384, 16384, 2048.$')}"
    place: dict[str, str] = {}
    limits: dict[str, tuple[Limit, ...]] = {}
    for function in (one for one in ast.walk(tree) if isinstance(one, ast.FunctionDef) and one.decorator_list):
        call = function.decorator_list[0]
        if not isinstance(call, ast.Call) or getattr(call.func, "id", "") != "update_features":
            continue
        ops = [
            one
            for one in ast.walk(call)
            if isinstance(one, ast.Attribute) and ast.unparse(one).startswith("exir_ops.edge.")
        ]
        names = [ast.unparse(one).removeprefix("exir_ops.edge.") for one in ops]
        features = next(
            one
            for one in ast.walk(function)
            if isinstance(one, ast.Call) and getattr(one.func, "id", "") == "OpFeatures"
        )
        given = {keyword.arg or "": ast.unparse(keyword.value) for keyword in features.keywords}
        for name in names:
            if name.count(".") == 2 and not name.startswith("et_vk"):
                place[name] = f"registry:{function.lineno}"
                limits[name] = (*vulkan_limits(given, f"registry:{features.lineno}"), *vulkan_texture(name, utils))
    return vulkan_own(place, limits)


def vulkan_limits(given: Mapping[str, str], at: str) -> Iterator[Limit]:
    inputs, outputs = given.get("inputs_dtypes", ""), given.get("outputs_dtypes", "")
    name = inputs.removeprefix("utils.")
    if name in SETS:
        allowed = json.dumps(SETS[name])
        yield Limit(
            id="dtype",
            require=f"all(t.dtype in {allowed} for t in inputs)",
            say=f"the inputs must be {', '.join(SETS[name])}",
            source=at,
        )
        if not outputs:
            yield Limit(
                id="out-dtype",
                require=f"all(t.dtype in {allowed} for t in outputs)",
                say=f"the outputs must be {', '.join(SETS[name])}",
                source=at,
            )
    if given.get("supports_highdim") != "True":
        yield Limit(
            id="rank-4",
            require="all(t.rank <= 4 for t in inputs) and all(t.rank <= 4 for t in outputs)",
            say="tensors have at most four dimensions",
            source=at,
        )


#: Their activations lie in textures only, four channels in a texel.
VULKAN_TEXTURES = (
    "aten.avg_pool2d.default", "aten.max_pool2d.default", "aten.max_pool2d_with_indices.default",
    "aten.convolution.default", "aten._native_batch_norm_legit_no_training.default", "aten.native_group_norm.default",
    "aten.upsample_nearest2d.vec", "aten.upsample_bilinear2d.vec",
)  # fmt: skip


def vulkan_texture(op: str, at: str) -> Iterator[Limit]:
    """The largest texture, of an operator that has its activations there."""
    if op in VULKAN_TEXTURES:
        fits = "shape4(t)[3] <= 16384 and shape4(t)[2] <= 16384 and (shape4(t)[1] + 3) // 4 * shape4(t)[0] <= 2048"
        yield Limit(
            id="texture", require=f"all(t.rank > 4 or ({fits}) for t in [in[0], out[0]])", source=at,
            say="input and output lie in textures: at most 16384 wide and high, with at most 2048 texels of four channels (times the batch)",
        )  # fmt: skip


#: Their gathers have one index, of one dimension.
ONE_GATHER = ("aten.upsample_linear1d.vec", "aten.upsample_nearest1d.vec", "aten._upsample_nearest_exact1d.vec")
#: Made of others in a way that hangs on their arguments.
COMPOSED = (
    "aten.einsum.default", "aten.linspace.default", "aten.linalg_norm.default", "aten.isposinf.default",
    "aten.isneginf.default", "aten.block_diag.default", "aten.mv.default", "aten.aminmax.default",
)  # fmt: skip


def vulkan_composed(
    place: Mapping[str, str], limits: Mapping[str, tuple[Limit, ...]], own: dict[str, tuple[Limit, ...]]
) -> dict[str, str]:
    """The places of `COMPOSED`; their limits are added to `own`."""
    total, product = place["aten.sum.dim_IntList"], place["aten.bmm.default"]
    sums = Limit(
        id="sums", require="lone_sums(attr.equation) == 0 or lone_sums(attr.equation) == 1 or (len(inputs) > 1 and lone_sums(attr.equation) == 2)",
        say="of the letters that one operand has alone and the result lacks, one is summed, or two beside another operand; no letter stands twice in an operand",
        source=total, help="sum or take the diagonal before the einsum",
    )  # fmt: skip
    own["aten.einsum.default"] = (*(one for one in limits["aten.bmm.default"] if one.id != "rank-4"), sums)
    own["aten.linspace.default"] = (
        Limit(id="out-dtype", require=f"all(t.dtype in {json.dumps(SETS['FP_INT_T'])} for t in outputs)", say="the outputs must be float16, float32, int32, int64", source=place["aten.add.Tensor"]),
    )  # fmt: skip
    one = "(attr.dim[0] == -1 or attr.dim[0] == in[0].rank - 1 or (attr.keepdim and in[0].rank <= 4))"
    norm = Limit(
        id="reduction", source=total,
        require=f"(not exists(attr.ord) or attr.ord != 0) and ((len(attr.dim) == 1 and {one}) or (len(attr.dim) == 2 and (not exists(attr.ord) or op != \"aten.linalg_norm.default\") and attr.keepdim and in[0].rank <= 4) if exists(attr.dim) else in[0].rank == 1)",
        say="a norm over the last dimension, or over at most two of at most four with keepdim=True, and not the count of what is not zero",
    )  # fmt: skip
    for op in ("aten.linalg_norm.default", "aten.linalg_vector_norm.default"):
        own[op] = (*limits["aten.pow.Tensor_Scalar"], norm)
    allowed = json.dumps(SETS["FP_INT_BOOL_T"])
    for op in ("aten.isposinf.default", "aten.isneginf.default"):
        own[op] = (
            Limit(id="dtype", require=f"all(t.dtype in {allowed} for t in inputs)", say=f"the inputs must be {', '.join(SETS['FP_INT_BOOL_T'])}", source=place["aten.full_like.default"]),
        )  # fmt: skip
    own["aten.block_diag.default"] = (*limits["aten.cat.default"], *limits["aten.full.default"])
    own["aten.mv.default"] = limits["aten.sum.dim_IntList"]
    ends = Limit(
        id="reduction", source=place["aten.amax.default"],
        require="(attr.dim == -1 or attr.dim == in[0].rank - 1 or (attr.keepdim and in[0].rank <= 4)) if exists(attr.dim) else in[0].rank == 1",
        say="over the last dimension, or with keepdim=True and at most four dimensions",
    )  # fmt: skip
    own["aten.aminmax.default"] = (*limits["aten.amax.default"], ends)
    return dict.fromkeys(COMPOSED, total) | {
        "aten.einsum.default": product,
        "aten.linspace.default": place["aten.add.Tensor"],
    }


def vulkan_own(place: dict[str, str], limits: dict[str, tuple[Limit, ...]]) -> Backend:
    at = place["aten.convolution.default"]
    conv = (*limits["aten.convolution.default"],)
    single = Limit(
        id="batch-1",
        require="in[0].rank != 4 or known(in[0].shape[0], 2) == 1",
        say="a 2-D convolution takes a batch of 1",
        source=at,
        help="set the batch size to 1 when exporting",
    )
    flat = Limit(
        id="no-transposed-1d", require="in.weight.rank != 3", say="a transposed 1-D convolution is not taken", source=at
    )
    reduce = Limit(
        id="reduction",
        require="(len(attr.dim) == 1 and (attr.dim[0] == -1 or attr.dim[0] == in[0].rank - 1)) or (len(attr.dim) <= 2 and attr.keepdim and in[0].rank <= 4)",
        say="a reduction is over the last dimension, or over at most two of at most four with keepdim=True", source=place["aten.mean.dim"],
    )  # fmt: skip
    ends = replace(reduce, require=f"{reduce.require} or (len(attr.dim) == 0 and in[0].rank == 1)")
    arg = Limit(
        id="reduction", require="(attr.dim == -1 or attr.dim == in[0].rank - 1 or (attr.keepdim and in[0].rank <= 4)) if exists(attr.dim) else (in[0].rank == 1 or (in[0].rank == 2 and attr.keepdim))",
        say="over the last dimension, or with keepdim=True and at most four dimensions", source=place["aten.argmax.default"],
    )  # fmt: skip
    floats = limits["aten.mean.dim"]
    where = (
        Limit(
            id="dtype",
            require='in[0].dtype == "bool" and in[1].dtype in ["float16", "float32"]',
            say="the choice is between float tensors",
            source=place["aten.where.self"],
        ),
        *[limit for limit in limits["aten.where.self"] if limit.id == "rank-4"],
    )
    embedding = (
        Limit(
            id="dtype",
            require='in[0].dtype in ["float16", "float32"] and in[1].dtype in ["int32", "int64"]',
            say="float weights and int32 or int64 indices",
            source=place["aten.embedding.default"],
        ),
        *[limit for limit in limits["aten.embedding.default"] if limit.id == "rank-4"],
    )
    own: dict[str, tuple[Limit, ...]] = {
        "aten.conv1d.default": conv, "aten.conv2d.default": (*conv, single), "aten.conv2d.padding": (*conv, single), "aten.conv1d.padding": conv, "aten.conv_transpose2d.input": (*conv, single),
        "aten.conv_transpose1d.default": (*conv, flat), "aten.convolution.default": (*conv, single),
        "aten.mean.dim": (*floats, reduce), "aten.sum.dim_IntList": (*floats, reduce), "aten.amax.default": (*floats, ends), "aten.amin.default": (*floats, ends),
        "aten.argmax.default": (*limits["aten.argmax.default"], arg), "aten.argmin.default": (*limits["aten.argmin.default"], arg),
        "aten.where.self": where, "aten.embedding.default": embedding,
    }  # fmt: skip
    copy = place["dim_order_ops._to_dim_order_copy.default"]
    casts = limits["dim_order_ops._to_dim_order_copy.default"]
    same = Limit(
        id="cast",
        require=f"in[0].dtype == out[0].dtype or ({' and '.join(f'({one.require})' for one in casts)})",
        say="casts are between float16, float32, int32, int64 and bool",
        source=copy,
    )
    for op in CASTS:
        place[op], own[op] = copy, (same,)
    floats_where = Limit(
        id="float",
        require='all(t.dtype in ["float16", "float32"] for t in inputs)',
        say="the tensors must be float16 or float32",
        source=place["aten.where.self"],
    )
    place["aten.prelu.default"], own["aten.prelu.default"] = (
        place["aten.where.self"],
        (floats_where, *[one for one in limits["aten.where.self"] if one.id == "rank-4"]),
    )
    place[CAST] = copy
    place["aten.matmul.default"] = place["aten.bmm.default"]
    matrices = Limit(
        id="matrices",
        require="in[0].rank + in[1].rank > 2",
        say="one of the factors must have at least two dimensions: the product of two vectors is a sum over all",
        source=place["aten.bmm.default"],
    )
    own["aten.matmul.default"] = (*(one for one in limits["aten.bmm.default"] if one.id != "rank-4"), matrices)
    same_copy = Limit(
        id="no-change", require="len(inputs) == 2 and same(in[0].dtype, in[1].dtype) and same(in[0].shape, in[1].shape)", source=place["aten.copy.default"],
        say="only a copy that changes neither dtype nor shape is taken",
    )  # fmt: skip
    own["aten.copy.default"] = (*limits["aten.copy.default"], same_copy)
    apart = Limit(
        id="no-slice", require='in[0].producer not in ["aten.slice.Tensor", "aten.select.int"]', source=place["aten.copy.default"],
        say="written into a part of a tensor it becomes aten.slice_scatter.default too, which the backend does not take",
        help="write torch.cat of the parts",
    )  # fmt: skip
    place["aten.copy_.default"], own["aten.copy_.default"] = (
        place["aten.copy.default"],
        (*own["aten.copy.default"], apart),
    )
    for op in RECURRENT:
        place[op], own[op] = place["aten.addmm.default"], limits["aten.addmm.default"]
    weights = Limit(
        id="rank-3",
        require="in[0].rank <= 3",
        say="the weights have at most three dimensions: their norm is a sum over all but one",
        source=place["aten.mean.dim"],
    )
    own["aten._weight_norm.default"] = (*limits["aten.pow.Tensor_Scalar"], weights)
    one = Limit(
        id="to-one",
        require="attr.output_size[0] == 1",
        say="only a global average (output size 1) is taken",
        source=place["aten.mean.dim"],
    )
    own["aten.adaptive_avg_pool1d.default"] = (*floats, one)
    both = Limit(
        id="to-one",
        require="attr.output_size[0] == 1 and attr.output_size[-1] == 1",
        say="only a global average (output size 1) is taken",
        source=place["aten.mean.dim"],
    )
    own["aten.adaptive_avg_pool2d.default"] = (*floats, both)
    own["aten.grid_sampler.default"] = (
        *limits["aten.grid_sampler_2d.default"],
        Limit(
            id="rife",
            require="attr.interpolation_mode == 0 and attr.padding_mode == 1 and attr.align_corners",
            say="only bilinear sampling with border padding and align_corners=True is taken",
            source=place["aten.grid_sampler_2d.default"],
        ),
    )
    own["aten.grid_sampler_2d.default"] = own["aten.grid_sampler.default"]
    gather = Limit(
        id="one-index", require="len(inputs) == 2 and inputs[1].rank == 1", say="only one index, of one dimension, is taken",
        source=place["aten.index.Tensor"],
    )  # fmt: skip
    own["aten.index.Tensor"] = (*limits["aten.index.Tensor"], gather)
    for op in ONE_GATHER:
        place[op], own[op] = place["aten.index.Tensor"], floats
    place |= vulkan_composed(place, limits, own)
    place["aten.pad.default"] = place["aten.constant_pad_nd.default"]
    constant = Limit(
        id="constant-pad", require='attr.mode in ["constant", "replicate"]', say="only padding with a constant or with the edge is taken", source=place["aten.pad.default"]
    )  # fmt: skip
    own["aten.pad.default"] = (*limits["aten.constant_pad_nd.default"], constant)
    whole = frozenset(
        {
            *RECURRENT,
            "aten.pad.default",
            *ONE_GATHER,
            *COMPOSED,
            *CASTS,
            "aten.pixel_shuffle.default",
            "aten.prelu.default",
            "aten.matmul.default",
        }
    ) & set(place)
    return Backend(place=place, limits=limits, own=own, whole=whole)
