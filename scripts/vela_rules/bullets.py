"""What a bullet of Vela's report means for an operator."""

from __future__ import annotations

from vela_rules.fragments import (
    _axes_of_mean,
    _resize,
    _resize_power,
    _resize_scale,
    _strided_slice,
    _transpose_8_16,
    _transpose_32,
    _unpadded,
    bias,
    feature_maps,
    maps_and_outputs,
    weights,
)
from vela_rules.limits import CONVOLUTIONS, QUANTIZE_HELP, SHAPE_FROM_INPUTS, Limit


def bullets(target: str, op: str) -> list[tuple[str, Limit]]:
    """The start of a bullet of the report, and what it means for this operator."""
    fm, w, b = maps_and_outputs(op), weights(op), bias(op)
    shared, own = "operators", "operators-u85" if target == "ethos-u85" else "operators-u55"
    shapes = "True" if op in SHAPE_FROM_INPUTS else "all(t.rank > 0 for t in outputs)"
    channels = f"shape1({w})[{3 if op == 'DEPTHWISE_CONV_2D' else 0}]"
    axis = ", 3" if op == "DEPTHWISE_CONV_2D" else ""
    large = 8323072 if target != "ethos-u85" else 2130706432
    weighted = f"quantized({w})" if op in (*CONVOLUTIONS, "FULLY_CONNECTED", "UNIDIRECTIONAL_SEQUENCE_LSTM") else "True"
    dynamic = "True" if op == "BATCH_MATMUL" else f"not const({w})"
    depth = "shape1(in[0])[-2 if attr.adj_x else -1]" if op == "BATCH_MATMUL" else "shape1(in[0])[-1]"
    static = {"READ_VARIABLE": "outputs", "ASSIGN_VARIABLE": "[in[1]]"}.get(op, "inputs + outputs")
    plain = '["int32", "int64", "bool"]'
    if op == "QUANTIZE":
        plain = '["int64", "bool"]'
    sums = f'{{n}} if in[{0 if op != "TRANSPOSE_CONV" else 2}].dtype in ["int8", "uint8", "bool"] else {large}'.replace(
        "{n}", "8323072"
    )
    return [
        (
            "Only the first dimension",
            Limit(
                "static-shape",
                f"all(exists(t.shape) and all(exists(d) for d in t.shape[1:]) for t in {static})",
                "only the first dimension may be dynamic",
                (f"{shared}:TensDimMustBeStatic",),
                help="give the model a fixed input size; a dynamic batch is taken as 1",
            ),
        ),
        (
            "Feature-map dataTypes",
            Limit(
                "dtype",
                f"all(t.dtype in DTYPES for t in {fm})",
                "feature maps must be DTYPES",
                (f"{shared}:SupportedDTypes",),
                help=QUANTIZE_HELP,
            ),
        ),
        (
            "Tensors must have constant shape",
            Limit(
                "shape",
                f"all(t.rank > 0 or const(t) for t in inputs) and {shapes}",
                "a computed tensor must have at least one dimension",
                (f"{shared}:TensMustHaveShape",),
                help="reshape the scalar to [1]",
            ),
        ),
        (
            "Operations must have at least one IFM",
            Limit("has-input", "len(inputs) >= 1", "the operator must have an input", (f"{shared}:MustHaveIFM",)),
        ),
        (
            "Operations must have at least one OFM",
            Limit("has-output", "len(outputs) >= 1", "the operator must have an output", (f"{shared}:MustHaveOFM",)),
        ),
        (
            "Input(s), Output and Weight tensors must have quant",
            Limit(
                "quantized",
                f"all(quantized(t) and len(t.zero_points) > 0 or t.dtype in {plain} for t in {fm}) and {weighted}",
                "8- and 16-bit feature maps and weights must have quantisation parameters",
                (f"{shared}:TensQuantized",),
                help=QUANTIZE_HELP,
            ),
        ),
        (
            "Quantization scale of any tensor",
            Limit(
                "scale-range",
                "all(not quantized(t) or all(s < 4294967296 for s in t.scales) for t in inputs + outputs)",
                "quantisation scales must be below 2^32",
                (f"{shared}:QuantizationScaleShiftMustBePositive",),
            ),
        ),
        (
            "Per-axis quantization is not",
            Limit(
                "per-tensor",
                "not any(per_channel(t) for t in inputs + outputs)",
                "quantisation must be per tensor",
                (f"{shared}:PerAxisQuant",),
                help="only convolutions and FULLY_CONNECTED take per-channel scales; requantise this tensor with one scale",
            ),
        ),
        (
            "64-bit feature-maps",
            Limit(
                "no-64-bit",
                f'all(t.dtype not in ["int64", "uint64", "float64"] for t in {fm})',
                "64-bit feature maps are not supported",
                (f"{own}:RejectPrecision",),
                help="convert the model with int32 indices",
            ),
        ),
        (
            "32-bit feature-maps",
            Limit(
                "no-32-bit",
                f'all(t.dtype not in ["int32", "uint32", "float32"] for t in {fm})',
                "32-bit feature maps are not supported",
                (f"{own}:RejectPrecision",),
                help="keep this part of the graph in int8 or int16; integer index arithmetic stays on the CPU",
            ),
        ),
        (
            "Zero-points must be 0 for Int32",
            Limit(
                "zero-point",
                f'all(not quantized(t) or (all(z == 0 for z in t.zero_points) if t.dtype in ["int32", "uint32", "float32"] else t.dtype in ["int8", "int16", "int64"] or all(z >= 0 for z in t.zero_points)) for t in {fm})',
                "the zero point must be 0 for int32 and not negative for unsigned types",
                (f"{own}:ConstrainZeroPoints",),
            ),
        ),
        (
            "IFM Zero-points",
            Limit(
                "input-zero-point",
                f'all(not quantized(t) or all(z in -128..127 if t.dtype == "int8" else z in 0..255 if t.dtype == "uint8" else z in [0, 32768] if t.dtype == "uint16" else z == 0 for z in t.zero_points) for t in {feature_maps(op)})',
                "an input's zero point must lie in its type's range and be 0 for other than 8-bit types",
                (f"{own}:IFMZeroPoints",),
            ),
        ),
        (
            "OFM Zero-points",
            Limit(
                "output-zero-point",
                'all(not quantized(t) or all(z in -128..127 if t.dtype in ["int4", "int8", "int16", "int32", "int64"] else z in 0..255 or z == 32768 for z in t.zero_points) for t in outputs)',
                "an output's zero point must lie in -128..127, for unsigned types in 0..255",
                (f"{own}:OFMZeroPoints",),
            ),
        ),
        (
            "IFM depth must be less than or equal to 127",
            Limit(
                "depth-127",
                "shape1(in[0])[-1] <= 127",
                "the depth must be at most 127",
                (f"{own}:ArgMaxDepth",),
                help="split the channels before ARG_MAX and compare the parts' maxima on the CPU",
            ),
        ),
        (
            "Kernel stride must be in the range",
            Limit(
                "stride",
                "attr.stride_w <= 3 and attr.stride_h <= 3" if op == "DEPTHWISE_CONV_2D" else "True",
                "strides must be at most 3",
                (f"{own}:KernelStride",),
                help="a larger stride can be a slice after a convolution of stride 1",
            ),
        ),
        (
            "Operation must be performed along the depth",
            Limit(
                "depth-axis",
                "value(in[1])[0] in [in[0].rank - 1, -1]",
                "the axis must be the last one",
                (f"{own}:ArgMaxAxis",),
                help="transpose so that the axis is the last",
            ),
        ),
        (
            "Kernel constraints",
            Limit(
                "kernel",
                f"(attr.filter_height in 1..256 and attr.filter_height * attr.filter_width <= 65536) if {_unpadded(op)} else (attr.filter_width in 1..8 and attr.filter_height in 1..8)"
                if op == "AVERAGE_POOL_2D"
                else "True",
                "the window must be at most 8x8 where padding is needed; else its height at most 256 and its area 65536",
                (f"{shared}:AvgPoolPad",),
                help="pad before and pool with VALID, or pool twice",
            ),
        ),
        (
            "kernel product must",
            Limit(
                "kernel",
                "attr.filter_height in 1..256 and attr.filter_height * attr.filter_width <= 65536",
                "the window's height must be at most 256 and its area 65536",
                (f"{shared}:MaxPool",),
            ),
        ),
        (
            "Stride>3 is only",
            Limit(
                "stride",
                f"((attr.stride_w <= 3 or shape1(out[0])[-2] == 1) and (attr.stride_h <= 3 or shape1(out[0])[-3] == 1)) or ({_unpadded(op)} and {'attr.dilation_w_factor == 1 and attr.dilation_h_factor == 1' if op == 'CONV_2D' else 'True'})",
                "a stride above 3 needs dilation 1 and no padding, or an output of one row or column there",
                (f"{own}:UnrolledKernelStride",),
                help="use padding VALID or two layers of smaller stride",
            ),
        ),
        (
            "IF Matmul or (FC with dynamic weights): IFM precision",
            Limit(
                "matmul-int8",
                f'not ({dynamic}) or in[0].dtype == "int8"',
                "with computed weights the input must be int8",
                (f"{own}:MatmulIFMPrecision",),
            ),
        ),
        (
            "IF Matmul or (FC with dynamic weights): OFM depth",
            Limit(
                "matmul-depth",
                f"not ({dynamic}) or shape1(out[0])[-1] <= 65536",
                "with computed weights the output's depth must be at most 65536",
                (f"{own}:MatmulOFMDepth",),
            ),
        ),
        (
            "IF Matmul or (FC with dynamic weights): Reduced",
            Limit(
                "matmul-reduced",
                f"not ({dynamic}) or {depth} <= 65536",
                "with computed weights the reduced axis must be at most 65536",
                (f"{own}:MatmulReducedAxis",),
            ),
        ),
        (
            "Bias tensors must be constant",
            Limit(
                "bias-constant",
                f"not exists({b}) or const({b})",
                "the bias must be constant",
                (f"{shared}:BiasConstant",),
                help="add the computed bias with an ADD of its own",
            ),
        ),
        (
            "Bias tensors precision",
            Limit(
                "bias-dtype",
                f'not exists({b}) or {b}.dtype in ["int32", "int64"]',
                "the bias must be int32 or int64",
                (f"{shared}:BiasPrecision",),
                help=QUANTIZE_HELP,
            ),
        ),
        (
            "Bias values must be stored",
            Limit(
                "bias-shape",
                f"not exists({b}) or {b}.rank == 0 or size({b}) <= shape1({b})[-1]",
                "the bias must lie along the channels",
                (f"{shared}:BiasShape",),
            ),
        ),
        (
            "Int64 bias must be",
            Limit(
                "bias-range",
                f'not exists({b}) or {b}.dtype != "int64" or not const({b}) or max(value({b})) <= {"1099511627775" if target != "ethos-u85" else "281474976710655"}',
                "an int64 bias must fit",
                (f"{shared}:Bias64BitRange",),
            ),
        ),
        (
            "Weight tensors must be 8-bit",
            Limit(
                "weights-8-bit",
                f'{w}.dtype in ["int8", "uint8", "bool"]',
                "weights must be 8-bit",
                (f"{shared}:WeightsPrecision",),
                help="int4 weights are not taken: quantise the weights to int8",
            ),
        ),
        (
            "Weigth sum",
            Limit(
                "weight-sum",
                f"not const({w}) or 255 * size({w}) // {channels} < ({sums}) or weight_sum({w}{axis}) <= ({sums})",
                f"the absolute weights of a channel must sum up to at most 8323072 (16-bit input: {large})",
                (f"{shared}:WeightSum",),
            ),
        ),
        (
            "FullyConnected weights",
            Limit(
                "weights-shape",
                f"{w}.rank >= 2 and size({w}) == shape1({w})[0] * shape1({w})[-1]",
                "weights must have the form O,1,…,1,I",
                (f"{shared}:FCWeightShape",),
            ),
        ),
        (
            "IFM and OFM datatypes must match, and must be Int8 or UInt8",
            Limit(
                "int8-uint8",
                'in[0].dtype in ["int8", "uint8"] and out[0].dtype == in[0].dtype',
                "input and output must both be int8 or both be uint8",
                (f"{shared}:GeluPrecision",),
                help=QUANTIZE_HELP,
            ),
        ),
        (
            "IFM and OFM datatypes must match, and must be Int8 or Int16",
            Limit(
                "int8-int16",
                'in[0].dtype in ["int8", "int16"] and out[0].dtype == in[0].dtype',
                "input and output must both be int8 or both be int16",
                (f"{shared}:LogPrecision",),
                help=QUANTIZE_HELP,
            ),
        ),
        (
            "IFM and OFM datatypes must match, and must be Int8",
            Limit(
                "int8",
                'in[0].dtype == "int8" and out[0].dtype == "int8"',
                "input and output must be int8",
                (f"{shared}:EluPrecision",),
                help=QUANTIZE_HELP,
            ),
        ),
        (
            "IFM and OFM shapes must match",
            Limit(
                "same-shape",
                "shape1(in[0]) == shape1(out[0])",
                "input and output shapes must be equal",
                (f"{shared}:{op.capitalize()}Shapes",),
            ),
        ),
        (
            "Both Input quantization parameters",
            Limit(
                "same-quantization",
                "all(t.scales == out[0].scales and t.zero_points == out[0].zero_points for t in inputs if quantized(t)) and all(quantized(t) == quantized(out[0]) for t in inputs)",
                "the inputs' quantisation must equal the output's",
                (f"{shared}:MatchingQuantization",),
                help="quantise both inputs and the output with the same scale and zero point",
            ),
        ),
        (
            "Amount of reduced elements",
            Limit(
                "reduced-elements",
                f'prod([1] + [shape1(in[0])[i] for i in 0..in[0].rank - 1 if i in {_axes_of_mean()}]) <= (8388608 if in[0].dtype == "uint8" else 65536 if in[0].dtype == "int16" else 16777216)',
                "at most 16777216 elements (uint8 8388608, int16 65536) may be averaged",
                (f"{shared}:MeanTotalElements",),
                help="average in two steps",
            ),
        ),
        ("Batch must be 1", Limit("batch", "shape4(in[0])[-4] == 1", "the batch must be 1", (f"{shared}:UnitBatch",))),
        (
            "IFM precision must be one of",
            Limit(
                "mean-dtype",
                'in[0].dtype in ["int8", "uint8", "int16"]',
                "the input must be int8, uint8 or int16",
                (f"{shared}:MeanDataType",),
                help=QUANTIZE_HELP,
            ),
        ),
        (
            "Parameter tensors must be constant",
            Limit(
                "constant-parameters",
                " and ".join(
                    f"(not exists(in[{i}]) or const(in[{i}]))"
                    if op == "SLICE"
                    else f"exists(in[{i}]) and const(in[{i}])"
                    for i in {"SLICE": (1, 2), "STRIDED_SLICE": (1, 2, 3)}.get(op, (1,))
                ),
                "its parameters must be constant",
                (f"{shared}:ConstParams",),
                help="export with fixed sizes, so that begin, size, axes and paddings become constants",
            ),
        ),
        (
            "Reduced axis must be less",
            Limit(
                "reduced-axis",
                f"all(shape1(in[0])[a] <= 4096 for a in {_axes_of_mean()})",
                "a reduced axis must be at most 4096",
                (f"{shared}:MeanAxisSize",),
                help="average in two steps",
            ),
        ),
        (
            "Reduction over depth",
            Limit(
                "reduced-depth",
                f"(in[0].rank - 1) not in {_axes_of_mean()} or 1 in shape4(in[0])[-3:]",
                "averaging over the depth needs a height, width or depth of 1",
                (f"{shared}:MeanDepth",),
                help="reshape height and width into one axis first",
            ),
        ),
        (
            "Params tensor must be Int32",
            Limit(
                "params-dtype",
                'in[1].dtype in ["int32", "int64"]',
                "the paddings must be int32 or int64",
                (f"{shared}:PadParams",),
            ),
        ),
        (
            "IF not (IFM H",
            Limit(
                "scale-factor",
                _resize(op),
                "the scale must be 2, 4 or 8 in both directions (with half-pixel centres 2)",
                (f"{own}:Resize",),
                help="resize in steps of 2",
            ),
        ),
        (
            "IF NOT (IFM H",
            Limit(
                "scale-factor",
                _resize(op),
                "the scale must be 2, 4 or 8 in both directions",
                (f"{own}:Resize",),
                help="resize in steps of 2",
            ),
        ),
        (
            "Axis attribute is not",
            Limit("no-axis", "size(in[1]) == 0", "no axis can be reversed", (f"{own}:ReverseMask",)),
        ),
        (
            "IFM must be Int8 or Int16",
            Limit(
                "int8-int16",
                'in[0].dtype in ["int8", "int16"]',
                "the input must be int8 or int16",
                (f"{shared}:RsqrtIFMPrecision",),
                help=QUANTIZE_HELP,
            ),
        ),
        (
            "The product of IFM width",
            Limit(
                "width-times-height",
                "shape4(in[0])[-2] * shape4(in[0])[-3] <= 65536",
                "width times height must be at most 65536",
                (f"{shared}:SoftmaxOverflow",),
            ),
        ),
        (
            "num_splits must",
            Limit(
                "splits",
                "attr.num_splits == len(outputs)",
                "num_splits must be the number of outputs",
                (f"{shared}:SplitsMatchOutputs",),
            ),
        ),
        (
            "Slice must represent",
            Limit(
                "slice",
                _strided_slice(),
                "strides must be 1 but over height and width, not negative, and every part at least one long",
                (f"{shared}:StridedSlice",),
                help="slice with stride 1, or reverse and stride on the CPU",
            ),
        ),
        (
            "IF IFM is Int32",
            Limit(
                "transpose-32-bit",
                _transpose_32(),
                "an int32 tensor can be transposed only in few ways",
                (f"{own}:Transpose32Bit",),
                help="transpose in int8 or int16",
            ),
        ),
        (
            "IF IFM is Int8 or Int16",
            Limit(
                "transpose-size",
                _transpose_8_16(),
                "the axes are too long to be transposed",
                (f"{own}:Transpose8And16Bit",),
            ),
        ),
        (
            "Tensor dimension must be <= 8",
            Limit("rank-8", "shape1(in[1])[-1] <= 8", "at most 8 dimensions", (f"{shared}:TransposeDims",)),
        ),
        (
            "Shape constraints",
            Limit(
                "output-shape",
                " and ".join(
                    f'shape1(out[0])[{p}] == shape1(in[2])[{p}] * attr.stride_{a} + (max(shape1(in[1])[{p}] - attr.stride_{a}, 0) if attr.padding == "VALID" else 0)'
                    for a, p in (("h", 1), ("w", 2))
                ),
                "the output must be input times stride (VALID: plus kernel minus stride)",
                (f"{shared}:TransposeConvShape",),
                help="set output_padding to 0 and choose the input size so that the sizes match",
            ),
        ),
        (
            "Stride values WxH",
            Limit(
                "stride",
                "attr.stride_w in 1..2 and attr.stride_h in 1..2 and (attr.stride_w == attr.stride_h or (attr.stride_w == 1 and shape1(in[2])[2] == 1 and shape1(in[1])[2] == 1) or (attr.stride_w == 2 and shape1(in[2])[1] == 1 and shape1(in[1])[1] == 1))",
                "strides must be 1x1 or 2x2, or 2 along the only long axis",
                (f"{own}:TransposeConvStrides",),
                help="use stride 2, or a resize and a convolution",
            ),
        ),
        (
            "Gate normalization",
            Limit(
                "no-gate-normalization",
                "not any(exists(t) for t in [known(in[20], False), known(in[21], False), known(in[22], False), known(in[23], False)] if t)",
                "gate normalisation is not supported",
                (f"{shared}:LSTMGateNorm",),
            ),
        ),
        (
            "Implicit gate",
            Limit(
                "no-cifg",
                " and ".join(f"exists(in[{i}])" for i in range(1, 9)),
                "all gate weights must be present (no coupled input and forget gate)",
                (f"{shared}:LSTMImplicitGateCalc",),
            ),
        ),
        (
            "Peephole",
            Limit(
                "no-peephole",
                " and ".join(f"not exists(in[{i}])" for i in (9, 10, 11)),
                "peephole weights are not supported",
                (f"{shared}:LSTMPeephole",),
            ),
        ),
        (
            "Projection",
            Limit(
                "no-projection",
                "not exists(in[16]) and not exists(in[17])",
                "a projection is not supported",
                (f"{shared}:LSTMProjection",),
            ),
        ),
        (
            "Scale-factor must be an integer power",
            Limit(
                "scale-power-of-two",
                _resize_power(op),
                "the scale must be an integer power of two",
                (f"{own}:ResizeBilinearPowerOfTwo",),
                help="resize in steps of 2, or by nearest neighbour",
            ),
        ),
        (
            "Scale-factor:",
            Limit(
                "scale-factor",
                _resize_scale(op),
                "the scale must be at most 2048 (with half-pixel centres 1024)",
                (f"{own}:ResizeScaleFactor",),
            ),
        ),
        (
            "align_corners and half",
            Limit(
                "corners",
                "not attr.align_corners or not attr.half_pixel_centers",
                "align_corners excludes half_pixel_centers",
                (f"{own}:ResizeACHPC",),
            ),
        ),
        (
            "axis must be equal",
            Limit(
                "axis",
                "(attr.axis if attr.axis >= 0 else attr.axis + in[0].rank) == attr.batch_dims",
                "the axis must equal batch_dims",
                (f"{own}:GatherAxis",),
                help="transpose so that the gathered axis comes first",
            ),
        ),
        (
            "Index tensor elements",
            Limit(
                "unique-index",
                "not const(in[0]) or all(all(i >= j or value(in[0])[i] != value(in[0])[j] for j in 0..size(in[0]) - 1) for i in 0..size(in[0]) - 1)",
                "no index may occur twice",
                (f"{own}:ScatterIndexUniqueElements",),
            ),
        ),
        (
            "Index tensor must be constant",
            Limit("constant-index", "const(in[0])", "the indices must be constant", (f"{own}:ScatterIndexConst",)),
        ),
        (
            "Index tensor must have channel",
            Limit(
                "index-channel",
                "shape1(in[0])[-1] == 1",
                "the indices' last dimension must be 1",
                (f"{own}:ScatterIndexUnitChannel",),
            ),
        ),
        (
            "Shape tensor must",
            Limit("constant-shape", "const(in[2])", "the shape must be constant", (f"{own}:ScatterShapeConst",)),
        ),
        (
            "Variable handle",
            Limit(
                "variable-dtype",
                "in[1].dtype in DTYPES" if op == "ASSIGN_VARIABLE" else "out[0].dtype in DTYPES",
                "a variable must hold DTYPES",
                (f"{shared}:SupportedVariableDTypes",),
            ),
        ),
    ]
