"""The wheel alone: whole, free of training code at run time, and deaf to a stranger's modules."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Callable
from pathlib import Path
from shutil import copyfile

import pytest

from rtasmr.demo import _command as demo_command

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("rtasmr", "offline", "models", "replay")
TRAINING = ("torch", "torchvision", "xgboost", "sklearn", "onnx", "offline", "models")


def shipped_files() -> set[str]:
    """Return what of the source tree belongs into the wheel."""
    found = {path for package in PACKAGES for path in (ROOT / package).rglob("*.py")}
    found |= {path for path in (ROOT / "models" / "artefacts").glob("*/*") if path.is_file()}
    found |= {ROOT / "rtasmr" / "py.typed", ROOT / "offline" / "paper_numbers.json"}
    return {path.relative_to(ROOT).as_posix() for path in found}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from a copy of the source, without a network."""
    pytest.importorskip("setuptools", minversion="77")
    source = tmp_path_factory.mktemp("source")
    for name in (*shipped_files(), "pyproject.toml", "README.md", "LICENSE"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        copyfile(ROOT / name, source / name)
    out = tmp_path_factory.mktemp("dist")
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", out, source)
    (built,) = out.glob("rtasmr-*-py3-none-any.whl")
    return built


def pip(*words: object) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", *map(str, words), "--quiet", "--disable-pip-version-check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into a folder of its own."""
    target = tmp_path_factory.mktemp("installed")
    pip("install", "--no-deps", "--no-index", "--target", target, wheel)
    return target


@pytest.fixture(scope="module")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with modules of our names that end the program when they are imported."""
    return raising_modules(tmp_path_factory.mktemp("strangers"), ("models", "replay", "offline"), "stranger")


def raising_modules(folder: Path, names: tuple[str, ...], what: str) -> Path:
    for name in names:
        (folder / f"{name}.py").write_text(f"raise SystemExit('{what}: {name} was imported')\n")
    return folder


Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(installed: Path, strangers: Path, tiny_home: Path, tmp_path: Path) -> Run:
    """Run Python in the strangers' folder, on the wheel and what it needs, without any training code.

    Neither the working tree nor an editable install of it is on the path (``-S`` leaves .pth files out).
    """
    blocked = raising_modules(tmp_path, TRAINING, "training code")
    path = (blocked, installed, sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path)), "RTASMR_HOME": str(tiny_home)}

    def start(*words: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-S", *map(str, words)],
            cwd=strangers,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return start


def test_the_wheel_holds_every_module_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names == shipped_files()


def test_the_modules_come_from_the_wheel(run: Run, installed: Path) -> None:
    done = run("-P", "-c", "import rtasmr.engine as a, replay.player as b; print(a.__file__, b.__file__)")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [
        str(installed / "rtasmr" / "engine.py"),
        str(installed / "replay" / "player.py"),
    ]


def test_the_block_works(run: Run) -> None:
    done = run("-P", "-c", "import torch")
    assert done.returncode == 1
    assert "training code: torch was imported" in done.stderr
    done = run("-c", "import replay")
    assert "stranger: replay was imported" in done.stderr


@pytest.mark.parametrize("script", ["rtasmr", "replay"])
def test_the_scripts_explain_themselves(run: Run, installed: Path, script: str) -> None:
    done = run(installed / "bin" / script, "--help")
    assert done.returncode == 0, done.stderr
    assert "Usage: " in done.stdout


@pytest.mark.parametrize("way", ["script", "module"])
def test_models_are_listed(run: Run, installed: Path, way: str) -> None:
    start = [installed / "bin" / "rtasmr"] if way == "script" else ["-m", "rtasmr"]
    done = run(*start, "models", "--json")
    assert done.returncode == 0, done.stderr
    assert [row["id"] for row in json.loads(done.stdout)] == ["tiny", "tiny-encoder"]


def test_a_video_is_judged(run: Run, tiny_video: Path, tmp_path: Path) -> None:
    done = run("-m", "rtasmr", "run", tiny_video, "--out", tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["ticks"] == 20
    assert (tmp_path / "out" / "tinglegram.png").stat().st_size > 0


def test_the_demo_starts_our_commands_and_no_strangers(installed: Path, strangers: Path) -> None:
    for name in ("rtasmr", "replay", "offline"):
        done = subprocess.run(
            demo_command([name, "--help"]),
            cwd=strangers,
            env={**os.environ, "PYTHONPATH": str(installed)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "Usage: " in done.stdout
