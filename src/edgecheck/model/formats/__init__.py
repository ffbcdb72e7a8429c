"""Readers of model files, one plugin a file: `SUFFIXES`, `FORMAT` and `read(path) -> Model`.

`read` looks at the content first and the name second, and imports only the plugin that fits.
"""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from types import ModuleType

from edgecheck.errors import FormatError
from edgecheck.model.formats.wire import LEN, fields
from edgecheck.model.graph import Model

#: The plugin for a suffix, so that the others need not be imported. A suffix that is not here is asked of each plugin.
_PLUGIN = {
    ".onnx": "onnx", ".tflite": "tflite", ".lite": "tflite", ".mlmodel": "coreml", ".mlpackage": "coreml",
    ".pte": "executorch", ".pt2": "exported",
}  # fmt: skip
_HEAD = 4096
_EXPORT = "export it first: edgecheck export {path}"

#: What files that are no model for a device begin with: (position, bytes, what it is, the remedy).
_OTHERS = (
    (
        0,
        b"version https://git-lfs",
        "a Git LFS pointer, not the model itself",
        "fetch it: git lfs pull --include {path}",
    ),
    (4, b"ORTM", "a model in ONNX Runtime's own .ort format", "give the .onnx file that it was made from"),
    (0, b"\x89HDF", "a Keras model in HDF5", _EXPORT),
    (0, b"\x80\x02", "a pickle of PyTorch, which is never loaded here", "export the model to .onnx or .tflite first"),
    (0, b"GGUF", "a GGUF file of weights without a graph", "give the .onnx or .tflite file of the same model"),
    (0, b"\x1f\x8b", "a gzip archive", "unpack it and give the model inside"),
)
_ARCHIVES = {
    ".keras": ("a Keras model", _EXPORT),
    ".pt": ("a PyTorch archive", _EXPORT),
    ".pth": ("a PyTorch archive", _EXPORT),
    ".task": ("a MediaPipe task bundle", "unpack it and give the .tflite files inside"),
}


def read(path: Path) -> Model:
    """The model in a file or a package folder.

    Raises FormatError, one sentence that says what is wrong with the file and what to do.
    """
    try:
        plugin = _folder_plugin(path) if _is_folder(path) else _file_plugin(path)
        model: Model = import_module(f"{__name__}.{plugin}").read(path)
    except OSError as error:  # of a package: a file or folder in it that may not be read, or is gone
        raise FormatError(f"{error.filename or path} cannot be read: {error.strerror or error}") from error
    return model


def with_known_sizes(model: Model) -> Model:
    """An ONNX model as a converter sees it that takes an open batch as one: see `onnx_sizes`."""
    known: Model = import_module(f"{__name__}.onnx_sizes").with_known_sizes(model)
    return known


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError) as error:
        raise FormatError(f"{str(path)!r} is not a path: {error}") from error


def _folder_plugin(path: Path) -> str:
    if not os.access(path, os.R_OK | os.X_OK):
        raise FormatError(f"{path} may not be read: permission denied")
    if path.suffix == ".mlmodelc":
        raise FormatError(
            f"{path} is a compiled Core ML model, whose operations are not readable",
            help="give the .mlpackage or .mlmodel that it was compiled from",
        )
    if path.suffix == ".mlpackage" or (path / "Manifest.json").is_file():
        return "coreml"
    if (path / "saved_model.pb").is_file():
        raise FormatError(f"{path} is a TensorFlow SavedModel", help=_EXPORT.format(path=path))
    raise FormatError(f"{path} is a folder without a model", help="give a .onnx, .tflite, .mlmodel or .mlpackage")


def _file_plugin(path: Path) -> str:
    head = _head(path)
    if head[4:8] == b"TFL3":
        return "tflite"
    if head[4:6] == b"ET" and head[6:8].isdigit():
        return "executorch"
    if head[:2] == b"PK" and path.suffix.lower() == ".pt2":
        return "exported"
    _refuse_others(path, head)
    plugin = _PLUGIN.get(path.suffix.lower()) or _by_content(path) or _by_suffix(path.suffix.lower())
    if plugin is None:
        raise FormatError(
            f"{path} is not a model in a format that edgecheck reads", help=f"formats: {', '.join(_PLUGIN)}"
        )
    return plugin


def _head(path: Path) -> bytes:
    from edgecheck.model.formats.mapped import map_file

    return bytes(map_file(path)[:_HEAD])


def _refuse_others(path: Path, head: bytes) -> None:
    for position, magic, what, remedy in _OTHERS:
        if head[position : position + len(magic)] == magic:
            raise FormatError(f"{path} is {what}", help=remedy.format(path=path))
    if head[:2] == b"PK":
        what, remedy = _ARCHIVES.get(path.suffix.lower(), ("a zip archive", "unpack it and give the model inside"))
        raise FormatError(f"{path} is {what}", help=remedy.format(path=path))
    if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:9].lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        raise FormatError(
            f"{path} is a web page, not a model", help="the download failed: open the address in a browser"
        )


def _by_content(path: Path) -> str | None:
    """ONNX and Core ML are protobuf without a signature; the numbers of their outermost fields differ."""
    from edgecheck.model.formats.mapped import map_file

    buffer = map_file(path)
    try:
        numbers = {number for number, kind, _, _ in fields(buffer, 0, len(buffer)) if kind == LEN}
    except FormatError:
        return None
    if 7 in numbers and 8 in numbers:  # ModelProto.graph and opset_import
        return "onnx"
    return "coreml" if any(200 <= number <= 3000 for number in numbers) else None


def _by_suffix(suffix: str) -> str | None:
    import pkgutil  # 20 ms, for a suffix that nobody knows

    for info in pkgutil.iter_modules(__path__):
        module: ModuleType = import_module(f"{__name__}.{info.name}")
        if suffix and suffix in getattr(module, "SUFFIXES", ()):
            return info.name
    return None
