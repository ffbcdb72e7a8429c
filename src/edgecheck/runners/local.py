"""This machine: LiteRT with XNNPACK or its own kernels, ONNX Runtime, tflite-runtime. Its latency is no phone's."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from pathlib import Path

from edgecheck.runners import Engine

NAME = "local"
RUNTIMES: Mapping[str, tuple[str, ...]] = {
    "tflite": ("litert", "litert-builtin", "tflite-runtime"),
    "onnx": ("onnxruntime",),
}
_ENGINES: Mapping[str, Engine] = {
    "litert": Engine(runtime="litert"),
    "litert-builtin": Engine(runtime="litert", options={"kernels": "builtin"}),
    "tflite-runtime": Engine(runtime="tflite_runtime"),
    "onnxruntime": Engine(runtime="onnxruntime"),
}


def engine(path: Path, format: str, runtime: str) -> Engine:
    """See `Runner`."""
    return _ENGINES[runtime]


def device() -> dict[str, str]:
    """This host; `kind` = "host" says that it stands for no device."""
    return {
        "model": "host", "kind": "host", "chip": _chip(), "os": f"{platform.system()} {platform.release()}",
        "fingerprint": platform.platform(),
    }  # fmt: skip


def _chip() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Hardware"))]
    return f"{names[0]} ({platform.machine()})" if names else platform.machine()


def conditions() -> dict[str, str | int]:
    """The first CPU's governor and whether a battery feeds the machine, where the kernel says so."""
    found: dict[str, str | int] = {}
    governor = _line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    if governor:
        found["governor"] = governor
    status = _line("/sys/class/power_supply/BAT0/status")
    if status:
        found["power"] = "battery" if status == "Discharging" else "mains"
    return found


def _line(path: str) -> str:
    try:
        return Path(path).read_text("utf-8").strip()
    except OSError:
        return ""
