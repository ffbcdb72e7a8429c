"""Operators by what Vela does with them: which inputs it takes, what it checks, what it fuses."""

from __future__ import annotations

from tflite_families import (
    ARITHMETIC,
    BOTH_TRUE,
    COMPARISONS,
    CONVOLUTIONS,
    CURVES,
    EXTREMES,
    POOLS,
    RESHAPES,
    SUMS,
)

#: Elementwise operators of two feature maps whose shapes must fit.
BROADCAST = (*EXTREMES, *SUMS, "SQUARED_DIFFERENCE")
COMPARED = ("DIV", *COMPARISONS, *BOTH_TRUE)
#: Both inputs are read by a check.
READ_BOTH = (*BROADCAST, "BATCH_MATMUL", "GATHER", "TRANSPOSE", "PAD", "CONV_2D")
#: The inputs Vela takes as feature maps (tflite_mapping.cpp, _inputTensorIndices); the first input where nothing stands.
FEATURE_MAPS = {
    **dict.fromkeys((*BROADCAST, *COMPARED, "BATCH_MATMUL", "EXPAND_DIMS", "GATHER", "SCATTER_ND"), "inputs"),
    **dict.fromkeys(("CONCATENATION", "PACK", "SELECT", "SELECT_V2"), "inputs"),
    "SPLIT": "[in[1]]",
    "TRANSPOSE_CONV": "[in[2]]",
    "ASSIGN_VARIABLE": "[in[1]]",
    "READ_VARIABLE": "[]",
}
#: Where the reader of the file takes a missing output shape from the inputs.
SHAPE_FROM_INPUTS = (
    *("ABS", "GELU", "ELU", "LEAKY_RELU", "NEG", "LOGICAL_NOT", "QUANTIZE"),
    *(*ARITHMETIC, *EXTREMES, *BOTH_TRUE),
    *("EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL"),
)
FUSED = (*CONVOLUTIONS, *POOLS, "FULLY_CONNECTED", "CONCATENATION", *ARITHMETIC)
#: Operators with a fused activation that no target's report lists; the reader takes it apart all the same.
FUSED_UNLISTED = ("L2_POOL_2D", "L2_NORMALIZATION", "SVDF")
#: What Vela checks of an operator even where it is not on the report's list for a target.
CHECKED = (
    *("GATHER", "DIV", *FUSED_UNLISTED, "SQUARE", "SQRT", "SIN", "COS", "CEIL", "FLOOR", "ROUND", "ZEROS_LIKE"),
    *("LOG_SOFTMAX", "DEQUANTIZE", "CUMSUM", "DEPTH_TO_SPACE", "SPACE_TO_DEPTH", "FLOOR_DIV", "FLOOR_MOD", "POW"),
    *("GATHER_ND", "TOPK_V2", "ARG_MIN", "REDUCE_PROD", "CAST", *COMPARISONS),
    *("LOGICAL_AND", "LOGICAL_NOT", "LOGICAL_OR", "ADD_N", "RANK", "REDUCE_ALL", "REDUCE_ANY"),
    *("SELECT", "SELECT_V2", "SHAPE"),
)
#: What a check of its own reads the input of, even where there are no inputs at all.
READ_FIRST = (
    *("ARG_MAX", "DEPTHWISE_CONV_2D", "HARD_SWISH", "SOFTMAX", "SPLIT_V", "UNIDIRECTIONAL_SEQUENCE_LSTM"),
    *(*CURVES, *POOLS, *RESHAPES),
)
#: Input and output must have one type.
ONE_TYPE = (*POOLS, *CURVES, *EXTREMES, "HARD_SWISH", "UNIDIRECTIONAL_SEQUENCE_LSTM", "GATHER")
