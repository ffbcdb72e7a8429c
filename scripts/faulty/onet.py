"""Faults of the O-Net cascade: camera frames, crops, probabilities."""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image

from . import Fault, Otherwise, fixed, softmax

W, H = 160, 120
MATRIX = {
    "601": (1.402, 1.772, 0.299, 0.114),
    "709": (1.5748, 1.8556, 0.2126, 0.0722),
    "2020": (1.4746, 1.8814, 0.2627, 0.0593),
}


def planes(frame, layout="NV21"):
    y, rest = frame[:H].astype(np.float64), frame[H:].reshape(-1).astype(np.float64)
    if layout in ("NV21", "NV12"):
        pairs = rest.reshape(H // 2, W // 2, 2)
        u, v = (pairs[..., 1], pairs[..., 0]) if layout == "NV21" else (pairs[..., 0], pairs[..., 1])
    else:
        half = rest.size // 2
        u, v = (rest[:half].reshape(H // 2, W // 2), rest[half:].reshape(H // 2, W // 2))
        u, v = (u, v) if layout == "I420" else (v, u)
    return y, u - 128, v - 128


def rgb(frame, *, matrix="601", limited=False, layout="NV21", linear=False):
    y, u, v = planes(frame, layout)
    if limited:
        y, u, v = (y - 16) * 255 / 219, u * 255 / 224, v * 255 / 224
    if linear:
        u, v = (cv2.resize(c, (W, H), interpolation=cv2.INTER_LINEAR) for c in (u, v))
    else:
        u, v = (c.repeat(2, 0).repeat(2, 1) for c in (u, v))
    red, blue, kr, kb = MATRIX[matrix]
    g = y - (kr * red * v + kb * blue * u) / (1 - kr - kb)
    return np.floor(np.stack([y + red * v, g, y + blue * u], -1) + 0.5).clip(0, 255).astype(np.uint8)


def decoded(say, **options):
    return say, Otherwise(photographed, options)


def photographed(inputs, **options):
    return {"photo": rgb(inputs["frame"], **options)}


def matrix(rng):
    name = str(rng.choice(["709", "2020"]))
    return decoded(f"BT.{name}", matrix=name)


def layout(rng):
    name = str(rng.choice(["I420", "YV12"]))
    return decoded(name, layout=name)


def stride(rng):
    extra = int(rng.choice([8, 16, 32]))

    def change(inputs, right):
        """The camera pads its rows; the app reads them as if it did not."""
        padded = np.pad(inputs["frame"], ((0, 0), (0, extra)), mode="edge")
        return {"photo": rgb(padded.reshape(-1)[: inputs["frame"].size].reshape(inputs["frame"].shape))}

    return f"row stride {W + extra}", change


KERNELS = {
    "nearest": Image.Resampling.NEAREST,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "box": Image.Resampling.BOX,
}


def crops(inputs, *, mean=127.5, scale=128.0, kernel=None, shift=0, order=None):
    found = []
    for left, top, right, bottom in inputs["candidates"].astype(int):
        part = np.ascontiguousarray(
            inputs["photo"][max(0, top + shift) : bottom + shift, max(0, left + shift) : right + shift]
        )
        if kernel == "cv":
            part = cv2.resize(part, (48, 48), interpolation=cv2.INTER_LINEAR)
        else:
            part = np.asarray(Image.fromarray(part).resize((48, 48), KERNELS.get(kernel, Image.Resampling.BILINEAR)))
        found.append((part[..., :: order or 1].astype(np.float32) - mean) / scale)
    return {"crops": np.stack(found).transpose(0, 3, 1, 2).astype(np.float32)}


def crop(say, **options):
    return say, Otherwise(crops, options)


def scaled(rng):
    mean, scale, say = [(0.0, 255.0, "0 to 1"), (127.5, 127.5, "127.5 for 128"), (0.0, 1.0, "not divided")][
        rng.integers(3)
    ]
    return crop(say, mean=mean, scale=scale)


def kernel(rng):
    name = str(rng.choice([*KERNELS, "cv"]))
    return crop(name, kernel=name)


def threshold(rng):
    value = float(rng.choice([0.001, 0.01]))

    def change(inputs, right):
        score = inputs["probs"][:, 1]
        c, o = inputs["candidates"], inputs["offsets"]
        moved = c + o * np.tile(c[:, 2:] - c[:, :2] + 1, 2)
        kept = []
        for i in np.argsort(-score, kind="stable"):
            if score[i] > value and all(_least(moved[i], moved[j]) <= 0.7 for j in kept):
                kept.append(i)
        return {"faces": moved[kept].astype(np.float32).reshape(-1, 4), "scores": score[kept].astype(np.float32)}

    return f"threshold {value}", change


def _least(a, b):
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return max(0.0, w) * max(0.0, h) / min((a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1]))


FAULTS = (
    Fault(name="matrix", stage="decode", causes=("yuv-matrix",), make=matrix),
    Fault(name="range", stage="decode", causes=("yuv-range",), make=lambda rng: decoded("limited range", limited=True)),
    Fault(name="nv12", stage="decode", causes=("uv-swapped",), make=lambda rng: decoded("NV12", layout="NV12")),
    Fault(name="planar", stage="decode", causes=("yuv-layout",), make=layout),
    Fault(name="stride", stage="decode", causes=("row-stride",), make=stride),
    Fault(name="chroma", stage="decode", causes=("chroma-upsampling",), make=lambda rng: decoded("linear chroma", linear=True)),
    Fault(name="bgr", stage="decode", causes=("channel-order", "uv-swapped"), make=fixed("BGR", lambda i, r: {"photo": r["photo"][..., ::-1].copy()})),
    Fault(name="bgr crops", stage="crop", causes=("channel-order",), make=lambda rng: crop("BGR", order=-1)),
    Fault(name="normalise", stage="crop", causes=("normalisation", "not-divided", "divided-twice", "value-range"), make=scaled),
    Fault(name="kernel", stage="crop", causes=("resize-kernel", "resize-antialias", "half-pixel"), make=kernel),
    Fault(name="layout", stage="crop", causes=("layout-reinterpreted", "layout"),
          make=fixed("NHWC bytes", lambda i, r: {"crops": r["crops"].transpose(0, 2, 3, 1).reshape(r["crops"].shape)})),
    Fault(name="softmax twice", stage="model", causes=("softmax-twice",), make=fixed("softmax again", lambda i, r: {**r, "probs": softmax(r["probs"])})),
    Fault(name="softmax missing", stage="model", causes=("softmax-missing",),
          make=fixed("logits", lambda i, r: {**r, "probs": (np.log(r["probs"].astype(np.float64)) + 3.0).astype(np.float32)})),
    Fault(name="classes", stage="model", causes=("channel-order", "class-order", "reversed-classes"),
          make=fixed("classes in the other order", lambda i, r: {**r, "probs": r["probs"][:, ::-1].copy()})),
    Fault(name="threshold", stage="postprocess", causes=("score-threshold",), make=threshold),
)  # fmt: skip
