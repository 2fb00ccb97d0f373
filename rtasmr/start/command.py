"""``rtasmr start``: the page as a process of its own, as every window of ours."""

from __future__ import annotations

from rtasmr.display import display_problem
from rtasmr.errors import ConfigError
from rtasmr.handover import become


def no_screen() -> str:
    """Return why the page cannot be shown here, and what can be done; empty where it can."""
    problem = display_problem()
    return problem and (
        f"expected a screen for the start page, {problem}; start it on a desktop, or use "
        "'rtasmr live --headless' here"
    )


def start() -> None:
    """Set up a viewing in a window: sensor and its check, video, model, recording."""
    if problem := no_screen():
        raise ConfigError(problem)
    become("rtasmr.start")
