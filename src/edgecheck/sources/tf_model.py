"""TensorFlow sources: a callable, `.keras`, `.h5`, a SavedModel's signature. Exporters get one frozen graph of it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from edgecheck.errors import EdgecheckError
from edgecheck.exporters import Dynamic, ExportRequest, InputOption, InputSpec, Loaded, OutputSpec, Signature
from edgecheck.sources import tf_callee, tf_files, tf_graph, user_code
from edgecheck.sources.tf_graph import Callee

if TYPE_CHECKING:
    import numpy

NEEDS = ("tensorflow", "numpy")
ENVIRONMENT = "tf"


def load(request: ExportRequest) -> Loaded:
    """The source in inference mode, with example inputs; weights are the same for the same seed.

    `extra` has what exporters need: `freeze(fixed=, unrolled=)` gives a `tf_graph.Frozen`, and `graph` is the module
    with the rewrites.
    """
    _quiet()
    import tensorflow as tf

    tf.keras.backend.clear_session()  # layers are numbered from the start, whatever this process loaded before
    tf.keras.utils.set_random_seed(request.seed)
    source = request.source
    dynamic: dict[str, Any] = {}
    given: dict[str, Any] = {}
    if source.kind == "savedmodel":
        function, holder = tf_files.saved_model(source, request.signature)
        callee = tf_callee.of_function(function, holder)
        form = "savedmodel"
    else:
        value, example, dynamic = _parts(request)
        callee, given = tf_callee.callee(value, example, source.text)
        form = "keras" if tf_callee.is_model(value) else "concrete"
    return _loaded(request, callee, given, dynamic, form)


def _quiet() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")


def _parts(request: ExportRequest) -> tuple[Any, Any, dict[str, Any]]:
    """(model, example inputs or None, dynamic) of a Keras file or of what the user's callable returned."""
    source = request.source
    if source.kind != "callable":
        return tf_files.keras_file(source), None, {}
    value = user_code.call(source)
    if isinstance(value, Mapping) and "model" in value:
        unknown = sorted(set(value) - {"model", "inputs", "dynamic"})
        if unknown:
            raise EdgecheckError(
                f"{source.text} returned a dict with {unknown[0]!r}; it may have 'model', 'inputs' and 'dynamic'"
            )
        return value["model"], value.get("inputs"), dict(value.get("dynamic") or {})
    if isinstance(value, tuple):
        if len(value) not in (1, 2):
            raise EdgecheckError(
                f"{source.text} returned a tuple of {len(value)}; it should return {tf_callee.WHAT} as a pair"
            )
        return value[0], value[1] if len(value) == 2 else None, {}
    return value, None, {}


def _loaded(
    request: ExportRequest, callee: Callee, given: dict[str, Any], dynamic: Mapping[str, Any], form: str
) -> Loaded:
    _check(callee, request)
    examples = {name: _example(name, callee, given.get(name), request, i) for i, name in enumerate(callee.names)}
    specs = tuple(_spec(name, examples[name], callee, request.inputs, dynamic) for name in callee.names)
    outputs = _first_run(callee, examples, request)
    signature = Signature(
        inputs=specs, outputs=tuple(OutputSpec(name=n, shape=a.shape, dtype=a.dtype.name) for n, a in outputs.items())
    )
    variables = weight_arrays(callee)
    return Loaded(
        object=callee.holder, form=form, signature=signature, examples=examples,
        run=lambda arrays: run(callee, arrays), weights=lambda: weight_arrays(callee),
        taps=lambda arrays: tf_graph.taps(callee, specs, arrays), notes=_notes(callee, specs),
        parameters=sum(value.size for value in variables.values() if value.dtype.kind == "f"),
        extra={"freeze": lambda **how: tf_graph.freeze(callee, specs, **how), "graph": tf_graph, "callee": callee},
    )  # fmt: skip


def _check(callee: Callee, request: ExportRequest) -> None:
    for option in request.inputs:
        if option.name not in callee.names:
            raise EdgecheckError(f"there is no input {option.name!r}; the model has {', '.join(callee.names)}")
    for name, dtype in zip(callee.names, callee.dtypes, strict=True):
        if dtype in ("string", "resource", "variant"):
            raise EdgecheckError(
                f"{request.source.text}: the input {name} is a {dtype}, which no format here takes",
                help="export a signature whose inputs are numbers, with --signature NAME",
            )


def _option(name: str, request: ExportRequest) -> InputOption | None:
    """What `--input` says of one input."""
    return next((o for o in request.inputs if o.name == name and (o.shape is not None or o.dtype)), None)


def _example(name: str, callee: Callee, given: Any, request: ExportRequest, index: int) -> numpy.ndarray:
    """The user's array, or noise of the shape the model or `--input` names; a free batch is 1."""
    import numpy

    declared, dtype = callee.shapes[callee.names.index(name)], callee.dtypes[callee.names.index(name)]
    option = _option(name, request)
    if option is not None and option.dtype not in (None, dtype):
        raise EdgecheckError(f"--input {name}: {option.dtype}; the model takes {dtype}")
    shape = option.shape if option is not None and option.shape is not None else None
    if shape is None and given is not None:
        array: numpy.ndarray = numpy.asarray(given).astype(dtype)
        _fits(name, array.shape, declared)
        return array
    if shape is None:
        shape = _declared_shape(name, declared, dtype)
    _fits(name, shape, declared)
    rng = numpy.random.default_rng([request.seed, index])
    if dtype.startswith(("int", "uint")):
        made: numpy.ndarray = rng.integers(0, _words(callee), shape).astype(dtype)
        return made
    return rng.standard_normal(shape).astype(dtype)


def _declared_shape(name: str, declared: tuple[int | None, ...] | None, dtype: str) -> tuple[int, ...]:
    if declared is None:
        raise EdgecheckError(f"the input {name} has no declared rank", help=f"say --input {name}:1x224x224x3:{dtype}")
    sizes = [1 if size is None and axis == 0 else size for axis, size in enumerate(declared)]
    if None in sizes:
        text = "x".join("16" if size is None else str(size) for size in sizes)
        raise EdgecheckError(
            f"the input {name} is {'x'.join('?' if s is None else str(s) for s in declared)}: its size is open",
            help=f"say --input {name}:{text}:{dtype}, with the size you want",
        )
    return tuple(size for size in sizes if size is not None)


def _fits(name: str, shape: Sequence[int], declared: tuple[int | None, ...] | None) -> None:
    if declared is None:
        return
    if len(shape) != len(declared) or any(d not in (None, s) for d, s in zip(declared, shape, strict=True)):
        wanted = "x".join("?" if size is None else str(size) for size in declared)
        raise EdgecheckError(f"the input {name} is {wanted}; {'x'.join(map(str, shape))} does not fit")


def _words(callee: Callee) -> int:
    """How many different integers the model's embeddings all know; 2 where it has none."""
    sizes = [int(layer.input_dim) for layer in callee.layers if type(layer).__name__ == "Embedding"]
    return min(sizes, default=2)


def _spec(
    name: str, value: Any, callee: Callee, options: Sequence[InputOption], dynamic: Mapping[str, Any]
) -> InputSpec:
    ranges = {
        int(axis): Dynamic(axis=int(axis), low=int(pair[0]), high=int(pair[1]))
        for axis, pair in (dynamic.get(name) or {}).items()
    }
    ranges |= {item.axis: item for option in options if option.name == name for item in option.dynamic}
    declared = callee.shapes[callee.names.index(name)]
    for item in ranges.values():
        _check_range(name, item, value.shape, declared)
    free = tuple(ranges[axis] for axis in sorted(ranges))
    return InputSpec(name=name, shape=tuple(value.shape), dtype=value.dtype.name, dynamic=free)


def _check_range(name: str, item: Dynamic, shape: Sequence[int], declared: tuple[int | None, ...] | None) -> None:
    if not -len(shape) <= item.axis < len(shape):
        raise EdgecheckError(f"--dynamic {name}:{item.axis}: the input has {len(shape)} dimensions")
    if declared is not None and declared[item.axis] is not None:
        raise EdgecheckError(
            f"--dynamic {name}:{item.axis}: the model fixes this dimension at {declared[item.axis]}",
            help="build the model with None there",
        )
    if not item.low <= shape[item.axis] <= item.high:
        raise EdgecheckError(
            f"--dynamic {name}:{item.axis}:{item.low}..{item.high}: the example's size {shape[item.axis]} is not in it"
        )


def _notes(callee: Callee, specs: Sequence[InputSpec]) -> tuple[str, ...]:
    """Dimensions the source leaves open and this export fixes; unknown shapes from examples are not worth a word."""
    found = []
    for spec, declared in zip(specs, callee.shapes, strict=True):
        if declared is None or (declared and all(size is None for size in declared)):
            continue
        free = {item.axis % len(spec.shape) for item in spec.dynamic}
        for axis, size in enumerate(declared):
            if size is None and axis not in free:
                high = max(8, 2 * spec.shape[axis])
                found.append(
                    f"dimension {axis} of {spec.name} is open in the source and {spec.shape[axis]} in the files; "
                    f"--dynamic {spec.name}:{axis}:1..{high} keeps it open"
                )
    return tuple(found)


def _first_run(callee: Callee, examples: Mapping[str, Any], request: ExportRequest) -> dict[str, Any]:
    try:
        found = run(callee, examples)
    except Exception as error:  # the user's model may raise anything
        raise user_code.failure(f"{request.source.text}: the model fails on its example input", error, "tf") from error
    if not found:
        raise EdgecheckError(f"{request.source.text}: the model returns no tensor")
    return found


def run(callee: Callee, arrays: Mapping[str, Any]) -> dict[str, numpy.ndarray]:
    """The model's outputs by name."""
    import tensorflow as tf

    outputs = callee.call([tf.constant(arrays[name], dtype) for name, dtype in zip(callee.names, callee.dtypes)])
    return {name: value.numpy() for name, value in outputs.items()}


def weight_arrays(callee: Callee) -> dict[str, numpy.ndarray]:
    """Every variable by name: a Keras path, or the name in the SavedModel; a name that repeats gets a number."""
    found: dict[str, Any] = {}
    for variable in _variables(callee.holder):
        name = str(getattr(variable, "path", None) or variable.name).partition(":")[0]
        name = name if name not in found else next(n for i in range(1, 10**6) if (n := f"{name}_{i}") not in found)
        value = variable.numpy()
        if value.dtype.kind in "fiubc":
            found[name] = value
    return found


def _variables(holder: Any) -> Sequence[Any]:
    if isinstance(holder, tuple):  # a concrete function and what it came from
        return tuple(holder[0].graph.variables)
    return tuple(getattr(holder, "variables", ()))
