"""No probability from a pulse whose rate was not judged yet, or is refused."""

from __future__ import annotations

import math
from dataclasses import replace

from rtasmr.rate import RateState, RateVerdict
from rtasmr.types import Modality, Prediction, Status


class PulseGate:
    """Withholds what was predicted from a pulse until its rate has been judged once in a run.

    Stamps that run too fast end the warm-up of a segment before a wrong rate can show, and ticks that wait
    for their look-ahead when it shows were computed from it.
    """

    def __init__(self) -> None:
        self._known: RateState | None = None
        self._was_plausible = False

    def judged(self, prediction: Prediction, rate: RateState | None) -> Prediction:
        """Return the prediction, or the record that says why there is none.

        Parameters
        ----------
        prediction : Prediction
        rate : RateState or None
            Of the pulse; None while it is away, when what waits still comes from it as it was.
        """
        if rate is not None:
            self._known = rate
            self._was_plausible = self._was_plausible or rate.is_plausible
        if prediction.status is not Status.OK or Modality.PPG not in prediction.modalities:
            return prediction
        if self._known is None:
            return prediction
        if self._known.verdict is RateVerdict.REFUSE:
            return _without(prediction, Status.BAD_INPUT)
        return prediction if self._was_plausible else _without(prediction, Status.WARMUP)


def _without(prediction: Prediction, status: Status) -> Prediction:
    nan = math.nan
    return replace(prediction, status=status, probability=nan, p_low=nan, p_high=nan, distance=nan)
