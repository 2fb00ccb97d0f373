"""The final account of a live run, of one person: what ``--json`` prints last."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rtasmr.config import LiveConfig
from rtasmr.engine import Engine
from rtasmr.latency import DRAW
from rtasmr.link import SnapshotStore
from rtasmr.recorder import Recorder
from rtasmr.remarks import remarks_of
from rtasmr.served import ServedModel


def account(
    engine: Engine,
    model: ServedModel,
    store: SnapshotStore,
    recorder: Recorder | None,
    config: LiveConfig,
    *,
    sources: Mapping[str, Any],
    error: str,
) -> dict[str, Any]:
    """Return what the run of one person adds up to.

    Parameters
    ----------
    engine : Engine
    model : ServedModel
    store : SnapshotStore
    recorder : Recorder or None
        Finished.
    config : LiveConfig
        What was asked for.
    sources : mapping
        Of `Sources.account`.
    error : str
        Why the run or its recording broke off; empty where neither did.
    """
    told = _ticks(engine, model, store)
    return {
        **told,
        "remarks": remarks_of(told, config),
        **_recording(recorder),
        "sources": sources,
        "error": error,
    }


def _ticks(engine: Engine, model: ServedModel, store: SnapshotStore) -> dict[str, Any]:
    """Return what became of the ticks of a run, and what they rest on."""
    tally = engine.tally
    stages = {**tally.stages.percentiles(), DRAW: store.drawn()}
    present = {role.value: spec.name for role, spec in engine.streams.items()}
    return {
        "ticks": tally.ticks,
        "status": dict(tally.status),
        "reasons": dict(tally.reasons),
        "missing": tally.missing,
        "duplicates": tally.duplicates,
        "outside": tally.outside,
        "latency_ms": tally.publish.percentiles().as_dict(),
        "compute_ms": tally.compute.percentiles().as_dict(),
        "age_ms": tally.age.percentiles().as_dict(),
        "stages_ms": {name: figures.as_dict() for name, figures in stages.items()},
        "pulse": engine.pulse.account(),
        "provider": model.tingle.provider,
        "model": model.card.id,
        "demo": model.card.demo,
        "warnings": list(model.card.warnings),
        "streams": present,
        "absent": [role for role in ("ppg", "sound", "picture") if role not in present],
        "samples": engine.losses,
        "bad_input": dict(engine.input.n_ticks),
        "markers": engine.markers.account(),
        "interruptions": engine.interruptions,
        "segments": [{"label": s.label, "origin": s.origin} for s in engine.segments],
    }


def _recording(recorder: Recorder | None) -> dict[str, Any]:
    """Return what a recording came to: its file, its size, and the chunks that are not in it."""
    if recorder is None:
        return {"files": [], "recording": None}
    state = recorder.snapshot()
    recording = {
        "seconds": round(state.seconds, 3),
        "bytes": state.n_bytes,
        "overruns": state.overruns,
        "refused": state.refused,
    }
    return {"files": state.files, "recording": recording}
