"""The technical validation comes back from the cache bit by bit, and only for the same files."""

import shutil

import numpy as np
import pytest

import offline.kept_validation
from offline.cache import FeatureCache
from offline.kept_validation import validate_behaviour
from offline.technical_validation import measure_behaviour
from rtasmr.dataset import DataSet


@pytest.fixture
def cache(tmp_path):
    return FeatureCache(tmp_path / "cache")


@pytest.fixture
def measured(monkeypatch):
    """Seeds of the calls that really measured."""
    calls = []

    def noting(dataset, rng, jobs, progress):
        calls.append(dataset.root.name)
        return measure_behaviour(dataset, rng, jobs, progress)

    monkeypatch.setattr(offline.kept_validation, "measure_behaviour", noting)
    return calls


def test_comes_back_as_it_went(simulated_set, cache, measured):
    dataset = DataSet.open(simulated_set)
    first = validate_behaviour(dataset, 3, cache)
    again = validate_behaviour(dataset, 3, cache)
    assert len(measured) == 1
    assert dict(again.measured) == dict(first.measured)
    assert (again.notes, again.simulated) == (first.notes, True)
    assert len(again.curves) == len(first.curves)
    for a, b in zip(again.curves, first.curves, strict=True):
        assert (a.video, a.n_raters, a.n_shown) == (b.video, b.n_raters, b.n_shown)
        for name in ("time_s", "mean", "sem"):
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    for a, b in ((again.published, first.published), (again.robust, first.robust)):
        assert (a.participants, a.n_windows, a.n_with_rate) == (b.participants, b.n_windows, b.n_with_rate)
        assert dict(a.left_out) == dict(b.left_out)
        np.testing.assert_array_equal(a.asmr_r, b.asmr_r)
        np.testing.assert_array_equal(a.nature_r, b.nature_r)


def test_another_seed_or_another_log_is_measured_anew(simulated_set, cache, measured, tmp_path):
    root = tmp_path / "study"
    for folder in ("log", "stim"):
        shutil.copytree(simulated_set / folder, root / folder)
    (root / "ppg").mkdir()
    (root / "ppg" / "001_csv.txt").write_text("no recording\n")
    validate_behaviour(DataSet.open(root), 1, cache)
    validate_behaviour(DataSet.open(root), 2, cache)
    assert len(measured) == 2
    log = next((root / "log").iterdir())
    log.write_bytes(log.read_bytes() + b"\n")
    found = validate_behaviour(DataSet.open(root), 2, cache)
    assert len(measured) == 3
    # without a marker the set is known by its files, and the recording that can not be read is named
    assert found.simulated
    assert any("001_csv.txt" in note for note in found.notes)
