"""Who watches is read from options or from a file, and what cannot be meant is refused in one line."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from rtasmr.config import LiveConfig
from rtasmr.errors import ConfigError
from rtasmr.viewers import live
from rtasmr.viewers.config import Viewer, viewers_of


def test_an_option_is_a_code_and_a_pulse():
    texts = ["p01:source_id=polar-1", "p02: serial:/dev/ttyUSB0,sfreq=200"]
    assert viewers_of(texts, None) == (
        Viewer("p01", "source_id=polar-1"),
        Viewer("p02", "serial:/dev/ttyUSB0,sfreq=200"),
    )


def test_a_file_says_more_of_each(tmp_path):
    file = tmp_path / "viewers.toml"
    file.write_text(
        '[p01]\nppg = "source_id=a"\n[p02]\nppg = "source_id=b"\nratings = "source_id=pad"\nconsent = true\n'
    )
    assert viewers_of((), file) == (
        Viewer("p01", "source_id=a"),
        Viewer("p02", "source_id=b", ratings="source_id=pad", consent=True),
    )


def test_without_both_there_are_none(tmp_path):
    assert viewers_of((), None) == ()
    with pytest.raises(ConfigError, match="got both"):
        viewers_of(["a:type=PPG"], tmp_path / "viewers.toml")


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["type=PPG"], "expected CODE:PULSE"),
        (["a b:type=PPG"], "expected a code"),
        (["../a:type=PPG"], "expected a code"),
        (["a:"], "viewer a: expected a pulse, got none"),
        (["p1:source_id=x", "P1:source_id=y"], "'p1' twice"),
    ],
)
def test_options_that_cannot_be_meant(texts, said):
    with pytest.raises(ConfigError, match=said):
        viewers_of(texts, None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "at least one viewer"),
        ("p01 = 3", r"a table \[p01\]"),
        ("[p01\n", "expected TOML"),
        ('[p01]\npulse = "type=PPG"', "got 'pulse'"),
        ('[p01]\nppg = "type=PPG"\nconsent = "yes"', "another kind of consent"),
        ("[p01]\nconsent = true", "expected a pulse"),
    ],
)
def test_files_that_cannot_be_meant(tmp_path, text, said):
    file = tmp_path / "viewers.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=said):
        viewers_of((), file)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match="No such file"):
        viewers_of((), tmp_path / "nobody.toml")


def test_what_broke_a_viewer_off_does_not_hide_what_broke_the_recording(monkeypatch):
    monkeypatch.setattr(live, "account", lambda *_, error, **_kinds: {"error": error})
    sources, own = SimpleNamespace(account=lambda _inlets: [], queries={}), SimpleNamespace(inlets={})
    place = live._Place(Viewer("p01", "type=PPG"), sources, own, error="the disk is full")
    for broke_off, told in (
        ("the pulse is p02's", "the pulse is p02's; the disk is full"),
        ("", "the disk is full"),
    ):
        member = SimpleNamespace(engine=None, error=broke_off)
        assert place.account(member, None, LiveConfig())["error"] == told
