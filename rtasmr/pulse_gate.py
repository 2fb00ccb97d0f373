"""No probability from a pulse whose rate was not judged yet, or is refused."""

from __future__ import annotations

import math
from dataclasses import replace

from rtasmr.rate import RateState, RateVerdict
from rtasmr.types import Modality, Prediction, Status


class PulseGate:
    """Withholds what was predicted from a pulse until its rate has been judged, whenever it joins.

    Stamps that run too fast end the warm-up of a segment before a wrong rate can show, a source that comes
    back may do so at another rate under the same header, and ticks that wait for their look-ahead when a
    wrong rate shows were computed from it.

    One that comes back in order waits no longer for this than it does anyway: a second is judged
    (`rtasmr.rate.PLAUSIBLE_AFTER_S`), while the filter of a pulse takes 0.5 s or more to settle and the first
    tick after that another 1.1 s for its look-ahead.
    """

    def __init__(self) -> None:
        self._known: RateState | None = None
        self._proved_until_s = -math.inf

    def leave(self, time_s: float) -> None:
        """Note that the pulse went away at ``time_s`` (session clock): ticks before rest on what it was."""
        if self._known is not None and self._known.is_plausible:
            self._proved_until_s = time_s

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
        if prediction.status is not Status.OK or Modality.PPG not in prediction.modalities:
            return prediction
        if self._known is None or prediction.time_s <= self._proved_until_s:
            return prediction
        if self._known.verdict is RateVerdict.REFUSE:
            return _without(prediction, Status.BAD_INPUT)
        return prediction if self._known.is_plausible else _without(prediction, Status.WARMUP)


def _without(prediction: Prediction, status: Status) -> Prediction:
    nan = math.nan
    return replace(prediction, status=status, probability=nan, p_low=nan, p_high=nan, distance=nan)
