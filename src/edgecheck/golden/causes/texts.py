"""Text and tokens: Unicode forms, case, spaces; numbers off by one, backwards, with marks at the ends, padded or cut."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from typing import Any

from edgecheck.golden.causes import Arrays, Hypothesis, Trial

#: What a device's code may do with a text before ours sees it: cause → way → change.
CHANGES: dict[str, dict[str, Callable[[str], str]]] = {
    "unicode-form": {form: (lambda text, form=form: unicodedata.normalize(form, text)) for form in ("NFC", "NFD", "NFKC", "NFKD")},  # type: ignore[misc]
    "letter-case": {"lower case": str.lower, "upper case": str.upper, "folded case": str.casefold},
    "white-space": {"stripped": str.strip, "single spaces": lambda text: " ".join(text.split()), "no spaces": lambda text: text.replace(" ", "")},
    "text-order": {"backwards": lambda text: text[::-1]},
    "text-encoding": {
        "UTF-8 read as Latin-1": lambda text: text.encode("utf-8").decode("latin-1"),
        "ASCII only": lambda text: text.encode("ascii", "ignore").decode("ascii"),
        "UTF-16 halves": lambda text: text.encode("utf-16", "surrogatepass").decode("utf-16", "ignore"),
    },
    "accents-removed": {
        "accents removed": lambda text: "".join(one for one in unicodedata.normalize("NFD", text) if not unicodedata.combining(one))
    },
}  # fmt: skip


def hypotheses(trial: Trial) -> Iterator[Hypothesis]:
    """Of texts that go in or come out, and of tokens that come out."""
    if trial.again is not None and not trial.model:
        for name, value in trial.inputs.items():
            if value.dtype.kind in "OUS":
                yield from _texts(name, "input")
    for name, value in trial.ours.items():
        if value.dtype.kind in "OUS":
            yield from _texts(name, "output")
        elif trial.meaning(name).kind == "tokens" and value.dtype.kind in "iu":
            yield from _tokens(trial, name)


def _texts(name: str, on: str) -> Iterator[Hypothesis]:
    for cause, ways in CHANGES.items():
        for way, change in ways.items():

            def apply(trial: Trial, arrays: Arrays, change: Callable[[str], str] = change) -> Arrays:
                import numpy as np

                made = np.empty(arrays[name].shape, object)
                made.reshape(-1)[:] = [change(str(one)) for one in arrays[name].reshape(-1)]
                return {**arrays, name: made} if on == "output" else {name: made}

            place: Any = on
            yield Hypothesis(
                id=cause, say=f"the device's {name} is changed before: {way}", on=place, apply=apply,
                ours=f"# {name}: {way}", device=f"hand on {name} as it is", parameters={"way": way},
            )  # fmt: skip


def _tokens(trial: Trial, name: str) -> Iterator[Hypothesis]:
    """Numbers along the last axis."""
    device = trial.device.get(name)
    if device is None or device.dtype.kind not in "iu":
        return
    for step in (1, -1, 2, -2, 3, -3, 4, -4):
        yield _token(
            name,
            "token-offset",
            f"numbers are {abs(step)} {'higher' if step > 0 else 'lower'}",
            lambda x, step=step: x + step,
        )
    yield _token(name, "token-order", "tokens stand backwards", lambda x: x[..., ::-1])
    ours = trial.ours[name]
    if ours.ndim != device.ndim or not ours.size or not device.size:
        return
    more = device.shape[-1] - ours.shape[-1]
    first, last = int(device.reshape(-1)[0]), int(device.reshape(-1)[-1])
    if more > 0:
        for front, back in {(0, more), (more, 0), (1, more - 1), (more - 1, 1)}:
            if min(front, back) >= 0:
                yield _token(name, "special-tokens", f"row has {front} marks before ({first}) and {back} behind ({last})",
                             lambda x, front=front, back=back: _widened(x, front, back, first, last), fit=1)  # fmt: skip
    if more < 0:
        yield _token(
            name, "tokens-cut", f"row is cut to {device.shape[-1]} tokens", lambda x: x[..., : device.shape[-1]], fit=1
        )
        yield _token(name, "special-tokens", "row lacks the first token", lambda x: x[..., 1:])
        yield _token(name, "special-tokens", "row lacks the last token", lambda x: x[..., :-1])
        yield _token(name, "special-tokens", "row lacks the first and the last token", lambda x: x[..., 1:-1])


def _widened(x: Any, front: int, back: int, first: int, last: int) -> Any:
    import numpy as np

    widths = [(0, 0)] * (x.ndim - 1) + [(front, back)]
    return np.pad(x, widths, constant_values=[(0, 0)] * (x.ndim - 1) + [(first, last)])


def _token(name: str, cause: str, say: str, change: Callable[[Any], Any], *, fit: int = 0) -> Hypothesis:
    return Hypothesis(
        id=cause, say=f"the device's {name}: {say}", on="output",
        apply=lambda trial, arrays: {**arrays, name: change(arrays[name]).astype(arrays[name].dtype)},
        ours=f"# {name}: {say}", device="use the vocabulary and the marks of ours", fit=fit,
    )  # fmt: skip
