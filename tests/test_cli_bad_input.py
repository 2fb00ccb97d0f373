"""Bad input ends a command in one clear line and exit code 1, or is skipped with a warning that names it."""

from __future__ import annotations

import hashlib
import importlib
import json
import logging
import os
import pickle
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import av
import numpy as np
import pytest

from offline.tables import TrialTable
from rtasmr import console
from rtasmr.recorded_features import SEGMENTS_SPEC, segment_text
from rtasmr.stream_specs import TINGLE_CHANNELS, tingle_spec
from rtasmr.types import Modality, Segment
from rtasmr.xdf import XdfWriter


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


@pytest.fixture
def command(
    tiny_home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> Command:
    """Run a command line in this process."""
    monkeypatch.setenv("RTASMR_HOME", str(tiny_home))

    def run(name: str, *words: object) -> Ended:
        caplog.clear()
        app = importlib.import_module(f"{name}.cli").app
        code = console.run(app, [str(word) for word in words])
        out, err = capsys.readouterr()
        warnings = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
        return Ended(code, out, err, tuple(warnings))

    return run


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
    ("replay {missing}", "No such file"),
    ("replay {missing} --participant 1", "missing"),
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


# Data sets


@pytest.fixture
def study(simulated_set: Path, tmp_path: Path) -> Path:
    """A data set to damage; what stays whole is linked."""
    copy = tmp_path / "study"
    shutil.copytree(simulated_set, copy, copy_function=os.link)
    return copy


def rewrite(path: Path, content: bytes) -> None:
    """Replace a file without touching what else links to it."""
    path.unlink()
    path.write_bytes(content)


def files(study: Path, folder: str) -> list[Path]:
    return sorted((study / folder).iterdir())


def without_video_rows(log: Path) -> bytes:
    return b"\n".join(row for row in log.read_bytes().split(b"\n") if b"\tVideo\t" not in row)


FEATURES = ("--encoder", "random:1", "--clip", "vid3")


def test_what_is_damaged_is_named_and_the_rest_goes_on(command: Command, study: Path, tmp_path: Path) -> None:
    bad_log, whole_log = files(study, "log")
    cut_ppg, cut_video = files(study, "ppg")[1], study / "stim" / "ASMR3.avi"
    rewrite(bad_log, without_video_rows(bad_log))
    rewrite(cut_ppg, cut_ppg.read_bytes()[:2_000_000])
    rewrite(cut_video, cut_video.read_bytes()[:30_000])

    checked = command("offline", "check", study)
    assert f"error    log/{bad_log.name[:3]}: {bad_log.name}: no Video row" in checked.out
    assert f"warning  ppg/{cut_ppg.name}: " in checked.out
    assert "the last row is cut off" in checked.out
    assert "error    stim/ASMR3.avi: cut off" in checked.out
    assert "2 of " in checked.error_line()

    made = command("offline", "features", study, "--out", tmp_path / "features", *FEATURES)
    assert made.code == 0
    assert made.warns_of(bad_log.name, "no Video row"), made.err
    assert made.warns_of(cut_ppg.name, "the last row is cut off"), made.err
    assert made.warns_of(cut_ppg.name, "vid3"), made.err
    assert made.warns_of("ASMR3.avi", "before vid3 does"), made.err
    (path,) = files(tmp_path / "features", "trials")
    assert path.name == f"{whole_log.name[:3]}_vid3.npz"
    table = TrialTable.load(path)
    n_valid = table.valid.sum(axis=0)
    assert (n_valid[table.spec.columns(Modality.PPG)] == 0).all()
    assert (n_valid < len(table.valid)).all()


def test_nothing_is_made_of_damaged_files_alone(command: Command, study: Path, tmp_path: Path) -> None:
    headless, junk = files(study, "ppg")[0], study / "stim" / "ASMR3.avi"
    rewrite(headless, headless.read_bytes()[:60])
    rewrite(junk, b"junk" * 1000)
    replayed = command("replay", study, "--participant", int(headless.name[:3]))
    assert f"{headless.name}: no row of time and 2 channels" in replayed.error_line()
    refused = command("offline", "features", study, "--out", tmp_path / "features", *FEATURES)
    assert "ASMR3.avi" in refused.error_line()
    assert list((tmp_path / "features").rglob("*.npz")) == []


def test_logs_with_no_video_row_alone_are_no_data_set(command: Command, study: Path) -> None:
    first, second = files(study, "log")
    rewrite(first, without_video_rows(first))
    replayed = command("replay", study, "--participant", int(first.name[:3]))
    assert f"{first.name}: no Video row" in replayed.error_line()
    rewrite(second, without_video_rows(second))
    assert "no log could be read" in command("offline", "check", study).error_line()


def test_a_name_that_is_not_in_the_set_is_refused(command: Command, study: Path, tmp_path: Path) -> None:
    words = ("offline", "features", study, "--out", tmp_path / "features", "--encoder", "random:1")
    assert "vid9" in command(*words, "--clip", "vid3", "--clip", "vid9").error_line()
    assert "participant 099" in command(*words, "--participant", 99).error_line()


def test_a_table_that_would_be_no_folder_is_refused(command: Command, study: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    ended = command("offline", "features", study, "--out", tmp_path / "file", *FEATURES)
    assert "Not a directory" in ended.error_line()
    assert (tmp_path / "file").read_text() == "mine"


@pytest.fixture(scope="session")
def silent_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("silent") / "silent.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10, width=32, height=32, pix_fmt="bgr0")
        for k in range(70):
            image = np.full((32, 32, 3), k, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path


def test_a_video_with_no_sound_is_judged_without_and_says_so(
    command: Command, silent_video: Path, tmp_path: Path
) -> None:
    ended = command("rtasmr", "run", silent_video, "--out", tmp_path / "out", "--json")
    assert ended.code == 0
    assert ended.warns_of("silent.avi holds no sound"), ended.warnings
    assert json.loads(ended.out)["status"] == {"warmup": 50, "ok": 20}
    rows = (tmp_path / "out" / "predictions.csv").read_text().splitlines()
    assert {row.split(",")[7] for row in rows[1:]} == {"picture"}


# Models


@pytest.fixture
def damaged(tiny_home: Path, tmp_path: Path) -> Callable[..., Path]:
    """Copy the installed models and change the tingle model's card or file; return its folder."""

    def damage(content: bytes | None = None, *, rehash: bool = True, **entries: object) -> Path:
        models = shutil.copytree(tiny_home / "models", tmp_path / "models")
        folder = models / "tiny"
        card = json.loads((folder / "card.json").read_text())
        if content is not None:
            (folder / "model.onnx").write_bytes(content)
            if rehash:
                entries["onnx_sha256"] = hashlib.sha256(content).hexdigest()
        (folder / "card.json").write_text(json.dumps({**card, **entries}))
        return folder

    return damage


def test_a_corrupt_model_file_is_refused(
    command: Command, damaged: Callable[..., Path], tiny_home: Path, tiny_video: Path
) -> None:
    whole = (tiny_home / "models" / "tiny" / "model.onnx").read_bytes()
    folder = damaged(whole[: len(whole) // 2], rehash=False)
    assert "SHA-256" in command("rtasmr", "run", tiny_video, "--model", folder).error_line()
    assert "SHA-256" in command("rtasmr", "live", "--headless", "--model", folder).error_line()


@pytest.mark.parametrize("content", [b"", b"junk" * 50])
def test_a_model_file_that_is_no_model_is_refused(
    content: bytes, command: Command, damaged: Callable[..., Path], tiny_video: Path
) -> None:
    error = command("rtasmr", "run", tiny_video, "--model", damaged(content)).error_line()
    assert "export the model again" in error


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"card_version": 99}, "expected card version 1, got 99"),
        ({"feature_version": 99}, "fingerprint"),
        ({"fingerprint": "0" * 64}, "fingerprint"),
        ({"kind": "nonsense"}, "'nonsense'"),
        ({"threshold": "half"}, "half"),
        ({"surprise": 1}, "surprise"),
        ({"encoder_sha256": "0" * 64}, "fingerprint"),
    ],
)
def test_a_card_of_another_make_is_refused(
    entries: dict[str, object],
    said: str,
    command: Command,
    damaged: Callable[..., Path],
    tiny_video: Path,
) -> None:
    folder = damaged(**entries)
    assert said in command("rtasmr", "run", tiny_video, "--model", folder).error_line()


def test_a_broken_card_is_refused(command: Command, damaged: Callable[..., Path], tiny_video: Path) -> None:
    folder = damaged()
    (folder / "card.json").write_text("{")
    assert "not a readable card" in command("rtasmr", "run", tiny_video, "--model", folder).error_line()


def test_a_damaged_model_among_the_installed_is_passed_over_with_a_warning(
    command: Command,
    damaged: Callable[..., Path],
    tiny_video: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    damaged(card_version=99)
    monkeypatch.setenv("RTASMR_HOME", str(tmp_path))
    ended = command("rtasmr", "run", tiny_video)
    assert ended.warns_of("tiny", "card version"), ended.warnings
    assert "make demo" in ended.error_line()
    listed = command("rtasmr", "models")
    assert listed.code == 0
    assert "tiny  unusable" in listed.out


# Recordings and pickles


def write_recording(path: Path, rows: list[list[float]], **desc: str) -> Path:
    """A runtime's recording with one segment from 10 s on and these rows of its output."""
    spec = tingle_spec("tiny", demo=True, lookahead=10, window=200)
    writer = XdfWriter(path, header={})
    tingle = writer.add_stream(replace(spec, desc={**spec.desc, **desc}))
    segments = writer.add_stream(SEGMENTS_SPEC)
    writer.write(segments, [10.0], [segment_text(Segment(0, "vid3", 10.0))])
    times = [10.0 + k / 10 for k in range(len(rows))]
    writer.write(tingle, times, np.array(rows, dtype=np.float32))
    return writer.close()


def row_of(**values: float) -> list[float]:
    whole = {
        "p": 0.5,
        "p_low": np.nan,
        "p_high": np.nan,
        "age_s": 1.1,
        "tick": 0,
        "status": 0,
        "modalities": 7,
    }
    return [{**whole, **values}[name] for name in TINGLE_CHANNELS]


def test_a_sound_recording_is_reported(command: Command, tmp_path: Path) -> None:
    path = write_recording(tmp_path / "session.xdf", [row_of(), row_of(tick=1)])
    assert command("rtasmr", "report", path, "--out", tmp_path / "out").code == 0


@pytest.mark.parametrize(
    ("row", "desc"),
    [
        ({"tick": np.nan}, {}),
        ({"tick": np.inf}, {}),
        ({"tick": 7}, {}),
        ({"status": 99}, {}),
        ({"status": np.nan}, {}),
        ({"modalities": np.nan}, {}),
        ({}, {"threshold": "half"}),
    ],
)
def test_a_recording_of_nonsense_is_refused(
    row: dict[str, float], desc: dict[str, str], command: Command, tmp_path: Path
) -> None:
    path = write_recording(tmp_path / "session.xdf", [row_of(**row)], **desc)
    error = command("rtasmr", "report", path, "--out", tmp_path / "out").error_line()
    assert "session.xdf" in error
    assert "corrupt" in error
    assert not (tmp_path / "out").exists()


class _Attack:
    """Makes a file when it is unpickled by a reader that trusts."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.mkdir, (str(self.mark),)


def test_a_pickle_that_asks_for_more_than_arrays_is_refused(command: Command, tmp_path: Path) -> None:
    mark = tmp_path / "run"
    attack = tmp_path / "attack.pkl"
    attack.write_bytes(pickle.dumps([{"y_true": np.zeros(3)}, _Attack(mark)]))
    error = command("offline", "reproduce", "--predictions", attack, "--out", tmp_path / "out").error_line()
    assert "mkdir" in error
    assert not mark.exists()
    assert not (tmp_path / "out").exists()


# In processes of their own


def test_a_real_process_leaves_one_line_and_code_1(tmp_path: Path) -> None:
    words = ("offline", "check", str(tmp_path / "missing"))
    ended = started(words, {}).wait()
    assert "no such folder" in ended.error_line()
    assert ended.err.count("\n") == 1
    assert ended.out == ""


def test_a_training_command_on_a_runtime_without_torch_says_what_to_install() -> None:
    code = "import sys; sys.modules['torch'] = None; from offline.cli import main; main()"
    words = [sys.executable, "-c", code, "train", "x", "--out", "y"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    error = Ended(done.returncode, done.stdout, done.stderr).error_line()
    assert error == (
        "error: this command needs torch, which is not installed; "
        "install it with: pip install 'rtasmr[offline]'"
    )


@dataclass(frozen=True)
class Started:
    process: subprocess.Popen[str]

    def wait(self) -> Ended:
        out, err = self.process.communicate(timeout=120)
        return Ended(self.process.returncode, out, err)


def started(words: tuple[object, ...], environment: dict[str, str]) -> Started:
    name, *rest = (str(word) for word in words)
    program = [name] if name.endswith(".py") else ["-P", "-m", name]
    return Started(
        subprocess.Popen(
            [sys.executable, *program, *rest],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
    )


LIAR = """
import sys, time
import numpy as np, pylsl
from rtasmr import lslconfig
from rtasmr.sources.outlet import Outlet
from rtasmr.stream_specs import ppg_spec
lslconfig.configure(network=False)
promised, delivered = float(sys.argv[1]), float(sys.argv[2])
with Outlet(ppg_spec(promised, source_id="liar", channels=("raw",))) as outlet:
    begin, n = pylsl.local_clock(), 0
    while True:
        due = int((pylsl.local_clock() - begin) * delivered)
        if due > n:
            wave = np.sin(2 * np.pi * 1.1 * np.arange(n, due) / delivered).astype(np.float32)
            outlet.push(wave, pylsl.local_clock())
            n = due
        time.sleep(0.02)
"""


@pytest.fixture
def lab(tiny_home: Path, tmp_path: Path) -> Callable[..., Ended]:
    """Run `rtasmr live` beside sources, in an LSL session that nobody else hears; the sources end with it."""
    session = f"test-{uuid.uuid4().hex[:12]}"
    environment = {"RTASMR_HOME": str(tiny_home), "RTASMR_LSL_SESSION": session}

    def run(sources: list[tuple[object, ...]], *words: object) -> Ended:
        running = [started(source, environment).process for source in sources]
        try:
            return started(("rtasmr", "live", "--headless", *words), environment).wait()
        finally:
            for process in running:
                process.kill()
                process.communicate()

    return run


def liar(tmp_path: Path, promised: float, delivered: float) -> tuple[object, ...]:
    """A source whose header promises another rate than it delivers, as words for `started`."""
    (tmp_path / "liar.py").write_text(LIAR)
    return (tmp_path / "liar.py", promised, delivered)


@pytest.mark.lsl
def test_a_stream_that_never_appears_is_named(lab: Callable[..., Ended]) -> None:
    assert "in 1 s" in lab([], "--wait", 1).error_line()


@pytest.mark.lsl
def test_a_required_stream_that_never_appears_is_named(lab: Callable[..., Ended]) -> None:
    ended = lab([], "--wait", 1, "--require", "markers")
    assert "required markers stream" in ended.error_line()


@pytest.mark.lsl
def test_of_two_streams_that_match_none_is_picked(lab: Callable[..., Ended]) -> None:
    sources = [("rtasmr", "source", "simulated", "--source-id", name) for name in ("left", "right")]
    error = lab(sources, "--wait", 8).error_line()
    assert "got 2" in error
    assert "source_id='left'" in error
    assert "source_id='right'" in error


@pytest.mark.lsl
def test_a_pulse_slower_than_20_hz_is_refused(lab: Callable[..., Ended]) -> None:
    ended = lab([("rtasmr", "source", "simulated", "--sfreq", 10)], "--wait", 4, "--duration", 1)
    assert (
        "a regular rate of 20 to 50000 Hz as ppg stream, got float32 with 1 channels at 10 Hz"
        in ended.error_line()
    )


@pytest.mark.lsl
def test_a_header_that_lies_by_a_factor_of_2_makes_bad_input(
    lab: Callable[..., Ended], tmp_path: Path
) -> None:
    (tmp_path / "session.xdf").write_text("an earlier session")
    ended = lab(
        [liar(tmp_path, 100, 200)],
        *("--wait", 4, "--duration", 15, "--json", "--record", tmp_path / "session.xdf"),
    )
    assert ended.code == 0, ended.err
    assert re.search(r"ppg stream: the header says 100 Hz, (199|200)[.\d]* Hz arrive: refused", ended.err)
    account = json.loads(ended.out.splitlines()[-1])
    assert account["ticks"] == 150
    assert account["status"]["bad_input"] > 0
    assert json.loads(ended.out.splitlines()[-2])["status"] == "bad_input"
    assert (tmp_path / "session.xdf").read_text() == "an earlier session"
    assert account["files"] == [str(tmp_path / "session_2.xdf")]
