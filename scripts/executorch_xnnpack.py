"""What ExecuTorch's XNNPACK partitioner takes, read from its configurations; each limit with its place."""

from __future__ import annotations

import json
import re
from pathlib import Path

from executorch_rules import CASTS, FUSED, Backend, Limit, line_of

XNN = "executorch/backends/xnnpack/partition/config"
FLOAT = '["float32", "float16"]'
#: Leave a tensor whose elements do not lie in the order of its dimensions.
TURNED = json.dumps(
    [
        f"aten.{op}"
        for op in (
            "transpose.int",
            "permute.default",
            "t.default",
            "movedim.int",
            "numpy_T.default",
            "mT.default",
            "swapaxes.default",
        )
    ]
)


def xnnpack(site: Path) -> Backend:
    folder = site / XNN
    place: dict[str, str] = {}
    listed = (folder / "__init__.py").read_text(encoding="utf-8").partition("ALL_PARTITIONER_CONFIGS")[2]
    used = set(re.findall(r"^    (\w+Config),", listed, re.MULTILINE))
    for name in ("generic_node_configs.py", "gemm_configs.py", "node_configs.py"):
        text, owner = (folder / name).read_text(encoding="utf-8"), ""
        for at_line, line in enumerate(text.splitlines(), 1):
            owner = (re.match(r"class (\w+)", line) or [owner, owner])[1]
            found = re.match(r'\s+target_name = "([\w.]+)"', line)
            if found and owner in used:
                space = {"_to_dim_order_copy.default": "dim_order_ops", "_clone_dim_order.default": "dim_order_ops"}
                space |= dict.fromkeys(
                    ("quantize_per_tensor.default", "dequantize_per_tensor.default"), "quantized_decomposed"
                )
                place[f"{space.get(found[1], 'aten')}.{found[1]}"] = f"config:{name}:{at_line}"
    generic, gemm = folder / "generic_node_configs.py", folder / "gemm_configs.py"

    def at(path: Path, pattern: str) -> str:
        return f"config:{path.name}:{line_of(path, pattern)}"

    common = at(folder / "xnnpack_config.py", "def _check_node_has_valid_dtype")
    floats = Limit(
        id="float", require=f"all(t.dtype in {FLOAT} for t in inputs) and all(t.dtype in {FLOAT} for t in outputs)",
        say="all tensors must be float32 or float16", source=common,
    )  # fmt: skip
    one_type = Limit(
        id="one-dtype", require="all(t.dtype == in[0].dtype for t in inputs)", say="the inputs must be of one dtype",
        source=at(folder / "xnnpack_config.py", "Check for mixed dtypes"), help="cast the inputs to one dtype first",
    )  # fmt: skip
    filled = Limit(
        id="not-empty", require="all(known(t.size, 1) > 0 for t in inputs)", say="no tensor may be empty",
        source=at(folder / "xnnpack_config.py", "XNNPACK does not support empty tensors"),
    )  # fmt: skip
    always = (floats, one_type, filled)
    number = Limit(
        id="float-scalar", require='not exists(attr.other) or (in[0].dtype == "float32" and not whole(attr.other))',
        say="a whole number, or a number beside float16, becomes a constant of another dtype, whose cast stays outside",
        source="scalar", help="write x * 2.0 for x * 2",
    )  # fmt: skip
    alpha = Limit(
        id="alpha",
        require="attr.alpha == 1",
        say="alpha must be 1",
        source=at(generic, "Add node doesn't support alpha"),
    )
    weight = Limit(
        id="static-weight", require="folded(in.weight)", say="the weight must be a constant of the program",
        source=at(gemm, "Expected weight to be a static param"),
    )  # fmt: skip
    bias = Limit(
        id="static-bias", require="not exists(in.bias) or const(in.bias)", say="the bias must be a constant of the program",
        source=at(gemm, "Expected bias to be a static param"),
    )  # fmt: skip

    def batched(rank: int) -> Limit:
        return Limit(
            id="batched", require=f"in[0].rank == {rank}", say=f"the input must have a batch dimension (rank {rank})",
            source=at(generic, "unsqueeze_copy only supported"), help="add the batch dimension before the model",
        )  # fmt: skip

    fixed = Limit(
        id="static-shape", require="static(out[0])", say="every dimension must be known",
        source=at(generic, "Symbolic reshape is not supported"),
    )  # fmt: skip

    def written(name: str) -> Limit:
        """A view whose shape is numbers, at most one of them to be inferred."""
        return Limit(
            id="static-shape", require=f"static(out[0]) or all(known(whole(n), False) for n in attr.{name})",
            say="every dimension of the new shape must be a number", source=fixed.source, help="write -1 for the dynamic dimension",
        )  # fmt: skip

    last = Limit(
        id="last-dim", require="attr.dim == -1 or attr.dim == in[0].rank - 1", say="dim must be the last dimension",
        source=at(generic, "dim must be the last dim"), help="transpose so that the dimension comes last",
    )  # fmt: skip
    mean = at(generic, "mean.dim only supports averaging 4D")
    pool = at(generic, "stride .* must be less than or equal to kernel size")
    average = at(generic, "zero-padding in the averaging calculation")
    d, q = "quantized_decomposed.dequantize_per_", '["quantized_decomposed.quantize_per_tensor.default"]'
    static_output = (
        f"out[0].consumers == {q} or (len(out[0].consumers) == 1 and out[0].consumers[0] in {json.dumps(FUSED)}"
        f" and after(out[0]).consumers == {q})"
    )
    pattern = Limit(
        id="quantised-output",
        require=f'in.weight.producer not in ["{d}tensor.default", "{d}channel.default"] or in[0].producer == "{d}tensor.tensor" or (in[0].producer == "{d}tensor.default" and ({static_output}))',
        say="with quantised weights, the input comes from a dequantize and the output goes to one quantize only, a ReLU between them at most",
        source=at(gemm, "Expected output node to have a dequantized node"), help="quantise with XNNPACKQuantizer, and do not read the float output elsewhere",
    )  # fmt: skip
    channels = Limit(
        id="dynamic-per-channel", require=f'in[0].producer != "{d}tensor.tensor" or in.weight.producer != "{d}tensor.default"',
        say="dynamically quantised inputs need weights quantised per channel",
        source=at(gemm, "XNNPACK does not support per tensor quantized weights"),
    )  # fmt: skip
    conv = (*always, weight, bias, pattern, channels)
    stride = Limit(
        id="stride-in-kernel",
        require="len(attr.stride) == 0 or (attr.stride[0] <= attr.kernel_size[0] and attr.stride[-1] <= attr.kernel_size[-1])",
        say="the stride must not be larger than the kernel", source=pool,
    )  # fmt: skip
    ceil = Limit(
        id="ceil-static",
        require="not attr.ceil_mode or static(in[0])",
        say="ceil_mode needs static shapes",
        source=at(generic, "ceil mode is not supported for dynamic"),
    )
    adaptive = (
        Limit(
            id="to-one",
            require="attr.output_size[0] == 1 and attr.output_size[-1] == 1",
            say="only a global average (output size 1) is taken",
            source=mean,
        ),
        Limit(id="rank-4", require="in[0].rank == 4", say="the input must have rank 4", source=mean),
    )
    several = Limit(
        id="two-tensors", require="any(t.name != in[0].name for t in inputs)", say="at least two different tensors are needed",
        source=at(generic, "only support concatenation"),
    )  # fmt: skip
    same_order = Limit(
        id="same-order", require='not exists(attr.memory_format) or attr.memory_format in ["contiguous", "preserve", 0]',
        say="a change of memory format stays outside", source=at(generic, "dim-order preserving clones"),
    )  # fmt: skip
    values_only = 'in[0].rank == 4 and in[0].dtype in ["float32", "float16", "int8"] and len(out[1].consumers) == 0 and not of_model(out[1])'
    own: dict[str, tuple[Limit, ...]] = {
        "aten.add.Tensor": (*always, alpha, number), "aten.sub.Tensor": (*always, alpha, number),
        "aten.mul.Tensor": (*always, number), "aten.div.Tensor": (*always, number), "aten.rsub.Tensor": (*always, alpha),
        "aten.rsub.Scalar": (*always, alpha, number), "aten.clone.default": (*always, same_order),
        "aten.hstack.default": (*always, several), "aten.vstack.default": (*always, several, fixed), "aten.dstack.default": (*always, several, fixed), "aten.column_stack.default": (*always, several, fixed),
        "aten.conv1d.default": (*conv, batched(3)), "aten.conv2d.default": (*conv, batched(4)),
        "aten.conv1d.padding": (*conv, batched(3)), "aten.conv2d.padding": (*conv, batched(4)),
        "aten.conv_transpose1d.default": (*conv, batched(3)), "aten.conv_transpose2d.input": (*conv, batched(4)),
        "aten.conv3d.default": (*conv, Limit(id="rank-2d", require="in.weight.rank <= 4", say="only convolutions in one or two dimensions are taken", source=at(gemm, "Only support 1D"))),
        "aten.conv3d.padding": (*conv, Limit(id="rank-2d", require="in.weight.rank <= 4", say="only convolutions in one or two dimensions are taken", source=at(gemm, "Only support 1D"))),
        "aten.conv_transpose3d.input": (*conv, Limit(id="rank-2d", require="in.weight.rank <= 4", say="only convolutions in one or two dimensions are taken", source=at(gemm, "Only support 1D"))),
        "aten.convolution.default": (*conv, Limit(id="rank-2d", require="in.weight.rank <= 4", say="only convolutions in one or two dimensions are taken", source=at(gemm, "Only support 1D"))),
        "aten.linear.default": conv,
        "aten.addmm.default": (*always, Limit(id="static-weight", require="const(in.mat2)", say="the second matrix must be a constant of the program", source=weight.source),
                               Limit(id="static-bias", require="const(in[0])", say="the bias must be a constant of the program", source=bias.source)),
        "aten.mm.default": (*always, Limit(id="static-weight", require="const(in.mat2)", say="the second matrix must be a constant of the program", source=weight.source)),
        "aten.matmul.default": (*always, fixed, Limit(id="static-weight", require="in[1].rank == 2 and in[0].rank >= 2 and const(in[1])", say="the second factor must be a constant matrix; two factors of more dimensions leave an expand outside", source=weight.source, help="use torch.bmm for batches"),
                                Limit(id="in-order", require=f"in[0].rank <= 2 or in[0].producer not in {TURNED} or len([n for n in in[0].shape if n > 1]) < 2", say="a factor that was transposed just before is not folded into a matrix, so that an expand stays outside", source="exir", help="call .contiguous() on it, or use torch.nn.functional.linear")),
        "aten.prelu.default": (
            *always,
            Limit(id="static-weight", require="const(in.weight)", say="the weight must be a constant of the program", source=at(folder / "node_configs.py", "Prelu weight must be")),
            Limit(id="four-dimensions", when="const(in.weight)", require="in[0].rank == 4", otherwise="rejected", say="only over four dimensions: the partitioner takes the others, and the lowering then fails on them", source=f"channels:{line_of(site / 'executorch/backends/xnnpack/_passes/channels_last_tagged_reshape_pass.py', 'Attempting to convert non-NHWC')}", help="write it as relu(x) - weight * relu(-x), or give it four dimensions with x[:, :, None, None]"),
        ),
        "aten.pow.Tensor_Scalar": (*always, Limit(id="square", require="whole(attr.exponent) and attr.exponent == 2", say="the exponent must be the whole number 2", source=at(generic, "only support power == 2"), help="write x ** 2, or x * x * x")),
        "aten.gelu.default": (*always, Limit(id="gelu-float32", require='in[0].dtype == "float32"', say="GELU is taken in float32 only", source=at(generic, "GELU does not support fp16"))),
        "aten.softmax.int": (*always, last), "aten._softmax.default": (*always, last),
        "aten.cat.default": (*always, several),
        "aten.stack.default": (*always, several, Limit(id="static-stack", require="static(out[0]) or attr.dim == -1 or attr.dim == in[0].rank", say="with dynamic dimensions the new one must be the last", source=fixed.source, help="stack along the last dimension")),
        "aten.unsqueeze.default": (*always, Limit(id="last-dim", require="attr.dim == -1 or attr.dim == in[0].rank", say="the new dimension must be the last one", source=at(generic, "unsqueeze_copy only supported"), help="use a view with the new shape")),
        "aten.max_pool2d.default": (*always, stride, ceil),
        "aten.avg_pool2d.default": (*always, Limit(id="no-ceil", require="not attr.ceil_mode", say="ceil_mode is not taken", source=at(generic, "ceil mode is not supported\"")),
                                    Limit(id="pad-not-counted", require="not attr.count_include_pad or (attr.padding[0] == 0 and attr.padding[-1] == 0)", say="padding must not be counted in the average", source=average, help="set count_include_pad=False"),
                                    Limit(id="divisor", require="not exists(attr.divisor_override) or attr.divisor_override == attr.kernel_size[0] * attr.kernel_size[-1]", say="divisor_override must be the size of the kernel", source=at(generic, "divisor override is not supported"))),
        "aten.mean.dim": (*always, Limit(id="rank-4", require="in[0].rank == 4", say="the input must have rank 4", source=mean),
                          Limit(id="height-width", require="attr.keepdim and exists(attr.dim) and len(attr.dim) == 2 and (attr.dim[0] % 4) + (attr.dim[1] % 4) == 5 and attr.dim[0] % 4 in [2, 3]", say="only the mean over the last two dimensions with keepdim=True is taken", source=mean)),
        "aten.adaptive_avg_pool2d.default": (*always, *adaptive),
        "aten.batch_norm.default": (*always, Limit(id="rank", require="in[0].rank in [2, 3, 4]", say="the input must have rank 2, 3 or 4", source="norm:56"), Limit(id="inference", require="not attr.training", otherwise="rejected", help="call .eval() before the export", say="while training it becomes aten._native_batch_norm_legit_functional.default, for which ExecuTorch has no kernel", source=at(folder / "node_configs.py", "class BatchNormConfig"))),
        "aten._native_batch_norm_legit_no_training.default": (*always, Limit(id="rank", require="in[0].rank in [2, 3, 4]", say="the input must have rank 2, 3 or 4", source="norm:56")),
        "aten.slice.Tensor": (*always, fixed, Limit(id="step", require="attr.step == 1", say="the step must be 1", source=at(generic, "if stride != 1")), Limit(id="static-input", require="static(in[0])", say="every dimension must be known", source=at(generic, "input tensor has invalid shape"))),
        "aten.view.default": (*always, written("size")), "aten.reshape.default": (*always, written("shape")), "aten.flatten.using_ints": (*always, fixed),
        "aten.unflatten.int": (*always, fixed), "aten._unsafe_view.default": (*always, written("size")), "aten.view_copy.default": (*always, written("size")),
        "aten.outer.default": (*always, fixed), "aten.pixel_shuffle.default": (*always, fixed), "aten.pixel_unshuffle.default": (*always, fixed), "aten.channel_shuffle.default": (*always, fixed),
        "aten.pad.default": (*always, Limit(id="constant-pad", require='attr.mode == "constant"', say="only padding with a constant is taken", source=at(generic, "class ConstantPadConfig")), Limit(id="no-cropping", require="min(attr.pad) >= 0", say="no padding may be negative", source=at(generic, "does not support negative padding"))),
        "aten.constant_pad_nd.default": (*always, Limit(id="no-cropping", require="min(attr.pad) >= 0", say="no padding may be negative", source=at(generic, "does not support negative padding"))),
        "aten.upsample_bilinear2d.vec": (*always, Limit(id="static-output", require="static(out[0])", say="the output size must be known", source=at(generic, "dynamic output sizes are not supported"))),
        "aten.max.dim": (
            Limit(id="values-only", require=values_only, say="only the values of a tensor of rank 4 are taken, not the indices", source=at(folder / "node_configs.py", "class MaxDimConfig")),
            Limit(id="height-width", when=values_only, require="attr.keepdim and attr.dim in [2, 3]", otherwise="rejected", say="only over dimension 2 or 3, counted from the front, with keepdim=True: the partitioner takes the others, and XNNPACK's compiler then refuses the program", source=f"amax:{line_of(site / 'executorch/backends/xnnpack/operators/op_max_dim.py', 'only supports dim == 2')}", help="write dim=2 or dim=3 and keepdim=True, or read the indices too, which keeps it outside"),
        ),
        "aten.glu.default": (*always, fixed), "aten.addcmul.default": (*always, Limit(id="value", require="not whole(attr.value)", say="a whole number as value becomes a constant whose cast stays outside", source="scalar")),
        "aten.type_as.default": (Limit(id="same-dtype", require="in[0].dtype == in[1].dtype", say="a change of dtype stays outside", source=at(generic, "dtype conversion from")),),
        "aten.to.dtype": (Limit(id="same-dtype", require=f"in[0].dtype == out[0].dtype and (not attr.copy or in[0].dtype in {FLOAT})", say="a change of dtype stays outside", source=at(generic, "dtype conversion from")),),
        "aten.contiguous.default": (*always, same_order),
        "aten.baddbmm.default": (*always, Limit(id="plain", require="all(n == 1 or not whole(n) for n in [attr.alpha, attr.beta])", say="alpha and beta must be 1 or no whole numbers: another whole number becomes a constant whose cast stays outside", source="scalar")),
    }  # fmt: skip
    sums = Limit(
        id="sums", require="lone_sums(attr.equation) == 0", source="exir",
        say="a letter that one operand has alone and the result lacks becomes a sum, and one that stands twice in an operand a diagonal, which the backend does not take",
        help="sum or take the diagonal before the einsum",
    )  # fmt: skip
    own["aten.einsum.default"] = (*always, fixed, sums)
    place |= {
        "aten.einsum.default": place["aten.bmm.default"],
        "aten.matmul.default": place["aten.mm.default"],
        "aten.pad.default": place["aten.constant_pad_nd.default"],
    }
    copy = place["dim_order_ops._to_dim_order_copy.default"]
    place |= {
        **dict.fromkeys(CASTS, copy),
    }
    for op in ("aten.to.dtype_layout", "aten.to.device", "aten.to.other"):
        own[op] = own["aten.to.dtype"]
    # Without a change nothing is left of a cast.
    limits = {op: always for op in place if not op.startswith("quantized") and op not in (*CASTS, "aten.max.dim")}
    dynamic = Limit(
        id="of-a-taken-layer", require="readers_supported(out[0])",
        say="it is taken together with the layer that reads it, which is not taken", source=at(gemm, "expected to find choose_qparam node"),
    )  # fmt: skip
    for part in ("choose_qparams.tensor", "choose_qparams_per_token_asymmetric.default", "quantize_per_tensor.tensor",
                 "dequantize_per_tensor.tensor", "quantize_per_token.default", "dequantize_per_token.default",
                 "dequantize_per_channel.default"):  # fmt: skip
        place[f"quantized_decomposed.{part}"], own[f"quantized_decomposed.{part}"] = dynamic.source, (dynamic,)
    return Backend(
        place=place,
        limits=limits,
        own=own,
        whole=frozenset(
            {
                "aten.matmul.default",
                "aten.pad.default",
                *CASTS,
                "aten.einsum.default",
            }
        ),
    )
