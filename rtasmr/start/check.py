"""``python -m rtasmr.start.check SENSOR``: ten seconds of a pulse, told in lines of JSON as they pass.

A line holds one of ``say`` (a line for people), ``times`` and ``values`` (samples), ``findings`` (the last
line), ``error`` (instead of it).
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtasmr import lslconfig
from rtasmr.errors import RtasmrError
from rtasmr.pulse_check import WAIT_S, check_pulse
from rtasmr.sources.supervisor import Sources
from rtasmr.sources.tied import end_with_parent
from rtasmr.types import Role

DEVICE_WAIT_S = 25.0
"""A device is opened first, and one that does not tell its rate is listened to for 10 s."""


def main(argv: list[str] | None = None) -> int:
    """Check a pulse stream, or start a sensor and check what it sends; 1 for an error of ours."""
    parser = argparse.ArgumentParser(prog="python -m rtasmr.start.check", description=__doc__)
    parser.add_argument("sensor", help="as --ppg takes it")
    parser.add_argument("--network", action="store_true", help="streams of other computers, too")
    parser.add_argument("--tied", action="store_true", help="end when standard input closes")
    options = parser.parse_args(argv)
    if options.tied:
        end_with_parent()
    try:
        sources = Sources({Role.PPG: options.sensor}, _say, network=options.network)
        lslconfig.configure(network=options.network)
        with sources:
            findings = check_pulse(
                sources.queries[Role.PPG],
                False,
                _say,
                watch=_show,
                wait_s=DEVICE_WAIT_S if sources.by_role else WAIT_S,
            )
    except RtasmrError as error:
        _tell({"error": " ".join(str(error).split())})
        return 1
    _tell({"findings": [asdict(finding) for finding in findings]})
    return 0


def _say(line: str) -> None:
    _tell({"say": line})


def _show(times: NDArray[np.float64], values: NDArray[np.float64]) -> None:
    _tell({"times": times.tolist(), "values": values.tolist()})


def _tell(fact: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(fact) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
