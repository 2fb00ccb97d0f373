"""Settings refuse what they cannot mean."""

from __future__ import annotations

import json

import pytest

from rtasmr.config import LiveConfig
from rtasmr.errors import ConfigError
from rtasmr.types import Role


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"provider": "gpu"}, "auto, cuda, cpu, got 'gpu'"),
        ({"duration_s": -1.0}, "more than 0 s, got -1"),
        ({"duration_s": float("nan")}, "more than 0 s, got nan"),
        ({"wait_s": -1.0}, "0 s or more, got -1"),
    ],
)
def test_nonsense_is_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        LiveConfig(**values)


def test_duration_in_ticks():
    assert LiveConfig(duration_s=20).n_ticks == 200
    assert LiveConfig(duration_s=0.25).n_ticks == 2
    assert LiveConfig().n_ticks is None


def test_the_recorded_settings_hold_no_path(tmp_path):
    config = LiveConfig(record=str(tmp_path / "a.xdf"), queries={Role.PPG: "type=PPG"})
    assert str(tmp_path) not in config.to_json()
    assert json.loads(config.to_json())["queries"] == {"ppg": "type=PPG"}
