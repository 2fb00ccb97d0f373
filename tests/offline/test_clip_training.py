from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from offline.clip_training import ClipBilstm, build_network, reproducible
from offline.metrics import Counts, macro_f1
from offline.padded import PaddedClip, class_weights, pad_clip
from offline.protocols import PUBLISHED
from rtasmr.errors import DataError, ModelError
from rtasmr.types import TrialId

TINY = replace(PUBLISHED, hidden=8, layers=1, epochs=6, batch_size=4, learning_rate=0.02, n_steps=150)
CPU = torch.device("cpu")


@pytest.fixture
def clips(study, small_spec) -> list[PaddedClip]:
    """Twelve clips of 150 steps; those of vid1 end after 130. The pulse knows every tingle."""
    return [pad_clip(table, np.arange(small_spec.n_features), TINY.n_steps) for table in study]


def fit(clips, names, protocol=TINY, seed=1, validation=(), **options) -> ClipBilstm:
    return ClipBilstm(names, protocol, seed, CPU, **options).fit(clips, validation)


def test_weights_are_n_over_twice_the_class_and_padding_counts_as_no_tingle(clips):
    # Ticks 50-79 and 120-159 of the six ASMR clips hold a tingle; no padded step does.
    n_tingle = sum(int(clip.target.sum()) for clip in clips)
    assert n_tingle == 6 * 70
    assert class_weights(n_tingle, 12 * 150) == pytest.approx((1800 / 840, 1800 / 2760))


def test_the_loss_is_the_published_weighted_cross_entropy_of_two_logits(clips, small_spec):
    """One epoch of one batch without learning gives the loss of the first weights."""
    losses = []
    protocol = replace(TINY, epochs=1, batch_size=12, dropout=0.0)
    fit(clips, small_spec.names, protocol, seed=3, on_epoch=lambda record: losses.append(record.loss))
    torch.manual_seed(3)
    network = build_network(small_spec.names, protocol)
    x = torch.from_numpy(np.stack([clip.values for clip in clips]))
    target = torch.from_numpy(np.stack([clip.target for clip in clips])).long()
    known = torch.nan_to_num(x)
    known[..., 3] = torch.log1p(known[..., 3])  # the spectral centroid, and no other scaling
    with torch.inference_mode():
        logits = network.head(network.lstm(known)[0])
    weight = torch.tensor([1800 / 2760, 1800 / 840])
    expected = torch.nn.CrossEntropyLoss(weight=weight)(logits.transpose(1, 2), target)
    assert losses == [pytest.approx(float(expected), rel=1e-5)]


def test_it_learns_what_the_pulse_says_and_answers_for_every_step(clips, small_spec):
    fitted = fit(clips, small_spec.names, replace(TINY, epochs=25))
    answers = fitted.predict_proba(clips)
    assert [p.shape for p in answers] == [(150,)] * 12
    assert all(p.dtype == np.float32 for p in answers)
    right = [(p > 0.5) == clip.target for p, clip in zip(answers, clips, strict=True)]
    assert np.mean(right) > 0.9


def test_a_seed_fixes_every_bit_and_leaves_the_callers_random_numbers_alone(clips, small_spec):
    torch.manual_seed(9)
    expected = torch.rand(3)
    torch.manual_seed(9)
    protocol = replace(TINY, epochs=2, layers=2)
    with reproducible(1):
        first, again, other = (fit(clips, small_spec.names, protocol, seed) for seed in (5, 5, 6))
    assert torch.equal(torch.rand(3), expected)
    np.testing.assert_array_equal(first.predict_proba(clips), again.predict_proba(clips))
    assert not np.array_equal(first.predict_proba(clips), other.predict_proba(clips))


def test_reproducible_work_leaves_torch_as_it_was():
    torch.set_num_threads(1)
    with reproducible(2):
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.get_num_threads() == 2
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.get_num_threads() == 1
    assert torch.utils.deterministic.fill_uninitialized_memory


@pytest.mark.parametrize("keep", ["last", "best"])
def test_the_protocol_says_which_epoch_is_tested(clips, small_spec, keep):
    # A rate this high makes the score jump, so that the best epoch is not the last.
    protocol = replace(TINY, keep=keep, learning_rate=0.1)
    training, validation = clips[:8], clips[8:]
    fitted = fit(training, small_spec.names, protocol, seed=2, validation=validation)
    scores = [record.macro_f1 for record in fitted.history_]
    assert max(scores) != scores[-1]
    assert fitted.kept_epoch_ == (6 if keep == "last" else 1 + int(np.argmax(scores)))
    truth = np.concatenate([clip.target for clip in validation])
    called = np.concatenate(fitted.predict_proba(validation)) > 0.5
    assert float(macro_f1(Counts.of(truth, called))) == scores[fitted.kept_epoch_ - 1]


def test_those_held_back_do_not_train(clips, small_spec):
    alone, watched = (
        fit(clips[:8], small_spec.names, replace(TINY, epochs=2), validation=held_back)
        for held_back in ((), clips[8:])
    )
    np.testing.assert_array_equal(alone.predict_proba(clips), watched.predict_proba(clips))
    assert np.isnan([record.macro_f1 for record in alone.history_]).all()


def test_a_missing_value_and_padding_are_zero_for_the_network(clips, small_spec):
    fitted = fit(clips, small_spec.names, replace(TINY, epochs=1))
    clip = clips[0]
    values = clip.values.copy()
    values[40:60, 2:] = np.nan
    zeros = np.nan_to_num(values)
    (missing,), (zero,) = (fitted.predict_proba([replace(clip, values=v)]) for v in (values, zeros))
    np.testing.assert_array_equal(missing, zero)
    assert not np.array_equal(missing, fitted.predict_proba([clip])[0])


def test_training_that_diverges_is_one_clear_error(clips, small_spec):
    with pytest.raises(ModelError, match=r"training diverged: expected a finite loss in epoch \d+, got nan"):
        fit(clips, small_spec.names, replace(TINY, learning_rate=3e37))


@pytest.mark.parametrize(("rating", "what"), [(0, "tingles"), (1, "times without tingle")])
def test_one_class_only_is_one_clear_error(make_table, rating, what):
    table = make_table(TrialId(1, "vid1"), 150)
    clip = pad_clip(replace(table, rating=np.full_like(table.rating, rating)), np.arange(5), 150)
    with pytest.raises(DataError, match=rf"with and without tingle, got {150 * rating} .* of 150; .*{what}"):
        fit([clip], table.names)


def test_the_best_epoch_needs_somebody_to_choose_it(clips, small_spec):
    with pytest.raises(DataError, match="held back to choose the best epoch, got none"):
        fit(clips, small_spec.names, replace(TINY, keep="best"))
