"""Importing and calling the user's own function, in a child process; its errors become sentences with a place."""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from edgecheck.errors import EdgecheckError
from edgecheck.exporters import Source
from edgecheck.worker import first_line, user_place

#: Never taken from the user's own packages: the locked environment has the version that works, or none on purpose.
LOCKED = frozenset({
    "torch", "tensorflow", "keras", "tf_keras", "jax", "jaxlib", "coremltools", "onnx", "onnxscript", "onnxruntime",
    "litert_torch", "ai_edge_litert", "numpy", "google", "torchao", "edgecheck",
})  # fmt: skip

#: Whose environment has a framework's own package.
FRAMEWORKS = {"torch": "torch", "tensorflow": "tf", "keras": "tf", "tf_keras": "tf"}


def call(source: Source) -> Any:
    """What the user's callable returns. Raises `EdgecheckError` for whatever goes wrong in it."""
    _see_user_packages()
    module = _import(source)
    target = getattr(module, str(source.callable), None)
    if target is None:
        names = ", ".join(
            n for n, v in vars(module).items() if callable(v) and getattr(v, "__module__", "") == module.__name__
        )
        raise EdgecheckError(f"{source.text}: there is no {source.callable}", help=f"it has {names}" if names else None)
    if not callable(target) or _is_model(target):
        return target
    try:
        return target()
    except EdgecheckError:
        raise
    except (Exception, SystemExit) as error:  # the user's code may raise anything
        raise failure(f"{source.text} raised", error, source.framework) from error


def _is_model(target: Any) -> bool:
    """A model object is callable too, but it is the model itself and not what makes it."""
    telling = ({"parameters", "eval"}, {"trainable_variables"}, {"get_concrete_function"})  # torch, Keras, TensorFlow
    return not isinstance(target, type) and any(all(hasattr(target, n) for n in names) for names in telling)


def _import(source: Source) -> ModuleType:
    try:
        if source.path is None:
            sys.path.insert(0, os.getcwd())  # noqa: PTH109
            return importlib.import_module(str(source.module))
        sys.path.insert(0, str(Path(source.path).parent))
        spec = importlib.util.spec_from_file_location(Path(source.path).stem, source.path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        return module
    except (Exception, SystemExit) as error:  # the user's code may raise anything
        raise failure(f"{source.text} cannot be imported", error, source.framework) from error


def failure(says: str, error: BaseException, framework: str) -> EdgecheckError:
    """`says: Type: message (file.py:23)`, with a remedy where one is known; `framework` is the source's."""
    place = user_place(error)
    if isinstance(error, SyntaxError) and error.filename:
        place = f"{Path(error.filename).name}:{error.lineno}"
    where = f" ({place})" if place else ""
    message = first_line(error)
    name = type(error).__name__
    return EdgecheckError(f"{says}: {name}{': ' if message else ''}{message}{where}", help=_remedy(error, framework))


def line(error: BaseException) -> str:
    """An exception in one line."""
    return f"{type(error).__name__}: {first_line(error)}"


def _remedy(error: BaseException, framework: str) -> str | None:
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return None
    root = error.name.partition(".")[0]
    other = FRAMEWORKS.get(root, framework)
    if other != framework:
        return f"this ran as a {framework} source; if it is a {other} one, say --framework {other}"
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    variable = f"EDGECHECK_{framework.upper()}_PYTHON"
    return f"install {root} beside edgecheck (Python {version}), or let {variable} name one that has it"


class _UserPackages:
    """Finds top-level packages that this environment lacks among those of the environment edgecheck runs in."""

    def __init__(self, paths: Sequence[str]) -> None:
        self.paths = list(paths)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if path is not None or name.partition(".")[0] in LOCKED:
            return None
        return importlib.machinery.PathFinder.find_spec(name, self.paths)


def _see_user_packages() -> None:
    paths = [p for p in os.environ.get("EDGECHECK_USER_PATH", "").split(os.pathsep) if p and p not in sys.path]
    here = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    same = [path for path in paths if here in Path(path).parts]
    if same:
        sys.meta_path.append(_UserPackages(same))
