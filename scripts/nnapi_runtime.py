"""What NNAPI's own validation asks of an operation, where LiteRT's delegate hands over more than that: data of `import_nnapi.py`.

Read from `common/types/operations/src/*.cpp` of platform/packages/modules/NeuralNetworks (the repository and commit stand in
`SOURCE`); what each operation says of types and ranks is also in `tools/api/types.spec`. The delegate writes int8 as uint8
before API 30, so int8 stands wherever uint8 does.
"""

from __future__ import annotations

from collections.abc import Iterator

SOURCE = """[source.runtime]
repo = "timocapa/android_packages_modules_NeuralNetworks"
commit = "19f042d755e45aec42428c0d5abeb5f4e390e35b"
path = "common/types/operations/src"
licence = "Apache-2.0"
seen = 2026-11-21

"""
FLOATS = ("float32", "float16")
REAL = ("float32", "float16", "uint8", "int8")

#: Operator: (tensor, types) and where the runtime says so.
TYPES: dict[str, tuple[str, tuple[str, ...], str]] = {
    "TRANSPOSE": ("in[0]", REAL, "Transpose.cpp:30"),
    "SQUEEZE": ("in[0]", REAL, "Squeeze.cpp:28"),
    "SPACE_TO_BATCH_ND": ("in[0]", REAL, "Reshape.cpp:262"),
    "BATCH_TO_SPACE_ND": ("in[0]", REAL, "Reshape.cpp:212"),
    "FLOOR": ("in[0]", FLOATS, "Elementwise.cpp:53"),
    "LOCAL_RESPONSE_NORMALIZATION": ("in[0]", FLOATS, "LocalResponseNormalization.cpp:35"),
    "L2_NORMALIZATION": ("in[0]", REAL, "L2Normalization.cpp:34"),
    "CONV_2D": ("in[0]", REAL, "Conv2D.cpp:43"),
    "DEPTHWISE_CONV_2D": ("in[0]", REAL, "DepthwiseConv2D.cpp:34"),
    "FULLY_CONNECTED": ("in[0]", REAL, "FullyConnected.cpp:71"),
    "TRANSPOSE_CONV": ("in[2]", REAL, "TransposeConv2D.cpp:34"),
    "REDUCE_ANY": ("in[0]", ("bool",), "Reduce.cpp:68"),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": ("in[0]", FLOATS, "UnidirectionalSequenceLSTM.cpp:33"),
    "BIDIRECTIONAL_SEQUENCE_LSTM": ("in[0]", FLOATS, "BidirectionalSequenceLSTM.cpp:42"),
    "UNIDIRECTIONAL_SEQUENCE_RNN": ("in[0]", FLOATS, "UnidirectionalSequenceRNN.cpp:31"),
    "RNN": ("in[0]", FLOATS, "RNN.cpp:33"),
    "SVDF": ("in[0]", FLOATS, "SVDF.cpp:31"),
    "LSH_PROJECTION": ("in[1]", (*FLOATS, "int32", "uint8"), "LSHProjection.cpp:31"),
}

#: Operator: where the runtime takes at most four dimensions and the delegate does not ask.
RANK_4: dict[str, str] = {
    "TRANSPOSE": "Transpose.cpp:41",
    "SQUEEZE": "Squeeze.cpp:50",
    "FLOOR": "Elementwise.cpp:61",
    "LOCAL_RESPONSE_NORMALIZATION": "LocalResponseNormalization.cpp:62",
    "L2_NORMALIZATION": "L2Normalization.cpp:51",
    **dict.fromkeys(("RELU", "RELU6", "RELU_N1_TO_1", "LOGISTIC", "TANH"), "Activation.cpp:46"),
    "STRIDED_SLICE": "StridedSlice.cpp:55",
    "PAD": "Reshape.cpp:149",
    "PADV2": "Reshape.cpp:196",
    "DEQUANTIZE": "Dequantize.cpp:33",
    **dict.fromkeys(("REDUCE_MIN", "REDUCE_MAX"), "Reduce.cpp:59"),
    **dict.fromkeys(("REDUCE_PROD", "SUM"), "Reduce.cpp:36"),
    "REDUCE_ANY": "Reduce.cpp:75",
}
WHY = "the delegate takes it, and NNAPI itself then refuses it"


def limits(op: str) -> Iterator[tuple[str, str, str, str]]:
    """(id, require, say, place) of an operator."""
    if op in TYPES:
        tensor, types, place = TYPES[op]
        listed = [one for one in types if one != "float16"]
        require, say = f"{tensor}.dtype in {listed}", f"{tensor} must be {', '.join(listed)}"
        if "float16" in types:
            require += f" or ({tensor}.dtype == 'float16' and env.version >= 29)"
            say += " (float16 from API 29 on)"
        yield "runtime-type", require, f"{say}: {WHY}", place
    if op in RANK_4:
        yield "runtime-rank", "in[0].rank <= 4", f"the input has at most 4 dimensions: {WHY}", RANK_4[op]
