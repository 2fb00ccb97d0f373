from __future__ import annotations

import subprocess
import sys

import pytest

import rtasmr
from rtasmr.tables import Session, load_session


def test_a_session_is_loaded_from_the_root():
    assert rtasmr.load_session is load_session
    assert rtasmr.Session is Session


def test_another_name_is_none():
    with pytest.raises(AttributeError, match="no attribute 'load_sesion'"):
        rtasmr.load_sesion  # noqa: B018


def test_the_root_alone_loads_no_library():
    code = "import sys, rtasmr; print(sorted({'numpy', 'polars', 'pylsl'} & set(sys.modules)))"

    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
