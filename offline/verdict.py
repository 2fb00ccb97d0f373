"""What a model may be called, in words that follow from its scores; pure, the thresholds in one place.

Three claims are judged one by one, the strongest that holds is the verdict:

*tracks this person*
    People's predictions follow their own reports better than those of others who saw the same clip
    (`person_test`), and the calls within ASMR clips beat chance. Where the model could be asked again, its
    squared error must also rise with another's pulse: the pulse is the only input that is a person's own,
    so agreement that does not go with it came by another way.
*tracks the typical time course of the clip*
    Within a trial it ranks moments better than chance and better than the time elapsed, and the calls within
    ASMR clips beat chance.
*a stimulus-type detector*
    It tells ASMR clips from nature clips.

From fewer than `FEWEST_PARTICIPANTS` people nothing is concluded: their intervals are too narrow.

Calls must beat chance in both tracking claims because calls are what a user sees: "always", "never" and "it
is an ASMR clip" all score 50 % balanced accuracy within ASMR clips, whatever they score elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from offline.person_test import PersonTest
from offline.reading import bound
from offline.resampling import FEWEST_PARTICIPANTS
from offline.results import Measured
from offline.score_rows import BALANCED, BETWEEN, KIND, OVER_ELAPSED, OWN, PARTICIPANTS, WITHIN

PERSON_P = 0.01
"""Largest p-value of "tracks this person".

The claim is about people, is made by a program with nobody to doubt it, and is tried for every model that
anybody trains. At 0.01 its measured rate of false claims stays well below 5 % with its interval.
"""

CHANCE_PERCENT, CHANCE_AUC = 50.0, 0.5
"""Balanced accuracy and AUC without any information; the lower end of a 95 % interval must lie above."""


class Words(StrEnum):
    """The verdicts, strongest first; the last where nothing can be said."""

    PERSON = "tracks this person"
    TIME_COURSE = "tracks the typical time course of the clip"
    STIMULUS = "a stimulus-type detector"
    CHANCE = "not distinguishable from chance"
    UNTESTED = "not judged: too few people"


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim with what speaks for and against it.

    Parameters
    ----------
    words : Words
    holds : bool
    evidence : tuple of str
        Sentences with the numbers.
    """

    words: Words
    holds: bool
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The strongest claim that holds, and all claims.

    Parameters
    ----------
    words : Words
    claims : tuple of Claim
        Strongest first.
    """

    words: Words
    claims: tuple[Claim, ...]

    @property
    def evidence(self) -> tuple[str, ...]:
        """Evidence of the claims from the strongest down to the one that holds."""
        found: list[str] = []
        for claim in self.claims:
            found += claim.evidence
            if claim.holds:
                break
        return tuple(dict.fromkeys(found))


def judge(
    scores: Mapping[str, Measured], person: PersonTest, exchange_gain: Measured | None = None
) -> Verdict:
    """Return the verdict on one model.

    Parameters
    ----------
    scores : mapping of str to Measured
        As `offline.score_rows.score_row` gives them.
    person : PersonTest
    exchange_gain : Measured or None
        Rise of the squared error when each person gets another's pulse; None where the model could not be
        asked again.
    """
    n_people = scores[PARTICIPANTS].value or 0
    if n_people < FEWEST_PARTICIPANTS:
        why = f"needs {FEWEST_PARTICIPANTS} people tested on ASMR clips; there are {n_people:.0f}"
        claimed = (Words.PERSON, Words.TIME_COURSE, Words.STIMULUS)
        return Verdict(Words.UNTESTED, tuple(Claim(one, holds=False, evidence=(why,)) for one in claimed))
    claims = (_person(scores, person, exchange_gain), _time_course(scores), _stimulus(scores))
    words = next((claim.words for claim in claims if claim.holds), Words.CHANCE)
    return Verdict(words, claims)


def _person(scores: Mapping[str, Measured], person: PersonTest, exchange_gain: Measured | None) -> Claim:
    calls, told = _calls(scores)
    if 1 / person.n_possible > PERSON_P:
        why = (
            f"not testable: {person.n_people} people can stand for each other, in {person.n_possible:.0f} "
            f"ways; p of {PERSON_P:g} takes {1 / PERSON_P:.0f} (five people in one fold with the same clips)"
        )
        return Claim(Words.PERSON, holds=False, evidence=(why,))
    if person.p is None:
        why = "people's predictions or reports do not differ at any instant of a clip"
        return Claim(Words.PERSON, holds=False, evidence=(why,))
    holds = person.p <= PERSON_P
    evidence = [
        f"predictions {'follow' if holds else 'do not follow'} each person's own reports better than those "
        f"of others at the same clip: r = {_show(scores.get(OWN))}, p {bound(person.p)} by exchanging "
        f"{person.n_people} people; of two people at one instant, the one who feels it is picked with AUC "
        f"{_show(scores.get(BETWEEN))}"
    ]
    gains = True
    if exchange_gain is not None:
        gains = _lower(exchange_gain) > 0
        evidence.append(
            f"with another's pulse the squared error {'rises' if gains else 'does not rise'} measurably: "
            f"{_show(exchange_gain, 4)}"
        )
    return Claim(Words.PERSON, holds and gains and calls, (*evidence, told))


def _time_course(scores: Mapping[str, Measured]) -> Claim:
    calls, told = _calls(scores)
    ranks = _lower(scores.get(WITHIN)) > CHANCE_AUC
    beats_time = _lower(scores.get(OVER_ELAPSED)) > 0
    evidence = (
        f"within a trial, moments with a tingle {'are' if ranks else 'are not'} ranked above the others: AUC "
        f"{_show(scores.get(WITHIN))}; that {'is' if beats_time else 'is not'} measurably more than elapsed "
        f"time gives: {_show(scores.get(OVER_ELAPSED))}"
    )
    return Claim(Words.TIME_COURSE, ranks and beats_time and calls, (evidence, told))


def _stimulus(scores: Mapping[str, Measured]) -> Claim:
    kind = scores.get(KIND)
    holds = _lower(kind) > CHANCE_AUC
    if kind is None or kind.value is None:
        told = "the kind of clip is not tested: clips of one kind only"
    else:
        told = (
            f"the mean probability of a trial {'tells' if holds else 'does not tell'} ASMR from nature "
            f"clips: AUC {_show(kind)}"
        )
    return Claim(Words.STIMULUS, holds, (told,))


def _calls(scores: Mapping[str, Measured]) -> tuple[bool, str]:
    holds = _lower(scores.get(BALANCED)) > CHANCE_PERCENT
    return holds, (
        f"within ASMR clips its calls {'beat' if holds else 'do not beat'} chance: balanced accuracy "
        f"{_show(scores.get(BALANCED), 1)} %, where always, never and the ASMR flag have 50"
    )


def _lower(number: Measured | None) -> float:
    """Return the lower end of an interval, -inf where there is none: what is not known does not count."""
    return -float("inf") if number is None or number.ci95 is None else number.ci95[0]


def _show(number: Measured | None, digits: int = 3) -> str:
    if number is None or number.value is None:
        return "undefined"
    if number.ci95 is None:
        return f"{number.value:.{digits}f}"
    low, high = number.ci95
    return f"{number.value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"
