from __future__ import annotations

import os
import shlex
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from rtasmr.player.config import PlayerConfig
from rtasmr.playlist import NAME
from rtasmr.questions import Question
from rtasmr.start.choice import Choice, Shown, command_line, problems_of


@pytest.fixture
def choice(tmp_path: Path) -> Choice:
    """A choice with which nothing is wrong: a video shown here, recorded."""
    video = tmp_path / "a video.mp4"
    video.write_bytes(b"")
    return Choice(ppg="simulated", file=str(video), folder=str(tmp_path / "kept"), participant="P01")


def fields_with_problems(choice: Choice) -> list[str]:
    return [problem.field for problem in problems_of(choice)]


def test_a_viewing_becomes_one_command(choice, tmp_path):
    words = replace(choice, model="bilstm", consent=True, full_screen=True).words()

    assert words == [
        *("view", choice.file, "--ppg", "simulated", "--wait", "30", "--model", "bilstm", "--full-screen"),
        *("--clip", "a_video", "--question", "tingling"),
        *("--record", str(tmp_path / "kept" / "P01_001.xdf"), "--participant", "P01", "--consent"),
    ]


def test_display_and_rating_device_count_for_what_is_shown_here(choice):
    given = replace(choice, display="HDMI-1", rating="slider", network=True, record=False, participant="")

    assert given.words() == [
        *("view", choice.file, "--ppg", "simulated", "--wait", "30", "--network"),
        *("--display", "HDMI-1", "--rate", "slider", "--clip", "a_video", "--question", "tingling"),
    ]
    assert replace(given, shown=Shown.ELSEWHERE).words() == [
        *("live", "--ppg", "simulated", "--wait", "30", "--network")
    ]


@pytest.mark.parametrize(
    ("file", "clip"),
    [
        ("ASMR1.avi", []),
        ("rain (4K) - Zoë.mp4", ["--clip", "rain_4K_-_Zo"]),
        ("2024-05-01.mp4", ["--clip", "clip_2024-05-01"]),
        ("雨.mp4", ["--clip", "clip"]),
        (f"{'x' * 100}.mp4", ["--clip", "x" * 64]),
    ],
)
def test_the_question_is_stated_of_a_clip_that_has_a_name(choice, tmp_path, file, clip):
    """The player takes what is put together here, whatever the file is called."""
    shown = replace(choice, file=str(tmp_path / file), question=Question.PLEASANTNESS, record=False)

    words = shown.words()

    assert words[words.index("30") + 1 : -2] == [*clip, "--question", "pleasantness"]
    name = clip[-1] if clip else Path(file).stem
    PlayerConfig(Path(shown.file), clip=name, question=shown.question)
    assert NAME.fullmatch(name)


def test_a_question_is_stated_only_where_the_page_has_to(choice):
    for given in (
        replace(choice, question=Question.NOT_STATED),
        replace(choice, file="session.toml"),  # it says so itself
        replace(choice, shown=Shown.ELSEWHERE),
    ):
        assert not {"--question", "--clip"} & set(given.words())


@pytest.mark.parametrize("participant", ["", "P01"])
def test_a_counterbalanced_playlist_needs_a_number(choice, tmp_path, participant):
    playlist = tmp_path / "session.toml"
    text = 'sequence = ["a"]\n[block.a]\nclips = ["x"]\n[clip.x]\nfile = "x.mp4"\nquestion = "tingling"\n'
    playlist.write_text(f'clip_order = "balanced"\n{text}', encoding="utf-8")
    given = replace(choice, file=str(playlist), participant=participant)

    (problem,) = problems_of(given)
    assert problem.field == "participant"
    assert "number" in problem.text
    assert not problems_of(replace(given, participant="021"))
    assert not problems_of(replace(given, shown=Shown.ELSEWHERE))

    playlist.write_text(text, encoding="utf-8")
    os.utime(playlist, (1, 1))  # however coarse the clock of the disk
    assert not problems_of(given)


def test_a_playlist_that_is_none_is_told_before_the_start(choice, tmp_path):
    playlist = tmp_path / "session.toml"
    playlist.write_text("sequence = 3", encoding="utf-8")

    (problem,) = problems_of(replace(choice, file=str(playlist)))

    assert problem.field == "file"
    assert "session.toml" in problem.text


def test_what_is_shown_elsewhere_becomes_a_live_run_with_its_own_streams(choice):
    elsewhere = replace(
        choice, shown=Shown.ELSEWHERE, sound="loopback", picture="screen", full_screen=True, record=False
    )

    assert elsewhere.words() == [
        *("live", "--ppg", "simulated", "--audio", "loopback", "--video", "screen", "--wait", "30"),
        *("--participant", "P01"),
    ]


def test_a_stream_that_is_there_is_not_waited_for_longer(choice):
    assert "--wait" not in replace(choice, ppg="type=PPG,name=wrist").words()
    assert "--wait" not in replace(choice, ppg="").words()


def test_streams_of_another_player_do_not_count_for_a_video_shown_here(choice):
    words = replace(choice, sound="nonsense:x", picture="nonsense:y").words()

    assert "--audio" not in words
    assert "--video" not in words
    assert not problems_of(replace(choice, sound="nonsense:x"))


@pytest.mark.skipif(sys.platform == "win32", reason="a shell of POSIX reads it back")
def test_the_command_line_reads_back_as_the_words(choice, tmp_path):
    odd = tmp_path / "it's $HOME; rm -rf; `x`.mp4"
    odd.write_bytes(b"")
    words = replace(choice, file=str(odd)).words()

    assert shlex.split(command_line(words)) == ["rtasmr", *words]


def test_a_file_named_like_an_option_is_none(choice, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("--json").write_bytes(b"")

    words = replace(choice, file="--json").words()

    assert words[1] == str(tmp_path / "--json")


def test_recordings_are_numbered_and_none_is_replaced(choice, tmp_path):
    folder = tmp_path / "kept"
    folder.mkdir()
    (folder / "P01_001.xdf").write_bytes(b"")
    (folder / "P01_002.xdf.part").write_bytes(b"")
    (folder / "P02_003.xdf").write_bytes(b"")

    assert choice.recording == folder / "P01_003.xdf"
    assert replace(choice, participant="").recording == folder / "session_001.xdf"
    assert replace(choice, record=False).recording is None


@pytest.mark.parametrize(
    "code", ["../x", "a/b", "a b", "..", "p\n1", "p\x00", "P-1", "Zoë", "a" * 33, "-json", "p.xdf"]
)
def test_a_code_that_is_no_part_of_a_file_name_is_refused(choice, code):
    wrong = replace(choice, participant=code)

    assert fields_with_problems(wrong) == ["participant"]
    assert wrong.recording is None
    assert fields_with_problems(replace(wrong, record=False)) == ["participant"]


@pytest.mark.parametrize("ppg", ["nonsense", "serial:", "type=", "simulated,sfreq=", "name=a,name=b"])
def test_a_sensor_that_cannot_be_meant_is_told_before_the_start(choice, ppg):
    (problem,) = problems_of(replace(choice, ppg=ppg))

    assert problem.field == "ppg"
    assert "\n" not in problem.text


def test_a_file_must_be_there(choice, tmp_path):
    for file in ("", str(tmp_path), str(tmp_path / "gone.mp4"), "x" * 5000, "a\x00b"):
        assert fields_with_problems(replace(choice, file=file)) == ["file"], file[:20]


def test_a_folder_must_be_one_that_can_be_made(choice, tmp_path):
    a_file = tmp_path / "file"
    a_file.write_bytes(b"")
    for folder in ("", "relative", str(a_file), str(a_file / "below"), "/" + "x" * 5000):
        wrong = replace(choice, folder=folder)
        assert fields_with_problems(wrong) == ["folder"], folder[:20]
        assert wrong.recording is None


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="rights do not bind this user")
def test_a_folder_of_somebody_else_is_refused(choice, tmp_path):
    tmp_path.chmod(0o500)

    assert fields_with_problems(choice) == ["folder"]


def test_all_that_is_wrong_is_told_at_once_in_the_order_of_the_page():
    wrong = Choice(ppg="nonsense", participant="a b")

    assert fields_with_problems(wrong) == ["ppg", "file", "participant", "folder"]
