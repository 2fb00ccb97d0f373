"""The feature cache: whole entries only, by content only, for any number of runs."""

from __future__ import annotations

import logging
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from offline import cache as cache_module
from offline.cache import Entry, FeatureCache, content_key, default_cache_folder
from rtasmr.errors import DataError

KEY = content_key({"file_sha256": "0" * 64, "rate": 10})


@pytest.fixture
def cache(tmp_path: Path) -> FeatureCache:
    return FeatureCache(tmp_path / "cache")


@pytest.fixture
def entry(rng) -> Entry:
    return Entry(
        {"vid1": rng.normal(size=(7, 3)).astype(np.float32), "vid2": np.full((2, 1), np.nan)}, ("a note",)
    )


def written(path: Path, content: bytes) -> Path:

    path.write_bytes(content)
    return path


@pytest.fixture
def _settled_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "SETTLED_AGE_S", -1.0)


def files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_an_entry_comes_back_as_it_went_in(cache, entry):
    assert cache.get(KEY) is None
    cache.put(KEY, entry)
    found = FeatureCache(cache.folder).get(KEY)
    assert found is not None
    assert found.notes == ("a note",)
    assert found.arrays.keys() == entry.arrays.keys()
    for name, array in entry.arrays.items():
        np.testing.assert_array_equal(found.arrays[name], array)
        assert found.arrays[name].dtype == array.dtype


def test_the_key_is_of_the_content_not_of_its_order():
    assert content_key({"a": 1, "b": [2.5, "x"]}) == content_key({"b": [2.5, "x"], "a": 1})
    keys = {content_key({"a": value}) for value in (1, 1.5, "1", [1], None)}
    assert len(keys) == 5


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "foreign"])
def test_a_damaged_entry_counts_as_absent_and_is_named(cache, entry, damage, caplog):
    cache.put(KEY, entry)
    (path,) = files_in(cache.folder)
    whole = path.read_bytes()
    middle = whole.index(entry.arrays["vid1"].tobytes()) + 5
    path.write_bytes(
        {
            "cut": whole[: len(whole) // 2],
            "flipped": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
            "empty": b"",
            "foreign": b"not an archive at all",
        }[damage]
    )
    with caplog.at_level(logging.WARNING):
        assert cache.get(KEY) is None
    assert path.name in caplog.text
    cache.put(KEY, entry)
    assert cache.get(KEY) is not None


def test_an_entry_whose_writing_fails_is_not_there_afterwards(cache, entry, monkeypatch, caplog):
    def full_disk(file, **arrays):
        file.write(b"half of it")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING):
        patch.setattr(np, "savez", full_disk)
        cache.put(KEY, entry)
        cache.put(KEY, entry)
    assert caplog.text.count("No space left on device") == 1  # said once
    assert files_in(cache.folder) == []
    cache.put(KEY, entry)
    assert cache.get(KEY) is not None


def test_a_folder_that_cannot_be_made_keeps_nothing_and_breaks_nothing(tmp_path, entry, caplog):
    (tmp_path / "file").write_text("in the way")
    cache = FeatureCache(tmp_path / "file" / "cache")
    with caplog.at_level(logging.WARNING):
        cache.put(KEY, entry)
    assert "can not be written" in caplog.text
    assert cache.size_bytes() == 0


def test_runs_that_write_the_same_entry_do_not_disturb_each_other(cache, entry):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: FeatureCache(cache.folder).put(KEY, entry), range(32)))
    assert len(files_in(cache.folder)) == 1
    found = cache.get(KEY)
    assert found is not None
    np.testing.assert_array_equal(found.arrays["vid1"], entry.arrays["vid1"])


@pytest.mark.usefixtures("_settled_at_once")
def test_a_digest_is_remembered_until_the_file_is_touched(cache, tmp_path):
    path = written(tmp_path / "021_csv.txt", b"abc")
    # SHA-256 of "abc", FIPS 180-2.
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert cache.known_digest(path) is None
    assert cache.digest(path) == known
    assert FeatureCache(cache.folder).known_digest(path) == known
    path.write_bytes(b"abd")
    assert cache.known_digest(path) is None
    assert cache.digest(path) != known


@pytest.mark.usefixtures("_settled_at_once")
def test_a_change_that_keeps_size_and_date_is_seen(cache, tmp_path):
    path = written(tmp_path / "f", b"abc")
    before = path.stat()
    first = cache.digest(path)
    other = written(tmp_path / "g", b"xyz")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)
    assert cache.known_digest(path) is None
    assert cache.digest(path) != first


def test_a_file_changed_just_now_is_read_again(cache, tmp_path):
    """It may change once more within one step of the file system's clock."""
    path = written(tmp_path / "f", b"abc")
    os.utime(path, ns=(0, 0))  # an old date says nothing: the change of the date is new
    cache.digest(path)
    assert cache.known_digest(path) is None


def test_a_file_that_is_not_there_is_named(cache, tmp_path):
    with pytest.raises(DataError, match=r"gone\.txt: can not be read"):
        cache.digest(tmp_path / "gone.txt")


def test_the_size_is_that_of_all_files(cache, entry):
    cache.put(KEY, entry)
    cache.put(content_key({"other": 1}), entry)
    assert cache.size_bytes() == sum(path.stat().st_size for path in files_in(cache.folder)) > 0


def test_parts_of_killed_runs_go_after_a_day_and_others_stay(cache, entry):
    cache.put(KEY, entry)
    folder = files_in(cache.folder)[0].parent
    old, new = folder / ".part-old", folder / ".part-new"
    for part in (old, new):
        part.write_bytes(b"half")
    os.utime(old, (0, 0))
    cache.remove_leftovers()
    assert not old.exists()
    assert new.exists()
    assert cache.get(KEY) is not None


def test_the_default_folder_follows_the_home_variable(monkeypatch, tmp_path):
    monkeypatch.setenv("RTASMR_HOME", str(tmp_path))
    assert default_cache_folder() == tmp_path / "cache" / "features"
