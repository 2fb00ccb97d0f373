"""Errors that a user or a caller can act on.

Every message states what was expected, what came and what to do; the command line prints it as one
line and exits with code 1.
"""

from __future__ import annotations

import errno

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Errors of the system that go away once there is room."""


class RtasmrError(Exception):
    """Root of all errors raised on purpose by this project."""


class ConfigError(RtasmrError):
    """A setting is unknown, of the wrong type or outside its range."""


class DataError(RtasmrError):
    """A file of a data set, recording or stimulus is missing, truncated or not what it claims to be."""


class SpecMismatchError(RtasmrError):
    """A model and the features it is offered differ in set, version or fingerprint."""


class ModelError(RtasmrError):
    """A model artefact is missing, corrupt or refused."""


class StreamError(RtasmrError):
    """An LSL stream is missing, ambiguous or unfit for its role."""


class StreamLostError(StreamError):
    """A stream that was connected is gone."""
