"""Families of TFLite operators, for the importers that speak of all of a family at once."""

from __future__ import annotations

CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV")
POOLS = ("AVERAGE_POOL_2D", "MAX_POOL_2D")
SUMS = ("ADD", "SUB", "MUL")
ARITHMETIC = (*SUMS, "DIV")
EXTREMES = ("MINIMUM", "MAXIMUM")
COMPARISONS = ("EQUAL", "NOT_EQUAL", "LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL")
BOTH_TRUE = ("LOGICAL_AND", "LOGICAL_OR")
RESHAPES = ("RESHAPE", "SQUEEZE", "EXPAND_DIMS")
CURVES = ("ABS", "EXP", "GELU", "ELU", "LEAKY_RELU", "RSQRT")
