"""What may go wrong with a model's numbers or its shape on any device: rules EC6xx, a plugin a file.

A plugin is a module with `find(view) -> Iterator[Finding]`: at most one finding a cause, with a count. A risk is a
note: it fails nothing by itself, and each says what would make it harmless.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

from edgecheck.findings import Finding
from edgecheck.model.graph import Model
from edgecheck.risks.view import View

PLUGINS = ("overflow", "epsilon", "quantized_io", "wide_integers", "unrolled")


def find(model: Model) -> Iterator[Finding]:
    """The risks of a model, by rule."""
    view = View.of(model)
    for name in PLUGINS:
        yield from import_module(f"edgecheck.risks.{name}").find(view)
