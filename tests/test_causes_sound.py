"""The search for causes where stages listen, read and remember: independent code with one thing done otherwise."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import cause_devices as devices
from edgecheck.golden.causes import Trial
from edgecheck.golden.causes.mels import Mel, spectrogram
from edgecheck.golden.causes.recognising import UNSEEN, recognise
from edgecheck.golden.causes.samples import lag_between
from edgecheck.golden.causes.search import find
from edgecheck.pipeline import Meaning, audio, boxes, mel, probabilities, quantized, scores

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from faulty import sound  # noqa: E402  (independent code: a mel spectrogram and a quantiser with options)


def pipeline(name):
    spec = importlib.util.spec_from_file_location(f"golden_{name}", ROOT / "golden" / name / "pipeline.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SPEECH = pipeline("speech")
MEANINGS = {"clip": audio(16000), "input": mel(16000, "NTM")}


def clip(seed, seconds=0.9):
    return SPEECH.voice(seconds, pitch=100 + 40 * seed, noise=0.003, seed=seed)


def spectral(number, device, *, stage=SPEECH.spectrogram, **knobs):
    """A case of the speech pipeline's spectrogram; `device(clip)` gives the device's."""
    given = {"clip": clip(number)}
    again = devices.guarded(lambda inputs, turned: stage(inputs["clip"], **turned))
    return Trial(
        case=str(number), stage="spectrogram", inputs=given, ours=again(given, knobs), device=device(given["clip"]),
        meanings=MEANINGS, knobs=knobs, again=again,
    )  # fmt: skip


def other(**options):
    return lambda samples: {"input": sound.mels(samples, **options)}


def nearly(name, ours, device):
    return ours.shape == device.shape and bool(np.abs(ours - device).max() <= 1e-6)


def named(trials, within=devices.within):
    return [one.ids for one in find(trials, within).causes]


@pytest.mark.parametrize(
    ("options", "cause"),
    [
        ({"shape": "hamming"}, "window"), ({"shape": "blackman"}, "window"), ({"shape": "none"}, "window"), ({"hop": 128}, "hop"),
        ({"hop": 161}, "hop"), ({"hop": 173}, "hop"), ({"pad": "reflect"}, "centre-padding"), ({"pad": ""}, "centre-padding"),
        ({"scale": "htk"}, "mel-scale"), ({"norm": False}, "mel-norm"), ({"power": 1}, "mel-power"), ({"floor": 1e-4}, "log-floor"),
        ({"kind": "ln"}, "log-base"), ({"rate": 22050}, "sample-rate"),
    ],
)  # fmt: skip
def test_what_a_spectrogram_does_otherwise_is_named(options, cause):
    found = named([spectral(number, other(**options)) for number in (1, 2)])
    assert found[0] == (cause,), found


@pytest.mark.parametrize(
    ("options", "causes"),
    [
        ({"shape": "hamming", "scale": "htk"}, {"window", "mel-scale"}),
        ({"hop": 128, "norm": False}, {"hop", "mel-norm"}),
        ({"power": 1, "rate": 22050}, {"mel-power", "sample-rate"}),
        ({"power": 1, "relative": False}, {"mel-power", "log-reference"}),
        ({"pad": "reflect", "floor": 1e-5}, {"centre-padding", "log-floor"}),
    ],
)
def test_two_things_that_a_spectrogram_does_otherwise_are_named_together(options, causes):
    found = named([spectral(number, other(**options)) for number in (1, 2)])
    assert set(found[0]) == causes, found


def test_levels_count_as_relative_to_the_loudest_where_several_cases_have_one_peak():
    way = Mel(rate=16000, size=400, transform=512, hop=160, bands=40)
    loud = replace(way, loudest=True)

    def stage(samples, **knobs):
        return {"input": spectrogram(samples.astype(np.float64), way)[None].astype(np.float32)}

    def device(samples):
        return {"input": spectrogram(samples.astype(np.float64), loud)[None].astype(np.float32)}

    assert named([spectral(number, device, stage=stage) for number in (1, 2)])[0] == ("log-reference",)


@pytest.mark.parametrize("seed", range(8))
def test_the_parameters_of_a_spectrogram_are_recognised(seed):
    rng = np.random.default_rng(seed)
    size = int(rng.choice([256, 400, 512, 640]))
    way = Mel(
        rate=16000, size=size, transform=1 << (size - 1).bit_length(), hop=int(rng.choice([size // 2, 160, size // 4])),
        bands=int(rng.choice([40, 64, 80])), window=str(rng.choice(["hann", "hamming", "blackman"])),
        padding=str(rng.choice(["zeros", "reflect", "none"])), scale=str(rng.choice(["slaney", "htk"])),
        norm=str(rng.choice(["slaney", "none"])), power=int(rng.choice([1, 2])), low=float(rng.choice([0.0, 20.0, 125.0])),
        floor=float(rng.choice([1e-10, 1e-5, 1e-3])),
    )  # fmt: skip
    samples = clip(seed).astype(np.float64)
    made = 0.25 * spectrogram(samples, way) - 1.5
    found = recognise(samples, made.astype(np.float32).astype(np.float64), 16000)
    assert found is not None
    seen = spectrogram(samples, way).min() <= np.log(way.floor) + 1e-9
    assert replace(found.way, floor=way.floor) == way
    assert found.way.floor == (way.floor if seen else UNSEEN)
    assert (round(found.factor, 4), round(found.offset, 3)) == (0.25, -1.5)


def test_what_is_no_mel_spectrogram_is_not_recognised():
    samples = clip(1).astype(np.float64)
    rng = np.random.default_rng(0)
    assert recognise(samples, rng.normal(size=(91, 40)), 16000) is None
    assert recognise(samples, np.zeros((91, 40)), 16000) is None
    assert recognise(samples[:100], rng.normal(size=(91, 40)), 16000) is None


# --- sound ---------------------------------------------------------------------------------------------------------
PITCH = pipeline("pitch")


def heard(number, device, **knobs):
    """A case of the pitch pipeline's resampler; `device(sound, ours)` gives the device's samples."""
    given = {"sound": PITCH.tones((50 + number,), 0.3, seed=number)}
    again = devices.guarded(lambda inputs, turned: PITCH.resample(inputs["sound"], **turned))
    ours = again(given, {})
    made = np.asarray(device(given["sound"], ours["samples"])).astype(np.float32)
    meanings = {"sound": audio(44100, high=32768), "samples": audio(22050)}
    return Trial(
        case=str(number), stage="resample", inputs=given, ours=ours, device={"samples": made}, meanings=meanings,
        knobs={"full": 32768.0}, again=again,
    )  # fmt: skip


CHANGED = {
    "polarity": lambda sound, x: -x,
    "peak-normalised": lambda sound, x: x / np.abs(x).max(),
    "rms-normalised": lambda sound, x: x / np.sqrt(np.mean(x.astype(float) ** 2)) / 10,
    "pre-emphasis": lambda sound, x: x - 0.97 * np.concatenate([[0], x[:-1]]),
    "reversed-sound": lambda sound, x: x[::-1],
    "audio-crop": lambda sound, x: np.concatenate([x[321:], np.zeros(321)]),
    "byte-order": lambda sound, x: PITCH.resample(sound.byteswap())["samples"],
    "resampler": lambda sound, x: sound[::2] / 32768,
    "sample-rate": lambda sound, x: sound[: x.size] / 32768,
}


@pytest.mark.parametrize("cause", CHANGED)
def test_what_is_done_to_sound_is_named(cause):
    found = named([heard(number, CHANGED[cause]) for number in (1, 2)])
    assert found[0] == (cause,), found


def test_a_gain_is_told_from_a_full_scale():
    for factor in (0.5, 32768 / 32767, 1.37):
        found = named([heard(number, lambda sound, x, factor=factor: x * factor) for number in (1, 2)], nearly)
        assert {"audio-scale", "knob-full"} & set(found[0]), (factor, found)


def test_clipping_is_named():
    rows = [0.9 * np.sin(np.arange(4000) * speed).astype(np.float32) for speed in (0.01, 0.03)]
    found = named([plain({"x": row}, {"x": row.clip(-0.5, 0.5)}, {"x": audio(16000)}) for row in rows])
    assert found[0] == ("clipped",), found


@pytest.mark.parametrize("lag", [-200, -1, 0, 3, 170])
def test_the_shift_between_two_sounds_is_found_of_either_polarity(lag):
    rng = np.random.default_rng(0)
    for row in (rng.normal(size=1000), np.sin(np.arange(1000) / 9) + 0.05 * rng.normal(size=1000)):
        assert lag_between(row[250:750], -row[250 + lag : 750 + lag]) == lag


# --- integers, chances, text, detections, memory -----------------------------------------------------------------------
def quantised(number, device):
    rng = np.random.default_rng(number)
    given = {"mel": rng.gamma(2.0, 4.0, size=(1, 3, 40)).astype(np.float32)}
    ours = sound.requantised(given)
    meanings = {"mel": mel(16000, "NTM"), "input_audio": quantized(sound.SCALE, sound.ZERO)}
    return Trial(
        case=str(number), stage="quantize", inputs=given, ours=ours, device=device(given, ours), meanings=meanings,
        again=devices.guarded(lambda inputs, knobs: sound.requantised(inputs)),
    )  # fmt: skip


def steps(name, ours, device):
    return (
        ours.shape == device.shape and np.mean(ours != device) < 0.02 and np.abs(ours.astype(int) - device).max() <= 1
    )


@pytest.mark.parametrize(
    ("device", "cause"),
    [
        (sound.quantised("", rounding="truncated")[1], "quantise-rounding"),
        (sound.quantised("", rounding="rounded up")[1], "quantise-rounding"),
        (sound.quantised("", zero=-126)[1], "zero-point"),
        (sound.quantised("", scale=0.11)[1], "quantise-scale"),
        (
            lambda given, ours: {"input_audio": (ours["input_audio"].view(np.uint8) ^ 0x80).view(np.int8)},
            "signed-unsigned",
        ),
        (
            lambda given, ours: {"input_audio": (ours["input_audio"].astype(int) + 128).astype(np.uint8)},
            "signed-unsigned",
        ),
    ],
)
def test_how_floats_become_integers_is_named(device, cause):
    found = named([quantised(number, device) for number in range(3)], steps)
    assert found[0] == (cause,), found


def plain(ours, device, kinds=None, inputs=None):
    """A case with outputs only."""
    return Trial(case="0", stage="s", inputs=inputs or {}, ours=ours, device=device, meanings=kinds or {})


def chances(seed):
    raised = np.exp(np.random.default_rng(seed).normal(size=(5, 12)) * 3)
    return (raised / raised.sum(-1, keepdims=True)).astype(np.float32)


def exponentials(x):
    raised = np.exp(x)
    return (raised / raised.sum(-1, keepdims=True)).astype(np.float32)


def test_softmax_that_is_twice_missing_or_added_is_named():
    ours, kinds = chances(1), {"p": probabilities()}
    assert named([plain({"p": ours}, {"p": exponentials(ours)}, kinds)])[0] == ("softmax-twice",)
    assert named([plain({"p": ours}, {"p": np.log(ours) + 3}, kinds)])[0] == ("softmax-missing",)
    before = np.log(ours) * 2 + 5
    assert named([plain({"p": before}, {"p": exponentials(before)})])[0] == ("softmax-added",)
    assert named([plain({"p": ours}, {"p": 1 / (1 + np.exp(-ours))}, kinds)])[0] == ("sigmoid-twice",)


def letters(*texts):
    return np.asarray(texts, dtype=object)


def test_what_is_done_to_text_and_tokens_is_named():
    def case(ours, device):
        kinds = {"t": Meaning(kind="text" if ours.dtype.kind == "O" else "tokens")}
        return named([plain({"t": ours}, {"t": device}, kinds)], devices_equal)[0]

    ids = np.asarray([[5, 9, 2, 30, 4]], np.int64)
    assert case(ids, ids + 2) == ("token-offset",)
    assert case(ids, ids[:, ::-1]) == ("token-order",)
    assert case(ids, np.pad(ids, ((0, 0), (1, 1)), constant_values=((0, 0), (101, 102)))) == ("special-tokens",)
    assert case(ids, ids[:, :3]) == ("tokens-cut",)
    assert case(letters("Überraschung"), letters("U\u0308berraschung")) == ("unicode-form",)
    assert case(letters("Ein Satz"), letters("ein satz")) == ("letter-case",)
    assert case(letters("größer"), letters("gröÃŸer".replace("ö", "Ã¶").replace("ÃŸ", "Ã\x9f"))) == ("text-encoding",)


def test_tokens_and_letters_go_together():
    def case(change):
        ours = {"ids": np.asarray([[5, 9, 2, 30, 4]], np.int64), "letters": letters(*"abcde")}
        kinds = {"ids": Meaning(kind="tokens"), "letters": Meaning(kind="text")}
        return named([plain(ours, {name: change(value) for name, value in ours.items()}, kinds)], devices_equal)[0]

    assert case(lambda x: x[..., ::-1]) == ("token-order",)
    assert case(lambda x: x[..., :3]) == ("tokens-cut",)


def devices_equal(name, ours, device):
    return ours.shape == device.shape and bool(np.all(ours == device))


LISTED = {"boxes": boxes(), "scores": scores()}


def listed(seed, count=7):
    rng = np.random.default_rng(seed)
    near = rng.random((count, 2)) * 0.5
    found = {
        "boxes": np.concatenate([near, near + 0.1 + 0.4 * rng.random((count, 2))], 1),
        "scores": -np.sort(-rng.random(count)),
    }
    return {name: value.astype(np.float32) for name, value in found.items()}


def test_what_is_done_to_detections_is_named():
    def case(change):
        ours = [listed(seed) for seed in (1, 2)]
        return named([plain(one, change(one), LISTED) for one in ours])[0]

    assert case(lambda one: {"boxes": one["boxes"][:, [1, 0, 3, 2]], "scores": one["scores"]}) == ("box-format",)
    assert case(lambda one: {name: value[::-1] for name, value in one.items()}) == ("detection-order",)
    assert case(lambda one: {name: value[one["scores"] > 0.6] for name, value in one.items()}) == ("score-threshold",)
    padded = {"boxes": ((0, 3), (0, 0)), "scores": ((0, 3),)}
    assert case(lambda one: {name: np.pad(value, padded[name]) for name, value in one.items()}) == ("nms-padding",)


def remembering(change):
    """Three steps of a stage that adds up; `change(steps)` gives the device's output of each."""
    rng = np.random.default_rng(3)
    given = [rng.normal(size=6).astype(np.float32) for _ in range(4)]
    ours = [sum(given[: number + 1]) for number in range(4)]
    late = [given[0] + sum(given[:number], np.zeros(6, np.float32)) for number in range(4)]
    ways = {"state-reset-each-step": given, "input-one-step-late": late}
    return [
        Trial(
            case=f"a@{number}", stage="s", inputs={"x": given[number]}, ours={"y": ours[number]},
            device={"y": change(given, ours, number)}, alternatives={name: {"y": one[number]} for name, one in ways.items()},
            before=None if number == 0 else plain({"y": ours[number - 1]}, {}, inputs={"x": given[number - 1]}),
        )
        for number in range(4)
    ]  # fmt: skip


def test_memory_that_is_kept_otherwise_is_named():
    assert named(remembering(lambda given, ours, number: given[number]))[0] == ("state-reset-each-step",)
    stale = named(remembering(lambda given, ours, number: ours[max(0, number - 1)]))[0]
    assert stale == ("stale-output",)
    late = named(remembering(lambda given, ours, number: given[0] + sum(given[:number], np.zeros(6, np.float32))))[0]
    assert late == ("input-one-step-late",)


# --- nothing is guessed ------------------------------------------------------------------------------------------------
def loose(name, ours, device):
    return ours.shape == device.shape and bool(np.all(ours == device))


def noisy(kind, seed):
    """Correct stages, and a device whose values are ours with noise that no cause makes."""
    rng = np.random.default_rng(seed)
    if kind == "mel":
        noise = 0.1 * rng.normal(size=(1, 91, 120)).astype(np.float32)
        return [
            spectral(n, lambda x: {"input": (one := SPEECH.spectrogram(x)["input"]) + noise[:, : one.shape[1]]})
            for n in (1, 2)
        ]
    if kind == "audio":
        return [heard(n, lambda sound, x: x + 0.05 * rng.normal(size=x.size)) for n in (1, 2)]
    if kind == "integers":
        return [quantised(n, lambda given, ours: {"input_audio": (ours["input_audio"] + rng.integers(-9, 10, (1, 3, 40))).clip(-128, 127).astype(np.int8)}) for n in range(3)]  # fmt: skip
    if kind == "chances":
        return [plain({"p": chances(n)}, {"p": chances(n + 9)}, {"p": probabilities()}) for n in (1, 2)]
    if kind == "tokens":
        return [plain({"t": rng.integers(4, 50, (1, 20))}, {"t": rng.integers(4, 50, (1, 20))}, {"t": Meaning(kind="tokens")}) for _ in (1, 2)]  # fmt: skip
    if kind == "text":
        return [plain({"t": letters("one two three")}, {"t": letters("something else")}, {"t": Meaning(kind="text")})]
    if kind == "memory":
        return remembering(lambda given, ours, number: ours[number] + rng.normal(size=6).astype(np.float32))
    return [plain(listed(n), listed(n + 20), LISTED) for n in (1, 2)]


@pytest.mark.parametrize("kind", ["mel", "audio", "integers", "chances", "tokens", "text", "memory", "detections"])
def test_noise_has_no_cause(kind):
    for seed in (1, 2):
        assert named(noisy(kind, seed), loose) == []


@pytest.mark.parametrize("kind", ["mel", "audio", "integers", "chances", "tokens", "text", "memory", "detections"])
def test_what_is_the_same_has_no_cause(kind):
    trials = [replace(one, device=one.ours) for one in noisy(kind, 1)]
    assert find(trials, loose).closest is None
