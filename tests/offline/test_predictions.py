"""The published pickle, and our own file of predictions."""

import os
import pickle
import pickletools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from offline.array_pickle import load_array_pickle
from offline.predictions import (
    Predictions,
    TrialPrediction,
    load_predictions,
    load_published,
    padded_trials,
    save_predictions,
)
from offline.splits import fold_participants, fold_videos
from rtasmr.errors import DataError
from rtasmr.types import TrialId


def trial(participant, video, p, rating, n_real=None, fold=1):
    p = np.asarray(p, dtype=np.float32)
    return TrialPrediction(
        TrialId(participant, video), fold, p, np.asarray(rating, dtype=np.int8), n_real or p.size
    )


def published_item(subj=21, video="vid1", p=0.75, rating=1.0):
    nature = video in ("vid5", "vid6", "vid7", "vid8")
    probs = np.full(550, p, dtype=np.float32)
    raw = np.full(550, rating, dtype=np.float32)
    truths = ((raw > 0) & (not nature)).astype(np.int64)
    return {
        "subj": subj,
        "vid_name": video,
        "truths": truths,
        "preds": (probs > 0.5).astype(np.int64),
        "probs": probs,
        "raw_truths": raw,
        "is_nature": int(nature),
    }


def write_pickle(path, content):
    path.write_bytes(pickle.dumps(content))
    return path


@pytest.fixture
def published(shared_data: Path) -> Predictions:
    return load_published(shared_data / "published" / "paper_fusion_results_4_fold.pkl")


def test_published_file_holds_both_trials_of_34_participants(published):
    assert len(published.trials) == 68
    assert len(published.participants) == 34
    assert sum(trial.is_asmr for trial in published.trials) == 34
    assert published.folds == (1, 2, 3, 4)


def test_published_folds_are_runs_of_participants_sorted_as_text(published):
    expected = fold_participants(published.participants)
    for prediction in published.trials:
        assert prediction.fold == expected[prediction.trial.participant]
        assert prediction.trial.video in fold_videos(prediction.fold)


def test_published_first_clips_are_found_to_be_padded(published):
    padded = [prediction for prediction in published.trials if prediction.n_real != 550]
    assert {p.n_real for p in padded} == {507}
    assert {p.trial.participant for p in padded if p.is_asmr} == {1, 3, 13, 27, 31}
    # A session may start with a nature clip as well; there padding changes no score of the paper.
    assert {p.trial.participant for p in padded if not p.is_asmr} == {4, 8, 18, 22, 32}


def test_ratings_of_padded_nature_trials_end_at_the_padding(published):
    held = [p for p in published.trials if p.n_real == 507 and p.rating[506] > 0]
    assert len(held) == 5  # 27 and 31 on ASMR clips, 4, 18 and 32 on nature clips
    assert not any(p.rating[507:].any() for p in held)


def test_padding_needs_a_different_end_and_a_rating_of_zero_there():
    same = np.full(550, 0.7)
    ends_low = same.copy()
    ends_low[507:] = 0.01
    zero, rated = np.zeros(550), np.full(550, 2)
    trials = [trial(i, "vid1", same, zero) for i in range(3)]
    trials += [trial(8, "vid1", ends_low, zero), trial(9, "vid1", ends_low, rated)]
    assert padded_trials(trials) == {TrialId(8, "vid1")}


class RunsACommand:
    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def test_pickle_that_names_a_function_is_refused_and_nothing_runs(tmp_path):
    witness = tmp_path / "witness"
    path = write_pickle(tmp_path / "evil.pkl", [published_item(), RunsACommand(f"touch {witness}")])
    with pytest.raises(DataError, match=r"evil\.pkl: expected only NumPy arrays.*\bsystem;"):
        load_published(path)
    assert not witness.exists()


@pytest.mark.parametrize("name", ["eval", "getattr", "__import__"])
def test_pickle_that_names_a_builtin_is_refused(tmp_path, name):
    path = tmp_path / "evil.pkl"
    path.write_bytes(b"cbuiltins\n" + name.encode() + b"\n.")
    with pytest.raises(DataError, match=f"builtins.{name}"):
        load_published(path)


@pytest.mark.parametrize("keep", [0, 1, 100, 5000])
def test_truncated_pickle_is_one_error(tmp_path, keep):
    whole = pickle.dumps([published_item()])
    path = tmp_path / "cut.pkl"
    path.write_bytes(whole[:keep])
    with pytest.raises(DataError, match=r"cut\.pkl: expected a pickle of NumPy arrays"):
        load_published(path)


def test_file_that_is_no_pickle_is_one_error(tmp_path, rng):
    path = tmp_path / "noise.pkl"
    for _ in range(50):
        path.write_bytes(rng.bytes(200))
        with pytest.raises(DataError, match=r"noise\.pkl"):
            load_published(path)


def test_damage_to_the_structure_is_one_error_or_harmless(tmp_path, rng):
    whole = pickle.dumps([published_item()])
    structure = [position for _, _, position in pickletools.genops(whole)]
    path = tmp_path / "bent.pkl"
    refused = 0
    for _ in range(500):
        bent = bytearray(whole)
        bent[min(int(rng.choice(structure)) + int(rng.integers(0, 4)), len(whole) - 1)] = rng.integers(0, 256)
        path.write_bytes(bent)
        try:
            load_published(path)
        except DataError:
            refused += 1
    assert refused > 250


@pytest.mark.parametrize(
    "array", [np.array([{}], dtype=object), np.array(["text"]), np.array([1j]), np.zeros(2, dtype="i4,f4")]
)
def test_arrays_of_other_things_than_numbers_are_refused(tmp_path, array):
    path = write_pickle(tmp_path / "odd.pkl", [{**published_item(), "probs": array}])
    with pytest.raises(DataError, match=r"odd\.pkl: .*integers or floats"):
        load_published(path)


@pytest.mark.parametrize("dtype", [">f4", "<f8", "i2", "u1"])
def test_arrays_of_numbers_come_as_they_are(tmp_path, dtype):
    values = np.arange(6, dtype=dtype).reshape(2, 3)
    (back, transposed) = load_array_pickle(write_pickle(tmp_path / "a.pkl", [values, values.T]))
    np.testing.assert_array_equal(back.values, values)
    np.testing.assert_array_equal(transposed.values, values.T)


def test_missing_file_names_its_path(tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.pkl: .*found no file"):
        load_published(tmp_path / "nowhere.pkl")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vid_name": "vid9"}, "vid9"),
        ({"probs": np.zeros(10, dtype=np.float32)}, r"550 numbers in 'probs', got an array of shape \(10,\)"),
        ({"probs": np.full(550, 1.5, dtype=np.float32)}, "probabilities from 0 to 1"),
        ({"probs": np.full(550, np.nan, dtype=np.float32)}, "probabilities from 0 to 1"),
        ({"raw_truths": np.full(550, 4.0)}, "ratings 0, 1, 2, 3"),
        ({"preds": np.zeros(550, dtype=np.int64)}, "the file was changed"),
        ({"is_nature": 1}, "the file was changed"),
    ],
)
def test_contradictory_trial_is_refused(tmp_path, change, message):
    path = write_pickle(tmp_path / "odd.pkl", [published_item(), {**published_item(22), **change}])
    with pytest.raises(DataError, match=rf"odd\.pkl, trial 1: .*{message}"):
        load_published(path)


@pytest.mark.parametrize("content", [[], {}, 3, [3], [{"subj": 1}]])
def test_other_content_is_refused(tmp_path, content):
    with pytest.raises(DataError, match=r"other\.pkl"):
        load_published(write_pickle(tmp_path / "other.pkl", content))


def test_trial_given_twice_is_refused(tmp_path):
    with pytest.raises(DataError, match="021_vid1 more than once"):
        load_published(write_pickle(tmp_path / "twice.pkl", [published_item(), published_item()]))


def test_truth_is_a_rating_above_zero_on_asmr_clips_only():
    assert trial(1, "vid1", [0.1] * 4, [0, 1, 2, 3]).truth.tolist() == [False, True, True, True]
    assert not trial(1, "vid5", [0.1] * 4, [0, 1, 2, 3]).truth.any()


def test_step_at_the_threshold_is_not_called_tingle():
    assert trial(1, "vid1", [0.5, 0.500001], [0, 0]).predicted.tolist() == [False, True]


def test_first_step_lies_five_seconds_into_the_clip():
    assert trial(1, "vid1", [0.1, 0.2, 0.3], [0, 0, 0]).time_s.tolist() == [5.0, 5.1, 5.2]


def test_without_padding_keeps_the_real_steps():
    real = trial(1, "vid1", [0.1, 0.2, 0.9], [0, 1, 0], n_real=2).without_padding()
    np.testing.assert_array_equal(real.p, np.array([0.1, 0.2], dtype=np.float32))
    assert real.rating.tolist() == [0, 1]


@pytest.mark.parametrize("n_real", [-1, 4])
def test_impossible_number_of_real_steps_is_refused(n_real):
    with pytest.raises(DataError, match="001_vid1"):
        trial(1, "vid1", [0.1, 0.2, 0.3], [0, 0, 0], n_real=n_real)


def test_file_round_trip_keeps_models_order_lengths_and_padding(tmp_path, rng):
    models = [
        Predictions(
            name,
            tuple(
                trial(i, video, rng.random(n), rng.integers(0, 4, n), n - i, fold=i)
                for i, video, n in ((1, "vid1", 7), (2, "vid5", 5))
            ),
        )
        for name in ("fusion", "audio_only")
    ]
    lost = replace(models[0].trials[1], has_pulse=False, n_blind=2)
    models[0] = replace(models[0], trials=(models[0].trials[0], lost))
    save_predictions(tmp_path / "predictions.npz", models)
    back = load_predictions(tmp_path / "predictions.npz")
    assert list(back) == ["fusion", "audio_only"]
    for model in models:
        for before, after in zip(model.trials, back[model.model].trials, strict=True):
            assert (after.trial, after.fold, after.n_real) == (before.trial, before.fold, before.n_real)
            assert (after.threshold, after.has_pulse) == (before.threshold, before.has_pulse)
            assert after.n_blind == before.n_blind
            np.testing.assert_array_equal(after.p, before.p)
            np.testing.assert_array_equal(after.rating, before.rating)


def test_clips_of_another_name_are_refused(tmp_path):
    """Taken for nature clips, on which nobody feels a tingle, they would be scored without a word."""
    model = Predictions("m", (trial(1, "vid1", [0.1], [0]), trial(2, "clipX", [0.2], [0])))
    save_predictions(tmp_path / "p.npz", [model])
    with pytest.raises(DataError, match=r"p\.npz: expected clips out of vid1, vid2, .*vid8, got clipX"):
        load_predictions(tmp_path / "p.npz")


def test_file_has_ticks_from_50_and_offsets(tmp_path):
    model = Predictions("m", (trial(1, "vid1", [0.1] * 3, [0] * 3), trial(2, "vid5", [0.2] * 2, [0] * 2)))
    save_predictions(tmp_path / "p.npz", [model])
    with np.load(tmp_path / "p.npz", allow_pickle=False) as content:
        assert content["offsets"].tolist() == [0, 3, 5]
        assert content["tick"].tolist() == [50, 51, 52, 50, 51]
        assert content["video"].tolist() == ["vid1", "vid5"]


def test_damaged_or_other_npz_is_refused(tmp_path):
    (tmp_path / "cut.npz").write_bytes(b"PK\x03\x04nothing")
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    np.save(tmp_path / "array.npy", np.zeros(3))
    (tmp_path / "empty.npz").touch()
    for name in ("cut.npz", "other.npz", "array.npy", "empty.npz"):
        with pytest.raises(DataError, match=name):
            load_predictions(tmp_path / name)


def test_npz_whose_arrays_do_not_fit_is_refused(tmp_path):
    save_predictions(tmp_path / "p.npz", [Predictions("m", (trial(1, "vid1", [0.1] * 3, [0] * 3),))])
    with np.load(tmp_path / "p.npz") as content:
        parts = dict(content)
    np.savez(tmp_path / "short.npz", **{**parts, "rating": parts["rating"][:2]})
    with pytest.raises(DataError, match="fit together"):
        load_predictions(tmp_path / "short.npz")


def test_text_order_of_participants_decides_the_fold():
    folds = fold_participants([1, 2, 10, 11, 3, 20, 30, 4, 5])
    # As text: 1 10 | 11 2 | 20 3 | 30 4 5
    assert folds == {1: 1, 10: 1, 11: 2, 2: 2, 20: 3, 3: 3, 30: 4, 4: 4, 5: 4}
