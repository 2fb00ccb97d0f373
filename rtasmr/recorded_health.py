"""How a recorded run went, read back: latency by stage, age of the estimates, the pulse."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from rtasmr.errors import DataError
from rtasmr.latency import STAGES, Percentiles
from rtasmr.session import Recording
from rtasmr.stream_specs import LATENCY_SPEC, PULSE_SPEC, TINGLE_CHANNELS, TINGLE_NAME
from rtasmr.types import Status, StreamSpec, Trouble


def health_of(recording: Recording) -> Mapping[str, object]:
    """Return the figures of a run under the names of its final account; what was not recorded is left out.

    Raises
    ------
    DataError
        If one of the streams is not what this version records.
    """
    health: dict[str, object] = {}
    tingle = recording.stream(TINGLE_NAME)
    is_timed = tingle.data[:, TINGLE_CHANNELS.index("status")] == Status.OK
    names = {stream.spec.name for stream in recording.streams}
    if LATENCY_SPEC.name in names:
        # As in the account of the run: ticks at the end of a segment do not wait for what comes after.
        is_timed &= np.isin(tingle.times, recording.stream(LATENCY_SPEC.name).times)
    health["age_ms"] = _figures(1000 * tingle.data[is_timed, TINGLE_CHANNELS.index("age_s")])
    if LATENCY_SPEC.name in names:
        stages = samples_of(recording, LATENCY_SPEC)
        health["latency_ms"] = _figures(stages.sum(axis=1))
        health["stages_ms"] = {name: _figures(stages[:, i]) for i, name in enumerate(STAGES)}
    if PULSE_SPEC.name in names:
        health["pulse"] = _pulse(samples_of(recording, PULSE_SPEC))
    return health


def samples_of(recording: Recording, spec: StreamSpec) -> NDArray[np.float64]:
    """Return the samples of a stream of numbers that the runtime recorded, (n_samples, n_channels).

    Raises
    ------
    DataError
        If there is not exactly one, or it is not what this version records.
    """
    stream = recording.stream(spec.name)
    if stream.spec.ch_names != spec.ch_names or stream.data.dtype.kind != "f":
        raise DataError(
            f"{recording.path.name}: expected numbers in channels {', '.join(spec.ch_names)} of {spec.name}, "
            f"got {stream.data.dtype} in {', '.join(stream.spec.ch_names[:8])}; record it with this version"
        )
    return stream.data.astype(np.float64)


def troubles_of(bits: NDArray[np.float64]) -> list[tuple[Trouble, ...]]:
    """Return the troubles that each recorded number names, shape (n_readings,)."""
    # Bits beyond the known ones, or no number at all, are a damaged file's: they name nothing.
    known = (bits >= 0) & (bits < 1 << len(Trouble))
    codes = np.where(known, bits, 0.0).astype(np.int64).tolist()
    return [tuple(t for bit, t in enumerate(Trouble) if code >> bit & 1) for code in codes]


def _figures(values_ms: NDArray[np.float64]) -> dict[str, float | None]:
    known = values_ms[np.isfinite(values_ms)].astype(np.float64)
    if len(known) == 0:
        return dict.fromkeys(("p50", "p99", "max"))
    p50, p99, largest = np.percentile(known, [50, 99, 100])
    return Percentiles(float(p50), float(p99), float(largest)).as_dict()


def _pulse(samples: NDArray[np.float64]) -> dict[str, object]:
    rate, quality, bits = samples.T
    counts = Counter(trouble.value for troubles in troubles_of(bits) for trouble in troubles)
    return {
        "readings": len(samples),
        "good": int(np.count_nonzero(bits == 0)),
        "rate_bpm": _median(rate),
        "quality": _median(quality),
        "troubles": {t.value: counts[t.value] for t in Trouble if t.value in counts},
    }


def _median(values: NDArray[np.float64]) -> float | None:
    known = values[np.isfinite(values)]
    return round(float(np.median(known)), 2) if len(known) else None
