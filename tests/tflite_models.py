"""Run in the tf environment: `python tflite_models.py FOLDER FILE...`.

Makes small TFLite files in FOLDER (converted by TensorFlow, or written field by field with the generated schema), and
FOLDER/expected.json with what LiteRT's own generated schema and its interpreter read from them and from each FILE.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys
from pathlib import Path

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from flatbuffers import flexbuffers

ENUMS = (
    "TensorType", "Padding", "ActivationFunctionType", "FullyConnectedOptionsWeightsFormat", "LSTMKernelType",
    "MirrorPadMode", "StablehloComparisonDirection", "StablehloComparisonType", "CustomOptionsFormat", "BuiltinOperator",
)  # fmt: skip
NO_NUMBERS = ("STRING", "RESOURCE", "VARIANT")  # LiteRT's get_tensor crashes on a resource


def names(enum: type) -> dict[int, str]:
    return {value: name for name, value in vars(enum).items() if isinstance(value, int)}


def digest(data: object) -> str:
    return hashlib.sha256(bytes(data)).hexdigest()


# What others read.


def expected(path: Path) -> dict:
    data = path.read_bytes()
    model = schema.ModelT.InitFromPackedBuf(bytearray(data))
    operators = names(schema.BuiltinOperator)
    codes = []
    for code in model.operatorCodes:
        number = max(code.builtinCode, code.deprecatedBuiltinCode)
        name = code.customCode.decode() if number == 32 else operators.get(number, f"BUILTIN_{number}")
        codes.append([name, code.version, number == 32])
    return {
        "graphs": [graph(one, codes, model, data) for one in model.subgraphs],
        "signatures": sorted(one.signatureKey.decode() for one in model.signatureDefs or ()),
        "interpreter": interpreter(path, [tensor.type for tensor in model.subgraphs[0].tensors]),
    }


def graph(one: schema.SubGraphT, codes: list, model: schema.ModelT, data: bytes) -> dict:
    return {
        "name": (one.name or b"").decode(),
        "inputs": [int(i) for i in one.inputs],
        "outputs": [int(i) for i in one.outputs],
        "tensors": [tensor(item, model, data) for item in one.tensors],
        "nodes": [node(item, codes) for item in one.operators],
    }


def integers(values: object) -> list:
    return [] if values is None else [v.item() if hasattr(v, "item") else v for v in values]


def tensor(one: schema.TensorT, model: schema.ModelT, data: bytes) -> dict:
    buffer = model.buffers[one.buffer]
    raw = bytes(buffer.data) if buffer.data is not None and len(buffer.data) else b""
    if not raw and buffer.offset > 1:
        raw = data[buffer.offset : buffer.offset + buffer.size]
    q = one.quantization
    return {
        "name": (one.name or b"").decode(),
        "type": names(schema.TensorType)[one.type],
        "shape": integers(one.shape),
        "signature": integers(one.shapeSignature),
        "has_rank": bool(one.hasRank),
        "constant": [len(raw), digest(raw)] if one.buffer and raw else None,
        "scales": integers(q.scale) if q is not None else [],
        "zero_points": integers(q.zeroPoint) if q is not None else [],
        "axis": int(q.quantizedDimension) if q is not None else 0,
        "sparse": one.sparsity is not None,
        "variable": bool(one.isVariable),
    }


def node(one: schema.OperatorT, codes: list) -> dict:
    options = one.builtinOptions if one.builtinOptions is not None else one.builtinOptions2
    name, version, custom = codes[one.opcodeIndex]
    return {
        "op": name,
        "version": version,
        "custom": custom,
        "inputs": integers(one.inputs),
        "outputs": integers(one.outputs),
        "options": {key: plain(value) for key, value in vars(options).items()} if options is not None else None,
        "custom_options": len(one.customOptions) if one.customOptions is not None else 0,
    }


def plain(value: object) -> object:
    if isinstance(value, bytes):
        return value.decode()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return integers(value)


def interpreter(path: Path, types: list[int]) -> list | None:
    """Name, shape, type and digest of each tensor of the main graph, after a run; None where LiteRT refuses the file."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    try:
        runtime = Interpreter(str(path), experimental_op_resolver_type=resolver, experimental_preserve_all_tensors=True)
        runtime.allocate_tensors()
        for one in runtime.get_input_details():
            runtime.set_tensor(one["index"], np.zeros(one["shape"], one["dtype"]))
        runtime.invoke()
    except (RuntimeError, ValueError) as error:
        print(path.name, error, file=sys.stderr)
        return None
    found = []
    for one in runtime.get_tensor_details():
        value = None
        if one["index"] < len(types) and names(schema.TensorType)[types[one["index"]]] not in NO_NUMBERS:
            with contextlib.suppress(ValueError):
                value = runtime.get_tensor(one["index"])
        numeric = value is not None and value.dtype != object
        found.append({
            "index": one["index"], "name": one["name"], "shape": one["shape"].tolist(),
            "digest": digest(np.ascontiguousarray(value)) if numeric else None,
            "dtype": str(value.dtype) if numeric else None,
        })  # fmt: skip
    return found


# What TensorFlow makes.


def convert(out: Path, function: object, *specs: object, setup: object = None) -> None:
    import tensorflow as tf

    holder = getattr(function, "holder", None)
    concrete = tf.function(function, input_signature=specs).get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], holder)
    if setup is not None:
        setup(converter)
    out.write_bytes(converter.convert())


def tensorflow_models(out: Path) -> None:
    import tensorflow as tf

    spec = tf.TensorSpec
    rng = np.random.default_rng(0)
    kernel = tf.constant(rng.normal(size=(3, 3, 4, 8)).astype(np.float32))
    dense = tf.constant(rng.normal(size=(16, 8)).astype(np.float32))

    def loop(x):
        return tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, tf.matmul(y, y)), (tf.constant(0), x))[1]

    def branches(x, flag):
        return tf.cond(flag, lambda: tf.nn.relu(x), lambda: tf.nn.leaky_relu(x, alpha=0.25))

    def spatial(x):
        y = tf.nn.conv2d(x, kernel, strides=(1, 2, 1, 1), padding="VALID", dilations=(1, 1, 1, 1))
        y = tf.nn.relu6(tf.nn.bias_add(y, tf.range(8, dtype=tf.float32)))
        y = tf.nn.max_pool2d(y, 2, 2, "SAME")
        y = tf.image.resize(y, (7, 5), method="bilinear")
        return tf.strided_slice(y, [0, 1, 0, 0], [1, 5, 0, 8], [1, 2, 1, 1], end_mask=4), tf.argmax(y, -1)

    def dynamic(x):
        return tf.nn.softmax(tf.matmul(x, dense)), tf.shape(x), tf.where(x > 0)

    def table(words):
        return tf.strings.length(words), tf.strings.join([words, words])

    def flex(builder):
        builder.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]

    def int8(builder):
        builder.optimizations = [tf.lite.Optimize.DEFAULT]
        builder.representative_dataset = lambda: ([rng.normal(size=(1, 9, 9, 4)).astype(np.float32)] for _ in range(3))
        builder.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]

    convert(out / "while.tflite", loop, spec((4, 4), tf.float32))
    convert(out / "if.tflite", branches, spec((4, 4), tf.float32), spec((), tf.bool))
    convert(out / "spatial.tflite", spatial, spec((1, 9, 9, 4), tf.float32))
    convert(out / "spatial_int8.tflite", spatial, spec((1, 9, 9, 4), tf.float32), setup=int8)
    convert(out / "dynamic.tflite", dynamic, spec((None, 16), tf.float32))
    convert(out / "flex.tflite", table, spec((3,), tf.string), setup=flex)
    sparse_dense(out / "sparse_blocks.tflite", rng)
    lstm = tf.keras.Sequential([tf.keras.Input((5, 6), batch_size=1), tf.keras.layers.LSTM(7)])
    (out / "lstm.tflite").write_bytes(tf.lite.TFLiteConverter.from_keras_model(lstm).convert())


def sparse_dense(out: Path, rng: np.random.Generator) -> None:
    """A matrix with three of four 1x4 blocks empty, which the converter stores sparse; and its values."""
    import tensorflow as tf

    weights = rng.normal(size=(64, 32)).astype(np.float32)  # what FULLY_CONNECTED has: output by input
    keep = rng.random((64, 8)) < 0.25
    weights *= np.repeat(keep, 4, axis=1)
    weights[0, :4] = 1.0

    def sparsify(builder):
        builder.optimizations = [tf.lite.Optimize.EXPERIMENTAL_SPARSITY]

    matrix = tf.constant(weights.T)
    convert(out, lambda x: tf.matmul(x, matrix), tf.TensorSpec((1, 32), tf.float32), setup=sparsify)
    np.save(out.with_suffix(".npy"), weights)


# What no converter makes at will: the schema's corners.


def pack(model: schema.ModelT) -> bytes:
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def one_tensor(name: str, shape: list, kind: int = 0, buffer: int = 0, **fields: object) -> schema.TensorT:
    made = schema.TensorT()
    made.name, made.shape, made.type, made.buffer = name, shape, kind, buffer
    for key, value in fields.items():
        setattr(made, key, value)
    return made


def one_operator(code: int, inputs: list, outputs: list, **fields: object) -> schema.OperatorT:
    made = schema.OperatorT()
    made.opcodeIndex, made.inputs, made.outputs = code, inputs, outputs
    for key, value in fields.items():
        setattr(made, key, value)
    return made


def one_code(builtin: int, version: int = 1, deprecated: int | None = None, custom: str | None = None):
    made = schema.OperatorCodeT()
    made.builtinCode, made.version, made.customCode = builtin, version, custom
    made.deprecatedBuiltinCode = min(builtin, 127) if deprecated is None else deprecated
    return made


def one_graph(name: str, tensors: list, inputs: list, outputs: list, operators: list) -> schema.SubGraphT:
    made = schema.SubGraphT()
    made.name, made.tensors, made.inputs, made.outputs, made.operators = name, tensors, inputs, outputs, operators
    return made


def one_buffer(data: bytes = b"", offset: int = 0, size: int = 0) -> schema.BufferT:
    made = schema.BufferT()
    made.data, made.offset, made.size = list(data) or None, offset, size
    return made


def one_model(codes: list, graphs: list, buffers: list) -> schema.ModelT:
    made = schema.ModelT()
    made.version, made.description = 3, "by hand"
    made.operatorCodes, made.subgraphs, made.buffers = codes, graphs, [one_buffer(), *buffers]
    return made


def flex_map(**entries: object) -> bytes:
    return bytes(flexbuffers.Dumps(entries))


def handmade(out: Path) -> None:
    (out / "codes.tflite").write_bytes(pack(codes()))
    (out / "composite.tflite").write_bytes(pack(composite()))
    (out / "types.tflite").write_bytes(pack(types()))
    (out / "outside.tflite").write_bytes(outside())
    zipped = b"PK\x05\x06" + bytes(4) + (2).to_bytes(2, "little") * 2 + bytes(10)
    (out / "zipped.tflite").write_bytes((out / "types.tflite").read_bytes() + zipped)
    ring = composite()
    ring.subgraphs[1].operators[0].builtinOptions2.decompositionSubgraphIndex = 0
    ring.subgraphs[1].operators[0].opcodeIndex = 0
    (out / "ring.tflite").write_bytes(pack(ring))


def codes() -> schema.ModelT:
    """Old codes, codes above 127, a code of the future, options left out, a custom operator with a FlexBuffers map."""
    value = [one_tensor(f"t{i}", [2], hasRank=True) for i in range(6)]
    steps = [one_operator(i, [i, -1] if i == 0 else [i], [i + 1]) for i in range(5)]
    steps[4].customOptions = list(flex_map(max_detections=10, scale=0.5, name="nms", on=True, sizes=[1, 2, 300]))
    kinds = [
        one_code(0, 2, deprecated=0), one_code(0, 1, deprecated=3), one_code(150, 1), one_code(250, 7),
        one_code(32, 4, custom="Mine"),
    ]  # fmt: skip
    return one_model(kinds, [one_graph("main", value, [0], [5], steps)], [])


def composite() -> schema.ModelT:
    options = schema.StableHLOCompositeOptionsT()
    options.name, options.version, options.decompositionSubgraphIndex = "odml.rms_norm", 2, 1
    options.compositeAttributes = list(
        flex_map(epsilon=1e-5, axis=-1, _TENSOR_V1_axes={"TENSOR_DATA": [1, 2]}, other={"x": {}})
    )
    step = one_operator(0, [0], [1], builtinOptions2Type=21, builtinOptions2=options)
    inner_options = schema.StableHLOCompositeOptionsT()
    inner = one_operator(1, [0], [1], builtinOptions2Type=21, builtinOptions2=inner_options)
    inner_options.decompositionSubgraphIndex = -1
    tensors = [one_tensor("x", [1, 4]), one_tensor("y", [1, 4])]
    kinds = [one_code(206), one_code(206)]
    return one_model(
        kinds,
        [one_graph("main", tensors, [0], [1], [step]), one_graph("decomposed", tensors, [0], [1], [inner])],
        [],
    )


def types() -> schema.ModelT:
    """int4 per channel, unranked, dynamic, variable, string, bfloat16, zero elements, blockwise, not a known type."""
    packed = bytes([0x21, 0x83, 0x7F])  # 1 2 3 -8 -1 7
    per_channel = schema.QuantizationParametersT()
    per_channel.scale, per_channel.zeroPoint, per_channel.quantizedDimension = [0.5, 0.25], [0, 0], 0
    blocks, details = schema.QuantizationParametersT(), schema.BlockwiseQuantizationT()
    details.scales, details.zeroPoints, details.blockSize = 1, -1, 32
    blocks.detailsType, blocks.details = 2, details
    words = b"".join(n.to_bytes(4, "little") for n in (2, 16, 18, 21)) + b"abcde"
    tensors = [
        one_tensor("int4", [2, 3], 17, 1, quantization=per_channel, hasRank=True),
        one_tensor("scalar", [], 0, 0, hasRank=True), one_tensor("unranked", [], 0, 0),
        one_tensor("dynamic", [1, 8], 0, 0, shapeSignature=[-1, 8], hasRank=True),
        one_tensor("state", [1, 8], 9, 0, isVariable=True, hasRank=True),
        one_tensor("words", [2], 5, 2, hasRank=True), one_tensor("bfloat16", [2], 18, 3, hasRank=True),
        one_tensor("empty", [0], 2, 4, hasRank=True), one_tensor("blocks", [4, 64], 17, 0, quantization=blocks, hasRank=True),
        one_tensor("future", [3], 77, 0, hasRank=True), one_tensor("constant_scalar", [], 2, 5),
    ]  # fmt: skip
    buffers = [
        one_buffer(packed),
        one_buffer(words),
        one_buffer(b"\x80\x3f\x00\xc0"),
        one_buffer(),
        one_buffer(b"\x07\0\0\0"),
    ]
    steps = [one_operator(0, [3, 0], [1])]
    return one_model([one_code(0)], [one_graph("", tensors, [3], [1, 2], steps)], buffers)


def outside() -> bytes:
    """Weights and custom options behind the FlatBuffer, as in models above 2 GB."""
    weights, options = np.arange(6, dtype=np.float32).tobytes(), flex_map(beam=4)

    def made(at: int) -> bytes:
        tensors = [one_tensor("w", [2, 3], 0, 1), one_tensor("y", [2, 3])]
        step = one_operator(
            0, [0], [1], largeCustomOptionsOffset=at + len(weights), largeCustomOptionsSize=len(options)
        )
        buffers = [one_buffer(offset=at, size=len(weights))]
        return pack(one_model([one_code(32, custom="Beam")], [one_graph("main", tensors, [], [1], [step])], buffers))

    return made(len(made(1 << 20))) + weights + options


def main() -> None:
    out, files = Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]]
    tensorflow_models(out)
    handmade(out)
    every = [*sorted(out.glob("*.tflite")), *files]
    found = {path.name: expected(path) for path in every if path.name not in {"types.tflite", "zipped.tflite"}}
    found["enums"] = {name: {v: k for k, v in names(getattr(schema, name)).items()} for name in ENUMS}
    (out / "expected.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main()
