"""The set-up script, with stand-ins for what would install gigabytes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "setup.sh"
STAND_INS = {
    # Answers what is asked of it, and makes an environment with itself in it.
    "python": """#!/bin/sh
case "$*" in
  "-m venv .venv") mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
  "-m pip "*) echo "pip was called" >&2; touch .venv/bin/rtasmr; chmod +x .venv/bin/rtasmr ;;
esac
""",
    "dpkg-query": """#!/bin/sh
case "$*" in *" pulseaudio") ;; *) echo "install ok installed" ;; esac
""",
    "apt-get": "#!/bin/sh\necho apt-get was called >&2\n",
    "id": "#!/bin/sh\necho 0\n",
}

pytestmark = pytest.mark.skipif(
    sys.platform == "win32" or shutil.which("bash") is None, reason="the script is for Linux and macOS"
)


def test_every_stage_is_said_before_it_begins(tmp_path):
    bin_folder, scripts = tmp_path / "bin", tmp_path / "project" / "scripts"
    for folder in (bin_folder, scripts):
        folder.mkdir(parents=True)
    for name, content in STAND_INS.items():
        (bin_folder / name).write_text(content)
        (bin_folder / name).chmod(0o755)
    shutil.copy(SCRIPT, scripts)
    environment = {**os.environ, "PATH": f"{bin_folder}:{os.environ['PATH']}", "PYTHON": "python"}

    def stages() -> list[str]:
        done = subprocess.run(
            ["bash", scripts / SCRIPT.name], env=environment, capture_output=True, text=True, check=True
        )
        return [line.partition(":")[0] for line in done.stderr.splitlines() if "note" not in line]

    assert stages() == [
        *("set-up 1/3", "apt-get was called", "apt-get was called"),
        *("set-up 2/3", "set-up 3/3", "pip was called", "ready"),
    ]
    assert (scripts.parent / ".venv" / ".ready").exists()
    assert stages()[-3:] == ["set-up 3/3", "pip was called", "ready"]
