"""What the runtimes of TensorFlow Lite and LiteRT have kernels for, release by release → `op_tables/evidence/litert*cpu-*`.

    python scripts/sweep_litert_cpu.py make registers FOLDER       # in requirements/tf.txt: one model for each op and version
    python scripts/sweep_litert_cpu.py make types FOLDER           # each op with each type
    python scripts/sweep_litert_cpu.py make probes FOLDER --seed 1 --count 3000
    python scripts/sweep_litert_cpu.py run FOLDER RELEASE [--runtime tensorflow]         # in that release's environment
    python scripts/sweep_litert_cpu.py collect registers|types|probes FOLDER [--out FILE]  # anywhere

RELEASE names the answers (`2.14`, `litert-2.3.0`). Locked in requirements/ are tensorflow212, tflite-runtime (2.14),
tf-gpu-analyzer (2.17), litert10, litert14, litert21 and tf (LiteRT 2.3, and 2.21 as `--runtime tensorflow`). Any wheel that this Python loads will do: tensorflow-cpu, tflite-runtime,
ai-edge-litert; TensorFlow is not imported, only its interpreter's library. Wheels of TensorFlow 2.8 to 2.11 are built for
Python 3.10; that library alone was also loaded by 3.11, with `Py_GetVersion` answered from outside.
`run` asks as `edgecheck.oracles.litert_cpu` does, many models in a child that is forked anew after the one that killed it.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import sys
import types
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
KINDS = ("float32", "int8", "int16", "uint8", "int32", "int64", "bool", "float16", "uint32", "uint16", "int4",
         "float64", "uint64", "bfloat16", "complex64")  # fmt: skip
#: What the output of these must be quantised with.
FIXED = {"LOGISTIC": {"int8": [1 / 256, -128], "uint8": [1 / 256, 0], "int16": [1 / 32768, 0]},
         "TANH": {"int8": [1 / 128, 0], "uint8": [1 / 128, 128], "int16": [1 / 32768, 0]},
         "LOG_SOFTMAX": {"int8": [16 / 256, 127], "uint8": [16 / 256, 255]},
         "SOFTMAX": {"int8": [1 / 256, -128], "uint8": [1 / 256, 0], "int16": [1 / 32768, 0]},
         "L2_NORMALIZATION": {"int8": [1 / 128, 0], "uint8": [1 / 128, 128]}}  # fmt: skip
#: Their types hang together in ways that the table says by hand.
BY_HAND = {"UNIDIRECTIONAL_SEQUENCE_LSTM", "SVDF", "QUANTIZE", "DEQUANTIZE", "CAST", "SCATTER_ND", "ONE_HOT", "RANGE",
           "BROADCAST_ARGS", "LOGICAL_AND", "LOGICAL_OR", "LOGICAL_NOT", "NON_MAX_SUPPRESSION_V4", "CUSTOM:Mystery",
           "EMBEDDING_LOOKUP", "UNIQUE", "REVERSE_SEQUENCE"}  # fmt: skip
MAIN = {"TRANSPOSE_CONV": 2, "SPLIT": 1, "SELECT": 1, "SELECT_V2": 1, "FILL": 1}
SHARED = {"int8": [0.5, 0], "uint8": [0.5, 128], "int16": [0.5, 0], "int4": [0.5, 0]}
EACH = 3  # probes of one operator, limit and verdict that become evidence


def registers() -> Iterator[tuple[dict[str, Any], bytes]]:
    """Every builtin operator in versions 1 to 14, without tensors: the resolver answers before anything is looked at."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as s

    for op, code in sorted(vars(s.BuiltinOperator).items(), key=str):
        for version in range(1, 15) if isinstance(code, int) and op != "CUSTOM" else ():
            model, graph, operator, entry = s.ModelT(), s.SubGraphT(), s.OperatorT(), s.OperatorCodeT()
            entry.deprecatedBuiltinCode, entry.builtinCode, entry.version = min(code, 127), code, version
            operator.opcodeIndex, operator.inputs, operator.outputs = 0, [], []
            graph.tensors, graph.inputs, graph.outputs, graph.operators, graph.name = [], [], [], [operator], "main"
            model.version, model.description, model.buffers = 3, "register", [s.BufferT()]
            model.operatorCodes, model.subgraphs = [entry], [graph]
            builder = flatbuffers.Builder(256)
            builder.Finish(model.Pack(builder), b"TFL3")
            yield {"op": op, "v": version}, bytes(builder.Output())


def of_types() -> Iterator[tuple[dict[str, Any], bytes]]:
    """Each operator of the probes with each type, in fourteen variations."""
    sys.path.insert(0, str(ROOT / "scripts"))
    import make_probes_tflite as probes
    from edgecheck.oracles.tflite_probe import write

    for op in sorted(set(probes.BASES) - BY_HAND):
        for kind in KINDS:
            for number in range(14):
                dice = probes.Dice(f"sx{op}{kind}{number}")
                dice.dtype = lambda kind=kind: kind  # type: ignore[method-assign,misc]
                if number % 2:  # one scale for all tensors of a type
                    dice.quantization = SHARED.get  # type: ignore[method-assign,assignment]
                spec = probes.BASES[op](dice)
                if number >= 10:
                    _retype(spec, kind, dice)
                if kind in FIXED.get(op, {}):
                    spec["o"][0]["q"] = FIXED[op][kind]
                spec |= {"v": 2} if op == "BROADCAST_TO" else {}
                yield spec, write(spec)


def _retype(spec: dict[str, Any], kind: str, dice: Any) -> None:
    """Every tensor of the first input's type that is not constant becomes one of `kind`."""
    old = next((one["t"] for one in spec["i"] if one), None)
    for one in (*spec["i"], *spec["o"]):
        if one and one["t"] == old and "c" not in one:
            one["t"] = kind
            one.pop("q", None)
            if quantization := dice.quantization(kind):
                one["q"] = quantization


def of_probes(seed: int, count: int) -> Iterator[tuple[dict[str, Any], bytes]]:
    sys.path.insert(0, str(ROOT / "scripts"))
    import make_probes_tflite as probes
    from edgecheck.oracles.tflite_probe import write

    for spec in probes.probes(seed, count):
        yield spec, write(spec)


def make(what: str, folder: Path, seed: int, count: int) -> None:
    """The models, and their descriptions in `specs.jsonl`."""
    sys.path.insert(0, str(ROOT / "src"))
    folder.mkdir(parents=True, exist_ok=True)
    makers = {"registers": registers, "types": of_types, "probes": lambda: of_probes(seed, count)}
    with (folder / "specs.jsonl").open("w") as specs:
        for number, (spec, content) in enumerate(makers[what]()):
            specs.write(json.dumps(spec) + "\n")
            (folder / f"{number:05}.tflite").write_bytes(content)


def run(folder: Path, release: str, runtime: str) -> None:
    """[verdict, reason] of each model, in order, into `<release>.json`."""
    package = types.ModuleType("edgecheck")
    package.__path__ = [str(ROOT / "src/edgecheck")]
    sys.modules["edgecheck"] = package
    import numpy  # noqa: F401

    from edgecheck.oracles import Ran, litert_cpu

    litert_cpu.library(runtime)
    specs = [json.loads(line) for line in (folder / "specs.jsonl").read_text().splitlines()]
    answers: list[list[str]] = []
    while len(answers) < len(specs):
        for outcome in _batch(folder, specs, len(answers), runtime):
            ran = Ran(value=outcome, text="", failure=None if isinstance(outcome, list) else outcome)
            answers.append(list(litert_cpu.judged(ran)))
    (folder / f"{release}.json").write_text(json.dumps(answers))
    print(release, Counter(verdict for verdict, _ in answers))


def _batch(folder: Path, specs: list[Any], first: int, runtime: str) -> list[Any]:
    """What a forked child found until it ended: [stage, text] of each model, and a sentence for the one that killed it."""
    read, write = os.pipe()
    last = min(first + 400, len(specs))
    pid = os.fork()
    if pid == 0:
        os.close(read)
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1), os.dup2(null, 2)
        _answer(folder, specs, range(first, last), runtime, write)
        os._exit(0)
    os.close(write)
    data, late = b"", False
    with os.fdopen(read, "rb", buffering=0) as pipe:
        while select.select([pipe], [], [], 15)[0]:
            chunk = pipe.read(1 << 16)
            if not chunk:
                break
            data += chunk
        else:
            late = True
            os.kill(pid, 9)
    _, status = os.waitpid(pid, 0)
    found = [json.loads(line) for line in data.decode().splitlines()]
    if len(found) < last - first:
        found.append("no answer in 15 s" if late else f"killed by signal {status & 127}")
    return found


def _answer(folder: Path, specs: list[Any], numbers: range, runtime: str, write: int) -> None:
    from edgecheck.oracles import litert_cpu

    for number in numbers:
        content = (folder / f"{number:05}.tflite").read_bytes()
        try:
            outcome: Any = litert_cpu._run(content, specs[number]["op"], runtime)
        except BaseException as error:  # a child's boundary: whatever a runtime raises is the answer
            outcome = f"{type(error).__name__}: {error}"[:200]
        os.write(write, (json.dumps(outcome) + "\n").encode())


def releases(folder: Path) -> dict[str, list[list[str]]]:
    """The answers by release, TensorFlow's first, each oldest first."""

    def order(name: str) -> tuple[bool, list[int]]:
        return name.startswith("litert-"), [int(n) for n in name.removeprefix("litert-").split(".")]

    return {
        name: json.loads((folder / f"{name}.json").read_text())
        for name in sorted((p.stem for p in folder.glob("*.json")), key=order)
    }


def collected(what: str, folder: Path) -> Any:
    """The evidence: kernels by release, or for each operator and type a mark for each release."""
    specs = [json.loads(line) for line in (folder / "specs.jsonl").read_text().splitlines()]
    if what == "registers":
        return {release: _has(specs, answers) for release, answers in releases(folder).items()}
    sys.path.insert(0, str(ROOT / "scripts"))
    from import_litert_cpu import POINTS

    seen: dict[str, dict[str, dict[str, set[str]]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(set)))
    for release, answers in releases(folder).items():
        for spec, (verdict, _) in zip(specs, answers, strict=True):
            main = spec["i"][MAIN.get(spec["op"], 0)]
            seen[spec["op"]][main["t"]][POINTS.get(release, release)].add(verdict)
    points = [POINTS.get(release, release) for release in releases(folder)]
    marks = {
        op: {kind: "".join(_mark(by[p]) for p in points) for kind, by in kinds.items()} for op, kinds in seen.items()
    }
    return {"points": points, "types": marks}


def _has(specs: list[Any], answers: list[list[str]]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for spec, (_, reason) in zip(specs, answers, strict=True):
        if "Didn't find op" not in reason and "out of range" not in reason:
            found[spec["op"]].append(spec["v"])
    return dict(sorted(found.items()))


def _mark(verdicts: set[str]) -> str:
    return "+" if "supported" in verdicts else "?" if not verdicts or verdicts & {"inconclusive", "invalid"} else "-"


def evidence(folder: Path) -> Iterator[dict[str, Any]]:
    """A part of the probes of each release: those the newest answers alike only once."""
    specs = [json.loads(line) for line in (folder / "specs.jsonl").read_text().splitlines()]
    runs = releases(folder)
    newest = list(runs)[-1]
    for release, answers in reversed(runs.items()):
        kept: Counter[tuple[str, ...]] = Counter()
        for number, (spec, (verdict, reason)) in enumerate(zip(specs, answers, strict=True)):
            same = release != newest and runs[newest][number][0] == verdict
            kept[spec["op"], verdict, reason[:24], str(same)] += 1
            few = kept[spec["op"], verdict, reason[:24], str(same)] > (EACH if release == newest else 1)
            if few or same or verdict in ("invalid", "inconclusive") or len(json.dumps(spec)) > 1200:
                continue
            yield {"target": "litert-cpu", "op": spec["op"].removeprefix("CUSTOM:"), "side": "base",
                   "probe": f"{number:05}", "verdict": verdict, "reason": reason[:90], "oracle": "litert_cpu",
                   "version": release, "date": "2026-11-21", "spec": spec}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("verb", choices=("make", "run", "collect"))
    parser.add_argument("what", help="registers, types or probes; of `run`: the folder")
    parser.add_argument("where", help="the folder; of `run`: the release")
    parser.add_argument("--runtime", default="")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    if given.verb == "make":
        make(given.what, Path(given.where), given.seed, given.count)
    elif given.verb == "run":
        run(Path(given.what), given.where, given.runtime)
    elif given.what == "probes":
        lines = [json.dumps(row, separators=(",", ":"), ensure_ascii=False) for row in evidence(Path(given.where))]
        given.out.write_text("".join(line + "\n" for line in lines))
    else:
        given.out.write_text(json.dumps(collected(given.what, Path(given.where)), separators=(",", ":")) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
