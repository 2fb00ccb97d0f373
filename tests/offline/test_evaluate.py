"""The whole evaluation on fold models whose truth is known, as a user runs it."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from typer.testing import CliRunner

from offline.asking import Asker, Judge
from offline.cli import app
from offline.evaluate import EvaluationSettings, evaluate, write_verdicts
from offline.evaluation_files import numbers_of
from offline.events import EventScores
from offline.modality_gain import modality_gains
from offline.personal import shifted
from offline.predictions import Predictions, load_predictions, save_predictions
from offline.scores import asmr_trials
from offline.streaming import Serving
from offline.subjects import belongs_to
from offline.tables import TrialTable
from rtasmr.card import ModelCard, TrainingData, read_model_card, write_card
from rtasmr.errors import DataError, SpecMismatchError
from rtasmr.features.spec import FeatureSpec
from rtasmr.inference import OnnxTingleModel
from rtasmr.types import TrialId

SETTINGS = EvaluationSettings(n_bootstrap=500)
PEOPLE = {1: range(1, 7), 2: range(7, 13)}
VIDEOS = {1: ("vid1", "vid5"), 2: ("vid2", "vid6")}


def linear_graph(spec: FeatureSpec, weights: dict[str, float], shift: float) -> onnx.ModelProto:
    """Return a graph whose probability at a frame is the sigmoid of weighted features, 0 for invalid ones."""
    shape = ["n", "T", spec.n_features]
    row = [weights.get(name, 0.0) for name in spec.names]
    graph = helper.make_graph(
        [
            helper.make_node("Where", ["valid", "x", "zero"], ["present"]),
            helper.make_node("MatMul", ["present", "weights"], ["wide"]),
            helper.make_node("ReduceSum", ["wide", "axis"], ["sum"], keepdims=0),
            helper.make_node("Add", ["sum", "shift"], ["z"]),
            helper.make_node("Sigmoid", ["z"], ["p"]),
        ],
        "linear",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, shape),
            helper.make_tensor_value_info("valid", TensorProto.BOOL, shape),
        ],
        [helper.make_tensor_value_info("p", TensorProto.FLOAT, shape[:2])],
        [
            helper.make_tensor("zero", TensorProto.FLOAT, [], [0.0]),
            helper.make_tensor("shift", TensorProto.FLOAT, [], [shift]),
            helper.make_tensor("weights", TensorProto.FLOAT, [spec.n_features, 1], row),
            helper.make_tensor("axis", TensorProto.INT64, [1], [2]),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def write_model(
    folder: Path,
    spec: FeatureSpec,
    weights: dict[str, float],
    participants: tuple[int, ...],
) -> None:
    content = linear_graph(spec, weights, -1.0).SerializeToString()
    card = ModelCard(
        id=folder.name,
        created="2026-01-02T12:00:00+00:00",
        feature_set=spec.set_name,
        feature_version=spec.version,
        feature_lookahead_s=spec.lookahead_s,
        feature_names=spec.names,
        feature_parameters=dict(spec.parameters),
        causal=spec.causal,
        fingerprint=spec.fingerprint,
        encoder_id="",
        encoder_sha256="",
        window_frames=100,
        lookahead_frames=10,
        threshold=0.5,
        demo=True,
        training_data=TrainingData("made", "d" * 64, simulated=True, participants=participants, trials=1),
        commit="none",
        onnx_sha256=hashlib.sha256(content).hexdigest(),
    )
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(content)
    write_card(card, folder)


@pytest.fixture
def tables(make_table: Callable[..., TrialTable], rng: np.random.Generator) -> list[TrialTable]:
    """Twelve people; the pulse says their own report under noise, the first column the kind of clip."""
    made = []
    for fold, people in PEOPLE.items():
        for participant in people:
            for video in VIDEOS[fold]:
                table = make_table(TrialId(participant, video), 200)
                rating = np.repeat(rng.integers(0, 2, 10), 20).astype(np.int8)
                values = table.values.copy()
                values[:, -1] = rating * table.trial.is_asmr + 0.7 * rng.normal(size=200)
                made.append(replace(table, values=values, rating=rating))
    return made


@pytest.fixture
def study(
    tmp_path: Path, tables: list[TrialTable], small_spec: FeatureSpec
) -> Callable[..., tuple[Path, Path]]:
    """Write tables, fold models and their predictions; return the folders of results and features."""

    def write(weights: dict[str, float], **origin: object) -> tuple[Path, Path]:
        results, features = tmp_path / "R", tmp_path / "F"
        for table in tables:
            table.save(features)
        judges, tested = {}, {}
        for fold in PEOPLE:
            folder = results / "models" / f"toy-fold{fold}"
            write_model(folder, small_spec, weights, tuple(PEOPLE[3 - fold]))
            judges[fold] = Judge(OnnxTingleModel.load(folder, "cpu"), Serving(100, 10), 0.5)
            tested[fold] = [table for table in tables if table.trial.participant in PEOPLE[fold]]
        said = Asker("toy", judges, tested).ask()
        origin = {"score": "streaming", "simulated": True, **origin}
        save_predictions(results / "predictions.npz", [said], origin)
        return results, features

    return write


PERSON = {"ppg": 3.0, "resnet18_000": 0.5}
KIND = {"resnet18_000": 4.0}


def test_a_model_of_the_persons_pulse(study):
    results, features = study(PERSON)
    evaluation, subjects = evaluate(results, features, SETTINGS)
    (model,) = evaluation.models
    assert (model.verdict.words, model.score) == ("tracks this person", "streaming score")
    assert model.basis == "streaming scores of 12 participants in 2 folds, simulated data"
    # It reads the frame and nothing else: neither window nor look-ahead matters, nor the rest of the clip.
    for key in ("lookahead.0.auc", "lookahead.5.auc", "window.10.auc", "window.55.auc"):
        assert model.more[key] == model.more["lookahead.1.auc"], key
    assert model.more["clip.same_call"].value == 100.0
    assert model.more["clip.mean_difference"].value < 1e-6
    for change in ("ppg.dropped", "ppg.shifted", "ppg.exchanged"):
        assert model.more[f"{change}.brier_gain"].p < 0.05, change
        assert model.more[f"{change}.auc_gain"].ci95[0] > 0, change
    sound = model.more["sound.dropped.brier_gain"]
    assert (sound.value, sound.p) == (0.0, 1.0)
    assert model.lag.best_s == 0.0
    # Look-ahead of 1 s and that of the features of 0.1 s count to the latency.
    delays_s = np.concatenate(EventScores.of(asmr_trials(model.predictions).trials).delays_s)
    assert model.row.scores["onset_latency"].value == pytest.approx(np.median(delays_s) + 1.1)
    assert model.rules["rule: always"].scores["balanced_accuracy"].value == 50.0
    over_elapsed, within = model.row.scores["auc_over_elapsed"], model.row.scores["auc_within_trial"]
    less = model.less["rule: elapsed time"]["auc_within_trial"]
    assert (less.value, less.ci95) == (over_elapsed.value, over_elapsed.ci95)
    assert less.p > over_elapsed.p  # one of many differences
    elapsed = model.rules["rule: elapsed time"].scores["auc_within_trial"]
    assert over_elapsed.value == pytest.approx(within.value - elapsed.value)
    assert model.row.scores["balanced_accuracy"].ci95[0] > 50.0

    assert [folder.name for folder in write_verdicts(evaluation, subjects)] == ["toy-fold1", "toy-fold2"]
    card = read_model_card(results / "models" / "toy-fold1")
    assert card.verdict_line == f"verdict: tracks this person ({model.basis})"
    assert card.verdict.evidence == model.verdict.evidence
    OnnxTingleModel.load(results / "models" / "toy-fold1", "cpu")  # still a whole model


def test_without_the_only_modality_there_is_nothing_to_compare(tmp_path, tables, rng):
    alone = []
    for table in tables:
        valid = np.zeros_like(table.valid)
        valid[:, -1] = True
        alone.append(replace(table, valid=valid, preroll_valid=np.zeros_like(table.preroll_valid)))
    write_model(tmp_path / "toy", tables[0].spec, PERSON, ())
    judge = Judge(OnnxTingleModel.load(tmp_path / "toy", "cpu"), Serving(100, 10), 0.5)
    gains = modality_gains(Asker("toy", {1: judge}, {1: alone}), rng, stride=10, n_bootstrap=50)
    for key in ("ppg.dropped.brier_gain", "ppg.dropped.auc_gain"):
        assert (gains[key].value, gains[key].p) == (None, None)
        assert gains[key].note == "undefined: without it nothing is left to answer from"
    assert gains["ppg.exchanged.brier_gain"].ci95[0] > 0
    assert gains["ppg.exchanged.brier_gain"].note.endswith("p after Holm, 6 tests")


def test_a_model_of_the_kind_of_clip(study, tmp_path):
    results, features = study(KIND)
    out = tmp_path / "E"
    command = ["evaluate", str(results), str(features), "--out", str(out), "--no-card"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert "toy: a stimulus-type detector" in done.output
    assert read_model_card(results / "models" / "toy-fold1").verdict is None
    content = json.loads((out / "evaluation.json").read_text(encoding="utf-8"))
    (model,) = content["models"]
    assert model["verdict"] == "a stimulus-type detector"
    assert [claim["holds"] for claim in model["claims"]] == [False, False, True]
    numbers = {number["id"]: number for number in content["numbers"]}
    assert numbers["toy.auc_of_kind"]["value"] == 1.0
    assert numbers["toy|rule: ASMR clip.balanced_accuracy"]["value"] == 50.0
    less = numbers["toy|less rule: ASMR clip.balanced_accuracy"]
    assert less["value"] == pytest.approx(numbers["toy.balanced_accuracy"]["value"] - 50.0)
    assert less["ci95"] is not None
    page = (out / "evaluation.md").read_text(encoding="utf-8")
    assert "Simulated data: nothing here says anything about people." in page
    assert "Not for: medical use" in page
    assert "| toy less | balanced accuracy, % | AUC within a trial | AUC, all moments | Brier |" in page
    n_differences = sum("|less " in key for key in numbers)
    assert f"corrected for the {n_differences} differences of this table (Holm)" in page
    assert "| ECE that right probabilities would have |" in page
    assert (out / "evaluation.csv").read_text(encoding="utf-8").count("Simulated data") > 100
    assert (out / "figures" / "evaluation.png").stat().st_size > 10_000


def test_two_runs_give_the_same_numbers(study):
    results, _ = study(PERSON)
    quick = EvaluationSettings(n_bootstrap=20)
    first, second = (evaluate(results / "predictions.npz", None, quick)[0] for _ in range(2))
    assert dict(numbers_of(first)) == dict(numbers_of(second))
    # Predictions alone do not tell how long the model waits.
    assert first.models[0].row.scores["onset_latency"].note.endswith("look-ahead not known and left out")


def test_models_of_the_same_trials_are_set_beside_each_other(study):
    results, _ = study(PERSON)
    said = _said(results)
    other = Predictions("blind", tuple(replace(t, p=np.full_like(t.p, 0.5)) for t in said.trials))
    fewer = Predictions("fewer", other.trials[2:])
    save_predictions(results / "predictions.npz", [said, other, fewer], {"score": "streaming"})
    evaluation, _ = evaluate(results / "predictions.npz", None, EvaluationSettings(n_bootstrap=50))
    toy, blind, alone = evaluation.models
    assert [name for name in toy.less if not name.startswith("rule: ")] == ["blind"]
    assert [name for name in blind.less if not name.startswith("rule: ")] == ["toy"]
    assert all(name.startswith("rule: ") for name in alone.less)
    assert toy.less["blind"]["auc"].ci95[0] > 0 > blind.less["toy"]["auc"].ci95[1]


def test_trials_too_short_for_a_lag_are_told(study):
    results, _ = study(PERSON)
    said = _said(results)
    short = [replace(t, p=t.p[:80], rating=t.rating[:80], n_real=80) for t in said.trials]
    save_predictions(results / "predictions.npz", [replace(said, trials=tuple(short))], {})
    evaluation, _ = evaluate(results / "predictions.npz", None, EvaluationSettings(n_bootstrap=20))
    (model,) = evaluation.models
    assert model.lag is None
    assert "no lag of the ratings: trial 001_vid1: expected more than 91 steps" in model.notes[-1]


def test_predictions_that_the_models_do_not_say_are_refused(study, tables):
    results, features = study(PERSON)
    shutil.rmtree(results / "models" / "toy-fold1")
    write_model(results / "models" / "toy-fold1", tables[0].spec, KIND, tuple(PEOPLE[2]))
    with pytest.raises(DataError, match="expected the saved predictions to be what the runtime would say"):
        evaluate(results, features, SETTINGS)


@pytest.mark.parametrize(
    ("edited", "message"),
    [
        (
            lambda t: replace(t, p=np.where(t.truth, 0.9, 0.1).astype(np.float32)),
            "what the runtime would say",
        ),
        (
            lambda t: replace(t, rating=t.predicted.astype(np.int8)),
            "the ratings of its feature table, got others",
        ),
        (lambda t: replace(t, threshold=0.1), "threshold of the model's card, 0.5, got 0.1 saved"),
    ],
)
@pytest.mark.parametrize("place", [0, 13, 23])
def test_no_saved_trial_may_be_edited(study, edited, message, place):
    results, features = study(PERSON)
    said = _said(results)
    trials = [edited(trial) if i == place else trial for i, trial in enumerate(said.trials)]
    origin = {"score": "streaming", "simulated": True}
    save_predictions(results / "predictions.npz", [replace(said, trials=tuple(trials))], origin)
    with pytest.raises(DataError, match=rf"trial {trials[place].trial}: expected .*{message}"):
        evaluate(results, features, SETTINGS)


def test_a_personal_calibration_is_asked_again_too(study):
    results, features = study(PERSON)
    said = _said(results)
    moved = [replace(t, p=shifted(t.p, 0.1 * t.trial.participant - 0.6)) for t in said.trials]
    personal = Predictions("toy+personal", tuple(moved))
    origin = {"score": "streaming", "simulated": True}
    save_predictions(results / "predictions.npz", [said, personal], origin)
    evaluation, _ = evaluate(results, features, SETTINGS)
    plain, own = evaluation.models
    assert own.name == "toy+personal"
    gain = own.more["ppg.exchanged.brier_gain"]
    assert gain.value is not None
    assert gain.value != plain.more["ppg.exchanged.brier_gain"].value
    # Of one trial only: no single shift of the person's log odds gives that.
    moved[5] = replace(moved[5], p=shifted(moved[5].p, 2.0))
    save_predictions(results / "predictions.npz", [said, replace(personal, trials=tuple(moved))], origin)
    with pytest.raises(DataError, match="expected the saved predictions to be what the runtime would say"):
        evaluate(results, features, SETTINGS)


def test_leaks_between_training_and_test_are_refused(study, tables):
    results, features = study(PERSON, trained_on={"1": ["007_vid2"], "2": ["001_vid2"]})
    with pytest.raises(DataError, match=r"model 'toy', fold 2: expected test clips .* got vid2"):
        evaluate(results, features, SETTINGS)
    shutil.rmtree(results / "models" / "toy-fold2")
    write_model(results / "models" / "toy-fold2", tables[0].spec, PERSON, (1, 2, 9))
    save_predictions(results / "predictions.npz", [_said(results)], {"score": "streaming"})
    with pytest.raises(DataError, match=r"fold 2: expected test participants .* 1 that it did \(009\)"):
        evaluate(results, features, SETTINGS)
    save_predictions(results / "predictions.npz", [_said(results)], {"trained_on": ["001_vid2"]})
    with pytest.raises(DataError, match="expected under 'trained_on' lists of trials by fold"):
        evaluate(results / "predictions.npz", None, SETTINGS)
    for trained_on, message in (
        ({"1": ["007_vid2"], "2": ["vid1 of 3"]}, "lists of trials by fold, .* 'vid1 of 3'"),
        ({"1": ["007_vid2"]}, "the trials that trained fold 2, got those of 1; predict again"),
        ({"1": ["1001_vid1"], "2": ["1001_vid1"]}, "fold 1: expected test clips"),
    ):
        save_predictions(results / "predictions.npz", [_said(results)], {"trained_on": trained_on})
        with pytest.raises(DataError, match=message):
            evaluate(results / "predictions.npz", None, SETTINGS)


def _said(results: Path) -> Predictions:
    return load_predictions(results / "predictions.npz")["toy"]


def test_one_model_is_asked_about_people_it_never_saw(tmp_path, tables):
    for table in tables:
        table.save(tmp_path / "F")
    folder = tmp_path / "models" / "toy"
    write_model(folder, tables[0].spec, PERSON, tuple(PEOPLE[2]))
    evaluation, _ = evaluate(folder, tmp_path / "F", SETTINGS)
    (model,) = evaluation.models
    assert evaluation.config["score"] == "streaming"  # so do the predictions that are saved of it
    assert sorted({t.trial.participant for t in model.predictions.trials}) == list(PEOPLE[1])
    assert "asked about 12 trials of 6 people whom it did not learn from" in model.notes[0]
    shutil.rmtree(folder)
    write_model(folder, tables[0].spec, PERSON, tuple(range(1, 13)))
    with pytest.raises(DataError, match=r"got 12 that it did \(001, 002, 003, 004, 005\); test others"):
        evaluate(folder, tmp_path / "F", SETTINGS)
    evaluation, _ = evaluate(folder, tmp_path / "F", SETTINGS, other_people=True)
    assert len(evaluation.models[0].predictions.participants) == 12
    with pytest.raises(DataError, match="expected feature tables to ask it about, got none"):
        evaluate(folder, None, SETTINGS)


def test_other_features_are_refused(tmp_path, tables):
    for table in tables:
        table.save(tmp_path / "F")
    spec = replace(tables[0].spec, version=9)
    write_model(tmp_path / "toy", spec, PERSON, ())
    with pytest.raises(SpecMismatchError, match="expects feature set 'live' v9"):
        evaluate(tmp_path / "toy", tmp_path / "F", SETTINGS)


@pytest.mark.parametrize(
    ("rating", "message"),
    [(0, "expected moments with and without tingle on ASMR clips, got none with"), (2, "got all with")],
)
def test_nothing_to_tell_apart(tmp_path, tables, rating, message):
    for table in tables:
        replace(table, rating=np.full(200, rating, dtype=np.int8)).save(tmp_path / "F")
    write_model(tmp_path / "toy", tables[0].spec, PERSON, ())
    with pytest.raises(DataError, match=message):
        evaluate(tmp_path / "toy", tmp_path / "F", SETTINGS)


def test_nature_clips_alone_say_nothing(tmp_path, tables):
    for table in tables:
        if not table.trial.is_asmr:
            table.save(tmp_path / "F")
    write_model(tmp_path / "toy", tables[0].spec, PERSON, ())
    with pytest.raises(DataError, match="expected trials of ASMR clips, got none"):
        evaluate(tmp_path / "toy", tmp_path / "F", SETTINGS)


def test_what_is_nothing_to_evaluate_is_one_line(tmp_path):
    with pytest.raises(DataError, match=r"expected predictions .* a model folder or a folder of results"):
        evaluate(tmp_path, None, SETTINGS)
    done = CliRunner().invoke(app, ["evaluate", str(tmp_path / "absent.npz")])
    assert isinstance(done.exception, DataError)


@pytest.mark.parametrize(
    ("folder", "name", "belongs"),
    [
        ("live", "live", True),
        ("live-fold3", "live", True),
        ("live-2-fold3", "live", False),
        ("live-fold3", "live+personal", False),
        ("fusion-as-written-fold1", "fusion", True),
        ("fusion-published-all", "fusion", True),
        ("fusion_x-fold1", "fusion", False),
    ],
)
def test_folders_of_a_model(folder, name, belongs):
    assert belongs_to(folder, name) is belongs
