"""Run in the torch environment: the cells of tf_cells for PyTorch sources. JSON in by argument, JSON beside it out."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

from tf_cells import run


def main():
    logging.disable(logging.WARNING)
    job = Path(sys.argv[1])
    cells = json.loads(job.read_text())
    job.with_name("results.json").write_text(
        json.dumps({name: run({**cell, "framework": "torch"}) for name, cell in cells.items()})
    )


if __name__ == "__main__":
    main()
