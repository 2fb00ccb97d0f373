"""Ticks are complete or overdue, segments open at markers, and every tick comes exactly once."""

import itertools
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtasmr.aligner import Aligner, ModalityFormat
from rtasmr.errors import StreamError
from rtasmr.features.spec import FeatureSpec
from rtasmr.types import AlignedChunk, Cause, Chunk, Modality, Role, Status

PPG_SFREQ = 2000.0
SOUND_SFREQ = 44_100.0
DURATION_S = 4.0


def ppg_chunk(start: int, stop: int, t0: float = 0.0) -> Chunk:
    index = np.arange(start, stop)
    return Chunk(Role.PPG, t0 + index / PPG_SFREQ, index[:, None].astype(np.float64))


def sound_chunk(start: int, stop: int, t0: float = 0.0) -> Chunk:
    index = np.arange(start, stop)
    return Chunk(Role.SOUND, t0 + index / SOUND_SFREQ, (index % 30_000).astype(np.int16)[:, None])


def picture_chunk(start: int, stop: int, t0: float = 0.0, fps: float = 30.0) -> Chunk:
    index = np.arange(start, stop)
    data = np.repeat(index.astype(np.uint8)[:, None], 224 * 224 * 3, axis=1)
    return Chunk(Role.PICTURE, t0 + index / fps, data)


def marker(time_s: float, text: str) -> Chunk:
    return Chunk(Role.CLIP, np.array([time_s]), np.array([text], dtype=object))


def make_aligner(*modalities: Modality, margin_s: float = 0.25) -> Aligner:
    aligner = Aligner(FeatureSpec(), margin_s=margin_s)
    rates = {Modality.PPG: PPG_SFREQ, Modality.SOUND: SOUND_SFREQ, Modality.PICTURE: 0.0}
    for modality in modalities or tuple(Modality):
        aligner.add_stream(modality, ModalityFormat(sfreq=rates[modality]))
    return aligner


def push_all(aligner: Aligner, duration_s: float = DURATION_S) -> None:
    aligner.push(ppg_chunk(0, round(duration_s * PPG_SFREQ)))
    aligner.push(sound_chunk(0, round(duration_s * SOUND_SFREQ)))
    aligner.push(picture_chunk(0, round(duration_s * 30)))


def by_tick(chunks: Iterable[AlignedChunk]) -> list[tuple[int, int]]:
    return [(c.segment.index, c.tick) for c in chunks]


def test_a_tick_waits_for_its_look_ahead() -> None:
    aligner = make_aligner(Modality.PPG)
    aligner.push(ppg_chunk(0, 400))  # newest sample at 0.1995 s
    ready = list(aligner.pop_ready(now=0.2))
    assert by_tick(ready) == [(0, 0)]
    aligner.push(ppg_chunk(400, 401))  # index 400 is the one at 0.1 + 0.1 s
    assert by_tick(aligner.pop_ready(now=0.2)) == [(0, 1)]


def test_each_tick_picks_its_samples() -> None:
    aligner = make_aligner()
    push_all(aligner)
    ready = list(aligner.pop_ready(now=-np.inf))
    assert [c.tick for c in ready] == list(range(len(ready)))
    assert len(ready) == 39  # ticks 0 to 3.8 s have data to 0.1 s past them
    np.testing.assert_array_equal(ready[0].ppg, np.arange(0, 201))
    for c in ready[1:]:
        np.testing.assert_array_equal(c.ppg, np.arange(200 * c.tick + 1, 200 * c.tick + 201))
        assert c.ppg_expected == 200
        assert c.sound is not None
        np.testing.assert_array_equal(
            c.sound, (np.arange(4410 * c.tick - 1024, 4410 * c.tick + 1024) % 30_000).astype(np.int16)
        )
        assert c.picture is not None
        assert c.picture[0, 0, 0] == 3 * c.tick
        assert set(c.status.values()) == {Status.OK}


def test_frame_zero_is_padded_only_before_the_first_sound() -> None:
    aligner = make_aligner(Modality.SOUND)
    aligner.push(sound_chunk(0, 20_000))
    first = next(iter(aligner.pop_ready(now=-np.inf)))
    assert first.sound is not None
    np.testing.assert_array_equal(first.sound[:1024], 0)
    np.testing.assert_array_equal(first.sound[1024:], np.arange(1024))


def test_a_late_stream_is_stale_at_the_deadline_and_contiguous_afterwards() -> None:
    aligner = make_aligner(Modality.PPG, Modality.SOUND)
    aligner.push(sound_chunk(0, 44_100))
    aligner.push(ppg_chunk(0, 500))
    assert by_tick(aligner.pop_ready(now=0.5)) == [(0, 0), (0, 1)]
    assert list(aligner.pop_ready(now=0.5499)) == []
    (overdue,) = aligner.pop_ready(now=0.5501)  # tick 2: 0.2 + 0.1 + 0.25 s
    assert overdue.status[Modality.PPG] is Status.STALE
    assert overdue.status[Modality.SOUND] is Status.OK
    assert len(overdue.ppg) == 99
    assert overdue.ppg_expected == 200
    aligner.push(ppg_chunk(500, 1000))
    (late,) = aligner.pop_ready(now=0.56)
    np.testing.assert_array_equal(late.ppg, np.arange(500, 801))
    assert late.status[Modality.PPG] is Status.OK


def test_a_bursting_source_extends_the_deadline() -> None:
    aligner = Aligner(FeatureSpec())
    aligner.add_stream(Modality.PPG, ModalityFormat(sfreq=PPG_SFREQ, burst_s=0.8))
    aligner.push(ppg_chunk(0, 100))
    assert list(aligner.pop_ready(now=1.29)) == []
    assert by_tick(aligner.pop_ready(now=1.3001)) == [(0, 0)]  # 0 + 0.1 + 1.5 * 0.8 s


def test_losses_are_marked_and_short_ones_bridged_in_sound() -> None:
    aligner = make_aligner(Modality.SOUND)
    aligner.push(sound_chunk(0, 10_000))
    aligner.push(sound_chunk(10_400, 30_000))  # 9 ms lost
    aligner.push(sound_chunk(40_000, 60_000))  # 227 ms lost
    ready = {c.tick: c for c in aligner.pop_ready(now=-np.inf)}
    assert ready[2].sound is not None  # 7796 .. 9843
    np.testing.assert_array_equal(ready[2].sound, np.arange(7796, 9844))
    # Tick 7 at 30870, tick 8 at 35280 and tick 9 at 39690 lie in the long loss.
    for tick in (7, 8, 9):
        assert ready[tick].sound is None
        assert ready[tick].status[Modality.SOUND] is Status.GAP
    assert ready[10].status[Modality.SOUND] is Status.OK
    assert aligner.n_lost(Modality.SOUND) == 10_400


def test_a_short_loss_inside_a_sound_frame_is_interpolated() -> None:
    aligner = make_aligner(Modality.SOUND)
    aligner.push(sound_chunk(0, 4400))
    aligner.push(sound_chunk(4420, 30_000))
    ready = {c.tick: c for c in aligner.pop_ready(now=-np.inf)}
    assert ready[1].sound is not None
    np.testing.assert_array_equal(ready[1].sound, np.arange(4410 - 1024, 4410 + 1024))  # a ramp stays a ramp


def test_a_lost_pulse_is_nan_and_a_gap_at_the_read_point() -> None:
    aligner = make_aligner(Modality.PPG)
    aligner.push(ppg_chunk(0, 1000))
    aligner.push(ppg_chunk(1600, 4000))
    ready = {c.tick: c for c in aligner.pop_ready(now=-np.inf)}
    assert ready[3].status[Modality.PPG] is Status.OK  # reads to index 800
    assert ready[5].status[Modality.PPG] is Status.GAP  # reads to index 1200
    assert np.isnan(ready[5].ppg).all()
    assert ready[7].status[Modality.PPG] is Status.OK  # reads to index 1600, which is there
    assert np.isnan(ready[7].ppg[:-1]).all()
    assert ready[7].ppg[-1] == 1600


def test_a_stream_that_is_gone_keeps_nobody_waiting() -> None:
    aligner = make_aligner(Modality.PPG, Modality.SOUND)
    aligner.push(sound_chunk(0, 44_100))
    aligner.push(ppg_chunk(0, 500))
    aligner.lose_stream(Modality.PPG)
    ready = list(aligner.pop_ready(now=0.9))
    assert by_tick(ready) == [(0, k) for k in range(9)]
    assert ready[-1].status[Modality.PPG] is Status.GAP


def test_ticks_go_on_when_every_stream_dies() -> None:
    aligner = make_aligner(Modality.PPG)
    aligner.push(ppg_chunk(0, 500))
    list(aligner.pop_ready(now=0.3))
    aligner.lose_stream(Modality.PPG)
    ready = list(aligner.pop_ready(now=5.0))
    assert [c.tick for c in ready] == list(range(2, 47))
    assert {c.status[Modality.PPG] for c in ready} == {Status.GAP}


def test_pictures_grow_stale() -> None:
    aligner = make_aligner(Modality.PPG, Modality.PICTURE)
    aligner.push(ppg_chunk(0, 4000))
    aligner.push(picture_chunk(0, 10))  # newest at 0.3 s
    ready = {c.tick: c for c in aligner.pop_ready(now=2.0)}
    assert ready[3].status[Modality.PICTURE] is Status.OK
    # The image of 0.3 s may or may not be the one shown at 0.4 s: a later one never came.
    assert ready[4].status[Modality.PICTURE] is Status.STALE
    assert ready[4].picture is None


def test_pictures_wait_for_ticks_that_come_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """A runtime that is 16 s behind a replay still shows each tick its image, or says that it is gone."""
    aligner = make_aligner(Modality.PICTURE)
    aligner.push(picture_chunk(0, 30))
    shown = [c.picture for c in aligner.pop_ready(1.0)]
    aligner.push(picture_chunk(30, 510))
    shown += [c.picture for c in aligner.pop_ready(17.0)]
    assert [int(p[0, 0, 0]) for p in shown if p is not None] == [3 * k % 256 for k in range(len(shown))]
    assert len(shown) >= 165
    assert aligner.n_lost(Modality.PICTURE) == 0

    monkeypatch.setattr("rtasmr.aligner.MOST_PICTURES", 300)
    aligner = make_aligner(Modality.PICTURE)
    aligner.push(picture_chunk(0, 30))
    list(aligner.pop_ready(1.0))
    aligner.push(picture_chunk(30, 510))
    late = list(aligner.pop_ready(17.0))
    assert late[0].status[Modality.PICTURE] is Status.GAP
    assert late[-1].status[Modality.PICTURE] is Status.OK
    # 510 images less the 300 that are left and the 27 that the tick at 0.9 s had superseded.
    assert aligner.n_lost(Modality.PICTURE) == 183


def test_the_last_picture_of_a_stream_that_ended_stands_for_a_moment() -> None:
    aligner = make_aligner(Modality.PPG, Modality.PICTURE)
    aligner.push(ppg_chunk(0, 4000))
    aligner.push(picture_chunk(0, 10))
    aligner.lose_stream(Modality.PICTURE)
    ready = {c.tick: c for c in aligner.pop_ready(now=2.0)}
    assert ready[5].status[Modality.PICTURE] is Status.OK  # 0.2 s old
    assert ready[6].status[Modality.PICTURE] is Status.GAP


def test_a_stream_that_ends_early_costs_the_others_nothing() -> None:
    """A file whose sound stops after 2 s and whose pulse goes on for longer than the buffers hold."""
    aligner = make_aligner(Modality.PPG, Modality.SOUND)
    aligner.push(sound_chunk(0, 88_200))
    aligner.lose_stream(Modality.SOUND)
    got = []
    for start in range(0, 80_000, 2000):
        aligner.push(ppg_chunk(start, start + 2000))
        got += list(aligner.pop_ready(now=-np.inf))
    assert [c.tick for c in got] == list(range(399))
    assert {c.status[Modality.PPG] for c in got} == {Status.OK}
    assert {c.status[Modality.SOUND] for c in got[20:]} == {Status.GAP}


def test_slow_pictures_stand_until_the_next_is_due() -> None:
    """Two pictures a second, as declared: every tick has the right one, and nobody waits for it."""
    aligner = Aligner(FeatureSpec())
    aligner.add_stream(Modality.PPG, ModalityFormat(sfreq=PPG_SFREQ))
    aligner.add_stream(Modality.PICTURE, ModalityFormat(interval_s=0.5))
    got: dict[int, AlignedChunk] = {}
    for k in range(20):  # 0.1 s at a time; picture n at n / 2
        aligner.push(ppg_chunk(200 * k, 200 * (k + 1)))
        if k % 5 == 0:
            aligner.push(picture_chunk(k // 5, k // 5 + 1, fps=2.0))
        got |= {c.tick: c for c in aligner.pop_ready(now=0.1 * (k + 1))}
    assert sorted(got) == list(range(19))  # the pulse alone sets the pace
    assert {c.status[Modality.PICTURE] for c in got.values()} == {Status.OK}
    assert [int(c.picture[0, 0, 0]) for c in got.values() if c.picture is not None] == [
        tick // 5 for tick in range(19)
    ]
    aligner.push(ppg_chunk(4000, 8000))
    late = {c.tick: c.status[Modality.PICTURE] for c in aligner.pop_ready(now=9.0)}
    assert late[20] is Status.OK  # the newest is of 1.5 s, and the one of 2.0 s is due at this tick
    assert late[21] is Status.STALE


def test_a_picture_that_stands_does_not_run_ahead_of_time() -> None:
    """Slow pictures alone: no tick comes before its time."""
    aligner = Aligner(FeatureSpec())
    aligner.add_stream(Modality.PICTURE, ModalityFormat(interval_s=0.5))
    times = []
    for k in range(40):
        now = 0.05 * (k + 1)
        if k % 10 == 0:
            aligner.push(picture_chunk(k // 10, k // 10 + 1, fps=2.0))
        times += [(c.time_s, now) for c in aligner.pop_ready(now)]
    assert len(times) >= 19
    assert all(time_s <= now + 1e-3 for time_s, now in times)


@pytest.mark.parametrize("level", [0, 700, 32767, -32768])
def test_sound_that_stands_still_is_bad_input_and_recovers(level: int) -> None:
    aligner = make_aligner(Modality.SOUND)
    wave = (1000 * np.sin(np.arange(8 * 44_100) / 20)).astype(np.int16)
    wave[88_200:220_500] = level  # 2 s to 5 s
    aligner.push(Chunk(Role.SOUND, np.arange(len(wave)) / SOUND_SFREQ, wave[:, None]))
    status = {c.tick: c.status[Modality.SOUND] for c in aligner.pop_ready(now=-np.inf)}
    bad = [tick for tick, s in status.items() if s is not Status.OK]
    assert {status[tick] for tick in bad} == {Status.BAD_INPUT}
    # A rail is saturated once half of a second stands there; less than the range is flat after 2 s.
    assert bad == (list(range(25, 51)) if abs(level) > 32_000 else list(range(40, 50)))


def test_sound_clipped_at_both_ends_is_saturated() -> None:
    aligner = make_aligner(Modality.SOUND)
    wave = np.where(np.arange(4 * 44_100) // 50 % 2, 32_767, -32_768).astype(np.int16)
    aligner.push(Chunk(Role.SOUND, np.arange(len(wave)) / SOUND_SFREQ, wave[:, None]))
    status = [c.status[Modality.SOUND] for c in aligner.pop_ready(now=-np.inf)]
    assert status[:9] == [Status.OK] * 9  # less than a second of it
    assert set(status[10:]) == {Status.BAD_INPUT}


def test_a_quiet_start_of_a_segment_is_not_a_dead_input() -> None:
    """What was before a clip does not count, so that a clip alone gives the same frames."""
    aligner = make_aligner(Modality.SOUND)
    wave = (1000 * np.sin(np.arange(6 * 44_100) / 20)).astype(np.int16)
    wave[: 4 * 44_100] = 0
    aligner.push(marker(3.0, "clip_start vid1"))
    aligner.push(Chunk(Role.SOUND, np.arange(len(wave)) / SOUND_SFREQ, wave[:, None]))
    ready = list(aligner.pop_ready(now=-np.inf))
    assert {c.status[Modality.SOUND] for c in ready if c.segment.label} == {Status.OK}
    assert ready[25].status[Modality.SOUND] is Status.BAD_INPUT


def test_a_runtime_that_can_not_keep_up_skips_and_says_so() -> None:
    aligner = Aligner(FeatureSpec(), max_backlog_s=2.0)
    aligner.add_stream(Modality.PPG, ModalityFormat(sfreq=PPG_SFREQ))
    aligner.add_stream(Modality.SOUND, ModalityFormat(sfreq=SOUND_SFREQ))
    aligner.push(ppg_chunk(0, 2000))
    aligner.push(sound_chunk(0, 44_100))
    assert len(list(aligner.pop_ready(now=1.0))) == 9
    aligner.push(ppg_chunk(2000, 12_000))
    aligner.push(sound_chunk(44_100, 6 * 44_100))
    ready = list(aligner.pop_ready(now=6.0))
    assert [c.tick for c in ready] == list(range(9, 59))
    # Tick 9 was due before the segment opened (at 1.0 s); ticks 10 to 39 are more than 2 s late.
    skipped, served = ready[1:31], ready[31:]
    assert {s for c in skipped for s in (c.status[Modality.PPG], c.status[Modality.SOUND])} == {Status.STALE}
    assert {c.status[Modality.PICTURE] for c in skipped} == {Status.ABSENT}
    assert all(c.sound is None for c in skipped)
    assert {c.status[Modality.SOUND] for c in served} == {Status.OK}
    assert aligner.n_skipped == 30
    assert {c.cause for c in skipped} == {Cause.OVERLOAD}
    # The pulse's filter has seen every sample once.
    np.testing.assert_array_equal(np.concatenate([c.ppg for c in ready]), np.arange(1801, 11_801))


def test_a_late_marker_is_no_reason_to_skip() -> None:
    aligner = Aligner(FeatureSpec(), max_backlog_s=2.0)
    aligner.add_stream(Modality.PPG, ModalityFormat(sfreq=PPG_SFREQ))
    for k in range(20):
        aligner.push(ppg_chunk(1000 * k, 1000 * (k + 1)))
        list(aligner.pop_ready(now=0.5 * (k + 1)))
    aligner.push(marker(2.0, "clip_start vid1"))
    ready = list(aligner.pop_ready(now=10.0))
    assert [c.tick for c in ready] == list(range(79))
    assert {c.status[Modality.PPG] for c in ready} == {Status.OK}
    assert aligner.n_skipped == 0


def test_connected_but_silent_streams_do_not_stop_the_clock() -> None:
    aligner = make_aligner(Modality.PPG)
    assert list(aligner.pop_ready(now=100.0)) == []
    assert list(aligner.pop_ready(now=109.9)) == []
    list(aligner.pop_ready(now=110.0))
    ready = list(aligner.pop_ready(now=112.0))
    assert len(ready) == 17  # 110.0 to 111.6 s are overdue at 112 s
    assert {c.status[Modality.PPG] for c in ready} == {Status.ABSENT}


def test_markers_open_segments_with_their_own_origin() -> None:
    aligner = make_aligner(Modality.PPG)
    aligner.push(marker(1.2345, "clip_start vid3"))
    aligner.push(marker(2.5, "clip_end vid3"))
    aligner.push(ppg_chunk(0, 8000))
    ready = list(aligner.pop_ready(now=-np.inf))
    segments = {c.segment.index: c.segment for c in ready}
    assert [(s.label, s.origin) for s in segments.values()] == [("", 0.0), ("vid3", 1.2345), ("", 2.5)]
    assert [c.tick for c in ready if c.segment.index == 0] == list(range(13))
    assert [c.tick for c in ready if c.segment.index == 1] == list(range(13))
    clip = next(c for c in ready if c.segment.index == 1)
    assert clip.ppg[0] == 2469  # 1.2345 s at 2 kHz
    assert clip.ppg[-1] == 2669


@pytest.mark.parametrize("end", ["clip_end vid1", "clip_end"])
def test_only_its_own_end_ends_a_clip_that_began_within_the_one_before(end: str) -> None:
    """Onsets scatter by a millisecond: of clips back to back, the second may begin before the first ends."""
    aligner = make_aligner(Modality.PPG)
    for time_s, text in ((0.5, "clip_start vid3"), (1.5, "clip_start vid1"), (1.5002, "clip_end vid3")):
        aligner.push(marker(time_s, text))
    aligner.push(marker(2.5, end))
    aligner.push(ppg_chunk(0, 8000))
    ready = list(aligner.pop_ready(now=-np.inf))
    segments = {c.segment.index: c.segment for c in ready}
    assert [(s.label, s.origin) for s in segments.values()] == [
        ("", 0.0),
        ("vid3", 0.5),
        ("vid1", 1.5),
        ("", 2.5),
    ]
    assert [c.tick for c in ready if c.segment.label == "vid1"] == list(range(10))


def test_a_late_marker_reopens_its_segment_from_tick_zero() -> None:
    aligner = make_aligner(Modality.PPG)
    aligner.push(ppg_chunk(0, 4000))
    before = by_tick(aligner.pop_ready(now=-np.inf))
    aligner.push(marker(1.0, "clip_start vid1"))
    after = list(aligner.pop_ready(now=-np.inf))
    assert before[-1] == (0, 18)
    assert by_tick(after) == [(1, k) for k in range(9)]
    assert after[0].ppg[0] == 2000


@pytest.mark.parametrize("stamp", [-2e5, -3600.0, 1.7e9])
def test_a_marker_from_another_clock_does_not_stop_the_ticks(stamp: float) -> None:
    aligner = make_aligner(Modality.PPG)
    aligner.push(ppg_chunk(0, 2000))
    list(aligner.pop_ready(now=-np.inf))
    aligner.push(marker(stamp, "clip_start vid1"))
    aligner.push(ppg_chunk(2000, 4000))
    assert by_tick(aligner.pop_ready(now=-np.inf)) == [(0, k) for k in range(9, 19)]


@pytest.mark.parametrize("last", ["pause_end", "clip_end a"])
def test_ticks_of_a_pause_are_a_gap_of_everything_and_the_grid_goes_on(last) -> None:
    aligner = make_aligner(*Modality)
    aligner.push(marker(0.0, "clip_start a"))
    push_all(aligner, 3.0)
    for time_s, text in ((0.95, "pause_start"), (2.0, last)):
        aligner.push(marker(time_s, text))
    chunks = list(aligner.pop_ready(2.6))
    assert [c.time_s for c in chunks] == pytest.approx(np.arange(len(chunks)) / 10)
    assert len(chunks) >= 25
    for chunk in chunks:
        is_paused = 0.95 <= chunk.time_s < 1.95
        status = Status.GAP if is_paused else Status.OK
        assert set(chunk.status.values()) == {status}, chunk.time_s
        assert (chunk.sound is None) == (chunk.picture is None) == is_paused
        assert chunk.cause is (Cause.PAUSED if is_paused else Cause.NONE)
        assert len(chunk.ppg)  # the filter of the pulse has to stay fed
    one_segment = last == "pause_end"
    assert len({c.segment for c in chunks}) == (1 if one_segment else 2)


def test_the_first_origin_is_common_to_all_streams() -> None:
    aligner = make_aligner(Modality.PPG, Modality.SOUND)
    aligner.push(ppg_chunk(0, 4000, t0=100.03))
    aligner.push(sound_chunk(0, 88_200, t0=100.21))
    first = next(iter(aligner.pop_ready(now=102.5)))
    assert first.time_s == pytest.approx(100.3)


def test_a_silent_stream_does_not_hold_the_start_for_ever() -> None:
    aligner = make_aligner(Modality.PPG, Modality.SOUND)
    aligner.push(ppg_chunk(0, 8000))
    assert list(aligner.pop_ready(now=0.5)) == []
    ready = list(aligner.pop_ready(now=2.6))
    assert ready[0].status[Modality.SOUND] is Status.ABSENT
    assert ready[0].status[Modality.PPG] is Status.OK


def test_finish_serves_the_last_ticks() -> None:
    aligner = make_aligner(Modality.PPG)
    aligner.push(ppg_chunk(0, 2000))
    ready = list(aligner.finish(until=1.0))
    assert [c.tick for c in ready] == list(range(10))
    assert ready[-1].status[Modality.PPG] is Status.STALE  # would read index 2000
    assert ready[-2].status[Modality.PPG] is Status.OK


def test_a_stream_may_not_come_back_at_another_rate() -> None:
    aligner = make_aligner(Modality.PPG)
    with pytest.raises(StreamError, match=r"came back at 100 Hz, it was 2000 Hz"):
        aligner.add_stream(Modality.PPG, ModalityFormat(sfreq=100.0))


@given(st.integers(0, 2**32 - 1), st.floats(0.0, 5e5))
@settings(max_examples=15, deadline=None)
def test_chunk_sizes_and_order_of_streams_change_nothing(seed: int, t0: float) -> None:
    rng = np.random.default_rng(seed)

    def cut(n: int, most: int) -> list[tuple[int, int]]:
        edges = [0]
        while edges[-1] < n:
            edges.append(min(n, edges[-1] + int(rng.integers(1, most))))
        return list(itertools.pairwise(edges))

    whole, pieces = make_aligner(), make_aligner()
    chunks = [ppg_chunk(a, b, t0) for a, b in cut(3000, 200)]
    chunks += [sound_chunk(a, b, t0) for a, b in cut(66_150, 4000)]
    chunks += [picture_chunk(a, b, t0) for a, b in cut(45, 4)]
    chunks.sort(key=lambda c: float(c.times[-1]))
    for aligner in (whole, pieces):
        aligner.push(marker(t0 + 0.4321, "clip_start vid2"))
    for c in (ppg_chunk(0, 3000, t0), sound_chunk(0, 66_150, t0), picture_chunk(0, 45, t0)):
        whole.push(c)
    expected = list(whole.pop_ready(-np.inf))
    got = []
    for c in chunks:
        pieces.push(c)
        got += list(pieces.pop_ready(-np.inf))
    assert by_tick(got) == by_tick(expected)
    assert [c.tick for c in got if c.segment.label] == list(range(10))
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_array_equal(a.ppg, b.ppg)
        np.testing.assert_array_equal(a.sound, b.sound)
        np.testing.assert_array_equal(a.picture, b.picture)
        assert a.status == b.status
