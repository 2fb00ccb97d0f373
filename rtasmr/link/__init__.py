"""The local socket between the runtime and its windows.

The runtime fills a ``SnapshotStore``; a ``SnapshotServer`` answers the windows from it, each on its own
thread, so that a slow or dead window never holds the runtime up. A window asks, the server answers with
what is newest as soon as there is something new: nothing queues. Messages are JSON in the framing of
``multiprocessing.connection``; its pickling ``send`` and ``recv`` are never called.

A window proves that it knows the key before it is told anything. Address and key stand in a *link file*
that only its owner can read.
"""

from rtasmr.link.client import SnapshotClient
from rtasmr.link.running import RunningLink, find_link, running_links
from rtasmr.link.server import SnapshotServer
from rtasmr.link.store import SnapshotStore
from rtasmr.link.wire import LinkError, RuntimeGoneError

__all__ = [
    "LinkError",
    "RunningLink",
    "RuntimeGoneError",
    "SnapshotClient",
    "SnapshotServer",
    "SnapshotStore",
    "find_link",
    "running_links",
]
