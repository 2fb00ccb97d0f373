"""The answer to whether the pulse adds anything, from the numbers of `offline.pulse_gain`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum

from offline.pulse_gain import PREFIX
from offline.reading import Reader, bound
from offline.resampling import FEWEST_PARTICIPANTS, holm
from offline.results import Results

_PARTICIPANTS = f"{PREFIX}participants"
_OWN = f"{PREFIX}correlation"
_EXCHANGED = f"{PREFIX}shuffled.brier_gain"
_WITHOUT = f"{PREFIX}without.brier_gain"
_AMPLITUDE = f"{PREFIX}amplitude.correlation"
_ALONE = f"{PREFIX}alone.correlation"
_CONCORDANCE = f"{PREFIX}concordance"

ALPHA = 0.05

_MOST_DIGITS = 6
"""Of a squared error; smaller changes are none."""

_SOURCES: Mapping[str, str] = {
    _AMPLITUDE: "The amplitude of the pulse wave",
    _ALONE: "A model of the pulse alone",
}


class PulseAnswer(StrEnum):
    """Answer to whether the pulse adds anything."""

    YES = "yes"
    NO_GAIN = "used, no gain shown"
    NOT_USED = "carried, no use shown"
    NO = "no evidence"
    UNKNOWN = "not computable"


def pulse_answer(results: Results) -> tuple[PulseAnswer, tuple[str, ...]]:
    """Answer from the 95 % intervals, and say why in sentences, the deciding ones first.

    *Yes* if the fusion model errs less with a person's own pulse than with another's and, where one was
    trained, less than a model without any. *Used, no gain shown* if the first holds and the second does not.
    *Carried, no use shown* if the first does not, but the amplitude of the pulse wave or a model of the pulse
    alone follows what is the person's own in the reports: by its interval, which is too narrow for few
    people, and by exchanging people, the two corrected for being two (Holm). *No evidence* else.

    Where no pulses were exchanged, the person's own part of what the fusion model says stands in for that.
    Nothing is answered from fewer than `FEWEST_PARTICIPANTS` people.
    """
    read = Reader(results)
    if read.has(_PARTICIPANTS) and read.number(_PARTICIPANTS) < FEWEST_PARTICIPANTS:
        return PulseAnswer.UNKNOWN, (
            f"Needs {FEWEST_PARTICIPANTS} people or more with a valid pulse in a test trial of an ASMR clip: "
            f"intervals over fewer are too narrow; there are {read(_PARTICIPANTS, 0)}.",
        )
    if not read.has(_OWN):
        answer = PulseAnswer.UNKNOWN
        parts = [read.note(_OWN) or "Needs the fusion model's predictions of ASMR trials"]
    else:
        answer = _answer(read)
        parts = [_of_exchange(read) if read.has(_EXCHANGED) else _of_own_part(read)]
    if read.has(_WITHOUT):
        parts.append(_of_comparison(read))
    followers = _followers(read)
    parts += [
        f"{source} {'follows' if number_id in followers else 'is not seen to follow'} what is each "
        f"person's own in the reports (r = {_small(read, number_id)}{_exchanging(read, number_id)})"
        for number_id, source in _SOURCES.items()
        if read.has(number_id)
    ]
    if read.has(_CONCORDANCE):
        parts.append(_of_concordance(read))
    return answer, tuple(f"{part}." for part in parts)


def _answer(read: Reader) -> PulseAnswer:
    if read.ends(_EXCHANGED if read.has(_EXCHANGED) else _OWN)[0] > 0:
        shown = not read.has(_WITHOUT) or read.ends(_WITHOUT)[0] > 0
        return PulseAnswer.YES if shown else PulseAnswer.NO_GAIN
    return PulseAnswer.NOT_USED if _followers(read) else PulseAnswer.NO


def _followers(read: Reader) -> list[str]:
    """Return which sources follow what is the person's own in the reports.

    Where nobody could be exchanged, and in results of an older version, there is no p: the interval decides.
    """
    tested = {i: p for i in _SOURCES if (p := read.p(i)) is not None}
    corrected = dict(zip(tested, holm(list(tested.values())), strict=True))
    return [
        number_id
        for number_id in _SOURCES
        if read.has(number_id) and _is_off(read, number_id) and corrected.get(number_id, 0.0) <= ALPHA
    ]


def _is_off(read: Reader, number_id: str) -> bool:
    low, high = read.ends(number_id)
    # An amplitude may rise or fall with a tingle; a model has learned which.
    return low > 0 or (number_id == _AMPLITUDE and high < 0)


def _exchanging(read: Reader, number_id: str) -> str:
    p = read.p(number_id)
    return "" if p is None else f", people exchanged: p {bound(p)}"


def _of_exchange(read: Reader) -> str:
    low, high = read.ends(_EXCHANGED)
    changed = "rises" if low > 0 else "falls" if high < 0 else "does not change measurably"
    return (
        f"The squared error of the fusion model's probability {changed} when each person gets another's "
        f"pulse ({_small(read, _EXCHANGED)}); the probability moves by "
        f"{read(f'{PREFIX}shuffled.change', 4)} on average"
    )


def _of_own_part(read: Reader) -> str:
    low, high = read.ends(_OWN)
    against = "lies above 0" if low > 0 else "lies below 0" if high < 0 else "holds 0"
    return (
        "The fusion model was not run on exchanged pulses. What it says differently of two people at one "
        f"instant correlates with their reports by r = {_small(read, _OWN)}: the interval {against}"
    )


def _of_comparison(read: Reader) -> str:
    low, high = read.ends(_WITHOUT)
    better = "smaller than" if low > 0 else "larger than" if high < 0 else "not measurably different from"
    text = (
        f"The fusion model's error is {better} that of a model trained on sound and picture alone "
        f"(gain {_small(read, _WITHOUT)}"
    )
    f1 = f"{PREFIX}without.macro_f1_gain"
    if read.has(f1):
        text += f"; macro F1 over all clips {read.number(f1):+.2f} points {read.interval(f1)}"
    return text + ")"


def _of_concordance(read: Reader) -> str:
    low, high = (100 * end for end in read.ends(_CONCORDANCE))
    return (
        "Of two people at the same instant of the same clip, one with a tingle and one without, the fusion "
        "model gives the higher probability to the one who feels it in "
        f"{100 * read.number(_CONCORDANCE):.1f} % [{low:.1f}, {high:.1f}] of the cases; 50 % is "
        "chance"
    )


def _small(read: Reader, number_id: str) -> str:
    """Write a number that may be far below one, with its interval; the largest has two digits or more."""
    value, (low, high) = read.number(number_id), read.ends(number_id)
    largest = max(abs(value), abs(low), abs(high))
    digits = min(max(1 - math.floor(math.log10(largest)), 2), _MOST_DIGITS) if largest > 0 else 2
    return f"{value:+.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"
