"""The picture of a partition grows with its operators, not with their square."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from edgecheck.check import point
from edgecheck.model.graph import Node
from edgecheck.reports import picture
from edgecheck.results import CheckedTarget, NodeVerdict, Partition
from edgecheck.tables import bundle


def checked(count):
    """Operators that run and fall back in turn, each run an island of its own."""
    nodes = [
        Node(graph=0, index=i, name="", op="ADD", version=1, inputs=(), outputs=(), attrs={}) for i in range(count)
    ]
    verdicts = tuple(NodeVerdict(node=node, verdict="fallback" if node.index % 2 else "supported") for node in nodes)
    islands = {(0, i): i // 2 for i in range(0, count, 2)}
    cut = Partition(islands=len(islands), crossing_bytes=0, macs_supported=0.5, island_of=islands)
    return CheckedTarget(
        point=point(bundle.load("litert-xnnpack")), devices=(), verdicts=verdicts, partition=cut, findings=()
    )


def work(target):
    """Lines of picture.py that `strip` runs, plus the elements of every list that it makes anew on the way."""
    total = 0
    held: dict[str, int] = {}

    def trace(frame, event, _):
        nonlocal total
        if Path(frame.f_code.co_filename) != Path(picture.__file__):
            return None
        total += 1
        for name, value in frame.f_locals.items():
            if isinstance(value, list) and held.get(name) != id(value):
                held[name] = id(value)
                total += len(value)
        return trace

    sys.settrace(trace)
    try:
        picture.strip(target)
    finally:
        sys.settrace(None)
    return total


def test_the_work_grows_with_the_operators():
    assert work(checked(20_000)) < 4.5 * work(checked(5_000))


def test_twenty_thousand_operators_are_twenty_thousand_cells():
    text = picture.strip(checked(20_000))
    assert text.count("<rect ") == 20_000
    ends = [float(x) + float(w) for x, w in re.findall(r"x=([\d.]+) y=0 width=([\d.]+)", text)]
    assert abs(ends[-1] - 1000) < 1


def test_neighbours_of_one_kind_are_one_cell():
    target = checked(4)
    both = NodeVerdict(node=target.verdicts[1].node, verdict="rejected")
    target = CheckedTarget(
        point=target.point, devices=(), partition=target.partition, findings=(),
        verdicts=(both, both, target.verdicts[3]),
    )  # fmt: skip
    assert re.findall(r'class="(\w+)" x=([\d.]+) y=0 width=([\d.]+)', picture.strip(target)) == [
        ("rejected", "0.000", "666.667"), ("fallback", "666.667", "333.333"),
    ]  # fmt: skip
