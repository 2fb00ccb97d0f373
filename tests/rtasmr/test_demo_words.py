from __future__ import annotations

import shutil
import sys

import pytest

from rtasmr.demo import start_command


@pytest.mark.parametrize(
    ("found", "python", "said"),
    [
        ("/usr/bin/rtasmr", ".venv/bin/python", "rtasmr start"),
        (None, ".venv/bin/python", ".venv/bin/rtasmr start"),  # as `make demo` leaves it
    ],
)
def test_the_next_command_can_be_typed_where_the_demo_ran(monkeypatch, tmp_path, found, python, said):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(shutil, "which", lambda _name: found)
    monkeypatch.setattr(sys, "executable", str(tmp_path / python))
    assert start_command() == said


def test_a_program_from_elsewhere_is_named_in_full(monkeypatch, tmp_path):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "there" / "python"))
    assert start_command() == f"{tmp_path / 'there' / 'rtasmr'} start"
