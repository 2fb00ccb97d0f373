"""The double-independent cross-validation of the published models, resumable, its folds side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median_low
from typing import Any

from offline.clip_study import ClipStudy, Tables
from offline.compared import FUSION, MODALITIES, XGBOOST, check_models, columns_of, shuffled_name
from offline.device import pick_device
from offline.fit_runner import FitRunner
from offline.fits import MAX_SHUFFLES, Fit, FitResult
from offline.padded import class_weights
from offline.predictions import Predictions, save_predictions
from offline.protocols import Protocol, lacking_to_test, split_fold
from offline.splits import N_FOLDS
from rtasmr.errors import ConfigError, DataError
from rtasmr.progress import Report

WORK_FOLDER = "work"
PREDICTIONS_FOLDER = "predictions"


@dataclass(frozen=True, eq=False)
class CrossValidation:
    """What a cross-validation gave.

    Parameters
    ----------
    predictions : mapping
        Seed -> model -> test predictions of all folds. Beside the models asked for, ``fusion`` with
        exchanged pulses as ``fusion_shuffled_ppg1`` and so on.
    fits : tuple of FitResult
        Every unit of work, the refits on everything among them.
    left_out : mapping of int to str
        Folds that could not be tested, and why. Where that is all of them, nothing was trained.
    """

    predictions: Mapping[int, Mapping[str, Predictions]]
    fits: tuple[FitResult, ...]
    left_out: Mapping[int, str] = field(default_factory=dict)


def cross_validate(
    tables: Tables,
    protocol: Protocol,
    out: Path,
    *,
    models: Sequence[str] = tuple(MODALITIES),
    seeds: Sequence[int] = (42,),
    epochs: int | None = None,
    jobs: int | None = None,
    device: str = "auto",
    progress: Report | None = None,
    scheduler: str | None = None,
    origin: Mapping[str, Any] | None = None,
    tell: Callable[[Iterable[str]], None] | None = None,
) -> CrossValidation:
    """Train and test every model on the four folds, and the fusion model once more on everything.

    A fold that can not be tested is left out with a note: without a trial of one of its clips, such as after
    a stimulus was damaged, or with nothing to learn from. Where none can be, nothing is trained.

    Finished units stay in ``out/work``; a run that was killed goes on where it stopped, and one of the same
    configuration reads everything back. Two runs on the CPU give the same bits. The predictions of each
    seed are also written to ``out/predictions/<protocol>-seed<seed>.npz``.

    Parameters
    ----------
    tables : Path or sequence of TrialTable
        Folder that ``offline features`` wrote, or its content.
    protocol : Protocol
    out : Path
    models : sequence of str
        Names in `offline.compared.MODALITIES`.
    seeds : sequence of int
        One training run each; the trees, which draw nothing, run once. The first seed's refit is kept.
    epochs : int or None
        Instead of the protocol's.
    jobs : int or None
        Processes side by side; by default as many as processors, or a few on a GPU.
    device : {"auto", "cpu", "cuda"}
        On a cluster ``auto`` is the CPU: nobody knows what its machines have.
    progress : callable or None
    scheduler : str or None
        Address of a Dask scheduler whose workers train instead of ``jobs``; they share the file system.
    origin : mapping, optional
        What the predictions written rest on (see `offline.predictions.save_predictions`); whether the
        tables are simulated is added.
    tell : callable or None
        Called before any training with a note for each fold that is left out.

    Raises
    ------
    ConfigError
        An argument is out of range, or the tables are not of the protocol's feature set.
    DataError
        A table can not be read, or results can not be written.
    ModelError
        Training diverges.
    """
    models = check_models(models)
    if not seeds or len(set(seeds)) != len(seeds):
        raise ConfigError(f"--seeds: expected one or more different numbers, got {list(seeds)}")
    if epochs is not None:
        protocol = replace(protocol, epochs=epochs)
    study = ClipStudy.open(tables)
    _check(study, protocol, models)
    obstacles = {fold: _obstacle(study, protocol, seeds, fold) for fold in range(1, N_FOLDS + 1)}
    left_out = {fold: why for fold, why in obstacles.items() if why}
    if tell is not None:
        tell(folds_left_out(left_out))
    folds = [fold for fold in obstacles if fold not in left_out]
    if not folds:
        return CrossValidation({}, (), left_out)
    picked = pick_device("cpu" if scheduler and device == "auto" else device)
    runner = FitRunner(study, out / WORK_FOLDER, picked, jobs, progress, scheduler)

    fits = [
        Fit(model, protocol, seed, fold)
        for model in sorted(models, key=lambda name: name == XGBOOST)  # the long ones first
        for seed in (seeds[:1] if model == XGBOOST else seeds)
        for fold in folds
    ]
    n_refits = int(FUSION in models)
    refit = Fit(FUSION, protocol, seeds[0], None)  # one that comes later may have fewer epochs
    if n_refits and protocol.keep == "last":
        fits.insert(0, refit)
        n_refits = 0
    results = runner.run(fits, [refit] * n_refits)
    if n_refits:
        # Nobody is left to choose an epoch: take the one that the folds chose in the middle.
        kept = [r.kept_epoch for r in results if r.fit.model == FUSION and r.fit.seed == seeds[0]]
        epoch = median_low(epoch for epoch in kept if epoch is not None)
        results += runner.run([Fit(FUSION, replace(protocol, epochs=epoch, keep="last"), seeds[0], None)])

    predictions = {seed: _of_seed(results, models, seed, len(folds)) for seed in seeds}
    for seed, of_models in predictions.items():
        told = {**(origin or {}), **study.origin, "seed": seed}
        save_predictions(predictions_path(out, protocol, seed), list(of_models.values()), told)
    return CrossValidation(predictions, tuple(results), left_out)


def predictions_path(out: Path, protocol: Protocol, seed: int) -> Path:
    """Return the file with the predictions of one seed."""
    return out / PREDICTIONS_FOLDER / f"{protocol.name}-seed{seed}.npz"


def folds_left_out(left_out: Mapping[int, str]) -> list[str]:
    """Return in a sentence for each reason which folds were left out for it."""
    folds_of: dict[str, list[int]] = {}
    for fold, why in left_out.items():
        folds_of.setdefault(why, []).append(fold)
    return [
        f"fold {folds[0]} is left out: {why}"
        if len(folds) == 1
        else f"folds {', '.join(map(str, folds))} are left out: {why}"
        for why, folds in folds_of.items()
    ]


def _check(study: ClipStudy, protocol: Protocol, models: Sequence[str]) -> None:
    """Find out before anything long starts whether the tables are those that the models need."""
    if study.spec.set_name != protocol.feature_set:
        raise ConfigError(
            f"protocol '{protocol.name}': expected feature set '{protocol.feature_set}', got "
            f"'{study.spec.set_name}'; run 'offline features DATA --set {protocol.feature_set}'"
        )
    for model in models:
        columns_of(model, study.spec)


def _obstacle(study: ClipStudy, protocol: Protocol, seeds: Sequence[int], fold: int) -> str:
    """Return why a fold can not be trained and tested with every seed; empty where it can."""
    if lacking := lacking_to_test(study.trials, fold):
        return lacking
    for seed in seeds:
        training = split_fold(study.trials, fold, protocol, seed).training
        try:
            class_weights(sum(study.n_tingle[trial] for trial in training), len(training) * protocol.n_steps)
        except DataError as error:
            return str(error)
    return ""


def _of_seed(
    results: Sequence[FitResult], models: Sequence[str], seed: int, n_folds: int
) -> dict[str, Predictions]:
    """Join the folds of every model: those asked for, then the fusion model with exchanged pulses."""
    found: dict[str, Predictions] = {}
    shuffles = range(1, MAX_SHUFFLES + 1) if FUSION in models else ()
    shuffled = [shuffled_name(FUSION, shift) for shift in shuffles]
    for name in (*models, *shuffled):
        folds = [
            predictions
            for result in results
            for predictions in result.predictions
            if predictions.model == name and (result.fit.seed == seed or result.fit.is_deterministic)
        ]
        if len(folds) == n_folds:  # a small fold may not allow as many exchanges as the others
            trials = sorted((t for fold in folds for t in fold.trials), key=lambda t: t.trial)
            found[name] = Predictions(name, tuple(trials))
    return found
