"""Archives: where files go, and what is refused."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import pytest

from rtasmr import dataset_zip
from rtasmr.dataset_zip import archives_of, laid_out, members, place, unpack
from rtasmr.errors import DataError


def write(archive: Path, contents: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(archive, "w", compression) as file:
        for name, body in contents.items():
            file.writestr(name, body)
    return archive


def targets(archive: Path) -> list[str]:
    return [member.target for member in members(archive)]


@pytest.mark.parametrize(
    ("path", "stem", "target"),
    [
        ("log/021-1.log", "", "log/021-1.log"),
        ("REST-ASMR/PPG/021_csv.txt", "", "ppg/021_csv.txt"),
        ("data/Stimuli/ASMR1.avi", "", "stim/ASMR1.avi"),
        ("data\\ppg\\021_csv.txt", "", "ppg/021_csv.txt"),
        ("021-1.LOG", "", "log/021-1.LOG"),
        ("021_csv.txt.xz", "", "ppg/021_csv.txt.xz"),
        ("nature1.avi", "", "stim/nature1.avi"),
        ("021.txt", "ppg", "ppg/021.txt"),
        ("log/021_csv.txt", "stim", "log/021_csv.txt"),
        ("README.md", "REST-ASMR", "README.md"),
        ("doc/README.md", "", "doc/README.md"),
    ],
)
def test_places(path: str, stem: str, target: str) -> None:
    assert place(path, stem) == target


@pytest.mark.parametrize(
    "path", ["../a.log", "/a.log", "C:/a.log", "log/../../a.log", "..\\a.log", "", "a\0b"]
)
def test_a_path_that_leads_out_is_refused(path: str) -> None:
    with pytest.raises(DataError, match="inside the data set"):
        place(path)


def test_a_folder_around_everything_and_system_files_are_left_out(tmp_path: Path) -> None:
    contents = {"set/log/021-1.log": b"a", "set/README.md": b"b", "__MACOSX/set/log/._021-1.log": b"c"}
    assert targets(write(tmp_path / "a.zip", contents)) == ["log/021-1.log", "README.md"]
    assert targets(write(tmp_path / "log.zip", {"log/021-1.log": b"a", "log/.DS_Store": b"b"})) == [
        "log/021-1.log"
    ]


def test_a_simulated_set_stays_marked(tmp_path: Path) -> None:
    contents = {"study/log/021-1.log": b"a", "study/SIMULATED.json": b"{}"}
    assert targets(write(tmp_path / "study.zip", contents)) == ["log/021-1.log", "SIMULATED.json"]


def test_what_counts_as_zipped(tmp_path: Path) -> None:
    archive = write(tmp_path / "log.zip", {"a": b""})
    assert archives_of(archive) == (archive,)
    assert archives_of(tmp_path) == (archive,)
    (tmp_path / "log").mkdir()
    assert archives_of(tmp_path) == ()
    assert archives_of(tmp_path / "nothing") == ()


def test_a_link_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as file:
        link = zipfile.ZipInfo("log/021-1.log")
        link.create_system = 3
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(link, "/etc/passwd")
    with pytest.raises(DataError, match=r"'log/021-1\.log' is a link or device"):
        unpack(archive, tmp_path / "set", tmp_path / "staging")
    assert not (tmp_path / "set").exists()


def test_an_archive_made_to_fill_the_disk_is_refused(tmp_path: Path) -> None:
    archive = write(tmp_path / "a.zip", {"ppg/021_csv.txt": bytes(dataset_zip.SMALL_BYTES + 1)})
    with pytest.raises(
        DataError, match=r"expected at most 10000 files and 67108864 bytes .* 67108865; refused"
    ):
        members(archive)


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    archive = write(tmp_path / "a.zip", {f"log/{k}-1.log": b"" for k in range(10_001)}, zipfile.ZIP_STORED)
    with pytest.raises(DataError, match="got 10001 and 0; refused"):
        members(archive)


@pytest.mark.parametrize("second", ["old/021-1.log", "LOG/021-1.LOG"])
def test_two_files_for_one_place_are_refused(tmp_path: Path, second: str) -> None:
    archive = write(tmp_path / "a.zip", {"log/021-1.log": b"a", second: b"b"})
    with pytest.raises(DataError, match=r"expected one file for log/021-1"):
        members(archive)


def test_an_encrypted_archive_is_named(tmp_path: Path) -> None:
    archive = write(tmp_path / "a.zip", {"log/021-1.log": b"a"})
    content = bytearray(archive.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1  # the entry's flag "encrypted" in the directory
    archive.write_bytes(content)
    with pytest.raises(DataError, match="needs a password"):
        members(archive)


def test_a_damaged_member_never_appears(tmp_path: Path) -> None:
    archive = write(
        tmp_path / "a.zip", {"log/1-1.log": b"a" * 99, "log/2-1.log": b"b" * 99}, zipfile.ZIP_STORED
    )
    archive.write_bytes(archive.read_bytes().replace(b"b" * 99, b"b" * 98 + b"c"))
    with pytest.raises(
        DataError, match=r"a\.zip: expected a whole zip archive, got a damaged one \(Bad CRC-32"
    ):
        unpack(archive, tmp_path / "set", tmp_path / "staging")
    assert [path.name for path in (tmp_path / "set").rglob("*.log")] == ["1-1.log"]


def test_unpacked_files_are_kept_replaced_or_protected(tmp_path: Path) -> None:
    archive = write(tmp_path / "a.zip", {"log/1-1.log": b"one", "log/2-1.log": b"two"})
    root, staging = tmp_path / "set", tmp_path / "staging"
    told: list[int] = []
    first = unpack(archive, root, staging, report=told.append)
    assert told == [3, 6]
    # SHA-256 of "one", as coreutils' sha256sum gives it
    assert first[0].sha256 == "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"
    before = (root / "log" / "1-1.log").stat().st_mtime_ns
    (root / "log" / "2-1.log").write_bytes(b"TWO")
    with pytest.raises(DataError, match=r"2-1\.log: expected the file of a\.zip, found another"):
        unpack(archive, root, staging)
    assert unpack(archive, root, staging, replaceable=["log/2-1.log"]) == first
    assert (root / "log" / "2-1.log").read_bytes() == b"two"
    assert (root / "log" / "1-1.log").stat().st_mtime_ns == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
def test_room_is_asked_for_only_where_it_lacks(tmp_path: Path) -> None:
    archive = write(tmp_path / "log.zip", {"021-1.log": b"a"})
    (tmp_path / "member.part").symlink_to("/dev/full")
    told = r"021-1\.log could not be written to .* \(No space left on device\); make room or name another "
    with pytest.raises(DataError, match=told):
        unpack(archive, tmp_path / "set", tmp_path)
    with pytest.raises(DataError, match=r"\(File exists\); name another folder, and run again$"):
        unpack(archive, tmp_path / "set", archive)


def test_a_zipped_set_takes_room_for_one_large_file_at_a_time(tmp_path: Path) -> None:
    contents = {"log/1-1.log": b"log", "ppg/1_csv.txt": b"pulse", "stim/ASMR1.avi": b"film"}
    with laid_out(write(tmp_path / "a.zip", contents)) as (folder, fill):
        sizes = {path.relative_to(folder).as_posix(): path.stat().st_size for path in folder.rglob("*.*")}
        assert sizes == {"log/1-1.log": 3, "ppg/1_csv.txt": 0, "stim/ASMR1.avi": 0}
        with fill(folder / "ppg" / "1_csv.txt"):
            assert (folder / "ppg" / "1_csv.txt").read_bytes() == b"pulse"
        assert (folder / "ppg" / "1_csv.txt").stat().st_size == 0
    assert not folder.exists()


def test_two_archives_with_one_file_are_refused(tmp_path: Path) -> None:
    for name in ("a.zip", "b.zip"):
        write(tmp_path / name, {"log/1-1.log": b"log"})
    with pytest.raises(DataError, match=r"a\.zip and b\.zip both hold log/1-1\.log"), laid_out(tmp_path):
        pass
