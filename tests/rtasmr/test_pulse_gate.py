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


def prediction(*used: Modality, status: Status = Status.OK) -> Prediction:
    p = 0.7 if status is Status.OK else math.nan
    return Prediction(Segment(0, "", 0.0), 50, 5.0, p, status, STATUS, frozenset(used), 10, p, p, p)


@pytest.mark.parametrize(("rate", "status"), [(UNJUDGED, Status.WARMUP), (REFUSED, Status.BAD_INPUT)])
def test_a_probability_from_an_unproved_pulse_is_withheld(rate: RateState, status: Status) -> None:
    gate = PulseGate()
    for rate_now in (rate, None):  # the source may be gone before its last ticks leave
        withheld = gate.judged(prediction(Modality.PPG), rate_now)
        assert withheld.status is status
        figures = (withheld.probability, withheld.p_low, withheld.p_high, withheld.distance)
        assert all(math.isnan(figure) for figure in figures)
        assert (withheld.tick, withheld.modalities) == (50, {Modality.PPG})


def test_one_judgement_holds_until_the_rate_is_refused() -> None:
    gate, said = PulseGate(), prediction(Modality.PPG)
    assert gate.judged(said, PLAUSIBLE) is said
    assert gate.judged(said, UNJUDGED) is said  # another life of the same source
    assert gate.judged(said, REFUSED).status is Status.BAD_INPUT


def test_what_does_not_rest_on_the_pulse_passes() -> None:
    gate, heard, stale = (
        PulseGate(),
        prediction(Modality.SOUND),
        prediction(Modality.PPG, status=Status.STALE),
    )
    assert gate.judged(heard, UNJUDGED) is heard
    assert gate.judged(stale, UNJUDGED) is stale
