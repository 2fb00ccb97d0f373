"""How a command line ended, and what a refusal must look like."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Ended:
    """How a command ended; ``warnings`` are its log messages."""

    code: int
    out: str
    err: str
    warnings: tuple[str, ...] = ()

    def error_line(self) -> str:
        """Return the one line that a refused command leaves."""
        assert "Traceback" not in self.err, self.err
        assert self.code == 1, (self.code, self.err)
        lines = self.err.splitlines()
        errors = [line for line in lines if line.startswith("error: ")]
        assert errors == lines[-1:], self.err
        return errors[0]

    def warns_of(self, *words: str) -> bool:
        """Whether one warning, logged or written, holds all of ``words``."""
        written = [line for line in self.err.splitlines() if line.startswith("warning: ")]
        return any(all(word in text for word in words) for text in (*written, *self.warnings))


Command = Callable[..., Ended]
"""Runs ``rtasmr``, ``offline`` or ``replay`` with words."""
