"""How good speech sounds: a mel spectrogram of nine seconds, DNSMOS' P.808 net, a mark from 1 to 5.

The model is Microsoft's, from the package speechmos (`make models`). The mel spectrogram is what librosa computes by
default: Hann window of 321, hop of 160, centred with zeros, 120 bands after Slaney, decibels under the loudest.
"""

from __future__ import annotations

import numpy

from edgecheck.packages import default_folder
from edgecheck.pipeline import Meaning, Model, Pipeline, Stage, audio, mel

RATE, SAMPLES = 16000, 144160
FILE = default_folder() / "speechmos" / "speechmos" / "dnsmos_models" / "model_v8.onnx"


def repeat(samples):
    """(samples,) float32 at 16 kHz, repeated and cut to nine seconds and a hop: (144000,)."""
    times = -(-SAMPLES // len(samples))
    return {"clip": numpy.tile(samples, times)[: SAMPLES - 160].astype(numpy.float32)}


def spectrogram(clip, *, size=321, hop=160, bands=120, floor=1e-10, span=80.0):
    """(144000,) to (1, frames, 120) float32: decibels under the loudest, plus 40, over 40."""
    padded = numpy.pad(clip, size // 2)
    count = 1 + (len(padded) - size) // hop
    frames = padded[numpy.arange(count)[:, None] * hop + numpy.arange(size)]
    hann = 0.5 - 0.5 * numpy.cos(2 * numpy.pi * numpy.arange(size) / size)
    power = numpy.abs(numpy.fft.rfft(frames * hann)) ** 2
    energy = numpy.maximum(power @ slaney(size, bands).T, floor)
    level = 10 * numpy.log10(energy / energy.max())
    return {"input": ((numpy.maximum(level, level.max() - span) + 40) / 40)[None].astype(numpy.float32)}


def slaney(size, bands):
    """(bands, size // 2 + 1): triangles on Slaney's scale (linear to 1 kHz, then logarithmic), of equal area."""
    top = 15 + numpy.log(RATE / 2 / 1000) / (numpy.log(6.4) / 27)
    marks = numpy.linspace(0, top, bands + 2)
    edges = numpy.where(marks < 15, marks * 200 / 3, 1000 * numpy.exp(numpy.log(6.4) / 27 * (marks - 15)))
    bins = numpy.arange(size // 2 + 1) * RATE / size
    up = (bins - edges[:-2, None]) / numpy.diff(edges)[:-1, None]
    down = (edges[2:, None] - bins) / numpy.diff(edges)[1:, None]
    return numpy.clip(numpy.minimum(up, down), 0, None) * (2 / (edges[2:] - edges[:-2]))[:, None]


def mark(score):
    """The mark, rounded as it is shown."""
    return {"shown": numpy.asarray([f"{float(score.reshape(-1)[0]):.1f}"], dtype=object)}


def voice(seconds, *, pitch, noise, seed):
    """Something like speech: a pulse train through moving formants, with pauses and noise; float32 at 16 kHz."""
    rng = numpy.random.default_rng(seed)
    time = numpy.arange(int(seconds * RATE)) / RATE
    base = pitch * (1 + 0.08 * numpy.sin(2 * numpy.pi * 0.7 * time))
    phase = 2 * numpy.pi * numpy.cumsum(base) / RATE
    sound = numpy.zeros(time.size)
    for k in range(1, 28):
        formant = sum(
            numpy.exp(-(((k * base - centre * (1 + 0.2 * numpy.sin(2 * numpy.pi * speed * time))) / 130) ** 2))
            for centre, speed in ((600, 1.3), (1500, 2.1), (2600, 0.9))
        )
        sound += formant * numpy.sin(k * phase)
    sound *= numpy.clip(numpy.sin(2 * numpy.pi * 1.7 * time) + 0.4, 0, 1)
    return (0.25 * sound / numpy.abs(sound).max() + rng.normal(0, noise, time.size)).astype(numpy.float32)


def cases():
    """A low voice, a high one, a noisy one."""
    return {
        "low": {"samples": voice(1.6, pitch=110, noise=0.001, seed=1)},
        "high": {"samples": voice(1.3, pitch=210, noise=0.002, seed=2)},
        "noisy": {"samples": voice(1.9, pitch=140, noise=0.02, seed=3)},
    }


PIPELINE = Pipeline(
    name="speech",
    inputs={"samples": audio(RATE)},
    stages=(
        Stage("repeat", repeat, gives={"clip": audio(RATE)}),
        Stage("spectrogram", spectrogram, gives={"input": mel(RATE, "NTM")}),
        Stage(
            "model",
            Model(str(FILE), takes={"input_1": "input"}, gives={"Identity:0": "score"}),
            gives={"score": Meaning()},
        ),
        Stage("mark", mark, gives={"shown": Meaning(kind="text")}),
    ),
    cases=cases,
)
