"""Lists of detections: another order, a higher threshold, padding, boxes in another format or another unit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from edgecheck.golden.causes import Arrays, Hypothesis, Trial
from edgecheck.golden.causes.layout import changed

if TYPE_CHECKING:
    import numpy

FORMATS = ("xyxy", "yxyx", "xywh", "cxcywh")


def hypotheses(trial: Trial) -> Iterator[Hypothesis]:
    """Where boxes or scores are among the outputs."""
    boxes = [name for name in trial.ours if trial.meaning(name).kind == "boxes" and trial.ours[name].ndim >= 2]
    lists = [name for name in trial.ours if trial.meaning(name).kind in ("boxes", "scores", "labels")]
    if not lists:
        return
    for name in boxes:
        yield from _formats(name, trial.meaning(name).format or "xyxy")
    yield from _orders(trial, lists)
    yield from _thresholds(trial, lists)
    yield _padded(lists)
    yield _first_only(lists)


def corners(boxes: numpy.ndarray, form: str) -> numpy.ndarray:
    """xmin, ymin, xmax, ymax; what stands behind the first four columns stays."""
    import numpy as np

    a, b, c, d = (boxes[..., i] for i in range(4))
    made = {
        "xyxy": (a, b, c, d),
        "yxyx": (b, a, d, c),
        "xywh": (a, b, a + c, b + d),
        "cxcywh": (a - c / 2, b - d / 2, a + c / 2, b + d / 2),
    }[form]
    return np.concatenate([np.stack(made, -1), boxes[..., 4:]], -1)


def formed(boxes: numpy.ndarray, form: str) -> numpy.ndarray:
    """The reverse of `corners`."""
    import numpy as np

    a, b, c, d = (boxes[..., i] for i in range(4))
    made = {
        "xyxy": (a, b, c, d),
        "yxyx": (b, a, d, c),
        "xywh": (a, b, c - a, d - b),
        "cxcywh": ((a + c) / 2, (b + d) / 2, c - a, d - b),
    }[form]
    return np.concatenate([np.stack(made, -1), boxes[..., 4:]], -1)


def _formats(name: str, ours: str) -> Iterator[Hypothesis]:
    for other in FORMATS:
        if other != ours:
            yield Hypothesis(
                id="box-format",
                say=f"the device's {name} are {other}, ours are {ours}",
                on="output",
                apply=changed(name, partial(_converted, ours, other)),
                ours=f"{name} = to_{other}({name})",
                device=f"convert {name} to {ours}",
                parameters={"device": other, "ours": ours},
            )


def _converted(ours: str, device: str, boxes: numpy.ndarray) -> numpy.ndarray:
    return formed(corners(boxes, ours), device).astype(boxes.dtype)


def _rows(arrays: Arrays, lists: list[str], change: Callable[[Any], Any]) -> Arrays:
    return {**arrays, **{name: change(arrays[name]) for name in lists if arrays[name].ndim}}


def _orders(trial: Trial, lists: list[str]) -> Iterator[Hypothesis]:
    """The same detections in another order: backwards, from left to right, or as the device has them."""
    import numpy as np

    scored = next((name for name in lists if trial.meaning(name).kind == "scores"), None)
    boxed = next((name for name in lists if trial.meaning(name).kind == "boxes"), None)
    orders: dict[str, Callable[[Arrays], Any]] = {"backwards": lambda arrays: np.arange(len(arrays[lists[0]]))[::-1]}
    if scored:
        orders["by rising score"] = lambda arrays: np.argsort(arrays[scored].reshape(-1), kind="stable")
    if boxed:
        orders["from left to right"] = lambda arrays: np.argsort(arrays[boxed][..., 0].reshape(-1), kind="stable")
        orders["from top to bottom"] = lambda arrays: np.argsort(arrays[boxed][..., 1].reshape(-1), kind="stable")
    for say, order in orders.items():

        def apply(trial: Trial, arrays: Arrays, order: Callable[[Arrays], Any] = order) -> Arrays:
            places = order(arrays)
            return _rows(arrays, lists, lambda x: x[places] if len(x) == len(places) else x)

        yield Hypothesis(
            id="detection-order",
            say=f"the device lists its detections {say}",
            on="output",
            apply=apply,
            ours=f"sort the detections {say}",
            device="sort the detections by falling score",
            parameters={"order": say},
        )
    yield _matched(lists)


def _matched(lists: list[str]) -> Hypothesis:
    """Any other order: every row of ours is one of the device's."""

    def apply(trial: Trial, arrays: Arrays) -> Arrays:
        import numpy as np

        first = lists[0]
        ours, device = (
            np.asarray(side[first], np.float64).reshape(len(side[first]), -1) for side in (arrays, trial.device)
        )
        if ours.shape != device.shape or not len(ours) or len(ours) > 2000:
            raise ValueError("not the same number of detections")
        apart = np.abs(device[:, None] - ours[None]).max(-1)
        places = apart.argmin(1)
        if len(set(places.tolist())) != len(places):
            raise ValueError("not the same detections")
        return _rows(arrays, lists, lambda x: x[places] if len(x) == len(places) else x)

    return Hypothesis(
        id="detection-order",
        say="the device lists the same detections in another order (ties fall otherwise)",
        on="output",
        apply=apply,
        ours="sort by score, then by place",
        device="sort by score, then by place",
        fit=1,
        cost=1.5,
    )


def _thresholds(trial: Trial, lists: list[str]) -> Iterator[Hypothesis]:
    """The device keeps fewer: what lies above a threshold between its least score and ours."""
    import numpy as np

    scored = next((name for name in lists if trial.meaning(name).kind == "scores"), None)
    if scored is None or scored not in trial.device:
        return
    ours, device = (np.sort(np.asarray(side[scored], np.float64).reshape(-1)) for side in (trial.ours, trial.device))
    if not 0 < len(device) < len(ours) and not (len(device) == 0 and len(ours)):
        return
    lost = ours[: len(ours) - len(device)]
    kept = ours[len(ours) - len(device) :]
    threshold = float(lost.max() + (kept.min() if kept.size else 1.0)) / 2

    def apply(trial: Trial, arrays: Arrays) -> Arrays:
        above = arrays[scored].reshape(-1) >= threshold
        return _rows(arrays, lists, lambda x: x[above] if len(x) == len(above) else x)

    yield Hypothesis(
        id="score-threshold",
        say=f"the device keeps only detections above {threshold:.3g}",
        on="output",
        apply=apply,
        ours=f"threshold={threshold:.3g}",
        device="lower the score threshold to ours",
        parameters={"device": threshold},
        fit=1,
        cost=1.1,
    )


def _padded(lists: list[str]) -> Hypothesis:
    """A fixed number of rows, the rest zeros (or -1)."""

    def apply(trial: Trial, arrays: Arrays) -> Arrays:
        import numpy as np

        found = dict(arrays)
        for name in lists:
            device = trial.device.get(name)
            more = 0 if device is None or not device.ndim else len(device) - len(arrays[name])
            if more < 0:
                raise ValueError("the device has fewer")
            if more and device is not None:
                fill = device.reshape(-1)[-1] if device.size and device.reshape(-1)[-1] in (-1, 0) else 0
                rest = np.full((more, *arrays[name].shape[1:]), fill, arrays[name].dtype)
                found[name] = np.concatenate([arrays[name], rest])
        return found

    return Hypothesis(
        id="nms-padding",
        say="the device fills its list of detections up with empty ones",
        on="output",
        apply=apply,
        ours="pad the detections to a fixed number",
        device="cut the list after the number of detections",
        cost=1.2,
        fit=1,
    )


def _first_only(lists: list[str]) -> Hypothesis:
    """At most as many as the device has: the best."""

    def apply(trial: Trial, arrays: Arrays) -> Arrays:
        count = min((len(trial.device[name]) for name in lists if name in trial.device), default=0)
        if not count or all(len(arrays[name]) <= count for name in lists):
            raise ValueError("the device has no fewer")
        return _rows(arrays, lists, lambda x: x[:count])

    return Hypothesis(
        id="most-detections",
        say="the device keeps only the best few detections",
        on="output",
        apply=apply,
        ours="keep fewer detections",
        device="raise the most detections that are kept",
        cost=1.6,
        fit=1,
    )
