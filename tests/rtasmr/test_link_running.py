"""A window finds the runtimes of its user, and what killed ones left is removed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from rtasmr.link import LinkError, SnapshotServer, SnapshotStore, find_link, running_links
from rtasmr.link.wire import write_link_file

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="looks at POSIX sockets and modes")


@pytest.fixture
def store() -> SnapshotStore:
    return SnapshotStore()


@pytest.fixture(autouse=True)
def apart(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A temporary folder of this test's own; a socket's path must be short."""
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield


def test_the_one_that_runs_needs_no_name(store: SnapshotStore):
    with SnapshotServer(store) as server:
        assert find_link() == server.link_file
        assert find_link(str(os.getpid())) == server.link_file
        with pytest.raises(
            LinkError, match=rf"expected one of .* \({os.getpid()}: since \d\d:\d\d\), got 1: name one"
        ):
            find_link("1")
    with pytest.raises(LinkError, match=r"got none: start one with 'rtasmr live'"):
        find_link()


def test_of_several_one_must_be_named(store: SnapshotStore):
    with (
        SnapshotServer(store),
        SnapshotServer(store),
        pytest.raises(LinkError, match=r"expected one running runtime, got 2 .*'rtasmr window \d+'"),
    ):
        find_link()


def test_what_a_killed_runtime_left_is_removed(store: SnapshotStore):
    script = (
        "import os, signal; from rtasmr.link import SnapshotServer, SnapshotStore\n"
        "server = SnapshotServer(SnapshotStore()); print(server.link_file, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    environment = {**os.environ, "TMPDIR": tempfile.gettempdir()}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    left = Path(done.stdout.strip())
    assert left.exists()
    assert running_links() == ()
    with SnapshotServer(store):
        assert not left.parent.exists()
        with SnapshotServer(store):
            assert len(running_links()) == 2  # the living are left alone


def test_what_others_left_is_not_ours(store: SnapshotStore, monkeypatch: pytest.MonkeyPatch):
    folder = Path(tempfile.gettempdir()) / "rtasmr-planted"
    folder.mkdir(mode=0o700)
    write_link_file(folder / "link.json", str(folder / "socket"), b"key")
    monkeypatch.setattr(os, "getuid", lambda: folder.stat().st_uid + 1)
    with SnapshotServer(store):
        assert running_links() == ()
    assert folder.exists()


def test_several_of_one_process_go_by_their_names(store: SnapshotStore):
    with SnapshotServer(store, name="p01"), SnapshotServer(store, name="p02") as second:
        assert find_link("p02") == second.link_file
        with pytest.raises(LinkError, match=r"got 2 \(p01: since .{5}; p02: since .{5}\)"):
            find_link()


def test_a_list_of_several_says_what_each_runs(store: SnapshotStore):
    with SnapshotServer(store, name="a", about="sea.mp4, recording s1.xdf"), SnapshotServer(store, name="b"):
        began = [datetime.fromtimestamp(link.link_file.stat().st_mtime) for link in running_links()]
        times = [f"since {moment:%H:%M}" for moment in began]
        told = f"got 2 (a: sea.mp4, recording s1.xdf, {times[0]}; b: {times[1]}): name one"
        with pytest.raises(LinkError, match=re.escape(told)):
            find_link()
