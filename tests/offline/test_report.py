"""report.html: one file that says what the numbers say, wherever they come from."""

import csv
import html
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from offline.claims import ClaimVerdict, judge_claims
from offline.comparison import compile_results
from offline.data_notes import read_notes, write_notes
from offline.predictions import Predictions, TrialPrediction, save_predictions
from offline.printout import print_results
from offline.remarks import remarks
from offline.report import write_report, write_report_again
from offline.reproduce import measure_models, reproduce_predictions
from offline.results import Measured, paper_numbers
from rtasmr.errors import DataError
from rtasmr.types import TrialId

PICKLE = Path("published") / "paper_fusion_results_4_fold.pkl"
VOID = {"meta", "br", "img", "hr", "link", "input"}


class Page(HTMLParser):
    """Collects what the tests look at; fails on elements that do not nest."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.links, self.tags, self.attributes = [], [], [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if tag == "a" and name == "href":
                self.links.append(value)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def published(shared_data, tmp_path_factory):
    out = tmp_path_factory.mktemp("report")
    results = reproduce_predictions(shared_data / PICKLE, out)
    return results, out, (out / "report.html").read_text(encoding="utf-8")


def seen(text):
    """Return the words of a page, without drawings and markup, white space joined."""
    text = re.sub(r"<(style|svg).*?</\1>", " ", text, flags=re.DOTALL)
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", text).split()))


def test_page_is_whole_and_leads_nowhere_else(published):
    page = Page(published[2])
    assert len(set(page.ids)) == len(page.ids)
    assert {link[1:] for link in page.links} <= set(page.ids)
    assert all(link.startswith("#") for link in page.links)
    assert not {"script", "link", "img", "iframe", "object", "image", "foreignObject"} & set(page.tags)
    assert "@import" not in published[2]
    outside = [a for a in page.attributes if a[1] in ("src", "href", "xlink:href") and "//" in a[2]]
    assert outside == []


def test_page_is_readable_without_eyes(published):
    page = Page(published[2])
    assert ("html", "lang", "en") in page.attributes
    drawings = page.tags.count("svg")
    # scores, figure 6, reliability, eight clips
    assert drawings == 11
    assert sum(a[:2] == ("svg", "aria-label") for a in page.attributes) == drawings
    assert page.tags.count("caption") == page.tags.count("table")
    assert all(value in ("col", "row") for tag, name, value in page.attributes if name == "scope")


def test_published_claims_get_verdicts_that_follow_from_the_numbers(published):
    claims = {claim.key: claim for claim in judge_claims(published[0])}
    verdicts = {key: claim.verdict for key, claim in claims.items()}
    assert verdicts == {
        **dict.fromkeys(
            ("data", "efficacy", "agreement", "sensor", "slowing", "temporal"), ClaimVerdict.NOT_COMPUTABLE
        ),
        # a rule as good, and none of those who felt nothing recognised
        **dict.fromkeys(
            ("detection", "specificity", "video-level", "time-course"), ClaimVerdict.NOT_REPRODUCED
        ),
        "ablation": ClaimVerdict.CAVEAT,
        "pulse": ClaimVerdict.NOT_COMPUTABLE,
    }
    text = seen(published[2])
    for claim in claims.values():
        assert claim.verdict.value in text
    # the rule, the participants who felt nothing, the exact p, the padding
    for figure in ("73.42 %", "0 of 10", "13 of 256", "43 steps of zero padding", "0.0508"):
        assert figure in text


def test_every_caveat_has_its_number_and_every_number_its_caveats(published):
    page = Page(published[2])
    for i, remark in enumerate(remarks(published[0]), start=1):
        assert f"caveat-{i}" in page.ids
        if remark.about == ("table1.accuracy",):
            assert "#n-table1.accuracy" in page.links
    assert page.links.count("#n-table1.accuracy") >= 5
    assert "#figure-figure6" in page.links


def test_report_again_says_the_same(published, tmp_path):
    _, out, text = published
    for name in ("results.json", "predictions.npz"):
        (tmp_path / name).write_bytes((out / name).read_bytes())
    again = write_report_again(tmp_path).read_text(encoding="utf-8")
    assert seen(again).partition("Written")[0] == seen(text).partition("Written")[0]


def test_report_again_without_the_predictions_says_what_is_missing(published, tmp_path, caplog):
    (tmp_path / "results.json").write_bytes((published[1] / "results.json").read_bytes())
    page = write_report_again(tmp_path).read_text(encoding="utf-8")
    told = "not there; the figures made of it are left out"
    assert f"{tmp_path / 'predictions.npz'}: {told}" in caplog.text
    assert f"predictions.npz: {told}" in seen(page)


def test_folder_without_results_is_refused(tmp_path):
    with pytest.raises(DataError, match="run 'offline reproduce' first"):
        write_report_again(tmp_path)


def model(rng, name="fusion", n_steps=60):
    trials = []
    for i in range(8):
        fold = i // 2 + 1
        for video in (f"vid{fold}", f"vid{fold + 4}"):
            rating = np.repeat(rng.integers(0, 2, 6), n_steps // 6).astype(np.int8)
            p = rng.random(n_steps).astype(np.float32)
            trials.append(TrialPrediction(TrialId(i + 1, video), fold, p, rating, n_steps))
    return Predictions(name, tuple(trials))


def test_what_comes_from_files_is_escaped(rng, tmp_path):
    models = {"fusion": model(rng)}
    results = compile_results(
        measure_models(models, rng), {"data": "<script>alert(1)</script>"}, reason="<b>none</b>"
    )
    notes = ["021_csv.txt: <img src=x onerror=alert(1)> & 'more'"]
    text = write_report(results, tmp_path, models, notes).read_text(encoding="utf-8")
    assert not {"script", "img", "b"} & set(Page(text).tags[: Page(text).tags.index("main")])
    assert "<script>" not in text
    assert "<img" not in text
    assert "&lt;img src=x onerror=alert(1)&gt; &amp; &#39;more&#39;" in text
    assert "&lt;b&gt;none&lt;/b&gt;" in text


def test_simulated_data_and_random_encoders_are_named_everywhere(rng, tmp_path):
    models = {"fusion": model(rng)}
    config = {"data": "study", "simulated": True, "scenario": "null", "encoder": "random:3"}
    results = compile_results(measure_models(models, rng), config, reason="not run")
    text = seen(write_report(results, tmp_path, models).read_text(encoding="utf-8"))
    assert "Simulated data: nothing here says anything about people." in text
    assert "The simulated pulse carries nothing about tingles." in text
    assert "random weights (random:3)" in text
    claims = judge_claims(results)
    assert {c.verdict for c in claims} == {ClaimVerdict.SIMULATED, ClaimVerdict.NOT_COMPUTABLE}
    assert "✔ reproduced" not in text
    drawn = list((tmp_path / "figures").glob("*.svg"))
    assert len(drawn) == 11
    for svg in drawn:
        # matplotlib draws letters as shapes and leaves the text beside them as a comment
        words = svg.read_text(encoding="utf-8")
        assert "Simulated data: says nothing about people; image encoder with random weights" in words, (
            svg.name
        )


def test_a_random_encoder_on_real_data_is_told_in_every_output(rng, tmp_path, capsys):
    names = ("fusion", "video_only", "audio_only", "xgboost")
    save_predictions(tmp_path / "ours.npz", [model(rng, name) for name in names], {"encoder": "random:0"})
    out = tmp_path / "R"
    results = reproduce_predictions(tmp_path / "ours.npz", out)
    word = "not judged: random encoder"
    page = (out / "report.html").read_text(encoding="utf-8")
    first = page[page.index("<body>") : page.index("<nav")]
    assert f"({word})" in seen(first)  # the banner, above everything else
    saved = json.loads((out / "results.json").read_text(encoding="utf-8"))
    rows = {number["id"]: number["verdict"] for number in saved["numbers"]}
    assert rows["table1.accuracy"] == rows["xgboost.macro_f1"] == rows["video_level.accuracy"] == word
    assert rows["table2.video_only.accuracy"] == rows["table2.audio_only.p_vs_fusion"] == word
    assert rows["table2.audio_only.accuracy"] in ("differs", "differs within its uncertainty")
    claims = {claim["claim"]: claim["verdict"] for claim in saved["claims"]}
    on_pictures = ("detection", "specificity", "video-level", "time-course", "ablation", "temporal", "pulse")
    assert {claims[key] for key in on_pictures} == {word}
    for name, key, said in (("tables.csv", "id", rows), ("claims.csv", "claim", claims)):
        with (out / name).open(encoding="utf-8", newline="") as file:
            assert {row[key]: row["verdict"] for row in csv.DictReader(file)} == said
    print_results(results)
    printed = capsys.readouterr().out
    assert printed.startswith("Image encoder with random weights (random:0)")
    assert f" 6. [{word}] The fusion BiLSTM detects" in printed
    assert len(re.findall(rf"(?m)^ accuracy .*{word}", printed)) == 3  # Table 1, video level, XGBoost
    for key in on_pictures:
        assert f'id="claim-{key}"' in page
    assert seen(page).count(f"◌ {word}") > len(on_pictures)


def test_the_page_has_one_minus_sign_and_a_true_plus_minus(published):
    text = seen(published[2])
    assert "+-" not in text
    assert re.findall(r"(?<![\w.-])-\.?\d", text) == []
    assert "[\N{MINUS SIGN}0.38, 3.83]" in text
    assert "p\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}0.0508" in published[2]


def test_comparison_stays_out_of_the_caveats():
    measured = {
        "table2.video_only.p_vs_fusion": Measured(80 / 256, unit="p", note="exact: 80 of 256 resamples"),
        "caveat.video_only.sign_flip_p": Measured(0.3, unit="p"),
        "caveat.video_only.paired_t_p": Measured(0.3, unit="p"),
        "ppg.continuity": Measured(80.0, unit="%", note="lost: 20 %"),
    }
    results = compile_results(measured, {"data": "study"}, reason="not run")
    assert results["ppg.continuity"].note == "lost: 20 %; differs in value"
    texts = [remark.text for remark in remarks(results)] + [claim.why for claim in judge_claims(results)]
    assert any("exact: 80 of 256 resamples)" in text for text in texts)
    assert any("(lost: 20 %). Apart from the paper" in text for text in texts)
    assert not any("differs in" in text for text in texts)


@pytest.mark.parametrize(
    ("n", "told"),
    [
        (1, "1 ASMR trial holds no reported tingle; the model calls 50.0 % of its frames"),
        (2, "2 ASMR trials hold no reported tingle; the model calls 50.0 % of their frames"),
    ],
)
def test_one_is_singular(n, told):
    measured = {
        "caveat.non_responders.trials": Measured(n, unit="count"),
        "caveat.non_responders.called_tingle": Measured(50.0, unit="%"),
        "caveat.onsets.reported": Measured(n, unit="count"),
        "caveat.onsets.met": Measured(n, unit="count"),
        "caveat.onsets.spurious": Measured(n, unit="count"),
    }
    text = " ".join(remark.text for remark in remarks(compile_results(measured, {}, reason="")))
    assert told in text
    assert ("1 onset of a tingle; 1 has a predicted" in text) is (n == 1)


def test_nothing_is_said_of_padding_that_is_not_there(rng):
    results = compile_results(measure_models({"fusion": model(rng)}, rng), {}, reason="")
    assert results["caveat.padding.steps"].value == 0
    assert not any("padded" in remark.text for remark in remarks(results))


def test_pooled_score_has_a_mark_within_its_interval(published):
    results, out, page = published
    for name in ("accuracy", "macro_f1", "macro_recall"):
        low, high = results[f"table1.{name}"].ci95
        assert low <= results[f"caveat.pooled.{name}"].value <= high
    # 75.13 % of all steps are right, 75.51 % on the mean of the folds
    assert results["caveat.pooled.accuracy"].value == pytest.approx(75.13, abs=0.005)
    assert "here, all folds pooled, 95 % interval" in (out / "figures" / "scores.svg").read_text("utf-8")
    assert "its intervals belong to the score of all folds pooled (the bar across)" in seen(page)


def test_every_test_trial_is_reached_from_the_list_of_trials(rng, tmp_path):
    models = {"fusion": model(rng)}
    results = compile_results(measure_models(models, rng), {"data": "study"}, reason="not run")
    page = Page(write_report(results, tmp_path, models).read_text(encoding="utf-8"))
    for trial in models["fusion"].trials:
        anchor = f"tinglegrams_{trial.trial.video}-trial-{trial.trial}"
        assert f"#{anchor}" in page.links
        assert anchor in page.ids


def test_second_protocol_and_seeds_get_columns_of_their_own(rng, tmp_path):
    measured = {
        "table1.accuracy": Measured(75.51, 5.63, unit="%"),
        "as_written.table1.accuracy": Measured(70.125, 4.0, unit="%"),
        "seeds.table1.accuracy": Measured(74.0, 1.5, unit="%"),
    }
    results = compile_results(measured, {"data": "study"}, reason="not run")
    text = seen(write_report(results, tmp_path).read_text(encoding="utf-8"))
    assert "Here, as written" in text
    assert "Mean ± SD over seeds" in text
    row = text[text.index("75.51 ± 5.63") :][:200]
    assert "70.12 ± 4.00" in row
    assert "74.00 ± 1.50" in row


def test_notes_survive_the_disk(tmp_path):
    write_notes(["one", "two\nlines", "日本.log: dropped"], tmp_path)
    assert read_notes(tmp_path) == ["one", "two lines", "日本.log: dropped"]
    write_notes(["one"], tmp_path, "Simulated data")
    assert (tmp_path / "data_notes.txt").read_text(encoding="utf-8") == "# Simulated data\none\n"
    assert read_notes(tmp_path) == ["one"]
    (tmp_path / "data_notes.txt").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(DataError, match="expected notes as text"):
        read_notes(tmp_path)


def test_nothing_computed_still_gives_a_page(tmp_path):
    results = compile_results({}, {"data": "empty"}, reason="nothing was run")
    text = seen(write_report(results, tmp_path).read_text(encoding="utf-8"))
    assert "12 ○ not computable" in text
    assert f"0 of the paper's {len(paper_numbers())} numbers" in text


def test_saved_predictions_of_ours_get_a_report_too(rng, tmp_path):
    save_predictions(tmp_path / "ours.npz", [model(rng), model(rng, "ppg_only")])
    reproduce_predictions(tmp_path / "ours.npz", tmp_path / "R")
    text = seen((tmp_path / "R" / "report.html").read_text(encoding="utf-8"))
    assert "Needs 10 people" in text  # eight tell nothing
    assert "model of the pulse alone: correlation" in text
