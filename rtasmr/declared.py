"""What a stream declares about itself beyond name and rate, live or read back from a recording."""

from __future__ import annotations

import logging
import math

from rtasmr.aligner import ModalityFormat
from rtasmr.types import StreamSpec

logger = logging.getLogger(__name__)

EXACT_STAMPS = {"stamps": "exact"}
"""Declares that sample ``i`` of a loss-free run is stamped ``t_start + i / sfreq``, as all our sources do."""

UNMARKED_STAMP_TOLERANCE_S = 0.15
"""Stamp jitter accepted of sources that do not declare their stamps exact: 3 SD of a bad radio link."""

MAX_BURST_S = 5.0
"""Longest burst that is believed: every tick waits one and a half of them for a late stream."""


def modality_format(spec: StreamSpec) -> ModalityFormat:
    """Return what the aligner must know of a stream."""
    return ModalityFormat(
        sfreq=spec.sfreq,
        burst_s=_burst_s(spec),
        stamp_tolerance_s=0.0 if has_exact_stamps(spec) else UNMARKED_STAMP_TOLERANCE_S,
    )


def has_exact_stamps(spec: StreamSpec) -> bool:
    """Whether a stream says that its stamps are exact, on the LSL clock."""
    return EXACT_STAMPS.items() <= spec.desc.items()


def is_filtered(spec: StreamSpec) -> bool:
    """Whether a pulse stream says that it is band-passed already."""
    return spec.desc.get("filter") == "filtered"


def _burst_s(spec: StreamSpec) -> float:
    """Read ``burst_s`` out of foreign metadata; what cannot be meant is reported and 0 is used."""
    text = spec.desc.get("burst_s", "0")
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if 0 <= value <= MAX_BURST_S:
        return value
    logger.warning(
        "stream %r declares burst_s=%r; expected 0 to %g s, 0 is used", spec.name[:80], text[:40], MAX_BURST_S
    )
    return 0.0
