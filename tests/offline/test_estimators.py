from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from offline.compared import MODALITIES, check_models, columns_of
from offline.estimators import make_estimator
from offline.padded import pad_clip
from offline.protocols import PUBLISHED
from rtasmr.errors import ConfigError, DataError
from rtasmr.features.spec import FeatureSpec

TINY = replace(PUBLISHED, hidden=8, layers=1, epochs=1, n_steps=150)


@pytest.mark.parametrize(
    ("model", "n_columns", "first"),
    [
        ("fusion", 544, "resnet18_000"),
        ("audio_video", 543, "resnet18_000"),
        ("video_only", 512, "resnet18_000"),
        ("audio_only", 31, "mfcc_01"),
        ("ppg_only", 1, "ppg"),
        ("xgboost", 544, "resnet18_000"),
    ],
)
def test_what_each_model_sees(model, n_columns, first):
    spec = FeatureSpec()
    columns = columns_of(model, spec)
    assert len(columns) == n_columns
    assert spec.names[columns[0]] == first
    assert (np.diff(columns) > 0).all()


@pytest.mark.parametrize("model", MODALITIES)
def test_every_model_answers_for_every_step(model, study, small_spec):
    columns = columns_of(model, small_spec)
    names = tuple(small_spec.names[column] for column in columns)
    clips = [pad_clip(table, columns, TINY.n_steps) for table in study]
    estimator = make_estimator(model, names, TINY, 1, "cpu", 1).fit(clips, [])
    answers = estimator.predict_proba(clips[:3])
    assert [(p.shape, p.dtype) for p in answers] == [((150,), np.float32)] * 3
    assert all(((p >= 0) & (p <= 1)).all() for p in answers)
    assert estimator.predict_proba([]) == []


@pytest.fixture
def trees(study, small_spec):
    clips = [pad_clip(table, np.arange(5), 150) for table in study]
    return make_estimator("xgboost", small_spec.names, TINY, 1, "cpu", 1).fit(clips, []), clips


def test_trees_are_set_as_published_and_tell_frames_apart(trees):
    fitted, clips = trees
    settings = fitted.trees_.get_params()
    assert (settings["n_estimators"], settings["max_depth"], settings["learning_rate"]) == (100, 6, 0.1)
    assert settings["random_state"] == 42
    # Of 1800 steps 420 hold a tingle.
    assert settings["scale_pos_weight"] == pytest.approx(1380 / 420)
    called = np.concatenate(fitted.predict_proba(clips)) > 0.5
    assert np.mean(called == np.concatenate([clip.target for clip in clips])) > 0.95


def test_trees_draw_nothing_at_random(trees, small_spec):
    fitted, clips = trees
    again = make_estimator("xgboost", small_spec.names, TINY, 2, "cpu", 1).fit(clips, [])
    np.testing.assert_array_equal(fitted.predict_proba(clips), again.predict_proba(clips))


def test_trees_take_a_missing_value_as_missing(trees):
    fitted, clips = trees
    values = clips[0].values.copy()
    values[:, 4] = np.nan
    (p,) = fitted.predict_proba([replace(clips[0], values=values)])
    assert np.isfinite(p).all()


def test_trees_without_tingles_are_one_clear_error(trees, small_spec):
    _, clips = trees
    silent = [replace(clip, target=np.zeros_like(clip.target)) for clip in clips]
    estimator = make_estimator("xgboost", small_spec.names, TINY, 1, "cpu", 1)
    with pytest.raises(DataError, match="with and without tingle, got 0 with tingle of 1800"):
        estimator.fit(silent, [])


def test_models_are_named_once_and_unknown_ones_refused():
    assert check_models(["xgboost", "fusion", "xgboost"]) == ("xgboost", "fusion")
    with pytest.raises(ConfigError, match=r"--models: expected some of fusion, .*, got transformer"):
        check_models(["fusion", "transformer"])
    with pytest.raises(ConfigError, match="got none"):
        check_models([])


def test_a_model_without_its_columns_is_refused():
    with pytest.raises(ConfigError, match="model ppg_only: expected columns of ppg in the tables, got none"):
        columns_of("ppg_only", FeatureSpec(names=("mfcc_01",)))
