"""What sound and pictures are taken from: sources to start, or streams that run."""

from __future__ import annotations

import pytest

from rtasmr.discovery import Query
from rtasmr.errors import ConfigError
from rtasmr.sources.launch_av import parse_picture_launch, parse_sound_launch
from rtasmr.sources.supervisor import Sources
from rtasmr.types import Role


@pytest.mark.parametrize("parse", [parse_sound_launch, parse_picture_launch])
@pytest.mark.parametrize("text", ["", "type=Audio", "name=microphone", "source_id=camera:1,channel=0"])
def test_stream_queries_keep_their_meaning(parse, text):
    assert parse(text) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("microphone", ["microphone"]),
        ("microphone:USB Audio, Mono", ["microphone", "--device", "USB Audio, Mono"]),
        ("loopback", ["microphone", "--loopback"]),
        (
            "loopback:pulse:speaker.monitor",
            ["microphone", "--loopback", "--device", "pulse:speaker.monitor"],
        ),
    ],
)
def test_sound(text, words):
    launch = parse_sound_launch(text)
    assert list(launch.words[:-3]) == words
    assert launch.words[-3:-1] == ("--keep-trying", "--source-id")
    assert Query.parse(launch.query) == Query(stype="Audio", source_id=launch.words[-1])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("camera", ["camera"]),
        ("camera,fps=15", ["camera", "--fps", "15"]),
        ("camera:/dev/video2,fps=15", ["camera", "--device", "/dev/video2", "--fps", "15"]),
        ("screen", ["screen"]),
        ("screen:0,0,1280,720", ["screen", "--region", "0,0,1280,720"]),
        ("screen:0,-5,1280,720,fps=30", ["screen", "--region", "0,-5,1280,720", "--fps", "30"]),
    ],
)
def test_pictures(text, words):
    launch = parse_picture_launch(text)
    assert list(launch.words[:-3]) == words
    assert launch.words[-3:-1] == ("--keep-trying", "--source-id")
    assert Query.parse(launch.query) == Query(stype="VideoRaw", source_id=launch.words[-1])


def test_settings_that_cannot_be_meant():
    with pytest.raises(ConfigError, match=r"settings like fps=\.\.\., got 'loop'"):
        parse_picture_launch("camera,loop")


def test_every_role_gets_its_source():
    asked = {Role.PPG: "simulated", Role.SOUND: "microphone", Role.PICTURE: "screen:0,0,9,9"}
    sources = Sources(asked, lambda _line: None, network=False)
    assert set(sources.by_role) == set(asked)
    assert [query.partition(",")[0] for query in sources.queries.values()] == [
        "type=PPG",
        "type=Audio",
        "type=VideoRaw",
    ]
