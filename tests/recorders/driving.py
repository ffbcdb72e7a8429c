"""Plays the same calls into a recorder in any language: into Python's at once, into another's through its driver."""

from __future__ import annotations

import select
import subprocess
from pathlib import Path

from edgecheck.golden.recorder import Recorder

MOST = 1 << 28


class Driver:
    """A process that plays scripts, one after the other."""

    def __init__(self, command, **popen):
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8", **popen
        )

    def play(self, calls, folder):
        """What went wrong, or nothing."""
        self.process.stdin.write("\n".join(script(calls, folder)) + "\n")
        self.process.stdin.flush()
        if not select.select([self.process.stdout], [], [], 60)[0]:
            self.process.kill()
        answer = self.process.stdout.readline()
        assert answer.endswith("\n"), f"the driver died of {calls!r}"
        return answer.rstrip("\n")

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(60)


def hexed(text):
    """Bytes or text as a token; text that is no Unicode as units of UTF-16."""
    if isinstance(text, str) and any("\ud800" <= sign <= "\udfff" for sign in text):
        return "u" + text.encode("utf-16-be", "surrogatepass").hex()
    return "x" + (text.encode("utf-8") if isinstance(text, str) else text).hex()


def script(calls, folder):
    """Lines as the drivers read them."""
    for call, *given in calls:
        if call == "open":
            pipeline, stages, most, keep_last = given
            yield " ".join(
                ["open", hexed(str(folder)), hexed(pipeline), str(most), str(int(keep_last)), *map(hexed, stages)]
            )
        elif call == "fact":
            section, key, value = given
            yield f"fact {section} {hexed(key)} {f'n {value}' if isinstance(value, int) else f't {hexed(value)}'}"
        elif call in ("time", "case"):
            yield f"{call} {hexed(given[0])}"
        elif call in ("launch", "sample"):
            yield f"{call} {hexed(given[0])} {given[1]}"
        elif call == "tensor":
            stage, name, dtype, shape, content, withhold, aggregates = given
            sizes = ",".join(map(str, shape)) or "-"
            texts = isinstance(content, list)
            parts = ["strings" if texts else "tensor", hexed(stage), hexed(name), *([] if texts else [dtype]), sizes]
            parts += [] if texts else [hexed(content)]
            yield " ".join([*parts, withhold or "-", str(int(aggregates)), *(map(hexed, content) if texts else [])])
    yield "close"


def python(calls, folder: Path):
    """What went wrong, or nothing."""
    (_, pipeline, stages, most, keep_last), *rest = calls
    times = [given[0] for call, *given in rest if call == "time"]
    # Elsewhere the time is a call, and one that is refused stays refused; here it is given once.
    time = next((one for one in times if len(one) > 2000), times[-1] if times else "")
    recorder = Recorder(str(folder), pipeline, stages, most=most, keep_last=keep_last, time=time)
    for call, *given in rest:
        if call == "tensor":
            stage, name, dtype, shape, content, withhold, aggregates = given
            recorder.tensor(stage, name, content, dtype=dtype, shape=shape, withhold=withhold, aggregates=aggregates)
        elif call != "time":
            getattr(recorder, call)(*given)
    assert recorder.finish() == (not recorder.error)
    return recorder.error


def held(folder):
    return {one.name: one.read_bytes() for one in folder.iterdir()}
