"""A disk that is full ends in one line that names the place; what is there afterwards is whole."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from offline.atomic import not_written, replacing
from offline.cache import Entry, FeatureCache
from offline.checkpoint import Checkpoint
from offline.encoders import provide_encoder
from offline.export import export_encoder, load_encoder
from offline.feature_sets import feature_spec
from offline.manifest import Manifest
from offline.predictions import Predictions, TrialPrediction, save_predictions
from offline.simulation import simulate
from offline.table_folder import TableFolder
from offline.tables import TrialTable
from rtasmr.errors import DataError, ModelError
from rtasmr.grid import WARMUP_TICKS
from rtasmr.types import VIDEOS, TrialId

DISK_BYTES = 2**20
TRIAL = TrialId(1, "vid3")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting a small file system needs Linux and root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(disk: Path, left_bytes: int = 0) -> Path:
    """Leave so much room on a disk."""
    ballast = disk / "ballast"
    with ballast.open("wb") as file:
        file.write(bytes(DISK_BYTES - left_bytes))
    return ballast


def make_read_only(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True, capture_output=True)


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_simulation_that_does_not_fit_names_the_file_and_the_cause(disk: Path) -> None:
    told = rf"{re.escape(str(disk))}/set/.+: can not be written \(.*No space left on device.*\); free space"
    with pytest.raises(DataError, match=told):
        simulate(disk / "set", 1, 1, "null", (32, 32))


def test_a_table_that_does_not_fit_is_not_there(disk: Path, simulated_set: Path) -> None:
    spec = feature_spec("paper", "e" * 64)
    rng = np.random.default_rng(1)
    values = rng.normal(size=(550, spec.n_features)).astype(np.float32)
    preroll = np.full((WARMUP_TICKS, spec.n_features), np.nan, np.float32)
    table = TrialTable(
        trial=TRIAL,
        values=values,
        valid=np.ones(values.shape, np.bool_),
        rating=np.zeros(550, np.int8),
        preroll_values=preroll,
        preroll_valid=np.zeros(preroll.shape, np.bool_),
        spec=spec,
        simulated=True,
    )
    folder = TableFolder.open(disk / "out", spec, {TRIAL})
    with pytest.raises(DataError, match=r"001_vid3\.npz: can not be written \(No space left on device\)"):
        folder.save(table, "key")
    assert files(disk) == []
    fill(disk)
    with pytest.raises(DataError, match=r"features\.json: can not be written \(No space left on device\)"):
        folder.close("study", True, ())
    assert files(disk) == ["ballast"]
    make_read_only(disk)
    # room would not help
    with pytest.raises(DataError, match=r"\(Read-only file system\); name another --out"):
        folder.close("study", True, ())


def test_a_cache_without_room_keeps_nothing_and_costs_nothing(
    disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache = FeatureCache(disk / "cache")
    entry = Entry({"values": np.zeros(2 * DISK_BYTES, np.uint8)})
    cache.put("a" * 64, entry)
    cache.put("b" * 64, entry)
    assert cache.get("a" * 64) is None
    assert files(disk) == []
    assert [record.getMessage() for record in caplog.records] == [
        f"{cache.folder}: can not be written (No space left on device); results are not kept for the next run"
    ]


def test_an_encoder_that_does_not_fit_is_not_there(disk: Path, tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path / "cache")
    provide_encoder("random:7", tmp_path / "models", cache)
    with pytest.raises(DataError, match=r"resnet18-random-.* \(No space left on device\); make room"):
        provide_encoder("random:7", disk / "models", cache)
    assert files(disk) == []
    make_read_only(disk)
    with pytest.raises(DataError, match=r"\(Read-only file system\); name another folder$"):
        provide_encoder("random:7", disk / "models", cache)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (errno.ENOSPC, "make room or name another --out"),
        (errno.EDQUOT, "make room or name another --out"),
        (errno.EFBIG, "make room or name another --out"),
        (errno.EROFS, "name another --out"),
        (errno.EACCES, "name another --out"),
    ],
)
def test_room_is_asked_for_only_where_it_lacks(code: int, told: str) -> None:
    reason = os.strerror(code)
    said = not_written(Path("R/x"), OSError(code, reason), "another --out")
    assert said == f"R/x: can not be written ({reason}); {told}"


@pytest.mark.parametrize(
    "write",
    [
        lambda folder: Checkpoint(folder / "member1.pt", "key").save({"epoch": torch.zeros(100_000)}),
        lambda folder: Manifest("a" * 100_000).save(folder),
    ],
    ids=["checkpoint", "manifest"],
)
def test_what_keeps_work_says_what_is_wrong_with_the_disk(
    disk: Path, write: Callable[[Path], object]
) -> None:
    fill(disk, left_bytes=4096)
    with pytest.raises(DataError, match=r"\(No space left on device\); make room or name another "):
        write(disk)
    assert files(disk) == ["ballast"]
    make_read_only(disk)
    with pytest.raises(DataError, match=r"\(Read-only file system\); name another "):
        write(disk)


def test_a_model_that_does_not_fit_is_not_there(disk: Path) -> None:
    with pytest.raises(ModelError, match=r"can not be written \(No space left on device\); make room"):
        export_encoder(load_encoder("random:7"), disk / "models")
    assert files(disk) == []


def test_a_file_is_as_before_when_its_successor_does_not_fit(disk: Path) -> None:
    path = disk / "results.json"
    path.write_text("first")
    fill(disk, left_bytes=8192)
    with pytest.raises(OSError, match=r"No space left on device: '.*results\.json'"), replacing(path) as part:
        part.write_bytes(bytes(100_000))
    assert path.read_text() == "first"
    assert files(disk) == ["ballast", "results.json"]


def run_offline(*words: object, most_blocks: int | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command that may write no file of more than so many blocks of 512 bytes."""
    limit = "" if most_blocks is None else f"ulimit -f {most_blocks}; "
    command = ["sh", "-c", f'{limit}exec "$@"', "sh", sys.executable, "-m", "offline", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_a_report_that_does_not_fit_is_finished_from_what_is_saved(
    rng: np.random.Generator, tmp_path: Path
) -> None:
    """The report is the largest file: a limit just below its size lets all others through."""
    trials = [
        TrialPrediction(
            TrialId(i % 4 + 1, video),
            i % 4 + 1,
            rng.random(40).astype(np.float32),
            rng.integers(0, 2, 40).astype(np.int8),
            40,
        )
        for i, video in enumerate(VIDEOS)
    ]
    saved = tmp_path / "mine.npz"
    save_predictions(saved, [Predictions("fusion", tuple(trials))])
    words = ("reproduce", "--predictions", saved, "--out")
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert run_offline(*words, whole).returncode == 0
    sizes = sorted((path.stat().st_size, path.name) for path in whole.rglob("*") if path.is_file())
    assert sizes[-1][1] == "report.html"
    cut.mkdir()
    (cut / "report.html").write_text("of another run")
    ended = run_offline(*words, cut, most_blocks=sizes[-1][0] // 512 - 1)
    assert ended.returncode == 1
    told = f"error: {cut}/report.html: can not be written (File too large); make room, then "
    todo = f"'offline report {cut}' writes the report from what is saved there"
    assert ended.stderr.splitlines()[-1] == told + todo
    assert set(files(whole)) - set(files(cut)) == {"report.html"}
    assert run_offline("report", cut).returncode == 0
    assert files(cut) == files(whole)

    ended = run_offline(*words, tmp_path / "nothing", most_blocks=1)
    told = r"error: .*: can not be written \(File too large\); make room, then run the same command again: "
    assert re.fullmatch(f"{told}finished work is kept", ended.stderr.splitlines()[-1])
    assert run_offline(*words, tmp_path / "nothing").returncode == 0
    assert files(tmp_path / "nothing") == files(whole)
