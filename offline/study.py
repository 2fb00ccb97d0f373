"""A whole reproduction: from the raw data to a report, every step resumed where it stopped."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from offline.cache import FeatureCache, default_cache_folder
from offline.compared import BASELINES, FUSION, MODALITIES, check_models, model_behind
from offline.comparison import compile_results
from offline.crossval import CrossValidation, cross_validate, folds_left_out
from offline.data_notes import DataNotes
from offline.downloaded import downloaded_dataset, downloaded_predictions
from offline.encoders import encoder_name, provide_encoder
from offline.extract import NoTrialError, extract_tables
from offline.finishing import write_everything
from offline.kept_validation import validate_behaviour
from offline.labels import short_label
from offline.predictions import Predictions
from offline.processes import open_pool, run_apart
from offline.protocols import AS_WRITTEN, PROTOCOLS, PUBLISHED, Protocol
from offline.pulse_amplitude import pulse_amplitudes
from offline.pulse_gain import measure_amplitude
from offline.report_tables import SEEDS
from offline.reproduce import draw_figure_6, measure_models
from offline.results import AS_WRITTEN as SECOND
from offline.results import Measured, Results, paper_numbers
from offline.scores import fold_scores
from offline.simulation import simulate
from offline.simulation.study import NOTICE, Scenario
from offline.splits import N_FOLDS
from offline.statistics import N_BOOTSTRAP, N_PERMUTATIONS, VIDEO_LEVEL_SHARE
from offline.table_folder import keep_only
from offline.tables import has_tables
from rtasmr.card import read_encoder_card
from rtasmr.config import Provider
from rtasmr.dataset import SIMULATION_MARKER, DataSet
from rtasmr.errors import ConfigError, DataError
from rtasmr.progress import Report

logger = logging.getLogger(__name__)

SIMULATED_FOLDER = "simulated"
FEATURES_FOLDER = "features"
MODELS_FOLDER = "models"
BOTH = "both"

ProtocolName = Literal["published", "as-written", "both"]

_NO_FIGURE = {
    "figure3": "nobody rated vid2 or vid3 above 0",
    "figure4": "nobody has a correlation of pulse rate and rating on both kinds of clip",
}
"""Why figures that need no model are not drawn."""

_PULSE_DONE, _TRAINING_DONE, _FEATURES_SHARE = 0.05, 0.97, 0.15
"""Shares of a first run's time: pulse and ratings are over, training is over, features of a protocol."""


@dataclass(frozen=True, slots=True)
class StudySettings:
    """How a reproduction is run.

    Parameters
    ----------
    protocol : {"published", "as-written", "both"}
        Whose rules the cross-validation follows. With ``both`` the numbers of the published protocol stand
        beside the paper's and those of the other under ``as_written.``.
    models : tuple of str
        Names in `offline.compared.MODALITIES`; ``fusion`` must be among them.
    seeds : tuple of int
        One training run each. The first gives the numbers, all of them the spread under ``seeds.``.
    epochs : int or None
        Instead of the protocol's.
    encoder : str
        ``imagenet``, ``random:SEED`` or a file of weights.
    provider : {"auto", "cuda", "cpu"}
        Where the image encoder runs.
    jobs : int or None
        Processes side by side; as many as processors by default.
    cache_folder : Path or None
        The user's cache by default.
    scheduler : str or None
        Address of a Dask scheduler whose workers compute features and train instead of ``jobs``; they share
        the file system.
    """

    protocol: ProtocolName = "published"
    models: tuple[str, ...] = tuple(MODALITIES)
    seeds: tuple[int, ...] = (42,)
    epochs: int | None = None
    encoder: str = "imagenet"
    provider: Provider = "auto"
    jobs: int | None = None
    cache_folder: Path | None = None
    scheduler: str | None = None

    def __post_init__(self) -> None:
        if FUSION not in check_models(self.models):
            raise ConfigError(
                f"--models: expected {FUSION!r} among them, which Table 1 and all comparisons rest on, got "
                f"{', '.join(self.models)}; add it"
            )
        if not self.seeds:
            raise ConfigError("--seeds: expected one or more numbers, got none; name one")
        if self.protocol not in get_args(ProtocolName):
            expected = ", ".join(get_args(ProtocolName))
            raise ConfigError(f"--protocol: expected {expected}, got {self.protocol!r}; name one of them")

    @property
    def protocols(self) -> tuple[Protocol, ...]:
        """The protocols to run, the one that gives the numbers first."""
        chosen = (PUBLISHED, AS_WRITTEN) if self.protocol == BOTH else (PROTOCOLS[self.protocol],)
        return tuple(replace(one, epochs=self.epochs or one.epochs) for one in chosen)


def reproduce_study(
    data: Path,
    out: Path,
    settings: StudySettings | None = None,
    progress: Report | None = None,
    tell: Callable[[str], None] | None = None,
) -> Results:
    """Compute every number and figure of the paper from the raw data and write them beside the paper's.

    ``out`` then holds ``report.html``, ``results.json``, ``tables.csv``, ``predictions.npz``,
    ``config.toml``, ``data_notes.txt``, ``figures``, ``features``, ``models`` and, under ``work``, what a
    run that is started again reads back.

    What can not be computed is left out with its reason; the rest is there. `untested` says whether models
    are among it.

    Parameters
    ----------
    data : Path
        Folder with ``log``, ``ppg`` and ``stim``.
    out : Path
    settings : StudySettings, optional
    progress : callable or None
        Called with what is done and the share done, 0 to 1.
    tell : callable or None
        Called with every data note as soon as it is known.

    Raises
    ------
    RtasmrError
        An argument is out of range, or the set is unfinished or can not be read.
    """
    settings = settings or StudySettings()
    dataset = DataSet.open(data)
    dataset.require_finished()
    cache = FeatureCache(settings.cache_folder or default_cache_folder())
    if settings.scheduler is not None:
        with open_pool(1, settings.scheduler):
            pass  # a wrong address is told now, not after the pulses
    encoder_folder = provide_encoder(settings.encoder, out / MODELS_FOLDER, cache)
    config = _config(dataset, settings, encoder_folder, cache)
    notes = DataNotes(out, short_label(config), tell)
    notes.add(dataset.warnings)
    behaviour = validate_behaviour(
        dataset,
        settings.seeds[0],
        cache,
        settings.jobs or os.cpu_count() or 1,
        _part(progress, 0.0, _PULSE_DONE),
    )
    notes.add(behaviour.notes)
    measured = dict(behaviour.measured) | behaviour.draw(out)
    missing = {name: why for name, why in _NO_FIGURE.items() if name not in measured}
    first: Mapping[str, Predictions] = {}
    tested = set(range(1, N_FOLDS + 1))
    width = (_TRAINING_DONE - _PULSE_DONE) / len(settings.protocols)
    rng = np.random.default_rng(settings.seeds[0])
    for i, protocol in enumerate(settings.protocols):
        start = _PULSE_DONE + i * width
        validated = _validate(
            dataset,
            out,
            protocol,
            settings,
            encoder_folder,
            notes,
            origin_of(config | {"protocol": protocol.name, "epochs": protocol.epochs}),
            _part(progress, start, start + width),
        )
        tested -= set(validated.left_out)
        models = validated.predictions.get(settings.seeds[0], {})
        found = measure_models(models, np.random.default_rng(settings.seeds[0])) if models else {}
        absent = {} if models else _without_models(validated.left_out, settings.models)
        if i == 0:
            first = models
            missing |= absent
            measured |= found | seed_spread(validated)
            if has_tables(out / FEATURES_FOLDER / protocol.feature_set):
                amplitudes = pulse_amplitudes(out / FEATURES_FOLDER / protocol.feature_set)
                measured |= measure_amplitude(amplitudes, rng)
        else:
            measured |= {f"{SECOND}{name}": found[name] for name in paper_numbers() if name in found}
            measured |= {f"{SECOND}{name}": Measured(None, note=why) for name, why in absent.items()}
    config["tested_folds"] = sorted(tested)
    if first:
        measured |= draw_figure_6(first[FUSION], out, short_label(config))
    results = compile_results(measured, config, reason="its model is not among --models", missing=missing)
    write_everything(results, out, first, origin_of(config), notes.all)
    if progress is not None:
        progress("report", 1.0)
    return results


def untested(results: Results) -> str:
    """Return why no model was tested under one of the protocols; empty where models were under each."""
    protocols = ("", SECOND) if results.config.get("protocol") == BOTH else ("",)
    scores = (results[f"{prefix}table1.accuracy"] for prefix in protocols)
    return next((score.note for score in scores if score.value is None), "")


def _without_models(left_out: Mapping[int, str], models: tuple[str, ...]) -> dict[str, str]:
    """Return why numbers of the models that were asked for have no value."""
    why = f"no fold could be tested: {'; '.join(folds_left_out(left_out))}"
    return {name: why for name in paper_numbers() if model_behind(name) in models}


def _validate(
    dataset: DataSet,
    out: Path,
    protocol: Protocol,
    settings: StudySettings,
    encoder_folder: Path,
    notes: DataNotes,
    origin: Mapping[str, Any],
    progress: Report | None,
) -> CrossValidation:
    """Compute features, train and test under one protocol, and export the models."""
    tables = out / FEATURES_FOLDER / protocol.feature_set
    try:
        extraction = extract_tables(
            dataset,
            tables,
            protocol.feature_set,
            encoder_folder,
            provider=settings.provider,
            jobs=settings.jobs,
            scheduler=settings.scheduler,
            cache_folder=settings.cache_folder,
            progress=_part(progress, 0.0, _FEATURES_SHARE),
        )
    except NoTrialError as error:
        keep_only(tables, ())
        notes.add((*error.notes, str(error)))
        return CrossValidation({}, (), dict.fromkeys(range(1, N_FOLDS + 1), str(error)))
    keep_only(tables, extraction.paths)
    notes.add(extraction.notes)
    validated = cross_validate(
        tables,
        protocol,
        out,
        models=settings.models,
        seeds=settings.seeds,
        jobs=settings.jobs,
        scheduler=settings.scheduler,
        progress=_part(progress, _FEATURES_SHARE, 1.0),
        origin=origin,
        tell=notes.add,
    )
    if validated.fits:
        run_apart(_export, validated, tables, out / MODELS_FOLDER, encoder_folder)
    return validated


def _export(validated: CrossValidation, tables: Path, models_folder: Path, encoder_folder: Path) -> None:
    # Not at the top: torch is loaded by those who need it, this process lives beside workers that train.
    from offline.clip_export import export_clip_models

    export_clip_models(validated, tables, models_folder, encoder=read_encoder_card(encoder_folder))


def downloaded_source() -> tuple[Literal["data", "predictions"], Path]:
    """Return what to reproduce when nothing is named: the downloaded data set, else the predictions.

    Raises
    ------
    DataError
        Neither was downloaded.
    """
    data = downloaded_dataset()
    if data is not None:
        return "data", data
    predictions = downloaded_predictions()
    if predictions is not None:
        return "predictions", predictions
    raise DataError(
        "expected a data set or saved predictions, none is named and none was downloaded; run 'offline "
        "download OUT', or name DATA, --predictions FILE or --simulated"
    )


def simulated_study(
    out: Path,
    participants: int,
    seed: int,
    scenario: Scenario,
    size: tuple[int, int] = (1280, 720),
    progress: Report | None = None,
) -> Path:
    """Return a simulated data set below ``out``, made now unless the same one stands there complete."""
    folder = out / SIMULATED_FOLDER
    wanted = {"scenario": scenario, "seed": seed, "size": list(size)}
    try:
        marker = json.loads((folder / SIMULATION_MARKER).read_text(encoding="utf-8"))
        there = {name: marker[name] for name in wanted} | {"participants": len(marker["participants"])}
        if marker["complete"] and there == wanted | {"participants": participants}:
            logger.info("%s: the same simulated set is there", folder)
            return folder
    except FileNotFoundError:
        pass
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{folder / SIMULATION_MARKER}: expected the description of a simulated set ({error}); remove "
            f"{folder}"
        ) from error
    return simulate(folder, participants, seed, scenario, size, progress)


def seed_spread(validated: CrossValidation) -> dict[str, Measured]:
    """Return mean and SD over the seeds of the paper's fold means; empty with one seed."""
    if len(validated.predictions) < 2:
        return {}
    prefixes = {FUSION: "table1", **BASELINES}
    by_id: dict[str, dict[int, float]] = {}
    for seed, of_models in validated.predictions.items():
        for model, prefix in prefixes.items():
            if model not in of_models:
                continue
            for name, number in fold_scores(of_models[model]).items():
                if number.value is not None:
                    by_id.setdefault(f"{prefix}.{name}", {})[seed] = number.value
    return {
        f"{SEEDS}{number_id}": Measured(
            float(np.mean(list(values.values()))),
            float(np.std(list(values.values()))),
            unit="%",
            note="mean and SD over seeds of the mean over folds: "
            + ", ".join(f"{seed}: {value:.2f}" for seed, value in values.items()),
        )
        for number_id, values in by_id.items()
    }


def origin_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what must stay with predictions, so that nobody takes them for others."""
    names = ("data", "simulated", "scenario", "encoder", "protocol", "epochs")
    return {name: config[name] for name in names if name in config}


def _config(
    dataset: DataSet, settings: StudySettings, encoder_folder: Path, cache: FeatureCache
) -> dict[str, Any]:
    """Return everything that changes a number."""
    config: dict[str, Any] = {
        "command": "reproduce",
        "data": dataset.root.name,
        "simulated": dataset.is_simulated,
    }
    if dataset.simulation is not None:
        config |= {
            "scenario": str(dataset.simulation.get("scenario", "")),
            "simulation_seed": str(dataset.simulation.get("seed", "")),
            "simulation_cohort": str(dataset.simulation.get("cohort", 0)),
        }
    if dataset.is_simulated:
        config["notice"] = NOTICE
    return config | {
        "protocol": settings.protocol,
        "feature_set": [protocol.feature_set for protocol in settings.protocols],
        "epochs": settings.protocols[0].epochs,
        "models": list(settings.models),
        "seeds": list(settings.seeds),
        "encoder": encoder_name(settings.encoder, cache),
        "encoder_sha256": read_encoder_card(encoder_folder).weights_sha256,
        "n_bootstrap": N_BOOTSTRAP,
        "n_permutations": N_PERMUTATIONS,
        "video_level_share": VIDEO_LEVEL_SHARE,
    }


def _part(progress: Report | None, start: float, stop: float) -> Report | None:
    """Return a reporter for the part of the work between two shares."""
    if progress is None:
        return None
    report = progress

    def of_part(what: str, share: float) -> None:
        report(what, start + (stop - start) * share)

    return of_part
