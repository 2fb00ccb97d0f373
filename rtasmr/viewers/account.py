"""What a run of several viewers adds up to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rtasmr.served import ServedModel
from rtasmr.viewers.group import Group


def group_account(
    accounts: Mapping[str, dict[str, Any]], group: Group, model: ServedModel, *, sources: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the final account of a run, from those of its viewers by their codes."""
    failed = {code: told["error"] for code, told in accounts.items() if told["error"]}
    return {
        **{key: sum(told[key] for told in accounts.values()) for key in ("ticks", "missing", "duplicates")},
        "tick_ms": group.ticks.percentiles().as_dict(),
        "provider": model.tingle.provider,
        "model": model.card.id,
        "demo": model.card.demo,
        "warnings": list(model.card.warnings),
        "remarks": group_remarks({code: told["remarks"] for code, told in accounts.items()}),
        "files": [name for told in accounts.values() for name in told["files"]],
        "error": "; ".join(f"viewer {code}: {text}" for code, text in failed.items()),
        "viewers": dict(accounts),
        "sources": sources,
    }


def group_remarks(remarks: Mapping[str, list[str]]) -> list[str]:
    """Return the remarks of several viewers by their codes, with the viewers whom each is about."""
    codes: dict[str, list[str]] = {}
    for code, texts in remarks.items():
        for text in texts:
            codes.setdefault(text, []).append(code)
    return [f"viewer {', '.join(about)}: {text}" for text, about in codes.items()]
