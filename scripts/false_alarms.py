"""How often correct runs are called different: every pipeline of golden/ across runtimes, formats and precisions.

    python scripts/false_alarms.py [--seed N] [--cases N] [--only PIPELINE] [--json FILE]

Each pair of runtimes records the same inputs, drawn at random from `--seed`, and each recording is replayed with the
other. Nothing is wrong with any of them, so a finding EC402 or EC406 is a false alarm. A comparison is one case of one
pair. Models of another precision are made by `edgecheck export` into the cache, once.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgecheck import child
from edgecheck.environments import cache
from edgecheck.errors import EdgecheckError
from edgecheck.golden.compared import Comparison, unpack
from edgecheck.packages import default_folder

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Way:
    """One correct way to run a pipeline's model."""

    name: str
    on: str = "local"
    runtime: str = ""
    model: str = ""  # another file


def tflite(file: str = "", label: str = "tflite") -> list[Way]:
    return [
        Way(f"{label} xnnpack", runtime="litert", model=file),
        Way(f"{label} builtin", runtime="litert-builtin", model=file),
        Way(f"{label} tflite-runtime", runtime="tflite-runtime", model=file),
    ]


PITCH = default_folder() / "basic_pitch" / "basic_pitch" / "saved_models" / "icassp_2022" / "nmp.tflite"
ONET = ROOT / "golden" / "onet" / "onet.tflite"
#: O-Net in other precisions, made once by `edgecheck export`.
OTHERS = cache() / "false-alarms"


def others() -> None:
    """Make them, unless they are there."""
    if (OTHERS / "onet.int8-static.tflite").is_file():
        return
    subprocess.run(
        [sys.executable, "-m", "edgecheck", "export", "edgecheck.demo_models:onet", "--to", "onnx,tflite", "--precision", "fp16,int8-static",
         "--calibration", "edgecheck.demo_models:crops", "--dynamic", "x:0:1..16", "--out", str(OTHERS)], check=True,
    )  # fmt: skip


#: pipeline → groups of ways that must agree with one another.
GROUPS: dict[str, list[list[Way]]] = {
    "face": [tflite()],
    "onet": [
        [Way("onnx"), *tflite(str(ONET))],
        [
            Way("fp16 onnx", model=str(OTHERS / "onet.fp16.onnx")),
            *tflite(str(OTHERS / "onet.fp16.tflite"), "fp16 tflite"),
        ],
        tflite(str(OTHERS / "onet.int8-static.tflite"), "int8 tflite"),
    ],
    "pitch": [[Way("onnx"), *tflite(str(PITCH))]],
    "wake": [[*tflite(), Way("tflm", on="tflm")]],
    "speech": [[Way("onnx"), Way("onnx again")]],
    "text": [[Way("onnx"), Way("onnx again")]],
}

#: Inputs drawn at random, as code that is put behind the pipeline's own: `more(seed, count)`.
MORE = {
    "face": """
def more(seed, count):
    rng = numpy.random.default_rng(seed)
    folder = default_folder() / "scikit_image" / "skimage" / "data"
    photos = [numpy.asarray(Image.open(folder / f).convert("RGB")) for f in ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg")]
    found = {}
    for i in range(count):
        photo = photos[rng.integers(len(photos))]
        side = int(rng.integers(120, min(photo.shape[:2])))
        top, left = (int(rng.integers(0, photo.shape[k] - side + 1)) for k in (0, 1))
        part = Image.fromarray(photo[top : top + side, left : left + int(side * rng.uniform(0.6, 1))])
        size = (int(rng.integers(60, 220)), int(rng.integers(60, 220)))
        found[f"case-{i}"] = {"photo": numpy.asarray(part.resize(size, Image.Resampling.LANCZOS))}
    return found
""",
    "onet": """
def more(seed, count):
    rng = numpy.random.default_rng(seed)
    folder = default_folder() / "scikit_image" / "skimage" / "data"
    photos = [Image.open(folder / f).convert("RGB") for f in ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg")]
    found = {}
    for i in range(count):
        photo = photos[rng.integers(len(photos))]
        left, top = rng.integers(0, 150, 2)
        box = (int(left), int(top), int(left + rng.integers(100, 250)), int(top + rng.integers(80, 140)))
        frame = nv21(numpy.asarray(photo.crop(box).resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)))
        corners = rng.integers(0, 70, (int(rng.integers(1, 6)), 2))
        sizes = rng.integers(24, 50, (len(corners), 2))
        found[f"case-{i}"] = {"frame": frame, "candidates": numpy.concatenate([corners, corners + sizes], 1).astype("float32")}
    return found
""",
    "pitch": """
def more(seed, count):
    rng = numpy.random.default_rng(seed)
    return {
        f"case-{i}": {"sound": tones(sorted(int(p) for p in rng.integers(40, 84, rng.integers(1, 6))), seed=int(rng.integers(1 << 30)))}
        for i in range(count)
    }
""",
    "wake": """
def more(seed, count):
    rng = numpy.random.default_rng(seed)
    found = {}
    whole = {}
    for name, one in cases().items():
        whole.setdefault(name.partition("@")[0], []).append(one["sound"])
    for i in range(count):
        sound = numpy.concatenate(whole[["okay-nabu", "turn-it-on"][i % 2]]).astype(float)
        sound = numpy.roll(sound, int(rng.integers(0, 480))) * rng.uniform(0.4, 1.2) + rng.normal(0, rng.uniform(5, 120), sound.size)
        sound = numpy.clip(sound, -32768, 32767).astype(numpy.int16)
        for step in range(len(sound) // WINDOW):
            found[f"case-{i}@{step}"] = {"sound": sound[step * WINDOW : (step + 1) * WINDOW]}
    return found
""",
    "speech": """
def more(seed, count):
    rng = numpy.random.default_rng(seed)
    return {
        f"case-{i}": {"samples": voice(rng.uniform(1, 3), pitch=rng.uniform(80, 260), noise=rng.uniform(0.0005, 0.03), seed=int(rng.integers(1 << 30)))}
        for i in range(count)
    }
""",
    "text": """
def more(seed, count):
    rng = numpy.random.default_rng(seed)
    words = [word for one in cases().values() for word in str(one["text"][0]).split()]
    return {
        f"case-{i}": {"text": numpy.asarray([" ".join(rng.choice(words, rng.integers(1, 9)))], dtype=object)}
        for i in range(count)
    }
""",
}


def varied(name: str, seed: int, count: int, folder: Path) -> str:
    """A pipeline file: golden/NAME/pipeline.py with other cases."""
    text = (ROOT / "golden" / name / "pipeline.py").read_text("utf-8")
    text = text.replace("Path(__file__)", f"Path({str(ROOT / 'golden' / name / 'pipeline.py')!r})")
    text = text.replace('Model("', f'Model("{ROOT / "golden" / name}/')
    tail = f"\nimport dataclasses\n\nPIPELINE = dataclasses.replace(PIPELINE, cases=lambda: more({seed}, {count}))\n"
    file = folder / f"{name}.py"
    file.write_text(text + MORE[name] + tail, "utf-8")
    return str(file)


def compared(name: str, source: str, ways: list[Way], folder: Path) -> Iterator[tuple[str, str, Comparison]]:
    """Every ordered pair of ways: recorded with the one, replayed with the other."""
    runs = {}
    for number, way in enumerate(ways):
        runs[way.name] = folder / f"{name}-{way.name}-{number}".replace(" ", "-")
        child.call(
            sys.executable, "edgecheck.golden.sides:record", timeout=1200, source=source, out=str(runs[way.name]),
            on=way.on, runtime=way.runtime, models={"model": way.model} if way.model else {},
        )  # fmt: skip
    for device, ours in itertools.permutations(ways, 2):
        packed = child.call(
            sys.executable, "edgecheck.golden.sides:compare", timeout=1200, run=str(runs[device.name]), source=source,
            on=ours.on, runtime=ours.runtime, models={"model": ours.model} if ours.model else {}, search=False,
        )  # fmt: skip
        yield device.name, ours.name, unpack(packed)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cases", type=int, default=12, help="of each pipeline")
    parser.add_argument("--only", default="")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    total, alarms, rows = 0, 0, []
    others()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name, groups in GROUPS.items():
            if arguments.only and name != arguments.only:
                continue
            count = 4 if name == "wake" else arguments.cases
            source = varied(name, arguments.seed, count, folder)
            for ways in groups:
                for device, ours, found in compared(name, source, ways, folder):
                    cases = max(stage.cases for stage in found.stages)
                    wrong = max(stage.differing for stage in found.stages)
                    total, alarms = total + cases, alarms + wrong
                    worst = {t.name: t.units for s in found.stages for t in s.tensors if t.units}
                    rows.append(
                        {
                            "pipeline": name,
                            "device": device,
                            "ours": ours,
                            "cases": cases,
                            "alarms": wrong,
                            "worst": worst,
                        }
                    )
                    print(
                        f"{name:7} {device:22} against {ours:22} {cases:4} cases, {wrong} alarms  {worst}", flush=True
                    )
    print(f"{total} comparisons of correct runs, {alarms} false alarms (seed {arguments.seed})")
    if arguments.json:
        arguments.json.write_text(
            json.dumps({"seed": arguments.seed, "comparisons": total, "alarms": alarms, "rows": rows}, indent=1) + "\n",
            "utf-8",
        )
    return 1 if alarms else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except EdgecheckError as error:
        sys.exit(f"error: {error}" + (f"\n  help: {error.help}" if error.help else ""))
