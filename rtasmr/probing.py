"""What a check found, and how a probe is run in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROBE_LIMIT_S = 30.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at.

    Parameters
    ----------
    name : str
        What was looked at.
    ok : bool
        Whether it works.
    detail : str
        What was found. Where a run does without, it says what works without.
    fix : str
        What to do, in one line; empty where it works.
    needed : bool
        Whether a live run needs it.
    """

    name: str
    ok: bool
    detail: str
    fix: str = ""
    needed: bool = True

    @property
    def stops(self) -> bool:
        """Whether nothing will run before this is mended."""
        return self.needed and not self.ok


class ProbeError(Exception):
    """Why a probe gave no answer, in one line."""


def run_probe(name: str, *arguments: str, limit_s: float = PROBE_LIMIT_S) -> Mapping[str, Any]:
    """Run a probe of `rtasmr.probes` in a process of its own and return its facts.

    Raises
    ------
    ProbeError
        It failed, aborted, or took longer than ``limit_s`` seconds.
    """
    # -P keeps files of the working directory from posing as modules; the package is found by its place.
    command = [sys.executable, "-P", "-m", "rtasmr.probes", name, *arguments]
    search = [str(Path(__file__).resolve().parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, search))}
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=limit_s,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ProbeError(f"no answer within {limit_s:.0f} s") from error
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or [f"ended with code {done.returncode} and no message"]
        # An aborting Qt explains itself first, a traceback last.
        raise ProbeError(" ".join((said[0] if done.returncode < 0 else said[-1]).split())[:300])
    facts: Mapping[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return facts
