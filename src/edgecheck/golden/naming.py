"""Names of folders that people and stores can read: lower case, digits, dots, dashes."""

from __future__ import annotations

import re


def slug(text: str) -> str:
    """`Pixel 8 Pro` as `pixel-8-pro`; never empty, never hidden."""
    return re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip("-._") or "unnamed"
