#!/usr/bin/env bash
# Make .venv with everything that the demo and the tests need. Asks nothing; a second run skips what is there.
set -euo pipefail
cd "$(dirname "$0")/.."

# Qt's X11 plugin and its libraries, what the window tests need, sound.
packages=(
  libgl1 libegl1 libfontconfig1 libdbus-1-3 libxcb-xinerama0 libxkbcommon-x11-0 libxcb-icccm4
  libxcb-image0 libxcb-keysyms1 libxcb-render-util0 libxcb-shape0 xvfb xauth xdotool
  libportaudio2 libasound2-plugins pulseaudio pulseaudio-utils
)

say() { printf '%s\n' "$*" >&2; }

case "$(uname -s)" in
  Linux)
    glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null | awk '{print $2}')
    if [ -z "$glibc" ] || [ "$(printf '%s\n2.35\n' "$glibc" | sort -V | head -n 1)" != 2.35 ] || [ "$(uname -m)" != x86_64 ]; then
      say "note: LSL ships its library for x86-64 Linux with glibc 2.35 or newer; this is $(uname -m), glibc ${glibc:-unknown}."
      say "      Install liblsl 1.17 or newer yourself and point PYLSL_LIB at it."
    fi ;;
  Darwin) ;;
  *) say "note: this script is for Linux and macOS; on Windows follow the two lines in the README." ;;
esac

python=
for candidate in "${PYTHON:-}" python3 python3.13 python3.12 python3.11; do
  if [ -n "$candidate" ] && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    python=$candidate
    break
  fi
done
if [ -z "$python" ]; then
  say "error: expected Python 3.11 or newer, found $(python3 --version 2>&1 || echo none). Install it, or set PYTHON=/path/to/python3."
  exit 1
fi

if command -v dpkg-query >/dev/null; then
  "$python" -c 'import ensurepip' 2>/dev/null || packages+=(python3-venv)
  missing=()
  for package in "${packages[@]}"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  if [ "${#missing[@]}" -gt 0 ]; then
    install=(apt-get install -y --no-install-recommends "${missing[@]}")
    say "set-up 1/3: ${#missing[@]} Debian packages for windows and sound, about a minute"
    if [ "$(id -u)" -eq 0 ]; then
      apt-get update -q && DEBIAN_FRONTEND=noninteractive "${install[@]}"
    elif sudo -n true 2>/dev/null; then
      sudo apt-get update -q && sudo DEBIAN_FRONTEND=noninteractive "${install[@]}"
    else
      say "These Debian packages are missing and this user may not install them. Type:"
      say "  sudo apt-get install -y --no-install-recommends ${missing[*]}"
      say "Going on without; the window or its tests may not start."
    fi
  fi
fi

# On Linux torch brings its CUDA libraries. Short of room, pip stops half way, minutes later, with an error of its own.
# Prints an option for pip where there is room for all but its cache.
check_room() {
  "$python" - <<'EOF'
import os
import shutil
import sys
import tempfile

VENV_GB, DOWNLOADS_GB = 8.5, 3.5  # the second while pip runs, and once more in its cache
folders = {os.getcwd(): VENV_GB, tempfile.gettempdir(): DOWNLOADS_GB}
for folder in folders:
    disk = os.stat(folder).st_dev
    expected_gb = sum(size_gb for other, size_gb in folders.items() if os.stat(other).st_dev == disk)
    free_gb = shutil.disk_usage(folder).free / 1e9
    if free_gb < expected_gb:
        way_out = ", or set TMPDIR to a folder on another disk" if expected_gb != VENV_GB else ""
        sys.exit(f"error: expected {expected_gb:g} GB free in {folder}, found {free_gb:.1f} GB. Make room there{way_out}.")
if shutil.disk_usage(".").free / 1e9 < VENV_GB + 2 * DOWNLOADS_GB:
    print("--no-cache-dir")
EOF
}

pip_options=(-q --disable-pip-version-check -c constraints.txt)
if [ "$(uname -s)" = Linux ] && [ ! -x .venv/bin/rtasmr ]; then
  option=$(check_room)
  [ -z "$option" ] || pip_options+=("$option")
fi

say "set-up 2/3: Python's own environment in .venv, some seconds"
[ -x .venv/bin/python ] || "$python" -m venv .venv
if [ -x .venv/bin/rtasmr ]; then
  say "set-up 3/3: bringing the libraries in .venv up to date, up to a minute"
else
  say "set-up 3/3: the libraries, up to 3.5 GB to load and most of it torch: two to ten minutes in which pip says nothing"
fi
.venv/bin/python -m pip install "${pip_options[@]}" -e '.[offline,sensors,cluster,test,lint]'
touch .venv/.ready
say "ready: .venv"
