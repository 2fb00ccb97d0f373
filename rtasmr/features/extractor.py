"""One aligned tick in, one row of features out: the 10 Hz definition of ``live`` and ``live+ppg``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rtasmr.features.picture import Encode, PictureFeatures
from rtasmr.features.ppg import PpgFeature, PpgReading
from rtasmr.features.pulse_features import PulseFeatures
from rtasmr.features.sound import Describe, SoundFeatures
from rtasmr.features.spec import PPG_NAMES, PULSE_NAMES, FeatureSpec
from rtasmr.types import AlignedChunk, FeatureFrame, Modality, Status


class FeatureExtractor:
    """Feature rows from aligned ticks, which must come in order and without gaps.

    A new segment resets the pulse filter and normaliser. The status of a modality is the worse of
    what the aligner knows and what its samples show; an absent modality stays absent.

    Parameters
    ----------
    spec : FeatureSpec
    encode : callable
        ``(n, 224, 224, 3)`` uint8 to ``(n, 512)`` float32.
    ppg_sfreq : float or None
        Rate of the pulse stream in Hz; None while there is none.
    ppg_filtered : bool
        Whether the pulse stream has passed a 0.5-35 Hz band-pass already.
    sound : callable, optional
        ``(n, 2048)`` int16 to ``(n, 31)`` float32, where other extractors hear the same.

    Attributes
    ----------
    columns : mapping of Modality to ndarray of int
        Where the features of a modality stand in a frame.

    Raises
    ------
    StreamError
        When the pulse stream is too slow.
    """

    def __init__(
        self,
        spec: FeatureSpec,
        encode: Encode,
        ppg_sfreq: float | None = None,
        ppg_filtered: bool = False,
        *,
        sound: Describe | None = None,
    ) -> None:
        self._spec = spec
        self.columns = {modality: spec.columns(modality) for modality in Modality}
        self._wave_column = [i for i, name in enumerate(spec.names) if name in PPG_NAMES]
        self._pulse_columns = [i for i, name in enumerate(spec.names) if name in PULSE_NAMES]
        self._sound = SoundFeatures(spec).batch if sound is None else sound
        self._picture = PictureFeatures(encode)
        self._segment_index: int | None = None
        self._ppg: PpgFeature | None = None
        self._pulse: PulseFeatures | None = None
        if ppg_sfreq is not None:
            self.set_ppg(ppg_sfreq, ppg_filtered)

    def set_ppg(self, sfreq: float, filtered: bool) -> None:
        """Take the pulse from a stream of this rate (Hz) and kind from the next tick on."""
        self._pulse = PulseFeatures(self._spec, sfreq) if self._pulse_columns else None
        self._ppg = PpgFeature(self._spec, sfreq, filtered, self._pulse)
        if self._segment_index is not None:
            self._ppg.hold_until_settled(Status.WARMUP)

    def update(self, aligned: AlignedChunk) -> FeatureFrame:
        """Return the feature frame of the next tick."""
        return self.update_many([aligned])[0]

    def update_many(self, aligned: Sequence[AlignedChunk]) -> list[FeatureFrame]:
        """Return the feature frames of the next ticks, with sound and pictures computed in batches.

        The frames are those that :meth:`update` gives tick by tick; for recordings, where nobody
        waits for the first of them.
        """
        values = np.full((len(aligned), self._spec.n_features), np.nan, dtype=np.float32)
        valid = np.zeros(values.shape, dtype=np.bool_)
        with_sound = {i: chunk.sound for i, chunk in enumerate(aligned) if chunk.sound is not None}
        if with_sound:
            cells = np.ix_(np.array([*with_sound], dtype=np.intp), self.columns[Modality.SOUND])
            values[cells] = self._sound(np.stack(list(with_sound.values())))
            valid[cells] = True
        with_picture = {i: chunk.picture for i, chunk in enumerate(aligned) if chunk.picture is not None}
        if with_picture:
            cells = np.ix_(np.array([*with_picture], dtype=np.intp), self.columns[Modality.PICTURE])
            values[cells] = self._picture.batch(list(with_picture.values()))
            valid[cells] = True
        frames = []
        for i, chunk in enumerate(aligned):
            reading = self._read_ppg(chunk)
            # A tick that was skipped has gone through the pulse's filter, but is not judged.
            is_read = reading.valid and chunk.status[Modality.PPG] is Status.OK
            values[i, self._wave_column] = reading.value if is_read else np.nan
            valid[i, self._wave_column] = is_read
            if self._pulse is not None and is_read:
                values[i, self._pulse_columns] = self._pulse.values
                valid[i, self._pulse_columns] = np.isfinite(self._pulse.values)
            status = {
                Modality.PPG: _worse(chunk, Modality.PPG, reading.status),
                Modality.SOUND: _worse(chunk, Modality.SOUND, Status.OK if i in with_sound else Status.STALE),
                Modality.PICTURE: _worse(
                    chunk, Modality.PICTURE, Status.OK if i in with_picture else Status.STALE
                ),
            }
            frames.append(
                FeatureFrame(
                    chunk.segment, chunk.tick, chunk.time_s, values[i], valid[i], status, chunk.cause
                )
            )
        return frames

    def _read_ppg(self, chunk: AlignedChunk) -> PpgReading:
        starts_segment = chunk.segment.index != self._segment_index
        self._segment_index = chunk.segment.index
        if self._ppg is None:
            return PpgReading(np.nan, valid=False, status=Status.ABSENT)
        if starts_segment:
            self._ppg.reset()
        return self._ppg.update(chunk.ppg, chunk.ppg_expected)


def _worse(chunk: AlignedChunk, modality: Modality, seen: Status) -> Status:
    """Return the worse of what the aligner knows about a modality and what its samples show."""
    return max(chunk.status[modality], seen)
