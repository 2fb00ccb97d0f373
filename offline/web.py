"""Requests over https with bounded patience: redirects checked, every failure one clear line."""

from __future__ import annotations

import http.client
import json
import logging
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from typing import IO, TypeVar
from urllib.parse import urlsplit

import rtasmr
from rtasmr.errors import DataError

logger = logging.getLogger(__name__)

MAX_JSON_BYTES = 2**24
AGAIN = "run the command again: it goes on where it stopped"
"""What to do after most failures."""

_LOOPBACK = ("localhost", "127.0.0.1", "::1")

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to try.

    Parameters
    ----------
    timeout_s : float
        A connection that brings nothing for this long has failed.
    retries : int
        How often to try again after a failure that may pass; counted anew after a megabyte came.
    backoff_s : float
        Pause before the first further try; each further pause is twice as long.
    longest_pause_s : float
        A server that asks for a longer pause than this gets it from the user, not from us.
    """

    timeout_s: float = 30.0
    retries: int = 5
    backoff_s: float = 1.0
    longest_pause_s: float = 120.0


class MayPassError(Exception):
    """A failure that may pass.

    Parameters
    ----------
    text : str
        What happened; what to do is added where patience ends.
    wait_s : float or None
        How long the server asks to wait.
    progressed : bool
        Whether enough came before the failure to count failures anew.
    """

    def __init__(self, text: str, wait_s: float | None = None, progressed: bool = False) -> None:
        super().__init__(text)
        self.wait_s = wait_s
        self.progressed = progressed


class Client:
    """Gets documents and files over https.

    Parameters
    ----------
    patience : Patience
    allow_loopback : bool
        Whether plain http to this machine is allowed, as to a mirror for tests.
    sleep : callable
        Pauses for a number of seconds.
    """

    def __init__(
        self,
        patience: Patience | None = None,
        *,
        allow_loopback: bool = False,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._patience = patience or Patience()
        self._allow_loopback = allow_loopback
        self._sleep = sleep
        self._opener = urllib.request.build_opener(_Redirects(self._refuse_address))
        self._answered: set[str] = set()

    def get_json(self, url: str) -> object:
        """Return a JSON document.

        Raises
        ------
        DataError
            It is not to be had, or no JSON.
        """

        def attempt() -> bytes:
            with self.open(url, {"Accept": "application/json"}) as response:
                return _read(response, MAX_JSON_BYTES + 1, url)

        content = self.persist(attempt)
        try:
            if len(content) > MAX_JSON_BYTES:
                raise ValueError(f"more than {MAX_JSON_BYTES} bytes")
            document: object = json.loads(content)
        except ValueError as error:
            raise DataError(f"{url}: expected a JSON document ({error}); check the address") from error
        return document

    def persist(self, attempt: Callable[[], _T]) -> _T:
        """Return what ``attempt`` returns, repeating it while its failure may pass and patience lasts."""
        patience = self._patience
        failures = 0
        while True:
            try:
                return attempt()
            except MayPassError as error:
                failures = 1 if error.progressed else failures + 1
                pause = patience.backoff_s * 2 ** (failures - 1) if error.wait_s is None else error.wait_s
                if failures > patience.retries or pause > patience.longest_pause_s:
                    raise DataError(f"{error}; {AGAIN}") from error
                logger.info("%s; trying again in %.0f s", error, pause)
                self._sleep(pause)

    def open(self, url: str, headers: dict[str, str]) -> http.client.HTTPResponse:
        """Send one request and return the answer: 200, 206, or 416 where a range was asked for.

        Raises
        ------
        DataError
            The answer is an error that will stay, or the address is not https.
        MayPassError
            Trying again may help.
        """
        self._refuse_address(url)
        request = urllib.request.Request(
            url,
            headers={"User-Agent": f"rtasmr/{rtasmr.__version__}", "Accept-Encoding": "identity", **headers},
        )
        host = urlsplit(url).netloc
        try:
            response: http.client.HTTPResponse = self._opener.open(request, timeout=self._patience.timeout_s)
        except urllib.error.HTTPError as error:
            self._answered.add(host)
            if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and "Range" in headers:
                return error  # type: ignore[return-value]  # an answer with status and headers like any other
            with error:
                raise _refusal(url, error) from error
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(url, host, error) from error
        self._answered.add(host)
        return response

    def _unreachable(self, url: str, host: str, error: Exception) -> Exception:
        """Return what a request without an answer means: no network at all, or a failure that may pass."""
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        text = f"{url}: no answer ({reason_of(reason)})"
        final = isinstance(reason, ssl.SSLCertVerificationError) or (
            isinstance(reason, socket.gaierror | ConnectionRefusedError) and host not in self._answered
        )
        return DataError(f"{text}; check the network, then {AGAIN}") if final else MayPassError(text)

    def _refuse_address(self, url: str) -> None:
        if url.startswith("https://") or (self._allow_loopback and is_loopback(url)):
            return
        raise DataError(f"{url}: expected an https address; refused, as anything could answer")


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but to addresses that a first request could have gone to."""

    def __init__(self, refuse: Callable[[str], None]) -> None:
        self._refuse = refuse

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Message,
        newurl: str,
    ) -> urllib.request.Request | None:
        self._refuse(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]


def is_loopback(url: str) -> bool:
    """Return whether an address is plain http on this machine."""
    parts = urlsplit(url)
    return parts.scheme == "http" and parts.hostname in _LOOPBACK


def _read(response: http.client.HTTPResponse, limit: int, url: str) -> bytes:
    try:
        return response.read(limit)
    except (OSError, http.client.HTTPException) as error:
        raise MayPassError(f"{url}: the connection broke ({reason_of(error)})") from error


def _refusal(url: str, error: urllib.error.HTTPError) -> Exception:
    """Return what an error status means: final, or may pass."""
    code = error.code
    if code in (404, 410):
        return DataError(f"{url}: expected a file, the server has none ({code}); check the address")
    if code in (401, 403):
        return DataError(f"{url}: the server refuses access ({code}); see in a browser what it asks for")
    if code == 429:
        after = error.headers.get("Retry-After", "")
        wait_s = float(after) if after.isdecimal() else None
        asked = f", the server asks to wait {after} s" if after.isdecimal() else ""
        return MayPassError(f"{url}: too many requests (429){asked}", wait_s)
    if code == 408 or code >= 500:
        return MayPassError(f"{url}: the server is in trouble ({code} {error.reason})")
    return DataError(f"{url}: expected a file, got {code} {error.reason}; check the address")


def reason_of(error: object) -> str:
    """Return in a few words what broke a connection."""
    if isinstance(error, TimeoutError):
        return "timed out"
    return (getattr(error, "strerror", None) or str(error)) or type(error).__name__
