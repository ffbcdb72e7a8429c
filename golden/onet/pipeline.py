"""The last stage of a face cascade, as a camera app does it: NV21 frame, candidate boxes, crops of 48x48, O-Net, NMS.

onet.onnx and onet.tflite are facenet-pytorch's trained O-Net, exported by `edgecheck export` (`make demo` makes them).
"""

from __future__ import annotations

import numpy
from PIL import Image

from edgecheck.packages import default_folder
from edgecheck.pipeline import Meaning, Model, Pipeline, Stage, Tolerance, boxes, image, probabilities, scores

SIDE = 48
WIDTH, HEIGHT = 160, 120


def decode(frame, *, red=1.402, blue=1.772):
    """(180, 160) uint8 NV21 to (120, 160, 3) uint8 RGB: BT.601, full range, each colour sample four pixels wide."""
    luma = frame[:HEIGHT].astype(numpy.float32)
    pairs = frame[HEIGHT:].reshape(HEIGHT // 2, WIDTH // 2, 2).astype(numpy.float32) - 128
    v, u = (numpy.repeat(numpy.repeat(pairs[..., i], 2, axis=0), 2, axis=1) for i in (0, 1))
    green = luma - (0.299 * red / 0.587) * v - (0.114 * blue / 0.587) * u
    rgb = numpy.stack([luma + red * v, green, luma + blue * u], axis=-1)
    return {"photo": numpy.clip(numpy.floor(rgb + 0.5), 0, 255).astype(numpy.uint8)}


def crop(photo, candidates, *, mean=127.5, scale=128.0):
    """The candidates (n, 4) in pixels, each scaled to 48x48: (n, 3, 48, 48) float32."""
    found = []
    for left, top, right, bottom in candidates.astype(int):
        part = Image.fromarray(photo[top:bottom, left:right]).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        found.append((numpy.asarray(part, numpy.float32) - mean) / scale)
    return {"crops": numpy.stack(found).transpose(0, 3, 1, 2).astype(numpy.float32)}


def postprocess(candidates, offsets, probs, *, threshold=0.7, overlap=0.7):
    """Boxes that are faces, moved by the net's offsets (shares of their size), best first."""
    score = probs[:, 1]
    size = candidates[:, 2:] - candidates[:, :2] + 1
    moved = candidates + offsets * numpy.concatenate([size, size], axis=1)
    order = [i for i in numpy.argsort(-score, kind="stable") if score[i] > threshold]
    kept = []
    for i in order:
        if all(least_overlap(moved[i], moved[j]) <= overlap for j in kept):
            kept.append(i)
    return {"faces": moved[kept].astype(numpy.float32).reshape(-1, 4), "scores": score[kept].astype(numpy.float32)}


def least_overlap(a, b):
    """Intersection over the smaller of the two boxes."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    least = min((a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1]))
    return max(0.0, width) * max(0.0, height) / least


def nv21(photo):
    """(120, 160, 3) uint8 RGB to (180, 160) uint8: luma, then V and U in turn, as an Android camera gives them."""
    r, g, b = (photo[..., i].astype(numpy.float32) for i in range(3))
    y = 0.299 * r + 0.587 * g + 0.114 * b
    chroma = [
        ((c - y) / s + 128).reshape(HEIGHT // 2, 2, WIDTH // 2, 2).mean((1, 3)) for c, s in ((r, 1.402), (b, 1.772))
    ]
    below = numpy.stack(chroma, axis=-1).reshape(HEIGHT // 2, WIDTH)
    return numpy.clip(numpy.round(numpy.concatenate([y, below])), 0, 255).astype(numpy.uint8)


def cases():
    """Frames of photographs, with boxes as the stages before would propose them."""
    folder = default_folder() / "scikit_image" / "skimage" / "data"
    parts = {
        "astronaut": (
            "astronaut.png",
            (60, 0, 420, 270),
            [(48, 12, 92, 64), (52, 16, 88, 60), (40, 8, 100, 72), (4, 60, 52, 112)],
        ),
        "astronaut-near": (
            "astronaut.png",
            (140, 20, 300, 140),
            [(30, 20, 130, 118), (42, 30, 118, 110), (0, 0, 60, 60)],
        ),
        "cat": ("chelsea.png", (40, 0, 440, 300), [(30, 10, 110, 100), (60, 30, 100, 80)]),
    }
    found = {}
    for name, (file, box, candidates) in parts.items():
        photo = Image.open(folder / file).convert("RGB").crop(box).resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
        frame = nv21(numpy.asarray(photo))
        found[name] = {"frame": frame, "candidates": numpy.asarray(candidates, numpy.float32)}
    return found


PIPELINE = Pipeline(
    name="onet",
    inputs={"frame": image("HW", "NV21"), "candidates": boxes("xyxy")},
    stages=(
        Stage("decode", decode, gives={"photo": image("HWC")}),
        Stage("crop", crop, gives={"crops": image("NCHW", low=-127.5 / 128, high=127.5 / 128)}),
        Stage(
            "model",
            Model("onet.onnx", takes={"x": "crops"}, gives={"boxes": "offsets", "points": "points", "probs": "probs"}),
            gives={"offsets": Meaning(), "points": Meaning(), "probs": probabilities()},
        ),
        Stage(
            "postprocess",
            postprocess,
            gives={"faces": boxes("xyxy"), "scores": scores()},
            tolerances={"faces": Tolerance(absolute=0.01)},
        ),
    ),
    cases=cases,
)
