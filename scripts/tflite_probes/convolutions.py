"""Valid descriptions: convolutions, dense layers, pooling."""

from __future__ import annotations

from tflite_probes.dice import FAF, Dice, Json, _bias, _out, _weights, _window, base


@base("CONV_2D")
def conv(d: Dice) -> Json:
    dtype, shape = d.dtype(), d.image()
    padding, kh, kw, sh, sw = _window(d)
    dh, dw = d.choice((1, 1, 1, 2, 3)), d.choice((1, 1, 1, 2, 3))
    groups = d.choice((1, 1, 1, 1, 2, shape[3]))
    depth = max(shape[3] // groups, 1)
    channels = d.choice((1, 2, 4, 8)) * groups
    out = [shape[0], max(_out(shape[1], kh, sh, padding, dh), 1), max(_out(shape[2], kw, sw, padding, dw), 1), channels]
    return {
        "i": [
            d.tensor(dtype, shape),
            _weights(d, dtype, [channels, kh, kw, depth], 0, channels),
            *_bias(d, dtype, channels),
        ],
        "o": [d.tensor(dtype, out)],
        "a": {
            "padding": padding,
            "stride_h": sh,
            "stride_w": sw,
            "dilation_h_factor": dh,
            "dilation_w_factor": dw,
            "fused_activation_function": d.choice(FAF),
        },
    }


@base("DEPTHWISE_CONV_2D")
def depthwise(d: Dice) -> Json:
    dtype, shape = d.dtype(), d.image()
    padding, kh, kw, sh, sw = _window(d)
    dh, dw, multiplier = d.choice((1, 1, 1, 2, 3)), d.choice((1, 1, 1, 2, 3)), d.choice((1, 1, 1, 2, 4))
    channels = shape[3] * multiplier
    out = [shape[0], max(_out(shape[1], kh, sh, padding, dh), 1), max(_out(shape[2], kw, sw, padding, dw), 1), channels]
    return {
        "i": [
            d.tensor(dtype, shape),
            _weights(d, dtype, [1, kh, kw, channels], 3, channels),
            *_bias(d, dtype, channels),
        ],
        "o": [d.tensor(dtype, out)],
        "a": {
            "padding": padding,
            "stride_h": sh,
            "stride_w": sw,
            "dilation_h_factor": dh,
            "dilation_w_factor": dw,
            "depth_multiplier": multiplier,
            "fused_activation_function": d.choice(FAF),
        },
    }


@base("TRANSPOSE_CONV")
def transpose_conv(d: Dice) -> Json:
    dtype, shape = d.dtype(), d.image()
    padding, kh, kw, _, _ = _window(d)
    sh, sw = d.choice(((1, 1), (2, 2), (2, 2), (1, 2), (2, 1), (3, 3)))
    channels = d.choice((1, 2, 4, 8))
    out = [
        shape[0],
        shape[1] * sh + (max(kh - sh, 0) if padding == "VALID" else 0),
        shape[2] * sw + (max(kw - sw, 0) if padding == "VALID" else 0),
        channels,
    ]
    weights = _weights(d, dtype, [channels, kh, kw, shape[3]], 0, channels)
    return {
        "i": [d.numbers(out), weights, d.tensor(dtype, shape), *_bias(d, dtype, channels)],
        "o": [d.tensor(dtype, out)],
        "a": {
            "padding": padding,
            "stride_h": sh,
            "stride_w": sw,
            "fused_activation_function": d.choice(("NONE", "NONE", "RELU")),
        },
    }


@base("FULLY_CONNECTED")
def fully_connected(d: Dice) -> Json:
    dtype, shape = d.dtype(), d.shape(1, 4)
    units, keep = d.choice((1, 2, 8, 10)), d.random() < 0.4
    depth = shape[-1]
    batch = 1
    for dim in shape[:-1]:
        batch *= dim
    weights = _weights(d, dtype, [units, depth], 0, units)
    if d.random() < 0.12 and dtype in ("int8", "float32", "int16"):
        weights = d.tensor(dtype, [units, depth])
    out = [*shape[:-1], units] if keep else [batch, units]
    return {
        "i": [d.tensor(dtype, shape), weights, *(_bias(d, dtype, units) or [None])],
        "o": [d.tensor(dtype, out)],
        "a": {"keep_num_dims": keep, "fused_activation_function": d.choice(FAF)},
    }


@base("BATCH_MATMUL")
def batch_matmul(d: Dice) -> Json:
    dtype, shape = d.dtype(), d.shape(2, 4)
    adj_x, adj_y, n = d.random() < 0.2, d.random() < 0.3, d.dim()
    rows, depth = (shape[-1], shape[-2]) if adj_x else (shape[-2], shape[-1])
    batch = [x if d.random() < 0.85 else 1 for x in shape[:-2]]
    second = [*batch, *((n, depth) if adj_y else (depth, n))]
    make = d.const if d.random() < 0.3 else d.tensor
    return {
        "i": [d.tensor(dtype, shape), make(dtype, second)],
        "o": [d.tensor(dtype, [*shape[:-2], rows, n])],
        "a": {"adj_x": adj_x, "adj_y": adj_y, "asymmetric_quantize_inputs": False},
    }


@base("AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D")
def pool(d: Dice) -> Json:
    dtype, shape = d.dtype(), d.image()
    padding, kh, kw, sh, sw = _window(d)
    out = [shape[0], max(_out(shape[1], kh, sh, padding), 1), max(_out(shape[2], kw, sw, padding), 1), shape[3]]
    t = d.tensor(dtype, shape)
    return {
        "i": [t],
        "o": [d.tensor(dtype, out, q=t.get("q"))],
        "a": {
            "padding": padding,
            "stride_h": sh,
            "stride_w": sw,
            "filter_height": kh,
            "filter_width": kw,
            "fused_activation_function": d.choice(FAF),
        },
    }
