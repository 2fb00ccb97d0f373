"""No probability leaves before the rate of the pulse was judged, or after it was refused."""

from __future__ import annotations

import math

import pytest

from rtasmr.pulse_gate import PulseGate
from rtasmr.rate import RateState, RateVerdict
from rtasmr.types import Modality, Prediction, Segment, Status

STATUS = dict.fromkeys(Modality, Status.OK)
UNJUDGED = RateState()
PLAUSIBLE = RateState(is_plausible=True)
REFUSED = RateState(RateVerdict.REFUSE, 200.0, "twice")


def prediction(*used: Modality, status: Status = Status.OK, tick: int = 50) -> Prediction:
    p = 0.7 if status is Status.OK else math.nan
    return Prediction(Segment(0, "", 0.0), tick, tick / 10, p, status, STATUS, frozenset(used), 10, p, p, p)


@pytest.mark.parametrize(("rate", "status"), [(UNJUDGED, Status.WARMUP), (REFUSED, Status.BAD_INPUT)])
def test_a_probability_from_an_unproved_pulse_is_withheld(rate: RateState, status: Status) -> None:
    gate = PulseGate()
    for rate_now in (rate, None):  # the source may be gone before its last ticks leave
        withheld = gate.judged(prediction(Modality.PPG), rate_now)
        assert withheld.status is status
        figures = (withheld.probability, withheld.p_low, withheld.p_high, withheld.distance)
        assert all(math.isnan(figure) for figure in figures)
        assert (withheld.tick, withheld.modalities) == (50, {Modality.PPG})


def test_a_pulse_that_comes_back_is_judged_again() -> None:
    """It goes at 6 s; what waits from before is told, what comes after waits for the new judgement."""
    gate = PulseGate()
    before, after = prediction(Modality.PPG, tick=59), prediction(Modality.PPG, tick=75)
    assert gate.judged(before, PLAUSIBLE) is before
    gate.leave(6.0)
    for rate in (None, UNJUDGED):
        assert gate.judged(before, rate) is before
    assert gate.judged(after, UNJUDGED).status is Status.WARMUP
    assert gate.judged(after, PLAUSIBLE) is after
    assert gate.judged(after, REFUSED).status is Status.BAD_INPUT


def test_a_pulse_that_leaves_unproved_proves_nothing() -> None:
    gate, said = PulseGate(), prediction(Modality.PPG)
    for rate in (UNJUDGED, REFUSED):
        assert gate.judged(said, rate).status is not Status.OK
        gate.leave(6.0)
        assert gate.judged(said, None).status is not Status.OK


def test_what_does_not_rest_on_the_pulse_passes() -> None:
    gate, heard, stale = (
        PulseGate(),
        prediction(Modality.SOUND),
        prediction(Modality.PPG, status=Status.STALE),
    )
    assert gate.judged(heard, UNJUDGED) is heard
    assert gate.judged(stale, UNJUDGED) is stale
