"""ONNX operators that only move values, in others that do."""

from __future__ import annotations

from edgecheck.rewrites import fits
from edgecheck.rewrites.onnx_build import Builder
from edgecheck.rewrites.onnx_operators import rule


@rule("split-as-slices", "Split", says="one slice for each part")
def _split(b: Builder) -> bool:
    shape = b.shape(b.x)
    if shape is None or b.opset < 10:
        return False
    axis = int(b.attrs.get("axis", 0)) % len(shape)
    sizes = b.attrs.get("split")
    if sizes is None and b.input(1):
        found = b.value(b.input(1))
        sizes = None if found is None else found.tolist()
    if sizes is None:
        each = -(-shape[axis] // len(b.node.output))
        sizes = [each] * (len(b.node.output) - 1) + [shape[axis] - each * (len(b.node.output) - 1)]
    start = 0
    for name, size in zip(b.node.output, sizes, strict=True):
        if name:
            b.add("Slice", b.x, b.ints(start), b.ints(start + size), b.ints(axis), out=name)
        start += size
    return True


@rule(
    "reshape-instead",
    "Squeeze",
    "Unsqueeze",
    "Flatten",
    fits=fits.known_sizes,
    says="a reshape to the size that is known",
)
def _reshape(b: Builder) -> bool:
    shape = b.shape(b.y)
    if shape is None:
        return False
    b.add("Reshape", b.x, b.ints(*shape), out=b.y)
    return True


@rule("depth-to-space-by-reshape", "DepthToSpace", fits=fits.image, says="reshape, transpose, reshape")
def _depth_to_space(b: Builder) -> bool:
    shape = b.shape(b.x)
    size = int(b.attrs.get("blocksize", 0))
    if shape is None or len(shape) != 4 or size < 1:
        return False
    n, c, h, w = shape
    column_first = b.attrs.get("mode", "DCR") == "CRD"
    parts = (n, c // size**2, size, size, h, w) if column_first else (n, size, size, c // size**2, h, w)
    order = [0, 1, 4, 2, 5, 3] if column_first else [0, 3, 4, 1, 5, 2]
    turned = b.add("Transpose", b.add("Reshape", b.x, b.ints(*parts)), perm=order)
    b.add("Reshape", turned, b.ints(n, c // size**2, h * size, w * size), out=b.y)
    return True


@rule("space-to-depth-by-reshape", "SpaceToDepth", fits=fits.image, says="reshape, transpose, reshape")
def _space_to_depth(b: Builder) -> bool:
    shape = b.shape(b.x)
    size = int(b.attrs.get("blocksize", 0))
    if shape is None or len(shape) != 4 or size < 1:
        return False
    n, c, h, w = shape
    parts = b.add("Reshape", b.x, b.ints(n, c, h // size, size, w // size, size))
    turned = b.add("Transpose", parts, perm=[0, 3, 5, 1, 2, 4])
    b.add("Reshape", turned, b.ints(n, c * size**2, h // size, w // size), out=b.y)
    return True


@rule("triangle-as-product", "Trilu", says="a product with a triangle of ones")
def _trilu(b: Builder) -> bool:
    import numpy

    shape = b.shape(b.x)
    shift = b.value(b.input(1)) if b.input(1) else numpy.zeros(1)
    if shape is None or len(shape) < 2 or shift is None or b.known.types.get(b.x) not in (1, 10, 11, 6, 7):
        return False
    triangle = numpy.triu if b.attrs.get("upper", 1) else numpy.tril
    mask = triangle(numpy.ones(shape[-2:]), int(shift.reshape(-1)[0]))
    b.add("Mul", b.x, b.constant(mask, b.x), out=b.y)
    return True


@rule("einsum-as-matmul", "Einsum", says="transposes and one product")
def _einsum(b: Builder) -> bool:
    """Two operands, no repeated letter, no ellipsis: batch letters, rows, columns and one contracted letter."""
    equation = str(b.attrs.get("equation", "")).replace(" ", "")
    left, arrow, result = equation.partition("->")
    terms = left.split(",")
    if not arrow or len(terms) != 2 or "." in equation or any(len(set(t)) != len(t) for t in (*terms, result)):
        return False
    first, second = terms
    batch = [c for c in first if c in second and c in result]
    summed = [c for c in first if c in second and c not in result]
    rows = [c for c in first if c not in second]
    columns = [c for c in second if c not in first]
    if len(summed) != 1 or len(rows) != 1 or len(columns) != 1 or set(result) != {*batch, *rows, *columns}:
        return False
    a = _ordered(b, str(b.node.input[0]), first, [*batch, *rows, *summed])
    c = _ordered(b, str(b.node.input[1]), second, [*batch, *summed, *columns])
    made = [*batch, *rows, *columns]
    if "".join(made) == result:
        b.add("MatMul", a, c, out=b.y)
    else:
        b.add("Transpose", b.add("MatMul", a, c), perm=[made.index(letter) for letter in result], out=b.y)
    return True


def _ordered(b: Builder, name: str, letters: str, order: list[str]) -> str:
    return name if list(letters) == order else b.add("Transpose", name, perm=[letters.index(one) for one in order])


@rule("gather-as-slice", "Gather", fits=fits.one_index, says="a slice, for one constant index")
def _gather(b: Builder) -> bool:
    shape, index = b.shape(b.x), b.value(b.input(1))
    if shape is None or index is None or index.size != 1 or index.ndim > 1 or b.opset < 10:
        return False
    axis = int(b.attrs.get("axis", 0)) % len(shape)
    at = int(index.reshape(-1)[0]) % shape[axis]
    piece = b.add("Slice", b.x, b.ints(at), b.ints(at + 1), b.ints(axis), out=b.y if index.ndim else None)
    if not index.ndim:
        b.unsqueeze("Squeeze", piece, [axis], out=b.y)
    return True


@rule(
    "allowzero-left-out",
    "Reshape",
    fits=fits.allows_zero,
    says="the same reshape without allowzero, which only a size of 0 would need",
)
def _allowzero(b: Builder) -> bool:
    sizes = b.value(b.input(1)) if b.input(1) else None
    if not b.attrs.get("allowzero", 0) or sizes is None or not sizes.all():
        return False
    b.add("Reshape", b.x, b.input(1), out=b.y)
    return True


@rule("pad-mode-written", "Pad", fits=fits.no_mode_written, says="its mode in the file, the default too")
def _pad(b: Builder) -> bool:
    if "mode" in b.attrs:
        return False
    b.add("Pad", *b.node.input, out=b.y, mode="constant", **b.attrs)
    return True
