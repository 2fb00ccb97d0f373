"""The short status of a live run, once a second: what ``--json`` prints while it goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from rtasmr.engine import Engine
from rtasmr.latency import Percentiles
from rtasmr.snapshot import PulseState, modalities_of


def live_status(engine: Engine) -> dict[str, Any] | None:
    """Return the short status of a run; None before its first record."""
    newest = engine.newest
    if newest is None:
        return None
    return {
        "tick": newest.tick,
        "segment": newest.label,
        "p": _probability(newest.p),
        "p_low": _probability(newest.p_low),
        "p_high": _probability(newest.p_high),
        "outside": newest.outside,
        "status": newest.status.name.lower(),
        "cause": newest.cause.value,
        "message": engine.message,
        "modalities": [m.value for m in modalities_of(newest.modalities)],
        "pulse": _pulse(engine.pulse.state),
        "streams": {m.value: s.name.lower() for m, s in engine.status.items()},
        "bad_stamps": engine.bad_stamps,
        "lag_ms": _rounded(1000 * engine.lag_s),
        "latency_p50_ms": _rounded(engine.latency.publish_p50_ms),
        "age_ms": _rounded(engine.latency.age_ms),
        "stages_ms": {
            s.name: Percentiles(s.p50_ms, s.p99_ms, s.max_ms).as_dict() for s in engine.latency.stages
        },
    }


def report_every_second(
    facts: Callable[[], dict[str, Any] | None], status: Callable[[dict[str, Any]], None], stack: ExitStack
) -> None:
    """Hand ``facts()`` to ``status`` once a second, on a thread of its own, until ``stack`` is unwound."""
    ended = threading.Event()

    def report() -> None:
        while not ended.wait(1.0):
            told = facts()
            if told is not None:
                status(told)

    thread = threading.Thread(target=report, name="status", daemon=True)
    thread.start()
    stack.callback(thread.join, 2.0)
    stack.callback(ended.set)


def _pulse(state: PulseState | None) -> dict[str, Any] | None:
    if state is None:
        return None
    return {
        "rate_bpm": _rounded(state.rate_bpm),
        "quality": None if state.quality != state.quality else round(state.quality, 2),
        "troubles": list(state.troubles),
    }


def _probability(value: float) -> float | None:
    return None if value != value else round(value, 4)


def _rounded(value: float) -> float | None:
    return None if value != value else round(value, 1)
