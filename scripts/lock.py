"""Compile requirements/*.in into pins with hashes. torch is left out: pip takes it first (environments.FIRST)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "requirements"
LEFT_OUT = {
    "torch": ["torch"],
    "executorch": ["torch"],
    "tf": ["tensorflow"],  # tensorflow-cpu brings the same files
}
#: Requirements that are not met: pnnx's program needs no torch; rknn-toolkit2 asks for a torch that is older than the
#: one that is installed first, and for the opencv with windows.
NOT_MET = {"ncnn": ["torch"], "rknn": ["torch", "opencv-python"]}


def main() -> None:
    """All of them, or those named on the command line."""
    uv = Path(sys.executable).with_name("uv")
    env = {**os.environ}
    if "PIP_FIND_LINKS" in env:
        env["UV_FIND_LINKS"] = env["PIP_FIND_LINKS"]
    for source in sorted(FOLDER.glob("*.in")):
        if sys.argv[1:] and source.stem not in sys.argv[1:]:
            continue
        command = [uv, "pip", "compile", "--quiet", "--generate-hashes", "--no-header", "--python-version", "3.11"]
        for name in LEFT_OUT.get(source.stem, ()):
            command += ["--no-emit-package", name]
        overrides = "".join(f"{name}; python_version < '3'\n" for name in NOT_MET.get(source.stem, ()))
        if overrides:
            command += ["--override", "-"]
        target = source.with_suffix(".txt")
        subprocess.run(
            [*command, source.name, "-o", target.name], cwd=FOLDER, check=True, env=env, input=overrides.encode()
        )
        print(target.relative_to(FOLDER.parent))


if __name__ == "__main__":
    main()
