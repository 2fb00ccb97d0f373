"""Model files and cards that are damaged, or not what they claim."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import Command


@pytest.fixture
def damaged(tiny_home: Path, tmp_path: Path) -> Callable[..., Path]:
    """Copy the installed models and change the tingle model's card or file; return its folder."""

    def damage(content: bytes | None = None, *, rehash: bool = True, **entries: object) -> Path:
        models = shutil.copytree(tiny_home / "models", tmp_path / "models")
        folder = models / "tiny"
        card = json.loads((folder / "card.json").read_text())
        if content is not None:
            (folder / "model.onnx").write_bytes(content)
            if rehash:
                entries["onnx_sha256"] = hashlib.sha256(content).hexdigest()
        (folder / "card.json").write_text(json.dumps({**card, **entries}))
        return folder

    return damage


def test_a_corrupt_model_file_is_refused(
    command: Command, damaged: Callable[..., Path], tiny_home: Path, tiny_video: Path
) -> None:
    whole = (tiny_home / "models" / "tiny" / "model.onnx").read_bytes()
    folder = damaged(whole[: len(whole) // 2], rehash=False)
    assert "SHA-256" in command("rtasmr", "run", tiny_video, "--model", folder).error_line()
    assert "SHA-256" in command("rtasmr", "live", "--headless", "--model", folder).error_line()


@pytest.mark.parametrize("content", [b"", b"junk" * 50])
def test_a_model_file_that_is_no_model_is_refused(
    content: bytes, command: Command, damaged: Callable[..., Path], tiny_video: Path
) -> None:
    error = command("rtasmr", "run", tiny_video, "--model", damaged(content)).error_line()
    assert "export the model again" in error


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"card_version": 99}, "expected card version 1, got 99"),
        ({"feature_version": 99}, "fingerprint"),
        ({"fingerprint": "0" * 64}, "fingerprint"),
        ({"kind": "nonsense"}, "'nonsense'"),
        ({"threshold": "half"}, "half"),
        ({"surprise": 1}, "surprise"),
        ({"encoder_sha256": "0" * 64}, "fingerprint"),
    ],
)
def test_a_card_of_another_make_is_refused(
    entries: dict[str, object],
    said: str,
    command: Command,
    damaged: Callable[..., Path],
    tiny_video: Path,
) -> None:
    folder = damaged(**entries)
    assert said in command("rtasmr", "run", tiny_video, "--model", folder).error_line()


def test_a_broken_card_is_refused(command: Command, damaged: Callable[..., Path], tiny_video: Path) -> None:
    folder = damaged()
    (folder / "card.json").write_text("{")
    assert "not a readable card" in command("rtasmr", "run", tiny_video, "--model", folder).error_line()


def test_a_damaged_model_among_the_installed_is_passed_over_with_a_warning(
    command: Command,
    damaged: Callable[..., Path],
    tiny_video: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    damaged(card_version=99)
    monkeypatch.setenv("RTASMR_HOME", str(tmp_path))
    ended = command("rtasmr", "run", tiny_video)
    assert ended.warns_of("tiny", "card version"), ended.warnings
    assert "make demo" in ended.error_line()
    listed = command("rtasmr", "models")
    assert listed.code == 0
    assert "tiny  unusable" in listed.out
