"""A wake word on a microcontroller: 30 ms of sound at a time, 40 mel bands with a memory, int8 net with a memory, vote.

The model is pymicro-wakeword's "okay nabu" (`make models`), which keeps its last frames in variables. The front end is
made after TensorFlow Lite Micro's: noise that is tracked in every band is taken away, then automatic gain and a
logarithm; here in floats. A case is a step of a recording: `okay-nabu@4` follows `okay-nabu@3`.
"""

from __future__ import annotations

import wave
from pathlib import Path

import numpy

from edgecheck.packages import default_folder
from edgecheck.pipeline import Model, Pipeline, Stage, Tolerance, audio, mel, quantized

RATE, STEP, WINDOW, BANDS = 16000, 160, 480, 40
SCALE, ZERO = 0.10196078568696976, -128  # of the model's input
FILE = default_folder() / "pymicro_wakeword" / "pymicro_wakeword" / "models" / "okay_nabu.tflite"


def bank(low=125.0, high=7500.0):
    """(40, 257): triangles on HTK's mel scale."""
    marks = numpy.linspace(1127 * numpy.log1p(low / 700), 1127 * numpy.log1p(high / 700), BANDS + 2)
    places = 1127 * numpy.log1p(numpy.arange(257) * RATE / 512 / 700)
    up = (places - marks[:-2, None]) / numpy.diff(marks)[:-1, None]
    down = (marks[2:, None] - places) / numpy.diff(marks)[1:, None]
    return numpy.clip(numpy.minimum(up, down), 0, None)


def silence():
    """The memory of the front end: the last 320 samples, and the noise of every band."""
    return {"tail": numpy.zeros(WINDOW - STEP, numpy.float32), "noise": numpy.zeros(BANDS, numpy.float64)}


def features(sound, state, *, smoothing=0.025, keep=0.05, strength=0.95, offset=80.0):
    """480 new samples (int16) to (1, 3, 40) float32: three frames, each 10 ms on."""
    samples = numpy.concatenate([state["tail"], sound.astype(numpy.float32)])
    hann = 0.5 - 0.5 * numpy.cos(2 * numpy.pi * (numpy.arange(WINDOW) + 0.5) / WINDOW)
    weights = bank()
    frames = []
    for at in range(0, 3 * STEP, STEP):
        spectrum = numpy.abs(numpy.fft.rfft(samples[at : at + WINDOW] * hann, 512)) ** 2
        energy = numpy.sqrt(weights @ spectrum)
        state["noise"] = (1 - smoothing) * state["noise"] + smoothing * energy
        signal = numpy.maximum(energy - state["noise"], keep * energy)
        gained = signal * 256 / (state["noise"] + offset) ** strength
        frames.append(numpy.log1p(gained) * 64 * 0.0390625)
    state["tail"] = samples[-(WINDOW - STEP) :]
    return {"mel": numpy.stack(frames)[None].astype(numpy.float32)}


def quantize(mel, *, scale=SCALE, zero=ZERO):
    """To the model's int8."""
    return {"input_audio": numpy.clip(numpy.round(mel / scale) + zero, -128, 127).astype(numpy.int8)}


def votes():
    """The memory of the vote: the last five chances."""
    return {"chances": numpy.zeros(5, numpy.float32)}


def vote(chance, state, *, cutoff=0.85):
    """Whether the mean of the last five chances is high enough."""
    state["chances"] = numpy.append(state["chances"][1:], numpy.float32(chance.reshape(-1)[0] / 255))
    mean = float(state["chances"].mean())
    return {"mean": numpy.asarray([mean], numpy.float32), "heard": numpy.asarray([mean > cutoff])}


def cases():
    """Two recordings (made with espeak-ng), in steps of 30 ms: the words, and others."""
    found = {}
    for name in ("okay-nabu", "turn-it-on"):
        with wave.open(str(Path(__file__).with_name(f"{name}.wav"))) as file:
            sound = numpy.frombuffer(file.readframes(file.getnframes()), "<i2")
        for step in range(len(sound) // WINDOW):
            found[f"{name}@{step}"] = {"sound": sound[step * WINDOW : (step + 1) * WINDOW]}
    return found


PIPELINE = Pipeline(
    name="wake",
    inputs={"sound": audio(RATE, high=32768)},
    stages=(
        Stage("features", features, gives={"mel": mel(RATE, "NTM")}, state=silence),
        Stage("quantize", quantize, gives={"input_audio": quantized(SCALE, ZERO)}),
        Stage(
            "model",
            Model(str(FILE), takes={"input_audio": "input_audio"}, gives={"dense_1": "chance"}),
            gives={"chance": quantized(1 / 256)},
        ),
        Stage("vote", vote, state=votes, tolerances={"mean": Tolerance(absolute=0.02)}),
    ),
    cases=cases,
)
