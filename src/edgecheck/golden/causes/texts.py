"""Text and tokens: Unicode forms, case, spaces; numbers off by one, backwards, with marks at the ends, cut."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Literal

from edgecheck.golden.causes import Arrays, Hypothesis, Trial

if TYPE_CHECKING:
    import numpy

Place = Literal["input", "output"]
Change = Callable[["numpy.ndarray"], "numpy.ndarray"]


def without_accents(text: str) -> str:
    """Decomposed, combining marks left out."""
    return "".join(one for one in unicodedata.normalize("NFD", text) if not unicodedata.combining(one))


#: What a device's code may do with a text before ours sees it: cause → way → change.
CHANGES: dict[str, dict[str, Callable[[str], str]]] = {
    "unicode-form": {
        "NFC": partial(unicodedata.normalize, "NFC"),
        "NFD": partial(unicodedata.normalize, "NFD"),
        "NFKC": partial(unicodedata.normalize, "NFKC"),
        "NFKD": partial(unicodedata.normalize, "NFKD"),
    },
    "letter-case": {"lower case": str.lower, "upper case": str.upper, "folded case": str.casefold},
    "white-space": {
        "stripped": str.strip,
        "single spaces": lambda text: " ".join(text.split()),
        "no spaces": lambda text: text.replace(" ", ""),
    },
    "text-order": {"backwards": lambda text: text[::-1]},
    "text-encoding": {
        "UTF-8 read as Latin-1": lambda text: text.encode("utf-8").decode("latin-1"),
        "ASCII only": lambda text: text.encode("ascii", "ignore").decode("ascii"),
    },
    "accents-removed": {"accents removed": without_accents},
}
STEPS = (1, -1, 2, -2, 3, -3, 4, -4)  # that numbers of a vocabulary are off by


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
    together = [name for name, value in trial.ours.items() if _is_row(trial, name, value)]
    if len(together) > 1:
        yield _backwards(together)
        yield from _cut(trial, together)


def _is_row(trial: Trial, name: str, value: numpy.ndarray) -> bool:
    """Tokens or letters, more than one."""
    return value.size > 1 and (value.dtype.kind in "OUS" or trial.meaning(name).kind == "tokens")


def _backwards(names: list[str]) -> Hypothesis:
    """Tokens and their letters in the reverse order at once."""
    return Hypothesis(
        id="token-order",
        say=f"the device's {', '.join(names)} stand backwards",
        on="output",
        apply=lambda trial, arrays: {**arrays, **{name: arrays[name][..., ::-1] for name in names}},
        ours=f"# {', '.join(names)}: backwards",
        device="keep the order of the text",
        cost=1.2,
    )


def _cut(trial: Trial, names: list[str]) -> Iterator[Hypothesis]:
    """Tokens and their letters cut at one length."""
    lengths = {trial.device[name].shape[-1] for name in names if name in trial.device and trial.device[name].ndim}
    if len(lengths) == 1 and (length := lengths.pop()) < max(trial.ours[name].shape[-1] for name in names):
        yield Hypothesis(
            id="tokens-cut",
            say=f"the device cuts {', '.join(names)} at {length}",
            on="output",
            apply=lambda trial, arrays: {**arrays, **{name: arrays[name][..., :length] for name in names}},
            ours="".join(f"{name} = {name}[..., :{length}]; " for name in names).rstrip("; "),
            device="make room for the longest text",
            parameters={"length": length},
            fit=1,
        )


def _texts(name: str, on: Place) -> Iterator[Hypothesis]:
    when = "before our stage" if on == "input" else "behind our stage"
    for cause, ways in CHANGES.items():
        for way, change in ways.items():
            yield Hypothesis(
                id=cause,
                say=f"the device changes the text {name} {when}: {way}",
                on=on,
                apply=partial(_written, name, on, change),
                ours=f"# {name}: {way}",
                device=f"hand on {name} as it is",
                parameters={"way": way},
            )


def _written(name: str, on: Place, change: Callable[[str], str], trial: Trial, arrays: Arrays) -> Arrays:
    """Every text of a tensor changed."""
    import numpy as np

    made = np.empty(arrays[name].shape, object)
    made.reshape(-1)[:] = [change(str(one)) for one in arrays[name].reshape(-1)]
    return {**arrays, name: made} if on == "output" else {name: made}


def _tokens(trial: Trial, name: str) -> Iterator[Hypothesis]:
    """Numbers along the last axis."""
    ours, device = trial.ours[name], trial.device.get(name)
    if device is None or device.dtype.kind not in "iu":
        return
    for step in STEPS:
        say = f"numbers are {abs(step)} {'higher' if step > 0 else 'lower'}"
        yield _token(name, "token-offset", say, partial(_stepped, step))
    yield _token(name, "token-order", "tokens stand backwards", lambda x: x[..., ::-1])
    if ours.ndim == device.ndim and ours.size and device.size:
        more = device.shape[-1] - ours.shape[-1]
        yield from _longer(name, more, int(device.reshape(-1)[0]), int(device.reshape(-1)[-1]))
        yield from _shorter(name, -more, device.shape[-1])


def _longer(name: str, more: int, first: int, last: int) -> Iterator[Hypothesis]:
    """Marks at the ends, or filled up."""
    if more <= 0:
        return
    for front, back in sorted({(0, more), (more, 0), (1, more - 1), (more - 1, 1)}):
        say = f"row has {front} marks before ({first}) and {back} behind ({last})"
        yield _token(name, "special-tokens", say, partial(_widened, front, back, first, last), fit=1)


def _shorter(name: str, less: int, length: int) -> Iterator[Hypothesis]:
    """Cut at a length, or marks at the ends left out."""
    if less <= 0:
        return
    yield _token(name, "tokens-cut", f"row is cut to {length} tokens", lambda x: x[..., :length], fit=1)
    yield _token(name, "special-tokens", "row lacks the first token", lambda x: x[..., 1:])
    yield _token(name, "special-tokens", "row lacks the last token", lambda x: x[..., :-1])
    yield _token(name, "special-tokens", "row lacks the first and the last token", lambda x: x[..., 1:-1])


def _stepped(step: int, tokens: numpy.ndarray) -> numpy.ndarray:
    return tokens + step


def _widened(front: int, back: int, first: int, last: int, tokens: numpy.ndarray) -> numpy.ndarray:
    import numpy as np

    rest = [(0, 0)] * (tokens.ndim - 1)
    return np.pad(tokens, [*rest, (front, back)], constant_values=[*rest, (first, last)])


def _token(name: str, cause: str, say: str, change: Change, *, fit: int = 0) -> Hypothesis:
    return Hypothesis(
        id=cause,
        say=f"the device's {name}: {say}",
        on="output",
        apply=lambda trial, arrays: {**arrays, name: change(arrays[name]).astype(arrays[name].dtype)},
        ours=f"# {name}: {say}",
        device="use the vocabulary and the marks of ours",
        fit=fit,
    )
