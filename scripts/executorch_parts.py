"""What becomes of an ATen operator when ExecuTorch lowers a program: the edge operators that a backend is asked about.

As seen in lowered programs (executorch 1.5.1, torch 2.13.0; scripts/make_probes_executorch.py made them). An operator
that is not here stays as it is. `NOTHING` is what disappears.
"""

from __future__ import annotations

NOTHING: tuple[str, ...] = ()
COPY = ("aten.permute_copy.default",)
VIEW = ("aten.view_copy.default",)
CLONE = ("dim_order_ops._clone_dim_order.default",)
UNSQUEEZE, SQUEEZE = "aten.unsqueeze_copy.default", "aten.squeeze_copy.dims"
CONVOLUTION = ("aten.convolution.default",)
NORM = ("aten._native_batch_norm_legit_no_training.default",)
SHUFFLE = (*VIEW, *COPY, *CLONE)

#: A cast of a number that became a constant of another dtype; a number that became one; arithmetic on indices.
CAST, OWN_CONSTANT, INTEGERS = "a cast of a constant", "a constant of its own", "whole numbers inside"

PARTS: dict[str, tuple[str, ...]] = {
    "aten.conv1d.default": CONVOLUTION, "aten.conv2d.default": CONVOLUTION, "aten.conv3d.default": CONVOLUTION,
    "aten.conv1d.padding": CONVOLUTION, "aten.conv2d.padding": CONVOLUTION,
    "aten.conv_transpose1d.default": CONVOLUTION, "aten.conv_transpose2d.input": CONVOLUTION,
    "aten.batch_norm.default": NORM, "aten.layer_norm.default": ("aten.native_layer_norm.default",),
    "aten.group_norm.default": ("aten.native_group_norm.default",),
    "aten.instance_norm.default": (*VIEW, "aten._native_batch_norm_legit.no_stats"),
    "aten.relu6.default": ("aten.hardtanh.default",), "aten.silu.default": ("aten.sigmoid.default", "aten.mul.Tensor"),
    "aten.square.default": ("aten.pow.Tensor_Scalar",), "aten.rad2deg.default": ("aten.mul.Tensor",),
    "aten.clamp_min.default": ("aten.clamp.default",), "aten.clamp_max.default": ("aten.clamp.default",),
    "aten.softmax.int": ("aten._softmax.default",), "aten.log_softmax.int": ("aten._log_softmax.default",),
    "aten.permute.default": COPY, "aten.transpose.int": COPY, "aten.t.default": COPY, "aten.movedim.int": COPY,
    "aten.numpy_T.default": COPY, "aten.view.default": VIEW, "aten.reshape.default": VIEW,
    "aten.flatten.using_ints": VIEW, "aten.unflatten.int": VIEW, "aten._unsafe_view.default": VIEW,
    "aten.clone.default": CLONE, "aten.dropout.default": CLONE, "aten.unsqueeze.default": (UNSQUEEZE,),
    "aten.squeeze.dim": (SQUEEZE,), "aten.squeeze.dims": (SQUEEZE,), "aten.squeeze.default": (SQUEEZE,),
    "aten.slice.Tensor": ("aten.slice_copy.Tensor",), "aten.narrow.default": ("aten.slice_copy.Tensor",),
    "aten.select.int": ("aten.select_copy.int",), "aten.expand.default": ("aten.expand_copy.default",),
    "aten.expand_as.default": ("aten.expand_copy.default",),
    "aten.split.Tensor": ("aten.split_with_sizes_copy.default",),
    "aten.split_with_sizes.default": ("aten.split_with_sizes_copy.default",),
    "aten.chunk.default": ("aten.split_with_sizes_copy.default",),
    "aten.unbind.int": ("aten.slice_copy.Tensor", SQUEEZE), "aten.stack.default": ("aten.cat.default", *VIEW),
    "aten.baddbmm.default": ("aten.bmm.default", "aten.add.Tensor"), "aten.outer.default": (*VIEW, "aten.mul.Tensor"),
    "aten.pixel_shuffle.default": SHUFFLE, "aten.pixel_unshuffle.default": SHUFFLE,
    "aten.channel_shuffle.default": SHUFFLE, "aten.adaptive_avg_pool2d.default": ("aten.mean.dim",),
    "aten.rsub.Tensor": ("aten.sub.Tensor",),
    "aten.max_pool1d.default": (UNSQUEEZE, "aten.max_pool2d_with_indices.default", SQUEEZE),
    "aten.avg_pool1d.default": (UNSQUEEZE, "aten.avg_pool2d.default", SQUEEZE),
    "aten.detach.default": ("aten.alias_copy.default",), "aten.alias.default": ("aten.alias_copy.default",), "aten._assert_tensor_metadata.default": NOTHING,
    "aten.lift_fresh_copy.default": CLONE, "aten.rsub.Scalar": ("aten.sub.Tensor",),
    **dict.fromkeys(("aten.sum.default", "aten.inner.default", "aten.vdot.default"), ("a sum over all elements",)),
    "aten.bilinear.default": ("aten._trilinear.default", "aten.add.Tensor", *VIEW),
    "aten.conv_transpose3d.input": CONVOLUTION, "aten.conv3d.padding": CONVOLUTION,
    "aten.grid_sampler.default": ("aten.grid_sampler_2d.default",), "aten.sgn.default": ("aten.sign.default",),
    "aten.mish.default": ("aten.exp.default", "aten.log1p.default", "aten.gt.Scalar", "aten.where.self",
                          "aten.tanh.default", "aten.mul.Tensor"),
    "aten.softplus.default": ("aten.exp.default", "aten.log1p.default", "aten.gt.Scalar", "aten.where.self"),
    "aten.zeros_like.default": ("aten.full_like.default",), "aten.ones_like.default": ("aten.full_like.default",),
    "aten.arange.default": ("aten.arange.start_step",),
    "aten.std.dim": ("aten.var.correction", "aten.sqrt.default"), "aten.var.dim": ("aten.var.correction",),
    "aten.std.correction": ("aten.var.correction", "aten.sqrt.default"),
    "aten.hardshrink.default": ("aten.abs.default", "aten.le.Scalar", "aten.where.self", OWN_CONSTANT),
    "aten.floor_divide.default": ("aten.div.Tensor_mode",), "aten.repeat.default": ("aten.repeat.default",),
    "aten.hardsigmoid.default": ("aten.add.Tensor", "aten.clamp.default", "aten.div.Tensor", CAST),
    "aten.linalg_vector_norm.default": ("aten.pow.Tensor_Scalar", "aten.sum.dim_IntList"),
    "aten.log_sigmoid.default": ("aten.abs.default", "aten.exp.default", "aten.full.default", "aten.log1p.default",
                                 "aten.minimum.default", "aten.neg.default", "aten.sub.Tensor"),
    "aten.lerp.Scalar": ("aten.abs.default", "aten.add.Tensor", "aten.full.default", "aten.ge.Scalar", "aten.mul.Tensor",
                         "aten.sub.Tensor", "aten.where.self", CAST),
    "aten.adaptive_avg_pool1d.default": (UNSQUEEZE, "aten.mean.dim", SQUEEZE),
    "aten.selu.default": ("aten.elu.default",), "aten.celu.default": ("aten.expm1.default", "aten.gt.Scalar", "aten.where.self", CAST),
    "aten.masked_fill.Scalar": ("aten.where.self", OWN_CONSTANT),
    "aten.glu.default": ("aten.slice_copy.Tensor", "aten.sigmoid.default", "aten.mul.Tensor"),
    "aten.addcmul.default": ("aten.mul.Tensor", "aten.add.Tensor", "dim_order_ops._to_dim_order_copy.default"),
    "aten.fill.Scalar": ("aten.full_like.default",),
    "aten._weight_norm.default": ("aten.pow.Tensor_Scalar", "aten.sum.dim_IntList", "aten.div.Tensor", "aten.mul.Tensor"),
    "aten.contiguous.default": CLONE, "aten.select_scatter.default": ("aten.arange.start_step", "aten.eq.Scalar", "aten.expand_copy.default", UNSQUEEZE, *VIEW, "aten.where.self"),
}  # fmt: skip

#: Gone when nothing trains, or when a tensor is only named anew.
NOTHING_LEFT = (
    "aten.alpha_dropout.default", "aten.feature_dropout.default", "aten.feature_alpha_dropout.default",
    "aten.detach_.default", "aten.resolve_conj.default", "aten.resolve_neg.default",
)  # fmt: skip

#: Written in place by torch's layers, and not in the list of ATen's operators.
IN_PLACE = (
    "hardtanh",
    "hardswish",
    "silu",
    "leaky_relu",
    "relu6",
    "dropout",
    "hardsigmoid",
    "mish",
    "clamp_min",
    "selu",
    "celu",
    "elu",
)

#: torch's other names of the same operator, with the same arguments.
ALIASES = {
    "abs": ("absolute",), "acos": ("arccos",), "acosh": ("arccosh",), "asin": ("arcsin",), "asinh": ("arcsinh",),
    "atan": ("arctan",), "atanh": ("arctanh",), "atan2": ("arctan2",), "cat": ("concat", "concatenate"),
    "clamp": ("clip",), "div": ("divide", "true_divide"), "mul": ("multiply",), "sub": ("subtract",),
    "neg": ("negative",), "ge": ("greater_equal",), "gt": ("greater",), "le": ("less_equal",), "lt": ("less",),
    "ne": ("not_equal",), "trunc": ("fix",), "movedim": ("moveaxis",), "outer": ("ger",),
    "transpose": ("swapaxes", "swapdims"),
    "bitwise_and": ("__and__",), "bitwise_or": ("__or__",), "bitwise_xor": ("__xor__",),
    "sigmoid": ("special_expit",), "erf": ("special_erf",), "logsumexp": ("special_logsumexp",),
}  # fmt: skip

#: Neither decomposed by ExecuTorch nor in its portable kernels, of the operators that nets have: held against
#: torch's decomposition table and the kernels of the runtime (executorch 1.5.1).
NO_KERNEL = tuple(
    f"aten.{name}"
    for name in [
        "adaptive_max_pool2d.default",
        "adaptive_max_pool3d.default",
        "avg_pool3d.default",
        "max_pool3d.default",
        "max_pool3d_with_indices.default",
        "bincount.default",
        "bucketize.Scalar",
        "bucketize.Tensor",
        "complex.default",
        "copysign.Tensor",
        "cummax.default",
        "cummin.default",
        "cumprod.default",
        "digamma.default",
        "dist.default",
        "equal.default",
        "erfc.default",
        "erfinv.default",
        "exp2.default",
        "fmax.default",
        "fmin.default",
        "gcd.default",
        "grid_sampler_3d.default",
        "histc.default",
        "hypot.default",
        "i0.default",
        "igamma.default",
        "igammac.default",
        "index_reduce.default",
        "kthvalue.default",
        "lcm.default",
        "ldexp.Tensor",
        "lgamma.default",
        "logcumsumexp.default",
        "median.default",
        "median.dim",
        "mode.default",
        "nanmedian.default",
        "nanmedian.dim",
        "nextafter.default",
        "polar.default",
        "polygamma.default",
        "put.default",
        "rand_like.default",
        "randn_like.default",
        "scatter_reduce.two",
        "searchsorted.Tensor",
        "signbit.default",
        "sort.default",
        "msort.default",
        "quantile.default",
        "quantile.scalar",
        "nanquantile.default",
        "nanquantile.scalar",
        "sort.stable",
        "argsort.default",
        "unique_consecutive.default",
        "unique_dim.default",
        "upsample_bicubic2d.default",
        "one_hot.default",
        "upsample_trilinear3d.default",
        "view_as_complex.default",
        "angle.default",
        "vander.default",
        "_trilinear.default",
    ]
)
