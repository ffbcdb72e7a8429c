"""Export every architecture of tests/cases to ONNX and TFLite, for asking oracles about whole models, node by node.

    python scripts/architectures.py FOLDER [--only hf_vit,keras_xception] [--format onnx,tflite]
    edgecheck probe --target ethos-u55 --oracle vela FOLDER/tflite

Files go to FOLDER/onnx and FOLDER/tflite as NAME.PRECISION.SUFFIX: fp32, and int8-static where there are samples,
else int8-dynamic. A file that is there already is left. What a proof says of a file does not matter here: these weights are
untrained, and an oracle asks what the operators are. The exit code is 1 when an architecture gave no file at all.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from edgecheck import exporting, sources
from edgecheck.deliverables import Artefact, Job
from edgecheck.errors import EdgecheckError
from edgecheck.exporters import SUFFIXES

CASES = Path(__file__).parents[1] / "tests" / "cases"
#: Networks of tests/cases/zoo.py, and the samples for their static int8.
ZOO = {
    "small_cnn": "calibration_32", "mobilenet_v2": "calibration", "mobilenet_v3": "calibration",
    "efficientnet_lite0": "calibration", "resnet50": "calibration", "vit_tiny": "calibration", "lstm": "", "gru": "",
    "encoder": "", "detector_unrolled": "", "cond": "",
}  # fmt: skip
#: Of tests/cases/zoo_transformers.py: those whose input is no image of 64 pixels.
NOT_IMAGES = re.compile(
    r"hf_(.*bert|electra|fnet|gpt2|llama|t5|whisper|wav2vec2|ast|swiftformer|levit|dinov2)$"
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """Where one is made, and the samples for its static int8."""

    name: str
    source: str
    calibration: str | None


def architectures() -> list[Architecture]:
    """All of them: PyTorch by hand, transformers, Keras."""
    found = [(CASES / "zoo.py", name, samples) for name, samples in ZOO.items()]
    file = CASES / "zoo_transformers.py"
    names = re.findall(r"^def (hf_\w+)", file.read_text("utf-8"), re.M)
    found += [(file, name, "" if NOT_IMAGES.match(name) else "calibration") for name in names]
    file = CASES / "zoo_keras.py"
    found += [(file, name, "calibration") for name in re.findall(r"^(keras_\w+) = ", file.read_text("utf-8"), re.M)]
    return [
        Architecture(name=name, source=f"{file}:{name}", calibration=f"{file}:{samples}" if samples else None)
        for file, name, samples in found
    ]


def exported(one: Architecture, formats: tuple[str, ...], folder: Path) -> int:
    """How many files there are after exporting `one`; formats whose fp32 file is there already are not made again."""
    wanted = tuple(format for format in formats if not list((folder / format).glob(f"{one.name}.fp32.*")))
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="edgecheck-architectures-") as out:
        for made in _artefacts(one, wanted, Path(out)):
            name = f"{one.name}.{made.precision}{SUFFIXES[made.format]}"
            if made.path is not None:
                shutil.move(made.path, folder / made.format / name)
            else:
                print(f"{name}: {made.verdict.reason[:200]}", file=sys.stderr, flush=True)
    there = len([path for format in formats for path in (folder / format).glob(f"{one.name}.*")])
    print(f"{one.name:<32} {there} files  {time.monotonic() - began:.0f} s", flush=True)
    return there


def _artefacts(one: Architecture, formats: tuple[str, ...], out: Path) -> tuple[Artefact, ...]:
    if not formats:
        return ()
    try:
        job = Job(
            source=sources.find(one.source, None), formats=formats, out=out, name=one.name, calibration=one.calibration,
            precisions=("fp32", "int8-static" if one.calibration else "int8-dynamic"), keep_unproven=True,
        )  # fmt: skip
        return exporting.export(job).artefacts
    except EdgecheckError as error:
        print(f"{one.name}: {error}", file=sys.stderr, flush=True)
        return ()


def main() -> int:
    """Export them all, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", help="these names, a comma list")
    parser.add_argument("--format", default="onnx,tflite", help="a comma list (default: onnx,tflite)")
    arguments = parser.parse_args()
    only = arguments.only.split(",") if arguments.only else []
    chosen = [one for one in architectures() if not only or one.name in only]
    formats = tuple(arguments.format.split(","))
    for format in formats:
        (arguments.folder / format).mkdir(parents=True, exist_ok=True)
    failed = sum(not exported(one, formats, arguments.folder) for one in chosen)
    print(f"{len(chosen)} architectures")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
