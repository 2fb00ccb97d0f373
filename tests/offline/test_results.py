"""The paper's numbers, verdicts and the files of results."""

import csv
import json
import logging
import tomllib

import pytest

from offline.claims import judge_claims
from offline.comparison import compile_results, judge
from offline.labels import long_labels, short_label
from offline.remarks import remarks
from offline.results import (
    Measured,
    PaperNumber,
    Results,
    Verdict,
    paper_fold_macro_f1,
    paper_numbers,
    read_results,
    write_results,
)
from rtasmr.errors import DataError

CONFIG = {"command": "test", "seed": 42, "share": 0.15, "models": ["fusion"], "exact": True}


def paper(**parts):
    return PaperNumber(
        **{"id": "x", "paper": 75.51, "unit": "%", "needs": "raw", "where": "", "decimals": 2, **parts}
    )


def some_results(config=CONFIG):
    measured = {
        "table1.accuracy": Measured(75.506, 5.625, (69.5, 80.7), 1 / 5001, 5.6, "%", "pooled"),
        "figure6": Measured(None, note="figures/figure6.png"),
        "caveat.extra": Measured(1.5, unit="r", note="commas, and 'quotes'"),
    }
    return compile_results(measured, config, reason="needs raw data")


def test_our_copy_of_the_papers_numbers_equals_the_shared_one(shared_data):
    content = json.loads((shared_data / "published" / "paper_numbers.json").read_text())
    assert [item["id"] for item in content["numbers"]] == list(paper_numbers())
    for item in content["numbers"]:
        ours = paper_numbers()[item["id"]]
        assert ours.paper == item["paper"]
        assert ours.unit == item["unit"]
        assert ours.needs == item["needs"]
        assert ours.sd == item.get("sd")
        assert ours.p == item.get("p")
        assert ours.cohen_d == item.get("cohen_d")
        assert ours.ci95 == (tuple(item["ci95"]) if "ci95" in item else None)
    for model, values in content["fold_macro_f1"].items():
        assert paper_fold_macro_f1(model) == tuple(values)


def test_numbers_are_printed_with_no_more_digits_than_stated():
    for number in paper_numbers().values():
        if isinstance(number.paper, (int, float)):
            assert number.paper == round(number.paper, number.decimals)


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        (75.51, Verdict.REPRODUCED),
        (75.5051, Verdict.REPRODUCED),
        (75.5149, Verdict.REPRODUCED),
        (75.5049, Verdict.COMPATIBLE),
        (75.5152, Verdict.COMPATIBLE),
        (79.28, Verdict.COMPATIBLE),  # 5 % of 75.51 are 3.7755
        (79.29, Verdict.DIFFERS),
        (None, Verdict.NOT_COMPUTED),
    ],
)
def test_value_must_agree_in_every_printed_digit(value, verdict):
    assert judge(paper(), Measured(value))[0] is verdict


def test_parts_that_differ_are_named():
    number = paper(sd=5.63, ci95=(69.8, 80.7), p="<0.0002", cohen_d=5.65)
    close = Measured(75.51, 5.63, (68.9, 81.6), 0.00019, 5.45)
    assert judge(number, close) == (Verdict.REPRODUCED, ())
    near = Measured(75.51, 5.64, (68.7, 80.7), 0.0002, 5.3)
    assert judge(number, near) == (Verdict.COMPATIBLE, ("SD", "p", "Cohen's d", "95% CI"))
    far = Measured(65.0, 5.64, (60.0, 69.0), 0.0002, 5.3)
    assert judge(number, far) == (Verdict.DIFFERS, ("value", "SD", "p", "Cohen's d", "95% CI"))


def test_bound_and_tolerance():
    assert judge(paper(paper="<0.05"), Measured(0.049))[0] is Verdict.REPRODUCED
    assert judge(paper(paper="<0.05"), Measured(0.05))[0] is Verdict.DIFFERS
    monte_carlo = paper(paper=0.0488, decimals=4, tolerance=0.007)
    assert judge(monte_carlo, Measured(12 / 256))[0] is Verdict.REPRODUCED
    assert judge(monte_carlo, Measured(0.0559))[0] is Verdict.DIFFERS


def test_value_that_agrees_without_being_significant_says_so():
    p = paper(paper=0.0488, decimals=4, tolerance=0.007, unit="p")
    assert judge(p, Measured(13 / 256)) == (Verdict.NOT_SIGNIFICANT, ())
    assert judge(p, Measured(0.01)) == (Verdict.COMPATIBLE, ("value",))  # significant as well
    assert judge(p, Measured(0.2)) == (Verdict.DIFFERS, ("value",))
    r = paper(paper=0.539, decimals=3, ci95=(0.377, 0.654), p="<0.001", unit="r")
    assert judge(r, Measured(0.5, ci95=(-0.1, 0.7), p=0.06))[0] is Verdict.NOT_SIGNIFICANT
    assert judge(r, Measured(0.5, ci95=(0.3, 0.6), p=0.002)) == (Verdict.COMPATIBLE, ("value", "p", "95% CI"))
    results = compile_results(
        {"table2.video_only.p_vs_fusion": Measured(13 / 256, note="13 of 256")}, {}, reason=""
    )
    assert results["table2.video_only.p_vs_fusion"].note == "13 of 256; not significant here at 0.05"
    assert results["table2.video_only.p_vs_fusion"].said == "13 of 256"


def test_p_value_goes_with_what_it_tests():
    def verdict(t, p):
        results = compile_results({"cardio.t": Measured(t), "cardio.p": Measured(p)}, {}, reason="")
        return results["cardio.p"].verdict

    assert verdict(-2.085, 0.0454) is Verdict.REPRODUCED
    assert verdict(-2.03, 0.051) is Verdict.NOT_SIGNIFICANT
    assert verdict(-1.0, 0.32) is Verdict.DIFFERS


def test_every_id_of_the_paper_has_a_value_or_a_reason():
    results = some_results()
    assert [n.id for n in results.numbers] == [*paper_numbers(), "caveat.extra"]
    for number in results.numbers:
        assert number.value is not None or number.note
    assert results["dataset.trials"].note == "needs raw data"
    assert results["dataset.trials"].verdict is Verdict.NOT_COMPUTED
    assert results["table1.accuracy"].verdict is Verdict.REPRODUCED
    assert results["figure6"].verdict is Verdict.DRAWN
    assert results["figure3"].verdict is Verdict.NOT_COMPUTED
    assert results["caveat.extra"].verdict is Verdict.NO_PAPER_FIGURE


def test_note_names_what_differs():
    results = compile_results({"table1.accuracy": Measured(80.0, note="mine")}, CONFIG, reason="")
    assert results["table1.accuracy"].note == "mine; differs in value"


def test_simulated_data_is_not_compared():
    results = compile_results({"table1.accuracy": Measured(75.51)}, {"simulated": True}, reason="")
    assert results["table1.accuracy"].verdict == "not judged: simulated"


def test_second_protocol_is_held_against_the_paper_too():
    measured = {"as_written.table1.accuracy": Measured(75.51, 5.63), "seeds.table1.accuracy": Measured(75.0)}
    results = compile_results(measured, {}, reason="")
    assert results["as_written.table1.accuracy"].paper == 75.51
    assert results["as_written.table1.accuracy"].verdict is Verdict.REPRODUCED
    assert results["seeds.table1.accuracy"].verdict is Verdict.NO_PAPER_FIGURE  # the paper trains once
    random = compile_results(measured, {"encoder": "random:0"}, reason="")
    assert random["as_written.table1.accuracy"].verdict is Verdict.RANDOM_ENCODER


def test_what_rests_on_pictures_is_not_judged_with_a_random_encoder():
    measured = {
        number.id: Measured(number.paper)
        for number in paper_numbers().values()
        if isinstance(number.paper, (int, float))
    }
    results = compile_results(measured, {"encoder": "random:0"}, reason="")
    unjudged = {n.id for n in results.numbers if n.verdict == "not judged: random encoder"}
    starts = ("table1.", "video_level.", "table2.video_only.", "xgboost.", "table2.audio_only.p_vs_fusion")
    assert unjudged == {number_id for number_id in measured if number_id.startswith(starts)}
    assert results["table2.audio_only.accuracy"].verdict is Verdict.REPRODUCED
    assert results["cardio.t"].verdict is Verdict.REPRODUCED
    # both: the stronger reason
    both = compile_results(measured, {"encoder": "random:0", "simulated": True}, reason="")
    assert {n.verdict for n in both.numbers if n.id in measured} == {Verdict.SIMULATED}


def test_undefined_number_needs_a_reason_instead():
    with pytest.raises(DataError, match=r"table1\.accuracy: expected a finite value"):
        compile_results({"table1.accuracy": Measured(float("nan"))}, CONFIG, reason="")


def test_unknown_id_is_a_key_error():
    with pytest.raises(KeyError):
        some_results()["table9.accuracy"]


def test_files_hold_what_was_computed(tmp_path):
    results = some_results()
    write_results(results, tmp_path / "R")
    back = read_results(tmp_path / "R" / "results.json")
    assert back.numbers == results.numbers
    assert dict(back.config) == CONFIG
    assert tomllib.loads((tmp_path / "R" / "config.toml").read_text()) == CONFIG
    with (tmp_path / "R" / "tables.csv").open(newline="") as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    assert float(rows["table1.accuracy"]["ci95_high"]) == 80.7
    assert rows["caveat.extra"]["note"] == "commas, and 'quotes'"
    assert len(rows) == len(results.numbers)
    assert sorted(p.name for p in (tmp_path / "R").iterdir()) == ["config.toml", "results.json", "tables.csv"]


def test_numbers_have_the_fields_of_the_contract(tmp_path):
    write_results(some_results(), tmp_path)
    content = json.loads((tmp_path / "results.json").read_text())
    fields = ["id", "paper", "value", "sd", "ci95", "p", "cohen_d", "unit", "verdict", "note"]
    assert all(list(number) == fields for number in content["numbers"])


def test_claims_stand_beside_the_numbers(tmp_path):
    claims = [
        {"claim": "x", "says": "a, b", "verdict": "not judged: simulated", "why": "w", "numbers": "i j"}
    ]
    write_results(some_results({**CONFIG, "simulated": True}), tmp_path, claims)
    assert json.loads((tmp_path / "results.json").read_text())["claims"] == claims
    with (tmp_path / "claims.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row == {**claims[0], "made_with": "Simulated data: says nothing about people"}
    read_results(tmp_path / "results.json")


def test_two_runs_differ_in_time_and_machine_only(tmp_path):
    for name in ("a", "b"):
        write_results(some_results(), tmp_path / name)
    first, second = (json.loads((tmp_path / name / "results.json").read_text()) for name in ("a", "b"))
    for content in (first, second):
        del content["created"], content["machine"]
    assert first == second


def test_results_of_another_configuration_are_kept_aloud(tmp_path, caplog):
    write_results(some_results(), tmp_path)
    with caplog.at_level(logging.WARNING):
        write_results(some_results(), tmp_path)
        assert not caplog.records
        write_results(some_results({**CONFIG, "seed": 43}), tmp_path)
    (record,) = caplog.records
    told = "held results of another configuration (seed: 42 -> 43), kept as results.1.json"
    assert record.getMessage() == f"{tmp_path / 'results.json'} {told}"
    assert read_results(tmp_path / "results.json").config["seed"] == 43
    assert read_results(tmp_path / "results.1.json").config["seed"] == 42


def test_a_strangers_file_is_not_replaced(tmp_path):
    (tmp_path / "results.json").write_text("precious")
    with pytest.raises(DataError, match="holds something else than results"):
        write_results(some_results(), tmp_path)
    assert (tmp_path / "results.json").read_text() == "precious"


def test_failed_write_leaves_the_old_results(tmp_path):
    write_results(some_results(), tmp_path)
    before = (tmp_path / "results.json").read_text()
    broken = Results(some_results().numbers, {**CONFIG, "bad": object()})
    with pytest.raises(TypeError):
        write_results(broken, tmp_path)
    assert (tmp_path / "results.json").read_text() == before
    assert not list(tmp_path.glob("*.part*"))


def test_folder_that_cannot_be_made_is_one_error(tmp_path):
    (tmp_path / "R").touch()
    with pytest.raises(DataError, match="R: expected a folder to write to"):
        write_results(some_results(), tmp_path / "R")


@pytest.mark.parametrize("text", ["", "[]", '{"numbers": [{"id": 1}], "config": {}}', '{"config": {}}'])
def test_damaged_results_are_one_error(tmp_path, text):
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(DataError, match="results file of this version"):
        read_results(tmp_path / "results.json")


def test_missing_results_name_the_command(tmp_path):
    with pytest.raises(DataError, match="offline reproduce"):
        read_results(tmp_path / "results.json")


@pytest.mark.parametrize(
    ("config", "verdict", "short", "judged"),
    [
        (
            {"tested_folds": [1, 3, 4]},
            "not judged: fold left out",
            "Tested on 3 folds of 4 (1, 3, 4)",
            {"isa.vid3.p"},
        ),
        (
            {"protocol": "published", "encoder": "file my.pth"},
            "not judged: another encoder",
            "Image encoder with other weights than ImageNet's (file my.pth)",
            {"isa.vid3.p", "table2.audio_only.accuracy"},
        ),
    ],
)
def test_what_was_not_made_as_the_papers_is_not_judged(config, verdict, short, judged):
    measured = {
        "table1.accuracy": Measured(75.51, 5.63, unit="%"),
        "xgboost.accuracy": Measured(70.86, 4.13, unit="%"),
        "table2.audio_only.accuracy": Measured(75.04, 4.83, unit="%"),
        "table2.audio_only.p_vs_fusion": Measured(1 / 256, unit="p"),
        "isa.vid3.p": Measured(0.001, unit="p"),
    }
    results = compile_results(measured, config, reason="")
    assert {n.id for n in results.numbers if n.verdict == verdict} == measured.keys() - judged
    assert short_label(config) == short
    (told,) = long_labels(config)
    assert verdict in told
    claims = {claim.key: claim.verdict for claim in judge_claims(results)}
    assert {claims[key] for key in ("detection", "temporal", "ablation")} == {verdict}
    assert claims["pulse"] == "not computable"  # nothing behind it has a value


@pytest.mark.parametrize(
    "config",
    [
        {"protocol": "published", "encoder": "imagenet", "tested_folds": [1, 2, 3, 4]},
        {"published": True},  # the authors' own predictions
        {"encoder": "file my.pth"},  # a live model, which is held against nothing of the paper's
    ],
)
def test_what_was_made_as_the_papers_is_judged(config):
    results = compile_results({"table1.accuracy": Measured(75.51, 5.63, unit="%")}, config, reason="")
    assert results["table1.accuracy"].verdict is Verdict.REPRODUCED
    assert (short_label(config), long_labels(config)) == ("", [])


def test_models_of_another_training_are_not_held_against_the_paper():
    measured = {
        "table1.accuracy": Measured(75.51, 5.63, unit="%"),
        "xgboost.accuracy": Measured(70.86, 4.13, unit="%"),
        "table2.audio_only.p_vs_fusion": Measured(1 / 256, unit="p"),
        "isa.vid3.p": Measured(0.001, unit="p"),
    }
    config = {"protocol": "published", "epochs": 2}
    results = compile_results(measured, config, reason="")
    unjudged = {n.id for n in results.numbers if n.verdict is Verdict.OTHER_TRAINING}
    assert unjudged == measured.keys() - {"isa.vid3.p"}
    assert short_label(config) == "Trained for 2 epochs, not 35"
    (told,) = long_labels(config)
    assert told.startswith("Trained for 2 epochs, not 35: not the published training.")
    claims = {claim.key: claim.verdict.value for claim in judge_claims(results)}
    assert {claims[key] for key in ("detection", "temporal", "ablation")} == {"not judged: other training"}
    assert short_label({"protocol": "published", "epochs": 35}) == ""
    assert (
        compile_results(measured, {"protocol": "published", "epochs": 35}, reason="")[
            "table1.accuracy"
        ].verdict
        is Verdict.REPRODUCED
    )


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"published": True}, "It seeds neither torch nor NumPy"),
        ({"protocol": "published"}, "seeds everything random"),
        ({"protocol": "both"}, "seeds everything random"),
        ({"protocol": "as-written"}, None),
        ({}, None),  # predictions of another maker
    ],
)
def test_quirks_of_the_published_code_are_told_where_numbers_rest_on_it(config, told):
    measured = {"table1.accuracy": Measured(75.51, 5.63, unit="%")}
    found = {remark.key: remark for remark in remarks(compile_results(measured, config, reason=""))}
    if told is None:
        assert "published-code" not in found
        return
    quirk = found["published-code"]
    assert told in quirk.text
    for fact in ("10 %", "20 %", "tests the last epoch, not the best", "a reference to those being trained"):
        assert fact in quirk.text
    assert quirk.concerns("table1.accuracy")
    assert quirk.concerns("table2.video_only.macro_f1")
    assert "published-code" not in {one.key for one in remarks(compile_results({}, config, reason=""))}
