"""CPU seconds of the offline side, beside the published pipeline's on input of the same size.

The published pipeline was timed on a machine of the same kind (2 virtual cores, AMD EPYC, no GPU).
"""

from __future__ import annotations

import numpy as np
import pytest

from offline.feature_sets import PAPER_PICTURE
from offline.live_frames import pulse_frames, stimulus_frames
from offline.metrics import accuracy, macro_f1, macro_precision, macro_recall
from offline.paper_pictures import paper_pictures
from offline.paper_pulse import paper_pulse
from offline.paper_sound import paper_sound
from offline.predictions import Predictions, TrialPrediction
from offline.statistics import (
    N_BOOTSTRAP,
    N_PERMUTATIONS,
    fold_values,
    label_permutation,
    percentile_interval,
    resample_participants,
    sequence_permutation,
    trial_counts,
    video_level,
)
from rtasmr.biopac import read_ppg
from rtasmr.grid import CLIP_DURATION_S, FIRST_CLIP_DURATION_S, n_published_frames
from rtasmr.types import VIDEOS, TrialId

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]

SECTION = "offline, seconds of CPU"
N_FRAMES = n_published_frames(CLIP_DURATION_S)

PUBLISHED_STIMULUS_S = 264 / 8
"""Sound and pictures of a study's eight stimuli, 320x180. It takes 12 extractions: a clip that somebody saw
first is computed again for its shorter showing."""
PUBLISHED_PULSE_S = 2.5 / 8
"""Eight participants, 720 s at 2 kHz each."""
PUBLISHED_STATISTICS_S = 68.0
"""2000 bootstraps and 5000 permutations over eight participants."""


def add(ledger, name, wall_s, cpu_s, published_s=None):
    columns = {} if published_s is None else {"published": published_s, "ratio": published_s / cpu_s}
    ledger.add(SECTION, name, cpu_s=cpu_s, wall_s=wall_s, **columns)


def test_paper_features_of_a_stimulus(take, ledger, served, published_size_study):
    path = published_size_study.stimulus("vid3")
    encode = served.load_encoder().encode
    lengths = (N_FRAMES, n_published_frames(FIRST_CLIP_DURATION_S))
    sounds, wall_s, cpu_s = take(lambda: [paper_sound(path, n) for n in lengths])
    assert [sound.shape for sound in sounds] == [(n, 31) for n in lengths]
    add(ledger, "sound of a stimulus (60 s), both lengths, paper set", wall_s, cpu_s)
    pictures, wall_2_s, cpu_2_s = take(lambda: paper_pictures(path, N_FRAMES, PAPER_PICTURE, encode))
    assert pictures.shape == (N_FRAMES, 512)
    name = "sound and pictures of a stimulus (60 s, 320x180), paper set"
    add(ledger, name, wall_s + wall_2_s, cpu_s + cpu_2_s, PUBLISHED_STIMULUS_S)


@pytest.mark.parametrize("size", ["320x180", "1280x720"])
def test_live_features_of_a_stimulus(take, ledger, served, published_size_study, stimulus, size):
    path = published_size_study.stimulus("vid3") if size == "320x180" else stimulus
    model, encoder = served.load_model(), served.load_encoder()
    frames, wall_s, cpu_s = take(lambda: stimulus_frames(path, model.card.feature_spec(), encoder.encode))
    assert frames.valid[:, :-1].all()
    name = f"sound and pictures of a stimulus (60 s, {size}), live set"
    add(ledger, name, wall_s, cpu_s, PUBLISHED_STIMULUS_S if size == "320x180" else None)


def test_pulse_of_a_participant(take, ledger, served, published_size_study):
    participant = published_size_study.participants[0]
    (path,) = (published_size_study.root / "ppg").iterdir()
    clips = published_size_study.log(participant).clips
    spec = served.load_model().card.feature_spec()
    recording, wall_s, cpu_s = take(lambda: read_ppg(path), 5)
    add(ledger, "pulse of a participant (720 s, 2 kHz): reading", wall_s, cpu_s)

    paper, wall_2_s, cpu_2_s = take(lambda: [paper_pulse(recording, clip) for clip in clips], 5)
    assert [len(pulse.values) for pulse in paper] == [n_published_frames(c.duration_s) for c in clips]
    name = "pulse of a participant: reading and 8 clips, paper set"
    add(ledger, name, wall_s + wall_2_s, cpu_s + cpu_2_s, PUBLISHED_PULSE_S)

    live, wall_2_s, cpu_2_s = take(lambda: [pulse_frames(recording, clip, spec) for clip in clips], 5)
    assert all(frames.valid[50:550, -1].all() for frames in live[1:])
    name = "pulse of a participant: reading and 8 clips, live set"
    add(ledger, name, wall_s + wall_2_s, cpu_s + cpu_2_s, PUBLISHED_PULSE_S)


def test_statistics_of_a_model(take, ledger, rng):
    """Full size: 34 participants, one clip of each kind in the test fold of each."""
    metrics = {"accuracy": accuracy, "f1": macro_f1, "precision": macro_precision, "recall": macro_recall}
    trials = []
    for i in range(34):
        fold = i % 4
        for video in (VIDEOS[fold], VIDEOS[4 + fold]):
            rating = np.repeat(rng.integers(0, 4, N_FRAMES // 25), 25).astype(np.int8)
            p = rng.random(N_FRAMES, dtype=np.float32)
            trials.append(TrialPrediction(TrialId(i + 1, video), fold + 1, p, rating, N_FRAMES))
    predictions = Predictions("noise", tuple(trials))

    def statistics():
        counts = trial_counts(predictions)
        totals = resample_participants(predictions, N_BOOTSTRAP, rng)(counts)
        intervals = [percentile_interval(metric(totals)) for metric in metrics.values()]
        folds = [fold_values(predictions, metric) for metric in metrics.values()]
        tests, _ = sequence_permutation(predictions, metrics, N_PERMUTATIONS, rng)
        label_permutation(video_level(predictions), N_PERMUTATIONS, rng)
        return intervals, folds, tests

    (intervals, _, tests), wall_s, cpu_s = take(statistics, 5)
    assert all(
        low < tests[name].observed < high for name, (low, high) in zip(metrics, intervals, strict=True)
    )
    name = f"statistics of a model, {N_BOOTSTRAP} bootstraps, {N_PERMUTATIONS} permutations, 34 people"
    add(ledger, name, wall_s, cpu_s, PUBLISHED_STATISTICS_S)
