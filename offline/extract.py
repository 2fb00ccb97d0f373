"""Feature tables of a data set: every file computed once, by whichever set is asked for."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from offline.cache import FeatureCache, content_key, default_cache_folder
from offline.encoders import provide_encoder
from offline.feature_sets import check_set_name, feature_spec
from offline.file_notes import file_notes
from offline.plan import Showing, plan_work
from offline.table_folder import TableFolder
from offline.tables import TrialTable
from offline.units import STIMULUS
from offline.workers import Done, run_units
from rtasmr.card import read_encoder_card
from rtasmr.config import Provider
from rtasmr.dataset import DataSet
from rtasmr.dataset_words import in_set
from rtasmr.errors import DataError
from rtasmr.features.spec import FeatureSpec
from rtasmr.grid import WARMUP_TICKS, n_published_frames
from rtasmr.presentation_log import rating_track
from rtasmr.progress import Report

logger = logging.getLogger(__name__)


class NoTrialError(DataError):
    """Not one trial of a data set could be extracted; ``notes`` say why, file by file."""

    def __init__(self, message: str, notes: Sequence[str]) -> None:
        super().__init__(message)
        self.notes = tuple(notes)


@dataclass(frozen=True)
class Extraction:
    """What a run did.

    Parameters
    ----------
    paths : tuple of Path
        Tables of this run, by participant and video.
    notes : tuple of str
        Every repair, gap and file that could not be used; each names its file, relative to the data set, and
        says what was done.
    n_units : int
        Files times features that were needed.
    n_computed : int
        How many of them were not in the cache.
    cache_folder : Path
    cache_bytes : int
        What the cache takes on disk.
    """

    paths: tuple[Path, ...]
    notes: tuple[str, ...]
    n_units: int
    n_computed: int
    cache_folder: Path
    cache_bytes: int


def extract_features(
    data: DataSet,
    out: Path,
    set_name: str,
    encoder_weights: str,
    *,
    participants: Sequence[int] | None = None,
    videos: Sequence[str] | None = None,
    provider: Provider = "auto",
    jobs: int | None = None,
    scheduler: str | None = None,
    cache_folder: Path | None = None,
    progress: Report | None = None,
) -> Extraction:
    """Write the feature table of every trial to ``out/trials``.

    Sound and pictures of a stimulus are computed once for all participants; what was computed before,
    for whatever folder, comes from the cache; a table that is up to date is left alone. A file that
    cannot be used is named in the notes and the rest goes on: without its stimulus a trial is left out,
    without its pulse it goes with the pulse marked invalid.

    The image encoder is exported to ``out/models``, where training and the runtime find it. The paper's
    sets say nothing about the first 5 s of a clip: their pre-roll rows are invalid.

    Parameters
    ----------
    data : DataSet
    out : Path
    set_name : str
        ``paper``, ``paper-224`` or ``live``.
    encoder_weights : str
        ``imagenet``, ``random:SEED`` or a file; see `models.resnet.load_resnet18`.
    participants, videos : sequence or None
        Restrict to these; None takes all.
    provider : {"auto", "cuda", "cpu"}
        Where the encoder runs.
    jobs : int or None
        Processes; as many as processors by default.
    scheduler : str or None
        Address of a Dask scheduler whose workers compute instead; they share the file system.
    cache_folder : Path or None
        The user's cache by default.
    progress : callable or None
        Called with what is done and the share done, 0 to 1.

    Raises
    ------
    RtasmrError
        If the encoder's weights are not to be had; and as `extract_tables`.
    """
    check_set_name(set_name)
    cache = FeatureCache(cache_folder or default_cache_folder())
    return extract_tables(
        data,
        out,
        set_name,
        provide_encoder(encoder_weights, out / "models", cache),
        participants=participants,
        videos=videos,
        provider=provider,
        jobs=jobs,
        scheduler=scheduler,
        cache_folder=cache.folder,
        progress=progress,
    )


def extract_tables(
    data: DataSet,
    out: Path,
    set_name: str,
    encoder_folder: Path,
    *,
    participants: Sequence[int] | None = None,
    videos: Sequence[str] | None = None,
    provider: Provider = "auto",
    jobs: int | None = None,
    scheduler: str | None = None,
    cache_folder: Path | None = None,
    progress: Report | None = None,
) -> Extraction:
    """Write the feature tables with an encoder that is exported already; else as `extract_features`.

    Parameters
    ----------
    encoder_folder : Path
        The image encoder: ``model.onnx`` and ``card.json``.
    data, out, set_name, participants, videos, provider, jobs, scheduler, cache_folder, progress
        As in `extract_features`.

    Raises
    ------
    ConfigError
        If the set is unknown, or ``out`` holds tables of another set that would stay.
    NoTrialError
        If not one trial could be extracted.
    DataError
        If the set is unfinished or ``out`` cannot be written.
    """
    data.require_finished()
    cache = FeatureCache(cache_folder or default_cache_folder())
    cache.remove_leftovers()
    spec = feature_spec(check_set_name(set_name), read_encoder_card(encoder_folder).weights_sha256)
    plan = plan_work(data, spec, participants, videos)
    folder = TableFolder.open(out, spec, plan.trials)
    results: dict[int, Done] = {}
    for number, done in run_units(plan.units, cache, encoder_folder, provider, jobs, scheduler):
        results[number] = done
        if progress is not None:
            progress(f"{in_set(done.unit.path)}: {done.unit.kind}", len(results) / len(plan.units))
    notes = file_notes(plan, results)
    paths = []
    for showing in plan.showings:
        stimulus = [results[number] for number in showing.stimulus_units]
        pulse = None if showing.pulse_unit is None else results[showing.pulse_unit]
        if any(done.entry is None for done in (results[showing.film_unit], *stimulus)):
            folder.discard(showing.trial)
            continue
        paths.append(_write_table(data, folder, showing, stimulus, pulse, spec))
    if not paths:
        reason = next(iter(notes), "no trial was chosen")
        told = f"{data.root} gave not one trial ({reason}); run 'offline check {data.root}'"
        raise NoTrialError(told, notes)
    folder.close(data.root.name, data.is_simulated, notes)
    return Extraction(
        paths=tuple(paths),
        notes=tuple(notes),
        n_units=len(plan.units),
        n_computed=sum(done.computed for done in results.values()),
        cache_folder=cache.folder,
        cache_bytes=cache.size_bytes(),
    )


def _write_table(
    data: DataSet,
    folder: TableFolder,
    showing: Showing,
    stimulus: Sequence[Done],
    pulse: Done | None,
    spec: FeatureSpec,
) -> Path:
    """Write the table of one trial unless the one that is there has the same content."""
    trial, clip = showing.trial, showing.clip
    rating = rating_track(data.log(trial.participant), clip)
    n_ticks = WARMUP_TICKS + n_published_frames(clip.duration_s)
    parts = [*stimulus, *(() if pulse is None or pulse.entry is None else (pulse,))]
    key = content_key(
        {
            "parts": [done.key for done in parts],
            "rating_sha256": hashlib.sha256(rating.tobytes()).hexdigest(),
            "fingerprint": spec.fingerprint,
            "simulated": data.is_simulated,
        }
    )
    if folder.is_current(trial, key):
        return folder.path(trial)
    values = assemble(parts, clip.video, n_ticks, spec)
    valid = np.isfinite(values)
    table = TrialTable(
        trial=trial,
        values=values[WARMUP_TICKS:],
        valid=valid[WARMUP_TICKS:],
        rating=rating,
        preroll_values=values[:WARMUP_TICKS],
        preroll_valid=valid[:WARMUP_TICKS],
        spec=spec,
        simulated=data.is_simulated,
    )
    return folder.save(table, key)


def assemble(parts: Sequence[Done], video: str, n_ticks: int, spec: FeatureSpec) -> NDArray[np.float32]:
    """Return the rows of one trial, shape (n_ticks, n_features), NaN where nothing fills a cell."""
    values = np.full((n_ticks, spec.n_features), np.nan, dtype=np.float32)
    for done in parts:
        rows = rows_of(done, video)[: n_ticks - done.unit.first_tick]
        first = done.unit.first_tick
        values[first : first + len(rows), done.unit.columns] = rows
    return values


def rows_of(done: Done, video: str) -> NDArray[np.float32]:
    """Return what a unit found of a clip, shape (n_rows, n_columns)."""
    assert done.entry is not None  # the callers have looked
    name = video if done.unit.is_pulse else STIMULUS
    nothing = np.empty((0, len(done.unit.columns)), dtype=np.float32)
    return done.entry.arrays.get(name, nothing)
