"""Sound that stands still: a file's silence is what is heard, a microphone's is a dead input."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
import pytest

from offline.live_frames import stimulus_frames
from rtasmr.aligner import Aligner, ModalityFormat
from rtasmr.declared import REAL_SILENCE, modality_format
from rtasmr.features.extractor import FeatureExtractor
from rtasmr.features.spec import SOUND_SFREQ, FeatureSpec
from rtasmr.feed import marker_chunk
from rtasmr.player.feeder import player_specs
from rtasmr.sources.media_file import media_streams
from rtasmr.stream_specs import sound_spec
from rtasmr.types import Chunk, Modality, Role, Status

SILENT_S, WHOLE_S = 4, 6


def wave() -> np.ndarray:
    """4 s of zeros, then 2 s of a sawtooth; shape (n_samples,)."""
    sound = (np.arange(WHOLE_S * int(SOUND_SFREQ)) % 1000).astype(np.int16)
    sound[: SILENT_S * int(SOUND_SFREQ)] = 0
    return sound


def aligned_status(stream: ModalityFormat) -> list[Status]:
    aligner = Aligner(FeatureSpec())
    aligner.add_stream(Modality.SOUND, stream)
    sound = wave()
    aligner.push(Chunk(Role.SOUND, np.arange(len(sound)) / SOUND_SFREQ, sound[:, None]))
    return [tick.status[Modality.SOUND] for tick in aligner.pop_ready(now=-np.inf)]


def test_silence_counts_where_it_is_declared_real() -> None:
    dead = aligned_status(modality_format(sound_spec(source_id="microphone")))
    assert dead[25:39] == [Status.BAD_INPUT] * 14
    real = aligned_status(modality_format(sound_spec(source_id="file", desc=REAL_SILENCE)))
    assert real == [Status.OK] * len(dead)


def test_sound_at_the_ends_of_its_range_is_bad_from_any_source() -> None:
    aligner = Aligner(FeatureSpec())
    aligner.add_stream(Modality.SOUND, ModalityFormat(sfreq=SOUND_SFREQ, silence_is_real=True))
    rails = np.full((3 * int(SOUND_SFREQ), 1), np.iinfo(np.int16).max, np.int16)
    aligner.push(Chunk(Role.SOUND, np.arange(len(rails)) / SOUND_SFREQ, rails))
    status = [tick.status[Modality.SOUND] for tick in aligner.pop_ready(now=-np.inf)]
    assert set(status[15:]) == {Status.BAD_INPUT}


@pytest.fixture
def silent_file(tmp_path: Path) -> Path:
    path = tmp_path / "quiet.mkv"
    with av.open(str(path), "w") as container:
        track = container.add_stream("pcm_s16le", rate=int(SOUND_SFREQ), layout="mono")
        sound = wave()
        for lo in range(0, len(sound), 4410):
            block = av.AudioFrame.from_ndarray(sound[np.newaxis, lo : lo + 4410], format="s16", layout="mono")
            block.sample_rate, block.pts = int(SOUND_SFREQ), lo
            container.mux(track.encode(block))
        container.mux(track.encode())
    return path


def test_sources_that_play_files_declare_it(silent_file: Path) -> None:
    specs = [s.spec for s in media_streams(silent_file, loop=False, label="", source_id="m", chunk_s=0.02)]
    specs.append(player_specs("viewing", {}, sound=True, picture=False)["sound"])
    assert [modality_format(spec).silence_is_real for spec in specs] == [True, True]


def no_pictures(_: Sequence[np.ndarray]) -> np.ndarray:
    raise AssertionError("there are none")


def test_offline_frames_of_a_silent_file_are_those_of_a_live_run(silent_file: Path) -> None:
    """The samples as a source sends them, against the file as ``offline features`` reads it."""
    spec = FeatureSpec()
    (stream,) = media_streams(silent_file, loop=False, label="", source_id="m", chunk_s=0.02)
    aligner, extractor = Aligner(spec), FeatureExtractor(spec, no_pictures)
    aligner.add_stream(Modality.SOUND, modality_format(stream.spec))
    aligner.push(marker_chunk(0.0, "clip_start clip"))
    aligner.push(marker_chunk(float(WHOLE_S), "clip_end clip"))
    live = []
    for packet in stream.packets:
        aligner.push(Chunk(Role.SOUND, packet.times, packet.data))
        live += [extractor.update(tick) for tick in aligner.pop_ready(now=-np.inf)]
    live += [extractor.update(tick) for tick in aligner.finish(WHOLE_S)]
    sound = spec.columns(Modality.SOUND)
    offline = stimulus_frames(silent_file, spec, no_pictures)
    np.testing.assert_array_equal(offline.valid[:, sound], True)
    np.testing.assert_allclose(
        [f.values[sound] for f in live], offline.values[:, sound], rtol=1e-5, atol=1e-5
    )
