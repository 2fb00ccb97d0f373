"""Which LSL streams there are, and which one is meant.

Streams describe themselves in text that anybody may have written. It is compared in Python, never
put into a query, and stripped of control characters before it is shown.
"""

from __future__ import annotations

import math
import re
import socket
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import pylsl
from pylsl.info import XMLElement
from pylsl.util import LostError
from pylsl.util import TimeoutError as LslTimeoutError

from rtasmr import lslconfig
from rtasmr.closing import Closing
from rtasmr.errors import StreamError, StreamLostError
from rtasmr.query import DEFAULT_QUERIES, Query, printable
from rtasmr.types import Role, StreamSpec

__all__ = [
    "DEFAULT_QUERIES",
    "FoundStream",
    "Query",
    "Resolver",
    "describe",
    "discover",
    "printable",
    "resolve",
    "resolve_all",
]

SETTLE_S = 0.3
"""After the first match, how long another may take to show that the choice is ambiguous."""

STABLE_S = 2.0
"""Once all that is needed is there, how long others may take that would be welcome."""

QUIET_S = 1.0
MAX_OVERTIME_S = 3.0
"""A search ends late rather than between the streams of one source, which appear one after the other."""

DESCRIBE_TIMEOUT_S = 3.0

_POLL_S = 0.02
_FORGET_AFTER_S = 2.0
_MAX_TEXT = 4096
_MAX_ENTRIES = 256
_MAX_NESTING = 8
_FORMATS = {
    pylsl.cf_float32: "float32",
    pylsl.cf_double64: "double64",
    pylsl.cf_string: "string",
    pylsl.cf_int8: "int8",
    pylsl.cf_int16: "int16",
    pylsl.cf_int32: "int32",
    pylsl.cf_int64: "int64",
}
_V4_ADDRESS = re.compile(r"<v4address>([0-9.]+)</v4address>")


@dataclass(frozen=True, slots=True)
class FoundStream:
    """A stream that answered.

    Parameters
    ----------
    info : pylsl.StreamInfo
        What connects to it.
    spec : StreamSpec
        What it says about itself. Channels and further metadata are known after `describe` only;
        before it the channels have empty labels.
    uid : str
        Differs between two lives of one source.
    is_own_host : bool
        Whether it shares our clock.
    """

    info: pylsl.StreamInfo
    spec: StreamSpec
    uid: str
    is_own_host: bool

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """What a `Query` can ask for: name, type, source_id and host."""
        spec = self.spec
        return spec.name, spec.stype, spec.source_id, spec.hostname

    def __str__(self) -> str:
        """Return the stream's identity for a message or list."""
        spec = self.spec
        return (
            f"name={printable(spec.name)!r} type={printable(spec.stype)!r} "
            f"source_id={printable(spec.source_id)!r} host={printable(spec.hostname)!r}"
        )


class Resolver(Closing):
    """Watches which streams exist; use it as a context manager.

    Only streams of this machine are reported unless the network was opened.
    """

    def __init__(self) -> None:
        self._network = lslconfig.is_network_open()
        self._gone: set[str] = set()
        self._is_own: dict[str, bool] = {}  # of the streams reported last, by uid
        self._resolver: pylsl.ContinuousResolver | None = pylsl.ContinuousResolver(
            forget_after=_FORGET_AFTER_S
        )

    def close(self) -> None:
        """Stop watching."""
        self._resolver = None

    def streams(self) -> tuple[FoundStream, ...]:
        """Return the streams seen in the last 2 s, not described, in a stable order."""
        if self._resolver is None:
            raise StreamError("the resolver is closed; open a new one.")
        # Asked once in a stream's life: it takes a socket, and pylsl never frees the XML it is read from.
        found = [_found(info, self._is_own.get(info.uid())) for info in self._resolver.results()]
        self._is_own = {stream.uid: stream.is_own_host for stream in found}
        return tuple(
            sorted(
                (s for s in found if s.uid not in self._gone and (self._network or s.is_own_host)),
                key=lambda s: (s.spec.stype, s.spec.name, s.spec.source_id, s.uid),
            )
        )

    def find(self, role: Role, query: Query | None = None) -> FoundStream | None:
        """Return the one stream for ``role`` at this moment, not described; None if there is none.

        Raises
        ------
        StreamError
            If several fit: none is picked silently.
        """
        wanted = _complete_query(role, query)
        matches = self.fitting(role, query)
        if len(matches) > 1:
            raise StreamError(
                f"expected one {role} stream for {printable(str(wanted), 200)!r}, got {len(matches)}: "
                f"{'; '.join(str(match) for match in matches[:8])}. {_way_out(matches)}"
            )
        return matches[0] if matches else None

    def fitting(self, role: Role, query: Query | None = None) -> list[FoundStream]:
        """Return all streams that fit for ``role`` at this moment, not described."""
        wanted = _complete_query(role, query)
        return [stream for stream in self.streams() if wanted.matches(stream.spec)]

    def forget(self, uid: str) -> None:
        """Leave out a stream known to be dead, which would be reported for 2 s more."""
        self._gone.add(uid)


def resolve_all(
    queries: Mapping[Role, Query | None],
    wait_s: float,
    stop: threading.Event | None = None,
    *,
    needed: Collection[Role] = (),
    check: Callable[[Role, FoundStream], object] | None = None,
) -> dict[Role, FoundStream]:
    """Find the streams of several roles at once, each described as soon as it is seen.

    Returns as soon as all are found and no second match has come for 0.3 s; a role whose stream has
    not come after ``wait_s`` seconds is left out. Where streams still appear at that moment, the search
    goes on until none has come for 1 s, at most 3 s longer.

    Parameters
    ----------
    queries : mapping of Role to Query or None
        None takes the contract's default.
    wait_s : float
        Seconds.
    stop : threading.Event, optional
        Ends the search at once, with nothing.
    needed : collection of Role
        If given, the search also ends when these are there and no other stream has come for 2 s.
    check : callable, optional
        Raises what a described stream cannot be used for: a run that cannot begin waits for nobody else.

    Raises
    ------
    StreamError
        If a role has several matches, or one does not describe itself.
    """
    stop = threading.Event() if stop is None else stop
    deadline = time.monotonic() + wait_s
    settled = None
    stable = math.inf
    found: dict[Role, FoundStream] = {}
    described: dict[tuple[Role, str], FoundStream] = {}
    changed = -math.inf
    with Resolver() as resolver:
        while True:
            now = time.monotonic()
            before, found = found, {}
            for role, query in queries.items():
                stream = resolver.find(role, query)
                if stream is None:
                    continue
                if (role, stream.uid) not in described:
                    try:
                        described[role, stream.uid] = describe(stream)
                    except StreamLostError:  # it died just now
                        resolver.forget(stream.uid)
                        continue
                    if check is not None:
                        check(role, described[role, stream.uid])
                found[role] = described[role, stream.uid]
            if found.keys() - before.keys():
                changed = now
                stable = now + STABLE_S if needed and found.keys() >= set(needed) else math.inf
            if len(found) < len(queries):
                settled = None
            elif settled is None:
                settled = now + SETTLE_S
            end = min(max(deadline, changed + QUIET_S), deadline + MAX_OVERTIME_S)
            if now >= min(end, stable) or (settled is not None and now >= settled):
                break
            if stop.wait(_POLL_S):
                return {}
    return found


def resolve(role: Role, query: Query | None = None, wait_s: float = 5.0) -> FoundStream | None:
    """Find the stream of one role and have it described; see `resolve_all`."""
    return resolve_all({role: query}, wait_s).get(role)


def discover(wait_s: float = 1.0) -> tuple[FoundStream, ...]:
    """Return all streams that answer within ``wait_s`` seconds, not described."""
    with Resolver() as resolver:
        time.sleep(wait_s)
        return resolver.streams()


def describe(found: FoundStream) -> FoundStream:
    """Ask a stream for its channels and metadata.

    Raises
    ------
    StreamLostError
        If the stream is gone.
    StreamError
        If it does not answer within 3 s.
    """
    inlet = pylsl.StreamInlet(found.info, recover=False)
    try:
        full = inlet.info(DESCRIBE_TIMEOUT_S)
    except LostError as error:
        raise StreamLostError(f"stream {found} is gone. Start its source again.") from error
    except LslTimeoutError as error:
        raise StreamError(
            f"stream {found} did not describe itself within {DESCRIBE_TIMEOUT_S:g} s. Restart its source."
        ) from error
    return replace(found, spec=_described(found.spec, full))


def _way_out(matches: Sequence[FoundStream]) -> str:
    """Return what to do about several streams that fit: no query tells streams of one identity apart."""
    identities = {stream.identity for stream in matches}
    if len(identities) == 1:
        return "All carry the same identity: stop all but one, or start them with source_ids of their own."
    if len({stream.spec.source_id for stream in matches}) == len(matches):
        return "Name one by source_id."
    if len(identities) == len(matches):
        return "Name one by type, name, source_id and host."
    return "Some carry the same identity: stop all but one of these, or name another by source_id or name."


def _complete_query(role: Role, query: Query | None) -> Query:
    """Fill what the user left open: without a name or an identity the role's type is meant."""
    default = DEFAULT_QUERIES[role]
    if query is None:
        return default
    if query.stype or query.name or query.source_id:
        return query
    return replace(default, hostname=query.hostname, channel=query.channel, polarity=query.polarity)


def _found(info: pylsl.StreamInfo, is_own_host: bool | None) -> FoundStream:
    """Return a stream that answered; whether it is on this machine is looked up where it is not known."""
    hostname = info.hostname()
    spec = StreamSpec(
        info.name(),
        info.type(),
        info.source_id(),
        info.nominal_srate(),
        _FORMATS.get(info.channel_format(), "undefined"),
        ("",) * info.channel_count(),
        hostname=hostname,
    )
    if is_own_host is None:
        is_own_host = _is_own_host(info, hostname)
    return FoundStream(info, spec, info.uid(), is_own_host)


def _is_own_host(info: pylsl.StreamInfo, hostname: str) -> bool:
    """Whether a stream runs on this machine: its name and, where known, its address are ours."""
    if hostname != socket.gethostname():
        return False
    address = _V4_ADDRESS.search(info.as_xml())
    if address is None:
        return True
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address.group(1), 0))  # works for addresses of this machine only
        except OSError:
            return False
    return True


def _described(spec: StreamSpec, full: pylsl.StreamInfo) -> StreamSpec:
    root = full.desc()
    labels, units, types = (["" for _ in spec.ch_names] for _ in range(3))
    channel = root.child("channels").child("channel")
    for i in range(spec.n_channels):
        if channel.empty():
            break
        labels[i] = channel.child_value("label")[:_MAX_TEXT]
        units[i] = channel.child_value("unit")[:_MAX_TEXT]
        types[i] = channel.child_value("type")[:_MAX_TEXT]
        channel = channel.next_sibling("channel")
    desc: dict[str, str] = {}
    _read_entries(root, "", desc, _MAX_NESTING)
    return replace(spec, ch_names=tuple(labels), ch_units=tuple(units), ch_types=tuple(types), desc=desc)


def _read_entries(element: XMLElement, prefix: str, desc: dict[str, str], depth: int) -> None:
    """Add the texts inside an element, those of inner elements as ``outer.inner``."""
    entry = element.first_child()
    while not entry.empty() and len(desc) < _MAX_ENTRIES:
        name = entry.name()[:_MAX_TEXT]
        value = entry.child_value()
        if name and value:
            desc.setdefault(prefix + name, value[:_MAX_TEXT])
        if name and depth and not (name == "channels" and not prefix):
            # What says that samples may be missing stands in a place of its own, and is read flat.
            inner = "" if name == "synchronization" else f"{prefix}{name}."
            _read_entries(entry, inner, desc, depth - 1)
        entry = entry.next_sibling()
