"""What a stream declares about itself beyond name and rate, live or read back from a recording."""

from __future__ import annotations

import logging
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtasmr.aligner import ModalityFormat
from rtasmr.types import StreamSpec

logger = logging.getLogger(__name__)

EXACT_STAMPS = {"stamps": "exact"}
"""Declares that sample ``i`` of a loss-free run is stamped ``t_start + i / sfreq``, as all our sources do."""

REAL_SILENCE = {"silence": "real"}
"""Declares that sound which does not change is what is heard: that of a file, not of a microphone."""

INVERTED = {"polarity": "inverted"}
"""Declares that a pulse stands upside down: it falls when the heart beats, as light through a finger does."""

UPRIGHT = {"polarity": "upright"}

SIMULATED = {"simulated": "true"}
"""Declares that what a stream carries is of no person."""

UNMARKED_STAMP_TOLERANCE_S = 0.15
"""Stamp jitter accepted of sources that do not declare their stamps exact: 3 SD of a bad radio link."""

MAX_BURST_S = 5.0
"""Longest burst that is believed: every tick waits one and a half of them for a late stream."""

MAX_PICTURE_INTERVAL_S = 10.0
"""Longest time between two pictures that is believed."""


def modality_format(spec: StreamSpec) -> ModalityFormat:
    """Return what the aligner must know of a stream."""
    return ModalityFormat(
        sfreq=spec.sfreq,
        burst_s=_declared_s(spec, "burst_s", MAX_BURST_S),
        stamp_tolerance_s=0.0 if has_exact_stamps(spec) else UNMARKED_STAMP_TOLERANCE_S,
        interval_s=_declared_s(spec, "interval_s", MAX_PICTURE_INTERVAL_S),
        silence_is_real=REAL_SILENCE.items() <= spec.desc.items(),
    )


def has_exact_stamps(spec: StreamSpec) -> bool:
    """Whether a stream says that its stamps are exact, on the LSL clock."""
    return EXACT_STAMPS.items() <= spec.desc.items()


def is_simulated(spec: StreamSpec) -> bool:
    """Whether a stream says that what it carries is of no person."""
    return SIMULATED.items() <= spec.desc.items()


def is_filtered(spec: StreamSpec) -> bool:
    """Whether a pulse stream says that it is band-passed already."""
    return spec.desc.get("filter") == "filtered"


def is_inverted(spec: StreamSpec) -> bool:
    """Whether a pulse stream says that it stands upside down."""
    return INVERTED.items() <= spec.desc.items()


def upright(samples: NDArray[Any]) -> NDArray[Any]:
    """Return the samples of an inverted pulse turned over, in the same type.

    Whole numbers are mirrored at -1/2: the lowest one has no positive counterpart, and a pulse no zero.
    """
    turned: NDArray[Any] = ~samples if np.issubdtype(samples.dtype, np.integer) else -samples
    return turned


def _declared_s(spec: StreamSpec, key: str, longest_s: float) -> float:
    """Read seconds out of foreign metadata; what cannot be meant is reported and 0 is used."""
    text = spec.desc.get(key, "0")
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if 0 <= value <= longest_s:
        return value
    logger.warning(
        "stream %r declares %s=%r; expected 0 to %g s, 0 is used", spec.name[:80], key, text[:40], longest_s
    )
    return 0.0
