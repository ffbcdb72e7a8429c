"""Faults of the pipelines that listen: pitch, speech, and the wake word with its memory."""

from __future__ import annotations

import numpy as np

from . import Fault, Otherwise, fixed, half, sigmoid


# --- pitch ---------------------------------------------------------------------------------------------------------
def listened(inputs, *, way="filtered", swapped=False, bits=16):
    """The sound at half its rate."""
    x = inputs["sound"].byteswap() if swapped else inputs["sound"]
    x = (x.astype(np.int32) // (1 << (16 - bits)) * (1 << (16 - bits))) / 32768.0
    size = (x.size + 1) // 2
    made = {
        "filtered": lambda: np.convolve(x, _low(), "same")[::2],
        "every second": lambda: x[::2],
        "mean of two": lambda: np.pad(x, (0, x.size % 2)).reshape(-1, 2).mean(1),
        "not resampled": lambda: x[:size],
    }[way]()
    return {"samples": made.astype(np.float32)}


def listening(say, **options):
    return say, Otherwise(listened, options)


def resampled(rng):
    way = str(rng.choice(["every second", "mean of two"]))
    return listening(way, way=way)


def gain(rng):
    factor = float(rng.choice([0.5, 0.7, 1.25, 2.0]))  # 32768 for 32767 lies within the tolerance
    return f"gain {factor:.6g}", lambda i, r: {"samples": (r["samples"] * factor).astype(np.float32)}


def cut(inputs, *, shift=0):
    x = np.pad(inputs["samples"][shift:], (0, 1 << 16))[:43844]
    return {"input": x.reshape(1, -1, 1).astype(np.float32)}


def begun(rng):
    shift = int(rng.integers(40, 4000))
    return f"begun {shift} samples later", Otherwise(cut, {"shift": shift})


def swapped(i, r):
    return {**r, "onsets": r["frames"], "frames": r["onsets"]}


def pitch_notes(inputs, *, onset=0.5, frame=0.3, shortest=11):
    a, b = inputs["onsets"][0], inputs["frames"][0]
    found = []
    for key in range(a.shape[1]):
        for t in range(1, 171):
            if a[t, key] >= onset and a[t, key] >= a[t - 1, key] and a[t, key] > a[t + 1, key]:
                n = 0
                while t + n < 172 and b[t + n, key] >= frame:
                    n += 1
                if n >= shortest:
                    found.append((key + 21, t, n))
    return {"notes": np.asarray(sorted(found, key=lambda one: (one[1], one[0])), np.int32).reshape(-1, 3)}


def onset(rng):
    value = float(rng.choice([0.1, 0.2, 0.3]))
    return f"onset {value}", Otherwise(pitch_notes, {"onset": value})


def frame(rng):
    value = float(rng.choice([0.1, 0.5, 0.6]))
    return f"frame {value}", Otherwise(pitch_notes, {"frame": value})


PITCH = (
    Fault(name="resampler", stage="resample", causes=("resampler",), make=resampled),
    Fault(name="rate", stage="resample", causes=("sample-rate",), make=lambda rng: listening("not resampled", way="not resampled")),
    Fault(name="gain", stage="resample", causes=("audio-scale", "knob-full", "normalisation", "values-scaled"), make=gain),
    Fault(name="polarity", stage="resample", causes=("polarity", "inverted"), make=fixed("upside down", lambda i, r: {"samples": -r["samples"]})),
    Fault(name="peak", stage="resample", causes=("peak-normalised",),
          make=fixed("loudest is 1", lambda i, r: {"samples": (r["samples"] / np.abs(r["samples"]).max()).astype(np.float32)})),
    Fault(name="crop", stage="window", causes=("audio-crop", "knob-start"), make=begun),
    Fault(name="half", stage="window", causes=("float16",), make=fixed("float16", lambda i, r: {"input": half(r["input"])})),
    Fault(name="bytes", stage="resample", causes=("byte-order",), make=lambda rng: listening("bytes swapped", swapped=True)),
    Fault(name="bits", stage="resample", causes=("audio-bits",), make=lambda rng: listening("8 bits", bits=8)),
    Fault(name="swapped", stage="model", causes=("outputs-swapped",), make=fixed("onsets and frames swapped", swapped)),
    Fault(name="sigmoid", stage="model", causes=("sigmoid-twice",), make=fixed("sigmoid again", lambda i, r: {**r, "onsets": sigmoid(r["onsets"])})),
    Fault(name="onset", stage="notes", causes=("knob-onset", "score-threshold"), make=onset),
    Fault(name="frame", stage="notes", causes=("knob-frame", "score-threshold"), make=frame),
)  # fmt: skip


def _low():
    n = np.arange(63) - 31
    k = 0.5 * np.sinc(n / 2) * np.hamming(63)
    return k / k.sum()


# --- speech --------------------------------------------------------------------------------------------------------
def mels(
    clip,
    *,
    size=321,
    hop=160,
    shape="hann",
    pad="constant",
    scale="slaney",
    norm=True,
    power=2,
    floor=1e-10,
    kind="db",
    span=80,
    relative=True,
    rate=16000,
):
    x = clip.astype(np.float64)
    n = np.arange(size)
    w = {"hann": 0.5 - 0.5 * np.cos(2 * np.pi * n / size), "hamming": 0.54 - 0.46 * np.cos(2 * np.pi * n / size),
         "symmetric": np.hanning(size), "blackman": 0.42 - 0.5 * np.cos(2 * np.pi * n / size) + 0.08 * np.cos(4 * np.pi * n / size),
         "none": np.ones(size)}[shape]  # fmt: skip
    x = np.pad(x, size // 2, mode=pad) if pad else x
    frames = np.stack([x[a : a + size] * w for a in range(0, len(x) - size + 1, hop)])
    s = np.abs(np.fft.rfft(frames)) ** power
    to = (
        (lambda f: 2595 * np.log10(1 + f / 700))
        if scale == "htk"
        else (lambda f: np.where(f < 1000, f * 0.015, 15 + np.log(np.maximum(f, 1000) / 1000) / (np.log(6.4) / 27)))
    )
    marks = np.linspace(to(np.float64(0)), to(np.float64(rate / 2)), 122)
    f = (
        700 * (10 ** (marks / 2595) - 1)
        if scale == "htk"
        else np.where(marks < 15, marks / 0.015, 1000 * np.exp((marks - 15) * np.log(6.4) / 27))
    )
    bins = np.linspace(0, rate / 2, size // 2 + 1) if size % 2 == 0 else np.arange(size // 2 + 1) * rate / size
    m = np.zeros((120, len(bins)))
    for b in range(120):
        m[b] = np.maximum(0, np.minimum((bins - f[b]) / (f[b + 1] - f[b]), (f[b + 2] - bins) / (f[b + 2] - f[b + 1])))
        m[b] *= 2 / (f[b + 2] - f[b]) if norm else 1
    e = np.maximum(s @ m.T, floor)
    level = 10 * np.log10(e) if kind == "db" else np.log(e)
    level = level - level.max() if relative else level
    level = np.maximum(level, level.max() - span)
    return ((level + 40) / 40)[None].astype(np.float32)


def spectrum(say, **options):
    return say, Otherwise(heard, options)


def heard(inputs, **options):
    return {"input": mels(inputs["clip"], **options)}


def windowed(rng):
    name = str(rng.choice(["hamming", "blackman", "none"]))
    return spectrum(name, shape=name)


def hopped(rng):
    value = int(rng.choice([128, 159, 161, 320, 80]))
    return spectrum(f"hop {value}", hop=value)


def padded(rng):
    value = rng.choice(["reflect", ""])
    return spectrum(f"padding {value or 'none'}", pad=str(value))


def floored(rng):
    value = float(rng.choice([1e-6, 1e-5, 1e-4]))
    return spectrum(f"floor {value}", floor=value)


def spanned(rng):
    value = int(rng.choice([40, 60, 100]))
    return spectrum(f"{value} dB", span=value)


def emphasised(rng):
    value = float(rng.choice([0.97, 0.95]))
    return f"pre-emphasis {value}", lambda i, r: {
        "clip": (i_clip(r) - value * np.concatenate([[0], i_clip(r)[:-1]])).astype(np.float32)
    }


def i_clip(r):
    return r["clip"].astype(np.float64)


def later(rng):
    shift = int(rng.integers(20, 3000))
    return f"{shift} samples later", lambda i, r: {
        "clip": np.concatenate([r["clip"][shift:], np.zeros(shift, np.float32)])
    }


SPEECH = (
    Fault(name="window", stage="spectrogram", causes=("window",), make=windowed),
    Fault(name="hop", stage="spectrogram", causes=("hop",), make=hopped),
    Fault(name="padding", stage="spectrogram", causes=("centre-padding",), make=padded),
    Fault(name="htk", stage="spectrogram", causes=("mel-scale",), make=lambda rng: spectrum("HTK scale", scale="htk")),
    Fault(name="norm", stage="spectrogram", causes=("mel-norm",), make=lambda rng: spectrum("bands not normalised", norm=False)),
    Fault(name="power", stage="spectrogram", causes=("mel-power", "log-base"), make=lambda rng: spectrum("magnitudes", power=1)),
    Fault(name="floor", stage="spectrogram", causes=("log-floor",), make=floored),
    Fault(name="log", stage="spectrogram", causes=("log-base", "log-kind"), make=lambda rng: spectrum("natural logarithm", kind="ln")),
    Fault(name="rate", stage="spectrogram", causes=("sample-rate",), make=lambda rng: spectrum("bands for 22050 Hz", rate=22050)),
    Fault(name="range", stage="spectrogram", causes=("log-range", "knob-span"), make=spanned),
    Fault(name="reference", stage="spectrogram", causes=("log-reference",), make=lambda rng: spectrum("absolute levels", relative=False)),
    Fault(name="emphasis", stage="repeat", causes=("pre-emphasis",), make=emphasised),
    Fault(name="later", stage="repeat", causes=("audio-crop",), make=later),
    Fault(name="half", stage="spectrogram", causes=("float16",), make=fixed("float16", lambda i, r: {"input": half(r["input"])})),
)  # fmt: skip


# --- wake ----------------------------------------------------------------------------------------------------------
SCALE, ZERO = 0.10196078568696976, -128


ROUNDINGS = {"to even": np.round, "truncated": np.trunc, "rounded up": np.ceil}


def requantised(inputs, *, rounding="to even", scale=SCALE, zero=ZERO):
    x = ROUNDINGS[rounding](inputs["mel"].astype(np.float64) / scale)
    return {"input_audio": np.clip(x + zero, -128, 127).astype(np.int8)}


def quantised(say, **options):
    return say, Otherwise(requantised, options)


def rounded(rng):
    way = str(rng.choice(["truncated", "rounded up"]))
    return quantised(way, rounding=way)


def zeroed(rng):
    zero = int(rng.choice([-127, -126, -129, 0]))
    return quantised(f"zero point {zero}", zero=zero)


def rescaled(rng):
    scale = float(rng.choice([26 / 256, 0.1, SCALE * 1.05, SCALE * 0.9]))
    return quantised(f"scale {scale:.5g}", scale=scale)


WAKE = (
    Fault(name="features not reset", stage="features", causes=("state-not-reset",), memory="never"),
    Fault(name="features reset", stage="features", causes=("state-reset-each-step",), memory="always"),
    Fault(name="features late", stage="features", causes=("input-one-step-late",), memory="late input"),
    Fault(name="features stale", stage="features", causes=("stale-first-frame",), memory="first input"),
    Fault(name="features behind", stage="features", causes=("state-off-by-one",), memory="late state"),
    Fault(name="vote behind", stage="vote", causes=("state-off-by-one",), memory="late state"),
    Fault(name="rounding", stage="quantize", causes=("quantise-rounding",), make=rounded),
    Fault(name="zero point", stage="quantize", causes=("zero-point", "knob-zero"), make=zeroed),
    Fault(name="scale", stage="quantize", causes=("quantise-scale", "normalisation"), make=rescaled),
    Fault(name="unsigned", stage="quantize", causes=("signed-unsigned",),
          make=fixed("uint8", lambda i, r: {"input_audio": (r["input_audio"].view(np.uint8) ^ 0x80).view(np.int8)})),
    Fault(name="model not reset", stage="model", causes=("state-not-reset",), memory="never"),
    Fault(name="model reset", stage="model", causes=("state-reset-each-step",), memory="always"),
    Fault(name="vote not reset", stage="vote", causes=("state-not-reset",), memory="never"),
    Fault(name="vote reset", stage="vote", causes=("state-reset-each-step",), memory="always"),
    Fault(name="vote late", stage="vote", causes=("input-one-step-late", "stale-output"), memory="late input"),
)  # fmt: skip
