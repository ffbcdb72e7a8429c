"""Faults of the text pipeline: tokens, scores, signs."""

from __future__ import annotations

import unicodedata

import numpy as np

from . import Fault, Otherwise, fixed, softmax

LETTERS = "ءآأؤإئابةتثجحخدذرزسشصضطظعغـفقكلمنهوي .,،؛:؟!()-\"'\n"


def tokens(inputs, *, form="NFC", reverse=False, unknown=1):
    text = unicodedata.normalize(form, str(inputs["text"][0]))
    bare = [c for c in text if not ("\u064b" <= c <= "\u0652" or c == "\u0670")]
    bare = bare[::-1] if reverse else bare
    ids = [LETTERS.index(c) + 4 if c in LETTERS else unknown for c in bare]
    return {"ids": np.asarray([ids], np.int64), "letters": np.asarray(bare, dtype=object)}


def offset(rng):
    step = int(rng.choice([-2, -1, 1, 2]))
    return f"vocabulary {step:+d}", lambda i, r: {**r, "ids": r["ids"] + step}


def marked(rng):
    first, last = (int(one) for one in rng.choice([0, 2, 3], 2))
    return f"marks {first} and {last}", lambda i, r: {
        **r,
        "ids": np.pad(r["ids"], ((0, 0), (1, 1)), constant_values=((0, 0), (first, last))),
    }


def shortened(rng):
    length = int(rng.choice([8, 12, 16]))
    return f"{length} letters", lambda i, r: {"ids": r["ids"][:, :length], "letters": r["letters"][:length]}


def signs(inputs, chance):
    from_ = ["", "َ", "ُ", "ِ", "ْ", "ّ", "ً", "ٌ", "ٍ", "َّ", "ُّ", "ِّ", "ًّ", "ٌّ", "ٍّ"]
    chosen = chance.argmax(-1)
    text = "".join(a + from_[b] for a, b in zip(inputs["letters"], chosen, strict=False))
    return {
        "vowelled": np.asarray([text], dtype=object),
        "signs": chosen.astype(np.int64),
        "certainty": np.asarray([chance.max(-1).mean()], np.float32),
    }


FAULTS = (
    Fault(name="offset", stage="tokenize", causes=("token-offset",), make=offset),
    Fault(name="backwards", stage="tokenize", causes=("text-order", "token-order"), make=lambda rng: ("backwards", Otherwise(tokens, {"reverse": True}))),
    Fault(name="marks", stage="tokenize", causes=("special-tokens",), make=marked),
    Fault(name="decomposed", stage="tokenize", causes=("unicode-form",), make=lambda rng: ("NFD", Otherwise(tokens, {"form": "NFD"}))),
    Fault(name="unknown", stage="tokenize", causes=("knob-unknown",), make=lambda rng: ("unknown is 0", Otherwise(tokens, {"unknown": 0}))),
    Fault(name="cut", stage="tokenize", causes=("tokens-cut",), make=shortened),
    Fault(name="softmax", stage="model", causes=("softmax-added", "softmax-twice"), make=fixed("softmax in the app", lambda i, r: {"logits": softmax(r["logits"])})),
    Fault(name="composed", stage="decode", causes=("unicode-form",), make=fixed("NFD behind", lambda i, r: {
        **r, "vowelled": np.asarray([unicodedata.normalize("NFD", str(r["vowelled"][0]))], dtype=object)})),
)  # fmt: skip
