"""A whole reproduction: every output is there, says what it is, and nothing is computed twice."""

import csv
import html
import json
from dataclasses import replace

import numpy as np
import pytest

import offline.fit_runner
import offline.fitting
import offline.kept_validation
import offline.study
from offline.claims import ClaimVerdict, judge_claims
from offline.cli import app
from offline.crossval import CrossValidation
from offline.extract import Extraction, NoTrialError
from offline.predictions import Predictions, TrialPrediction, load_origin, load_predictions
from offline.printout import print_results
from offline.protocols import AS_WRITTEN, PUBLISHED
from offline.report import write_report_again
from offline.reproduce import reproduce_predictions
from offline.results import Verdict, paper_numbers, read_results
from offline.scores import fold_scores
from offline.study import (
    StudySettings,
    downloaded_source,
    reproduce_study,
    seed_spread,
    simulated_study,
    untested,
)
from offline.tables import table_path
from rtasmr import console
from rtasmr.card import read_model_card
from rtasmr.errors import ConfigError, DataError
from rtasmr.features.spec import FeatureSpec
from rtasmr.types import VIDEOS, TrialId

NOTE = "ASMR9.avi: <made up> for this test"
SMALL = {"hidden": 4, "layers": 1, "epochs": 1, "batch_size": 8, "n_steps": 70}
NAMES = ("resnet18_000", "resnet18_001", "mfcc_01", "spectral_centroid", "ppg")


def table_spec(feature_set):
    return FeatureSpec(set_name=feature_set, causal=False, names=NAMES, encoder_sha256="e" * 64)


@pytest.fixture
def settings(tmp_path):
    return StudySettings(
        models=("fusion",), seeds=(1,), encoder="random:1", jobs=1, cache_folder=tmp_path / "c"
    )


@pytest.fixture
def small_study(monkeypatch, make_table, tiny_home):
    """Features of eight made-up people instead of computed ones, a small encoder and small networks.

    What is taken out of the trials returned is lost to the data set.
    """
    encoder = tiny_home / "models" / "tiny-encoder"
    trials = {TrialId(participant, video) for participant in range(1, 9) for video in VIDEOS}

    def extract(dataset, out, feature_set, encoder_folder, **_options):
        assert encoder_folder == encoder
        spec = table_spec(feature_set)
        if not trials:
            raise NoTrialError("study gave not one trial (no stimulus)", (NOTE,))
        for trial in sorted(trials):
            if not table_path(out, trial).exists():
                n_frames = 57 if trial.video == VIDEOS[trial.participant % 8] else 70
                make_table(trial, n_frames, spec).save(out)
        paths = tuple(table_path(out, trial) for trial in sorted(trials))
        return Extraction(paths, (NOTE,), 1, 1, out, 0)

    monkeypatch.setattr(offline.study, "extract_tables", extract)
    monkeypatch.setattr(offline.study, "provide_encoder", lambda *_: encoder)
    monkeypatch.setattr(offline.study, "run_apart", lambda function, *arguments: function(*arguments))
    monkeypatch.setattr(offline.study, "PUBLISHED", replace(PUBLISHED, **SMALL))
    monkeypatch.setattr(offline.study, "AS_WRITTEN", replace(AS_WRITTEN, **SMALL))
    monkeypatch.setattr(
        offline.study,
        "PROTOCOLS",
        {one.name: replace(one, **SMALL) for one in (PUBLISHED, AS_WRITTEN)},
    )
    monkeypatch.setattr(offline.fit_runner.os, "cpu_count", lambda: 1)
    return trials


@pytest.mark.usefixtures("small_study")
def test_everything_is_written_and_named_simulated(simulated_set, settings, tmp_path, capsys):
    shares = []
    out = tmp_path / "R"
    told = []

    def tell(note: str) -> None:
        # kept before it is told: a run that is ended now has left its notes
        assert " ".join(note.split()) in (out / "data_notes.txt").read_text(encoding="utf-8").splitlines()
        told.append((note, shares[-1] if shares else 0.0))

    results = reproduce_study(simulated_set, out, settings, lambda _, share: shares.append(share), tell)
    for name in (
        "report.html",
        "results.json",
        "tables.csv",
        "predictions.npz",
        "config.toml",
        "data_notes.txt",
    ):
        assert (out / name).is_file(), name
    assert {n.id for n in results.numbers} >= set(paper_numbers())
    assert results["table1.accuracy"].verdict is Verdict.SIMULATED
    assert results["behaviour.asmr.responder_rate"].value is not None
    # the fusion model was asked again with exchanged pulses
    assert results["caveat.pulse.shuffled.change"].value > 0
    # models that were not asked for have no number, and nothing of the paper's stands in for them
    assert results["xgboost.accuracy"].note.startswith("its model is not among")
    assert results["table2.video_only.p_vs_fusion"].value is None
    assert NOTE in (out / "data_notes.txt").read_text(encoding="utf-8")
    when = dict(told)
    assert len(when) == len(told)  # each once
    assert when[NOTE] < 0.3  # long before the training is over
    report = (out / "report.html").read_text(encoding="utf-8")
    assert "Simulated data: nothing here says anything about people." in report
    assert "random weights (random:1)" in report
    assert "&lt;made up&gt;" in report
    assert read_model_card(out / "models" / "fusion-published-all").demo
    label = (
        "Simulated data: says nothing about people; image encoder with random weights; "
        "trained for 1 epoch, not 35"
    )
    assert (out / "data_notes.txt").read_text(encoding="utf-8").startswith(f"# {label}\n")
    with (out / "tables.csv").open(encoding="utf-8", newline="") as file:
        assert {row["made_with"] for row in csv.DictReader(file)} == {label}
    for saved in (out / "predictions.npz", out / "predictions" / "published-seed1.npz"):
        origin = load_origin(saved)
        assert (origin["simulated"], origin["encoder"]) == (True, "random:1"), saved
    for saved in (out / "work").glob("*/predictions.npz"):
        assert load_origin(saved)["simulated"] is True
    print_results(results)
    assert capsys.readouterr().out.startswith("Simulated data: nothing here says anything about people.")
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


@pytest.mark.usefixtures("small_study")
def test_second_run_computes_nothing_and_says_the_same(simulated_set, settings, tmp_path, monkeypatch):
    first = reproduce_study(simulated_set, tmp_path / "R", settings)

    def refuse(*_arguments):
        raise AssertionError("computed again")

    monkeypatch.setattr(offline.kept_validation, "measure_behaviour", refuse)
    monkeypatch.setattr(offline.fitting, "compute_fit", refuse)
    assert reproduce_study(simulated_set, tmp_path / "R", settings) == first


@pytest.mark.usefixtures("small_study")
def test_both_protocols_and_two_seeds(simulated_set, settings, tmp_path):
    chosen = replace(settings, protocol="both", seeds=(1, 2))
    results = reproduce_study(simulated_set, tmp_path / "R", chosen)
    assert results["as_written.table1.macro_f1"].value is not None
    spread = results["seeds.table1.macro_f1"]
    assert spread.note.startswith("mean and SD over seeds")
    assert f"1: {results['table1.macro_f1'].value:.2f}" in spread.note
    report = (tmp_path / "R" / "report.html").read_text(encoding="utf-8")
    assert "Here, as written" in report
    assert "Mean ± SD over seeds" in report
    assert json.loads((tmp_path / "R" / "results.json").read_text())["config"]["seeds"] == [1, 2]


@pytest.mark.usefixtures("small_study")
def test_saved_predictions_stay_simulated(simulated_set, settings, tmp_path):
    reproduce_study(simulated_set, tmp_path / "R", settings)
    saved = tmp_path / "R" / "predictions.npz"
    assert load_origin(saved)["simulated"] is True
    results = reproduce_predictions(saved, tmp_path / "again")
    assert results["table1.accuracy"].verdict is Verdict.SIMULATED
    assert "Simulated data" in (tmp_path / "again" / "report.html").read_text(encoding="utf-8")


def test_one_lost_clip_costs_one_trial_and_its_old_table_is_forgotten(
    simulated_set, settings, tmp_path, small_study, make_table
):
    out = tmp_path / "R"
    lost = TrialId(3, "vid2")  # sorted as text, participants 3 and 4 are tested in fold 2
    small_study.remove(lost)
    make_table(lost, 70, table_spec("paper")).save(out / "features" / "paper")  # by an earlier run
    results = reproduce_study(simulated_set, out, settings)
    assert results["video_level.sequences"].value == 15
    assert results.config["tested_folds"] == [1, 2, 3, 4]
    assert not table_path(out / "features" / "paper", lost).exists()
    saved = load_predictions(out / "predictions.npz")["fusion"]
    assert lost not in {trial.trial for trial in saved.trials}
    assert {trial.trial for trial in saved.trials} >= {TrialId(4, "vid2"), TrialId(3, "vid6")}
    assert untested(results) == ""


def test_a_lost_stimulus_costs_its_fold_and_every_sentence_counts_three(
    simulated_set, settings, tmp_path, small_study, capsys
):
    out = tmp_path / "R"
    small_study -= {TrialId(participant, "vid2") for participant in range(1, 9)}
    results = reproduce_study(simulated_set, out, replace(settings, models=("fusion", "video_only")))
    assert results.config["tested_folds"] == [1, 3, 4]
    assert "of 27 resamples" in results["table2.video_only.p_vs_fusion"].note
    note = "fold 2 is left out: expected vid2 and vid6 of participants 003, 004 to test, found no vid2"
    assert note in (out / "data_notes.txt").read_text(encoding="utf-8")
    report = (out / "report.html").read_text(encoding="utf-8")
    print_results(results)
    for text in (report, capsys.readouterr().out):
        assert "ested on 3 folds of 4 (1, 3, 4)" in text
        assert "256 resamples" not in text
        assert "1/256" not in text
    assert "Three folds have 27 resamples" in report
    assert "means are taken over the 3 folds that were tested" in report
    again = reproduce_predictions(out / "predictions.npz", tmp_path / "again")
    assert again.config["tested_folds"] == [1, 3, 4]


@pytest.mark.parametrize("n_videos", [0, 1])
def test_without_a_fold_to_test_all_else_is_there_and_the_command_fails(
    simulated_set, settings, tmp_path, small_study, n_videos, monkeypatch, capsys, caplog
):
    out = tmp_path / "R"
    out.mkdir()
    (out / "predictions.npz").write_bytes(b"of another run")
    small_study &= {TrialId(participant, VIDEOS[0]) for participant in range(1, 9 * n_videos)}
    monkeypatch.setattr(offline.study, "StudySettings", lambda *_: replace(settings, protocol="both"))
    command = ["reproduce", str(simulated_set), "--out", str(out)]
    assert console.run(app, command) == 1
    told = capsys.readouterr()
    why = "no fold could be tested: folds 1, 2, 3, 4 are left out: study gave not one trial (no stimulus)"
    if n_videos:
        why = "no fold could be tested: fold 1 is left out: expected vid1 and vid5 of participants 001, 002 "
    assert told.err.splitlines()[-1].startswith(f"error: {why}")
    assert told.err.splitlines()[-1].endswith(f". All else is in {out / 'report.html'}.")
    assert f"): {why}" in told.out
    assert told.out.splitlines()[-1] == f"report: {out / 'report.html'}"
    results = read_results(out / "results.json")
    for number_id in ("table1.accuracy", "as_written.table1.accuracy", "figure6"):
        assert results[number_id].verdict is Verdict.NOT_COMPUTED
        assert results[number_id].note.startswith(why)
    assert results["xgboost.accuracy"].note == "its model is not among --models"
    assert results["behaviour.asmr.responder_rate"].value is not None
    assert results["figure3"].verdict is Verdict.DRAWN
    assert not (out / "predictions.npz").exists()
    assert why in html.unescape((out / "report.html").read_text(encoding="utf-8"))
    claims = {claim.key: claim for claim in judge_claims(results)}
    for key in ("detection", "time-course", "pulse"):
        assert claims[key].verdict is ClaimVerdict.NOT_COMPUTABLE
    assert claims["time-course"].why.startswith("No fold could be tested")
    caplog.clear()
    write_report_again(out)
    assert caplog.records == []  # nothing is missing that was ever there


def test_a_scheduler_that_is_not_there_is_told_before_anything_long_starts(
    simulated_set, settings, tmp_path, monkeypatch
):
    pytest.importorskip("distributed", reason="needs the extra 'cluster'")
    monkeypatch.setattr("offline.cluster.CONNECT_S", 1.0)
    monkeypatch.setattr(offline.study, "provide_encoder", None)  # would be called first
    with pytest.raises(ConfigError, match="--scheduler: expected a running Dask scheduler"):
        reproduce_study(simulated_set, tmp_path / "R", replace(settings, scheduler="tcp://127.0.0.1:9"))


def test_settings_out_of_range_are_refused():
    with pytest.raises(ConfigError, match="expected 'fusion' among them"):
        StudySettings(models=("xgboost",))
    with pytest.raises(ConfigError, match="--seeds"):
        StudySettings(seeds=())
    with pytest.raises(ConfigError, match="--protocol: expected published, as-written, both"):
        StudySettings(protocol="paper")


def test_epochs_replace_those_of_every_protocol():
    assert [one.epochs for one in StudySettings(protocol="both", epochs=3).protocols] == [3, 3]
    assert StudySettings().protocols == (PUBLISHED,)


def test_spread_over_seeds_by_hand(rng):
    def fusion(n_wrong):
        trials = []
        for fold in (1, 2, 3, 4):
            for video in (f"vid{fold}", f"vid{fold + 4}"):
                p = np.zeros(20, dtype=np.float32)
                p[:n_wrong] = 1.0
                trials.append(TrialPrediction(TrialId(fold, video), fold, p, np.zeros(20, np.int8), 20))
        return Predictions("fusion", tuple(trials))

    runs = {1: {"fusion": fusion(2)}, 5: {"fusion": fusion(6)}}
    assert fold_scores(runs[1]["fusion"])["accuracy"].value == pytest.approx(90)
    spread = seed_spread(CrossValidation(runs, ()))["seeds.table1.accuracy"]
    assert (spread.value, spread.sd) == (pytest.approx(80), pytest.approx(10))
    assert seed_spread(CrossValidation({1: runs[1]}, ())) == {}


def test_what_was_downloaded_is_reproduced_by_default(monkeypatch, tmp_path):
    found = {"dataset": tmp_path / "set", "predictions": tmp_path / "their.pkl"}
    monkeypatch.setattr(offline.study, "downloaded_dataset", lambda: found["dataset"])
    monkeypatch.setattr(offline.study, "downloaded_predictions", lambda: found["predictions"])
    assert downloaded_source() == ("data", tmp_path / "set")
    found["dataset"] = None
    assert downloaded_source() == ("predictions", tmp_path / "their.pkl")
    found["predictions"] = None
    with pytest.raises(DataError, match=r"run 'offline download OUT'.*--predictions FILE or --simulated"):
        downloaded_source()


def test_same_simulated_set_is_made_once(tmp_path, monkeypatch):
    made = []

    def simulate(out, participants, seed, scenario, size, progress):
        made.append((participants, seed, scenario, size))
        out.mkdir(parents=True, exist_ok=True)
        marker = {
            "scenario": scenario,
            "seed": seed,
            "size": list(size),
            "participants": list(range(participants)),
            "complete": len(made) > 1,  # the first one is interrupted
        }
        (out / "SIMULATED.json").write_text(json.dumps(marker))
        return out

    monkeypatch.setattr(offline.study, "simulate", simulate)
    for _ in range(3):
        assert simulated_study(tmp_path, 4, 1, "null", (64, 36)) == tmp_path / "simulated"
    assert len(made) == 2
    simulated_study(tmp_path, 4, 1, "tingle", (64, 36))
    simulated_study(tmp_path, 5, 1, "tingle", (64, 36))
    assert [scenario for _, _, scenario, _ in made[2:]] == ["tingle", "tingle"]
    (tmp_path / "simulated" / "SIMULATED.json").write_text("[")
    with pytest.raises(DataError, match="description of a simulated set"):
        simulated_study(tmp_path, 5, 1, "tingle", (64, 36))
