"""Saved predictions of a cross-validation: one value type, our file and the published file.

Scores, statistics and reports read these and never train.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offline.array_pickle import StoredArray, load_array_pickle
from offline.atomic import replacing
from offline.splits import fold_of_video
from rtasmr.errors import DataError
from rtasmr.grid import (
    CLIP_DURATION_S,
    FIRST_CLIP_DURATION_S,
    FRAME_RATE_HZ,
    WARMUP_TICKS,
    n_published_frames,
)
from rtasmr.types import VIDEOS, TrialId

N_STEPS = n_published_frames(CLIP_DURATION_S)
"""Steps of a published sequence."""

N_STEPS_FIRST_CLIP = n_published_frames(FIRST_CLIP_DURATION_S)
"""Steps of the first clip of a session; the published pipeline pads it to ``N_STEPS`` with zeros."""

PADDING_LOG_ODDS = 0.5
"""Mean distance in log-odds above which the end of a trial is not that of its clip.

Trials of one clip share sound and picture, and the pulse moves the published model by at most 0.06
there; padded ends lie at 1.2 and beyond.
"""

_LEAST_P = 1e-7  # keeps log-odds finite; the published probabilities are float32

_PUBLISHED_KEYS = ("subj", "vid_name", "truths", "preds", "probs", "raw_truths", "is_nature")


@dataclass(frozen=True, slots=True, eq=False)
class TrialPrediction:
    """What a model said about a trial that it was not trained on.

    Parameters
    ----------
    trial : TrialId
    fold : int
        Test fold, counted from 1.
    p : ndarray of shape (n_steps,), float32
        Probability of a tingle at each step; step ``j`` is tick ``50 + j`` of the clip.
    rating : ndarray of shape (n_steps,), int8
        Rating 0 to 3 as given, for nature clips too.
    n_real : int
        Steps that exist; any after them are zero padding of the published pipeline.
    threshold : float
        A step is called tingle where ``p`` exceeds it.
    has_pulse : bool
        Whether the person's pulse was valid throughout, as far as is known. Where it was not, the trial says
        nothing about what is the person's own.
    n_blind : int
        Steps among the real ones without a valid picture, sound or pulse, as far as is known: what is said of
        them rests on nothing that was measured then.
    """

    trial: TrialId
    fold: int
    p: NDArray[np.float32]
    rating: NDArray[np.int8]
    n_real: int
    threshold: float = 0.5
    has_pulse: bool = True
    n_blind: int = 0

    def __post_init__(self) -> None:
        if self.p.ndim != 1 or self.p.shape != self.rating.shape or not 0 < self.n_real <= self.p.size:
            raise DataError(
                f"trial {self.trial}: expected one probability and one rating per step and 1 to n_steps real "
                f"steps, got shapes {self.p.shape} and {self.rating.shape} and {self.n_real} real steps"
            )

    @property
    def is_asmr(self) -> bool:
        """Whether the clip is one of the ASMR clips."""
        return self.trial.is_asmr

    @property
    def predicted(self) -> NDArray[np.bool_]:
        """Steps called tingle, shape (n_steps,)."""
        return self.p > self.threshold

    @property
    def truth(self) -> NDArray[np.bool_]:
        """Published label, shape (n_steps,): rated above 0 on an ASMR clip; never on a nature clip."""
        return (self.rating > 0) & self.is_asmr

    @property
    def time_s(self) -> NDArray[np.float64]:
        """Seconds since the start of the clip, shape (n_steps,)."""
        return (WARMUP_TICKS + np.arange(self.p.size)) / FRAME_RATE_HZ

    def without_padding(self) -> TrialPrediction:
        """Return the steps that exist."""
        return replace(self, p=self.p[: self.n_real], rating=self.rating[: self.n_real], n_real=self.n_real)


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """Test predictions of one model over the folds of a cross-validation."""

    model: str
    trials: tuple[TrialPrediction, ...]

    def __post_init__(self) -> None:
        seen = [prediction.trial for prediction in self.trials]
        if len(set(seen)) != len(seen):
            twice = next(trial for trial in seen if seen.count(trial) > 1)
            raise DataError(f"model {self.model!r}: expected each trial once, got {twice} more than once")

    @property
    def folds(self) -> tuple[int, ...]:
        """Test folds, ascending."""
        return tuple(sorted({prediction.fold for prediction in self.trials}))

    @property
    def participants(self) -> tuple[int, ...]:
        """Participants, ascending."""
        return tuple(sorted({prediction.trial.participant for prediction in self.trials}))

    def where(self, keep: Callable[[TrialPrediction], bool]) -> Predictions:
        """Return the trials for which ``keep`` is true."""
        return replace(self, trials=tuple(trial for trial in self.trials if keep(trial)))

    def without_padding(self) -> Predictions:
        """Return all trials cut to the steps that exist."""
        return replace(self, trials=tuple(trial.without_padding() for trial in self.trials))

    def with_rule(self, name: str, rule: Callable[[TrialPrediction], Any]) -> Predictions:
        """Return the same trials predicted by ``rule``, which gives 0/1 or a probability per step."""
        trials = tuple(
            replace(trial, p=np.broadcast_to(np.asarray(rule(trial), dtype=np.float32), trial.p.shape))
            for trial in self.trials
        )
        return replace(self, model=name, trials=trials)


def load_published(path: Path) -> Predictions:
    """Read the authors' own test predictions of their fusion model.

    Parameters
    ----------
    path : Path
        ``paper_fusion_results_4_fold.pkl`` of the published pipeline: a pickled list of trials.

    Raises
    ------
    DataError
        The file is missing, damaged, refers to anything but NumPy arrays, or contradicts itself.

    Notes
    -----
    The file does not say which trials are padded. A trial counts as padded when its ratings are 0 over
    the last 43 steps and its log-odds there differ from the median trial of the same clip by more than
    ``PADDING_LOG_ODDS`` on average.
    """
    content = load_array_pickle(path)
    if not isinstance(content, list) or not content:
        raise DataError(
            f"{path.name}: expected a list of trials, got {type(content).__name__}; fetch it again"
        )
    trials = [_published_trial(item, f"{path.name}, trial {i}") for i, item in enumerate(content)]
    padded = padded_trials(trials)
    return Predictions(
        "fusion",
        tuple(replace(t, n_real=N_STEPS_FIRST_CLIP) if t.trial in padded else t for t in trials),
    )


def _published_trial(item: Any, where: str) -> TrialPrediction:
    if not isinstance(item, dict) or not set(_PUBLISHED_KEYS) <= item.keys():
        raise DataError(f"{where}: expected a dict with {', '.join(_PUBLISHED_KEYS)}, got {_outline(item)}")
    arrays: dict[str, NDArray[Any]] = {}
    for key in ("truths", "preds", "probs", "raw_truths"):
        stored = item[key]
        if not isinstance(stored, StoredArray) or stored.values.shape != (N_STEPS,):
            raise DataError(f"{where}: expected {N_STEPS} numbers in {key!r}, got {_outline(stored)}")
        arrays[key] = stored.values
    if not isinstance(item["subj"], int) or item["vid_name"] not in VIDEOS:
        raise DataError(
            f"{where}: expected an integer subj and a vid_name from vid1 to vid8, got "
            f"{_outline(item['subj'])} and {_outline(item['vid_name'])}"
        )
    p, rating = arrays["probs"], arrays["raw_truths"]
    if not np.all((p >= 0) & (p <= 1)) or not np.all(np.isin(rating, (0, 1, 2, 3))):
        raise DataError(f"{where}: expected probabilities from 0 to 1 and ratings 0, 1, 2, 3; got others")
    trial = TrialPrediction(
        TrialId(item["subj"], item["vid_name"]),
        fold_of_video(item["vid_name"]),
        p.astype(np.float32),
        rating.astype(np.int8),
        N_STEPS,
    )
    consistent = (
        bool(item["is_nature"]) != trial.is_asmr
        and np.array_equal(arrays["truths"], trial.truth)
        and np.array_equal(arrays["preds"], trial.predicted)
    )
    if not consistent:
        raise DataError(
            f"{where}: expected truths, preds and is_nature to follow from the ratings, the probabilities "
            f"(above {trial.threshold}) and the clip; they do not: the file was changed"
        )
    return trial


def _outline(value: Any) -> str:
    """Tell what came in a few words; the content of a foreign file may be long or nested."""
    if isinstance(value, StoredArray):
        return f"an array of shape {value.values.shape}"
    if isinstance(value, (str, int, float)):
        return repr(value)[:40]
    if isinstance(value, (list, dict)):
        return f"a {type(value).__name__} of {len(value)}"
    return f"a {type(value).__name__}"


def padded_trials(trials: Iterable[TrialPrediction]) -> frozenset[TrialId]:
    """Return the full-length trials whose last 43 steps are zero padding (rule: ``load_published``)."""
    tail = slice(N_STEPS_FIRST_CLIP, N_STEPS)
    by_video: dict[str, list[TrialPrediction]] = {}
    for trial in trials:
        by_video.setdefault(trial.trial.video, []).append(trial)
    padded = set()
    for same_clip in by_video.values():
        p = np.stack([trial.p[tail] for trial in same_clip]).astype(np.float64)
        p = np.clip(p, _LEAST_P, 1.0 - _LEAST_P)
        log_odds = np.log(p / (1.0 - p))
        distance = np.abs(log_odds - np.median(log_odds, axis=0)).mean(axis=1)
        padded |= {
            trial.trial
            for trial, far in zip(same_clip, distance > PADDING_LOG_ODDS, strict=True)
            if far and not trial.rating[tail].any()
        }
    return frozenset(padded)


def save_predictions(
    path: Path, models: Sequence[Predictions], origin: Mapping[str, Any] | None = None
) -> None:
    """Write predictions of one or more models to one ``.npz`` file.

    Per trial: ``participant``, ``video``, ``fold``, ``model``, ``n_real``, ``threshold``, ``has_pulse``,
    ``n_blind``; ``offsets`` of shape (n_trials + 1,) cut the concatenated ``p``, ``rating`` and ``tick``.
    Steps from ``n_real`` on are padding: they enter only scores that say so. ``origin`` (plain values) goes
    with them and says what they rest on, such as simulated data.
    """
    rows = [(predictions.model, trial) for predictions in models for trial in predictions.trials]
    if not rows:
        raise DataError(f"{path.name}: expected predictions of at least one trial, got none")
    lengths = [trial.p.size for _, trial in rows]
    with replacing(path) as part:
        np.savez_compressed(
            part,
            participant=np.array([trial.trial.participant for _, trial in rows], dtype=np.int64),
            video=np.array([trial.trial.video for _, trial in rows]),
            fold=np.array([trial.fold for _, trial in rows], dtype=np.int64),
            model=np.array([model for model, _ in rows]),
            n_real=np.array([trial.n_real for _, trial in rows], dtype=np.int64),
            threshold=np.array([trial.threshold for _, trial in rows], dtype=np.float64),
            has_pulse=np.array([trial.has_pulse for _, trial in rows], dtype=np.bool_),
            n_blind=np.array([trial.n_blind for _, trial in rows], dtype=np.int64),
            offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            p=np.concatenate([trial.p for _, trial in rows]).astype(np.float32),
            rating=np.concatenate([trial.rating for _, trial in rows]).astype(np.int8),
            tick=np.concatenate([WARMUP_TICKS + np.arange(n) for n in lengths]).astype(np.int64),
            origin_json=np.array(json.dumps(dict(origin or {}))),
        )


def load_origin(path: Path) -> dict[str, Any]:
    """Return the ``origin`` given to ``save_predictions``; empty for a file without one."""
    try:
        with path.open("rb") as file:
            if not zipfile.is_zipfile(file):
                raise zipfile.BadZipFile("not an .npz archive")
            with np.load(file, allow_pickle=False) as archive:
                origin = json.loads(str(archive["origin_json"])) if "origin_json" in archive.files else {}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path.name}: expected predictions ({error}); make the file again") from error
    if not isinstance(origin, dict):
        raise DataError(f"{path.name}: expected a description of the predictions; make the file again")
    return origin


def load_predictions(path: Path) -> dict[str, Predictions]:
    """Read a file of ``save_predictions``: model name to its predictions, in the order saved."""
    per_trial = ("participant", "video", "fold", "model", "n_real", "threshold")
    keys = (*per_trial, "offsets", "p", "rating")
    try:
        # np.load takes a file that is no archive for a pickle and advises to trust it.
        with path.open("rb") as file:
            if not zipfile.is_zipfile(file):
                raise zipfile.BadZipFile("not an .npz archive")
            with np.load(file, allow_pickle=False) as archive:
                content = {key: archive[key] for key in keys}
                # Files of other makers do not say; then every pulse counts as valid, and every step as seen.
                for key, unsaid in (("has_pulse", np.True_), ("n_blind", np.int64(0))):
                    unknown = np.full(content["model"].size, unsaid)
                    content[key] = archive[key] if key in archive.files else unknown
    except FileNotFoundError as error:
        raise DataError(f"{path}: expected a file of predictions, found none; give its path") from error
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path.name}: expected predictions with {', '.join(keys)}, "
            f"got a damaged or other file ({error}); make it again"
        ) from error
    shapes = {key: array.shape for key, array in content.items()}
    n_trials, n_steps = content["model"].size, content["p"].size
    expected = dict.fromkeys((*per_trial, "has_pulse", "n_blind"), (n_trials,)) | {"offsets": (n_trials + 1,)}
    expected |= {"p": (n_steps,), "rating": (n_steps,)}
    if shapes != expected or content["offsets"][-1] != n_steps:
        raise DataError(f"{path.name}: expected arrays that fit together, got shapes {shapes}; make it again")
    if strangers := sorted({str(video) for video in content["video"]} - set(VIDEOS)):
        raise DataError(
            f"{path.name}: expected clips out of {', '.join(VIDEOS)}, got {', '.join(strangers)}; "
            "name them as the data set does"
        )
    offsets = content["offsets"]
    grouped: dict[str, list[TrialPrediction]] = {}
    for i, model in enumerate(content["model"]):
        steps = slice(int(offsets[i]), int(offsets[i + 1]))
        grouped.setdefault(str(model), []).append(
            TrialPrediction(
                TrialId(int(content["participant"][i]), str(content["video"][i])),
                int(content["fold"][i]),
                content["p"][steps],
                content["rating"][steps],
                int(content["n_real"][i]),
                float(content["threshold"][i]),
                bool(content["has_pulse"][i]),
                int(content["n_blind"][i]),
            )
        )
    return {model: Predictions(model, tuple(trials)) for model, trials in grouped.items()}
