from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from offline.epochs import LiveEpoch
from offline.metrics import auc
from offline.serving import ServedWindow, served_logits, served_windows
from offline.training import streaming_scores, train
from offline.training_config import TrainingConfig
from rtasmr.errors import ConfigError, DataError, ModelError
from rtasmr.types import TrialId

TINY = TrainingConfig(
    hidden=8,
    layers=1,
    window_frames=90,
    epochs=3,
    crops_per_trial=4,
    learning_rate=0.02,
    validation_stride=7,
    device="cpu",
)


def test_served_windows_grow_slide_and_end_with_the_segment():
    windows = served_windows(n_frames=56, window_frames=54, lookahead_frames=2)
    assert windows == [
        ServedWindow(0, 53, 50, 50),
        ServedWindow(0, 54, 51, 51),
        ServedWindow(1, 55, 52, 52),
        ServedWindow(2, 56, 53, 55),
    ]


@pytest.mark.parametrize("n_frames", [49, 50, 51, 55, 60, 61, 62, 557, 600])
def test_every_published_tick_is_read_once(n_frames):
    windows = served_windows(n_frames, window_frames=200, lookahead_frames=10)
    read = Counter(tick for w in windows for tick in range(w.first_read, w.last_read + 1))
    assert read == Counter(range(50, n_frames))
    assert all(0 <= w.start < w.stop <= n_frames for w in windows)


def test_served_logits_equal_one_pass_per_window(study):
    trained = train(study, replace(TINY, epochs=1), rng_seed=0)
    values, valid = (torch.from_numpy(array) for array in study[0].sequence)
    windows = served_windows(len(values), TINY.window_frames, 10)[::3]
    ticks, logits = served_logits(trained.network, study[0].sequence, windows)
    with torch.inference_mode():
        alone = [
            trained.network(values[None, w.start : w.stop], valid[None, w.start : w.stop])[0, t - w.start]
            for w in windows
            for t in range(w.first_read, w.last_read + 1)
        ]
    assert ticks.tolist() == [t for w in windows for t in range(w.first_read, w.last_read + 1)]
    np.testing.assert_allclose(logits, alone, atol=1e-5)


def test_the_model_learns_what_the_pulse_says_and_scores_every_published_frame(study):
    trained = train(study, replace(TINY, epochs=6), rng_seed=1)
    assert trained.scores["validation_balanced_accuracy_within_asmr"] > 0.9
    assert trained.warnings == ()
    for table in study[:4]:  # ASMR and nature clips of two lengths
        p = streaming_scores(trained, table)
        assert p.shape == (table.n_frames,)
        assert p.dtype == np.float32
        assert ((p >= 0) & (p <= 1)).all()
        assert np.mean((p >= trained.threshold) == table.label) > 0.9


def test_the_best_epoch_is_restored_from_a_copy(study):
    # A column of noise: the score jumps, so that the best epoch is not the last.
    config = replace(TINY, epochs=6, columns=("mfcc_01",))
    trained = train(study, config, rng_seed=2)
    scores = [record.auc for record in trained.history]
    assert trained.best_epoch == 1 + int(np.argmax(scores))
    assert scores[trained.best_epoch - 1] != scores[-1]

    logits, labels = [], []
    for table in study:
        if table.trial in trained.members[0].held_back and table.trial.is_asmr:
            windows = served_windows(50 + table.n_frames, config.window_frames, 10)[
                :: config.validation_stride
            ]
            ticks, read = served_logits(trained.network, table.sequence, windows)
            logits.append(read)
            labels.append(table.label[ticks - 50])
    again = auc(np.concatenate(labels), np.concatenate(logits))
    assert again == scores[trained.best_epoch - 1]


def test_a_seed_fixes_the_result_and_leaves_the_callers_random_numbers_alone(study):
    config = replace(TINY, epochs=1)
    torch.manual_seed(9)
    expected = torch.rand(3)
    torch.manual_seed(9)
    first, second, other = (train(study, config, rng_seed=seed) for seed in (5, 5, 6))
    assert torch.equal(torch.rand(3), expected)
    for name, value in first.network.state_dict().items():
        assert torch.equal(value, second.network.state_dict()[name]), name
    assert first.threshold == second.threshold
    assert not torch.equal(first.network.head.weight, other.network.head.weight)


def test_held_back_participants_do_not_train_and_progress_is_told(study):
    seen: list[tuple[int, LiveEpoch]] = []
    config = replace(TINY, epochs=2, validation_share=0.34)
    trained = train(study, config, rng_seed=0, progress=lambda *told: seen.append(told))
    assert seen == [(0, record) for record in trained.history]
    assert [record.epoch for _, record in seen] == [1, 2]
    assert len(trained.validation_participants) == 1
    assert sorted(trained.training_participants + trained.validation_participants) == [3, 7, 12]
    # Scaling knows the training participants only.
    fitting = [t for t in study if t.trial.participant in trained.training_participants]
    mean = np.concatenate([t.sequence[0][:, 2] for t in fitting]).mean()
    assert float(trained.network.mean[2]) == pytest.approx(mean, abs=1e-6)


def test_somebody_who_feels_tingles_is_held_back_and_somebody_trains(make_table):
    responder = {2, 5}
    tables = [
        table if participant in responder else replace(table, rating=np.zeros_like(table.rating))
        for participant in range(1, 7)
        for table in [make_table(TrialId(participant, "vid1"), 100)]
    ]
    for seed in range(5):
        config = replace(TINY, epochs=1, crops_per_trial=1, validation_share=0.3)
        trained = train(tables, config, rng_seed=seed)
        assert len(trained.validation_participants) == 2
        assert len(responder & set(trained.validation_participants)) == 1


def test_a_model_no_better_than_chance_is_not_calibrated_and_says_so(study):
    # Labels turned round for one participant: whoever is held back contradicts those who train.
    def turned(table):
        return replace(table, rating=np.where(table.rating > 0, 0, 2).astype(np.int8))

    held_back = set(train(study, replace(TINY, epochs=1), rng_seed=2).validation_participants)
    study = [turned(table) if table.trial.participant in held_back else table for table in study]
    trained = train(study, replace(TINY, epochs=4, columns=("ppg",)), rng_seed=2)
    assert set(trained.validation_participants) == held_back
    assert "no better than chance" in trained.warnings[0]
    assert float(trained.network.slope) == 1.0


def test_an_ablation_feeds_only_the_columns_it_names(study):
    trained = train(study, replace(TINY, epochs=1, columns=("ppg", "mfcc_01")), rng_seed=0)
    assert trained.network.used.tolist() == [False, False, True, False, True]


def test_a_column_that_is_not_in_the_tables_is_refused(study):
    with pytest.raises(ConfigError, match=r"columns: .* got \['eda'\]"):
        train(study, replace(TINY, columns=("eda",)), rng_seed=0)


def test_training_that_diverges_ends_with_one_clear_error(study):
    with pytest.raises(ModelError, match=r"training diverged: expected a finite loss in epoch 1.*3e\+37"):
        train(study, replace(TINY, learning_rate=3e37, batch_size=2), rng_seed=1)


def test_one_participant_is_not_enough(make_table):
    with pytest.raises(DataError, match=r"at least 2 participants .* got \[1\]"):
        train([make_table(TrialId(1, "vid1")), make_table(TrialId(1, "vid5"))], TINY, rng_seed=0)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"architecture": "transformer"}, "architecture: expected one of"),
        ({"epochs": 0}, "epochs: expected more than 0, got 0"),
        ({"learning_rate": -1.0}, "learning_rate: expected more than 0"),
        ({"lookahead_frames": 150}, "lookahead_frames: expected 0 to"),
        ({"modality_dropout": 1.5}, "modality_dropout: expected 0 to 1, got 1.5"),
        ({"device": "tpu"}, "device: expected auto, cpu or cuda"),
    ],
)
def test_settings_out_of_range_are_refused(setting, message):
    with pytest.raises(ConfigError, match=message):
        TrainingConfig(**setting)
