"""Simulates a whole study: people, their sessions and the files of the data set."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from offline.atomic import named_in_errors
from offline.simulation.drive import stimulus_drives
from offline.simulation.logs import write_log
from offline.simulation.pulse import (
    NO_EFFECT,
    TINGLE_EFFECT,
    BiopacWriter,
    PulseEffect,
    simulate_pulse,
)
from offline.simulation.schedule import COHORT_SIZE, MAX_COHORT, cohort_places
from offline.simulation.sessions import Session, draw_session, part_rng
from offline.simulation.stimuli import write_stimulus
from rtasmr import __version__
from rtasmr.dataset import SIMULATION_MARKER, stimulus_file_name
from rtasmr.errors import ConfigError, DataError
from rtasmr.types import ASMR_VIDEOS, VIDEOS

Scenario = Literal["tingle", "null"]

FORMAT = 1
FOLDERS = ("log", "ppg", "stim", "truth")
NOTICE = "Simulated data. It says nothing about people and must not be reported as measured."
MIN_SIDE, MAX_SIDE = 32, 3840
MAX_STRENGTH = 3.0
"""Three times ``TINGLE_EFFECT`` nearly doubles the pulse wave; beyond it the amplifier's range ends."""
MAX_RATING_LAG_S = 10.0
MAX_WORKERS = 4
"""A participant takes 200 MB while their pulse is written."""


def simulate(
    out: Path,
    participants: int,
    seed: int,
    scenario: Scenario,
    size: tuple[int, int] = (1280, 720),
    progress: Callable[[str, float], None] | None = None,
    *,
    strength: float = 1.0,
    rating_lag_s: float = 0.0,
    cohort: int = 0,
) -> Path:
    """Write a simulated data set in the raw format of REST-ASMR, with its truth beside it.

    The same arguments give the same bytes, and a participant is the same in a study of any size. In scenario
    ``tingle`` a tingle slows the pulse and enlarges its waves; in ``null`` the ratings are the same and the
    pulse knows nothing of them.

    Parameters
    ----------
    out : Path
        Folder; new, empty or a simulated set, which is replaced.
    participants : int
        1 to 34.
    seed : int
        Not negative.
    scenario : {"tingle", "null"}
    size : tuple of int
        Width and height of the stimuli in pixels; even, 32 to 3840.
    progress : callable of (str, float), optional
        Told what was finished and the share of all work done, from the calling thread.
    strength : float
        Of what a tingle does to the pulse, as a multiple of ``TINGLE_EFFECT``; scenario ``tingle`` alone.
    rating_lag_s : float
        How much later than their reaction time people press the keys, in seconds, 0 to 10.
    cohort : int
        Which people of the seed, 0 to 9: each cohort is other people who see the same clips, and its
        participant numbers lie 100 above those of the one before.

    Returns
    -------
    Path
        ``out``.

    Raises
    ------
    ConfigError
        An argument is outside its range.
    DataError
        ``out`` holds something that is no simulated set, or can not be written.
    """
    _refuse_bad_arguments(participants, seed, scenario, size, cohort)
    _refuse_bad_effect(scenario, strength, rating_lag_s)
    out = Path(out)
    drives = stimulus_drives(part_rng(seed, "drive"))
    effect = TINGLE_EFFECT.scaled(strength) if scenario == "tingle" else NO_EFFECT
    sessions = {
        place: draw_session(place, drives, part_rng(seed, "person", place), rating_lag_s)
        for place in cohort_places(cohort, participants)
    }
    marker = {
        "notice": NOTICE,
        "format": FORMAT,
        "generator": f"rtasmr {__version__}",
        "scenario": scenario,
        "seed": seed,
        # Named where it is not the first: sets without others keep their bytes.
        **({"cohort": cohort} if cohort else {}),
        "size": list(size),
        "participants": [session.plan.participant for session in sessions.values()],
        "effect": asdict(effect),
        "rating_lag_s": rating_lag_s,
        "files": _file_names(sessions.values()),
    }
    try:
        _clear(out)
        for folder in FOLDERS:
            (out / folder).mkdir(parents=True, exist_ok=True)
        # Written first, so that an interrupted set can be told from a real one and be replaced.
        _write_marker(out, {**marker, "complete": False})
        _save_truth(out, "stimuli", {f"drive_{video}": drives[video] for video in VIDEOS})
        _write_all(out, sessions, drives, effect, seed, size, progress)
        _write_marker(out, {**marker, "complete": True})
    except OSError as error:
        # Some writers tell the cause in words only, and know no name.
        where, cause = error.filename or out, error.strerror or error
        raise DataError(f"{where}: can not be written ({cause}); free space or choose a folder") from error
    return out


def _refuse_bad_arguments(
    participants: int, seed: int, scenario: str, size: tuple[int, int], cohort: int
) -> None:
    if not 1 <= participants <= COHORT_SIZE:
        raise ConfigError(
            f"participants must be 1 to {COHORT_SIZE}, got {participants}; more are in further cohorts"
        )
    if not 0 <= cohort <= MAX_COHORT:
        raise ConfigError(f"cohort must be 0 to {MAX_COHORT}, got {cohort}")
    if seed < 0:
        raise ConfigError(f"seed must not be negative, got {seed}")
    if scenario not in get_args(Scenario):
        raise ConfigError(f"scenario must be one of {', '.join(get_args(Scenario))}, got {scenario!r}")
    if len(size) != 2 or any(side % 2 or not MIN_SIDE <= side <= MAX_SIDE for side in size):
        shown = "x".join(map(str, size))
        raise ConfigError(f"size must be two even numbers of {MIN_SIDE} to {MAX_SIDE} pixels, got {shown}")


def _refuse_bad_effect(scenario: str, strength: float, rating_lag_s: float) -> None:
    if not 0 < strength <= MAX_STRENGTH:
        raise ConfigError(
            f"strength must be above 0 and at most {MAX_STRENGTH:g}, got {strength:g}; "
            "for a pulse without an effect name scenario null"
        )
    if scenario == "null" and strength != 1.0:
        raise ConfigError(f"scenario null has no effect to scale, got strength {strength:g}; leave it out")
    if not 0 <= rating_lag_s <= MAX_RATING_LAG_S:
        raise ConfigError(f"rating_lag_s must be 0 to {MAX_RATING_LAG_S:g} seconds, got {rating_lag_s:g}")


def _file_names(sessions: Iterable[Session]) -> list[str]:
    """Return every file of the set but the marker, relative to its root."""
    names = [f"stim/{stimulus_file_name(video)}" for video in VIDEOS] + ["truth/stimuli.npz"]
    for session in sessions:
        plan = session.plan
        names += [f"log/{plan.log_name}", f"ppg/{plan.ppg_name}", f"truth/{plan.participant:03d}.npz"]
    return sorted(names)


def _clear(out: Path) -> None:
    """Remove the files of an earlier simulated set, and nothing else."""
    if not out.exists() or not any(out.iterdir()):
        return
    marker = out / SIMULATION_MARKER
    if not marker.is_file():
        raise DataError(f"{out}: not empty and no simulated set; choose another folder or empty it")
    try:
        names = json.loads(marker.read_text(encoding="utf-8"))["files"]
        paths = [Path(name) for name in names]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{marker}: names no files of a simulated set; choose another folder or empty it"
        ) from error
    for path in paths:
        # The list is a file that anybody may have edited: never leave the set's own folders.
        if len(path.parts) == 2 and path.parts[0] in FOLDERS and path.name != "..":
            (out / path).unlink(missing_ok=True)


def _write_marker(out: Path, content: Mapping[str, object]) -> None:
    text = json.dumps(content, indent=2) + "\n"
    (out / SIMULATION_MARKER).write_text(text, encoding="utf-8", newline="\n")


def _write_all(
    out: Path,
    sessions: Mapping[int, Session],
    drives: Mapping[str, NDArray[np.float64]],
    effect: PulseEffect,
    seed: int,
    size: tuple[int, int],
    progress: Callable[[str, float], None] | None,
) -> None:
    writer = BiopacWriter()
    # Threads: the encoders and the table writer do their work outside the interpreter's lock.
    pool = ThreadPoolExecutor(max_workers=min(os.cpu_count() or 1, MAX_WORKERS))
    try:
        jobs: dict[Future[None], str] = {}
        for number, video in enumerate(VIDEOS):
            path = out / "stim" / stimulus_file_name(video)
            rng = part_rng(seed, "stimulus", number)
            jobs[pool.submit(_write_film, path, video, drives[video], size, rng)] = f"stim/{path.name}"
        for place, session in sessions.items():
            rng = part_rng(seed, "pulse", place)
            name = f"participant {session.plan.participant:03d}"
            jobs[pool.submit(_write_session, out, session, effect, writer, rng)] = name
        for done, job in enumerate(as_completed(jobs), start=1):
            job.result()
            if progress is not None:
                progress(jobs[job], done / len(jobs))
    finally:
        # After an error or an interrupt only what runs already is waited for.
        pool.shutdown(wait=True, cancel_futures=True)


def _write_film(
    path: Path, video: str, drive: NDArray[np.float64], size: tuple[int, int], rng: np.random.Generator
) -> None:
    with named_in_errors(path):
        write_stimulus(path, video, drive, size, rng)


def _write_session(
    out: Path, session: Session, effect: PulseEffect, writer: BiopacWriter, rng: np.random.Generator
) -> None:
    plan = session.plan
    write_log(out / "log" / plan.log_name, plan, session.strokes, rng)
    pulse = simulate_pulse(session.intensity, effect, rng)
    ppg = out / "ppg" / plan.ppg_name
    with named_in_errors(ppg):
        writer.write(ppg, plan.participant, pulse.codes)
    kinds = {video: "tingle" if video in ASMR_VIDEOS else "pleasantness" for video in session.feelings}
    strokes = [stroke for in_clip in session.strokes for stroke in in_clip]
    truth = {f"{kinds[video]}_{video}": feeling for video, feeling in session.feelings.items()}
    truth["beat_times_s"] = pulse.beat_times_s
    truth["stroke_video"] = np.repeat([clip.video for clip in plan.clips], [len(s) for s in session.strokes])
    truth["stroke_offset"] = np.array([stroke.offset for stroke in strokes], dtype=np.int64)
    truth["stroke_code"] = np.array([stroke.code for stroke in strokes], dtype=np.int8)
    _save_truth(out, f"{plan.participant:03d}", truth)


def _save_truth(out: Path, name: str, arrays: Mapping[str, NDArray[Any]]) -> None:
    path = out / "truth" / f"{name}.npz"
    with named_in_errors(path):
        np.savez(path, allow_pickle=False, **arrays)
