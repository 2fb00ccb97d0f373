"""The published data set and predictions become a folder that opens, or say why not."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from offline.download import PREDICTIONS, What, download, unpack_local
from offline.manifest import Manifest
from offline.web import Client
from rtasmr.dataset import DataSet
from rtasmr.errors import DataError
from rtasmr.types import VIDEOS

if TYPE_CHECKING:
    from tests.offline.download.conftest import Server

LOG = "Subject\tTrial\tEvent Type\tCode\tTime\n021\t2\tVideo\tvid1\t643000\n"
SET = {
    "log/021-1-20211022-d28c98dd.log": LOG.encode(),
    "ppg/021_csv.txt": b"pulse" * 999,
    **{f"stim/ASMR{k}.avi": bytes([k]) * 2000 for k in range(1, 5)},
    **{f"stim/nature{k}.avi": bytes([k + 4]) * 2000 for k in range(1, 5)},
}


def archive_of(contents: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, body in contents.items():
            file.writestr(name, body)
    return buffer.getvalue()


def whole_archive() -> dict[str, bytes]:
    return {"REST-ASMR.zip": archive_of({f"REST-ASMR/{name}": body for name, body in SET.items()})}


def standing(root: Path) -> dict[str, bytes]:
    """Return all files of a folder but the manifest."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path.name != "download.json"
    }


@pytest.mark.parametrize("shape", ["zenodo", "invenio", "listing"])
def test_one_archive_becomes_a_data_set(server: Server, client: Client, tmp_path: Path, shape: str) -> None:
    sources = server.publish(whole_archive(), shape)
    out = tmp_path / "data"
    paths = download(out, What.DATASET, sources=sources, client=client)
    assert standing(out) == SET
    assert sorted(paths) == sorted(out / name for name in SET)
    dataset = DataSet.open(out)
    assert dataset.participants == (21,)
    assert set(dataset.stimulus_files) == set(VIDEOS)
    assert not any("download" in warning for warning in dataset.warnings)


def test_archives_per_folder_and_single_files_become_a_data_set(
    server: Server, client: Client, tmp_path: Path
) -> None:
    contents = {
        "README.md": b"read me",
        "stim.zip": archive_of({n.removeprefix("stim/"): b for n, b in SET.items() if n.startswith("stim")}),
        "PPG.zip": archive_of({"021_csv.txt": SET["ppg/021_csv.txt"], "__MACOSX/._021_csv.txt": b"junk"}),
        "021-1-20211022-d28c98dd.log": LOG.encode(),
    }
    sources = server.publish(contents)
    download(tmp_path / "data", What.DATASET, sources=sources, client=client)
    assert standing(tmp_path / "data") == {**SET, "README.md": b"read me"}


def test_a_second_run_verifies_and_asks_for_nothing(server: Server, client: Client, tmp_path: Path) -> None:
    sources = server.publish(whole_archive())
    first = download(tmp_path, sources=sources, client=client)
    server.requests.clear()
    assert download(tmp_path, sources=sources, client=client) == first
    assert server.requests == []


def test_a_changed_file_is_found_and_got_again(server: Server, client: Client, tmp_path: Path) -> None:
    stim = {name: body for name, body in SET.items() if name.startswith("stim")}
    rest = {name: body for name, body in SET.items() if not name.startswith("stim")}
    sources = server.publish({"stim.zip": archive_of(stim), "rest.zip": archive_of(rest)})
    download(tmp_path, What.DATASET, sources=sources, client=client)
    (tmp_path / "stim" / "ASMR2.avi").write_bytes(b"\0" * 2000)
    server.requests.clear()
    download(tmp_path, What.DATASET, sources=sources, client=client)
    assert standing(tmp_path) == SET
    assert [path for path, _ in server.requests] == [server.record, f"{server.record}/files/stim.zip/content"]


def test_an_interrupted_data_set_is_not_taken_for_finished_and_goes_on(
    server: Server, client: Client, tmp_path: Path
) -> None:
    log = {name: body for name, body in SET.items() if name.startswith("log")}
    rest = {name: body for name, body in SET.items() if not name.startswith("log")}
    contents = {"log.zip": archive_of(log), "rest.zip": archive_of(rest)}
    sources = server.publish(contents)
    path = f"{server.record}/files/rest.zip/content"
    server.faults[path] = [server.cut(path, 100)] * 4
    with pytest.raises(DataError, match="connection ended at 100 of"):
        download(tmp_path, What.DATASET, sources=sources, client=client)
    manifest = Manifest.load(tmp_path)
    assert manifest is not None
    assert not manifest.complete
    server.requests.clear()
    download(tmp_path, What.DATASET, sources=sources, client=client)
    assert standing(tmp_path) == SET
    assert server.requests == [(server.record, ""), (path, "bytes=100-")]


def test_a_run_ended_while_unpacking_unpacks_without_getting_again(
    server: Server, client: Client, tmp_path: Path
) -> None:
    contents = whole_archive()
    sources = server.publish(contents)
    (tmp_path / ".download").mkdir()
    (tmp_path / ".download" / "REST-ASMR.zip").write_bytes(contents["REST-ASMR.zip"])
    (tmp_path / ".download" / "member.part").write_bytes(b"half")
    download(tmp_path, What.DATASET, sources=sources, client=client)
    assert standing(tmp_path) == SET
    assert server.requests == [(server.record, "")]


def test_room_is_asked_for_before_anything_is_got(server: Server, client: Client, tmp_path: Path) -> None:
    contents = whole_archive()
    sources = server.publish(contents)
    with pytest.raises(DataError, match=r"at least 0\.000 GB are needed, 0\.000 GB are free; make room"):
        download(tmp_path, What.DATASET, sources=sources, client=client, free=lambda _folder: 10)
    assert [path for path, _ in server.requests] == [server.record]
    assert standing(tmp_path) == {}
    n_bytes = len(contents["REST-ASMR.zip"])
    with pytest.raises(DataError, match="are needed"):
        download(tmp_path, What.DATASET, sources=sources, client=client, free=lambda _folder: 2 * n_bytes - 1)


def test_room_for_what_an_archive_holds_is_asked_for_before_unpacking(
    server: Server, client: Client, tmp_path: Path
) -> None:
    contents = whole_archive()
    sources = server.publish(contents)
    n_bytes = len(contents["REST-ASMR.zip"])
    assert 2 * n_bytes < sum(map(len, SET.values()))
    with pytest.raises(DataError, match="are needed"):
        download(tmp_path, What.DATASET, sources=sources, client=client, free=lambda _folder: 2 * n_bytes)
    assert set(standing(tmp_path)) == {".download/REST-ASMR.zip"}
    download(tmp_path, What.DATASET, sources=sources, client=client)
    assert standing(tmp_path) == SET


def test_a_cut_archive_on_the_server_is_named(server: Server, client: Client, tmp_path: Path) -> None:
    body = whole_archive()["REST-ASMR.zip"]
    sources = server.publish({"REST-ASMR.zip": body[:-40]})
    with pytest.raises(DataError, match=r"REST-ASMR\.zip: expected a whole zip archive"):
        download(tmp_path, What.DATASET, sources=sources, client=client)
    assert not any((tmp_path / name).exists() for name in ("log", "ppg", "stim"))


@pytest.mark.parametrize(
    "name", ["../outside.log", "/tmp/outside.log", "C:\\outside.log", "log\\..\\..\\x.log"]
)
def test_an_archive_that_leaves_its_folder_is_refused(
    server: Server, client: Client, tmp_path: Path, name: str
) -> None:
    sources = server.publish({"REST-ASMR.zip": archive_of({**SET, name: b"evil"})})
    with pytest.raises(DataError, match=r"REST-ASMR\.zip: expected the name of a file inside the data set"):
        download(tmp_path / "data", What.DATASET, sources=sources, client=client)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["download.json", "REST-ASMR.zip"]


def test_a_record_without_a_data_set_is_named(server: Server, client: Client, tmp_path: Path) -> None:
    sources = server.publish({"code.tar.gz": b"code"})
    with pytest.raises(DataError, match=r"got none for log and ppg and stim from code\.tar\.gz"):
        download(tmp_path, What.DATASET, sources=sources, client=client)


def test_a_file_of_the_user_is_not_overwritten(server: Server, client: Client, tmp_path: Path) -> None:
    sources = server.publish(whole_archive())
    (tmp_path / "ppg").mkdir()
    (tmp_path / "ppg" / "021_csv.txt").write_bytes(b"mine")
    with pytest.raises(DataError, match=r"021_csv\.txt: expected the file of REST-ASMR\.zip, found another"):
        download(tmp_path, What.DATASET, sources=sources, client=client)
    assert (tmp_path / "ppg" / "021_csv.txt").read_bytes() == b"mine"


def test_a_folder_that_cannot_be_written_is_named(server: Server, client: Client, tmp_path: Path) -> None:
    sources = server.publish(whole_archive())
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataError, match=r"file: expected a folder to write to"):
        download(tmp_path / "file", What.DATASET, sources=sources, client=client)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "log").write_bytes(b"")
    with pytest.raises(DataError, match=r"021-1-20211022-d28c98dd\.log: cannot be written"):
        download(tmp_path / "data", What.DATASET, sources=sources, client=client)


def test_a_simulated_set_is_not_mixed_with_real_data(server: Server, client: Client, tmp_path: Path) -> None:
    (tmp_path / "SIMULATED.json").write_text("{}")
    with pytest.raises(DataError, match="found a simulated set"):
        download(tmp_path, sources=server.publish({}), client=client)


def test_another_record_is_not_mixed_in(server: Server, client: Client, tmp_path: Path) -> None:
    sources = server.publish(whole_archive())
    download(tmp_path, What.DATASET, sources=sources, client=client)
    (tmp_path / "ppg" / "021_csv.txt").unlink()
    server.files[server.record] = server.files[server.record].replace(
        b"10.5281/zenodo.18881334", b"10.5281/zenodo.7"
    )
    with pytest.raises(DataError, match=r"found those of 10\.5281/zenodo\.18881334; name another folder"):
        download(tmp_path, What.DATASET, sources=sources, client=client)


def test_progress_rises_to_the_end(server: Server, client: Client, tmp_path: Path) -> None:
    told: list[tuple[str, float]] = []
    sources = server.publish(whole_archive())
    download(tmp_path, What.DATASET, sources=sources, client=client, progress=lambda *what: told.append(what))
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert told[-1][0].startswith("unpacking REST-ASMR.zip")


def test_one_publisher_out_of_reach_does_not_cost_the_other(
    server: Server, client: Client, tmp_path: Path
) -> None:
    sources = server.publish(whole_archive())
    del server.files["/predictions.pkl"]
    with pytest.raises(DataError, match=r"predictions\.pkl: expected a file, the server has none"):
        download(tmp_path, sources=sources, client=client)
    assert standing(tmp_path) == SET


def test_a_zipped_simulated_set_is_unpacked_again_and_not_mixed(tmp_path: Path) -> None:
    (tmp_path / "set.zip").write_bytes(archive_of({**SET, "SIMULATED.json": b'{"complete": true}'}))
    first = unpack_local(tmp_path / "set.zip", tmp_path / "data")
    assert DataSet.open(tmp_path / "data").is_simulated
    (tmp_path / "data" / "stim" / "ASMR1.avi").write_bytes(b"damaged")
    assert unpack_local(tmp_path / "set.zip", tmp_path / "data") == first
    assert standing(tmp_path / "data")["stim/ASMR1.avi"] == SET["stim/ASMR1.avi"]
    (tmp_path / "other.zip").write_bytes(archive_of({"ppg/021_csv.txt": b"of another set"}))
    with pytest.raises(DataError, match=r"021_csv\.txt: expected the file of other\.zip, found another"):
        unpack_local(tmp_path / "other.zip", tmp_path / "data")


def test_archives_are_unpacked_where_they_lie_as_often_as_wanted(tmp_path: Path) -> None:
    for folder in ("log", "ppg", "stim"):
        contents = {name: body for name, body in SET.items() if name.startswith(folder)}
        (tmp_path / f"{folder}.zip").write_bytes(archive_of(contents))
    for _ in range(2):
        unpack_local(tmp_path, tmp_path)
        assert {name: standing(tmp_path)[name] for name in SET} == SET


def test_archives_from_a_browser_are_unpacked_and_known_to_a_later_download(
    server: Server, client: Client, tmp_path: Path
) -> None:
    contents = whole_archive()
    sources = server.publish(contents)
    (tmp_path / "REST-ASMR.zip").write_bytes(contents["REST-ASMR.zip"])
    out = tmp_path / "data"
    unpack_local(tmp_path / "REST-ASMR.zip", out)
    assert standing(out) == SET
    assert DataSet.open(out).participants == (21,)
    (out / "ppg" / "021_csv.txt").unlink()
    with pytest.raises(DataError, match="expected a zip archive or a folder with some, found none"):
        unpack_local(tmp_path / "data", tmp_path / "second")
    download(out, What.DATASET, sources=sources, client=client)
    assert standing(out) == SET


def test_predictions_are_got_once_and_verified(server: Server, client: Client, tmp_path: Path) -> None:
    sources = server.publish({})
    (path,) = download(tmp_path, What.PREDICTIONS, sources=sources, client=client)
    assert path == tmp_path / "predictions.pkl"
    assert path.read_bytes() == b"p" * 5000
    download(tmp_path, What.PREDICTIONS, sources=sources, client=client)
    assert server.asked_for("/predictions.pkl") == [""]
    path.write_bytes(b"q")
    download(tmp_path, What.PREDICTIONS, sources=sources, client=client)
    assert path.read_bytes() == b"p" * 5000
    assert standing(tmp_path) == {"predictions.pkl": b"p" * 5000}


def test_the_published_predictions_are_the_ones_at_hand(shared_data: Path) -> None:
    body = (shared_data / "published" / PREDICTIONS.name).read_bytes()
    assert f"sha256:{hashlib.sha256(body).hexdigest()}" == PREDICTIONS.checksum
    assert len(body) == PREDICTIONS.n_bytes
