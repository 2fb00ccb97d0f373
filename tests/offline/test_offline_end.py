"""How the process of an offline command ends."""

from __future__ import annotations

import subprocess
import sys

COMMAND = """
import sys
import torch._dynamo  # what training imports, and with it Triton where there is one
from offline.cli import main

sys.argv = ["offline", "--help"]
main()
"""


def test_nothing_is_said_at_the_end_of_what_training_imported() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", COMMAND], capture_output=True, text=True, timeout=300, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "reproduce" in done.stdout
