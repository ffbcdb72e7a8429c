"""Wrappers made of Pillow, OpenCV and ONNX Runtime, with one thing done otherwise: what the cause search is tried on.

Nothing of `edgecheck` computes here. `python tests/cause_devices.py --seed 1 --count 300` measures.
"""

from __future__ import annotations

import argparse
import collections
import functools
import io
import math
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from edgecheck.golden.causes import Trial
from edgecheck.golden.causes.search import find
from edgecheck.pipeline import Meaning, image

cv2.setNumThreads(1)
PHOTOS = Path(__file__).parent / "cases" / "photos"


@functools.cache
def photos() -> tuple[np.ndarray, ...]:
    return tuple(np.asarray(Image.open(one).convert("RGB")) for one in sorted(PHOTOS.glob("*.jpg")))


def photo(rng: np.random.Generator) -> np.ndarray:
    """A photograph, at another size, cut somewhere, now and then upright."""
    found = photos()[rng.integers(len(photos()))]
    h, w = found.shape[:2]
    top, left = rng.integers(0, h // 8), rng.integers(0, w // 8)
    bottom, right = h - rng.integers(0, h // 8), w - rng.integers(0, w // 8)
    cut = found[top:bottom, left:right]
    scale = rng.uniform(0.8, 1.6)
    size = (int(cut.shape[1] * scale), int(cut.shape[0] * scale))
    return np.ascontiguousarray(np.asarray(Image.fromarray(cut).resize(size, Image.BICUBIC)))


# Resizing, by libraries


def pil(way):
    def resize(x, h, w):
        if x.dtype == np.uint8:
            return np.asarray(Image.fromarray(x).resize((w, h), way))
        return np.stack([np.asarray(Image.fromarray(x[..., c]).resize((w, h), way)) for c in range(3)], -1)

    return resize


def by_cv(way):
    return lambda x, h, w: cv2.resize(x, (w, h), interpolation=way)


@functools.cache
def ort_session(mode, centres, nearest):
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper

    attributes = {"mode": mode, "coordinate_transformation_mode": centres}
    if mode == "nearest":
        attributes["nearest_mode"] = nearest
    node = helper.make_node("Resize", ["x", "", "", "sizes"], ["y"], **attributes)
    graph = helper.make_graph(
        [node],
        "resize",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, ["a", "b", "c", "d"]),
            helper.make_tensor_value_info("sizes", TensorProto.INT64, [4]),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["e", "f", "g", "h"])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def by_ort(mode, centres, nearest="floor"):
    def resize(x, h, w):
        planes = np.ascontiguousarray(x.astype(np.float32).transpose(2, 0, 1))[None]
        sizes = np.asarray([1, x.shape[2], h, w], np.int64)
        (made,) = ort_session(mode, centres, nearest).run(None, {"x": planes, "sizes": sizes})
        return np.ascontiguousarray(made[0].transpose(1, 2, 0))

    return resize


RESIZE = {
    "pil-bilinear": pil(Image.BILINEAR),
    "pil-bicubic": pil(Image.BICUBIC),
    "pil-lanczos": pil(Image.LANCZOS),
    "pil-hamming": pil(Image.HAMMING),
    "pil-box": pil(Image.BOX),
    "pil-nearest": pil(Image.NEAREST),
    "cv-linear": by_cv(cv2.INTER_LINEAR),
    "cv-nearest": by_cv(cv2.INTER_NEAREST),
    "cv-cubic": by_cv(cv2.INTER_CUBIC),
    "cv-area": by_cv(cv2.INTER_AREA),
    "cv-lanczos": by_cv(cv2.INTER_LANCZOS4),
    "ort-linear": by_ort("linear", "half_pixel"),
    "ort-linear-legacy": by_ort("linear", "asymmetric"),
    "ort-linear-corners": by_ort("linear", "align_corners"),
    "ort-cubic": by_ort("cubic", "half_pixel"),
    "ort-cubic-legacy": by_ort("cubic", "asymmetric"),
    "ort-cubic-corners": by_ort("cubic", "align_corners"),
    "ort-nearest-corners": by_ort("nearest", "align_corners", "round_prefer_floor"),
}
PAIRS = {  # what a kernel may be taken for, and what that is called
    ("pil-bilinear", "cv-linear"): {"resize-antialias"},
    ("pil-bilinear", "ort-linear"): {"resize-antialias"},
    ("pil-bicubic", "cv-cubic"): {"resize-antialias"},
    ("pil-bilinear", "pil-bicubic"): {"resize-kernel"},
    ("pil-bilinear", "pil-lanczos"): {"resize-kernel"},
    ("pil-bilinear", "pil-nearest"): {"resize-kernel"},
    ("pil-bilinear", "pil-box"): {"resize-kernel"},
    ("pil-bilinear", "pil-hamming"): {"resize-kernel"},
    ("pil-bilinear", "cv-area"): {"resize-kernel"},
    ("pil-bilinear", "cv-nearest"): {"resize-kernel"},
    ("pil-bicubic", "cv-linear"): {"resize-kernel"},
    ("cv-linear", "cv-area"): {"resize-kernel"},
    ("cv-linear", "cv-nearest"): {"resize-kernel"},
    ("cv-linear", "cv-cubic"): {"resize-kernel"},
    ("cv-linear", "cv-lanczos"): {"resize-kernel"},
    ("cv-linear", "ort-linear-legacy"): {"half-pixel"},
    ("cv-linear", "ort-linear-corners"): {"align-corners"},
    ("cv-cubic", "ort-cubic-corners"): {"align-corners"},
    ("cv-cubic", "ort-cubic-legacy"): {"half-pixel"},
    ("ort-linear", "ort-linear-legacy"): {"half-pixel"},
    ("ort-linear", "ort-linear-corners"): {"align-corners"},
    ("cv-area", "pil-bicubic"): {"resize-kernel"},
    ("cv-area", "cv-nearest"): {"resize-kernel"},
}

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@dataclass(frozen=True)
class Wrapper:
    """A preprocessing of an app. `mean` and `std` are for 0 to 1."""

    size: tuple[int, int] = (96, 96)
    fit: str = "stretch"
    ratio: float = 1.0
    kernel: str = "cv-linear"
    floats: bool = False  # resize floats, not bytes
    pad: float = 114
    rounding: str = "round"
    place: str = "centre"
    mean: tuple = (0.0, 0.0, 0.0)
    std: tuple = (1.0, 1.0, 1.0)
    chw: bool = False
    before: tuple = ()  # changes of the photo, by name
    pixels: tuple = ()  # changes of the resized picture
    after: tuple = ()  # changes of the finished tensor
    names: dict = field(default_factory=dict)

    def __call__(self, photo):
        x = photo
        for one in self.before:
            x = one(x)
        x = self.framed(np.ascontiguousarray(x))
        for one in self.pixels:
            x = one(x)
        y = (x.astype(np.float32) / np.float32(255) - np.float32(self.mean)) / np.float32(self.std)
        y = (y.transpose(2, 0, 1) if self.chw else y)[None]
        for one in self.after:
            y = one(y)
        return np.ascontiguousarray(y)

    def resized(self, x, h, w):
        return RESIZE[self.kernel](x.astype(np.float32) if self.floats else x, h, w)

    def framed(self, x):
        (h, w), (H, W) = self.size, x.shape[:2]
        if self.fit == "stretch":
            return self.resized(x, h, w)
        r = {"round": lambda v: int(v + 0.5), "floor": int, "ceil": math.ceil}[self.rounding]
        if self.fit == "letterbox":
            scale = min(h / H, w / W)
            nh, nw = min(h, r(round(H * scale, 6))), min(w, r(round(W * scale, 6)))
            small = self.resized(x, nh, nw)
            made = np.full((h, w, 3), self.pad, small.dtype)
            top, left = {
                "centre": ((h - nh) // 2, (w - nw) // 2),
                "centre-up": ((h - nh + 1) // 2, (w - nw + 1) // 2),
                "top-left": (0, 0),
            }[self.place]
            made[top : top + nh, left : left + nw] = small
            return made
        if self.fit == "cut":
            goal = round(h * self.ratio)
            if H < W:
                nh, nw = goal, r(round(goal * W / H, 6))
            else:
                nh, nw = r(round(goal * H / W, 6)), goal
            small = self.resized(x, nh, nw)
            top, left = ((nh - h) // 2, (nw - w) // 2) if self.place == "centre" else (0, 0)
            return small[top : top + h, left : left + w]
        assert self.fit == "square"
        side = min(H, W)
        top, left = ((H - side) // 2, (W - side) // 2) if self.place == "centre" else (0, 0)
        return self.resized(np.ascontiguousarray(x[top : top + side, left : left + side]), h, w)


def base(rng) -> Wrapper:
    """A correct wrapper, drawn at random."""
    fit = rng.choice(["stretch", "letterbox", "letterbox", "cut", "square"])
    side = int(rng.choice([80, 96, 112, 128]))
    other = int(rng.choice([80, 96, 112, 128])) if fit in ("stretch", "letterbox") and rng.random() < 0.4 else side
    norm = rng.integers(5)
    mean, std = [
        ((0.0,) * 3, (1.0,) * 3),
        ((0.5,) * 3, (0.5,) * 3),
        IMAGENET,
        ((0.5,) * 3, (128 / 255,) * 3),
        ((0.0,) * 3, (1 / 255,) * 3),
    ][norm]
    kernel = str(rng.choice(["pil-bilinear", "pil-bicubic", "cv-linear", "cv-cubic", "cv-area", "ort-linear"]))
    floats = kernel.startswith("ort") or bool(rng.random() < 0.25 and not kernel.startswith("pil"))
    return Wrapper(
        size=(side, other), fit=str(fit), ratio=float(rng.choice([1.0, 256 / 224])) if fit == "cut" else 1.0, kernel=kernel, floats=floats,
        pad=float(rng.choice([0, 114, 128])), rounding=str(rng.choice(["round", "floor"])), mean=mean, std=std, chw=bool(rng.random() < 0.5),
    )  # fmt: skip


# Faults: each gives another wrapper and the names that are right, or None where it makes no difference here


def channels(rng, w):
    order = [2, 1, 0] if rng.random() < 0.7 else [[1, 2, 0], [2, 0, 1]][rng.integers(2)]
    return replace(w, before=(*w.before, lambda x: x[..., order])), {"channel-order"}


def grey(rng, w):
    weights = [(0.299, 0.587, 0.114), (0.2126, 0.7152, 0.0722), (1 / 3, 1 / 3, 1 / 3)][rng.integers(3)]
    return replace(
        w, pixels=(*w.pixels, lambda x: np.repeat((x.astype(np.float32) @ np.float32(weights))[..., None], 3, -1))
    ), {"colour-grey"}


def memory(rng, w):
    if w.chw:
        return replace(w, after=(*w.after, lambda y: np.ascontiguousarray(y.transpose(0, 2, 3, 1)).reshape(y.shape))), {
            "layout-reinterpreted"
        }
    return replace(w, after=(*w.after, lambda y: np.ascontiguousarray(y.transpose(0, 3, 1, 2)).reshape(y.shape))), {
        "layout-reinterpreted"
    }


def transposed(rng, w):
    return replace(w, after=(*w.after, lambda y: y.transpose(0, 2, 3, 1) if w.chw else y.transpose(0, 3, 1, 2))), {
        "layout"
    }


NORMS = [
    ((0.0,) * 3, (1.0,) * 3), ((0.5,) * 3, (0.5,) * 3), IMAGENET, ((0.5,) * 3, (128 / 255,) * 3), ((0.0,) * 3, (1 / 255,) * 3),
    ((128 / 255,) * 3, (128 / 255,) * 3), ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
    (IMAGENET[0][::-1], IMAGENET[1][::-1]), (IMAGENET[0], (1 / 255,) * 3), ((0.5,) * 3, (1.0,) * 3), ((0.0,) * 3, (128 / 255,) * 3),
]  # fmt: skip


def normalisation(rng, w):
    if rng.random() < 0.25:
        mean, std = tuple(rng.uniform(0.2, 0.6, 3)), tuple(rng.uniform(0.15, 0.6, 3))
        return replace(w, mean=mean, std=std), {"normalisation"}
    mean, std = NORMS[rng.integers(len(NORMS))]
    if np.allclose(mean, w.mean) and np.allclose(std, w.std):
        return None
    names = {"normalisation"}
    kinds = {(w.mean[0], w.std[0]), (mean[0], std[0])}
    if kinds == {(0.0, 1.0), (0.5, 0.5)}:
        names = {"value-range"}
    if (mean[0], std[0]) == (0.0, 1 / 255):
        names = {"not-divided", "normalisation"}
    return replace(w, mean=mean, std=std), names


def value_range(rng, w):
    if (w.mean[0], w.std[0]) == (0.0, 1.0):
        return replace(w, mean=(0.5,) * 3, std=(0.5,) * 3), {"value-range"}
    if (w.mean[0], w.std[0]) == (0.5, 0.5):
        return replace(w, mean=(0.0,) * 3, std=(1.0,) * 3), {"value-range"}
    return None


def divided_twice(rng, w):
    if (w.mean[0], w.std[0]) == (0.0, 1.0) or rng.random() < 0.5:
        return replace(w, after=(*w.after, lambda y: y / np.float32(255))), {"divided-twice"} if w.std[
            0
        ] != 1 / 255 else {"normalisation", "divided-twice"}
    return replace(w, pixels=(*w.pixels, lambda x: x.astype(np.float32) / 255)), {"divided-twice", "normalisation"}


def not_divided(rng, w):
    if (w.mean[0], w.std[0]) == (0.0, 1 / 255):
        return None
    return replace(w, mean=(0.0,) * 3, std=(1 / 255,) * 3), {"not-divided"}


def gamma(rng, w):
    g = [2.2, 1 / 2.2][rng.integers(2)]
    table = np.rint(255 * (np.arange(256) / 255) ** g).astype(np.uint8)
    if rng.random() < 0.5:
        return replace(w, before=(*w.before, lambda x: table[x])), {"gamma"}
    return replace(
        w, pixels=(*w.pixels, lambda x: 255 * (np.clip(x, 0, 255).astype(np.float32) / 255) ** np.float32(g))
    ), {"gamma"}


def recoded(rng, w):
    """Through a camera's or a codec's YUV with one matrix, and back with another."""
    matrix, full = [("709", False), ("601", True), ("2020", False)][rng.integers(3)]
    kr, kb = KR_KB["601"]

    def change(x):
        x = x.astype(np.float32)
        y = x @ np.float32([kr, 1 - kr - kb, kb])
        b, r = (x[..., 2] - y) / (2 * (1 - kb)), (x[..., 0] - y) / (2 * (1 - kr))
        y, b, r = np.rint(16 + y * (219 / 255)), np.rint(128 + b * (224 / 255)), np.rint(128 + r * (224 / 255))
        y, b, r = (
            (y, b - 128, r - 128)
            if full
            else ((y - 16) * (255 / 219), (b - 128) * (255 / 224), (r - 128) * (255 / 224))
        )
        k, c = KR_KB[matrix]
        red, blue = y + 2 * (1 - k) * r, y + 2 * (1 - c) * b
        return np.clip(np.rint(np.stack([red, (y - k * red - c * blue) / (1 - k - c), blue], -1)), 0, 255).astype(
            np.uint8
        )

    return replace(w, before=(*w.before, change)), {"yuv-range"} if full else {"yuv-matrix"}


def half(rng, w):
    if rng.random() < 0.5:
        return replace(w, after=(*w.after, lambda y: y.astype(np.float16).astype(np.float32))), {"float16"}

    def cut(y):
        return (np.ascontiguousarray(y).view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)

    return replace(w, after=(*w.after, cut)), {"bfloat16"}


def truncated(rng, w):
    if w.std[0] == 1 / 255 and w.floats:
        return replace(w, after=(*w.after, np.trunc)), {"truncated"}
    if w.floats and "linear" in w.kernel:
        return replace(w, pixels=(*w.pixels, lambda x: np.clip(x, 0, 255).astype(np.uint8))), {"truncated"}
    return None


def signed(rng, w):
    return replace(
        w,
        pixels=(
            *w.pixels,
            lambda x: np.clip(np.rint(x), 0, 255).astype(np.uint8).view(np.int8) if x.dtype == np.uint8 else x,
        ),
    ), {"signed-bytes"} if not w.floats else None


def clipped(rng, w):
    if w.mean == IMAGENET[0]:
        return replace(w, after=(*w.after, lambda y: np.clip(y, [0, -1][int(rng.integers(2))] if False else -1, 1))), {
            "clipped"
        }
    if w.mean[0] == 0.5:
        return replace(w, after=(*w.after, lambda y: np.clip(y, 0, 1))), {"clipped"}
    return None


def flip(rng, w):
    axis = int(rng.integers(2))
    return replace(w, before=(*w.before, lambda x: np.flip(x, axis))), {["flip-vertical", "flip-horizontal"][axis]}


def turn(rng, w):
    k = int(rng.integers(1, 4))
    return replace(w, before=(*w.before, lambda x: np.rot90(x, k))), {"rotation"}


def mirrored_turn(rng, w):
    return replace(w, before=(*w.before, lambda x: np.swapaxes(x, 0, 1))), {"rotation-mirrored"}


def aspect(rng, w):
    if w.fit == "stretch":
        return replace(w, fit="letterbox"), {"aspect-ratio"}
    return (replace(w, fit="stretch"), {"aspect-ratio"}) if w.fit == "letterbox" else None


def crop(rng, w):
    if w.fit == "cut":
        if rng.random() < 0.5:
            return replace(w, ratio=1.0 if w.ratio != 1 else 256 / 224), {"crop"}
        return replace(w, fit="stretch"), {"crop"}
    if w.fit == "square":
        return replace(w, fit="stretch"), {"crop"}
    return (replace(w, fit="square"), {"crop"}) if w.fit == "stretch" and w.size[0] == w.size[1] else None


def crop_offset(rng, w):
    return (replace(w, place="top-left"), {"crop-offset"}) if w.fit in ("cut", "square") else None


def kernel(rng, w):
    found = [
        (pair, names)
        for pair, names in PAIRS.items()
        if w.kernel in pair and not (w.floats and any(one.startswith("pil") for one in pair))
    ]
    found = [one for one in found if w.floats or not any(side.startswith("ort") for side in one[0])]
    if not found:
        return None
    pair, names = found[rng.integers(len(found))]
    other = pair[0] if pair[1] == w.kernel else pair[1]
    return replace(w, kernel=other, floats=w.floats and not other.startswith("pil")), names


def letterbox_offset(rng, w):
    return (replace(w, place="top-left"), {"letterbox-offset"}) if w.fit == "letterbox" else None


def letterbox_rounding(rng, w):
    if w.fit != "letterbox":
        return None
    if rng.random() < 0.5:
        return replace(w, place="centre-up"), {"letterbox-rounding"}
    return replace(w, rounding=str(rng.choice([one for one in ("round", "floor", "ceil") if one != w.rounding]))), {
        "letterbox-rounding"
    }


def pad_value(rng, w):
    pads = [one for one in (0, 114, 128, 255) if one != w.pad]
    return (replace(w, pad=float(rng.choice(pads))), {"pad-value"}) if w.fit == "letterbox" else None


FAULTS = [
    channels, grey, memory, transposed, normalisation, normalisation, value_range, divided_twice, not_divided, gamma, recoded, half, truncated, signed,
    clipped, flip, turn, mirrored_turn, aspect, crop, crop_offset, kernel, kernel, kernel, letterbox_offset, letterbox_rounding, pad_value,
]  # fmt: skip
ORDER = {one: place for place, one in enumerate(FAULTS)}


def within(name, ours, device):
    """Nearly the same: a thousandth of the range at the worst."""
    if ours.shape != device.shape:
        return False
    reach = max(float(np.ptp(device)), 1e-6)
    return bool(np.abs(ours.astype(np.float64) - device).max() <= 1e-3 * reach)


def guarded(stage):
    """A stage that says by ValueError that it cannot take what it is given, as `Trial.again` has to."""

    def again(inputs, knobs):
        try:
            return stage(inputs, knobs)
        except Exception as problem:
            raise ValueError(str(problem)) from problem

    return again


def trial(rng, ours, device, name="0", declared=True) -> Trial:
    picture = photo(rng)
    layout = "NCHW" if ours.chw else "NHWC"
    meanings = {"photo": image("HWC")}
    if declared:
        meanings["input"] = Meaning(kind="image", layout=layout, channels="RGB")
    return Trial(
        case=name, stage="preprocess", inputs={"photo": picture}, ours={"input": ours(picture)}, device={"input": device(picture)},
        meanings=meanings, again=guarded(lambda inputs, knobs: {"input": ours(inputs["photo"])}),
    )  # fmt: skip


GROUPS = [  # two of one group are one fault in another form, or hide each other
    {"normalisation", "value_range", "divided_twice", "not_divided"}, {"flip", "turn", "mirrored_turn"}, {"aspect", "crop", "crop_offset"},
    {"aspect", "letterbox_offset"}, {"aspect", "letterbox_rounding"}, {"aspect", "pad_value"}, {"clipped", "not_divided"}, {"clipped", "normalisation"},
]  # fmt: skip


def with_faults(start, chosen, seeds):
    """The wrapper with these faults, and their names; None where one does not apply."""
    device, names = start, []
    for one, seed in sorted(zip(chosen, seeds), key=lambda pair: -ORDER[pair[0]]):
        made = one(np.random.default_rng(seed), device)
        if made is None or made[1] is None:
            return None
        device = made[0]
        names.append((one.__name__, made[1]))
    return device, names


def faulty(rng, count=1):
    """(ours, device, the names that are right for each fault, what was done). Each fault shows beside the others."""
    while True:
        ours = base(rng)
        chosen, seeds = (
            [FAULTS[i] for i in rng.permutation(len(FAULTS))[:count]],
            [int(rng.integers(1 << 30)) for _ in range(count)],
        )
        picture = photo(rng)
        made = with_faults(ours, chosen, seeds)
        done = [one.__name__ for one in chosen]
        if made is None or (any(set(done) <= one for one in GROUPS) and count == 2) or len(set(done)) < count:
            continue
        device, names = made
        if count == 2 and names[0][1] & names[1][1]:
            continue
        rest = [with_faults(ours, chosen[:i] + chosen[i + 1 :], seeds[:i] + seeds[i + 1 :]) for i in range(count)]
        if any(one is None for one in rest):
            continue
        final = device(picture)
        if not any(within("", one[0](picture), final) for one in rest):
            return ours, device, [one[1] for one in names], [one[0] for one in names]


# Camera frames: OpenCV on one side, matrices of our own or OpenCV with another code on the other


def yuv_frame(rng, stride=0):
    """Planes [y, u, v] of a photograph of even size, BT.601 limited range, by OpenCV."""
    picture = photo(rng)
    h, w = picture.shape[0] // 2 * 2, picture.shape[1] // 2 * 2
    i420 = cv2.cvtColor(np.ascontiguousarray(picture[:h, :w]), cv2.COLOR_RGB2YUV_I420)
    y, rest = i420[:h], i420[h:].reshape(-1)
    u, v = rest[: h * w // 4].reshape(h // 2, w // 2), rest[h * w // 4 :].reshape(h // 2, w // 2)
    return y, u, v


def packed(y, u, v, layout):
    flat = {
        "NV12": np.stack([u, v], -1),
        "NV21": np.stack([v, u], -1),
        "I420": np.stack([u, v]),
        "YV12": np.stack([v, u]),
    }[layout]
    return np.concatenate([y.reshape(-1), flat.reshape(-1)]).reshape(y.shape[0] * 3 // 2, y.shape[1])


CODES = {
    "NV12": cv2.COLOR_YUV2RGB_NV12,
    "NV21": cv2.COLOR_YUV2RGB_NV21,
    "I420": cv2.COLOR_YUV2RGB_I420,
    "YV12": cv2.COLOR_YUV2RGB_YV12,
}
KR_KB = {"601": (0.299, 0.114), "709": (0.2126, 0.0722), "2020": (0.2627, 0.0593)}


def camera_rgb(frame, layout="NV12", matrix="601", full=False, smooth=False):
    """RGB bytes; by OpenCV where it can."""
    if matrix == "601" and not full and not smooth:
        return cv2.cvtColor(frame, CODES[layout])
    h, w = frame.shape[0] * 2 // 3, frame.shape[1]
    y, rest = frame[:h].astype(np.float32), frame[h:].reshape(-1)
    if layout[0] == "N":
        u, v = rest.reshape(h // 2, w // 2, 2).transpose(2, 0, 1)
    else:
        u, v = rest.reshape(2, h // 2, w // 2)
    if layout in ("NV21", "YV12"):
        u, v = v, u
    way = cv2.INTER_LINEAR if smooth else cv2.INTER_NEAREST
    u, v = (cv2.resize(one.astype(np.float32), (w, h), interpolation=way) - 128 for one in (u, v))
    if not full:
        y, u, v = (y - 16) * (255 / 219), u * (255 / 224), v * (255 / 224)
    kr, kb = KR_KB[matrix]
    r, b = y + 2 * (1 - kr) * v, y + 2 * (1 - kb) * u
    g = (y - kr * r - kb * b) / (1 - kr - kb)
    return np.clip(np.rint(np.stack([r, g, b], -1)), 0, 255).astype(np.uint8)


def camera(rng):
    """(trials, names, what was done)."""
    fault = ["matrix", "range", "uv", "layout", "smooth", "stride", "channels", "rgb matrix", "rgb range"][
        rng.integers(9)
    ]
    layout = str(rng.choice(list(CODES)))
    ours = {"layout": layout, "smooth": bool(rng.random() < 0.3 and fault != "smooth")}
    other = {"NV12": "NV21", "NV21": "NV12", "I420": "YV12", "YV12": "I420"}
    cross = {"NV12": "I420", "NV21": "I420", "I420": "NV12", "YV12": "NV21"}
    change, names = {
        "matrix": ({"matrix": str(rng.choice(["709", "709", "2020"]))}, {"yuv-matrix"}), "range": ({"full": True}, {"yuv-range"}),
        "uv": ({"layout": other[layout]}, {"uv-swapped"}), "layout": ({"layout": cross[layout]}, {"yuv-layout"}),
        "smooth": ({"smooth": True}, {"chroma-upsampling"}), "stride": ({}, {"row-stride"}), "channels": ({}, {"channel-order"}),
        "rgb matrix": ({"matrix": str(rng.choice(["709", "709", "2020"]))}, {"yuv-matrix"}), "rgb range": ({"full": True}, {"yuv-range"}),
    }[fault]  # fmt: skip
    trials = []
    for i in range(2):
        y, u, v = yuv_frame(rng)
        if fault == "stride":
            trials.append(strided(y, u, v, int(rng.choice([16, 32, 64])), str(i)))
            continue
        frame = packed(y, u, v, layout)
        a, b = camera_rgb(frame, **ours), camera_rgb(frame, **{**ours, **change})
        if fault == "channels":
            b = b[..., ::-1]
        inputs = {"frame": frame} if not fault.startswith("rgb") else {"file": np.zeros(10, np.uint8)}
        trials.append(Trial(case=str(i), stage="decode", inputs=inputs, ours={"rgb": a}, device={"rgb": b}, meanings={"rgb": image("HWC")},
                            again=guarded(lambda inputs, knobs: {"rgb": camera_rgb(inputs["frame"], **ours)}) if "frame" in inputs else None))  # fmt: skip
    return trials, names, f"camera {fault}"


def strided(y, u, v, align, name):
    """Planes with padded rows, as Android gives them; the device forgets it."""
    w = y.shape[1]
    if w % align == 0:
        y, u, v = y[:, :-2], u[:, :-1], v[:, :-1]
        w = y.shape[1]

    def pad(x):
        return np.pad(x, ((0, 0), (0, -x.shape[1] % align)), mode="edge")

    def made(inputs, forgets):
        planes = [(inputs["y"], w), (inputs["u"], w // 2), (inputs["v"], w // 2)]
        cut = [p.reshape(-1)[: len(p) * n].reshape(len(p), n) if forgets else p[:, :n] for p, n in planes]
        return {"rgb": cv2.cvtColor(packed(*map(np.ascontiguousarray, cut), "I420"), cv2.COLOR_YUV2RGB_I420)}

    inputs = {"y": pad(y), "u": pad(u), "v": pad(v)}
    return Trial(case=name, stage="decode", inputs=inputs, ours=made(inputs, False), device=made(inputs, True), meanings={"rgb": image("HWC")},
                 again=guarded(lambda inputs, knobs: made(inputs, False)))  # fmt: skip


# Files: Pillow on one side, OpenCV on the other


def file(rng):
    fault = ["exif", "channels", "smooth", "decoder", "grey"][rng.integers(5)]
    orientation = int(rng.integers(2, 9)) if fault == "exif" else 1
    trials = []
    for i in range(2):
        picture, data = Image.fromarray(photo(rng)), io.BytesIO()
        exif = Image.Exif()
        exif[0x0112] = orientation
        picture.save(data, "jpeg", quality=int(rng.integers(60, 96)), subsampling=2, exif=exif)
        raw = np.frombuffer(data.getvalue(), np.uint8)
        a = np.ascontiguousarray(cv2.imdecode(raw, cv2.IMREAD_COLOR)[..., ::-1])
        opened = Image.open(io.BytesIO(data.getvalue()))
        b = np.asarray(opened.convert("RGB"))
        if fault == "channels":
            b = b[..., ::-1]
        if fault == "smooth":
            opened.draft("YCbCr", opened.size)
            parts = np.asarray(opened.convert("YCbCr")).copy()
            parts[..., 1:] = np.repeat(np.repeat(parts[::2, ::2, 1:], 2, 0), 2, 1)[: parts.shape[0], : parts.shape[1]]
            b = np.asarray(Image.fromarray(parts, "YCbCr").convert("RGB"))
        if fault == "decoder":
            b = np.clip(b.astype(int) + rng.integers(-1, 2, b.shape) * (rng.random(b.shape) < 0.3), 0, 255).astype(
                np.uint8
            )
        if fault == "grey":
            b = np.repeat(np.asarray(opened.convert("L"))[..., None], 3, -1)
        trials.append(
            Trial(
                case=str(i),
                stage="decode",
                inputs={"file": raw},
                ours={"rgb": a},
                device={"rgb": b},
                meanings={"rgb": image("HWC")},
            )
        )
    names = {
        "exif": {"exif-orientation"},
        "channels": {"channel-order"},
        "smooth": {"chroma-upsampling"},
        "decoder": {"decoder"},
        "grey": {"colour-grey"},
    }[fault]
    return trials, names, f"file {fault}"


def tensors(rng):
    fault = ["outputs", "renamed", "inputs", "scale"][rng.integers(4)]
    matrices = [rng.normal(size=(12, 12)).astype(np.float32) for _ in range(2)]

    def stage(inputs, knobs):
        return {"a": inputs["x"] @ matrices[0], "b": inputs["x"] @ matrices[1] + inputs["z"]}

    trials = []
    for i in range(2):
        inputs = {
            "x": rng.normal(size=(30, 12)).astype(np.float32),
            "z": rng.normal(size=(30, 12)).astype(np.float32) + 1,
        }
        ours = stage(inputs, {})
        turned = {"x": inputs["z"], "z": inputs["x"]}
        device = {
            "outputs": {"a": ours["b"], "b": ours["a"]}, "renamed": {"c": ours["a"], "b": ours["b"]},
            "inputs": stage(turned, {}), "scale": {"a": ours["a"] / 255, "b": ours["b"]},
        }[fault]  # fmt: skip
        trials.append(Trial(case=str(i), stage="s", inputs=inputs, ours=ours, device=device, again=guarded(stage)))
    names = {
        "outputs": {"outputs-swapped"},
        "renamed": {"tensors-renamed"},
        "inputs": {"inputs-swapped"},
        "scale": {"divided-twice"},
    }[fault]
    return trials, names, f"tensors {fault}"


def knobs(rng):
    """A stage that is opaque but for its knobs."""
    fault = ["sigma", "flag", "channels"][rng.integers(3)]
    settings = {"sigma": float(rng.choice([1.0, 1.5, 2.0])), "sharp": False}

    def stage(inputs, knobs):
        x = cv2.GaussianBlur(inputs["photo"].astype(np.float32), (0, 0), max(knobs["sigma"], 0.05))
        x = 2 * inputs["photo"] - x if knobs["sharp"] else x
        return {"sums": x.reshape(x.shape[0], -1, 3).std(1), "rows": np.abs(np.diff(x, axis=1)).mean(1)}

    other = {
        "sigma": {"sigma": float(np.round(settings["sigma"] * rng.uniform(0.5, 1.8), 2))},
        "flag": {"sharp": True},
        "channels": {},
    }[fault]
    trials = []
    for i in range(2):
        inputs = {"photo": photo(rng)}
        device = stage({"photo": inputs["photo"][..., ::-1]} if fault == "channels" else inputs, {**settings, **other})
        trials.append(
            Trial(
                case=str(i),
                stage="s",
                inputs=inputs,
                ours=stage(inputs, settings),
                device=device,
                again=guarded(stage),
                knobs=settings,
            )
        )
    names = {"sigma": {"knob-sigma"}, "flag": {"knob-sharp"}, "channels": {"channel-order"}}[fault]
    return trials, names, f"knobs {fault}"


def placed(causes, names):
    """The place (from 1) of the right name among causes; 99 where it is not there."""
    for place, one in enumerate(causes, 1):
        if len(one.ids) == 1 and set(one.ids) & names:
            return place
    return 99


def one_fault(seed):
    rng = np.random.default_rng(seed)
    draw = rng.random()
    if draw < 0.35:
        kind = camera if draw < 0.17 else file if draw < 0.25 else tensors if draw < 0.3 else knobs
        trials, names, done = kind(rng)
        found = find(trials, within)
        return placed(found.causes, names), names, done, found, (base(rng), base(rng))
    ours, device, (names,), (done,) = faulty(rng)
    trials = [trial(rng, ours, device, str(i), declared=bool(rng.random() < 0.6)) for i in range(2)]
    found = find(trials, within)
    return placed(found.causes, names), names, done, found, (ours, device)


def two_faults(seed):
    rng = np.random.default_rng(seed)
    ours, device, names, done = faulty(rng, 2)
    trials = [trial(rng, ours, device, str(i), declared=bool(rng.random() < 0.6)) for i in range(2)]
    found = find(trials, within)
    first = found.causes[0].ids if found.causes else ()
    return sum(bool(set(first) & one) for one in names) == 2, names, done, found, (ours, device)


def unknown(seed):
    """What no hypothesis is about: noise, blocks, a vignette, a blur, a compression, another photo. (causes, closest, what)"""
    rng = np.random.default_rng(seed)
    ours = base(rng)
    kind = ["noise", "noise", "pepper", "blocks", "vignette", "compression", "photo", "blur", "rows"][rng.integers(9)]
    level = float(rng.choice([1, 3, 10, 40]))

    def device(picture):
        x = picture.astype(np.float32)
        if kind == "pepper":
            x = np.where(rng.random(x.shape[:2])[..., None] < 0.02, 255, x)
        if kind == "blocks":
            top, left = rng.integers(0, x.shape[0] // 2), rng.integers(0, x.shape[1] // 2)
            x[top : top + 40, left : left + 40] = rng.integers(0, 255)
        if kind == "vignette":
            y, z = np.mgrid[-1 : 1 : x.shape[0] * 1j, -1 : 1 : x.shape[1] * 1j]
            x = x * (1 - 0.3 * (y**2 + z**2))[..., None]
        if kind == "compression":
            data = io.BytesIO()
            Image.fromarray(picture).save(data, "jpeg", quality=int(rng.integers(10, 60)))
            x = np.asarray(Image.open(io.BytesIO(data.getvalue())).convert("RGB"))
        if kind == "photo":
            x = cv2.resize(photo(rng), picture.shape[1::-1])
        if kind == "blur":
            x = cv2.GaussianBlur(x, (0, 0), 2.0)
        if kind == "rows":
            x = x[rng.permutation(x.shape[0])]
        y = ours(np.clip(x, 0, 255).astype(np.uint8))
        reach = np.ptp(y) / 255
        return y + rng.normal(size=y.shape).astype(np.float32) * reach * level if kind == "noise" else y

    trials = [trial(rng, ours, device, str(i)) for i in range(2)]
    found = find(trials, within)
    return found.causes, found.closest, f"{kind} {level}"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--pairs", type=int, default=0)
    parser.add_argument("--unknown", type=int, default=0)
    arguments = parser.parse_args()
    named = 0
    for i in range(arguments.unknown):
        causes, _, what = unknown([arguments.seed, 9, i])
        named += bool(causes)
        if causes:
            print(
                "unknown", i, what, [(one.ids, round(one.share, 4), one.within, one.say) for one in causes], flush=True
            )
    if arguments.unknown:
        print(f"named although unknown: {named}/{arguments.unknown}")
    places, wrong, start, per = collections.Counter(), [], time.monotonic(), collections.Counter()
    for i in range(arguments.count):
        place, names, done, found, wrappers = one_fault([arguments.seed, i])
        places[place] += 1
        per[done, place == 1] += 1
        if place != 1:
            wrong.append(
                (
                    i,
                    done,
                    names,
                    [(one.ids, round(one.share, 4), one.within) for one in found.causes[:3]]
                    or ("-", found.closest and (found.closest.ids, round(found.closest.share, 4))),
                )
            )
            print(
                *wrong[-1],
                wrappers[0].fit,
                wrappers[0].size,
                wrappers[0].kernel,
                "->",
                wrappers[1].kernel,
                wrappers[0].floats,
                wrappers[0].mean[:1],
                wrappers[0].std[:1],
                flush=True,
            )
    n = arguments.count
    if n:
        print(
            f"one fault: first {places[1]}/{n}, first three {sum(places[p] for p in (1, 2, 3))}/{n}, {(time.monotonic() - start) / n:.2f} s each"
        )
    start, good = time.monotonic(), 0
    for i in range(arguments.pairs):
        right, names, done, found, wrappers = two_faults([arguments.seed, 7, i])
        good += right
        if not right:
            print(
                "pair",
                i,
                done,
                names,
                [(one.ids, round(one.share, 4), one.within) for one in found.causes[:3]]
                or ("-", found.closest and (found.closest.ids, round(found.closest.share, 4))),
                wrappers[0].fit,
                wrappers[0].kernel,
                "->",
                wrappers[1].kernel,
                flush=True,
            )
    if arguments.pairs:
        print(f"two faults: {good}/{arguments.pairs}, {(time.monotonic() - start) / arguments.pairs:.2f} s each")


if __name__ == "__main__":
    sys.exit(main())
