from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from multiprocessing.connection import Client
from pathlib import Path

import numpy as np
import pytest

from rtasmr.errors import DataError
from rtasmr.link import LinkError, SnapshotClient, SnapshotServer, SnapshotStore
from rtasmr.link.request import MAX_HOLD_S, Request
from rtasmr.link.wire import MAX_REQUEST_BYTES, answer_to, read_link_file
from rtasmr.snapshot import SNAPSHOT_VERSION, Command, RunState, Snapshot, TickRecord, decode
from rtasmr.types import Status

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="looks at POSIX sockets and modes")

PATIENCE_S = 10.0


def record(i: int) -> TickRecord:
    return TickRecord(0, "vid1", i, 100.0 + i / 10, i / 10_000, Status.OK, 7, 0)


def records(n: int, first: int = 0) -> list[TickRecord]:
    return [record(i) for i in range(first, first + n)]


@pytest.fixture
def store() -> SnapshotStore:
    return SnapshotStore()


@pytest.fixture
def server(store: SnapshotStore) -> Iterator[SnapshotServer]:
    with SnapshotServer(store) as running:
        yield running


@pytest.fixture
def client(server: SnapshotServer) -> Iterator[SnapshotClient]:
    attached = SnapshotClient(server.link_file)
    yield attached
    attached.close()


def poll(client: SnapshotClient) -> Snapshot:
    snapshot = client.poll(PATIENCE_S)
    assert snapshot is not None
    return snapshot


def drain(client: SnapshotClient) -> list[TickRecord]:
    """All records up to now."""
    found: list[TickRecord] = []
    while True:
        snapshot = poll(client)
        found += snapshot.records
        if snapshot.n_behind == 0:
            return found


class TestAttach:
    def test_a_window_gets_the_state_and_then_what_is_new(self, store: SnapshotStore, client: SnapshotClient):
        store.update(state=RunState.RUNNING, message="hello")
        store.update(records(3))
        first = poll(client)
        assert (first.state, first.message) == (RunState.RUNNING, "hello")
        assert first.records == tuple(records(3))
        assert client.poll(0.1) is None  # nothing new
        store.update(records(1, first=3))
        assert [r.tick for r in poll(client).records] == [3]

    def test_what_a_window_says_of_its_drawing_is_kept(self, store: SnapshotStore, client: SnapshotClient):
        store.update(records(1))
        poll(client)
        assert math.isnan(store.drawn().p50)
        for seconds in (0.020, -1.0, 1e6, 0.040):
            client.note_drawn(seconds)
            store.update(message=f"{seconds}")
            poll(client)
        assert store.drawn().as_dict() == {"p50": 30.0, "p99": 39.8, "max": 40.0}

    def test_ten_minutes_of_history_come_in_portions(self, store: SnapshotStore, client: SnapshotClient):
        store.update(records(7000))
        assert drain(client) == records(6000, first=1000)

    def test_a_slow_window_gets_the_newest_state_and_every_record(
        self, store: SnapshotStore, client: SnapshotClient
    ):
        poll(client)
        for i in range(500):
            store.update(records(1, first=i))
            store.update(now_s=float(i))
        snapshot = poll(client)
        assert snapshot.now_s == 499.0
        assert snapshot.records == tuple(records(500))

    def test_a_window_that_never_reads_holds_nobody_up(self, store: SnapshotStore, server: SnapshotServer):
        store.update(message="x" * 500_000)  # more than the socket holds
        stuck = raw_attach(server)
        stuck.send_bytes(request())
        store.update(records(5))
        other = SnapshotClient(server.link_file)
        assert len(poll(other).records) == 5
        other.close()
        server.close(drain_s=0.0)
        assert not link_threads()
        stuck.close()

    def test_a_fifth_window_is_refused(self, server: SnapshotServer):
        clients = [SnapshotClient(server.link_file) for _ in range(5)]
        for client in clients[:4]:
            poll(client)
        with pytest.raises(LinkError, match="at most 4 windows"):
            clients[4].poll(PATIENCE_S)
        for client in clients:
            client.close()

    def test_the_same_client_goes_on_after_a_break(self, store: SnapshotStore, client: SnapshotClient):
        store.update(records(3))
        poll(client)
        client.close()
        store.update(records(2, first=3))
        assert [r.tick for r in poll(client).records] == [3, 4]

    def test_the_first_answer_after_a_break_is_a_snapshot_even_if_nothing_changed(
        self, store: SnapshotStore, client: SnapshotClient
    ):
        store.update(records(3))
        poll(client)
        client.close()
        assert poll(client).records == ()

    def test_a_killed_window_leaves_the_runtime_and_the_next_gets_the_history(
        self, store: SnapshotStore, server: SnapshotServer
    ):
        store.update(records(1000))
        script = (
            "import sys, pathlib; from rtasmr.link import SnapshotClient\n"
            "c = SnapshotClient(pathlib.Path(sys.argv[1])); c.poll(10)\n"
            "print('attached', flush=True); sys.stdin.read()"
        )
        command = [sys.executable, "-c", script, str(server.link_file)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as window:
            assert window.stdout is not None
            assert window.stdout.readline() == "attached\n"
            assert server.n_clients == 1
            os.kill(window.pid, signal.SIGKILL)
        again = SnapshotClient(server.link_file)
        assert len(drain(again)) == 1000
        again.close()


class TestRefusals:
    def test_a_wrong_key_is_refused(self, server: SnapshotServer, tmp_path: Path):
        address, _ = read_link_file(server.link_file)
        forged = tmp_path / "link.json"
        forged.write_text(json.dumps({"address": address, "key": "00" * 32}))
        with pytest.raises(LinkError, match="expected the key"):
            SnapshotClient(forged).poll(PATIENCE_S)
        assert server.n_clients == 0

    @pytest.mark.parametrize(
        "answer",
        [b"", b"\x80\x04\x95", b"[" * 900, b"[]", b'{"answer": 7}', "{'ä'}".encode("latin-1"), b"x" * 5000],
    )
    def test_bytes_that_are_no_answer_are_refused(
        self, server: SnapshotServer, client: SnapshotClient, answer: bytes
    ):
        address, _ = read_link_file(server.link_file)
        with Client(address) as hostile:
            assert "challenge" in json.loads(hostile.recv_bytes())
            hostile.send_bytes(answer)
            assert b"attached" not in until_closed(hostile)
        assert poll(client).state is RunState.WAITING

    @pytest.mark.parametrize(
        "message",
        [
            b"\x00",
            b"{}",
            b'{"since_seq": "1", "revision": 0, "session": ""}',
            b'{"since_seq": 1, "revision": 0, "session": "", "hold_s": true}',
            b'{"since_seq": 1, "revision": 0, "session": "", "wave_s": 1' + b"0" * 900 + b"}",
            b'{"since_seq": 1, "revision": 0, "session": "", "command": "format"}',
            b'{"since_seq": 1, "revision": 0, "session": "", "command": ["end"]}',
            b"[" * 1000,
        ],
    )
    def test_a_hostile_request_ends_its_own_connection_only(
        self, server: SnapshotServer, client: SnapshotClient, message: bytes
    ):
        hostile = raw_attach(server)
        hostile.send_bytes(message)
        with pytest.raises((EOFError, ConnectionError)):
            hostile.recv_bytes()
        hostile.close()
        assert poll(client).state is RunState.WAITING

    def test_100_000_random_messages_are_requests_or_refused(self, rng: np.random.Generator):
        plain = np.frombuffer(request(), dtype=np.uint8)
        n_refused = 0
        for i in range(100_000):
            if i % 2:
                message = rng.bytes(rng.integers(0, 64))
            else:
                mutant = plain.copy()
                mutant[rng.integers(0, len(mutant), 2)] = rng.integers(0, 256, 2)
                message = mutant.tobytes()
            try:
                assert isinstance(Request.decode(message), Request)
            except DataError:
                n_refused += 1
        assert 50_000 <= n_refused < 100_000

    def test_random_messages_on_attached_connections_harm_nobody(
        self, server: SnapshotServer, client: SnapshotClient, rng: np.random.Generator
    ):
        plain = np.frombuffer(request(), dtype=np.uint8)
        for _ in range(200):
            hostile = raw_attach(server)
            mutant = plain.copy()
            mutant[rng.integers(0, len(mutant), 3)] = rng.integers(0, 256, 3)
            messages = (mutant.tobytes(), rng.bytes(rng.integers(0, 2 * MAX_REQUEST_BYTES)), b"\x00")
            with contextlib.suppress(ConnectionError):  # dropped at the first one that is no request
                for message in messages:
                    hostile.send_bytes(message)
            until_closed(hostile)
            hostile.close()
        assert poll(client).state is RunState.WAITING

    def test_negative_sequence_numbers_mean_the_start(self, store: SnapshotStore, server: SnapshotServer):
        store.update(records(2))
        window = raw_attach(server)
        window.send_bytes(request(since_seq=-5))
        assert len(json.loads(window.recv_bytes())["records"]) == 2
        window.close()

    def test_a_reply_of_another_version_is_refused(
        self, client: SnapshotClient, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr("rtasmr.snapshot.SNAPSHOT_VERSION", 99)
        with pytest.raises(DataError, match=f"version 99, got {SNAPSHOT_VERSION}:"):
            client.poll(PATIENCE_S)
        assert not client.connected

    @pytest.mark.parametrize("content", ["", "[]", "{}", '{"address": "x", "key": "zz"}', '{"address": 1}'])
    def test_a_file_that_is_no_link_file_is_named(self, tmp_path: Path, content: str):
        path = tmp_path / "link.json"
        path.write_text(content)
        with pytest.raises(LinkError, match=r"link\.json"):
            SnapshotClient(path).poll()

    def test_a_missing_runtime_is_named(self, tmp_path: Path):
        with pytest.raises(LinkError, match="link file of a running runtime"):
            SnapshotClient(tmp_path / "link.json").poll()


class TestHeldAnswers:
    def test_an_answer_comes_when_there_is_something_new(self, store: SnapshotStore, client: SnapshotClient):
        poll(client)
        client.ask()
        assert client.poll(0.0) is None
        threading.Timer(0.05, lambda: store.update(message="now")).start()
        assert poll(client).message == "now"

    def test_it_comes_without_news_when_it_was_held_long_enough(self, server: SnapshotServer):
        window = raw_attach(server)
        window.send_bytes(Request().encode())
        first = decode(window.recv_bytes())
        known = Request(first.seq, first.revision, first.session, hold_s=0.01)
        window.send_bytes(known.encode())
        assert json.loads(window.recv_bytes()) == {"unchanged": True}
        window.close()

    def test_a_window_cannot_hold_an_answer_for_ever(self):
        held = Request.decode(Request(hold_s=1e9).encode())
        assert held.hold_s == MAX_HOLD_S
        assert Request.decode(Request(hold_s=-1.0).encode()).hold_s == 0.0

    def test_records_that_did_not_fit_come_at_once(self, store: SnapshotStore, client: SnapshotClient):
        store.update(records(700))
        assert poll(client).n_behind == 100
        assert len(poll(client).records) == 100

    def test_a_held_answer_does_not_keep_the_runtime_from_closing(self, store: SnapshotStore):
        server = SnapshotServer(store)
        client = SnapshotClient(server.link_file)
        poll(client)
        client.ask()
        server.close(drain_s=0.0)
        assert not link_threads()
        client.close()


class TestCommands:
    def test_a_command_is_heard_beside_an_open_request(self, store: SnapshotStore):
        heard: list[tuple[Command, int]] = []
        with SnapshotServer(store, on_command=lambda *asked: heard.append(asked)) as server:
            client = SnapshotClient(server.link_file)
            poll(client)
            client.ask()
            client.command(Command.SKIP, 3)
            client.command(Command.END)
            assert heard == [(Command.SKIP, 3), (Command.END, 0)]
            store.update(message="still attached")
            assert poll(client).message == "still attached"
            client.close()

    def test_without_a_taker_it_is_ignored(self, client: SnapshotClient):
        client.command(Command.END)
        assert poll(client).state is RunState.WAITING

    def test_a_runtime_that_is_gone_is_named(self, store: SnapshotStore):
        with SnapshotServer(store) as server:
            client = SnapshotClient(server.link_file)
        with pytest.raises(LinkError, match="link file of a running runtime"):
            client.command(Command.END)


class TestClose:
    def test_nothing_is_left(self, store: SnapshotStore):
        server = SnapshotServer(store)
        client = SnapshotClient(server.link_file)
        poll(client)
        folder = server.link_file.parent
        assert folder.parent == Path(tempfile.gettempdir())
        server.close(drain_s=0.0)
        server.close()
        assert not folder.exists()
        assert not link_threads()
        with pytest.raises(LinkError, match="is it running"):
            client.poll(PATIENCE_S)

    def test_the_last_word_reaches_the_window(self, store: SnapshotStore):
        server = SnapshotServer(store)
        client = SnapshotClient(server.link_file)
        poll(client)
        store.update(state=RunState.ENDED)
        closing = threading.Thread(target=server.close, kwargs={"drain_s": PATIENCE_S})
        closing.start()
        assert poll(client).state is RunState.ENDED
        closing.join(PATIENCE_S)
        assert not closing.is_alive()
        client.close()

    def test_a_folder_that_cannot_hold_a_socket_is_named(
        self, store: SnapshotStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        deep = tmp_path / ("x" * 120)
        deep.mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(deep))
        with pytest.raises(LinkError, match="set TMPDIR"):
            SnapshotServer(store)
        assert list(deep.iterdir()) == []

    def test_only_the_owner_can_read(self, server: SnapshotServer):
        assert stat.S_IMODE(server.link_file.stat().st_mode) == 0o600
        assert stat.S_IMODE(server.link_file.parent.stat().st_mode) == 0o700


def request(since_seq: int = 0) -> bytes:
    return json.dumps({"since_seq": since_seq, "revision": -1, "session": ""}).encode()


def raw_attach(server: SnapshotServer):
    """Attach by hand, as a window that then misbehaves."""
    address, key = read_link_file(server.link_file)
    connection = Client(address)
    challenge = json.loads(connection.recv_bytes())["challenge"]
    connection.send_bytes(json.dumps({"answer": answer_to(bytes.fromhex(challenge), key)}).encode())
    assert json.loads(connection.recv_bytes()) == {"attached": True}
    return connection


def until_closed(connection) -> bytes:
    """Everything that comes before the other side closes."""
    received = b""
    while True:
        try:
            received += connection.recv_bytes()
        except (EOFError, ConnectionError):
            return received


def link_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("snapshot-")]
