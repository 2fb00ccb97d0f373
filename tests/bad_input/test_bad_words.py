"""Command lines that cannot be meant."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from commands import Command


@pytest.fixture
def places(tmp_path: Path, simulated_set: Path, tiny_video: Path) -> dict[str, Path]:
    """What the command lines below name."""
    found = {"tmp": tmp_path, "study": simulated_set, "video": tiny_video, "missing": tmp_path / "missing"}
    for name in ("empty", "stranger", "tables"):
        found[name] = tmp_path / name
        found[name].mkdir()
    (found["stranger"] / "mine.txt").write_text("work of years")
    (found["tables"] / "trials").mkdir()
    for name, content in (
        ("text", b"words\n"),
        ("junk", b"\xff\x00" * 5000),
        ("void", b""),
        ("junk_xdf", b"XDF:" + b"junk" * 100),
        ("void_xdf", b""),
        ("junk_pkl", b"junk"),
        ("void_pkl", b""),
        ("junk_npz", b"PK\x03\x04 junk"),
        ("declared", b"# Sampling Rate (Hz):= 1000.00\n1\n2\n3\n"),
    ):
        stem, _, suffix = name.partition("_")
        found[name] = tmp_path / f"{stem}.{suffix or 'bin'}"
        found[name].write_bytes(content)
    (found["tables"] / "trials" / "001_vid3.npz").write_bytes(b"junk")
    return found


def tree(folder: Path) -> dict[str, str]:
    """Return every file below a folder with the hash of its content."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


REFUSED = [
    # A missing or an empty folder or file.
    ("offline check {missing}", "missing: no such folder"),
    ("offline check {empty}", "the folder is missing"),
    ("offline features {missing} --out {tmp}/out", "missing: no such folder"),
    ("offline features {empty} --out {tmp}/out", "the folder is missing"),
    ("offline train {missing} --out {tmp}/out", "offline features"),
    ("offline train {empty} --out {tmp}/out", "offline features"),
    ("offline reproduce --predictions {missing}.pkl --out {tmp}/out", "found no file"),
    ("offline reproduce --out {tmp}/out", "--predictions"),
    ("offline reproduce {empty} --out {tmp}/out --participants 5", "add --simulated"),
    ("replay {missing}", "No such file"),
    ("replay {missing} --participant 1", "missing: no such folder"),
    ("offline features {missing}.xdf --out {tmp}/out", "missing.xdf: no such file"),
    ("replay {empty} --participant 1", "the folder is missing"),
    ("replay {study}", "--participant"),
    ("rtasmr run {missing}", "No such file"),
    ("rtasmr report {missing} --out {tmp}/out", "No such file"),
    ("rtasmr source ppg --file {missing} --sfreq 100", "No such file"),
    ("rtasmr source media {missing}", "No such file"),
    # A file that cannot be read, or is another one than it says.
    ("rtasmr run {empty}", "directory"),
    ("rtasmr run {void}", "expected a readable video or sound file"),
    ("rtasmr run {junk}", "expected a readable video or sound file"),
    ("rtasmr run {void_xdf}", "expected an XDF file"),
    ("rtasmr run {junk_xdf}", "corrupt"),
    ("rtasmr report {empty} --out {tmp}/out", "directory"),
    ("rtasmr report {junk_xdf} --out {tmp}/out", "corrupt"),
    ("replay {junk_xdf}", "corrupt"),
    ("rtasmr source ppg --file {empty} --sfreq 100", "directory"),
    ("rtasmr source ppg --file {text} --sfreq 100", "expected numbers"),
    ("rtasmr source ppg --file {junk} --sfreq 100", "expected text"),
    ("rtasmr source ppg --file {void} --sfreq 100", "got no line"),
    ("rtasmr source media {text}", "expected a readable video or sound file"),
    ("offline reproduce --predictions {empty} --out {tmp}/out", "directory"),
    ("offline reproduce --predictions {junk_pkl} --out {tmp}/out", "damaged"),
    ("offline reproduce --predictions {void_pkl} --out {tmp}/out", "damaged"),
    ("offline reproduce --predictions {junk_npz} --out {tmp}/out", "not an .npz archive"),
    ("offline train {tables} --out {tmp}/out", "not an .npz archive"),
    # A wrong rate, a wrong number, a name that fits nothing.
    ("rtasmr source ppg --file {declared} --sfreq 0", "got 0"),
    ("rtasmr source ppg --file {declared} --sfreq -5", "got -5"),
    ("rtasmr source ppg --file {declared} --sfreq nan", "got nan"),
    ("rtasmr source ppg --file {declared} --sfreq 1e9", "got 1e+09"),
    ("rtasmr source ppg --file {declared} --sfreq 500", "header says 1000 Hz, --sfreq says 500 Hz"),
    ("rtasmr source ppg --file {declared} --sfreq 1000 --column pulse", "--column"),
    ("rtasmr source simulated --sfreq 0", "--sfreq"),
    ("rtasmr source simulated --name=", "expected a name"),
    ("rtasmr live --headless --duration -1", "more than 0 s, got -1"),
    ("rtasmr live --headless --duration nan", "more than 0 s, got nan"),
    ("rtasmr live --headless --duration inf", "more than 0 s, got inf"),
    ("rtasmr live --headless --wait -1", "--wait"),
    ("rtasmr live --headless --ppg nonsense", "got 'nonsense'"),
    ("rtasmr live --headless --ppg nonsense:foo", "serial:PORT, brainflow:BOARD, polar:SENSOR, file:PATH@HZ"),
    ("rtasmr doctor --ppg nonsense:foo", "serial:PORT, brainflow:BOARD, polar:SENSOR, file:PATH@HZ"),
    ("rtasmr doctor --ppg simulated", "then check type=PPG"),
    ("rtasmr live --headless --require nonsense", "got 'nonsense'"),
    ("rtasmr live --headless --model nonsense", "got 'nonsense'; installed are: tiny"),
    ("rtasmr run {video} --model nonsense", "got 'nonsense'; installed are: tiny"),
    ("replay {study} --participant 99", "participant 099"),
    ("replay {study} --participant 1 --clip vid9", "'vid9'"),
    ("replay {study} --participant 1 --speed 0", "--speed"),
    ("replay {study} --participant 1 --chunk nonsense", "--chunk"),
    ("replay {study} --participant 1 --drop 2", "--drop"),
    ("replay {study} --participant 1 --start 9 --stop 5", "--start"),
    ("replay {study} --participant 1 --select nonsense", "--select"),
    ("offline features {study} --out {tmp}/out --set nonsense", "--set"),
    ("offline features {study} --out {tmp}/out --encoder nonsense", "random:SEED"),
    ("offline features {study} --out {tmp}/out --encoder random:x", "random:SEED"),
    ("offline simulate {tmp}/out --participants 0", "1 to 34"),
    ("offline simulate {tmp}/out --participants 1 --size x", "--size"),
    ("offline simulate {tmp}/out --participants 1 --scenario nonsense", "'nonsense'"),
    # Somewhere that cannot be written, or holds something of somebody else's.
    ("offline simulate {stranger} --participants 1", "not empty"),
    ("rtasmr demo --headless --out {stranger}", "not empty"),
    ("offline simulate {text} --participants 1", "Not a directory"),
    ("rtasmr demo --headless --out {text}", "expected a folder"),
    ("rtasmr run {video} --out {text}", "Choose another --out"),
    ("rtasmr run {video} --out {text}/out", "Choose another --out"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "said"), REFUSED, ids=[line for line, _ in REFUSED])
def test_bad_input_ends_in_one_line(line: str, said: str, command: Command, places: dict[str, Path]) -> None:
    before = tree(places["tmp"])
    ended = command(*line.format(**places).split())
    error = ended.error_line()
    assert said in error
    assert len(error) < 700
    after = tree(places["tmp"])
    assert {name: after.get(name) for name in before} == before, "a file was changed or is gone"
    assert sorted(set(after) - set(before)) == [], "something half-done was left behind"


@pytest.mark.parametrize(
    "line",
    [
        "rtasmr --nonsense",
        "rtasmr nonsense",
        "rtasmr live --nonsense",
        "rtasmr live --duration abc",
        "rtasmr live --provider nonsense",
        "rtasmr run",
        "rtasmr source ppg --file x --sfreq abc",
        "rtasmr demo --seed -1",
        "offline --nonsense",
        "offline nonsense",
        "offline train x --out y --seed -1",
        "offline reproduce --out y --seed -1",
        "replay",
        "replay x --nonsense",
        "replay x --loop abc",
    ],
)
def test_wrong_usage_ends_with_code_2(line: str, command: Command) -> None:
    ended = command(*line.split())
    assert ended.code == 2
    assert "Usage: " in ended.err
    assert "Traceback" not in ended.err
