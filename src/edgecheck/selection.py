"""Which models and which targets a command speaks of: arguments and configuration into points."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from edgecheck.check import point
from edgecheck.errors import EdgecheckError
from edgecheck.results import TargetPoint
from edgecheck.tables import bundle
from edgecheck.tables.optable import OpTable

MODEL_SUFFIXES = (".onnx", ".tflite", ".lite", ".mlpackage", ".mlmodel", ".pte", ".pt2")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFile:
    """A file to check: named on the command line, or found in a folder that was."""

    path: Path
    found: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """A point of a target and the devices that asked for it."""

    point: TargetPoint
    devices: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """`edgecheck.toml`, or `[tool.edgecheck]` of the nearest pyproject.toml.

    `warnings`: a sentence for each pyproject.toml that could not be read on the way, and was passed over.
    """

    targets: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    fail_on: Literal["error", "warning", "never"] | None = None
    warnings: tuple[str, ...] = ()


def configuration(start: Path) -> Configuration:
    """The configuration that holds for `start`; empty where there is none. Raises (2) for one that is wrong.

    A pyproject.toml that cannot be read belongs to other tools too: one that names edgecheck is an error, as it is
    for ruff, since what it asks for must not be lost; any other is passed over with a warning.
    """
    warnings: list[str] = []
    for folder in (start, *start.parents):
        for name in ("edgecheck.toml", "pyproject.toml"):
            path = folder / name
            if (table := _table(path, warnings) if _is_file(path) else None) is not None:
                return replace(_configuration(table, path), warnings=tuple(warnings))
        if (folder / ".git").exists():
            break
    return Configuration(warnings=tuple(warnings))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a folder above that may not be entered holds nothing for us
        return False


#: What a table for us begins with: [tool.edgecheck], [tool], tool.edgecheck = …, tool = {…}
_OURS = re.compile(rb"""^[ \t]*\[?[ \t]*["']?tool["']?[ \t]*(?:[]=]|\.[ \t]*["']?edgecheck)""", re.M)


def _table(path: Path, warnings: list[str]) -> Any:
    """Our table in a file; None where there is none in it. The parser is only loaded for a file that may have one."""
    content = b""
    try:
        content = path.read_bytes()
        if path.name == "pyproject.toml" and not _OURS.search(content):
            return None
        import tomllib

        document = tomllib.loads(content.decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        problem = f"{path}: {getattr(error, 'strerror', None) or error}"
        if path.name == "edgecheck.toml" or b"edgecheck" in content:
            raise EdgecheckError(problem) from None
        warnings.append(f"{problem}; passed over, since it does not name edgecheck")
        return None
    if path.name == "edgecheck.toml":
        return document
    tool = document.get("tool")
    return tool.get("edgecheck") if isinstance(tool, dict) else None


def _configuration(table: Any, path: Path) -> Configuration:
    known: dict[str, type] = {"targets": list, "devices": list, "set": dict, "fail-on": str}
    if not isinstance(table, dict):
        raise EdgecheckError(f"{path}: [tool.edgecheck] must be a table, not a {type(table).__name__}")
    for key, value in table.items():
        if key not in known:
            raise EdgecheckError(f"{path}: unexpected key '{key}'", help=f"known: {', '.join(known)}")
        if not isinstance(value, known[key]):
            raise EdgecheckError(f"{path}: '{key}' must be a {known[key].__name__}, not a {type(value).__name__}")
        wrong = [one for one in (value if isinstance(value, list) else ()) if not isinstance(one, str)]
        wrong += [one for one in (value.values() if isinstance(value, dict) else ()) if isinstance(one, (list, dict))]
        if wrong:
            raise EdgecheckError(f"{path}: '{key}' holds {wrong[0]!r}, which is no name")
    if table.get("fail-on", "warning") not in ("error", "warning", "never"):
        raise EdgecheckError(f"{path}: 'fail-on' must be error, warning or never")
    return Configuration(
        targets=tuple(table.get("targets", ())),
        devices=tuple(table.get("devices", ())),
        settings={name: str(value) for name, value in table.get("set", {}).items()},
        fail_on=table.get("fail-on"),
    )


def models(arguments: Iterable[str]) -> list[ModelFile]:
    """The model files named, folders searched; each once. Raises (2) when there is none."""
    files: dict[Path, bool] = {}  # path → whether it was only found
    for argument in arguments:
        if not argument:
            raise EdgecheckError("a model's name is empty", help="is a variable of the shell not set?")
        path = Path(argument)
        if path.suffix not in {".mlpackage", ".mlmodelc"} and _is_folder(path):
            inside = sorted(_inside(path))
            if not inside:
                raise EdgecheckError(f"{path} holds no model", help=f"looked for {', '.join(MODEL_SUFFIXES)}")
            for one in inside:
                files.setdefault(one, True)
        else:
            files[path] = False
    if not files:
        raise EdgecheckError("no model was named", help="edgecheck check MODEL [MODEL …]")
    return [ModelFile(path=path, found=found) for path, found in files.items()]


def _inside(folder: Path) -> Iterator[Path]:
    """The models below a folder by their names, packages whole, links to folders not followed.

    A folder that may not be entered comes too: reading it says so.
    """
    closed: list[Path] = []
    for at, folders, names in os.walk(folder, onerror=lambda error: closed.append(Path(error.filename))):
        packages = [name for name in folders if name.lower().endswith((".mlpackage", ".mlmodelc"))]
        folders[:] = [name for name in folders if name not in packages]
        for name in (*names, *packages):
            if Path(name).suffix.lower() in MODEL_SUFFIXES:
                yield Path(at, name)
    if folder in closed:
        raise EdgecheckError(f"{folder} may not be read")
    yield from (path for path in closed if os.path.lexists(path))  # a folder that is gone by now holds nothing


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError as error:  # a name too long, a folder that may not be entered
        raise EdgecheckError(f"{path} cannot be read: {error.strerror}") from None


def separated(values: Sequence[str] | None, option: str = "the list") -> list[str]:
    """`--target a,b --target c` as [a, b, c]; raises (2) where values are given that name nothing."""
    found = [part.strip() for value in values or () for part in value.split(",") if part.strip()]
    if values and not found:
        raise EdgecheckError(f"{option} names nothing")
    return found


def assignments(values: Sequence[str] | None) -> dict[str, str]:
    """`--set NAME=VALUE` as a mapping; raises (2) for one without `=`."""
    pairs = {}
    for value in values or ():
        name, equals, setting = value.partition("=")
        if not equals or not name.strip():
            raise EdgecheckError(f"--set takes NAME=VALUE, not '{value}'")
        pairs[name.strip()] = setting.strip()
    return pairs


_Wanted = tuple[str, str | None, dict[str, Any], str | None]  # target, version, settings, device


def _of_device(name: str) -> list[_Wanted]:
    from edgecheck.tables import devices

    device = devices.get(name)
    return [(one.id, one.version, dict(one.settings), device.id) for one in device.targets]


def selections(targets: Sequence[str], devices: Sequence[str], settings: Mapping[str, str]) -> list[Selection]:
    """The points asked for by name; empty when nothing is. Raises (2) for an unknown name or setting."""
    wanted: list[_Wanted] = []
    for name in targets:
        target, sign, version = name.partition("@")
        if sign and not version:
            raise EdgecheckError(f"'{name}' names no version", help=f"say {target}@VERSION, or {target} for the newest")
        wanted.append((target, version or None, {}, None))
    for name in devices:
        wanted += _of_device(name)
    chosen: dict[tuple[Any, ...], Selection] = {}
    used: set[str] = set()
    for target, at, given, device_id in wanted:
        table = bundle.load(target)
        own = fitting(table, settings)
        used |= own.keys()
        made = point(table, at, {**given, **own})
        key = (target, made.version, tuple(sorted((k, str(v)) for k, v in made.settings.items())))
        before = chosen[key].devices if key in chosen else ()
        chosen[key] = Selection(point=made, devices=before + ((device_id,) if device_id else ()))
    _refuse_unused(settings, used, [one.point for one in chosen.values()])
    return list(chosen.values())


def fitting(table: OpTable, settings: Mapping[str, str]) -> dict[str, str]:
    """The settings that this target has, with a value that it can take: config=ethos-u55-64 is none of ethos-u85."""
    fit = {}
    for name, value in settings.items():
        one = table.settings.get(name)
        if one is not None and (not one.values or value in map(str, one.values)):
            fit[name] = value
    return fit


def _refuse_unused(settings: Mapping[str, str], used: set[str], points: Sequence[TargetPoint]) -> None:
    unused = sorted(settings.keys() - used)
    if unused and not points:
        points = [point(bundle.load(name)) for name in bundle.targets()]
        unused = [name for name in unused if not any(fitting(one.table, {name: settings[name]}) for one in points)]
    for one in points:
        if unused and unused[0] in one.table.settings:
            point(one.table, None, {unused[0]: settings[unused[0]]})  # says which values there are
    if unused:
        known = sorted({name for one in points for name in one.table.settings})
        help = f"their settings: {', '.join(known)}" if known else "they have no settings"
        raise EdgecheckError(
            f"none of {', '.join(sorted({p.table.id for p in points}))} has a setting '{unused[0]}'", help=help
        )


def bundled(format: str, settings: Mapping[str, str]) -> list[Selection]:
    """Every bundled target of a format whose table holds a fact, at its newest point."""
    return (
        selections(bundle.deciding(format), (), settings)
        if not settings
        else [
            Selection(point=point(table, None, fitting(table, settings)), devices=())
            for table in map(bundle.load, bundle.deciding(format))
        ]
    )
