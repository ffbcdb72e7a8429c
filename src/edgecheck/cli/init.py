"""`edgecheck init`: a pipeline file to start from, with the model's own names in it."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from edgecheck.cli import output
from edgecheck.errors import EdgecheckError
from edgecheck.model.formats import read
from edgecheck.model.graph import Tensor

HELP = "Write a pipeline file to start from: stages around a model, what their tensors mean, cases to record."
EPILOG = """examples:
  edgecheck init --model face.tflite                 writes pipeline.py with the model's inputs and outputs
  edgecheck init apps/face.py --model face.tflite --name face
  edgecheck record apps/face.py                      then record with it,
  edgecheck compare golden/face/pixel-8/run-1 --pipeline apps/face.py    and hold a device's recording against it

The kind of wrapper is taken from the model's input: four axes with one to four channels are an image, a long row of
floats is audio, integers are tokens.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument(
        "file", nargs="?", type=Path, default=Path("pipeline.py"), metavar="FILE", help="default pipeline.py"
    )
    parser.add_argument(
        "--model", type=Path, required=True, metavar="MODEL", help="the .onnx or .tflite file that is shipped"
    )
    parser.add_argument("--name", metavar="NAME", help="of the pipeline; default: the model's file name")


def run(arguments: argparse.Namespace) -> int:
    """Write the file; one that is there stays."""
    file: Path = arguments.file
    if file.exists():
        raise EdgecheckError(f"{file} is already there", help="name another file, or remove it")
    if not file.parent.is_dir():
        raise EdgecheckError(f"there is no folder {file.parent}")
    graph = read(arguments.model).graphs[0]
    inputs = [one for one in graph.inputs if not one.const]
    if not inputs or not graph.outputs:
        raise EdgecheckError(f"{arguments.model} has no inputs or outputs", help="name the model that the app loads")
    path = os.path.relpath(arguments.model.resolve(), file.resolve().parent)
    output.write(text(arguments.name or arguments.model.stem, path, inputs[0], list(graph.outputs)), file)
    print(f"{file}: now put your app's wrapper code in it, then `edgecheck record {file}`")
    return 0


def text(name: str, model: str, given: Tensor, outputs: list[Tensor]) -> str:
    """The pipeline file: it can be recorded as it is, with a made-up input of the right size."""
    kind = kind_of(given)
    shape = tuple(size or 1 for size in given.shape or (1,))
    body = _BODIES[kind].format(
        shape=shape, input=given.name, rate=16000, **_size(kind, shape), dtype=given.dtype or "float32"
    )
    gives = ", ".join(f'"{one.name}": Meaning()' for one in outputs)
    names = {"image": "image", "audio": "audio", "tokens": "Meaning", "values": "Meaning"}[kind]
    imports = ", ".join(sorted({"Meaning", "Model", "Pipeline", "Stage", names}, key=str.lower))
    return _FILE.format(
        name=name,
        model=model,
        body=body,
        imports=imports,
        gives=gives,
        input=given.name,
        meaning=_meaning(kind, shape),
        **_WORDS[kind],
    )


def kind_of(tensor: Tensor) -> str:
    """image, audio, tokens or values, by shape and type."""
    shape = tensor.shape or ()
    if (tensor.dtype or "").startswith(("int32", "int64")):
        return "tokens"
    if len(shape) == 4 and any(size in (1, 3, 4) for size in (shape[1], shape[3])) and (shape[2] or 0) > 8:
        return "image"
    return "audio" if max((size or 0 for size in shape), default=0) >= 4000 and len(shape) <= 3 else "values"


def _meaning(kind: str, shape: tuple[int, ...]) -> str:
    """What the model's input is, as the file says it."""
    if kind == "image":
        return f'image("{_size(kind, shape)["layout"]}", low=0, high=1)'
    return {"audio": 'audio(16000, "")', "tokens": 'Meaning(kind="tokens")'}.get(kind, "Meaning()")


def _size(kind: str, shape: tuple[int, ...]) -> dict[str, object]:
    if kind != "image":
        return {}
    first = shape[1] in (1, 3, 4) and shape[3] not in (1, 3, 4)
    height, width, channels = (shape[2], shape[3], shape[1]) if first else (shape[1], shape[2], shape[3])
    transpose = ".transpose(2, 0, 1)" if first else ""
    return {
        "height": height,
        "width": width,
        "channels": channels,
        "transpose": transpose,
        "layout": "NCHW" if first else "NHWC",
    }


_WORDS = {
    "image": {"inputs": '{"photo": image("HWC")}'},
    "audio": {"inputs": '{"samples": audio(16000)}'},
    "tokens": {"inputs": '{"ids": Meaning(kind="tokens")}'},
    "values": {"inputs": '{"values": Meaning()}'},
}
_FILE = '''"""The wrapper around the model, as the app does it: for `edgecheck record` and `edgecheck compare`.

A stage is a plain function. Its parameters are names of tensors that the input or an earlier stage gives; it returns
a dict of arrays. Keyword-only parameters are its knobs: the search for a cause turns them. Put your own code in.
"""

import numpy

from edgecheck.pipeline import {imports}

{body}

PIPELINE = Pipeline(
    name="{name}",
    inputs={inputs},
    stages=(
        Stage("preprocess", preprocess, gives={{"{input}": {meaning}}}),
        Stage("model", Model("{model}"), gives={{{gives}}}),
        # Stage("postprocess", postprocess), with postprocess(output, *, threshold=0.5) returning {{"boxes": …}}
    ),
    cases=cases,
)
'''
_BODIES = {
    "image": '''
def preprocess(photo, *, mean=0.0, scale=255.0):
    """(H, W, {channels}) uint8 to {shape} {dtype}: the middle of the photo, scaled."""
    top, left = (photo.shape[0] - {height}) // 2, (photo.shape[1] - {width}) // 2
    middle = photo[top : top + {height}, left : left + {width}].astype("float32")
    return {{"{input}": ((middle - mean) / scale){transpose}[None].astype("{dtype}")}}


def cases():
    """Inputs to record: real ones, please. This one is made up."""
    rows, columns = numpy.mgrid[0 : {height} + 32, 0 : {width} + 32]
    photo = numpy.stack([(rows * (c + 1) + columns) % 256 for c in range({channels})], axis=-1)
    return {{"made-up": {{"photo": photo.astype("uint8")}}}}
''',
    "audio": '''
def preprocess(samples, *, gain=1.0):
    """(samples,) float32 at {rate} Hz to {shape} {dtype}."""
    return {{"{input}": (samples * gain).reshape({shape}).astype("{dtype}")}}


def cases():
    """Inputs to record: real ones, please. This one is a tone of 440 Hz."""
    time = numpy.arange(numpy.prod({shape})) / {rate}
    return {{"made-up": {{"samples": (0.5 * numpy.sin(2 * numpy.pi * 440 * time)).astype("float32")}}}}
''',
    "tokens": '''
def preprocess(ids):
    """(length,) to {shape} {dtype}."""
    return {{"{input}": ids.reshape({shape}).astype("{dtype}")}}


def cases():
    """Inputs to record: real ones, please. These are made up."""
    return {{"made-up": {{"ids": numpy.arange(numpy.prod({shape}), dtype="int64") % 8}}}}
''',
    "values": '''
def preprocess(values):
    """(length,) float32 to {shape} {dtype}."""
    return {{"{input}": values.reshape({shape}).astype("{dtype}")}}


def cases():
    """Inputs to record: real ones, please. These are made up."""
    return {{"made-up": {{"values": numpy.linspace(-1, 1, int(numpy.prod({shape}))).astype("float32")}}}}
''',
}
