"""Proof that the evaluation is right, on people whose truth is known.

People, reports and pulse waves come from the simulation, the pulse's columns from the runtime's own
extractor; only sound and picture are replaced by the clip's drive under noise, as nothing about a person is
in them. A small model that is trained in a second, boosted trees on summaries of the past, goes through the
evaluation as any other does. Two questions are asked of many such studies: how often it claims to track
people whose pulses were exchanged, and from which strength of the effect on it finds that it does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from offline.asking import exchanged
from offline.behaviour import RatedTrial
from offline.cardio import PulseTrial, compare_conditions, measure_comparison, published_rates, window_ratings
from offline.live_frames import pulse_frames
from offline.modality_gain import EXCHANGED, gains_of
from offline.outer_folds import outer_folds
from offline.padded import class_weights
from offline.person_test import person_test
from offline.predictions import Predictions, TrialPrediction
from offline.score_rows import score_row
from offline.scores import asmr_trials
from offline.simulation.drive import stimulus_drives
from offline.simulation.pulse import N_SAMPLES, NO_EFFECT, STEP_MV, TINGLE_EFFECT, simulate_pulse
from offline.simulation.sessions import Session, draw_session, part_rng
from offline.splits import trial_of_another
from offline.statistics import N_BOOTSTRAP
from offline.tables import TrialTable
from offline.verdict import PERSON_P, Verdict, Words, judge
from rtasmr.biopac import PPG_SFREQ, PpgRecording
from rtasmr.features.spec import PPG_NAMES, FeatureSpec
from rtasmr.grid import FRAME_RATE_HZ, WARMUP_TICKS
from rtasmr.presentation_log import LOG_UNITS_PER_S, Clip, Press, SessionLog, rating_track
from rtasmr.types import Modality, TrialId

DRIVE_NAMES = ("mfcc_01", "rms")
"""Columns that stand for the stimulus: its drive, and its drive over the past seconds, under noise."""

DRIVE_NOISE = 0.05
SHORT_FRAMES, LONG_FRAMES = 50, 200
"""Lengths of the means that the trees look at: five beats or so, and the 20 s of the runtime's window."""

N_TREES, DEPTH, LEARNING_RATE, TRAINING_STRIDE = 60, 3, 0.1, 5
"""Neighbouring ticks say the same: every fifth trains as well and five times as fast."""

N_EXCHANGES = 3


def proof_spec() -> FeatureSpec:
    """Return the few columns of ``live`` that the proof needs."""
    return FeatureSpec(names=(*DRIVE_NAMES, *PPG_NAMES))


def proof_study(
    places: Sequence[int], seed: int, strength: float | None, rating_lag_s: float = 0.0
) -> list[TrialTable]:
    """Return the feature tables of simulated people, without files between.

    Parameters
    ----------
    places : sequence of int
        Places in the study, from 0: the first 34 are those of `simulate`, the next 34 its next cohort. The
        same place and seed are the same person at any strength.
    seed : int
    strength : float or None
        Of the effect on the pulse, as a multiple of `TINGLE_EFFECT`; 0 for none. None leaves the pulse itself
        out, for one of somebody else: see `exchange_pulses`.
    rating_lag_s : float
    """
    spec = proof_spec()
    drives = stimulus_drives(part_rng(seed, "drive"))
    stimuli = {
        video: _stimulus_columns(drive, part_rng(seed, "stimulus", number))
        for number, (video, drive) in enumerate(drives.items())
    }
    tables = []
    for place in places:
        log, recording = _simulated(place, drives, seed, strength, rating_lag_s)
        tables += [_table(log, clip, recording, stimuli[clip.video], spec) for clip in log.clips]
    return tables


def paper_effect(places: Sequence[int], seed: int, strength: float) -> float | None:
    """Return Cohen's d of the paper's test of the pulse rate, on the people of `proof_study`.

    People's correlations of pulse rate and rating in ASMR clips against those in nature clips, on Fisher's z.
    Negative: the pulse slows with a tingle. It stops growing where the correlations near what ratings in
    whole levels allow. None where it is undefined.
    """
    drives = stimulus_drives(part_rng(seed, "drive"))
    time_min = np.arange(N_SAMPLES) / (60.0 * PPG_SFREQ)
    trials = []
    for place in places:
        log, recording = _simulated(place, drives, seed, strength)
        assert recording is not None  # a strength gives a pulse
        recording = replace(recording, time_min=time_min)
        for clip in log.clips:
            trial = TrialId(log.participant, clip.video)
            rated = RatedTrial(trial, clip.start_s, clip.stop_s, rating_track(log, clip))
            rates = published_rates(recording, rated)
            trials.append(PulseTrial(rated, rates, window_ratings(rated.rating)))
    return measure_comparison(compare_conditions(trials), "pulse", [])["pulse.t"].cohen_d


def exchange_pulses(
    tables: Sequence[TrialTable], rng: np.random.Generator, givers: Sequence[TrialTable] | None = None
) -> list[TrialTable]:
    """Return the study with everybody's pulse from somebody drawn at random, the same one in all clips.

    What a pulse says of its owner's tingles says nothing of the reports it now stands beside.

    Parameters
    ----------
    tables : sequence of TrialTable
    rng : Generator
    givers : sequence of TrialTable, optional
        A study of as many people, whose pulses they are; by default the people of ``tables`` exchange theirs.
    """
    givers = tables if givers is None else givers
    people, others = (sorted({table.trial.participant for table in study}) for study in (tables, givers))
    giver = {person: int(other) for person, other in zip(people, rng.permutation(others), strict=True)}
    by_trial = {table.trial: table for table in givers}
    return [
        exchanged(table, by_trial[TrialId(giver[table.trial.participant], table.trial.video)], Modality.PPG)
        for table in tables
    ]


def judge_study(
    tables: Sequence[TrialTable],
    rng: np.random.Generator,
    n_bootstrap: int = N_BOOTSTRAP,
    learn: Learner | None = None,
    *,
    crossed: bool = True,
) -> Verdict:
    """Train on outer folds, score what was not trained on, and return the verdict.

    Parameters
    ----------
    tables : sequence of TrialTable
    rng : Generator
    n_bootstrap : int
    learn : callable, optional
        `learn_trees` by default.
    crossed : bool
        Test everybody on every clip, in 16 folds; else the published four.
    """
    predictions = held_out_predictions(tables, learn or learn_trees, crossed=crossed)
    return judge_predictions(*predictions, rng, n_bootstrap)


def judge_predictions(
    own: Predictions, others: Sequence[Predictions], rng: np.random.Generator, n_bootstrap: int = N_BOOTSTRAP
) -> Verdict:
    """Return the verdict on predictions and on those of the same trials with other people's pulses."""
    row_rng, gain_rng = rng.spawn(2)
    row = score_row(own, row_rng, n_bootstrap=n_bootstrap)
    answers = {EXCHANGED: [asmr_trials(one) for one in others]}
    gains = gains_of(asmr_trials(own), answers, gain_rng, n_bootstrap)
    return judge(row.scores, row.person, gains[f"{EXCHANGED}.brier_gain"])


def tracks_person(
    tables: Sequence[TrialTable], rng: np.random.Generator, n_bootstrap: int = N_BOOTSTRAP
) -> bool:
    """Whether `judge_study` says that the model tracks the person, at less cost where it does not.

    The verdict needs a small p-value of `person_test`: the rest is computed only where there is one.
    """
    predictions = held_out_predictions(tables, learn_trees)
    person_rng, judge_rng = rng.spawn(2)
    person = person_test(asmr_trials(predictions[0]).trials, person_rng)
    if person.p is None or person.p > PERSON_P:
        return False
    return judge_predictions(*predictions, judge_rng, n_bootstrap).words is Words.PERSON


@dataclass(frozen=True)
class Learned:
    """A model: what it says of each published frame of a trial, and the threshold above which it calls.

    Parameters
    ----------
    says : callable
        Takes a trial and returns probabilities of shape (n_frames,).
    threshold : float
    """

    says: Callable[[TrialTable], NDArray[np.float32]]
    threshold: float = 0.5


Learner = Callable[[Sequence[TrialTable]], Learned]
"""Takes the trials to learn from."""


def learn_trees(tables: Sequence[TrialTable]) -> Learned:
    """Return small boosted trees on `summaries`; they learn in a second."""
    import xgboost  # here: it takes 100 MB, and most who import this module train nothing

    x = np.concatenate([summaries(table)[::TRAINING_STRIDE] for table in tables])
    y = np.concatenate([table.label[::TRAINING_STRIDE] for table in tables])
    with_tingle, without = class_weights(int(y.sum()), y.size)
    trees = xgboost.XGBClassifier(
        n_estimators=N_TREES,
        max_depth=DEPTH,
        learning_rate=LEARNING_RATE,
        scale_pos_weight=with_tingle / without,
        n_jobs=1,
    )
    trees.fit(x, y.astype(np.int8))
    return Learned(lambda table: trees.predict_proba(summaries(table))[:, 1].astype(np.float32))


def held_out_predictions(
    tables: Sequence[TrialTable], learn: Learner, *, crossed: bool = True
) -> tuple[Predictions, list[Predictions]]:
    """Return test predictions over the outer folds, and those of ASMR trials with others' pulses.

    The others are tested in the same fold.
    """
    said: defaultdict[int, list[TrialPrediction]] = defaultdict(list)
    for fold in outer_folds(tables, crossed=crossed):
        model = learn(fold.training)
        for shift in range(N_EXCHANGES + 1):
            for table, asked in zip(fold.test, _exchanged(fold.test, shift), strict=True):
                if shift and not table.trial.is_asmr:
                    continue
                p = model.says(asked)
                said[shift].append(
                    TrialPrediction(
                        table.trial, fold.number, p, table.rating, table.n_frames, model.threshold
                    )
                )
    own, *others = (Predictions("proof", tuple(said[shift])) for shift in range(N_EXCHANGES + 1))
    return own, others


def summaries(table: TrialTable) -> NDArray[np.float32]:
    """Return what the trees see of each published frame, shape (n_frames, 2 * n_features).

    The mean of each column over the newest seconds, of the pulse wave its mean square, which follows the
    height of the beats; and the same over the newest 20 s. NaN where nothing is valid.
    """
    values, valid = table.sequence
    x = np.where(valid, values, 0.0).astype(np.float64)
    pulse = table.spec.columns(Modality.PPG)
    x[:, pulse] **= 2
    totals, counts = np.cumsum(x, axis=0), np.cumsum(valid, axis=0, dtype=np.float64)
    means = []
    for n_frames in (SHORT_FRAMES, LONG_FRAMES):
        n_valid = _trailing(counts, n_frames)
        means.append(_trailing(totals, n_frames) / np.where(n_valid > 0, n_valid, np.nan))
    return np.concatenate(means, axis=1)[WARMUP_TICKS:].astype(np.float32)


def rate_interval(n_found: int, n_studies: int) -> tuple[float, float]:
    """Return the exact 95 % interval (Clopper and Pearson) of a rate."""
    interval = binomtest(n_found, n_studies).proportion_ci(0.95, method="exact")
    return float(interval.low), float(interval.high)


def _trailing(cumulated: NDArray[np.float64], n_frames: int) -> NDArray[np.float64]:
    before = np.zeros_like(cumulated)
    before[n_frames:] = cumulated[:-n_frames]
    return cumulated - before


def _exchanged(tested: Sequence[TrialTable], shift: int) -> list[TrialTable]:
    if shift == 0:
        return list(tested)
    by_trial = {table.trial: table for table in tested}
    givers = (by_trial[trial_of_another(by_trial, trial, shift)] for trial in by_trial)
    return [exchanged(table, giver, Modality.PPG) for table, giver in zip(tested, givers, strict=True)]


def _simulated(
    place: int,
    drives: Mapping[str, NDArray[np.float64]],
    seed: int,
    strength: float | None,
    rating_lag_s: float = 0.0,
) -> tuple[SessionLog, PpgRecording | None]:
    """Return what one person pressed, and their pulse unless ``strength`` is None."""
    session = draw_session(place, drives, part_rng(seed, "person", place), rating_lag_s)
    recording = None
    if strength is not None:
        effect = TINGLE_EFFECT.scaled(strength) if strength else NO_EFFECT
        pulse = simulate_pulse(session.intensity, effect, part_rng(seed, "pulse", place))
        recording = PpgRecording((pulse.codes * STEP_MV).astype(np.float32))
    return _log_of(session), recording


def _log_of(session: Session) -> SessionLog:
    presses = [
        Press(clip.start_s + stroke.offset / LOG_UNITS_PER_S, stroke.code - 1)
        for clip, strokes in zip(session.plan.clips, session.strokes, strict=True)
        for stroke in strokes
    ]
    ordered = sorted(presses, key=lambda press: press.time_s)
    return SessionLog(session.plan.participant, session.plan.condition, session.plan.clips, tuple(ordered))


def _stimulus_columns(drive: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float32]:
    past = _trailing(np.cumsum(drive), 30) / np.minimum(np.arange(1, drive.size + 1), 30)
    noise = DRIVE_NOISE * rng.standard_normal((drive.size, 2))
    return (np.stack([drive, past], axis=1) + noise).astype(np.float32)


def _table(
    log: SessionLog,
    clip: Clip,
    recording: PpgRecording | None,
    stimulus: NDArray[np.float32],
    spec: FeatureSpec,
) -> TrialTable:
    n_ticks = round(clip.duration_s * FRAME_RATE_HZ)
    values = np.full((n_ticks, spec.n_features), np.nan, dtype=np.float32)
    valid = np.zeros(values.shape, dtype=np.bool_)
    if recording is not None:
        frames = pulse_frames(recording, clip, spec)
        values[:], valid[:] = frames.values[:n_ticks], frames.valid[:n_ticks]
    values[:, : len(DRIVE_NAMES)], valid[:, : len(DRIVE_NAMES)] = stimulus[:n_ticks], True
    return TrialTable(
        trial=TrialId(log.participant, clip.video),
        values=values[WARMUP_TICKS:],
        valid=valid[WARMUP_TICKS:],
        rating=rating_track(log, clip),
        preroll_values=values[:WARMUP_TICKS],
        preroll_valid=valid[:WARMUP_TICKS],
        spec=spec,
        simulated=True,
    )
