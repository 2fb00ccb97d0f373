"""What names a machine or a person's account is taken out of texts, and nothing else."""

from __future__ import annotations

import getpass
import socket

import pytest

from rtasmr import privacy
from rtasmr.privacy import without_places


@pytest.fixture
def known_names(monkeypatch):
    monkeypatch.setattr(socket, "gethostname", lambda: "aurora-7.uni.example")
    monkeypatch.setattr(getpass, "getuser", lambda: "adalove")
    privacy._own_names.cache_clear()
    yield
    privacy._own_names.cache_clear()


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("Polar 24:AC:AC:01:02:fF end", "Polar removed end"),
        ("24-ac-ac-01-02-ff", "removed"),
        ("/data/lab/p 7", "p 7"),
        ("'~/data/pulse.txt'", "'pulse.txt'"),
        (r"C:\lab\data\pulse.txt", "pulse.txt"),
        (r"\\server\share\pulse.txt", "pulse.txt"),
        ("adalove@aurora-7", "removed@removed"),
        ("aurora-7.uni.example:16572", "removed:16572"),
        # What only looks like it.
        ("12:30:45", "12:30:45"),
        ("00:11:22:33:44:55:66:77", "00:11:22:33:44:55:66:77"),
        ("sound and/or picture, 5 m/s/s, Muse/S", "sound and/or picture, 5 m/s/s, Muse/S"),
        ("https://example.org/a/b", "https://example.org/a/b"),
        ("adalovelace aurora-72", "adalovelace aurora-72"),
    ],
)
def test_places_and_names_go_and_the_rest_stays(known_names, text, stored):
    assert without_places(text) == stored


def test_common_account_names_are_words(monkeypatch):
    monkeypatch.setattr(socket, "gethostname", lambda: "vm")
    monkeypatch.setattr(getpass, "getuser", lambda: "root")
    privacy._own_names.cache_clear()
    assert without_places("root mean square of vm") == "root mean square of vm"
    privacy._own_names.cache_clear()


def test_an_account_without_a_name_is_no_obstacle(monkeypatch):
    def nobody():
        raise KeyError("uid not found")

    monkeypatch.setattr(getpass, "getuser", nobody)
    privacy._own_names.cache_clear()
    assert without_places("x") == "x"
    privacy._own_names.cache_clear()
