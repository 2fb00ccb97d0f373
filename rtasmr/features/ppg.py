"""Pulse wave at 10 Hz: causal low-pass read 0.1 s late, then a running normaliser."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt, sosfilt_zi

from rtasmr.errors import StreamError
from rtasmr.features.pulse_features import PulseFeatures
from rtasmr.features.spec import FeatureSpec
from rtasmr.grid import FRAME_RATE_HZ
from rtasmr.types import Status


@dataclass(frozen=True, slots=True)
class PpgReading:
    """The pulse at one tick.

    ``value`` is in running standard deviations from the running mean, NaN unless ``valid``;
    ``status`` says why it is not valid.
    """

    value: float
    valid: bool
    status: Status


class PpgFeature:
    """Samples of one pulse stream in, one normalised value per tick out.

    The filter runs once over every sample, whatever the size of the pieces it comes in. A gap of up
    to 0.1 s is interpolated when its end is known; while its end is not known, the last sample is
    held for the reading alone. A longer gap restarts the filter, and readings stay invalid until it
    has settled; the normaliser keeps its memory.

    Parameters
    ----------
    spec : FeatureSpec
        Filters, normaliser memory, gap and settling times.
    sfreq : float
        Rate of the stream in Hz, at least 20.
    filtered : bool
        Whether the stream has passed a 0.5-35 Hz band-pass already (as channel 2 of the data set
        has). A raw stream gets one here; filtering twice would turn the phase of the pulse.
    follower : PulseFeatures or None
        Gets the same unbroken samples, with the same gaps bridged.

    Raises
    ------
    StreamError
        When the rate is too low to carry the pulse wave.
    """

    def __init__(
        self, spec: FeatureSpec, sfreq: float, filtered: bool, follower: PulseFeatures | None = None
    ) -> None:
        parameters = spec.parameters
        self._follower = follower
        min_sfreq = float(parameters["ppg_min_sfreq_hz"])
        if not (math.isfinite(sfreq) and sfreq >= min_sfreq):
            raise StreamError(
                f"pulse stream: expected at least {min_sfreq:g} samples/s, got {sfreq:g}; "
                "choose a faster sensor or mode"
            )
        self._filter = CausalFilter(design_ppg_filter(spec, sfreq, filtered))
        # The small addend keeps 0.1 s at 30 Hz at three samples, although 0.1 is not a binary number.
        self._max_gap = math.floor(float(parameters["max_interpolated_gap_s"]) * sfreq + 1e-6)
        settle_s = float(parameters["ppg_settle_filtered_s" if filtered else "ppg_settle_raw_s"])
        self._n_settle = math.ceil(settle_s * sfreq)
        self._n_check = math.ceil(float(parameters["ppg_check_s"]) * sfreq)
        self._rail_share = float(parameters["ppg_rail_share"])
        self._memory_frames = float(parameters["ppg_norm_memory_s"]) * FRAME_RATE_HZ
        self.reset()

    def reset(self) -> None:
        """Forget everything; the next sample is the first of a segment."""
        self._filter.restart()
        if self._follower is not None:
            self._follower.reset()
        self._n_lost = 0
        self._lost_status = Status.GAP
        self._unsettled = 0
        self._unsettled_status = Status.GAP
        self._recent = np.empty(0)
        self._normaliser = RunningNormaliser(self._memory_frames)

    def hold_until_settled(self, status: Status) -> None:
        """Give no valid reading, but ``status``, until the filter has had its settling time."""
        self._unsettled, self._unsettled_status = self._n_settle, status

    def update(self, samples: NDArray[np.float64], n_expected: int) -> PpgReading:
        """Take the samples up to the read point of one tick and return its reading.

        Parameters
        ----------
        samples : ndarray of shape (n_samples,), float64
            They follow the samples of the last call; not finite where lost.
        n_expected : int
            Samples from there to the read point. When fewer came, or none are due, the reading is
            stale; what is late comes with a later call.
        """
        self._push(samples)
        if n_expected == 0 or len(samples) < n_expected:
            return _invalid(Status.STALE)
        if not self._filter.has_started or self._n_lost > self._max_gap:
            return _invalid(self._lost_status if self._n_lost else Status.STALE)
        spread = self._spread_status()
        if spread is Status.BAD_INPUT:
            self.hold_until_settled(spread)
        if self._unsettled > 0:
            return _invalid(self._unsettled_status)
        if spread is not Status.OK:
            return _invalid(spread)
        value = self._normaliser.update(self._filter.held(self._n_lost))
        if math.isnan(value):
            return _invalid(Status.WARMUP)
        return PpgReading(value, valid=True, status=Status.OK)

    def _push(self, samples: NDArray[np.float64]) -> None:
        """Filter the samples in runs of finite ones, closing or giving up the gaps between them."""
        finite = np.isfinite(samples)
        edges = np.flatnonzero(np.diff(finite)) + 1
        for run, is_finite in zip(np.split(samples, edges), np.split(finite, edges), strict=True):
            if len(run) == 0:
                continue
            if is_finite[0]:
                self._close_gap(float(run[0]))
                self._take(run)
                self._recent = np.concatenate((self._recent, run))[-self._n_check :]
                self._unsettled = max(self._unsettled - len(run), 0)
            else:
                if self._n_lost == 0:
                    self._lost_status = Status.GAP
                self._n_lost += len(run)
                if np.isinf(run).any():
                    self._lost_status = Status.BAD_INPUT

    def _close_gap(self, first: float) -> None:
        """Bridge the lost samples before ``first``, or restart the filter at it."""
        if self._n_lost > self._max_gap:
            self._filter.restart()
            if self._follower is not None:
                self._follower.restart()
            self._recent = np.empty(0)
            self.hold_until_settled(self._lost_status)
        elif self._n_lost > 0 and self._filter.has_started:
            self._take(np.linspace(self._filter.last_sample, first, self._n_lost + 2)[1:-1])
        self._n_lost = 0

    def _take(self, samples: NDArray[np.float64]) -> None:
        self._filter.push(samples)
        if self._follower is not None:
            self._follower.push(samples)

    def _spread_status(self) -> Status:
        """Judge whether the last second's samples move as a pulse does.

        A flat line and a saturated amplifier both leave many samples at the extremes they reach.
        """
        low, high = self._recent.min(), self._recent.max()
        is_complete = len(self._recent) == self._n_check
        if low == high:
            return Status.BAD_INPUT if is_complete else Status.WARMUP
        at_rails = np.count_nonzero((self._recent == low) | (self._recent == high))
        if is_complete and at_rails >= self._rail_share * self._n_check:
            return Status.BAD_INPUT
        return Status.OK


class CausalFilter:
    """Second-order sections that keep their state, so results do not depend on the pieces.

    Parameters
    ----------
    sos : ndarray of shape (n_sections, 6)
    """

    def __init__(self, sos: NDArray[np.float64]) -> None:
        self._sos = sos
        self._steady = sosfilt_zi(sos)
        self.restart()

    def restart(self) -> None:
        """Forget all samples; the next one is taken to have stood there for ever.

        Started from rest instead, the offset of the signal would ring through every section.
        """
        self._state: NDArray[np.float64] | None = None
        self.last_sample = math.nan
        self.output = math.nan

    @property
    def has_started(self) -> bool:
        """Whether there has been a sample."""
        return self._state is not None

    def push(self, samples: NDArray[np.float64]) -> None:
        """Take one or more finite samples; ``output`` is then the filter's value at the last."""
        if self._state is None:
            self._state = self._steady * samples[0]
        filtered, self._state = sosfilt(self._sos, samples, zi=self._state)
        self.last_sample, self.output = float(samples[-1]), float(filtered[-1])

    def held(self, n_samples: int) -> float:
        """Return what ``output`` would be if the last sample stood ``n_samples`` longer."""
        if n_samples == 0:
            return self.output
        filtered, _ = sosfilt(self._sos, np.full(n_samples, self.last_sample), zi=self._state)
        return float(filtered[-1])


class RunningNormaliser:
    """Running z-score: expanding mean and variance at first, exponential memory later.

    Mean and variance (population) include the value they are applied to.
    """

    def __init__(self, memory_frames: float) -> None:
        self._memory_frames = memory_frames
        self._n = 0
        self._mean = 0.0
        self._variance = 0.0

    def update(self, value: float) -> float:
        """Return the z-score of ``value``, NaN as long as all values were the same."""
        self._n += 1
        weight = max(1.0 / self._n, 1.0 / self._memory_frames)
        step = value - self._mean
        self._mean += weight * step
        self._variance = (1.0 - weight) * (self._variance + weight * step * step)
        if self._variance == 0.0:
            return math.nan
        return (value - self._mean) / math.sqrt(self._variance)


def _invalid(status: Status) -> PpgReading:
    return PpgReading(math.nan, valid=False, status=status)


def design_ppg_filter(spec: FeatureSpec, sfreq: float, filtered: bool) -> NDArray[np.float64]:
    """Return the second-order sections of the whole chain, shape (n_sections, 6).

    A raw stream first passes the band that the data set's amplifier gave its second channel. The
    low-pass delays a pulse by about 0.1 s, which reading 0.1 s late makes up for.
    """
    parameters = spec.parameters
    low_pass = butter(
        int(parameters["ppg_lowpass_order"]),
        float(parameters["ppg_lowpass_hz"]),
        "lowpass",
        fs=sfreq,
        output="sos",
    )
    if filtered:
        return np.asarray(low_pass)
    order = int(parameters["ppg_raw_band_order"])
    low_hz, high_hz = float(parameters["ppg_raw_band_low_hz"]), float(parameters["ppg_raw_band_high_hz"])
    if high_hz < sfreq / 2:
        band = butter(order, (low_hz, high_hz), "bandpass", fs=sfreq, output="sos")
    else:  # the stream's own rate cuts off above
        band = butter(order, low_hz, "highpass", fs=sfreq, output="sos")
    return np.vstack((band, low_pass))
