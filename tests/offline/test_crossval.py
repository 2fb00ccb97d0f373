from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import offline.fit_runner
import offline.fitting
from offline.clip_training import load_network
from offline.compared import MODALITIES
from offline.crossval import CrossValidation, cross_validate, folds_left_out, predictions_path
from offline.fits import NETWORK_FILE
from offline.predictions import load_origin, load_predictions
from offline.protocols import AS_WRITTEN, PUBLISHED, Protocol
from offline.splits import fold_of_video, fold_participants
from offline.tables import TrialTable
from rtasmr.errors import ConfigError, ModelError
from rtasmr.features.spec import FeatureSpec
from rtasmr.types import VIDEOS, TrialId

SMALL = {"hidden": 4, "layers": 1, "epochs": 2, "batch_size": 8, "n_steps": 70}
TINY = replace(PUBLISHED, **SMALL)
SPEC = FeatureSpec(
    set_name="paper",
    causal=False,
    names=("resnet18_000", "resnet18_001", "mfcc_01", "spectral_centroid", "ppg"),
)
Validate = Callable[..., CrossValidation]


@pytest.fixture(autouse=True)
def _one_processor(monkeypatch) -> None:
    """One thread per training: small networks lose a lot from a second on a busy machine."""
    monkeypatch.setattr(offline.fit_runner.os, "cpu_count", lambda: 1)


@pytest.fixture
def people(make_table) -> list[TrialTable]:
    """Eight participants, two per fold, with all clips; the first clip of each is short."""
    return [
        make_table(TrialId(participant, video), 57 if video == VIDEOS[participant % 8] else 70, SPEC)
        for participant in range(1, 9)
        for video in VIDEOS
    ]


@pytest.fixture
def validate(people, tmp_path) -> Validate:
    def run(protocol: Protocol = TINY, tables: object = people, **options: object) -> CrossValidation:
        options = {"models": ("fusion",), "seeds": (1,), "jobs": 1, "device": "cpu", **options}
        return cross_validate(tables, protocol, tmp_path / "R", **options)

    return run


@pytest.fixture
def trained(monkeypatch) -> list[str]:
    """Names of the units that are really computed in this process."""
    computed: list[str] = []
    compute = offline.fitting.compute_fit

    def noting(fit, *arguments):
        computed.append(str(fit))
        compute(fit, *arguments)

    monkeypatch.setattr(offline.fitting, "compute_fit", noting)
    return computed


def save(tables: list[TrialTable], folder: Path) -> Path:
    for table in tables:
        table.save(folder)
    return folder


def same(first: CrossValidation, second: CrossValidation) -> bool:
    return all(
        np.array_equal(a.p, b.p)
        for seed, models in first.predictions.items()
        for name, predictions in models.items()
        for a, b in zip(predictions.trials, second.predictions[seed][name].trials, strict=True)
    )


def test_every_trial_is_tested_by_the_fold_of_its_clip_with_padding(validate, people, tmp_path):
    validated = validate(models=tuple(MODALITIES), seeds=(1, 2))
    fold_of = fold_participants(range(1, 9))
    tested = [t.trial for t in people if fold_of[t.trial.participant] == fold_of_video(t.trial.video)]
    n_real = {table.trial: table.n_frames for table in people}
    for seed in (1, 2):
        found = validated.predictions[seed]
        # Two people per fold: one exchange of pulses leaves nobody with their own.
        assert list(found) == [*MODALITIES, "fusion_shuffled_ppg1"]
        for name, predictions in found.items():
            assert predictions.model == name
            assert [trial.trial for trial in predictions.trials] == sorted(tested)
            for trial in predictions.trials:
                assert trial.fold == fold_of_video(trial.trial.video)
                assert (trial.p.shape, trial.n_real) == ((70,), n_real[trial.trial])
        path = predictions_path(tmp_path / "R", TINY, seed)
        assert load_origin(path) == {"simulated": True, "seed": seed}
        saved = load_predictions(path)
        assert list(saved) == list(found)
        np.testing.assert_array_equal(saved["fusion"].trials[3].p, found["fusion"].trials[3].p)


def test_an_exchanged_pulse_changes_what_the_fusion_model_says(validate):
    found = validate().predictions[1]
    p, exchanged = (
        np.concatenate([trial.p for trial in found[name].trials])
        for name in ("fusion", "fusion_shuffled_ppg1")
    )
    assert not np.array_equal(p, exchanged)


def test_two_runs_give_the_same_bits_and_another_seed_others(validate, people, tmp_path):
    first = validate(models=("fusion", "xgboost"), seeds=(1, 2))
    elsewhere = cross_validate(
        people, TINY, tmp_path / "R2", models=("fusion", "xgboost"), seeds=(1, 2), jobs=1, device="cpu"
    )
    assert same(first, elsewhere)
    of_seed = first.predictions
    assert not np.array_equal(of_seed[1]["fusion"].trials[0].p, of_seed[2]["fusion"].trials[0].p)
    assert np.array_equal(of_seed[1]["xgboost"].trials[0].p, of_seed[2]["xgboost"].trials[0].p)
    paths = [predictions_path(tmp_path / out, TINY, 1).read_bytes() for out in ("R", "R2")]
    assert paths[0] == paths[1]


def test_processes_side_by_side_give_what_one_gives(validate, people, tmp_path):
    alone = validate()
    told: list[tuple[str, float]] = []
    beside = cross_validate(
        save(people, tmp_path / "F"),
        TINY,
        tmp_path / "R2",
        models=("fusion",),
        seeds=(1,),
        jobs=2,
        device="cpu",
        progress=lambda text, share: told.append((text, share)),
    )
    assert same(alone, beside)
    assert told[0] == ("0 of 5 trainings", 0.0)
    assert told[-1] == ("5 of 5 trainings", 1.0)
    shares = [share for _, share in told]
    assert shares == sorted(shares)


def test_a_second_run_reads_everything_back(validate, trained):
    first = validate(models=("fusion", "xgboost"))
    assert len(trained) == 4 + 1 + 4
    trained.clear()
    told: list[tuple[str, float]] = []
    again = validate(models=("fusion", "xgboost"), progress=lambda *step: told.append(step))
    assert trained == []
    assert same(first, again)
    assert told == [("9 of 9 trainings", 1.0)]


def test_only_what_a_change_concerns_is_trained_again(validate, trained, people):
    validate(models=("fusion", "xgboost"))
    trained.clear()
    validate(models=("fusion", "xgboost"), epochs=3)
    assert len(trained) == 5  # the trees know no epochs
    trained.clear()
    validate(models=("fusion", "xgboost"), seeds=(1, 2))
    assert len(trained) == 4
    assert all("seed 2" in name for name in trained)
    trained.clear()
    changed = replace(people[0], rating=np.full_like(people[0].rating, 3))
    validate(models=("fusion", "xgboost"), tables=[changed, *people[1:]])
    assert len(trained) == 9


def test_a_run_that_ends_in_the_middle_loses_the_unit_in_flight_only(validate, trained, monkeypatch):
    compute = offline.fitting.compute_fit

    def interrupted(*arguments):
        if len(trained) == 3:
            raise KeyboardInterrupt
        compute(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(offline.fitting, "compute_fit", interrupted)
        with pytest.raises(KeyboardInterrupt):
            validate()
    assert len(trained) == 3
    trained.clear()
    validate()
    assert len(trained) == 2


KILLED = """
import os, signal, sys
from pathlib import Path
import offline.fitting
from offline.crossval import cross_validate
from offline.protocols import PUBLISHED
from dataclasses import replace

os.cpu_count = lambda: 1
save, calls = offline.fitting.save_predictions, []
def killing(path, models, origin):
    calls.append(path)
    if len(calls) == 2:
        path.parent.mkdir(parents=True)
        path.with_name("predictions.part.npz").write_bytes(b"half")
        os.kill(os.getpid(), signal.SIGKILL)
    save(path, models, origin)
offline.fitting.save_predictions = killing
protocol = replace(PUBLISHED, **{settings!r})
cross_validate(Path(sys.argv[1]), protocol, Path(sys.argv[2]), models=("video_only",), seeds=(1,), jobs=1,
               device="cpu")
"""


def test_after_a_kill_in_the_middle_of_writing_nothing_half_written_is_taken(
    validate, trained, people, tmp_path
):
    tables = save(people, tmp_path / "F")
    command = [sys.executable, "-c", KILLED.replace("{settings!r}", repr(SMALL)), tables, tmp_path / "R"]
    ended = subprocess.run(command, check=False, timeout=120)
    assert ended.returncode == -signal.SIGKILL
    validated = validate(tables=tables, models=("video_only",))
    assert len(trained) == 3
    assert len(validated.predictions[1]["video_only"].trials) == 16


def test_a_damaged_result_is_computed_again_and_named(validate, trained, tmp_path, caplog):
    validate()
    trained.clear()
    victims = sorted((tmp_path / "R" / "work").glob("fusion-fold*/*.npz"))
    for victim, content in zip(victims[:2], (b"", victims[1].read_bytes()[:900]), strict=True):
        victim.write_bytes(content)
    first = victims[0].parent.name
    validate()
    assert len(trained) == len({victim.parent for victim in victims[:2]})
    assert f"{first}: a damaged result" in caplog.text


def test_the_refit_sees_everything_and_lasts_as_long_as_the_folds_say(validate, people):
    (published,) = [r for r in validate().fits if r.fit.fold is None]
    assert set(published.split.training) == {table.trial for table in people}
    assert (published.predictions, published.kept_epoch) == ((), 2)

    spec = replace(SPEC, set_name="paper-224")
    tables = [replace(table, spec=spec) for table in people]
    written = replace(AS_WRITTEN, **{**SMALL, "epochs": 5, "learning_rate": 0.1})
    validated = validate(written, tables)
    kept = sorted(r.kept_epoch for r in validated.fits if r.fit.fold is not None)
    (refit,) = [r for r in validated.fits if r.fit.fold is None]
    assert (refit.kept_epoch, len(refit.history)) == (kept[1], kept[1])  # the lower of the middle two
    for result in validated.fits:
        if result.fit.fold is not None:
            scores = [record.macro_f1 for record in result.history]
            assert result.kept_epoch == 1 + int(np.argmax(scores))


def test_the_network_of_a_fold_says_again_what_it_said(validate, people):
    import torch

    from offline.padded import pad_clip

    (result,) = [r for r in validate().fits if r.fit.fold == 3]
    network = load_network(result.folder / NETWORK_FILE, SPEC.names, result.fit.protocol)
    by_trial = {table.trial: table for table in people}
    for trial in result.predictions[0].trials:
        x = torch.from_numpy(pad_clip(by_trial[trial.trial], np.arange(5), 70).values)[None]
        with torch.inference_mode():
            p = network.probability(x, torch.isfinite(x))[0].numpy()
        np.testing.assert_allclose(p, trial.p, atol=1e-6)


def test_tables_of_another_set_are_refused(validate, people):
    with pytest.raises(
        ConfigError, match=r"'published': expected feature set 'paper', got 'live'.*--set paper"
    ):
        validate(tables=[replace(table, spec=replace(SPEC, set_name="live")) for table in people])


def test_a_study_without_tingles_trains_nothing_and_says_why(validate, trained, people):
    found = validate(tables=[replace(table, rating=np.zeros_like(table.rating)) for table in people])
    assert (found.predictions, found.fits) == ({}, ())
    (told,) = folds_left_out(found.left_out)
    assert told.startswith("folds 1, 2, 3, 4 are left out: expected training steps with and without tingle")
    assert trained == []


def test_too_few_people_train_nothing_and_are_counted(validate, trained, people):
    found = validate(tables=[table for table in people if table.trial.participant <= 3])
    assert set(found.left_out) == {1, 2, 3, 4}
    assert found.left_out[1].startswith("expected at least 4 participants, one per fold, got 3")
    assert trained == []


def test_training_that_diverges_names_the_unit(validate):
    with pytest.raises(ModelError, match=r"fusion, published, all trials, seed 1: training diverged"):
        validate(replace(TINY, learning_rate=3e37))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seeds": ()}, "--seeds: expected one or more different numbers"),
        ({"seeds": (1, 1)}, "--seeds: expected one or more different numbers"),
        ({"jobs": 0}, "--jobs: expected 1 or more, got 0"),
        ({"epochs": 0}, "epochs: expected more than 0, got 0"),
        ({"models": ("tree",)}, "--models: expected some of"),
        ({"device": "tpu"}, "device: expected auto, cpu or cuda"),
    ],
)
def test_arguments_out_of_range_are_refused(validate, trained, options, message):
    with pytest.raises(ConfigError, match=message):
        validate(**options)
    assert trained == []
