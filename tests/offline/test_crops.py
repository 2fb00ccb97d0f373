from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from offline.crops import draw_batches, modality_columns, read_weight, training_sequences
from offline.tables import TrialTable
from offline.training_config import TrainingConfig
from rtasmr.errors import DataError
from rtasmr.types import TrialId

CPU = torch.device("cpu")
CLEAN = TrainingConfig(
    window_frames=120, modality_dropout=0.0, gap_rate=0.0, crops_per_trial=12, batch_size=5
)


def numbered(table: TrialTable) -> TrialTable:
    """Return the table with each frame's tick in column 0 and its label in the last column."""
    values = np.nan_to_num(table.sequence[0])
    values[:, 0] = np.arange(len(values))
    values[50:, -1] = table.label
    valid = np.ones(values.shape, dtype=np.bool_)
    return replace(
        table, values=values[50:], preroll_values=values[:50], valid=valid[50:], preroll_valid=valid[:50]
    )


def test_crops_are_consecutive_frames_with_the_label_of_their_own_tick(study, rng):
    study = [numbered(table) for table in study]
    sequences = training_sequences(study, CPU)
    n_windows, lengths = 0, set()
    for batch in draw_batches(sequences, modality_columns(study[0].spec, CPU), CLEAN, rng):
        ticks = batch.x[..., 0].numpy()
        assert (np.diff(ticks, axis=1) == 1).all()
        published = ticks >= 50
        np.testing.assert_array_equal(batch.target.numpy()[published], batch.x[..., -1].numpy()[published])
        assert (batch.weight.numpy()[~published] == 0).all()
        n_windows += len(batch.x)
        lengths.add(batch.x.shape[1])
    assert n_windows == 12 * len(study)
    assert max(lengths) == 120
    assert len(lengths) > 1
    assert min(lengths) >= 61  # the first window that the runtime reads


def test_a_window_that_has_not_grown_yet_starts_with_the_clip_half_of_the_time(study, rng):
    study = [numbered(table) for table in study]
    config = replace(CLEAN, full_window_share=0.0, crops_per_trial=60)
    batches = draw_batches(training_sequences(study, CPU), modality_columns(study[0].spec, CPU), config, rng)
    starts = torch.cat([batch.x[:, 0, 0] for batch in batches if batch.x.shape[1] < 120]).numpy()
    # 700 draws or so, half of them at tick 0: the share strays by 0.02 (one standard deviation).
    assert len(starts) > 600
    assert np.mean(starts == 0) == pytest.approx(0.5, abs=0.08)


def test_trials_keep_their_values_when_inputs_are_dropped(study, rng):
    sequences = training_sequences(study, CPU)
    before = [sequence.valid.clone() for sequence in sequences]
    config = replace(CLEAN, modality_dropout=0.5, gap_rate=1.0)
    list(draw_batches(sequences, modality_columns(study[0].spec, CPU), config, rng))
    assert all(torch.equal(s.valid, kept) for s, kept in zip(sequences, before, strict=True))


def test_modalities_go_missing_as_a_whole_and_never_all_of_them(study, rng):
    config = replace(CLEAN, modality_dropout=1.0)
    modalities = modality_columns(study[0].spec, CPU)
    assert [columns.tolist() for columns in modalities] == [[4], [2, 3], [0, 1]]
    for batch in draw_batches(training_sequences(study, CPU), modalities, config, rng):
        present = torch.stack([batch.valid[:, -1, columns].all(dim=-1) for columns in modalities], dim=-1)
        assert (present.sum(dim=-1) == 1).all()
        # Each column is missing throughout, but for the pulse's own invalid first frame.
        assert (batch.valid[:, 1:] == batch.valid[:, -1:]).all()


def test_a_gap_is_one_stretch_of_one_modality(study, rng):
    study = [numbered(table) for table in study]
    config = replace(CLEAN, gap_rate=1.0, max_gap_frames=50)
    modalities = modality_columns(study[0].spec, CPU)
    for batch in draw_batches(training_sequences(study, CPU), modalities, config, rng):
        for valid in batch.valid.numpy():
            missing = ~valid
            hit = [m for m, columns in enumerate(modalities) if missing[:, columns.numpy()].any()]
            assert len(hit) == 1
            frames = np.flatnonzero(missing.any(axis=1))
            assert 1 <= len(frames) <= 50
            assert (np.diff(frames) == 1).all()
            assert missing[np.ix_(frames, modalities[hit[0]].numpy())].all()


def test_loss_counts_the_frame_that_is_read_and_the_published_ones_before_it():
    config = TrainingConfig(window_frames=60, lookahead_frames=2, earlier_weight=0.5)
    class_weight = torch.tensor([0.0, 0.0, 3.0, 1.0, 3.0, 1.0, 1.0])  # two frames of warm-up
    inside = read_weight(class_weight, ends_clip=False, config=config)
    assert inside.tolist() == pytest.approx([0, 0, 0.5 * 3 / 2, 0.5 * 1 / 2, 3.0, 0, 0])
    # The final window is also read without full look-ahead: three frames share the weight of one.
    final = read_weight(class_weight, ends_clip=True, config=config)
    assert final.tolist() == pytest.approx([0, 0, 0.5 * 3 / 2, 0.5 * 1 / 2, 3 / 3, 1 / 3, 1 / 3])


def test_classes_weigh_the_same_in_the_published_way(study):
    sequences = training_sequences(study, CPU)
    labels = np.concatenate([table.label for table in study])
    weights = torch.cat([sequence.class_weight[50:] for sequence in sequences]).numpy()
    assert weights[labels].sum() == pytest.approx(len(labels) / 2, rel=1e-5)
    assert weights[~labels].sum() == pytest.approx(len(labels) / 2, rel=1e-5)


def test_nothing_to_tell_apart_is_refused(make_table):
    nature_only = [make_table(TrialId(1, "vid5")), make_table(TrialId(2, "vid6"))]
    with pytest.raises(DataError, match="got 0 with tingle of 1100"):
        training_sequences(nature_only, CPU)
