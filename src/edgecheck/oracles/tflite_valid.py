"""Whether a TFLite file that an engine refuses is a valid one: LiteRT's own kernels are asked to prepare it.

What an operator of TFLite may be is said by its kernels alone. Where they refuse a file too (inputs of two types, sizes
that do not broadcast, an input that is left out), the refusal says nothing of the engine. That LiteRT has no kernel, or
none for a type, says nothing of the file.
"""

from __future__ import annotations

import re

from edgecheck.oracles import isolated

SECONDS = 20.0
#: What LiteRT refuses for its own sake.
_ITS_OWN = re.compile(
    r"[Dd]idn't find op|[Uu]nresolved|[Uu]nsupported|[Nn]ot (currently |yet )?(supported|implemented)"
)


def complaint(content: bytes) -> str | None:
    """What LiteRT says against the file itself; None where it is prepared, or where nothing can be said."""
    ran = isolated(lambda: _refusal(content), seconds=SECONDS)
    told = str(ran.value or "")
    return told if told and not _ITS_OWN.search(told) else None


def restated(content: bytes) -> str | None:
    """What is wrong with the shapes that the file states of its outputs: LiteRT makes others. None where nothing is."""
    return isolated(lambda: _restated(content), seconds=SECONDS).value or None


def _restated(content: bytes) -> str:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(model_content=content, experimental_op_resolver_type=plain, num_threads=1)
    stated = [one["shape"].tolist() for one in interpreter.get_output_details()]
    interpreter.allocate_tensors()
    made = [one["shape"].tolist() for one in interpreter.get_output_details()]
    return f"it states {stated} of its outputs, which become {made}" if stated != made else ""


def _refusal(content: bytes) -> str:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    try:
        Interpreter(model_content=content, experimental_op_resolver_type=plain, num_threads=1).allocate_tensors()
    except (RuntimeError, ValueError) as error:
        return " ".join(str(error).split())
    return ""
