"""Features and trainings on a Dask cluster of two workers, who share this machine's file system."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import offline.fit_runner
from offline.cache import FeatureCache
from offline.cluster import cluster_pool
from offline.crossval import cross_validate
from offline.feature_sets import feature_spec
from offline.plan import plan_work
from offline.protocols import PUBLISHED
from offline.units import Kind
from offline.workers import run_units
from rtasmr.dataset import DataSet
from rtasmr.errors import ConfigError, DataError
from rtasmr.features.spec import FeatureSpec
from rtasmr.types import VIDEOS, TrialId

distributed = pytest.importorskip("distributed", reason="needs the extra 'cluster'")

TINY = replace(PUBLISHED, hidden=4, layers=1, epochs=2, batch_size=8, n_steps=70)
SPEC = FeatureSpec(
    set_name="paper",
    causal=False,
    names=("resnet18_000", "resnet18_001", "mfcc_01", "spectral_centroid", "ppg"),
)


@contextmanager
def cluster_of(n_workers: int) -> Iterator[str]:
    """Yield the address of a scheduler with processes of one thread each."""
    with distributed.LocalCluster(
        n_workers=n_workers, threads_per_worker=1, processes=True, dashboard_address=":0", memory_limit=None
    ) as cluster:
        yield cluster.scheduler_address


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    with cluster_of(2) as address:
        yield address


def test_a_cluster_trains_what_this_machine_trains(scheduler, make_table, tmp_path, monkeypatch) -> None:
    for participant in range(1, 9):
        for video in VIDEOS:
            table = make_table(
                TrialId(participant, video), 57 if video == VIDEOS[participant % 8] else 70, SPEC
            )
            table.save(tmp_path / "F")
    # Workers stand in another folder: what they are told must not hang on this one.
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(offline.fit_runner.os, "cpu_count", lambda: 1)  # one thread, as a worker has
    told: list[tuple[str, float]] = []

    def note(what: str, share: float) -> None:
        told.append((what, share))

    options = {"models": ("fusion",), "seeds": (1,), "device": "cpu"}
    there = cross_validate(
        Path("F"),
        TINY,
        Path("there"),
        scheduler=scheduler,
        progress=lambda *step: told.append(step),
        **options,
    )
    here = cross_validate(Path("F"), TINY, Path("here"), jobs=1, **options)
    for name in ("fusion", "fusion_shuffled_ppg1"):
        for a, b in zip(there.predictions[1][name].trials, here.predictions[1][name].trials, strict=True):
            np.testing.assert_array_equal(a.p, b.p)
    assert (tmp_path / "there/predictions/published-seed1.npz").read_bytes() == (
        tmp_path / "here/predictions/published-seed1.npz"
    ).read_bytes()
    assert told[-1] == ("5 of 5 trainings", 1.0)
    assert not list(tmp_path.glob("there/work/*/share"))


def test_a_cluster_computes_the_features_that_this_machine_computes(
    scheduler, simulated_set, tmp_path, monkeypatch
) -> None:
    monkeypatch.chdir(simulated_set.parent)
    data = DataSet.open(Path(simulated_set.name))
    plan = plan_work(data, feature_spec("paper", "e" * 64), participants=[1], videos=["vid2"])
    units = [unit for unit in plan.units if unit.kind is not Kind.PAPER_PICTURE]  # a minute less
    there, here = (
        dict(run_units(units, FeatureCache(tmp_path / name), tmp_path, "cpu", 1, where))
        for name, where in (("there", scheduler), ("here", None))
    )
    assert sorted(there) == sorted(here) == list(range(len(units)))
    for number, done in here.items():
        assert there[number].computed
        assert there[number].key == done.key
        for name, values in done.entry.arrays.items():
            np.testing.assert_array_equal(there[number].entry.arrays[name], values)


def test_an_error_of_a_worker_arrives_whole(scheduler, tmp_path) -> None:
    def fail() -> None:
        raise DataError("021_csv.txt: expected numbers, got none; get the file again")

    with pytest.raises(DataError, match=r"^021_csv\.txt: expected numbers"), cluster_pool(scheduler) as pool:
        pool.submit(fail).result()


def test_work_that_kills_its_workers_is_one_line(scheduler) -> None:
    def killed() -> None:
        # What the scheduler raises in the place of work whose workers died one after the other.
        raise distributed.KilledWorker("a training", SimpleNamespace(address="tcp://there"), 3)

    with pytest.raises(DataError, match="lost work"), cluster_pool(scheduler) as pool:
        pool.submit(killed).result()


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense://x", "127.0.0.1"])
def test_nobody_at_the_address_is_one_line(address, monkeypatch) -> None:
    monkeypatch.setattr("offline.cluster.CONNECT_S", 1.0)
    with pytest.raises(ConfigError, match="expected a running Dask scheduler"), cluster_pool(address):
        pass


def test_a_cluster_without_workers_is_refused() -> None:
    with (
        cluster_of(0) as address,
        pytest.raises(ConfigError, match="expected workers"),
        cluster_pool(address),
    ):
        pass


def test_without_the_option_nothing_of_dask_is_loaded() -> None:
    code = (
        "import sys, offline.study, offline.fitting, offline.compute, offline.fit_runner, offline.workers\n"
        "assert not {'dask', 'distributed'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
