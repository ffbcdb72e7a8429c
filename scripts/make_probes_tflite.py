"""Random one-operator TFLite models for the oracles: descriptions (and files) that are valid, and mutants of them.

    python scripts/make_probes_tflite.py --seed 1 --count 2000 --out probes.jsonl
        [--files FOLDER] [--ops CONV_2D,ADD] [--plain]

The same seed gives the same probes. Files need TFLite's generated schema (ai-edge-litert or tflite-micro) and
flatbuffers.
A description is what `edgecheck.oracles.tflite_probe` reads. `--plain` makes no mutants.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tflite_probes import convolutions, elementwise, reductions, sequences, shapes
from tflite_probes.dice import BASES, Dice, Json
from tflite_probes.mutations import mutate

#: Imported for the makers that they register.
MAKERS = (convolutions, elementwise, shapes, reductions, sequences)


def probes(seed: int, count: int, ops: list[str] | None = None, plain: bool = False) -> list[Json]:
    """`count` descriptions, operators in turn; every second one is a mutant unless `plain`."""
    names = [op for op in ops if op in BASES] if ops else sorted(BASES)
    if not names:
        return []
    made = []
    for number in range(count):
        d = Dice(f"{seed}/{number}")
        spec = BASES[names[number % len(names)]](d)
        made.append(mutate(d, spec) if not plain and d.random() < 0.5 else spec)
    return made


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--ops", type=lambda text: text.split(","))
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--files", type=Path)
    options = parser.parse_args()
    made = probes(options.seed, options.count, options.ops, options.plain)
    options.out.write_text("".join(json.dumps(spec, separators=(",", ":")) + "\n" for spec in made))
    if options.files:
        sys.path.insert(0, str(Path(__file__).parent.parent / "src"))
        from edgecheck.oracles.tflite_probe import write

        options.files.mkdir(parents=True, exist_ok=True)
        for number, spec in enumerate(made):
            (options.files / f"{number:05}.tflite").write_bytes(write(spec))
    return 0


if __name__ == "__main__":
    sys.exit(main())
