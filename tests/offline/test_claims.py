"""Verdicts on the paper's claims follow from the numbers, and their words do too."""

import pytest

from offline.claims import ClaimVerdict, judge_claims
from offline.comparison import compile_results
from offline.pulse_gain import PREFIX
from offline.reading import bound, show, show_p
from offline.remarks import remarks
from offline.results import Measured, Verdict, paper_numbers


def as_printed(*prefixes):
    """Return the paper's own numbers as if they were measured."""
    return {
        number.id: Measured(number.paper, number.sd, number.ci95, 0.0001, number.cohen_d, number.unit)
        for number in paper_numbers().values()
        if number.id.startswith(prefixes) and isinstance(number.paper, (int, float))
    }


def judged(measured, key, **config):
    results = compile_results(measured, config, reason="was not run")
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
        # the same t, and the line of 0.05 between the two p
        (
            {"cardio.p": Measured(0.06, unit="p")},
            ClaimVerdict.CAVEAT,
            "Agrees with the paper, but is not significant here at 0.05: cardio.p 0.0600 (paper 0.0454)",
        ),
        # the words do not hold
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
    assert [results[i].verdict for i in ("xgboost.accuracy", "xgboost.macro_f1", "table1.accuracy")] == [
        Verdict.COMPATIBLE,
        Verdict.DIFFERS,
        Verdict.COMPATIBLE,
    ]


def people(gain=(0.5, 6.0), balanced=(55.0, 70.0), n=34, own=(0.45, 0.55), silent=10, recognised=0):
    """Return what was measured where the clip gives nothing away."""
    between = {
        "caveat.gain_over_clip_rule_knowing_padding.accuracy": (gain, "percentage points"),
        "caveat.within_asmr.balanced_accuracy": (balanced, "%"),
        "caveat.pulse.concordance": (own, "r"),
    }
    measured = {
        number_id: Measured(sum(ends) / 2, ci95=ends, unit=unit)
        for number_id, (ends, unit) in between.items()
    }
    measured |= {
        "caveat.within_asmr.participants": Measured(n, unit="count"),
        "caveat.pulse.participants": Measured(n, unit="count"),
        "caveat.non_responders.trials": Measured(silent, unit="count"),
    }
    if silent:
        measured["caveat.non_responders.video_level_specificity"] = Measured(
            100 * recognised / silent, unit="%", note=f"{recognised} of {silent} recognised"
        )
    return as_printed("table1.", "video_level.") | measured


@pytest.mark.parametrize(
    ("found", "verdict", "told"),
    [
        ({}, ClaimVerdict.CAVEAT, "is beaten by the model"),
        # a rule as good: any gain is shown to be slight
        ({"gain": (-1.0, 2.0)}, ClaimVerdict.NOT_REPRODUCED, "can not be told from the model"),
        ({"gain": (-3.0, -1.0)}, ClaimVerdict.NOT_REPRODUCED, "beats the model"),
        # no gain was shown, and none excluded
        ({"gain": (-5.0, 12.0)}, ClaimVerdict.NOT_COMPUTABLE, "can not be told from the model"),
        # the rule is beaten, but not by telling frames of ASMR clips apart
        ({"balanced": (38.0, 49.0)}, ClaimVerdict.NOT_REPRODUCED, "43.5 % [38.0, 49.0], where 50 %"),
        ({"balanced": (45.0, 60.0)}, ClaimVerdict.NOT_COMPUTABLE, "52.5 % [45.0, 60.0]"),
        # intervals over so few people say nothing
        ({"gain": (-1.0, 2.0), "n": 8}, ClaimVerdict.NOT_COMPUTABLE, "can not be told from the model"),
    ],
)
def test_detection_is_held_against_rules_and_asmr_clips(found, verdict, told):
    claim = judged(people(**found), "detection")
    assert claim.verdict is verdict
    assert told in claim.why
    assert ("leaves the claim's words open" in claim.why) is (verdict is ClaimVerdict.NOT_COMPUTABLE)


@pytest.mark.parametrize(
    ("found", "specificity", "video_level"),
    [
        # 0 of 10 leaves out that most are recognised
        ({"recognised": 0}, ClaimVerdict.NOT_REPRODUCED, ClaimVerdict.NOT_REPRODUCED),
        ({"recognised": 4}, ClaimVerdict.NOT_COMPUTABLE, ClaimVerdict.NOT_COMPUTABLE),
        ({"recognised": 0, "silent": 3}, ClaimVerdict.NOT_COMPUTABLE, ClaimVerdict.NOT_COMPUTABLE),
        ({"silent": 0}, ClaimVerdict.NOT_COMPUTABLE, ClaimVerdict.NOT_COMPUTABLE),
        # those who feel nothing are recognised; who feels it and when is another question
        ({"recognised": 9}, ClaimVerdict.NOT_COMPUTABLE, ClaimVerdict.CAVEAT),
        ({"recognised": 9, "own": (0.55, 0.7)}, ClaimVerdict.CAVEAT, ClaimVerdict.CAVEAT),
        ({"recognised": 9, "own": (0.3, 0.45)}, ClaimVerdict.NOT_REPRODUCED, ClaimVerdict.CAVEAT),
    ],
)
def test_claims_about_the_person_need_people_told_apart(found, specificity, video_level):
    measured = people(**found)
    claims = judged(measured, "specificity"), judged(measured, "video-level")
    assert [claim.verdict for claim in claims] == [specificity, video_level]
    silent, recognised = found.get("silent", 10), found.get("recognised", 0)
    told = f"{recognised} of {silent} recognised" if silent else "Every ASMR trial holds a reported tingle"
    assert all(told in claim.why for claim in claims)


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


def ablation(video, audio):
    return judged(
        {
            "table2.video_only.p_vs_fusion": Measured(video, unit="p", note="a note"),
            "table2.audio_only.p_vs_fusion": Measured(audio, unit="p"),
            "caveat.video_only.sign_flip_p": Measured(0.125, unit="p"),
        },
        "ablation",
    )


def test_ablation_follows_from_its_rows():
    # as published: the p-value agrees, the significance does not
    claim = ablation(13 / 256, 1 / 256)
    assert claim.verdict is ClaimVerdict.CAVEAT
    assert "not significant here at 0.05: table2.video_only.p_vs_fusion 0.0508 (paper 0.0488)" in claim.why
    assert ablation(12 / 256, 1 / 256).verdict is ClaimVerdict.CAVEAT
    assert ablation(80 / 256, 1 / 256).verdict is ClaimVerdict.NOT_REPRODUCED
    assert "audio-only p < 0.0001" in ablation(12 / 256, 0.0).why
    assert "sign-flip test gives p = 0.125 at best" in ablation(12 / 256, 0.0).why
    # a model that was not trained is missing, not wrong
    one = ablation(12 / 256, None)
    assert one.verdict is ClaimVerdict.CAVEAT
    assert "1 of 2 numbers behind it was not computed" in one.why


PULSE_SAID = f"{PREFIX}correlation", f"{PREFIX}shuffled.brier_gain", f"{PREFIX}without.brier_gain"


@pytest.mark.parametrize(
    ("own", "exchanged", "without", "verdict"),
    [
        ((-0.1, 0.3), (0.02, 0.2), None, ClaimVerdict.REPRODUCED),
        ((-0.1, 0.3), (0.02, 0.2), (0.01, 0.1), ClaimVerdict.REPRODUCED),
        # nothing found is no answer
        ((-0.1, 0.3), (-0.1, 0.2), None, ClaimVerdict.NOT_COMPUTABLE),
        ((-0.1, 0.3), (0.02, 0.2), (-0.1, 0.1), ClaimVerdict.NOT_COMPUTABLE),
        ((-0.1, 0.3), None, None, ClaimVerdict.NOT_COMPUTABLE),
        # saved predictions stand in for an exchange
        ((0.1, 0.3), None, None, ClaimVerdict.CAVEAT),
        # a loss was measured
        ((-0.1, 0.3), (-0.2, -0.1), None, ClaimVerdict.NOT_REPRODUCED),
        ((-0.1, 0.3), (0.02, 0.2), (-0.2, -0.1), ClaimVerdict.NOT_REPRODUCED),
    ],
)
def test_pulse_claim_is_rejected_by_a_loss_alone(own, exchanged, without, verdict):
    measured = {
        number_id: Measured(sum(ends) / 2, ci95=ends, unit="r")
        for number_id, ends in zip(PULSE_SAID, (own, exchanged, without), strict=True)
        if ends is not None
    }
    measured[f"{PREFIX}shuffled.change"] = Measured(0.05, unit="p")
    claim = judged(measured, "pulse")
    assert claim.verdict is verdict
    assert ("does not show that there is none" in claim.why) is (verdict is ClaimVerdict.NOT_COMPUTABLE)


@pytest.mark.parametrize(
    ("reported", "met", "verdict"),
    [
        (19, 0, ClaimVerdict.NOT_REPRODUCED),
        (0, 0, ClaimVerdict.NOT_COMPUTABLE),  # nothing to follow
        (3, 0, ClaimVerdict.NOT_COMPUTABLE),  # a coin misses thrice in an eighth of the cases
        (6, 0, ClaimVerdict.NOT_REPRODUCED),  # in 1/64 of them
        (6, 5, ClaimVerdict.REPRODUCED),
    ],
)
def test_time_course_needs_onsets_to_follow(reported, met, verdict):
    measured = {
        "caveat.onsets.reported": Measured(reported, unit="count"),
        "caveat.onsets.met": Measured(met, unit="count"),
        "caveat.onsets.spurious": Measured(1, unit="count"),
        "caveat.figure6.reported": Measured(40.0, unit="%"),
        "caveat.figure6.padded_steps": Measured(0, unit="count"),
    }
    assert judged(measured, "time-course").verdict is verdict
    flat = measured | {"caveat.figure6.reported": Measured(100.0, unit="%")}
    assert judged(flat, "time-course").verdict is not ClaimVerdict.REPRODUCED


def test_random_encoder_leaves_claims_on_pictures_unjudged():
    measured = as_printed("") | {"caveat.onsets.reported": Measured(19, unit="count")}
    measured |= {f"{PREFIX}correlation": Measured(0.1, ci95=(0.05, 0.2), unit="r")}
    results = compile_results(measured, {"encoder": "random:0"}, reason="was not run")
    unjudged = {claim.key for claim in judge_claims(results) if claim.verdict == "not judged: random encoder"}
    assert unjudged == {
        "detection",
        "specificity",
        "video-level",
        "time-course",
        "ablation",
        "temporal",
        "pulse",
    }


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
