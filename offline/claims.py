"""What the paper claims, and what these results say about each claim.

A claim's verdict follows from those on the numbers behind it (`offline.comparison`) and from its words.
*Reproduced*: every number is, and the words hold. *With a caveat*: a number differs within its uncertainty or
is not significant here although it agrees, one is missing, or something measured here limits what follows.
*Not reproduced*: a number differs further, or what was measured contradicts the words. *Not computable*: no
number has a value, or those that have leave it open; that nothing was found does not count as an answer.
A claim about the person is held against what was measured where the clip gives nothing away: an interval that
leaves out what the words need, or a rule as good that looks at nobody, contradicts it. A claim that rests
on a number that is not judged is not judged either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from offline.claim_templates import CLAIM_TEMPLATES, ClaimTemplate, Finding
from offline.compared import rests_on_training
from offline.comparison import unjudged
from offline.pulse_answer import PulseAnswer, pulse_answer
from offline.reading import Reader, digits_of, show
from offline.results import ALPHA, Number, Results, Verdict

_LEFT_OPEN = "These numbers leave it open: that no gain was found does not show that there is none."

_DECIDING = 3
"""Sentences about the pulse that the summary needs; all of them stand in a section of their own."""


class ClaimVerdict(StrEnum):
    """What became of a claim."""

    REPRODUCED = "reproduced"
    CAVEAT = "reproduced with a caveat"
    NOT_REPRODUCED = "not reproduced"
    NOT_COMPUTABLE = "not computable"
    SIMULATED = Verdict.SIMULATED.value
    RANDOM_ENCODER = Verdict.RANDOM_ENCODER.value
    OTHER_ENCODER = Verdict.OTHER_ENCODER.value
    OTHER_TRAINING = Verdict.OTHER_TRAINING.value
    FOLD_LEFT_OUT = Verdict.FOLD_LEFT_OUT.value


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim of the paper.

    Parameters
    ----------
    key : str
    says : str
        The claim in the paper's terms and numbers.
    verdict : ClaimVerdict
    why : str
        What was found here.
    ids : tuple of str
        The numbers behind it.
    remarks : tuple of str
        Keys of the remarks that limit it.
    """

    key: str
    says: str
    verdict: ClaimVerdict
    why: str
    ids: tuple[str, ...]
    remarks: tuple[str, ...] = ()


def judge_claims(results: Results) -> tuple[Claim, ...]:
    """Return every claim with its verdict, in the paper's order; what the pulse adds comes last."""
    read = Reader(results)
    claims = [_judge(template, read, _unjudged(template.ids, results)) for template in CLAIM_TEMPLATES]
    return (*claims, _pulse_claim(results))


def claim_rows(results: Results) -> list[dict[str, str]]:
    """Return every claim as words: ``claim``, ``says``, ``verdict``, ``why`` and the ids behind it."""
    return [
        {
            "claim": claim.key,
            "says": claim.says,
            "verdict": claim.verdict.value,
            "why": claim.why,
            "numbers": " ".join(claim.ids),
        }
        for claim in judge_claims(results)
    ]


def _unjudged(ids: Sequence[str], results: Results) -> ClaimVerdict | None:
    reasons = (unjudged(number_id, results.config) for number_id in ids)
    return next((ClaimVerdict(reason.value) for reason in reasons if reason is not None), None)


def _judge(template: ClaimTemplate, read: Reader, instead: ClaimVerdict | None) -> Claim:
    numbers = [number for number in map(read.get, template.ids) if number is not None]
    found = [number for number in numbers if number.value is not None]
    if not found:
        notes = [number.note for number in numbers]
        if not (numbers or read.has("table1.accuracy")) and any(map(rests_on_training, template.ids)):
            notes.append(read.note("table1.accuracy"))  # ours alone stand in no list of what is missing
        reasons = dict.fromkeys(note for note in notes if note)
        why = _sentence("; ".join(reasons) or "no number behind it was computed")
        return Claim(template.key, template.says, ClaimVerdict.NOT_COMPUTABLE, why, template.ids)
    finding = template.look(read)
    missing = len(numbers) - len(found)
    parts = [finding.said or _list(found), finding.limits]
    verdict = instead
    if verdict is None:
        verdict = _verdict(finding, found, missing)
        parts += _apart(found)
        if finding.holds is None:
            parts.append("What was measured leaves the claim's words open")
    if missing:
        was = "was" if missing == 1 else "were"
        parts.append(f"{missing} of {len(numbers)} numbers behind it {was} not computed")
    why = " ".join(_sentence(part) for part in parts if part)
    return Claim(template.key, template.says, verdict, why, template.ids, template.remarks)


def _verdict(finding: Finding, found: Sequence[Number], missing: int) -> ClaimVerdict:
    verdicts = {number.verdict for number in found}
    if finding.holds is False or Verdict.DIFFERS in verdicts:
        return ClaimVerdict.NOT_REPRODUCED
    if finding.holds is None:
        return ClaimVerdict.NOT_COMPUTABLE
    if finding.limits or missing or verdicts & {Verdict.COMPATIBLE, Verdict.NOT_SIGNIFICANT}:
        return ClaimVerdict.CAVEAT
    return ClaimVerdict.REPRODUCED


def _apart(found: Sequence[Number]) -> list[str]:
    """Return in sentences which numbers are not the paper's, and in what sense."""
    told = {
        Verdict.DIFFERS: "Apart from the paper",
        Verdict.COMPATIBLE: "Differs within its uncertainty",
        Verdict.NOT_SIGNIFICANT: f"Agrees with the paper, but is not significant here at {ALPHA:g}",
    }
    by_verdict = {verdict: [n for n in found if n.verdict is verdict] for verdict in told}
    return [
        f"{told[verdict]}: {', '.join(map(_beside, numbers))}"
        for verdict, numbers in by_verdict.items()
        if numbers
    ]


def _pulse_claim(results: Results) -> Claim:
    answer, why = pulse_answer(results)
    ids = (
        "caveat.pulse.shuffled.brier_gain",
        "caveat.pulse.without.brier_gain",
        "caveat.pulse.correlation",
        "caveat.pulse.amplitude.correlation",
    )
    read = Reader(results)
    verdict = _unjudged(ids, results) if any(map(read.has, ids)) else ClaimVerdict.NOT_COMPUTABLE
    if verdict is None:
        verdict = _pulse_verdict(answer, read)
    parts = [f"Does the pulse add anything: {answer}."]
    if verdict is ClaimVerdict.NOT_COMPUTABLE and answer is not PulseAnswer.UNKNOWN:
        parts.append(_LEFT_OPEN)
    return Claim(
        "pulse",
        "Sound and picture combined with the pulse give a more complete, biologically grounded prediction: "
        "the pulse adds something.",
        verdict,
        " ".join((*parts, *why[:_DECIDING])),
        ids,
        ("variance",),
    )


def _pulse_verdict(answer: PulseAnswer, read: Reader) -> ClaimVerdict:
    """Return what became of the claim that the pulse adds something: a measured loss alone refutes it."""
    gains = ("caveat.pulse.shuffled.brier_gain", "caveat.pulse.without.brier_gain")
    if answer is not PulseAnswer.YES and any(read.ends(gain)[1] < 0 for gain in gains):
        return ClaimVerdict.NOT_REPRODUCED
    if answer is not PulseAnswer.YES:
        return ClaimVerdict.NOT_COMPUTABLE
    # Predictions that are saved stand in where no pulses could be exchanged.
    return ClaimVerdict.REPRODUCED if read.has(gains[0]) else ClaimVerdict.CAVEAT


def _list(numbers: Sequence[Number]) -> str:
    return ", ".join(f"{number.id} {show(number.value, digits_of(number))}" for number in numbers)


def _beside(number: Number) -> str:
    paper = number.paper if isinstance(number.paper, str) else show(number.paper, digits_of(number))
    return f"{number.id} {show(number.value, digits_of(number))} (paper {paper})"


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith(".") else f"{text}."
