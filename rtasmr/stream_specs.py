"""The one home of the LSL streams that this project publishes: names, types, channels, metadata."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from rtasmr.declared import EXACT_STAMPS
from rtasmr.features.spec import PICTURE_SHAPE, SOUND_SFREQ
from rtasmr.grid import FRAME_RATE_HZ
from rtasmr.latency import STAGES
from rtasmr.types import StreamSpec, Trouble

N_PICTURE_BYTES = math.prod(PICTURE_SHAPE)
TINGLE_NAME = "rtasmr-tingle"
TINGLE_CHANNELS = ("p", "p_low", "p_high", "age_s", "tick", "status", "modalities")
TINGLE_UNITS = ("probability", "probability", "probability", "seconds", "count", "code", "bits")

LATENCY_SPEC = StreamSpec(
    name="rtasmr-latency",
    stype="Latency",
    source_id="rtasmr-latency",
    sfreq=0.0,
    dtype="float32",
    ch_names=STAGES,
    ch_types=("Latency",) * len(STAGES),
    ch_units=("milliseconds",) * len(STAGES),
)
"""In recordings: the stages of every tick with a probability, stamped as in ``rtasmr-tingle``.

Those of a segment's last second have none, since no frame completes them.
A stream of its own, so that the published stream keeps its channels.
"""

DISTANCE_SPEC = StreamSpec(
    name="rtasmr-distance",
    stype="Distance",
    source_id="rtasmr-distance",
    sfreq=0.0,
    dtype="float32",
    ch_names=("distance",),
    ch_types=("Distance",),
    ch_units=("of the limit",),
)
"""In recordings: how far the features of a tick lie from those of the model's training, 1 being the limit."""

PULSE_SPEC = StreamSpec(
    name="rtasmr-pulse",
    stype="PulseRate",
    source_id="rtasmr-pulse",
    sfreq=0.0,
    dtype="float32",
    ch_names=("rate", "quality", "troubles"),
    ch_types=("PulseRate",) * 3,
    ch_units=("1/min", "share", "bits"),
    desc={"troubles": ", ".join(f"{1 << bit} {trouble}" for bit, trouble in enumerate(Trouble))},
)
"""In recordings: the pulse once a second, stamped with the end of the 10 s that were read; NaN for none."""


def ppg_spec(
    sfreq: float,
    *,
    source_id: str,
    name: str = "rtasmr-ppg",
    channels: Sequence[str] = ("raw", "filtered"),
    units: Sequence[str] = (),
    desc: Mapping[str, str] | None = None,
) -> StreamSpec:
    """Describe a pulse stream.

    Parameters
    ----------
    sfreq : float
        Samples per second on the LSL clock, in Hz.
    source_id, name : str
    channels : sequence of str
        ``raw``, ``filtered`` or both: labels, and the filter state of each channel.
    units : sequence of str
        One per channel; ``arbitrary`` where not given.
    desc : mapping of str to str, optional
        Further entries, such as ``burst_s``.
    """
    n_channels = len(channels)
    filters = {"filter": channels[0]} if n_channels == 1 else {}
    return StreamSpec(
        name,
        "PPG",
        source_id,
        sfreq,
        "float32",
        tuple(channels),
        ("PPG",) * n_channels,
        tuple(units) or ("arbitrary",) * n_channels,
        {**EXACT_STAMPS, **filters, **(desc or {})},
    )


def sound_spec(
    *, source_id: str, name: str = "rtasmr-sound", speed: float = 1.0, desc: Mapping[str, str] | None = None
) -> StreamSpec:
    """Describe a mono sound stream, 44.1 kHz of sound per session second."""
    return StreamSpec(
        name,
        "Audio",
        source_id,
        SOUND_SFREQ * speed,
        "int16",
        ("mono",),
        ("Audio",),
        ("full_scale_32768",),
        {**EXACT_STAMPS, **(desc or {})},
    )


def picture_spec(
    *,
    source_id: str,
    name: str = "rtasmr-picture",
    fps: float | None = None,
    desc: Mapping[str, str] | None = None,
) -> StreamSpec:
    """Describe a stream of 224 x 224 RGB pictures, one irregular sample each, rows first.

    ``fps`` is the number of pictures per second, where it is even: a slow stream says with it how long a
    picture stands.
    """
    interval = {} if fps is None or fps >= FRAME_RATE_HZ else {"interval_s": repr(1 / fps)}
    return StreamSpec(
        name,
        "VideoRaw",
        source_id,
        0.0,
        "int8",
        ("byte",) * N_PICTURE_BYTES,
        (),
        (),
        {
            **EXACT_STAMPS,
            "can_drop_samples": "true",
            "layout": "height,width,rgb uint8",
            **interval,
            **(desc or {}),
        },
    )


def rating_spec(
    *, source_id: str, name: str = "rtasmr-rating", desc: Mapping[str, str] | None = None
) -> StreamSpec:
    """Describe the rating markers ``rating=0`` to ``rating=3``."""
    return _marker_spec(name, source_id, "rating", desc)


def continuous_rating_spec(
    *, source_id: str, name: str = "rtasmr-rating-continuous", desc: Mapping[str, str] | None = None
) -> StreamSpec:
    """Describe ratings from 0 to 3 in any steps, one irregular sample at every change.

    ``rtasmr-rating`` beside it carries the levels that they stand for.
    """
    return StreamSpec(
        name,
        "Rating",
        source_id,
        0.0,
        "float32",
        ("rating",),
        ("Rating",),
        ("0 to 3",),
        {"minimum": "0", "maximum": "3", "level": "nearest whole number, halves upwards", **(desc or {})},
    )


def clip_spec(
    *, source_id: str, name: str = "rtasmr-clip", desc: Mapping[str, str] | None = None
) -> StreamSpec:
    """Describe the clip markers: ``clip_start vid3``, ``clip_end vid3``.

    Of a session also ``clip_skipped vid3`` (not shown, or not to its end), ``rest_start``, ``rest_end``,
    ``pause_start`` and ``pause_end``.
    """
    return _marker_spec(name, source_id, "clip", desc)


def tingle_spec(
    model_id: str,
    demo: bool,
    lookahead: int,
    window: int,
    threshold: float = 0.5,
    warnings: Sequence[str] = (),
) -> StreamSpec:
    """Describe the output stream.

    Parameters
    ----------
    model_id : str
    demo : bool
        Whether the model was trained on simulated data.
    lookahead, window : int
        Frames the model reads past the tick, and frames it sees.
    threshold : float
        Probability from which the model calls a tingle.
    warnings : sequence of str
        What everybody who sees a result must be told.
    """
    return StreamSpec(
        TINGLE_NAME,
        "Tingle",
        TINGLE_NAME,
        0.0,
        "float32",
        TINGLE_CHANNELS,
        ("Tingle",) * len(TINGLE_CHANNELS),
        TINGLE_UNITS,
        {
            "model": model_id,
            "demo": "true" if demo else "false",
            "lookahead_frames": str(lookahead),
            "window_frames": str(window),
            "threshold": repr(float(threshold)),
            "warnings": "; ".join(warnings),
        },
    )


def _marker_spec(name: str, source_id: str, label: str, desc: Mapping[str, str] | None) -> StreamSpec:
    return StreamSpec(
        name, "Markers", source_id, 0.0, "string", (label,), ("Markers",), ("text",), desc or {}
    )
