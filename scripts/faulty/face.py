"""Faults of the face pipeline: letterbox, pixels, outputs, detections."""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image

from . import Fault, Otherwise, fixed, half, sigmoid

SIDE = 128
PIL = {"nearest": Image.Resampling.NEAREST, "box": Image.Resampling.BOX, "hamming": Image.Resampling.HAMMING,
       "bicubic": Image.Resampling.BICUBIC, "lanczos": Image.Resampling.LANCZOS, "bilinear": Image.Resampling.BILINEAR}  # fmt: skip
CV = {"linear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC, "area": cv2.INTER_AREA, "nearest": cv2.INTER_NEAREST}


def small(photo, size, kernel):
    family, _, name = kernel.partition(" ")
    if family == "pil":
        return np.asarray(Image.fromarray(photo).resize(size, PIL[name]))
    return cv2.resize(photo, size, interpolation=CV[name])


def device(
    photo,
    *,
    kernel="pil bilinear",
    rounding=round,
    corner="centre",
    pad=0.0,
    mean=127.5,
    scale=127.5,
    shape=None,
    before=None,
    pixels=None,
):
    """The app's own letterbox."""
    photo = np.ascontiguousarray(photo if before is None else before(photo))
    height, width = photo.shape[:2]
    ratio = SIDE / max(height, width)
    size = shape or (max(1, min(SIDE, int(rounding(width * ratio)))), max(1, min(SIDE, int(rounding(height * ratio)))))
    part = small(photo, size, kernel).astype(np.float32)
    part = part if pixels is None else pixels(part)
    left, top = (
        ((SIDE - size[0]) // 2, (SIDE - size[1]) // 2)
        if corner == "centre"
        else (0, 0)
        if corner == "top left"
        else (SIDE - size[0], SIDE - size[1])
    )
    square = np.full((SIDE, SIDE, 3), pad, np.float32)
    square[top : top + size[1], left : left + size[0]] = part
    return ((square - np.asarray(mean, np.float32)) / np.asarray(scale, np.float32))[None].astype(np.float32)


def pre(say, **options):
    return say, Otherwise(made, options)


def made(inputs, **options):
    return {"input": device(inputs["photo"], **options)}


def out(say, change):
    return say, lambda inputs, right: {"input": change(right["input"]).astype(np.float32)}


def normalised(rng):
    kind = rng.integers(5)
    mean, scale, say = [
        (0.0, 255.0, "0 to 1"), (0.0, 255.0 * 255, "over 255 twice"), (0.0, 1.0, "not divided"), (128.0, 128.0, "128 for 127.5"),
        ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375), "ImageNet's mean and deviation"),
    ][kind]  # fmt: skip
    return pre(say, mean=mean, scale=scale, pad=0.0)


def kernel(rng):
    name = str(
        rng.choice(
            ["pil nearest", "pil box", "pil hamming", "pil bicubic", "pil lanczos", "cv cubic", "cv area", "cv nearest"]
        )
    )
    return pre(name, kernel=name)


def turned(rng):
    k = int(rng.integers(1, 4))
    return pre(f"turned by {90 * k}", before=lambda photo: np.rot90(photo, k))


def mirrored(rng):
    axis = int(rng.integers(2))
    return pre(f"mirrored along axis {axis}", before=lambda photo: np.flip(photo, axis))


def padded(rng):
    value = float(rng.choice([114.0, 127.5, 128.0, 255.0, float(rng.integers(20, 250))]))
    return pre(f"padded with {value}", pad=value)


def gamma(rng):
    power = float(rng.choice([2.2, 1 / 2.2, 1.8]))
    return pre(f"gamma {power:.3g}", pixels=lambda x: 255 * (x / 255) ** power)


def grey(photo):
    return np.repeat((photo @ np.array([0.299, 0.587, 0.114]))[..., None].round().astype(np.uint8), 3, -1)


def cropped(photo):
    side = min(photo.shape[:2])
    top, left = (photo.shape[0] - side) // 2, (photo.shape[1] - side) // 2
    return photo[top : top + side, left : left + side]


def detect(inputs, *, threshold=0.5, overlap=0.3, order=None):
    """Boxes as the app makes them, from the model's outputs: its own code."""
    score = 1 / (1 + np.exp(-inputs["classificators"][0, :, 0].clip(-80, 80)))
    n = []
    for cells, count in ((16, 2), (8, 6)):
        for y in range(cells):
            for x in range(cells):
                n += [((x + 0.5) / cells, (y + 0.5) / cells)] * count
    r = inputs["regressors"][0]
    centre = r[:, :2] / 128 + np.asarray(n, np.float32)
    box = np.concatenate([centre - r[:, 2:4] / 256, centre + r[:, 2:4] / 256], 1)
    kept = []
    for i in sorted(np.flatnonzero(score >= threshold), key=lambda i: -score[i]):
        if len(kept) < 8 and all(_iou(box[i], box[j]) <= overlap for j in kept):
            kept.append(i)
    return {"faces": box[kept].astype(np.float32).reshape(-1, 4), "scores": score[kept].astype(np.float32)}


def _iou(a, b):
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    i = max(0, w) * max(0, h)
    return i / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - i)


def threshold(rng):
    value = float(rng.choice([0.1, 0.15, 0.2, 0.25, 0.3]))
    return f"threshold {value}", lambda inputs, right: detect(inputs, threshold=value)


def suppression(rng):
    value = float(rng.choice([0.85, 0.9, 0.95, 1.0]))
    return f"NMS at {value}", lambda inputs, right: detect(inputs, overlap=value)


def padding(rng):
    count = int(rng.choice([4, 8, 16]))

    def change(inputs, right):
        rows = count - len(right["faces"])
        return {"faces": np.pad(right["faces"], ((0, rows), (0, 0))), "scores": np.pad(right["scores"], (0, rows))}

    return f"padded to {count}", change


def formatted(rng):
    form = str(rng.choice(["yxyx", "xywh", "cxcywh"]))

    def change(inputs, right):
        a, b, c, d = right["faces"].T if len(right["faces"]) else np.zeros((4, 0), np.float32)
        made = {"yxyx": (b, a, d, c), "xywh": (a, b, c - a, d - b), "cxcywh": ((a + c) / 2, (b + d) / 2, c - a, d - b)}[
            form
        ]
        return {**right, "faces": np.stack(made, 1).astype(np.float32)}

    return form, change


FAULTS = (
    Fault(name="bgr", stage="preprocess", causes=("channel-order",), make=lambda rng: pre("BGR", before=lambda p: p[..., ::-1])),
    Fault(name="normalise", stage="preprocess", causes=("normalisation", "not-divided", "divided-twice", "value-range"), make=normalised),
    Fault(name="kernel", stage="preprocess", causes=("resize-kernel", "resize-antialias", "half-pixel"), make=kernel),
    Fault(name="no antialias", stage="preprocess", causes=("resize-antialias", "resize-kernel"), make=lambda rng: pre("cv linear", kernel="cv linear")),
    Fault(name="corner", stage="preprocess", causes=("letterbox-offset", "letterbox"), make=lambda rng: pre(c := str(rng.choice(["top left", "bottom right"])), corner=c)),
    Fault(name="stretched", stage="preprocess", causes=("aspect-ratio",), make=lambda rng: pre("stretched", shape=(SIDE, SIDE))),
    Fault(name="cropped", stage="preprocess", causes=("crop", "aspect-ratio", "crop-centre"), make=lambda rng: pre("cropped", before=cropped)),
    Fault(name="pad", stage="preprocess", causes=("pad-value",), make=padded),
    Fault(name="turned", stage="preprocess", causes=("rotation",), make=turned),
    Fault(name="mirrored", stage="preprocess", causes=("flip-horizontal", "flip-vertical"), make=mirrored),
    Fault(name="gamma", stage="preprocess", causes=("gamma",), make=gamma),
    Fault(name="grey", stage="preprocess", causes=("colour-grey",), make=lambda rng: pre("grey", before=grey)),
    Fault(name="reinterpreted", stage="preprocess", causes=("layout-reinterpreted",),
          make=lambda rng: out("NCHW bytes", lambda x: x.transpose(0, 3, 1, 2).reshape(x.shape))),
    Fault(name="half", stage="preprocess", causes=("float16",), make=lambda rng: out("float16", half)),
    Fault(name="swapped names", stage="model", causes=("outputs-swapped",),
          make=fixed("outputs swapped", lambda i, r: {"regressors": r["classificators"], "classificators": r["regressors"]})),
    Fault(name="sigmoid added", stage="model", causes=("sigmoid-added",),
          make=fixed("sigmoid in the app too", lambda i, r: {**r, "classificators": sigmoid(r["classificators"])})),
    Fault(name="threshold", stage="postprocess", causes=("score-threshold",), make=threshold),
    Fault(name="nms", stage="postprocess", causes=("nms-iou", "knob-overlap"), make=suppression),
    Fault(name="padding", stage="postprocess", causes=("nms-padding",), make=padding),
    Fault(name="box format", stage="postprocess", causes=("box-format",), make=formatted),
)  # fmt: skip
