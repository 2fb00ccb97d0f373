"""What `check` says of whole and of broken sets, unpacked and zipped."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from rtasmr.dataset import SIMULATION_MARKER, stimulus_file_name
from rtasmr.dataset_check import Finding, Level, check, iter_findings
from rtasmr.errors import DataError
from rtasmr.types import VIDEOS

SHOWN = "".join(f"021\t{k}\tVideo\t{video}\t{600_000 * k}\n" for k, video in enumerate(VIDEOS, start=1))
LOG = f"Subject\tTrial\tEvent Type\tCode\tTime\n{SHOWN}021\t9\tResponse\t3\t800000\n"
LOG_FILE = "log/021-1-20211022-d28c98dd.log"
SLOW_PPG = Finding("ppg/021_csv.txt", Level.WARNING, "sampled at 10 Hz, the data set has 2000 Hz")
"""Of the small set: seven minutes at 2000 Hz would take longer to write than to check."""
INVALID = "; the pulse is marked invalid there"
NO_CELLS = "12000 cells hold no number; read as missing (NaN); "
USED = "; used as far as it goes, later frames of vid3 are marked invalid"
SFREQ = 8000


def write_film(path: Path, picture_s: float, sound_s: float) -> Path:
    """Write an AVI of one image per second and of silence; 0 s leaves the stream out."""
    with av.open(str(path), "w") as container:
        streams = []
        if picture_s:
            video = container.add_stream("mpeg4", rate=1, width=16, height=16, pix_fmt="yuv420p")
            streams.append(video)
        if sound_s:
            sound = container.add_stream("pcm_s16le", rate=SFREQ, layout="mono")
            streams.append(sound)
        for _ in range(round(picture_s)):
            container.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8))))
        for second in range(round(sound_s)):
            block = av.AudioFrame.from_ndarray(np.zeros((1, SFREQ), np.int16), format="s16", layout="mono")
            block.sample_rate, block.pts = SFREQ, second * SFREQ
            container.mux(sound.encode(block))
        for stream in streams:
            container.mux(stream.encode())
    return path


@pytest.fixture(scope="module")
def whole_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Participant 21 with all clips, 600 s of PPG at 10 Hz, stimuli of 60 s; do not write into it."""
    root = tmp_path_factory.mktemp("whole") / "set"
    for folder in ("log", "ppg", "stim"):
        (root / folder).mkdir(parents=True)
    (root / "log" / "021-1-20211022-d28c98dd.log").write_text(LOG)
    rows = "".join(f"{i / 600:.9f}\t{i % 1000}\t{i % 1000}\n" for i in range(6000))
    head = "x.acq\n100 ms/sample\n2 channels\nPPG\nmV\nPPG\nmV\nmin\tCH1\tCH2\n\t6000\t6000\n"
    (root / "ppg" / "021_csv.txt").write_text(head + rows)
    film = root / "stim" / "ASMR1.avi"
    write_film(film, 60, 60)
    for video in VIDEOS[1:]:
        shutil.copy(film, root / "stim" / stimulus_file_name(video))
    return root


@pytest.fixture
def broken_set(whole_set: Path, tmp_path: Path) -> Path:
    """A copy to break."""
    return shutil.copytree(whole_set, tmp_path / "set")


def zipped(folder: Path, archive: Path, inside: str = "") -> Path:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                file.write(path, inside + path.relative_to(folder).as_posix())
    return archive


def errors(findings: list[Finding]) -> dict[str, str]:
    return {finding.file: finding.text for finding in findings if finding.level is Level.ERROR}


def test_a_whole_set_is_whole(whole_set: Path) -> None:
    findings = check(whole_set)
    assert [finding for finding in findings if finding.level is not Level.OK] == [SLOW_PPG]
    assert Finding(LOG_FILE, Level.OK, "8 clips, 1 rating key") in findings
    text = "vid8, pictures 60.0 s (16x16, 1 fps), sound 60.0 s"
    assert Finding("stim/nature4.avi", Level.OK, text) in findings
    assert len(findings) == 10


def test_every_broken_file_is_named(broken_set: Path) -> None:
    (broken_set / "ppg" / "021_csv.txt").write_text("nothing")
    stim = broken_set / "stim"
    whole = (stim / "ASMR1.avi").read_bytes()
    (stim / "ASMR1.avi").write_bytes(whole[:-1])
    (stim / "ASMR2.avi").write_bytes(b"no film")
    (stim / "ASMR3.avi").unlink()
    (stim / "ASMR4.avi").write_bytes(b"RIFF\x08\x00\x00\x00AVI data")
    findings = check(broken_set)
    (cut,) = [finding for finding in findings if finding.file == "stim/ASMR1.avi"]
    assert cut.level is Level.WARNING
    held = "pictures 60.0 s (16x16, 1 fps), sound 60.0 s"
    assert cut.text == f"vid1, cut off ({len(whole) - 1} of {len(whole)} bytes), {held}"
    found = errors(findings)
    assert set(found) == {"ppg/021_csv.txt", *(f"stim/ASMR{k}.avi" for k in (2, 3, 4))}
    assert found["ppg/021_csv.txt"].endswith(
        "participant 021 is left out of the pulse analyses, the pulse marked invalid"
    )
    assert found["stim/ASMR3.avi"] == "missing; vid3 is left out for all participants"
    for name in ("stim/ASMR2.avi", "stim/ASMR4.avi"):
        assert found[name].startswith("expected a readable video or sound file, got: ")
        assert found[name].endswith(f"; vid{name[9]} is left out for all participants")


def test_a_set_that_was_not_written_to_its_end_is_an_error(broken_set: Path) -> None:
    (broken_set / SIMULATION_MARKER).write_text('{"complete": false}')
    assert errors(check(broken_set)) == {SIMULATION_MARKER: "the simulation was not finished; run it again"}


@pytest.mark.parametrize(
    ("picture_s", "sound_s", "level", "text"),
    [
        (60, 0, Level.ERROR, "no sound"),
        (0, 60, Level.ERROR, "no pictures"),
        (57, 60, Level.WARNING, f"pictures 57.0 of 60 s (16x16, 1 fps), sound 60.0 s{USED}"),
        (60, 57, Level.WARNING, f"pictures 60.0 s (16x16, 1 fps), sound 57.0 of 60 s{USED}"),
        (4, 60, Level.ERROR, "pictures 4.0 s, sound 60.0 s: nothing after the first 5 s of a clip"),
    ],
)
def test_a_stimulus_is_decoded(
    broken_set: Path, picture_s: float, sound_s: float, level: Level, text: str
) -> None:
    write_film(broken_set / "stim" / "ASMR3.avi", picture_s, sound_s)
    (finding,) = [f for f in check(broken_set) if f.file == "stim/ASMR3.avi"]
    assert finding.level is level
    assert finding.text.removeprefix("vid3, ").startswith(text)


def test_a_film_in_another_container_is_said(broken_set: Path, tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.mkv", 60, 60)
    shutil.copy(film, broken_set / "stim" / "ASMR3.avi")
    (finding,) = [f for f in check(broken_set) if f.file == "stim/ASMR3.avi"]
    assert finding.level is Level.WARNING
    assert finding.text.startswith("vid3, not an AVI file, read all the same, pictures 60.0 s")


def test_what_is_no_file_or_not_ours_is_named(broken_set: Path) -> None:
    log = broken_set / "log" / "022-1-20211022-00000000.log"
    log.mkdir()
    (broken_set / "ppg" / "022_csv.txt").symlink_to("nowhere")
    (broken_set / "stim" / "ASMR1.mp4").write_bytes(b"film")
    found = {f.file: (f.level, f.text) for f in check(broken_set)}
    assert found[f"log/{log.name}"] == (Level.WARNING, "a folder, not a file; ignored")
    assert found["ppg/022_csv.txt"] == (Level.WARNING, "a link to nothing, not a file; ignored")
    assert found["stim/ASMR1.mp4"] == (Level.WARNING, "not named like ASMR1.avi or nature4.avi; ignored")


def test_a_log_without_any_rating_looks_wrong(broken_set: Path) -> None:
    path = next((broken_set / "log").iterdir())
    path.write_text("".join(row for row in LOG.splitlines(keepends=True) if "Response" not in row))
    assert Finding(LOG_FILE, Level.WARNING, "8 clips, 0 rating keys") in check(broken_set)


@pytest.mark.parametrize(
    ("begin", "end", "told"),
    [  # rows of 10 Hz; vid2 is shown from 120 s to 180 s
        (1200, 1800, "CH2 is flat in 1 of 8 clips (vid2)"),
        (1400, 1600, "CH2 is flat for up to 20.0 s in 1 of 8 clips (vid2)"),
    ],
)
def test_a_pulse_that_does_not_move_names_its_clip(broken_set: Path, begin: int, end: int, told: str) -> None:
    path = broken_set / "ppg" / "021_csv.txt"
    rows = path.read_text().splitlines()
    n_head = len(rows) - 6000
    for i in range(n_head + begin, n_head + end):
        rows[i] = rows[i].rpartition("\t")[0] + "\t7"
    path.write_text("\n".join(rows) + "\n")
    (finding,) = [f for f in check(broken_set) if f.file.startswith("ppg")]
    assert finding.text == f"{SLOW_PPG.text}; {told}{INVALID}"


def test_a_channel_without_numbers_is_named(broken_set: Path) -> None:
    path = broken_set / "ppg" / "021_csv.txt"
    head, rows = path.read_text().split("6000\t6000\n")
    first, *others = rows.splitlines()
    cells = "".join(row.rpartition("\t")[0] + "\tnone\n" for row in others)
    path.write_text(f"{head}6000\t6000\n{first.rpartition(chr(9))[0]}\tnan\n{cells}")
    (finding,) = [f for f in check(broken_set) if f.file.startswith("ppg")]
    assert finding.text.endswith(f"{SLOW_PPG.text}; CH2 is without any number{INVALID}")


def test_names_and_logs_come_before_anything_is_read(broken_set: Path) -> None:
    (broken_set / "stim" / "nature1.avi").unlink()
    (broken_set / "log" / "003-1-20211022-00000000.log").write_text("nothing")
    findings = iter_findings(broken_set)
    first = [next(findings).file for _ in range(3)]
    shutil.rmtree(broken_set / "stim")  # not looked into so far
    assert first == ["log/003-1-20211022-00000000.log", "stim/nature1.avi", LOG_FILE]


def test_a_flat_and_a_saturated_pulse_are_named(broken_set: Path) -> None:
    path = broken_set / "ppg" / "021_csv.txt"
    head, rows = path.read_text().split("6000\t6000\n")
    values = [row.split("\t") for row in rows.splitlines()]
    cells = "".join(f"{time}\t5\t{min(int(second), 499)}\n" for time, _, second in values)
    path.write_text(f"{head}6000\t6000\n{cells}")
    (finding,) = [f for f in check(broken_set) if f.file.startswith("ppg")]
    assert finding.level is Level.WARNING
    done = "CH1 is flat; the features read the other channel; CH2 is saturated in 50.2 % of the samples"
    assert finding.text.startswith(f"{SLOW_PPG.text}; {done}; used as it is")


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        (lambda _: "5\t7", f"CH1 and CH2 are flat{INVALID}"),
        (lambda _: "nan\tnan", f"CH1 and CH2 are without any number{INVALID}"),
        (  # vid2 is shown from 120 s to 180 s, rows are 0.1 s
            lambda row: "5\t7" if 1200 <= row < 1800 else f"{row % 1000}\t{row % 1000}",
            f"CH1 and CH2 are flat in 1 of 8 clips (vid2){INVALID}",
        ),
        (
            lambda row: "5\t7" if 1200 <= row < 1800 else f"5\t{row % 1000}",
            f"CH1 is flat; the features read the other channel; CH2 is flat in 1 of 8 clips (vid2){INVALID}",
        ),
    ],
    ids=["flat", "no number", "flat in one clip", "flat, and flat in one clip"],
)
def test_what_both_channels_lack_is_said_once(
    broken_set: Path, cells: Callable[[int], str], told: str
) -> None:
    path = broken_set / "ppg" / "021_csv.txt"
    head, rows = path.read_text().split("6000\t6000\n")
    times = [row.partition("\t")[0] for row in rows.splitlines()]
    table = "".join(f"{time}\t{cells(row)}\n" for row, time in enumerate(times))
    path.write_text(f"{head}6000\t6000\n{table}")
    (finding,) = [f for f in check(broken_set) if f.file.startswith("ppg")]
    assert finding.text.removeprefix(NO_CELLS).removeprefix(f"{SLOW_PPG.text}; ") == told


@pytest.mark.parametrize("inside", ["", "REST-ASMR/"])
def test_one_archive_tells_the_same_as_the_set(whole_set: Path, tmp_path: Path, inside: str) -> None:
    archive = zipped(whole_set, tmp_path / "REST-ASMR.zip", inside)
    head, *findings = check(archive)
    assert head.file == "REST-ASMR.zip"
    assert findings == check(whole_set)
    assert list(tmp_path.iterdir()) == [archive]


def test_an_archive_per_folder_tells_the_same_as_the_set(broken_set: Path, tmp_path: Path) -> None:
    (broken_set / "ppg" / "021_csv.txt").write_text("nothing")
    write_film(broken_set / "stim" / "ASMR3.avi", 60, 0)
    (tmp_path / "zips").mkdir()
    for name in ("log", "ppg", "stim"):
        zipped(broken_set / name, tmp_path / "zips" / f"{name}.zip")
    findings = check(tmp_path / "zips")
    assert [finding.file for finding in findings[:3]] == ["log.zip", "ppg.zip", "stim.zip"]
    assert findings[3:] == check(broken_set)
    assert set(errors(findings)) == {"ppg/021_csv.txt", "stim/ASMR3.avi"}


def test_a_cut_archive_is_refused(whole_set: Path, tmp_path: Path) -> None:
    archive = zipped(whole_set, tmp_path / "set.zip")
    archive.write_bytes(archive.read_bytes()[:-30])
    with pytest.raises(DataError, match=r"set\.zip: expected a whole zip archive, got a damaged one"):
        check(archive)


@pytest.mark.parametrize("name", ["ppg/021_csv.txt", "stim/ASMR2.avi"])
def test_a_damaged_file_in_an_archive_costs_that_file_only(
    whole_set: Path, tmp_path: Path, name: str
) -> None:
    archive = zipped(whole_set, tmp_path / "set.zip")
    with zipfile.ZipFile(archive) as file:
        start = file.getinfo(name).header_offset
    content = bytearray(archive.read_bytes())
    content[start + 200] ^= 0xFF
    archive.write_bytes(content)
    found = errors(check(archive))
    assert set(found) == {name}
    assert "got a damaged one" in found[name]


def test_a_simulated_set_passes(simulated_set: Path) -> None:
    findings = check(simulated_set)
    assert [f for f in findings if f.level is not Level.OK] == [
        Finding("SIMULATED.json", Level.WARNING, "simulated data; says nothing about people")
    ]
    assert Finding("ppg/001_csv.txt", Level.OK, "1440000 samples, 720.0 s at 2000 Hz") in findings
    assert len([f for f in findings if f.file.startswith("stim/")]) == 8
