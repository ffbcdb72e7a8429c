"""The demo's sources: the trained O-Net of facenet-pytorch and the trained SavedModel of basic-pitch, with examples.

O-Net finds five landmarks in a 48 x 48 crop of a face. The package is data here: its file of networks is run without
the rest of the package, which wants torchvision. basic-pitch hears notes in two seconds of audio.
"""

from __future__ import annotations

from typing import Any

from edgecheck.packages import default_folder


def onet() -> tuple[Any, tuple[Any, ...]]:
    """The network with its trained weights, and a crop in [-1, 1] as the example input."""
    import torch

    package = default_folder() / "facenet_pytorch" / "facenet_pytorch"
    file = package / "models" / "mtcnn.py"
    code = file.read_text("utf-8").replace("from .utils.detect_face", "def _unused(): pass  #")
    scope: dict[str, Any] = {"__name__": "mtcnn", "__file__": str(file)}
    exec(compile(code, str(file), "exec"), scope)  # noqa: S102 - the pinned package's own code, hash checked by pip
    net = scope["ONet"](pretrained=False)
    net.load_state_dict(torch.load(package / "data" / "onet.pt", weights_only=True))
    return net, (torch.from_numpy(_crops(1, seed=1)[0]),)


def crops() -> list[dict[str, Any]]:
    """Calibration samples for static int8: crops with structure, smooth gradients and edges, in [-1, 1]."""
    return [{"x": sample} for sample in _crops(32, seed=7)]


def _crops(count: int, *, seed: int) -> list[Any]:
    import numpy

    rng = numpy.random.default_rng(seed)
    y, x = numpy.mgrid[0:48, 0:48] / 47.0
    samples = []
    for _ in range(count):
        a, b, phase = rng.uniform(-2, 2, 3)
        image = numpy.sin(3 * (a * x + b * y) + phase)[None] * rng.uniform(0.3, 1, (3, 1, 1))
        image = image + rng.normal(0, 0.2, (3, 48, 48))
        samples.append(image.clip(-1, 1)[None].astype(numpy.float32))
    return samples


def pitch() -> tuple[Any, dict[str, Any]]:
    """The SavedModel's signature, and what it was made for: a chord of three notes that rise, with harmonics."""
    import numpy
    import tensorflow as tf

    folder = default_folder() / "basic_pitch" / "basic_pitch" / "saved_models" / "icassp_2022" / "nmp"
    loaded = tf.saved_model.load(str(folder))
    model = loaded.signatures["serving_default"]
    model.owner = loaded  # the variables live as long as the object they came with
    ((name, spec),) = model.structured_input_signature[1].items()
    return model, {name: _chord(int(spec.shape[1])).reshape(1, -1, 1).astype(numpy.float32)}


def _chord(samples: int, rate: int = 22050) -> Any:
    """A4, C sharp 5 and E5 for `samples` at `rate` a second, six harmonics each, rising by a tone, fading away."""
    import numpy

    time = numpy.arange(samples) / rate
    sound = numpy.zeros(samples)
    for note in (440.0, 554.37, 659.26):
        cycles = note * (time + 0.06 * time**2)
        sound += sum(numpy.sin(2 * numpy.pi * k * cycles) / k for k in range(1, 7))
    return 0.2 * sound * numpy.exp(-time)
