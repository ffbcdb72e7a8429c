"""What ExecuTorch's partitioners said of the nodes of programs, as evidence: op_tables/evidence/executorch-1.5.1.jsonl.

    python scripts/record_executorch.py PROGRAMS… --python ENVIRONMENT/bin/python --answers FILE… [--ask TARGET …]

With `--ask` each target's partitioner is asked about each .pt2 of the folders PROGRAMS, and the answers are added to the
first FILE (one JSON line a program and target); those that are there are not asked again. Then all answers are added to
the evidence that is there, whose rows stay. A line carries the node itself, so that tests hold the tables against it
without ExecuTorch. At most two nodes are kept of one operator, limit and verdict; one that contradicts the table is
always kept. A supported node of an operator stands on the inside of each limit of it that refused another. Printed are,
for each target, how often table and partitioner agree, and every node where they do not.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edgecheck.check import check, point
from edgecheck.model import formats
from edgecheck.model.graph import Model, Node
from edgecheck.oracles import ask
from edgecheck.probing import evidence
from edgecheck.probing.programs import described
from edgecheck.probing.replay import judged
from edgecheck.tables import bundle
from executorch_rules import FUSED

OUT = Path(__file__).parents[1] / "op_tables" / "evidence" / "executorch-1.5.1.jsonl"
EACH, EACH_INSIDE = 2, 1
#: Operators before a node that limits of the tables ask about.
MAKERS = (
    "quantized_decomposed.dequantize_per_tensor.default",
    "quantized_decomposed.dequantize_per_tensor.tensor",
    "quantized_decomposed.dequantize_per_channel.default",
    "aten.zeros.default",
    "aten.linear.default",
    *(f"aten.conv{n}d.{kind}" for n in (1, 2, 3) for kind in ("default", "padding")),
)
#: Of these every operator before is kept.
OF_ANY = ("aten.matmul.default", "aten.copy_.default")
#: Why the table says otherwise, on purpose.
EXPLAINED = {
    ("executorch-qnn", "seed50203-000:4"): "its positions are a part without an input, compiled beside many others",
    ("executorch-qnn", "c0:23"): "its mask is a part without an input, compiled beside many others",
    (
        "executorch-qnn",
        "o8-const_sum:0",
    ): "it reads constants only, and what reads it stays outside: a part without an input",
    ("executorch-qnn", "o8-zl_far:1"): "what reads it stays outside: it is a part without an input",
    ("executorch-qnn", "o8-090_rnn_q:6"): "of a quantised program the way back is moved on the CPU",
    ("executorch-qnn", "o8-087_misc_q:0"): "a pass of ExecuTorch reads a constant before it is there",
    (
        "executorch-xnnpack",
        "k1-mmgrad:1",
    ): "the matrix is a parameter that wants gradients, which is folded in any order",
    ("executorch-xnnpack", "k1-mmmul:2"): "its factor still has the strides of a transpose two operators before",
}


def asked(programs: list[Path], answers: Path, python: Path, targets: list[str]) -> None:
    """Ask what is not in `answers` yet."""
    lines = answers.read_text().splitlines() if answers.is_file() else []
    known = {(row["model"], row["target"]) for row in map(json.loads, lines)}
    with answers.open("a") as out:
        for target in targets:
            waiting = [path for path in programs if (path.stem, target) not in known]
            for outcome in ask("executorch", python, waiting, target, seconds_each=600):
                said = [asdict(one) for one in outcome.answers]
                row = {"model": outcome.model.stem, "target": target, "answers": said, "failure": outcome.failure}
                out.write(json.dumps(row) + "\n")
                out.flush()


def readers(model: Model) -> dict[int, list[str]]:
    """The operators that read a tensor, by the tensor's `id`."""
    found: dict[int, list[str]] = {}
    for node in model.nodes:
        for tensor in node.inputs:
            found.setdefault(id(tensor), []).append(node.op)
    return found


def behind(node: Node, model: Model) -> dict[str, list[str]]:
    """Where one activation alone reads the output: the operators that read what it makes."""
    reading = [one for one in model.nodes if node.outputs and any(tensor is node.outputs[0] for tensor in one.inputs)]
    if len(reading) != 1 or reading[0].op not in FUSED or not reading[0].outputs:
        return {}
    made = reading[0].outputs[0]
    return {"b": [one.op for one in model.nodes for tensor in one.inputs if tensor is made]}


def returned(node: Node, model: Model) -> dict[str, list[int]]:
    """The places of the outputs that the program returns, where it does not return all of several, nor the new value of
    a buffer."""
    kept = {id(tensor) for tensor in model.graphs[0].outputs}
    places = [place for place, tensor in enumerate(node.outputs) if id(tensor) in kept]
    asked = len(node.outputs) > 1 or any(tensor is not None and tensor.variable for tensor in node.inputs[:1])
    return {"x": places} if asked and len(node.outputs) != len(places) else {}


def measured(paths: dict[str, Path], answers: Iterable[Path], agree: Counter[Any]) -> Iterator[evidence.Row]:
    """A row for each conclusive answer; differences are printed."""
    base = {"oracle": "executorch", "version": "1.5.1", "date": datetime.date.today().isoformat()}
    seen = set()
    for row in (json.loads(line) for file in answers for line in file.read_text().splitlines()):
        target, name = row["target"], Path(row["model"]).stem
        if (target, name) in seen or not row["answers"] or name not in paths:
            continue
        seen.add((target, name))
        model = formats.read(paths[name])
        read = readers(model)
        made = {id(tensor): node for node in model.nodes for tensor in node.outputs}
        makers = {key: node for key, node in made.items() if node.op in MAKERS}
        settings = row.get("settings") or None
        verdicts = check(model, point(bundle.load(target), None, settings))
        ours = {one.node.index: one for one in verdicts if one.node.graph == 0}
        for answer in row["answers"]:
            table, verdict = ours[answer["index"]], answer["verdict"]
            if verdict not in evidence.CONCLUSIVE:
                continue
            same = table.verdict == verdict
            agree[target, same] += 1
            if not same:
                print(
                    f"{target} {name} {answer['op']}: table {table.verdict} ({table.reason}), {verdict}: {answer['reason'][:160]}"
                )
            limit = table.limit if same and verdict != "supported" and table.limit else ""
            line = {"target": target, "op": answer["op"], "limit": limit, "side": "outside" if limit else "base"}
            line |= {"probe": f"{name}:{answer['index']}", "verdict": verdict, "reason": answer["reason"][:100], **base}
            line |= {"settings": settings} if settings else {}
            why = EXPLAINED.get((target, line["probe"]))
            line |= {"differs": why} if why else {}
            if answer["op"].startswith("quantized_decomposed."):
                continue  # whether it is taken hangs on the operators around it, which a line does not hold
            yield line | {
                "model": described(table.node, read, made if answer["op"] in OF_ANY else makers)
                | returned(table.node, model)
                | behind(table.node, model)
            }


def with_insides(rows: list[evidence.Row]) -> Iterator[evidence.Row]:
    """The rows; a supported node stands for each limit of its operator that refused another, and else for itself."""
    outside = {(row["target"], row["op"], row["limit"]) for row in rows if row["limit"] and row["side"] == "outside"}
    kept: Counter[Any] = Counter()
    for row in rows:
        plain = row["verdict"] == "supported" and not row["limit"] and not row.get("differs")
        refused = [key for key in sorted(outside) if key[:2] == (row["target"], row["op"])] if plain else []
        insides = [key for key in refused if kept[key] < EACH_INSIDE]
        kept.update(insides)
        yield from ({**row, "limit": limit, "side": "inside"} for _, _, limit in insides)
        if not insides:
            yield row


def named(row: evidence.Row) -> evidence.Row:
    """The row with the limit that the table names for it today."""
    if row["verdict"] == "supported":
        return {**row, "limit": "", "side": "base"}
    ours = judged(row, bundle.load(row["target"]))
    limit = ours.limit if ours.verdict == row["verdict"] and ours.limit else ""
    return {**row, "limit": limit, "side": "outside" if limit else "base"}


def thinned(rows: Iterable[evidence.Row]) -> list[evidence.Row]:
    """At most EACH of one operator, limit and verdict, one where no limit is named for a refusal; those that differ from the table all stay."""
    kept: Counter[Any] = Counter()
    found = []
    for row in rows:
        key = (row["target"], row["op"], row["limit"], row["verdict"])
        kept[key] += 1
        most = EACH if row["limit"] or row["verdict"] == "supported" else 1
        differs = row.get("differs") or judged(row, bundle.load(row["target"])).verdict != row["verdict"]
        if kept[key] <= most or differs:
            found.append({**row, "reason": str(row["reason"])[:20]})
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("programs", type=Path, nargs="*")
    parser.add_argument("--python", type=Path)
    parser.add_argument("--answers", type=Path, action="append", required=True)
    parser.add_argument("--ask", action="append", default=[])
    parser.add_argument("--out", type=Path, default=OUT, help="the file of evidence; one of its own for executorch-qnn")
    args = parser.parse_args()
    paths = {path.stem: path for folder in args.programs for path in sorted(folder.glob("*.pt2"))}
    if args.ask:
        asked(list(paths.values()), args.answers[0], args.python, args.ask)
    agree: Counter[Any] = Counter()
    new = list(measured(paths, args.answers, agree))
    old = list(evidence.read(args.out)) if args.out.is_file() else []
    plain = {evidence.question({**row, "limit": ""}): row for row in (*old, *new)}
    rows = list(with_insides(thinned(named(row) for row in plain.values())))
    rows.sort(key=lambda row: (row["target"], row["op"], row["limit"], str(row["probe"]), row["verdict"]))
    evidence.write(args.out, rows)
    for target in sorted({name for name, _ in agree}):
        right, wrong = agree[target, True], agree[target, False]
        print(f"{target}: {right} of {right + wrong} nodes agree ({right / (right + wrong):.2%})", file=sys.stderr)
    print(f"{len(rows)} lines, {args.out.stat().st_size:,} bytes", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
