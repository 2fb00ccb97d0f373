"""Parts of the notes that stand beside numbers."""

from __future__ import annotations

from collections.abc import Iterable


def named(what: str, participants: Iterable[int]) -> str:
    """Return participants as part of a note, ``never: 004, 017``; empty where there are none."""
    numbers = ", ".join(f"{participant:03d}" for participant in participants)
    return f"{what}: {numbers}" if numbers else ""


def joined(*parts: str) -> str:
    """Return the parts that are not empty, with semicolons between them."""
    return "; ".join(part for part in parts if part)
