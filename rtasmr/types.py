"""Values that travel through the pipeline; all are immutable."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Modality(StrEnum):
    """What a data stream carries. The order is the bit order of ``modalities`` in the output stream."""

    PPG = "ppg"
    SOUND = "sound"
    PICTURE = "picture"


class Role(StrEnum):
    """What the runtime uses a stream for: the three modalities and two marker streams."""

    PPG = "ppg"
    SOUND = "sound"
    PICTURE = "picture"
    RATING = "rating"
    CLIP = "clip"

    @property
    def modality(self) -> Modality | None:
        """The modality that the stream carries; None for markers."""
        return _MODALITY_OF.get(self)


_MODALITY_OF = {Role(modality.value): modality for modality in Modality}


class Status(IntEnum):
    """State of a modality at a tick, or of a tick; a larger value is worse."""

    OK = 0
    WARMUP = 1
    STALE = 2
    GAP = 3
    BAD_INPUT = 4
    ABSENT = 5


class Cause(StrEnum):
    """What a tick lacks its data for where no stream is at fault; told to people beside its `Status`."""

    NONE = "none"
    PAUSED = "paused"
    """What is shown was held."""
    OVERLOAD = "overload"
    """This computer did not keep up: the tick was skipped, or served far too late."""


class Trouble(StrEnum):
    """What keeps a pulse from being read, or from being trusted; the order is that of the recorded bits."""

    STARTING = "starting"
    LOST_SAMPLES = "lost samples"
    FLAT = "flat"
    CLIPPED = "clipped"
    CONTACT_LOST = "contact lost"
    NOISY = "noisy"
    NO_BEATS = "no beats"


@dataclass(frozen=True, slots=True, order=True)
class TrialId:
    """One participant with one stimulus: ``TrialId(21, "vid3")``."""

    participant: int
    video: str

    def __str__(self) -> str:
        return f"{self.participant:03d}_{self.video}"

    @property
    def is_asmr(self) -> bool:
        """Whether the stimulus is one of the ASMR clips (vid1 to vid4)."""
        return self.video in ASMR_VIDEOS


ASMR_VIDEOS = ("vid1", "vid2", "vid3", "vid4")
NATURE_VIDEOS = ("vid5", "vid6", "vid7", "vid8")
VIDEOS = ASMR_VIDEOS + NATURE_VIDEOS


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """What an LSL stream says about itself.

    Parameters
    ----------
    name, stype, source_id : str
        LSL name, content type and identity.
    sfreq : float
        Nominal rate in Hz; 0.0 for an irregular stream.
    dtype : str
        LSL channel format: ``float32``, ``int16``, ``int8``, ``string``, ...
    ch_names, ch_types, ch_units : tuple of str, one per channel
        Labels, content types and units.
    desc : mapping of str to str
        Further metadata, flat: ``filter`` (``raw`` or ``filtered``), ``burst_s``, ``clock_t0``,
        ``clock_start``, ``clock_speed`` (replay), ``can_drop_samples``, ``demo``, ...
    hostname : str
        Host that owns the outlet; empty for an outlet not yet opened.
    """

    name: str
    stype: str
    source_id: str
    sfreq: float
    dtype: str
    ch_names: tuple[str, ...]
    ch_types: tuple[str, ...] = ()
    ch_units: tuple[str, ...] = ()
    desc: Mapping[str, str] = field(default_factory=dict)
    hostname: str = ""

    @property
    def n_channels(self) -> int:
        """Number of channels."""
        return len(self.ch_names)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive samples of one stream, as they arrived.

    Parameters
    ----------
    role : Role
        What the stream is used for.
    times : ndarray of shape (n_samples,), float64
        Stamps in seconds on the session clock (corrected once, in ``streams``).
    data : ndarray of shape (n_samples, n_channels), or (n_samples,) of str for markers
        PPG float32 or float64, sound int16, picture uint8 of shape (n_samples, 150528).
    """

    role: Role
    times: NDArray[np.float64]
    data: NDArray[Any]


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch with one grid.

    ``index`` counts segments from 0; ``label`` is the stimulus (``vid3``) or empty for a free
    segment; ``origin`` is the time of tick 0 in seconds on the session clock.
    """

    index: int
    label: str
    origin: float


@dataclass(frozen=True, slots=True)
class AlignedChunk:
    """What the aligner hands to the feature extractor for one tick.

    Parameters
    ----------
    segment, tick, time_s
        Where the tick lies; ``time_s`` is on the session clock.
    ppg : ndarray of shape (n_new,), float64
        Samples since the last tick, up to ``time_s`` + look-ahead; NaN where lost, infinite where not
        a number. Shorter than ``ppg_expected`` when the deadline passed first.
    ppg_expected : int
        Samples from the one after the last handed over to the read point; more than ``len(ppg)``
        when the rest is late, 0 without a pulse stream.
    sound : ndarray of shape (2048,), int16, or None
        Samples centred on the tick, or None where they are not to be had.
    picture : ndarray of shape (224, 224, 3), uint8, or None
        The newest image shown at the tick, or None.
    status : mapping of Modality to Status
        What the aligner knows: OK, STALE, GAP, BAD_INPUT or ABSENT.
    cause : Cause
    """

    segment: Segment
    tick: int
    time_s: float
    ppg: NDArray[np.float64]
    ppg_expected: int
    sound: NDArray[np.int16] | None
    picture: NDArray[np.uint8] | None
    status: Mapping[Modality, Status]
    cause: Cause = Cause.NONE


@dataclass(frozen=True, slots=True)
class FeatureFrame:
    """One row of features on the 10 Hz grid.

    Parameters
    ----------
    values : ndarray of shape (n_features,), float32
        NaN where ``valid`` is False.
    valid : ndarray of shape (n_features,), bool
    status : mapping of Modality to Status
    cause : Cause
    """

    segment: Segment
    tick: int
    time_s: float
    values: NDArray[np.float32]
    valid: NDArray[np.bool_]
    status: Mapping[Modality, Status]
    cause: Cause = Cause.NONE


@dataclass(frozen=True, slots=True)
class Prediction:
    """The one record of a tick: a probability, or the status that says why there is none.

    ``probability`` is NaN unless ``status`` is OK. ``lookahead_ticks`` is the number of newer frames
    the model saw (fewer than the card's at the end of a segment). ``p_low`` and ``p_high`` are the ends of
    the model's uncertainty band, ``distance`` how far the features lie from those of its training, 1 being
    the limit; NaN where the model gives none.
    """

    segment: Segment
    tick: int
    time_s: float
    probability: float
    status: Status
    modality_status: Mapping[Modality, Status]
    modalities: frozenset[Modality]
    lookahead_ticks: int
    p_low: float = math.nan
    p_high: float = math.nan
    distance: float = math.nan
    cause: Cause = Cause.NONE

    @property
    def outside(self) -> bool:
        """Whether the features lie outside what the model was trained on."""
        return self.distance > 1.0


@dataclass(frozen=True, slots=True)
class TickTiming:
    """When the pipeline was through with the parts of one tick, in seconds on its caller's clock.

    Parameters
    ----------
    began : float
        Chunks handed in.
    aligned, featured, predicted : float
        Tick cut out of the buffers, features computed, model run.
    encoder_s : float
        Seconds of the features that went to the image encoder.
    """

    began: float
    aligned: float
    featured: float
    predicted: float
    encoder_s: float


@dataclass(frozen=True, slots=True)
class Step:
    """What one call of the pipeline adds: a new frame, a finished prediction, or both.

    ``timing`` comes with a frame where the pipeline was given a clock.
    """

    frame: FeatureFrame | None
    prediction: Prediction | None
    timing: TickTiming | None = None
