"""Arabic text gets its vowel signs: letters to numbers, a bidirectional LSTM (int8), signs put between the letters.

The model is text2tashkeel's bilstm.int8.onnx (`make models`); it knows 15 signs and 54 characters.
"""

from __future__ import annotations

import unicodedata

import numpy

from edgecheck.packages import default_folder
from edgecheck.pipeline import Meaning, Model, Pipeline, Stage, Tolerance, logits

LETTERS = "ءآأؤإئابةتثجحخدذرزسشصضطظعغـفقكلمنهوي"
PUNCTUATION = " .,،؛:؟!()-\"'\n"
NUMBERS = {letter: 4 + i for i, letter in enumerate(LETTERS + PUNCTUATION)}
SIGNS = ["", "َ", "ُ", "ِ", "ْ", "ّ", "ً", "ٌ", "ٍ", "َّ", "ُّ", "ِّ", "ًّ", "ٌّ", "ٍّ"]
VOWELS = {chr(code) for code in range(0x64B, 0x653)} | {"ٰ"}


def tokenize(text, *, form="NFC", unknown=1):
    """(1,) str to (1, letters) int64, without the vowel signs that are there already."""
    bare = [letter for letter in unicodedata.normalize(form, str(text[0])) if letter not in VOWELS]
    return {
        "ids": numpy.asarray([[NUMBERS.get(letter, unknown) for letter in bare]], numpy.int64),
        "letters": numpy.asarray(bare, dtype=object),
    }


def decode(logits, letters):
    """The text with the likeliest sign behind every letter, and how sure that was (mean softmax of the choice)."""
    shifted = numpy.exp(logits[0] - logits[0].max(-1, keepdims=True))
    chance = shifted / shifted.sum(-1, keepdims=True)
    chosen = chance.argmax(-1)
    text = "".join(letter + SIGNS[sign] for letter, sign in zip(letters, chosen))
    return {
        "vowelled": numpy.asarray([text], dtype=object),
        "signs": chosen.astype(numpy.int64),
        "certainty": numpy.asarray([chance.max(-1).mean()], numpy.float32),
    }


def cases():
    """Sentences, one with signs and one with letters that the model does not know."""
    texts = {
        "library": "ذهب الطالب إلى المكتبة",
        "peace": "السلام عليكم ورحمة الله",
        "signed": "كَتَبَ الولد الدرس.",
        "mixed": "اشترى أحمد 3 كتب من Amazon!",
    }
    return {name: {"text": numpy.asarray([text], dtype=object)} for name, text in texts.items()}


PIPELINE = Pipeline(
    name="text",
    inputs={"text": Meaning(kind="text")},
    stages=(
        Stage("tokenize", tokenize, gives={"ids": Meaning(kind="tokens"), "letters": Meaning(kind="text")}),
        Stage(
            "model",
            Model(
                str(default_folder() / "text2tashkeel" / "text2tashkeel" / "models" / "bilstm.int8.onnx"),
                takes={"input_ids": "ids"},
            ),
            gives={"logits": logits()},
        ),
        Stage(
            "decode",
            decode,
            gives={"vowelled": Meaning(kind="text"), "signs": Meaning(kind="labels")},
            tolerances={"certainty": Tolerance(absolute=1e-5)},
        ),
    ),
    cases=cases,
)
