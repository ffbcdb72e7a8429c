"""What Prepare and Eval of every kernel of tflite-micro demand, for import_tflm.py."""

from tflm_rules import arithmetic, lookups, shapes
from tflm_rules.checks import Rule

RULES: dict[str, list[Rule]] = {**arithmetic.RULES, **shapes.RULES, **lookups.RULES}
