from __future__ import annotations

from pathlib import Path

import pytest

from rtasmr.dataset import stimulus_file_name
from rtasmr.errors import ConfigError
from rtasmr.playlist import Block, Clip, Playlist
from rtasmr.programme import Notice, Rest, Showing, programme_of
from rtasmr.questions import Question, question_entries, question_of, stated_questions
from rtasmr.timetable import clock, lines_of, timetable
from rtasmr.types import VIDEOS

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "playlist.toml"

SMALL = """
sequence = [2, "a"]
[block.a]
clips = ["rain"]
[clip.rain]
file = "rain.mp4"
question = "tingling"
"""


def test_the_example_is_the_protocol_of_the_paper():
    playlist = Playlist.load(EXAMPLE)
    assert playlist.sequence == (60.0, "asmr", 120.0, "nature", 60.0)
    assert [len(block.clips) for block in playlist.blocks.values()] == [4, 4]
    assert playlist.clips["vid3"] == Clip("vid3", EXAMPLE.parent / "ASMR3.avi", Question.TINGLING)
    files = {name: clip.file.name for name, clip in playlist.clips.items()}
    assert files == {video: stimulus_file_name(video) for video in VIDEOS}  # it runs beside them
    questions = {name: question_of(name) for name in playlist.clips}
    assert playlist.questions == questions


def test_what_is_left_out_takes_its_default():
    playlist = Playlist.parse(SMALL, folder=Path("clips"))
    assert (playlist.block_order, playlist.clip_order, playlist.seed) == ("fixed", "fixed", 0)
    assert not playlist.is_counterbalanced
    assert playlist.blocks == {"a": Block("a", ("rain",), "", 5.0)}
    assert playlist.clips["rain"].file == Path("clips/rain.mp4")
    steps = programme_of(playlist, None)
    assert steps == (Rest(2.0), Showing(playlist.clips["rain"], "a"))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('"tingling"', '"tingles"', "'clip.rain.question', got 'tingles'"),
        ('question = "tingling"', "", "'tingling' or 'pleasantness' for 'clip.rain.question', got 'None'"),
        ('"rain.mp4"', "3", "text for 'clip.rain.file', got '3'"),
        ('"rain.mp4"', '""', "'clip.rain.file'"),
        ("[2,", "[0,", "seconds above 0, at most 3600 for 'sequence', got '0.*'"),
        ("[2,", "[nan,", "'sequence', got 'nan'"),
        ("[2,", "[true,", "'sequence', got 'True'"),
        ('"a"]', '"b"]', "seconds of rest or one of a for 'sequence', got 'b'"),
        ('["rain"]', '["snow"]', "some of rain for 'block.a.clips', got 'snow'"),
        ('["rain"]', '["rain", "rain"]', "each clip once"),
        ('["rain"]', '"rain"', "a list of clips for 'block.a.clips'"),
        ("[clip.rain]", '[clip."my rain"]', "'clip.my rain'"),
        ("[clip.rain]", '[clip."9.1"]', "a name of letters"),
        ('file = "rain.mp4"', 'file = "rain.mp4"\nfiel = 1', "got 'clip.rain.fiel'"),
        ("sequence", "order", "got 'order'"),
        ("sequence = ", 'clip_order = "latin"\nsequence = ', "fixed, balanced, random for 'clip_order'"),
        ("sequence = ", "seed = -1\nsequence = ", "'seed', got '-1'"),
        ("sequence = ", "seed = true\nsequence = ", "a whole number for 'seed'"),
        ("sequence = ", "begin_text = 4\nsequence = ", "text for 'begin_text'"),
        ('[2, "a"]', "[2]", "the block 'a' to stand in it"),
        ("[clip.rain]", '[clip.snow]\nfile="s"\nquestion="tingling"\n[clip.rain]', "'clip.snow'"),
        ("[block.a]", "[block.a", "expected TOML"),
        ("[clip.rain]", '[hint]\nfear = "x"\n[clip.rain]', "'hint.fear', got 'fear'"),
        ('question = "tingling"', 'question = "tingling"\nduration_s = -1', "'clip.rain.duration_s'"),
    ],
)
def test_a_mistake_is_told_in_one_line_with_file_and_key(old, new, expected):
    assert old in SMALL
    with pytest.raises(ConfigError, match=expected) as caught:
        Playlist.parse(SMALL.replace(old, new, 1), "my.toml")
    assert str(caught.value).startswith("my.toml: ")
    assert "\n" not in str(caught.value)


def test_a_playlist_that_cannot_be_read_is_told(tmp_path):
    with pytest.raises(ConfigError, match="cannot read the playlist"):
        Playlist.load(tmp_path / "none.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not UTF-8 text"):
        Playlist.load(tmp_path / "bytes.toml")


def test_questions_travel_with_the_metadata_of_the_ratings():
    entries = question_entries({"rain": Question.TINGLING, "sea": Question.PLEASANTNESS})
    assert entries == {"question.rain": "tingling", "question.sea": "pleasantness"}
    stated = stated_questions({**entries, "question.hm": "fear", "stimulus.rain": "tingling"})
    assert stated == {
        "rain": Question.TINGLING,
        "sea": Question.PLEASANTNESS,
        "hm": Question.NOT_STATED,
    }
    assert question_of("sea", stated) is Question.PLEASANTNESS
    assert question_of("vid1", {"vid1": Question.PLEASANTNESS}) is Question.PLEASANTNESS
    assert question_of("vid7", stated) is Question.PLEASANTNESS
    assert question_of("unknown", stated) is Question.NOT_STATED


def test_the_timetable_reads_every_header(tiny_video):
    clip = Clip("tiny", tiny_video, Question.PLEASANTNESS)
    short = Clip("short", tiny_video, Question.TINGLING, 0.5)
    entries = timetable((Notice("go"), Rest(3.0), Showing(clip), Showing(short), Notice("bye", 4.0)))
    # A second of black before each clip; the space bar counts as nothing.
    assert [entry.start_s for entry in entries] == [0.0, 0.0, 3.0, 6.0, 7.5]
    assert entries[2].media is not None
    assert entries[2].media.has_sound
    *_, last = lines = lines_of(entries)
    assert "clip tiny  tiny.avi: pleasantness, 64x48 at 25/s, sound" in lines[2]
    assert last.split("in all: ")[1] == "2 clips, 0:03 of rest"
    assert last.startswith("    0:12")


def test_a_clip_that_cannot_be_read_is_named_with_its_key(tmp_path):
    (tmp_path / "rain.mp4").write_bytes(b"no video")
    playlist = Playlist.parse(SMALL, "my.toml", tmp_path)
    with pytest.raises(ConfigError, match=r"my\.toml: clip\.rain\.file: .*readable video"):
        timetable(programme_of(playlist, None), playlist.name)


def test_times_are_told_as_on_a_clock():
    assert [clock(s) for s in (0, 59.6, 75, 3600, 3725)] == ["0:00", "1:00", "1:15", "1:00:00", "1:02:05"]
