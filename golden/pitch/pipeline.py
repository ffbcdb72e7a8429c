"""Music transcription: int16 sound at 44.1 kHz to 22.05 kHz, windows of two seconds, basic-pitch, notes.

The model is Spotify's basic-pitch (`make models`); nmp.onnx and nmp.tflite of the same package are twins.
"""

from __future__ import annotations

import numpy

from edgecheck.packages import default_folder
from edgecheck.pipeline import Meaning, Model, Pipeline, Stage, audio, probabilities

RATE, WINDOW, FRAMES = 22050, 43844, 172
LOWEST = 21  # MIDI number of the lowest of 88 notes
FILES = default_folder() / "basic_pitch" / "basic_pitch" / "saved_models" / "icassp_2022"


def halfband(*, taps=63):
    """A low pass of half the band: a windowed sinc, sum 1."""
    n = numpy.arange(taps) - taps // 2
    kernel = 0.5 * numpy.sinc(n / 2) * numpy.hamming(taps)
    return kernel / kernel.sum()


def resample(sound, *, full=32768.0):
    """(samples,) int16 at 44.1 kHz to (samples / 2,) float32 in -1..1 at 22.05 kHz."""
    return {"samples": numpy.convolve(sound / full, halfband(), "same")[::2].astype(numpy.float32)}


def window(samples, *, start=0, gain=1.0):
    """The first two seconds, zeros behind: (1, 43844, 1) float32."""
    part = samples[start : start + WINDOW] * gain
    return {"input": numpy.pad(part, (0, WINDOW - len(part))).reshape(1, WINDOW, 1).astype(numpy.float32)}


def notes(onsets, frames, *, onset=0.5, frame=0.3, shortest=11):
    """Notes that begin at a peak of the onsets and last while the frame holds: (n, 3) pitch, first frame, length."""
    starts, held = onsets[0], frames[0]
    found = []
    for pitch in range(starts.shape[1]):
        column = starts[:, pitch]
        for time in range(1, FRAMES - 1):
            peak = column[time] >= onset and column[time] >= column[time - 1] and column[time] > column[time + 1]
            if not peak:
                continue
            end = time
            while end < FRAMES and held[end, pitch] >= frame:
                end += 1
            if end - time >= shortest:
                found.append((pitch + LOWEST, time, end - time))
    return {"notes": numpy.asarray(sorted(found, key=lambda one: (one[1], one[0])), numpy.int32).reshape(-1, 3)}


def tones(pitches, seconds=1.2, *, seed):
    """A chord of plucked strings, int16 at 44.1 kHz."""
    rng = numpy.random.default_rng(seed)
    time = numpy.arange(int(seconds * 44100)) / 44100
    sound = rng.normal(0, 0.003, time.size)
    for number, pitch in enumerate(pitches):
        base, begin = 440.0 * 2 ** ((pitch - 69) / 12), 0.12 * number
        local = numpy.clip(time - begin, 0, None)
        swell = numpy.minimum(local / 0.01, 1) * numpy.exp(-2.5 * local)
        for k in range(1, 7):
            sound += 0.12 / k * numpy.sin(2 * numpy.pi * k * base * local + rng.uniform(0, 6)) * swell
    return (numpy.clip(sound, -1, 1) * 32767).astype(numpy.int16)


def cases():
    """A chord, a run of notes, a single low note."""
    return {
        "chord": {"sound": tones((60, 64, 67), seed=1)},
        "run": {"sound": tones((57, 60, 62, 64, 69), seed=2)},
        "low": {"sound": tones((45,), seed=3)},
    }


PIPELINE = Pipeline(
    name="pitch",
    inputs={"sound": audio(44100, high=32768)},
    stages=(
        Stage("resample", resample, gives={"samples": audio(RATE)}),
        Stage("window", window, gives={"input": audio(RATE, "NTC")}),
        Stage(
            "model",
            Model(
                str(FILES / "nmp.onnx"),
                takes={"serving_default_input_2:0": "input"},
                gives={
                    "StatefulPartitionedCall:2": "onsets",
                    "StatefulPartitionedCall:1": "frames",
                    "StatefulPartitionedCall:0": "contours",
                },
            ),
            gives={"onsets": probabilities(), "frames": probabilities(), "contours": probabilities()},
        ),
        Stage("notes", notes, gives={"notes": Meaning(kind="labels")}),
    ),
    cases=cases,
)
