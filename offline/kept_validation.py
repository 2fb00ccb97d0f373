"""The technical validation, kept by content: the same recordings are analysed once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import numpy as np

from offline.agreement import RatingCurve
from offline.cache import Entry, FeatureCache, content_key
from offline.cardio import PulseComparison
from offline.results import Measured
from offline.technical_validation import TechnicalValidation, measure_behaviour
from rtasmr.dataset import DataSet
from rtasmr.progress import Report

VALIDATION_VERSION = 4
"""Raised whenever our own code changes a number or a note of the technical validation."""

_CONTENT = "technical_validation_json"


def validate_behaviour(
    dataset: DataSet, seed: int, cache: FeatureCache, jobs: int = 1, progress: Report | None = None
) -> TechnicalValidation:
    """Return what `measure_behaviour` gives, from the cache where these files were analysed before.

    Parameters
    ----------
    dataset : DataSet
    seed : int
        Of the bootstrap.
    cache : FeatureCache
    jobs, progress
        As in `measure_behaviour`.
    """
    key = _key(dataset, seed, cache)
    entry = cache.get(key)
    if entry is not None:
        return _from_json(str(entry.arrays[_CONTENT]))
    found = measure_behaviour(dataset, np.random.default_rng(seed), jobs, progress)
    cache.put(key, Entry({_CONTENT: np.array(_to_json(found))}))
    return found


def _key(dataset: DataSet, seed: int, cache: FeatureCache) -> str:
    logs = sorted(path for path in (dataset.root / "log").iterdir() if path.is_file())
    return content_key(
        {
            "what": "technical validation",
            "version": VALIDATION_VERSION,
            "libraries": {name: version(name) for name in ("numpy", "scipy", "polars")},
            "logs": [[path.name, cache.digest(path)] for path in logs],
            "ppg": [[path.name, cache.digest(path)] for path in dataset.ppg_files.values()],
            "simulated": dataset.is_simulated,
            "seed": seed,
        }
    )


def _to_json(found: TechnicalValidation) -> str:
    # float64 keeps every bit in JSON's shortest decimal form.
    return json.dumps(
        {
            "measured": {number_id: asdict(number) for number_id, number in found.measured.items()},
            "curves": [_lists(asdict(curve)) for curve in found.curves],
            "published": _lists(asdict(found.published)),
            "robust": _lists(asdict(found.robust)),
            "notes": found.notes,
            "simulated": found.simulated,
        }
    )


def _from_json(text: str) -> TechnicalValidation:
    content = json.loads(text)
    return TechnicalValidation(
        measured={
            number_id: Measured(**{**number, "ci95": number["ci95"] and tuple(number["ci95"])})
            for number_id, number in content["measured"].items()
        },
        curves=tuple(
            RatingCurve(**{**curve, **{name: np.array(curve[name]) for name in ("time_s", "mean", "sem")}})
            for curve in content["curves"]
        ),
        published=_comparison(content["published"]),
        robust=_comparison(content["robust"]),
        notes=tuple(content["notes"]),
        simulated=content["simulated"],
    )


def _comparison(content: Mapping[str, Any]) -> PulseComparison:
    return PulseComparison(
        participants=tuple(content["participants"]),
        asmr_r=np.array(content["asmr_r"], dtype=np.float64),
        nature_r=np.array(content["nature_r"], dtype=np.float64),
        left_out={int(participant): why for participant, why in content["left_out"].items()},
        n_windows=content["n_windows"],
        n_with_rate=content["n_with_rate"],
    )


def _lists(content: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in content.items()
    }
