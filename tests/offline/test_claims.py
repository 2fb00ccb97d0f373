"""Verdicts on the paper's claims follow from the numbers, and their words do too."""

import pytest

from offline.claims import ClaimVerdict, compatible, judge_claims
from offline.pulse_gain import PREFIX
from offline.reading import bound, show, show_p
from offline.remarks import remarks
from offline.results import Measured, compile_results, paper_numbers


def as_printed(*prefixes):
    """Return the paper's own numbers as if they were measured."""
    return {
        number.id: Measured(number.paper, number.sd, number.ci95, 0.0001, number.cohen_d, number.unit)
        for number in paper_numbers().values()
        if number.id.startswith(prefixes) and isinstance(number.paper, (int, float))
    }


def judged(measured, key, **config):
    results = compile_results(
        measured, config, reason="was not run", comparable=not config.get("simulated", False)
    )
    return next(claim for claim in judge_claims(results) if claim.key == key)


SLOWING = as_printed("cardio.") | {
    "cardio.raw_r.p": Measured(0.03, unit="p"),
    "cardio.robust.p": Measured(0.02, unit="p"),
}


def test_claim_whose_numbers_agree_is_reproduced():
    claim = judged(SLOWING, "slowing")
    assert claim.verdict is ClaimVerdict.REPRODUCED
    assert "t = -2.085, p = 0.0454" in claim.why


@pytest.mark.parametrize(
    ("changed", "verdict", "told"),
    [
        # a digit off, the words hold
        ({"cardio.t": Measured(-2.11, unit="t")}, ClaimVerdict.CAVEAT, "t = -2.110"),
        # the other way of testing turns it
        (
            {"cardio.robust.p": Measured(0.4, unit="p")},
            ClaimVerdict.CAVEAT,
            "does not depend on the unit p = 0.4",
        ),
        # the words do not hold
        ({"cardio.p": Measured(0.06, unit="p")}, ClaimVerdict.NOT_REPRODUCED, "p = 0.0600"),
        ({"cardio.asmr.mean_r": Measured(0.0921, unit="r")}, ClaimVerdict.NOT_REPRODUCED, "(paper -0.0921)"),
        # further off than 5 %
        (
            {"cardio.t": Measured(-3.0, unit="t")},
            ClaimVerdict.NOT_REPRODUCED,
            "-3.000 (paper -2.085)",
        ),
        # half of it is missing
        (
            {"cardio.nature.mean_r": Measured(None, unit="r", note="no recording")},
            ClaimVerdict.CAVEAT,
            "1 of 4 numbers",
        ),
    ],
)
def test_what_changes_the_verdict_on_slowing(changed, verdict, told):
    claim = judged(SLOWING | changed, "slowing")
    assert claim.verdict is verdict
    assert told in claim.why


def test_claim_without_numbers_says_why():
    claim = judged({}, "sensor")
    assert claim.verdict is ClaimVerdict.NOT_COMPUTABLE
    assert claim.why == "Was not run."


def test_nothing_is_judged_on_simulated_data():
    assert judged(SLOWING, "slowing", simulated=True).verdict is ClaimVerdict.SIMULATED


def test_trained_models_may_differ_within_their_folds():
    results = compile_results(
        {
            "xgboost.accuracy": Measured(74.0, 5.0, unit="%"),  # paper 70.86 +- 4.13
            "xgboost.macro_f1": Measured(40.0, 5.0, unit="%"),  # paper 62.72 +- 10.21
            "table1.accuracy": Measured(80.0, 1.0, (75.0, 84.0), unit="%"),  # paper 75.51 in it
        },
        {},
        reason="",
    )
    assert [compatible(results[i]) for i in ("xgboost.accuracy", "xgboost.macro_f1", "table1.accuracy")] == [
        True,
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [
        (0.5, 2.0, "is beaten by the model"),
        (-1.0, 2.0, "can not be told from"),
        (-3.0, -1.0, "beats the model"),
    ],
)
def test_rule_beside_the_model(low, high, told):
    gain = Measured((low + high) / 2, ci95=(low, high), unit="percentage points")
    measured = as_printed("table1.") | {"caveat.gain_over_clip_rule_knowing_padding.accuracy": gain}
    claim = judged(measured, "detection")
    assert told in claim.why
    assert claim.verdict is ClaimVerdict.CAVEAT


def test_agreement_that_other_clips_explain_is_a_caveat():
    measured = as_printed("isa.") | {
        f"isa.{video}.mean_r": Measured(r, ci95=(r - 0.1, r + 0.1), p=0.0001, unit="r")
        for video, r in (("vid1", 0.3), ("vid2", 0.424), ("vid3", 0.539), ("vid4", 0.3))
    }
    measured |= {f"isa.{video}.p": Measured(0.001, unit="p") for video in ("vid1", "vid2", "vid3", "vid4")}
    plain = judged(measured, "agreement")
    assert "p < 0.05 on 4 of 4" in plain.why
    assert "common rise" not in plain.why
    claim = judged(measured | {"caveat.isa.vid2.other_clips_r": Measured(0.35, unit="r")}, "agreement")
    assert claim.verdict is ClaimVerdict.CAVEAT
    assert "On vid2 the interval reaches down" in claim.why


def test_ablation_needs_both():
    def claim(video, audio):
        return judged(
            {
                "table2.video_only.p_vs_fusion": Measured(video, unit="p"),
                "table2.audio_only.p_vs_fusion": Measured(audio, unit="p"),
                "caveat.video_only.sign_flip_p": Measured(0.125, unit="p"),
            },
            "ablation",
        )

    assert claim(13 / 256, 1 / 256).verdict is ClaimVerdict.NOT_REPRODUCED
    assert claim(12 / 256, 1 / 256).verdict is ClaimVerdict.CAVEAT
    assert "audio-only p < 0.0001" in claim(12 / 256, 0.0).why
    assert "sign-flip test gives p = 0.125 at best" in claim(12 / 256, 0.0).why


@pytest.mark.parametrize(
    ("gain", "verdict"), [((0.02, 0.2), ClaimVerdict.REPRODUCED), ((-0.1, 0.2), ClaimVerdict.NOT_REPRODUCED)]
)
def test_pulse_claim_follows_the_answer(gain, verdict):
    measured = {
        f"{PREFIX}correlation": Measured(0.1, ci95=(-0.1, 0.3), unit="r"),
        f"{PREFIX}shuffled.brier_gain": Measured(sum(gain) / 2, ci95=gain, unit="p"),
        f"{PREFIX}shuffled.change": Measured(0.05, unit="p"),
    }
    assert judged(measured, "pulse").verdict is verdict


def test_remarks_concern_numbers_by_id_and_by_group():
    results = compile_results(
        {
            "isa.vid2.mean_r": Measured(0.4, ci95=(0.3, 0.5), unit="r"),
            "caveat.isa.vid2.other_clips_r": Measured(0.25, unit="r"),
        },
        {},
        reason="",
    )
    (remark,) = remarks(results)
    assert "vid2 0.400 against 0.250" in remark.text
    assert remark.concerns("isa.vid2.mean_r")
    assert not remark.concerns("table1.accuracy")


def test_numbers_as_text():
    assert show(29627861.0, 0) == "29\N{NARROW NO-BREAK SPACE}627\N{NARROW NO-BREAK SPACE}861"
    assert show(-0.0004, 2) == "0.00"
    assert show(None, 2) == "undefined"  # never a zero for what is missing
    assert (show_p(1 / 10_001), show_p(0.00001)) == ("0.0001", "<0.0001")
    assert (bound(0.0454), bound(0.0)) == ("= 0.0454", "< 0.0001")
