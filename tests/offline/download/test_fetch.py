"""One file from the web: resumed, verified, and each failure in one line."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from offline.fetch import RemoteFile, fetch
from offline.web import Client
from rtasmr.errors import DataError

if TYPE_CHECKING:
    from tests.offline.download.conftest import Server

BODY = bytes(range(256)) * 400
"""102 400 bytes: byte ``k`` is ``k % 256``."""


def test_a_file_arrives_whole(server: Server, client: Client, tmp_path: Path) -> None:
    told: list[int] = []
    fetch(client, server.remote("/a", BODY), tmp_path / "a.part", told.append)
    assert (tmp_path / "a.part").read_bytes() == BODY
    assert told == sorted(told)
    assert told[-1] == len(BODY)
    assert server.asked_for("/a") == [""]


def test_a_broken_connection_is_resumed_where_it_broke(
    server: Server, client: Client, pauses: list[float], tmp_path: Path
) -> None:
    file = server.remote("/a", BODY)
    server.faults["/a"] = [server.cut("/a", 40_000), server.cut("/a", 70_000)]
    fetch(client, file, tmp_path / "a.part")
    assert (tmp_path / "a.part").read_bytes() == BODY
    assert server.asked_for("/a") == ["", "bytes=40000-", "bytes=70000-"]
    assert pauses == [1.0, 2.0]


def test_an_ended_run_is_resumed_by_the_next(server: Server, client: Client, tmp_path: Path) -> None:
    (tmp_path / "a.part").write_bytes(BODY[:12_345])
    fetch(client, server.remote("/a", BODY), tmp_path / "a.part")
    assert (tmp_path / "a.part").read_bytes() == BODY
    assert server.asked_for("/a") == ["bytes=12345-"]


def test_a_silent_server_is_asked_again_from_there(
    server: Server, client: Client, pauses: list[float], tmp_path: Path
) -> None:
    file = server.remote("/a", BODY)
    server.faults["/a"] = [server.stall("/a", 30_000)]
    fetch(client, file, tmp_path / "a.part")
    assert (tmp_path / "a.part").read_bytes() == BODY
    assert server.asked_for("/a") == ["", "bytes=30000-"]
    assert pauses == [1.0]


def test_a_server_that_stays_silent_is_given_up_with_what_came_kept(
    server: Server, client: Client, pauses: list[float], tmp_path: Path
) -> None:
    file = server.remote("/a", BODY)
    server.faults["/a"] = [server.stall("/a", 30_000)] * 4
    with pytest.raises(DataError, match=r"connection broke at byte 30000 \(timed out\); run the"):
        fetch(client, file, tmp_path / "a.part")
    assert (tmp_path / "a.part").read_bytes() == BODY[:30_000]
    assert pauses == [1.0, 2.0, 4.0]


def test_a_server_without_ranges_starts_anew(server: Server, client: Client, tmp_path: Path) -> None:
    server.ranges = False
    file = server.remote("/a", BODY)
    server.faults["/a"] = [server.cut("/a", 40_000)]
    fetch(client, file, tmp_path / "a.part")
    assert (tmp_path / "a.part").read_bytes() == BODY
    assert server.asked_for("/a") == ["", "bytes=40000-"]


def test_a_long_way_gets_new_patience_with_every_megabyte(
    server: Server, client: Client, pauses: list[float], tmp_path: Path
) -> None:
    body = BODY * 60  # 6.1 MB, broken five times, with a patience of three
    file = server.remote("/a", body)
    server.faults["/a"] = [server.cut("/a", k * 2**20) for k in range(1, 6)]
    fetch(client, file, tmp_path / "a.part")
    assert (tmp_path / "a.part").read_bytes() == body
    assert pauses == [1.0] * 5


def test_a_wrong_checksum_leaves_nothing(server: Server, client: Client, tmp_path: Path) -> None:
    file = server.remote("/a", BODY, checksum="md5:" + 32 * "0")
    with pytest.raises(DataError, match=rf"expected md5:0{{32}}, got md5:{hashlib.md5(BODY).hexdigest()}"):
        fetch(client, file, tmp_path / "a.part")
    assert list(tmp_path.iterdir()) == []
    assert len(server.requests) == 1


def test_a_damaged_part_of_an_earlier_run_is_got_again(
    server: Server, client: Client, tmp_path: Path
) -> None:
    (tmp_path / "a.part").write_bytes(b"x" * 1000)
    fetch(client, server.remote("/a", BODY), tmp_path / "a.part")
    assert (tmp_path / "a.part").read_bytes() == BODY
    assert server.asked_for("/a") == ["bytes=1000-", ""]


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (404, r"expected a file, the server has none \(404\)"),
        (403, r"the server refuses access \(403\)"),
        (418, "expected a file, got 418"),
    ],
)
def test_a_final_refusal_is_told_at_once(
    server: Server, client: Client, pauses: list[float], tmp_path: Path, code: int, text: str
) -> None:
    def refuse(request: BaseHTTPRequestHandler) -> bool:
        request.send_error(code)
        return True

    file = server.remote("/a", BODY)
    server.faults["/a"] = [refuse] * 9
    with pytest.raises(DataError, match=text):
        fetch(client, file, tmp_path / "a.part")
    assert len(server.requests) == 1
    assert pauses == []


def refusing(code: int, **headers: str) -> Callable[[BaseHTTPRequestHandler], bool]:
    def refuse(request: BaseHTTPRequestHandler) -> bool:
        request.send_response(code)
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        return True

    return refuse


def test_trouble_of_the_server_is_waited_out(
    server: Server, client: Client, pauses: list[float], tmp_path: Path
) -> None:
    file = server.remote("/a", BODY)
    server.faults["/a"] = [refusing(503), refusing(429, Retry_After="7"), refusing(500)]
    fetch(client, file, tmp_path / "a.part")
    assert (tmp_path / "a.part").read_bytes() == BODY
    assert pauses == [1.0, 7.0, 4.0]


@pytest.mark.parametrize(
    ("fault", "text", "n_requests"),
    [
        (refusing(503), r"the server is in trouble \(503", 4),
        (refusing(429), r"too many requests \(429\); run the command again", 4),
        (
            refusing(429, Retry_After="3600"),
            r"too many requests \(429\), the server asks to wait 3600 s; run",
            1,
        ),
    ],
)
def test_patience_ends(
    server: Server,
    client: Client,
    tmp_path: Path,
    fault: Callable[[BaseHTTPRequestHandler], bool],
    text: str,
    n_requests: int,
) -> None:
    file = server.remote("/a", BODY)
    server.faults["/a"] = [fault] * 9
    with pytest.raises(DataError, match=text):
        fetch(client, file, tmp_path / "a.part")
    assert len(server.requests) == n_requests


def test_a_log_in_page_instead_of_the_file_is_named(server: Server, client: Client, tmp_path: Path) -> None:
    file = server.remote("/a", BODY)
    server.files["/a"] = b"<html>Please log in</html>"
    with pytest.raises(DataError, match="expected 102400 bytes, the server has 26; a log-in page"):
        fetch(client, file, tmp_path / "a.part")


def test_no_connection_is_told_at_once(client: Client, pauses: list[float], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no answer \(Connection refused\); check the network"):
        fetch(client, RemoteFile("a", "http://127.0.0.1:9/a", "md5:00", 1), tmp_path / "a.part")
    assert pauses == []


@pytest.mark.parametrize("url", ["http://example.org/a", "file:///etc/passwd", "ftp://example.org/a"])
def test_only_https_is_asked(client: Client, tmp_path: Path, url: str) -> None:
    with pytest.raises(DataError, match="expected an https address"):
        fetch(client, RemoteFile("a", url, "md5:00", 1), tmp_path / "a.part")


def test_plain_http_is_refused_on_this_machine_too_unless_allowed(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected an https address"):
        fetch(Client(), server.remote("/a", BODY), tmp_path / "a.part")
    assert server.requests == []


def test_redirects_are_followed_but_not_to_anywhere(server: Server, client: Client, tmp_path: Path) -> None:
    file = server.remote("/a", BODY)
    server.remote("/b", BODY)
    server.faults["/a"] = [refusing(302, Location="/b"), refusing(302, Location="http://example.org/b")]
    fetch(client, file, tmp_path / "a.part")
    assert (tmp_path / "a.part").read_bytes() == BODY
    with pytest.raises(DataError, match=r"http://example\.org/b: expected an https address"):
        fetch(client, file, tmp_path / "second.part")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
def test_a_disk_that_fills_up_is_named(server: Server, client: Client, tmp_path: Path) -> None:
    (tmp_path / "a.part").symlink_to("/dev/full")
    told = r"cannot be written \(No space left on device\); make room, then run the command"
    with pytest.raises(DataError, match=told):
        fetch(client, server.remote("/a", BODY), tmp_path / "a.part")
    assert len(server.requests) == 1


def test_a_folder_that_cannot_be_written_is_named(server: Server, client: Client, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataError, match=r"a\.part: cannot be written \(.*\); name another folder"):
        fetch(client, server.remote("/a", BODY), tmp_path / "file" / "a.part")
