"""Options of one name mean the same in every command."""

from __future__ import annotations

from collections import defaultdict

import pytest
import typer

from rtasmr.cli import app
from rtasmr.errors import ConfigError
from rtasmr.options import REQUIRABLE, required_roles
from rtasmr.types import Role

COMMANDS = typer.main.get_command(app).commands
SHARED = ("live", "view", "record")


def test_what_live_view_and_record_share_reads_the_same() -> None:
    texts = defaultdict(set)
    for command in SHARED:
        for parameter in COMMANDS[command].params:
            if parameter.opts[0] in ("--ppg", "--model", "--require", "--wait", "--network", "--participant"):
                texts[parameter.opts[0]].add((parameter.help, parameter.default))
    assert sum(map(len, texts.values())) == len(texts) == 6


def test_the_options_that_choose_a_stream_are_the_words_of_require() -> None:
    options = {option for parameter in COMMANDS["live"].params for option in parameter.opts}
    named = {word for word in REQUIRABLE if f"--{word}" in options}
    assert {REQUIRABLE[word] for word in named} == set(Role)
    assert required_roles(" ppg, markers ,") == (Role.PPG, Role.CLIP)
    assert required_roles("sound,picture") == required_roles("audio,video")
    assert required_roles("") == ()


def test_a_word_that_names_no_stream_is_refused_with_those_that_do() -> None:
    with pytest.raises(ConfigError, match=r"expected some of ppg, audio, video, .*, got 'clip'"):
        required_roles("ppg,clip")
