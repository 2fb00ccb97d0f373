"""Sessions of the data set as streams."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from replay.from_dataset import dataset_session, session_pictures, sound_packets
from replay.recorded import ReplayStream, cut
from rtasmr.dataset import DataSet
from rtasmr.errors import ConfigError, DataError
from rtasmr.presentation_log import Clip

# Starts off every sample grid, as those of the log do.
CLIPS = (Clip("vid3", 1.00013, 2.0, 0), Clip("vid4", 6.00007, 1.5, 1))


def sound(start: float, stop: float, clips: tuple[Clip, ...], path: Path) -> tuple[np.ndarray, np.ndarray]:
    files = {clip.video: path for clip in clips}
    packets = list(sound_packets(clips, files, start, stop, itertools.repeat(0.02)))
    return np.concatenate([p.times for p in packets]), np.concatenate([p.data for p in packets])


def everything(stream: ReplayStream, from_s: float) -> tuple[np.ndarray, np.ndarray]:
    packets = list(stream.packets(itertools.repeat(0.1), from_s))
    return np.concatenate([p.times for p in packets]), np.concatenate([p.data for p in packets])


def test_sound_of_a_clip_begins_exactly_at_its_start(tiny_video: Path) -> None:
    times, samples = sound(0.0, 9.0, CLIPS, tiny_video)
    for clip in CLIPS:
        i = np.flatnonzero(times == clip.start_s).item()
        n = round(clip.duration_s * 44_100)
        np.testing.assert_array_equal(samples[i : i + n], np.arange(n) % 1000)
        np.testing.assert_allclose(times[i : i + n], clip.start_s + np.arange(n) / 44_100, rtol=0, atol=1e-9)
        assert not samples[i - 40_000 : i].any()
        assert not samples[i + n : i + n + 4410].any()


def test_sound_covers_the_session_with_steps_under_one_sample(tiny_video: Path) -> None:
    times, _ = sound(0.25, 9.0, CLIPS, tiny_video)
    period = 1 / 44_100
    steps = np.diff(times)
    assert 0.25 <= times[0] < 0.25 + period
    assert 9.0 - period <= times[-1] < 9.0
    assert steps.min() >= 0.5 * period - 1e-9
    assert steps.max() <= 1.5 * period + 1e-9
    assert np.count_nonzero(np.abs(steps - period) > 1e-9) <= 1  # one change of grid, in the rest


def test_sound_of_a_rest_alone_is_silence(tiny_video: Path) -> None:
    times, samples = sound(0.0, 0.5, (), tiny_video)
    assert len(times) == 22_050
    assert not samples.any()


def test_sound_may_begin_inside_a_clip(tiny_video: Path) -> None:
    times, samples = sound(2.0, 2.5, CLIPS[:1], tiny_video)
    index = np.round((times - CLIPS[0].start_s) * 44_100)
    np.testing.assert_array_equal(samples, index % 1000)
    assert len(times) in (22_049, 22_050, 22_051)


def test_pictures_come_at_their_time_and_the_screen_is_black_between(tiny_video: Path) -> None:
    files = {clip.video: tiny_video for clip in CLIPS}
    seen = [(t, int(picture[100, 100, 0])) for t, picture in session_pictures(CLIPS, files, 0.0, 8.0)]
    times = [t for t, _ in seen]
    assert times == sorted(times)
    for clip in CLIPS:
        shown = [(t - clip.start_s, level) for t, level in seen if clip.start_s <= t < clip.stop_s]
        n = round(clip.duration_s * 25)
        np.testing.assert_allclose([t for t, _ in shown], np.arange(n) / 25, rtol=0, atol=1e-6)
        assert [level for _, level in shown] == [4 * k for k in range(n)]
    blank = [(t, level) for t, level in seen if not any(c.start_s <= t < c.stop_s for c in CLIPS)]
    assert {level for _, level in blank} == {0}
    assert CLIPS[0].stop_s in [t for t, _ in blank]
    assert max(np.diff(times)) <= 0.1 + 1e-9


def test_a_clip_is_replayed_with_its_surroundings(simulated_set: Path) -> None:
    dataset = DataSet.open(simulated_set)
    participant = dataset.participants[0]
    log = dataset.log(participant)
    clip = log.clips[2]
    session = dataset_session(simulated_set, participant, clip.video)
    assert (session.start_s, session.stop_s) == (clip.start_s - 1.0, clip.stop_s + 1.5)
    ppg, _, _, rating, clip_stream = session.streams
    assert [s.spec.name for s in session.streams] == [
        "rtasmr-ppg",
        "rtasmr-sound",
        "rtasmr-picture",
        "rtasmr-rating",
        "rtasmr-clip",
    ]
    times, samples = everything(ppg, session.start_s)
    first = round(times[0] * 2000)
    assert session.start_s <= times[0] < session.start_s + 1 / 2000
    np.testing.assert_array_equal(samples, dataset.ppg(participant).samples[first : first + len(samples)])
    np.testing.assert_array_equal(times, np.arange(first, first + len(samples)) / 2000)
    assert len(samples) == pytest.approx(62.5 * 2000, abs=1)
    marker_times, markers = everything(clip_stream, session.start_s)
    assert marker_times.tolist() == [clip.start_s, clip.stop_s]
    assert markers.tolist() == [f"clip_start {clip.video}", f"clip_end {clip.video}"]
    presses = [p for p in log.presses if session.start_s <= p.time_s <= session.stop_s]
    assert presses
    rating_times, ratings = everything(rating, session.start_s)
    assert rating_times.tolist() == [p.time_s for p in presses]
    assert ratings.tolist() == [f"rating={p.level}" for p in presses]
    assert len({s.spec.source_id for s in session.streams}) == 5


def test_streams_are_selected_by_name_type_or_short_name(simulated_set: Path) -> None:
    session = dataset_session(simulated_set, 1, start_s=0.0, stop_s=1.0)
    chosen = session.select(["Markers", "ppg"])
    assert [s.spec.name for s in chosen.streams] == ["rtasmr-rating", "rtasmr-clip", "rtasmr-ppg"]
    assert session.select(["MARKERS", "Ppg"]) == chosen
    assert session.select([]) == session
    with pytest.raises(ConfigError, match=r"'eeg'.*rtasmr-ppg \(PPG\)"):
        session.select(["eeg"])


def test_a_stream_of_another_name_is_meant_by_its_role(simulated_set: Path) -> None:
    session = dataset_session(simulated_set, 1, start_s=0.0, stop_s=1.0)
    signals = {s.spec.stype: replace(s, spec=replace(s.spec, name="x")) for s in session.streams}
    foreign = replace(session, streams=(signals["PPG"], signals["Audio"]))
    for role, stream in zip(("ppg", "sound"), foreign.streams, strict=True):
        assert foreign.matching([role], "--faults-on") == [stream]


def test_what_is_not_there_is_named(simulated_set: Path) -> None:
    with pytest.raises(DataError, match="099"):
        dataset_session(simulated_set, 99)
    with pytest.raises(DataError, match="'vid9'"):
        dataset_session(simulated_set, 1, "vid9")


@pytest.mark.parametrize("marker", ["SIMULATED.json", "download.json"])
def test_a_set_that_was_not_finished_is_refused(simulated_set: Path, tmp_path: Path, marker: str) -> None:
    for name in ("log", "ppg", "stim"):
        (tmp_path / name).symlink_to(simulated_set / name)
    dataset_session(tmp_path, 1)
    (tmp_path / marker).write_text('{"complete": false}')
    with pytest.raises(DataError, match=f"expected a finished data set, got .*{marker}"):
        dataset_session(tmp_path, 1)


def test_missing_stimuli_keep_only_sound_and_pictures_back(simulated_set: Path, tmp_path: Path) -> None:
    for name in ("log", "ppg"):
        (tmp_path / name).symlink_to(simulated_set / name)
    (tmp_path / "stim").mkdir()
    (tmp_path / "stim" / "ASMR1.avi").symlink_to(simulated_set / "stim" / "ASMR1.avi")
    session = dataset_session(tmp_path, 1, "vid3")
    by_name = {stream.spec.name: stream for stream in session.streams}
    assert len(everything(by_name["rtasmr-ppg"], session.start_s)[0]) > 100_000
    for name in ("rtasmr-sound", "rtasmr-picture"):
        with pytest.raises(DataError, match=r"ASMR3\.avi"):
            everything(by_name[name], session.start_s)


def test_cut_keeps_within_the_session() -> None:
    assert cut(0.0, 10.0, None, None, "x") == (0.0, 10.0)
    assert cut(0.0, 10.0, -5.0, 99.0, "x") == (0.0, 10.0)
    with pytest.raises(ConfigError, match="--start before --stop"):
        cut(0.0, 10.0, 8.0, 3.0, "x")


def test_a_replay_may_go_on_anywhere_in_the_session(simulated_set: Path) -> None:
    """In a clip, and in the rest between two: every stream has what it has in the whole session."""
    log = DataSet.open(simulated_set).log(1)
    clip, following = log.clips[1:3]
    start, stop = clip.stop_s - 1.5, following.start_s + 0.5
    session = dataset_session(simulated_set, 1, start_s=start, stop_s=stop)
    for from_s in (clip.stop_s - 0.5, (clip.stop_s + following.start_s) / 2):
        for stream in session.streams:
            if not stream.is_marker and not stream.spec.name.endswith("ppg"):
                continue  # decoded from video files: their own tests show where they begin
            times, data = everything(stream, start) if has_any(stream, start) else EMPTY
            keep = times >= from_s
            there = everything(stream, from_s) if has_any(stream, from_s) else EMPTY
            np.testing.assert_array_equal(there[0], times[keep])
            np.testing.assert_array_equal(there[1], data[keep])
        pictures = session.streams[2].packets(itertools.repeat(0.1), from_s)
        assert from_s <= next(pictures).times[0] <= from_s + 0.1
        sound = session.streams[1].packets(itertools.repeat(0.02), from_s)
        assert from_s - 1e-9 <= next(sound).times[0] < from_s + 1 / 44_100


EMPTY = (np.empty(0), np.empty(0))


def has_any(stream: ReplayStream, from_s: float) -> bool:
    return next(stream.packets(itertools.repeat(0.1), from_s), None) is not None
