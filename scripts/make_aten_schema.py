"""Write the ATen operator schemas that the ExecuTorch readers need: argument names, their kinds and defaults.

    ENVIRONMENT/bin/python scripts/make_aten_schema.py   # ENVIRONMENT: the executorch one, of `edgecheck doctor`

One line per overload, sorted: `aten.add.Tensor self:T other:T alpha=1`. `:T` is a tensor, `:L` a list of tensors;
what follows `=` is the default as JSON without spaces. Operators of training, of other devices and the in-place ones
are left out: torch.export writes none of them.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parents[1] / "src/edgecheck/model/formats/aten_schema.txt"
NAMESPACES = ("aten", "dim_order_ops", "quantized_decomposed", "executorch_prim", "torchao")
LEFT_OUT = re.compile(
    r"backward|_foreach|_fused|cudnn|miopen|mkldnn|sparse|_nested|_jagged|_test|_autograd|_cuda|_mps|_xpu|rowwise_prune"
    r"|^aten\.(set|record|is_|get_|_assert|_print|sym_|to_|from_|qscheme|backward|retain|requires|_version|data\.)"
    r"|generator|names|Dimname|dimname|_hacked|\.[a-z_]*str$|^aten\.__|^aten\._?(cudnn|thnn)"
)
MADE_OF_NOTHING = re.compile(r"aten\.(full|arange|ones|zeros|empty|linspace|scalar_tensor|eye)")


def kind(type_name: str) -> str:
    if type_name in ("Tensor", "Optional[Tensor]"):
        return ":T"
    return ":L" if type_name in ("List[Tensor]", "List[Optional[Tensor]]", "Optional[List[Tensor]]") else ""


def default(value: Any) -> str:
    """JSON; what JSON has no word for (a dtype, a layout) is left out."""
    if isinstance(value, list):
        value = list(value)
    if value is not None and not isinstance(value, (bool, int, float, str, list)):
        return ""
    text = json.dumps(value, separators=(",", ":"))
    return "" if " " in text else "=" + text


def line(schema: Any) -> str:
    name = schema.name.replace("::", ".") + "." + (schema.overload_name or "default")
    parts = [name]
    for argument in schema.arguments:
        part = argument.name + kind(str(argument.type))
        if argument.has_default_value() and not kind(str(argument.type)):
            part += default(argument.default_value)
        parts.append(part)
    return " ".join(parts)


def main() -> None:
    import executorch.exir.dialects._ops
    import executorch.exir.passes.dim_order_ops_registry
    import torch
    import torchao.quantization.pt2e  # noqa: F401  # registers quantized_decomposed

    del executorch
    schemas = torch._C._jit_get_all_schemas()
    lines = {
        line(schema)
        for schema in schemas
        if schema.name.split("::")[0] in NAMESPACES
        and not schema.name.endswith("_")
        and not LEFT_OUT.search(schema.name.replace("::", ".") + "." + schema.overload_name)
        and not any(str(argument.type) in ("Generator", "Optional[Generator]") for argument in schema.arguments)
    }
    kept = sorted(one for one in lines if ":T" in one or ":L" in one or MADE_OF_NOTHING.match(one))
    head = f"# made by scripts/make_aten_schema.py, torch {torch.__version__.split('+')[0]}: op, then name:kind=default"
    TARGET.write_text("\n".join([head, *kept]) + "\n", encoding="utf-8")
    print(f"{TARGET.name}: {len(kept)} overloads, {TARGET.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
