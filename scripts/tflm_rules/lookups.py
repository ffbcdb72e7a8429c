"""What the kernels of gathering, broadcasting, selecting, recurrent and stateful operators demand."""

from __future__ import annotations

from tflm_rules.checks import BATCH, F8, F816, SPACE, Rule, constant, dtype, rank, same, shapes, shared

BATCHED = "(attr.batch_dims if attr.batch_dims >= 0 else attr.batch_dims + len(shape1(in[1])))"
# The axes of a REVERSE_V2, counted from the front.
REVERSED = "[a if a >= 0 else a + len(shape1(in[0])) for a in value(in[1])]"

RULES: dict[str, list[Rule]] = {
    "GATHER": [
        ("index-dtype", 'in[1].dtype == "int32"', "the indices must be int32", "gather.cc:122"),
        dtype(F8, "gather.cc:137"),
        (
            "axis",
            "(attr.axis if attr.axis >= 0 else attr.axis + len(shape1(in[0]))) in 0..len(shape1(in[0])) - 1",
            "the axis must lie within the rank",
            "gather.cc:149",
        ),
        (
            "batch-dims",
            "attr.batch_dims <= (attr.axis if attr.axis >= 0 else attr.axis + len(shape1(in[0])))",
            "batch_dims must be at most the axis",
            "gather.cc:155",
        ),
        (
            "batch-shape",
            f"{BATCHED} in 0..len(shape1(in[0])) - 1 and {BATCHED} <= len(shape1(in[1])) and shape1(in[0])[0:{BATCHED}] == shape1(in[1])[0:{BATCHED}]",
            "the first batch_dims dimensions of both inputs must be there and equal",
            "gather.cc:156",
        ),
    ],
    "GATHER_ND": [
        dtype(F8, "gather_nd.cc:51"),
        ("index-dtype", 'in[1].dtype == "int32"', "the indices must be int32", "gather_nd.cc:60"),
        rank(1, 8, "gather_nd.cc:69"),
        rank(1, 8, "gather_nd.cc:73", "in[1]"),
        (
            "index-depth",
            "shape1(in[1])[-1] <= len(shape1(in[0])) and shape1(in[1])[-1] <= 5",
            "an index must be at most as long as the rank, and 5",
            "gather_nd.cc:77",
        ),
    ],
    "BROADCAST_TO": [
        (
            "output-shape",
            "not const(in[1]) or value(in[1]) == shape1(out[0])",
            "the output must have the stated shape",
            "broadcast_to.cc:71",
        ),
        ("shape-dtype", 'in[1].dtype in ["int32", "int64"]', "the shape must be int32 or int64", "broadcast_to.cc:90"),
        same("broadcast_to.cc:92"),
        constant("in[1]", "broadcast_to.cc:98"),
        (
            "input-rank",
            "len(shape1(in[0])) <= len(shape1(out[0]))",
            "the input must not have more dimensions than the output",
            "broadcast_to.cc",
        ),
        rank(0, 5, "broadcast_to.cc:87"),
        rank(0, 5, "broadcast_to.cc:47", "out[0]"),
    ],
    "BROADCAST_ARGS": [
        dtype(("int32", "int64"), "broadcast_args.cc:43"),
        same("broadcast_args.cc:45", "in[0]", "in[1]"),
        ("output-dtype", "in[0].dtype == out[0].dtype", "types must be equal", "broadcast_args.cc:46"),
        rank(1, 1, "broadcast_args.cc:49"),
        rank(1, 1, "broadcast_args.cc:50", "in[1]"),
    ],
    "FILL": [
        constant("in[0]", "fill.cc:90"),
        ("as-many-sizes", "size(in[0]) == len(shape1(out[0]))", "the output must have the stated rank", "fill.cc:44"),
        (
            "sizes",
            "not const(in[0]) or value(in[0]) == shape1(out[0])",
            "the output must have the stated shape",
            "fill.cc:33",
        ),
        ("value", "exists(in[1])", "the value must be there", "fill.cc:75"),
        ("scalar", "len(shape1(in[1])) == 0", "the value must be a scalar", "fill.cc:82"),
        ("output-dtype", "in[1].dtype == out[0].dtype", "value and output types must be equal", "fill.cc:85"),
        (
            "shape-dtype",
            'in[0].dtype in ["int8", "int16", "int32", "int64"]',
            "the shape must be an integer tensor",
            "fill.cc:57",
        ),
        dtype(("float32", "int32", "int8"), "fill.cc:125", "in[1]"),
    ],
    "CUMSUM": [
        dtype(F8, "cumsum.cc:58"),
        ("axis-dtype", 'in[1].dtype == "int32" and size(in[1]) == 1', "the axis must be one int32", "cumsum.cc:60"),
        rank(1, 8, "cumsum.cc:64"),
        (
            "axis-range",
            "not const(in[1]) or (scalar(in[1]) >= 0 - len(shape1(in[0])) and scalar(in[1]) < len(shape1(in[0])))",
            "the axis must lie within the rank",
            "cumsum.cc",
        ),
        same("cumsum.cc:69"),
        (
            "multiplier",
            'in[0].dtype != "int8" or (known(in[0].scale, 0) > 0 and 2 * in[0].scale < 1048576 * known(out[0].scale, 0))',
            "the input's scale must be positive and below 2^19 times the output's: else the kernel aborts",
            "cumsum.cc:89",
        ),
        shapes("cumsum.cc:70"),
    ],
    "SPACE_TO_DEPTH": [
        *SPACE,
        (
            "blocks",
            "attr.block_size > 0 and shape1(in[0])[-3] % attr.block_size == 0 and shape1(in[0])[-2] % attr.block_size == 0",
            "the blocks must divide height and width",
            "space_to_depth.cc:65",
        ),
    ],
    "DEPTH_TO_SPACE": [
        *SPACE,
        (
            "blocks",
            "attr.block_size > 0 and shape1(in[0])[-1] % (attr.block_size * attr.block_size) == 0",
            "the squared block size must divide the depth",
            "depth_to_space.cc:71",
        ),
    ],
    **shared(("SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND"), BATCH),
    "REVERSE_V2": [
        rank(1, 1, "reverse.cc:60", "in[1]"),
        rank(0, 8, "reverse.cc:61"),
        dtype(("int32", "float32", "uint8", "int8", "int16", "int64", "bool"), "reverse.cc:64"),
        ("axis-dtype", 'in[1].dtype == "int32"', "the axes must be int32", "reverse.cc:73"),
        (
            "axes",
            f"size(in[1]) <= len(shape1(in[0])) and (not const(in[1]) or all(a in 0..len(shape1(in[0])) - 1 for a in {REVERSED}))",
            "the axes must lie within the rank",
            "reverse.cc:106",
        ),
        (
            "contiguous",
            f"not const(in[1]) or size(in[1]) <= 1 or (max({REVERSED}) - min({REVERSED}) + 1 == size(in[1]) and all(sum([1 for b in {REVERSED} if b == a]) == 1 for a in {REVERSED}))",
            "the axes must follow on each other",
            "reverse.cc:110",
        ),
        same("reverse.cc:79"),
    ],
    "SELECT_V2": [
        (
            "broadcast",
            "shape1(in[0]) == shape1(in[1]) and shape1(in[1]) == shape1(in[2]) or all(prod([1] + shape1(t)) == 1 for t in inputs + outputs) or len(shape1(out[0])) == max(len(shape1(in[0])), len(shape1(in[1])), len(shape1(in[2]))) and all(all(i >= len(shape1(t)) or shape1(t)[len(shape1(t)) - 1 - i] in [1, shape1(out[0])[len(shape1(out[0])) - 1 - i]] for i in 0..len(shape1(out[0])) - 1) for t in inputs)",
            "the shapes must broadcast to the output's",
            "select.cc:67",
        ),
        ("condition", 'in[0].dtype == "bool"', "the condition must be bool", "select.cc:95"),
        same("select.cc:96", "in[1]", "in[2]"),
        dtype(F816, "select.cc:176", "in[1]"),
    ],
    "SHAPE": [("output-dtype", 'out[0].dtype == "int32"', "the output must be int32", "shape.cc:50")],
    "ADD_N": [
        ("inputs", "len(inputs) >= 2", "it takes at least two inputs", "add_n.cc:51"),
        same("add_n.cc:63"),
        (
            "same-inputs",
            "all(shape1(t) == shape1(in[0]) and t.dtype == in[0].dtype for t in inputs)",
            "all inputs must have the same shape and type",
            "add_n.cc:67",
        ),
        (
            "same-quantization",
            'in[0].dtype != "int8" or all(known(t.scale, 0) == known(in[0].scale, 0) and known(t.zero_point, 0) == known(in[0].zero_point, 0) for t in inputs)',
            "all inputs must have the same scale and zero point",
            "add_n.cc:72",
        ),
        dtype(F8, "add_n.cc:125"),
        (
            "multiplier",
            'out[0].dtype != "int8" or (known(in[0].scale, 0) > 0 and 2 * in[0].scale < 1048576 * known(out[0].scale, 0))',
            "the inputs' scale must be positive and below 2^19 times the output's: else the kernel aborts",
            "add_n.cc:115",
        ),
    ],
    "DYNAMIC_UPDATE_SLICE": [
        same("dynamic_update_slice.cc:149", "in[0]", "in[1]"),
        (
            "index-dtype",
            'in[2].dtype in ["int32", "int64"]',
            "the start must be int32 or int64",
            "dynamic_update_slice.cc:150",
        ),
        (
            "ranks",
            "shape1(in[2]) == [len(shape1(in[0]))] and len(shape1(in[1])) == len(shape1(in[0])) and all(shape1(in[1])[i] <= shape1(in[0])[i] for i in 0..len(shape1(in[0])) - 1)",
            "start and update must fit the operand",
            "dynamic_update_slice.cc:153",
        ),
        dtype(("float32", "int8", "int16", "int32"), "dynamic_update_slice.cc:217"),
    ],
    "EMBEDDING_LOOKUP": [
        rank(1, 1, "embedding_lookup.cc:77"),
        ("index-dtype", 'in[0].dtype == "int32"', "the indices must be int32", "embedding_lookup.cc:78"),
        rank(2, 8, "embedding_lookup.cc:83", "in[1]"),
        (
            "output-rank",
            "len(shape1(out[0])) >= len(shape1(in[1]))",
            "the output must have as many dimensions as the table",
            "embedding_lookup.cc:100",
        ),
        (
            "output-size",
            "shape1(in[0])[0] * prod(shape1(in[1])[1:]) * prod([1] + shape1(out[0])[len(shape1(in[1])):]) <= prod(shape1(out[0]))",
            "the output must hold a row for each index",
            "embedding_lookup.cc:114",
        ),
        dtype(F8, "embedding_lookup.cc:84", "in[1]"),
        (
            "output-dtype",
            'out[0].dtype == "float32" or (in[1].dtype == "int8" and out[0].dtype == "int8")',
            "the output must be float32, or int8 as the table",
            "embedding_lookup.cc:91",
        ),
        (
            "zero-point",
            'in[1].dtype != "int8" or out[0].dtype != "float32" or not quantized(in[1]) or in[1].zero_point == 0',
            "an int8 table with float32 output must have zero point 0",
            "embedding_lookup.cc:59",
        ),
    ],
    "SVDF": [
        (
            "sizes",
            "shape1(out[0]) == [shape1(in[0])[0], shape1(in[1])[0] // max(attr.rank, 1)] and shape1(in[1])[1] == shape1(in[0])[1] and shape1(in[2])[0] == shape1(in[1])[0] and shape1(in[4]) == [shape1(in[0])[0], shape1(in[2])[1] * shape1(in[1])[0]] and (not exists(in[3]) or shape1(in[3])[0] == shape1(out[0])[1])",
            "weights, state and output must fit input and rank",
            "svdf_common.cc:411",
        ),
        (
            "inputs",
            "arity == 5 and exists(in[0]) and exists(in[1]) and exists(in[2]) and exists(in[4])",
            "it takes five inputs, of which only the bias may be left out",
            "svdf_common.cc:438",
        ),
        dtype(F8, "svdf_common.cc:402"),
        rank(2, 2, "svdf_common.cc:404"),
        rank(2, 2, "svdf_common.cc:412", "out[0]"),
        ("state", "variable(in[4])", "the state must be a variable", "svdf_common.cc:436"),
        (
            "types",
            '(in[1].dtype == "float32" and in[2].dtype == "float32" and in[4].dtype == "float32" and out[0].dtype == "float32") if in[0].dtype == "float32" else (in[1].dtype == "int8" and in[2].dtype in ["int16", "int8"] and in[4].dtype == in[2].dtype and out[0].dtype == "int8" and (not exists(in[3]) or in[3].dtype == "int32"))',
            "weights, state, bias and output must fit the input's type",
            "svdf_common.cc:443",
        ),
        (
            "bias-scale",
            'in[0].dtype != "int8" or not (quantized(in[2]) and quantized(in[4])) or (exists(in[3]) and quantized(in[3]) and abs(in[3].scale - in[4].scale * in[2].scale) < 0.00001)',
            "the bias's scale must be state scale times time weights' scale",
            "svdf_common.cc:463",
        ),
    ],
    "UNIDIRECTIONAL_SEQUENCE_LSTM": [
        ("arity", "arity == 24", "it takes 24 inputs, those left out included", "unidirectional_sequence_lstm.cc:44"),
        (
            "intermediates",
            "not exists(attr.intermediates) or attr.intermediates_size == 0",
            "its intermediate tensors must be empty, as converters write them",
            "interpreter:micro_allocation_info.cc:167",
        ),
        (
            "one-weight-type",
            "all(t.dtype == in[5].dtype for t in [in[1], in[2], in[3], in[4], in[6], in[7], in[8]])",
            "all weights must have one type",
            "lstm_eval.cc:80",
        ),
        (
            "sizes",
            "all(shape1(t) == [shape1(in[18])[1], shape1(in[0])[2]] for t in [in[1], in[2], in[3], in[4]]) and all(shape1(t) == [shape1(in[18])[1], shape1(in[18])[1]] for t in [in[5], in[6], in[7], in[8]]) and all(shape1(t) == [shape1(in[18])[1]] for t in [in[12], in[13], in[14], in[15]]) and shape1(out[0]) == [shape1(in[0])[0], shape1(in[0])[1], shape1(in[18])[1]]",
            "weights, biases and output must fit input and state",
            "lstm_eval_common.cc:59",
        ),
        (
            "states",
            "all(prod(shape1(t)) == shape1(in[0])[1 if attr.time_major else 0] * shape1(in[18])[1] for t in [in[18], in[19]])",
            "the states must hold batch times cells",
            "lstm_eval_common.cc:85",
        ),
        (
            "plain",
            " and ".join(f"not exists(in[{i}])" for i in (9, 10, 11, 16, 17, 20, 21, 22, 23)),
            "peephole, projection and layer normalisation are not supported",
            "lstm_eval.cc:90",
        ),
        ("inputs", "exists(in[19]) and not exists(in[24])", "it takes 24 inputs", "unidirectional_sequence_lstm.cc:46"),
        dtype(F816, "unidirectional_sequence_lstm.cc:153"),
        (
            "gates",
            " and ".join(f"exists(in[{i}])" for i in range(1, 9)),
            "all gate weights must be present",
            "lstm_eval_common.cc:43",
        ),
        (
            "weights-dtype",
            'in[5].dtype == ("float32" if in[0].dtype == "float32" else "int8")',
            "weights must be float32 for float32, int8 for integer inputs",
            "unidirectional_sequence_lstm.cc:127",
        ),
        (
            "cell-state",
            'in[19].dtype == ("float32" if in[0].dtype == "float32" else "int16")',
            "the cell state must be float32 or int16",
            "unidirectional_sequence_lstm.cc:80",
        ),
        (
            "state-dtype",
            "in[18].dtype == in[0].dtype and out[0].dtype == in[0].dtype",
            "hidden state and output must have the input's type",
            "lstm_eval.cc:64",
        ),
        ("states-variable", "variable(in[18]) and variable(in[19])", "the states must be variables", "lstm_eval.cc:61"),
        (
            "biases",
            "all(exists(t) and t.dtype == in[13].dtype for t in [in[12], in[13], in[14], in[15]])",
            "all biases must be there and have one type",
            "lstm_eval.cc:87",
        ),
        rank(3, 3, "lstm_eval_common.cc:91", "out[0]"),
    ],
    "TFLite_Detection_PostProcess": [
        dtype(("float32",), "detection_postprocess.cc:287"),
        ("scores-dtype", 'in[1].dtype == "float32"', "the scores must be float32", "detection_postprocess.cc:765"),
    ],
    "ASSIGN_VARIABLE": [
        (
            "handle",
            'in[0].dtype in ["resource", "int32"]',
            "the first input must be a resource",
            "assign_variable.cc:66",
        ),
    ],
    "WHILE": [
        ("ends", "len(outputs) == arity", "it gives as many values as it takes", "while.cc:63"),
        (
            "inside",
            'all(v != "rejected" for v in inside)',
            "the resolver must have every operator of its graphs, and its kernel take it: they are prepared with it",
            "while.cc:Prepare",
        ),
    ],
    "IF": [
        (
            "inside",
            'all(v != "rejected" for v in inside)',
            "the resolver must have every operator of its graphs, and its kernel take it: they are prepared with it",
            "if.cc:Prepare",
        ),
        (
            "condition",
            'in[0].dtype == "bool" and known(size(in[0]), 1) == 1',
            "the condition must be one bool",
            "if.cc:61",
        ),
    ],
}
