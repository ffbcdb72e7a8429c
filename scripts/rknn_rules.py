"""Conditions of what RKNN-Toolkit2 2.5.0 was measured to give to a Rockchip chip's NPU, to its CPU, or to refuse.

An image is a tensor of four dimensions, which the NPU stores in blocks of channels. Fewer dimensions are put around
with ones ([n, c] becomes [1, n, 1, c]; [n, c, w] becomes [n, c, 1, w]), more are taken together where that is possible;
the rules say what follows from it. Measured by op_tables/evidence/rknn-*.jsonl; nothing here comes from Rockchip's code.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True)
class Limit:
    """One [[op.limit]]; without `require` it is opaque."""

    id: str
    say: str
    require: str = ""
    otherwise: str = "fallback"
    help: str = ""

    def filled(self, name: str, text: str) -> Limit:
        """With `text` for a name in the condition."""
        return replace(self, require=self.require.replace(name, text))


def cpu(id: str, require: str, say: str, help: str = "") -> Limit:
    return Limit(id=id, require=require, say=say, help=help)


def no(id: str, require: str, say: str, help: str = "") -> Limit:
    return Limit(id=id, require=require, say=say, otherwise="rejected", help=help)


def vague(id: str, say: str, when: str = "") -> Limit:
    """Not known where `when` holds: written as a limit that is opaque."""
    return Limit(id=id, say=say, require=when, otherwise="opaque")


FLOAT = "['float32', 'float16', 'float64']"
WIDE = "['int32', 'int64', 'uint32', 'uint64', 'int16', 'uint16']"
ONLY_FLOATS = cpu("float", f"dtype(in[0]) in {FLOAT}", "integers run on the CPU (without quantisation)")
NARROW = cpu("no-wide-integers", f"dtype(in[0]) not in {WIDE}", "wide integers are moved by the CPU")
NOT_SCALAR = cpu("not-scalar", "out[0].rank >= 1", "a scalar runs on the CPU")
#: Converted on one side only: it computes with floats, in a model that has 8-bit integers.
ONE_SIDED = f"((unit_type(in[0]) in {FLOAT}) != (unit_type(out[0]) in {FLOAT}))"
#: A conversion stands beside it, and yet it computes with floats: not all that it reads was of 8 bits.
MIXED = (
    "(any(t.producer != 'DequantizeLinear' and not computed(t) for t in inputs) and (any(t.producer == 'DequantizeLinear' and not computed(t) for t in inputs)"
    " or (out[0].consumers != [] and all(c == 'QuantizeLinear' for c in out[0].consumers))))"
)
#: Floats, not constant, divided by what a DequantizeLinear makes.
BY_BYTES = "(in[0].producer != 'DequantizeLinear' and in[1].producer == 'DequantizeLinear' and all(not computed(t) for t in inputs))"
#: A constant that a DequantizeLinear makes, and floats beside it.
BYTES_KEPT = cpu(
    "quantised-constant",
    "out[0].rank == 4 or not any(t.producer == 'DequantizeLinear' and computed(t) for t in inputs) or all(computed(t) or t.producer == 'DequantizeLinear' for t in inputs)",
    "floats beside a quantised constant are computed on the CPU unless the result is an image",
    "leave the constant in floats",
)


def mixed(shapes: str, say: str) -> Limit:
    """Beside a conversion, each input `t` must be constant, or hold `shapes`."""
    return cpu(
        "mixed-shapes",
        f"not {MIXED} or all(computed(t) or ({shapes}) for t in inputs)",
        say,
        "quantise both inputs, or none",
    )


#: Floats in front of a conversion: without one before, the CPU computes what is no image.
BEFORE_BLOCKS = cpu(
    "before-blocks",
    "out[0].rank == 4 or out[0].consumers == [] or any(c != 'QuantizeLinear' for c in out[0].consumers) or any(t.producer == 'DequantizeLinear' and not computed(t) for t in inputs)",
    "what is no image is computed on the CPU between floats and QuantizeLinear",
)
ARITHMETIC = (ONLY_FLOATS, NOT_SCALAR)
#: The toolkit runs the model with onnxruntime to fold constants: what that has no kernel for does not load.
KERNEL = no("no-kernel", f"dtype(in[0]) in {FLOAT}", "the toolkit cannot run it with integers")
EIGHT_BITS = no("no-kernel", "(dtype(in[0]) == 'uint8' and dtype(in[3]) in ['uint8', 'int8'] and dtype(out[0]) == 'uint8') or all(dtype(t) == 'int8' for t in [in[0], in[3], out[0]])",
                 "the toolkit runs uint8 by uint8 or int8 to uint8, and int8 by int8 to int8")  # fmt: skip
#: Five dimensions become four where the first or the second is 1.
JOINED_TO_FOUR = "({0}.rank == 5 and any(d == 1 for d in {0}.shape[0:2]))"
FIVE = no("five-dimensions", f"out[0].rank <= 4 or all(not computed(t) for t in inputs) or {JOINED_TO_FOUR.format('out[0]')}",
           "a constant with five dimensions ends in an error of the toolkit", "join two dimensions with Reshape")  # fmt: skip
AND_FIVE = no("five-dimensions", f"out[0].rank <= 4 or (not computed(in[0]) and (not computed(in[1]) or in[1].size == 1)) or {JOINED_TO_FOUR.format('out[0]')}",
              "a constant with five dimensions, or a first input that is constant, ends in an error of the toolkit", "join two dimensions with Reshape")  # fmt: skip
#: A full image meets a constant of several: one number everywhere is a scalar to the toolkit.
BATCH = cpu("constant-batch", "out[0].rank != 4 or out[0].shape[0] == 1 or all(not computed(t) or t.size != out[0].size or (const(t) and t.size <= 65536 and min(value(t)) == max(value(t))) for t in inputs)"
             " or all(computed(t) or t.size * out[0].shape[0] != out[0].size for t in inputs)",
             "a constant of several whole images and a tensor of one run on the CPU")  # fmt: skip
SUMS = (
    cpu("float", f"dtype(in[0]) in {FLOAT[:-1]}, 'int8'] or dtype(in[0]) == 'int32'", "int64 and other integers run on the CPU (without quantisation)"),
    NOT_SCALAR, FIVE, BATCH, BEFORE_BLOCKS, BYTES_KEPT,
    mixed("t.rank == out[0].rank == 4", "floats beside 8-bit integers run on the CPU but where all are images"),
)  # fmt: skip
#: Elements that are stored together: 16 bytes of the channels (float32 is built as float16, and what is quantised stays).
LANE = "(8 if all(k in ['float32', 'float16', 'float64'] for k in [dtype(in[0]), unit_type(in[0]), unit_type(out[0])]) else 16)"


def image(t: str) -> str:
    """Elements of one channel of an image."""
    return f"{t}.shape[2] * {t}.shape[3]"


def _whole(t: str, single: str) -> str:
    """A reshape from or to this tensor needs no new order in memory: only images are stored in blocks of channels."""
    return f"({t}.rank != 4 or {image(t)} % {LANE} == 0 or ({image(t)} == 1 and ({single}{t}.shape[1] % {LANE} == 0)))"


#: Five dimensions that become an image: the size of the planes decides.
TO_IMAGE = f"(in[0].rank == 5 and (attr.keepdims != 0 or out[0].rank != 4 or {image('out[0]')} % {LANE} == 0))"
_NOT_OVER = "((exists(attr.axes) and {0} not in attr.axes and {1} not in attr.axes) or (exists(in[1]) and {0} not in value(in[1]) and {1} not in value(in[1])))"
#: Of five dimensions the first or second is 1 and stays: they are taken together to four.
FITS = f"((in[0].shape[1] == 1 and {_NOT_OVER.format(1, -4)}) or (in[0].shape[0] == 1 and {_NOT_OVER.format(0, -5)}))"
SOMETHING = f"in[0].rank not in 4..5 or {ONE_SIDED} or {TO_IMAGE} or in[0].size != out[0].size or (attr.keepdims == 0 and {image('in[0]')} % {LANE} == 0) or (exists(in[1]) and in[1].size == 0)"
_SAME_ORDER = (
    f"(in[0].rank == 4 and out[0].rank == 4 and (in[0].shape[3] == out[0].shape[3] or (in[0].shape[1] % {LANE} == 0 and out[0].shape[1] % {LANE} == 0 and {image('out[0]')} in [{image('in[0]')}, in[0].shape[3]])"
    " or [d for d in in[0].shape if d != 1] == [d for d in out[0].shape if d != 1]))"
)
#: What leaves an image, and what becomes one, may not have more pixels.
_LEAVES = f"(in[0].rank != 4 or in[0].shape[1] == 1 or {image('in[0]')} <= (122880 if {LANE} == 8 else 16384) or ({LANE} == 8 and in[0].shape[1] % 8 == 0))"
_ENTERS = f"(out[0].rank != 4 or {image('out[0]')} <= 8192 * {LANE})"
_SAME_BLOCKS = (
    f"(in[0].rank == 4 and out[0].rank == 4 and in[0].shape[1] == out[0].shape[1] and in[0].shape[1] % {LANE} == 0)"
)
KEPT = cpu("kept", "in[0].rank != 4 or not same(in[0].shape, out[0].shape) or unit_type(in[0]) not in ['int8', 'uint8'] or in[0].shape[3] % 16 != 0",
           "an image of 8-bit integers that is left as it is, its width a multiple of 16, is moved by the CPU", "leave the operator out")  # fmt: skip
RESHAPED = (
    NARROW,
    cpu("no-scalar", "in[0].rank >= 1 and out[0].rank >= 1", "a scalar runs on the CPU"),
    cpu("aligned", f"({_whole('in[0]', '')} and {_whole('out[0]', 'out[0].shape[0] == 1 or ')}) or {_SAME_ORDER}",
        "what lies behind the channels of an image must be a multiple of 16 bytes (8 float16)", "choose heights and widths whose product is a multiple of 8"),
    cpu("pixels", f"{_SAME_BLOCKS} or ({_LEAVES} and {_ENTERS}) or ({LANE} == 8 and in[0].rank == 4 and out[0].rank == 4 and [d for d in in[0].shape if d != 1] == [d for d in out[0].shape if d != 1])",
        "an image of more than 65536 pixels (of 8 bits: 131072) is made on the CPU, and one of more than 122880 (of 8 bits: 16384) taken apart there", "reshape before the image grows"),
    KEPT,
)  # fmt: skip
#: Elements of one channel once the output has four dimensions: [n, c], [n, c, h] become [1, n, 1, c], [n, c, 1, h].
PIXELS = (
    "(1 if out[0].rank == 1 else out[0].shape[-1] if out[0].rank == 2 else (1 if out[0].shape[0] == 1 and out[0].shape[1] == 1 else out[0].shape[2]) if out[0].rank == 3"
    " else out[0].shape[-1] * out[0].shape[-2])"
)
#: The first dimension that counts: five dimensions become four where the first is 1.
_FIRST = "({0}.shape[1] if out[0].rank == 5 and out[0].shape[0] == 1 else {0}.shape[0])"
#: Something else than the first dimension is repeated.
NOT_FIRST = f"(out[0].size // in[0].size != {_FIRST.format('out[0]')} or {_FIRST.format('out[0]')} == 1 or (in[0].rank == out[0].rank and {_FIRST.format('in[0]')} == {_FIRST.format('out[0]')}))"
#: Every axis that grows had the size 1.
EXPANDS = "all(in[0].shape[d] == 1 or in[0].shape[d] == out[0].shape[d] for d in [0, 1, 2, 3, 4, 5] if d < in[0].rank)"
#: Neighbours of size above 1 that a transposition leaves side by side.
JOINED = "len([d for d in [0, 1, 2, 3, 4, 5] if d + 1 < in[0].rank and attr.perm[d + 1] == attr.perm[d] + 1 and in[0].shape[attr.perm[d]] != 1 and in[0].shape[attr.perm[d + 1]] != 1])"


#: What takes 8 bits as they are: the conversion before or behind it is done at the edge of the model.
_PASSES = (
    "Identity", "Dropout", "Relu", "Clip", "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Slice", "Gather", "Split", "Concat", "Tile", "Pad",
    "Expand", "MaxPool", "AveragePool", "GlobalAveragePool", "Resize",
)  # fmt: skip
#: Everything that the operator which reads this makes is quantised again: it computes with 8 bits, and nothing is converted.
_READ_BY_UNIT = "(out[0].consumers != [] and any(t.consumers != [] for t in read_into(out[0])) and all(all(c == 'QuantizeLinear' for c in t.consumers) for t in read_into(out[0])))"
#: The same of the operator that makes this.
_MADE_BY_UNIT = f"(in[0].producer != '' and all(c == 'QuantizeLinear' for c in in[0].consumers) and any(t.producer == 'DequantizeLinear' for t in made_from(in[0])) and all(t.producer == 'DequantizeLinear' or computed(t) or dtype(t) not in {FLOAT} for t in made_from(in[0])))"
#: A reshape between two scales leaves the conversion.
_SAME_SCALE = "(in[0].producer not in ['Identity', 'Reshape', 'Flatten', 'Squeeze', 'Unsqueeze'] or (scalar(in[1]) == scalar(made_from(made_from(in[0])[0])[1]) and scalar(in[2]) == scalar(made_from(made_from(in[0])[0])[2])))"
BLOCKS = cpu(
    "blocks",
    f"in[0].rank == 4 or in[0].size % 8 == 0 or computed(in[0]) or ({_MADE_BY_UNIT} and {_SAME_SCALE}) or (in[0].producer in {[*_PASSES, 'Cast']} and all(c == 'QuantizeLinear' for c in in[0].consumers) and all(t.producer != 'DequantizeLinear' for t in made_from(in[0])))",
    "what is no image is quantised on the NPU where the number of elements is a multiple of 8, or its operator computes with 8 bits",
)
BLOCKS_OF_BYTES = cpu(
    "blocks",
    f"in[0].rank == 4 or in[0].size % 16 == 0 or computed(in[0]) or {_READ_BY_UNIT} or (out[0].consumers != [] and out[0].consumers[0] in {[*_PASSES, 'ArgMax', 'ArgMin']})",
    "what is no image is dequantised on the NPU where the number of elements is a multiple of 16, or its operator computes with 8 bits",
)


LAYOUT_0 = no(
    "layout-0",
    "not written(attr.layout)",
    "the toolkit stops at the attribute layout, whatever it says",
    "remove the attribute layout from the node: 0 is its default",
)


def constant(place: int, what: str, help: str = "") -> Limit:
    return no(f"{what}-const", f"not exists(in[{place}]) or computed(in[{place}])", f"{what} must be constant", help)


#: The constant in[0] is as large as the result, or as one image of it.
FULL = "(in[0].size == out[0].size or (out[0].rank == 4 and in[0].rank >= 3 and in[0].size * out[0].shape[0] == out[0].size))"
#: It has one value for each channel: the second dimension, of matrices the first.
PER_CHANNEL = (
    "((out[0].rank == 4 and in[0].rank >= 3 and in[0].shape[-3] == in[0].size and in[0].size == out[0].shape[1])"
    " or (out[0].rank in 2..3 and in[0].rank >= 2 and in[0].shape[-2] == in[0].size and in[0].size == out[0].shape[-2]))"
)
