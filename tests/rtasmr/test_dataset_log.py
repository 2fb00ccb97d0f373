"""Event logs: the published rules, and what a hostile log must not do."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtasmr.errors import DataError
from rtasmr.presentation_log import Clip, Press, SessionLog, rating_track, read_log

HEADER = (
    "Subject\tTrial\tEvent Type\tCode\tTime\tTTime\tUncertainty\tDuration\tUncertainty\tReqTime\tReqDur"
    "\tStim Type\tPair Index"
)
SCENARIO = "Scenario - test\nLogfile written - 12/16/2021 12:45:51\n\n"
SESSION = (
    ("vid1", 643_045), ("vid3", 1_200_006), ("vid4", 1_800_004), ("vid2", 2_400_002),
    ("vid6", 4_200_006), ("vid8", 4_800_006), ("vid5", 5_400_006), ("vid7", 6_000_007),
)  # fmt: skip

WriteLog = Callable[..., Path]


def video(code: str, time: int, duration: int = 600_000) -> str:
    return f"021\t2\tVideo\t{code}\t{time}\t0\t3\t{duration}\t2\t0\tnext\tother\t0"


def press(code: str | int, time: int) -> str:
    return f"021\t2\tResponse\t{code}\t{time}\t0\t1"


def session() -> list[str]:
    return [video(code, time) for code, time in SESSION]


@pytest.fixture
def write_log(tmp_path: Path) -> WriteLog:
    def write(rows: list[str], name: str = "021-1-20211022-d28c98dd.log", encoding: str = "ascii") -> Path:
        path = tmp_path / name
        text = SCENARIO + HEADER + "\n\n" + "\n".join(rows) + "\n"
        path.write_bytes(text.encode(encoding))
        return path

    return write


def videos(log: SessionLog) -> list[str]:
    return [clip.video for clip in log.clips]


def test_a_plain_log_has_eight_clips_and_the_first_is_cut_short(write_log: WriteLog) -> None:
    log = read_log(write_log(session()))
    assert (log.participant, log.condition, log.notes) == (21, 1, ())
    assert [(clip.video, clip.start_s) for clip in log.clips] == [(v, t / 10_000) for v, t in SESSION]
    assert [clip.duration_s for clip in log.clips] == [55.7] + [60.0] * 7
    assert [clip.position for clip in log.clips] == list(range(8))


def test_published_numbers_of_frames(write_log: WriteLog) -> None:
    log = read_log(write_log(session()))
    assert [len(rating_track(log, clip)) for clip in log.clips] == [507] + [550] * 7


def test_reference_participant_matches_the_published_labels(shared_data: Path) -> None:
    (path,) = (shared_data / "reference" / "log").glob("*.log")
    log = read_log(path)
    with np.load(shared_data / "reference" / "expected.npz") as expected:
        assert len(log.clips) == 8
        for clip in log.clips:
            np.testing.assert_array_equal(rating_track(log, clip), expected[f"rating_{clip.video}"])


def test_line_ends_and_blank_lines_do_not_matter(write_log: WriteLog) -> None:
    rows = [*session(), press(3, 1_300_000)]
    plain = read_log(write_log(rows))
    path = write_log([line for row in rows for line in (row, "", "  ")])
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert read_log(path) == plain


@pytest.mark.parametrize(
    "table",
    [
        "Event Type\tCode\tType\tResponse\tRT\tRT Uncertainty\tTime\tUncertainty\tDuration\tUncertainty"
        "\tReqTime\tReqDur\tStim Type\tPair Index\nVideo\tvid5\tother\t\t\t\t100\t1\t2\t2\t0\tnext\tother\t0",
        "Event Type\tCode\tType\tTime\nVideo\tvid5\tother\t7000000",
        HEADER + "\n" + video("vid5", 7_000_000),
    ],
    ids=["fourteen columns", "few columns", "the same header again"],
)
def test_a_second_table_ends_the_reading(write_log: WriteLog, table: str) -> None:
    plain = read_log(write_log(session()))
    log = read_log(write_log([*session(), "", table]))
    assert log.clips == plain.clips
    assert [note for note in log.notes if "second table" in note]


@pytest.mark.parametrize("in_header", [True, False])
def test_shift_jis_text_is_read_with_a_note(write_log: WriteLog, in_header: bool) -> None:
    rows = session()
    plain = read_log(write_log(rows))
    if in_header:
        path = write_log(rows)
        path.write_bytes("シナリオ表示\n".encode("shift_jis") + path.read_bytes())
    else:
        path = write_log([*rows, "021\t9\tPicture\t表示ソ\t7000000\t0\t1"], encoding="shift_jis")
    log = read_log(path)
    assert log.clips == plain.clips
    assert len(log.notes) == 1
    assert "Shift-JIS" in log.notes[0]
    assert path.name in log.notes[0]


@pytest.mark.parametrize(
    ("practice", "reason"),
    [
        (video("practice", 200_000), "none of the eight"),
        (video("vid9", 200_000), "none of the eight"),
        (video("practice1", 200_000, 100_000), "practice"),
        (video("vid1", 200_000), "practice"),
        (video("vid3", 610_000, 30_000), "practice"),
    ],
)
def test_a_practice_video_takes_no_position(write_log: WriteLog, practice: str, reason: str) -> None:
    plain = read_log(write_log(session()))
    log = read_log(write_log([practice, *session()]))
    assert log.clips == plain.clips
    assert any(reason in note for note in log.notes)


@pytest.mark.parametrize(
    "code", ["VID3", r"stim2\vid3.avi", "stim2/Vid3.AVI", r"C:\data 1\take4\vid3.mp4", "vid03", "video 3"]
)
def test_codes_are_read_by_their_last_part(write_log: WriteLog, code: str) -> None:
    rows = session()
    rows[1] = video(code, SESSION[1][1])
    log = read_log(write_log(rows))
    assert videos(log) == [name for name, _ in SESSION]
    assert log.notes == (f"021-1-20211022-d28c98dd.log: 1 Video row read by number: {code!r} as vid3",)


def test_of_a_clip_shown_twice_the_last_showing_counts(write_log: WriteLog) -> None:
    rows = [*session(), video("vid3", 6_700_000)]
    log = read_log(write_log(rows))
    assert videos(log) == ["vid1", "vid4", "vid2", "vid6", "vid8", "vid5", "vid7", "vid3"]
    assert [clip.position for clip in log.clips] == [0, 2, 3, 4, 5, 6, 7, 8]
    assert any("shown again" in note for note in log.notes)


def test_a_showing_broken_off_does_not_replace_a_whole_one(write_log: WriteLog) -> None:
    plain = read_log(write_log(session()))
    log = read_log(write_log([*session(), video("vid3", 6_700_000, 300_000)]))
    assert log.clips == plain.clips
    assert log.notes == (
        "021-1-20211022-d28c98dd.log: vid3 at 670.0 s is practice or was broken off; ignored",
    )


def test_the_only_showing_counts_however_short(write_log: WriteLog) -> None:
    rows = session()
    rows[-1] = video("vid7", SESSION[-1][1], 300_000)
    assert read_log(write_log(rows)).clips == read_log(write_log(session())).clips


def test_a_row_that_stands_twice_is_one_showing(write_log: WriteLog) -> None:
    plain = read_log(write_log(session()))
    log = read_log(write_log([session()[0], *session()]))
    assert log.clips == plain.clips
    assert log.notes == ("021-1-20211022-d28c98dd.log: the Video row 'vid1' at 64.3 s stands twice",)


@pytest.mark.parametrize("time", [-1, 864_000_001, 10**20])
def test_a_time_outside_of_one_day_is_none(write_log: WriteLog, time: int) -> None:
    plain = read_log(write_log(session()))
    log = read_log(write_log([*session(), video("vid3", time), press(4, time)]))
    assert (log.clips, log.presses) == (plain.clips, plain.presses)
    assert [note.partition(": ")[2].partition(" ")[0] for note in log.notes] == ["Video", "1"]


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_names_of_stimulus_files_are_codes_too(write_log: WriteLog, number: int) -> None:
    rows = [video(code, time) for code, time in SESSION if code not in (f"vid{number}", f"vid{number + 4}")]
    rows += [video(f"stim2\\ASMR{number}.avi", 6_700_000), video(f"Nature{number}.avi", 7_300_000)]
    assert videos(read_log(write_log(rows)))[-2:] == [f"vid{number}", f"vid{number + 4}"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_unicode_text_is_read(write_log: WriteLog, encoding: str) -> None:
    plain = read_log(write_log(session()))
    assert read_log(write_log(session(), encoding=encoding)) == plain


def test_a_repeated_first_clip_leaves_no_other_clip_shortened(write_log: WriteLog) -> None:
    log = read_log(write_log([*session(), video("vid1", 6_700_000)]))
    assert {clip.duration_s for clip in log.clips} == {60.0}


def test_a_log_without_stimuli_is_refused(write_log: WriteLog) -> None:
    with pytest.raises(DataError, match="no Video row"):
        read_log(write_log([video("practice", 100), press(2, 5_000)]))


def test_a_file_that_is_no_log_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "021-1-x.log"
    path.write_bytes(bytes(range(256)))
    with pytest.raises(DataError, match=r"021-1-x\.log: no header row"):
        read_log(path)


def test_a_table_without_times_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "021-1-x.log"
    path.write_text("Subject\tTrial\tEvent Type\tCode\n021\t1\tVideo\tvid1\n")
    with pytest.raises(DataError, match="no column"):
        read_log(path)


def test_a_name_without_participant_is_refused(write_log: WriteLog) -> None:
    with pytest.raises(DataError, match="rename the file"):
        read_log(write_log(session(), name="pilot-1-20211022-d28c98dd.log"))


def test_notes_name_what_does_not_fit(write_log: WriteLog) -> None:
    notes = " ".join(read_log(write_log(session()[:-1], name="021-2-x.log")).notes)
    assert "never shows vid7" in notes
    assert "condition 2 says otherwise" in notes


@pytest.mark.parametrize(
    ("code", "level"), [("1", 0), ("2", 1), ("3", 2), ("4", 3), ("0", 0), ("5", 3), ("11", 3), ("-7", 0)]
)
def test_levels_are_codes_less_one_within_range(write_log: WriteLog, code: str, level: int) -> None:
    log = read_log(write_log([*session(), press(code, 1_300_000)]))
    assert log.presses == (Press(130.0, level),)
    assert bool(log.notes) == (code not in "1234")


@pytest.mark.parametrize("code", ["space", "", "nan", "inf", "2.5"])
def test_a_key_without_number_is_ignored_and_named(write_log: WriteLog, code: str) -> None:
    log = read_log(write_log([*session(), press(4, 1_250_100), press(code, 1_300_000)]))
    assert log.presses == (Press(125.01, 3),)
    assert "1 Response row without a number or time" in log.notes[0]
    assert rating_track(log, log.clips[1])[-1] == 3


@given(at=st.integers(0, 900), n_lost=st.integers(0, 80), junk=st.binary(max_size=40))
def test_whatever_bytes_come_there_is_a_log_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, at: int, n_lost: int, junk: bytes
) -> None:
    whole = (SCENARIO + HEADER + "\n" + "\n".join([*session(), press(3, 1_300_000)]) + "\n").encode()
    path = tmp_path_factory.getbasetemp() / "021-1-20211022-d28c98dd.log"
    path.write_bytes(whole[:at] + junk + whole[at + n_lost :])
    try:
        log = read_log(path)
        told = log.notes
        lengths = {len(rating_track(log, clip)) for clip in log.clips}
    except DataError as error:
        told, lengths = (str(error),), {550}
    assert lengths <= {507, 550}
    assert all(text.startswith(path.name) and "\n" not in text for text in told)


def track_of(*presses: tuple[float, int], clip: Clip | None = None) -> list[int]:
    """Rating of a clip from 100 s to 160 s on."""
    clip = clip or Clip("vid3", 100.0, 60.0, 1)
    log = SessionLog(1, 1, (clip,), tuple(Press(time, level) for time, level in presses))
    return rating_track(log, clip).tolist()


def test_the_track_starts_with_the_last_press_of_the_warm_up() -> None:
    assert track_of((101.0, 3), (104.9999, 2)) == [2] * 550


def test_nothing_is_carried_over_from_before_the_clip() -> None:
    assert track_of((99.9999, 3)) == [0] * 550


@pytest.mark.parametrize(
    ("offset_s", "first_tick"),
    [(5.0, 0), (5.0001, 1), (5.3, 3), (5.7, 7), (5.9, 9), (5.9001, 10), (59.9, 549)],
)
def test_a_press_counts_from_the_first_tick_at_or_after_it(offset_s: float, first_tick: int) -> None:
    assert track_of((100.0 + offset_s, 1)) == [0] * first_tick + [1] * (550 - first_tick)


@pytest.mark.parametrize("offset_s", [59.9001, 60.0, 60.0001])
def test_a_press_after_the_last_tick_changes_nothing(offset_s: float) -> None:
    assert track_of((100.0 + offset_s, 1)) == [0] * 550


def test_a_press_at_the_end_of_a_clip_belongs_to_the_next() -> None:
    following = Clip("vid4", 160.0, 60.0, 2)
    assert track_of((160.0, 2), clip=following) == [2] * 550


def test_of_presses_at_one_time_the_last_in_the_file_wins(write_log: WriteLog) -> None:
    at = SESSION[1][1] + 200_000
    log = read_log(write_log([*session(), press(4, at), press(2, at)]))
    assert rating_track(log, log.clips[1])[150:152].tolist() == [1, 1]


@given(
    start=st.integers(0, 7_000_000),
    offsets=st.lists(st.tuples(st.integers(-10_000, 610_000), st.integers(0, 3)), max_size=30),
    is_first=st.booleans(),
)
def test_the_track_is_the_last_press_at_every_tick(
    start: int, offsets: list[tuple[int, int]], is_first: bool
) -> None:
    offsets = sorted(offsets, key=lambda item: item[0])
    clip = Clip("vid2", start / 10_000, 55.7 if is_first else 60.0, 0 if is_first else 1)
    log = SessionLog(1, 1, (clip,), tuple(Press((start + at) / 10_000, level) for at, level in offsets))
    expected = []
    for k in range(50, 557 if is_first else 600):
        known = [level for at, level in offsets if at >= 0 and Fraction(at, 10_000) <= Fraction(k, 10)]
        expected.append(known[-1] if known else 0)
    assert rating_track(log, clip).tolist() == expected
