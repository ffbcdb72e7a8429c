"""A limit as Vela's report or source states it, and the operators by what they have."""

from __future__ import annotations

from dataclasses import dataclass, field

SEEN = "2026-11-21"
TARGETS = {
    "ethos-u55": "Ethos-U55 and Ethos-U65",
    "ethos-u65": "Ethos-U55 and Ethos-U65",
    "ethos-u85": "Ethos-U85",
}

# The inputs Vela takes as feature maps (tflite_mapping.cpp, _inputTensorIndices); the first input where nothing stands.
FEATURE_MAPS = {
    **dict.fromkeys(
        (
            "ADD",
            "SUB",
            "MUL",
            "DIV",
            "SQUARED_DIFFERENCE",
            "EQUAL",
            "NOT_EQUAL",
            "LESS",
            "LESS_EQUAL",
            "GREATER",
            "GREATER_EQUAL",
            "LOGICAL_AND",
            "LOGICAL_OR",
            "BATCH_MATMUL",
            "EXPAND_DIMS",
            "GATHER",
            "SCATTER_ND",
        ),
        "inputs",
    ),
    **dict.fromkeys(("CONCATENATION", "PACK", "MINIMUM", "MAXIMUM", "SELECT", "SELECT_V2"), "inputs"),
    "SPLIT": "[in[1]]",
    "TRANSPOSE_CONV": "[in[2]]",
    "ASSIGN_VARIABLE": "[in[1]]",
    "READ_VARIABLE": "[]",
}
# Where the reader of the file takes a missing output shape from the inputs.
SHAPE_FROM_INPUTS = (
    "ABS",
    "GELU",
    "ELU",
    "LEAKY_RELU",
    "NEG",
    "LOGICAL_NOT",
    "QUANTIZE",
    "ADD",
    "SUB",
    "MUL",
    "DIV",
    "MINIMUM",
    "MAXIMUM",
    "LOGICAL_AND",
    "LOGICAL_OR",
    "EQUAL",
    "NOT_EQUAL",
    "GREATER",
    "GREATER_EQUAL",
)
FUSED = (
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "TRANSPOSE_CONV",
    "AVERAGE_POOL_2D",
    "MAX_POOL_2D",
    "FULLY_CONNECTED",
    "CONCATENATION",
    "ADD",
    "SUB",
    "MUL",
    "DIV",
)
CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV")
QUANTIZE_HELP = "quantise the model to int8 with a calibration set (full integer quantisation) before compiling"


@dataclass(frozen=True)
class Limit:
    id: str
    require: str
    say: str
    source: tuple[str, ...]
    otherwise: str = "fallback"
    help: str = ""
    when: str = ""
    opaque: str = ""


@dataclass
class Section:
    """One operator of the report."""

    name: str
    line: int
    bullets: list[tuple[int, str]] = field(default_factory=list)
