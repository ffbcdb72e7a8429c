"""Install the Kotlin compiler (requirements/kotlin/package-lock.json) into the cache, with npm; it needs Java 17.

Development only: the slow tests of the Kotlin recorder compile with it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

LOCKS = Path(__file__).parents[1] / "requirements" / "kotlin"
CACHE = Path(os.environ.get("EDGECHECK_CACHE") or Path.home() / ".cache" / "edgecheck")


def home() -> Path:
    """Where the compiler lies, installed or not: the folder with `lib`."""
    digest = hashlib.sha256((LOCKS / "package-lock.json").read_bytes()).hexdigest()[:12]
    return CACHE / "envs" / f"kotlin-{digest}" / "node_modules" / "kotlin-compiler"


def install() -> Path:
    """Install what the lock file names; no script of a package is run. Exits with npm's last line where it fails."""
    if home().is_dir():
        return home()
    final = home().parents[1]
    building = final.with_name(f"{final.name}.part-{os.getpid()}")
    building.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(LOCKS / name, building)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--omit-lockfile-registry-resolved=true"]
    try:
        done = subprocess.run(command, cwd=building, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(
                f"the Kotlin compiler cannot be installed: {(done.stderr.strip().splitlines() or ['no message'])[-1]}"
            )
        building.rename(final)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return home()


def compile_to(jar: Path, *sources: Path) -> None:
    """Compile Kotlin sources, warnings being errors, into a jar that `java -jar` runs; exits with what the compiler said."""
    where = install()
    java = shutil.which("java")
    if java is None:
        sys.exit("java was not found: install it (apt-get install openjdk-17-jre-headless)")
    names = (
        "kotlin-compiler",
        "kotlin-stdlib",
        "kotlin-script-runtime",
        "kotlin-reflect",
        "kotlin-daemon-client",
        "trove4j",
        "annotations-13.0",
    )
    jars = [
        str(path)
        for path in sorted((where / "lib").glob("*.jar"))
        if path.stem.startswith(names) or "coroutines" in path.stem
    ]
    command = [java, "-Xmx1g", "-cp", os.pathsep.join(jars), "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler"]
    command += ["-kotlin-home", str(where), "-no-reflect", "-Werror", "-include-runtime", "-d", str(jar)]
    done = subprocess.run([*command, *map(str, sources)], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr[-4000:] or "the Kotlin compiler failed")


if __name__ == "__main__":
    print(install())
