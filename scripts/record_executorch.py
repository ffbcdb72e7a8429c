"""What ExecuTorch's partitioners said of the nodes of programs, as evidence: op_tables/evidence/executorch-1.5.1.jsonl.

    python scripts/record_executorch.py PROGRAMS --python ENVIRONMENT/bin/python --answers FILE [--ask TARGET …]

With `--ask` each target's partitioner is asked about each .pt2 of the folder PROGRAMS, and the answers are added to FILE
(one JSON line a program and target); those that are there are not asked again. Then the evidence of all answers is
written. A line carries the node itself, so that tests hold the tables against it without ExecuTorch. At most three
nodes are kept of one operator, limit and verdict; one that contradicts the table is always kept. Printed are, for each
target, how often table and partitioner agree, and every node where they do not.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from edgecheck.check import check, point
from edgecheck.model import formats
from edgecheck.oracles import ask
from edgecheck.probing.programs import described
from edgecheck.tables import bundle

OUT = Path(__file__).parents[1] / "op_tables" / "evidence" / "executorch-1.5.1.jsonl"
EACH = 3


def asked(programs: list[Path], answers: Path, python: Path, targets: list[str]) -> None:
    known = (
        {(row["model"], row["target"]) for row in map(json.loads, answers.read_text().splitlines())}
        if answers.is_file()
        else set()
    )
    with answers.open("a") as out:
        for target in targets:
            waiting = [path for path in programs if (path.stem, target) not in known]
            for outcome in ask("executorch", python, waiting, target, seconds_each=600):
                row = {
                    "model": outcome.model.stem,
                    "target": target,
                    "answers": [asdict(one) for one in outcome.answers],
                }
                out.write(json.dumps({**row, "failure": outcome.failure}) + "\n")
                out.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("programs", type=Path, nargs="+")
    parser.add_argument("--python", type=Path)
    parser.add_argument("--answers", type=Path, required=True)
    parser.add_argument("--ask", action="append", default=[])
    args = parser.parse_args()
    paths = {path.stem: path for folder in args.programs for path in sorted(folder.glob("*.pt2"))}
    if args.ask:
        asked(list(paths.values()), args.answers, args.python, args.ask)
    base = {"oracle": "executorch", "version": "1.5.1", "date": datetime.date.today().isoformat()}
    evidence, seen = [], set()
    agree: Counter[tuple[str, bool]] = Counter()
    kept: Counter[tuple[str, ...]] = Counter()
    for row in map(json.loads, args.answers.read_text().splitlines()):
        target, name = row["target"], Path(row["model"]).stem
        if (target, name) in seen or not row["answers"] or name not in paths:
            continue
        seen.add((target, name))
        model = formats.read(paths[name])
        readers: dict[int, list[str]] = {}
        for node in model.nodes:
            for tensor in node.inputs:
                readers.setdefault(id(tensor), []).append(node.op)
        judged = {one.node.index: one for one in check(model, point(bundle.load(target))) if one.node.graph == 0}
        for answer in row["answers"]:
            ours, verdict = judged[answer["index"]], answer["verdict"]
            if verdict in ("inconclusive", "invalid"):
                continue
            same = ours.verdict == verdict
            agree[target, same] += 1
            if not same:
                print(
                    f"{target} {name} {answer['op']}: table {ours.verdict} ({ours.reason}), partitioner {verdict} ({answer['reason'][:160]})"
                )
            key = (target, answer["op"], ours.limit or "", verdict)
            kept[key] += 1
            if same and kept[key] > EACH:
                continue
            side = "inside" if verdict == "supported" else "outside"
            line = {
                "target": target,
                "op": answer["op"],
                "limit": ours.limit or "",
                "side": side,
                "probe": f"{name}:{answer['index']}",
            }
            line |= {
                "verdict": verdict,
                "reason": answer["reason"][:100],
                **base,
                "model": described(ours.node, readers),
            }
            evidence.append(line)
    evidence.sort(key=lambda line: (line["target"], line["op"], line["limit"], line["probe"]))
    OUT.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in evidence))
    for target in sorted({name for name, _ in agree}):
        right, wrong = agree[target, True], agree[target, False]
        print(f"{target}: {right} of {right + wrong} nodes agree ({right / (right + wrong):.2%})", file=sys.stderr)
    print(f"{len(evidence)} lines, {OUT.stat().st_size:,} bytes", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
