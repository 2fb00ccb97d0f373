"""PPG exports: both layouts, and files that are cut or hold something else."""

from __future__ import annotations

import lzma
from pathlib import Path

import numpy as np
import pytest

from rtasmr.biopac import read_ppg
from rtasmr.errors import DataError

HEAD = "021_ASMR.acq\n0.5 ms/sample\n2 channels\nPPG\nmV\nPPG (0.5-35Hz)\nV\n"
NAMES = "min\tCH1\tCH2\n"


def rows(n: int = 6, interval_s: float = 0.0005) -> str:
    """Sample i: CH1 = i, CH2 = -i / 2."""
    return "".join(f"{i * interval_s / 60:.9g}\t{i}\t{-i / 2:g}\n" for i in range(n))


def counts(n: int = 6) -> str:
    return f"\t{n}\t{n}\n"


def write(tmp_path: Path, text: str, encoding: str = "ascii") -> Path:
    path = tmp_path / "021_csv.txt"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("head", [HEAD + NAMES, HEAD + "\n" + NAMES], ids=["eighth line", "ninth line"])
def test_both_layouts_give_the_same(tmp_path: Path, head: str) -> None:
    recording = read_ppg(write(tmp_path, head + counts() + rows()))
    expected = np.stack((np.arange(6), -np.arange(6) / 2), axis=1)
    np.testing.assert_array_equal(recording.samples, expected.astype(np.float32))
    np.testing.assert_allclose(recording.time_min * 60, np.arange(6) / 2000, rtol=1e-8)
    assert recording.samples.dtype == np.float32
    assert (recording.sfreq, recording.start_s, recording.stop_s) == (2000.0, 0.0, 0.003)
    assert recording.units == ("mV", "V")
    assert recording.notes == ()


def test_line_ends_do_not_matter(tmp_path: Path) -> None:
    text = HEAD + NAMES + counts() + rows()
    plain = read_ppg(write(tmp_path, text))
    dos = read_ppg(write(tmp_path, text.replace("\n", "\r\n")))
    np.testing.assert_array_equal(dos.samples, plain.samples)
    assert (dos.units, dos.notes) == (plain.units, plain.notes)


@pytest.mark.parametrize("end", ["\t\n", "\t7\n", "\n\n", "\n\n\n"])
def test_further_columns_and_blank_lines_do_not_matter(tmp_path: Path, end: str) -> None:
    recording = read_ppg(write(tmp_path, HEAD + NAMES + counts() + rows().replace("\n", end)))
    assert recording.samples[:, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert recording.notes == ()


def test_a_stray_quote_costs_one_cell_only(tmp_path: Path) -> None:
    recording = read_ppg(write(tmp_path, HEAD + NAMES + counts() + rows().replace("\t2\t", '\t"2\t')))
    assert np.isnan(recording.samples[:, 0]).tolist() == [False, False, True, False, False, False]


def mutated(raw: bytes, rng: np.random.Generator) -> bytes:
    """Change, delete, insert or cut bytes at a few random places."""
    bits = [b"\t", b"\n", b"\r\n", b"\x00", b'"', b"1e999", b"nan", b"\xff\xfe"]
    for _ in range(rng.integers(1, 12)):
        at = int(rng.integers(len(raw)))
        match rng.integers(4):
            case 0:
                raw = raw[:at] + bits[rng.integers(len(bits))] + raw[at:]
            case 1:
                raw = raw[:at] + raw[at + int(rng.integers(1, 60)) :]
            case 2:
                raw = raw[:at] + rng.bytes(3) + raw[at + 3 :]
            case 3 if rng.random() < 0.3:
                raw = raw[:at] or b"\n"
    return raw


def test_whatever_bytes_come_there_is_a_table_or_one_line(tmp_path: Path, rng: np.random.Generator) -> None:
    whole = (HEAD + NAMES + counts(100) + rows(100)).encode()
    path = tmp_path / "021_csv.txt"
    shapes, messages = [], []
    for _ in range(300):
        path.write_bytes(mutated(whole, rng))
        try:
            recording = read_ppg(path)
            shapes.append((recording.samples.shape[1:], len(recording.samples) - len(recording.time_min)))
        except DataError as error:
            messages.append(str(error))
    assert len(messages) > 10
    assert not any("\n" in message for message in messages)
    assert set(shapes) == {((2,), 0)}


@pytest.mark.parametrize(
    ("encoding", "notes"),
    [
        ("shift_jis", ("021_csv.txt: its header holds Shift-JIS text, decoded as such",)),
        ("utf-8", ()),
        ("utf-8-sig", ()),
    ],
)
def test_a_japanese_header_is_read(tmp_path: Path, encoding: str, notes: tuple[str, ...]) -> None:
    text = HEAD.replace("021_ASMR", "脈波ソ").replace("\nV\n", "\nボ\n") + NAMES + counts() + rows()
    recording = read_ppg(write(tmp_path, text, encoding))
    assert recording.samples[:, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert (recording.sfreq, recording.units) == (2000.0, ("mV", "ボ"))
    assert recording.notes == notes


def test_header_bytes_that_are_no_text_are_counted(tmp_path: Path) -> None:
    path = write(tmp_path, HEAD + NAMES + counts() + rows())
    path.write_bytes(path.read_bytes().replace(b"021_ASMR", b"\x81\x20\x81\x21", 1))
    recording = read_ppg(path)
    assert recording.samples[:, 0].tolist() == [0, 1, 2, 3, 4, 5]
    told = "its header holds Shift-JIS text, decoded as such, 2 bytes unreadable"
    assert recording.notes == (f"021_csv.txt: {told}",)


def test_a_compressed_export_gives_the_same(tmp_path: Path) -> None:
    plain = read_ppg(write(tmp_path, HEAD + NAMES + counts() + rows()))
    path = tmp_path / "021_csv.txt.xz"
    path.write_bytes(lzma.compress((tmp_path / "021_csv.txt").read_bytes()))
    np.testing.assert_array_equal(read_ppg(path).samples, plain.samples)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"021_csv\.txt\.xz: not a whole \.xz file"):
        read_ppg(path)


@pytest.mark.parametrize("lost", [1, 2, 4, 6, 12])
def test_a_cut_last_row_is_dropped_and_said(tmp_path: Path, lost: int) -> None:
    """The last row is ``4.16666667e-05 TAB 5 TAB -2.5``: cut within its digits it looks whole."""
    recording = read_ppg(write(tmp_path, (HEAD + NAMES + counts(10) + rows(6))[:-lost]))
    assert recording.samples[:, 0].tolist() == [0, 1, 2, 3, 4]
    assert recording.notes == (
        "021_csv.txt: the last row is cut off; dropped",
        "021_csv.txt: holds 5 samples, its header promises 10",
    )


def test_a_missing_last_line_end_alone_loses_nothing(tmp_path: Path) -> None:
    recording = read_ppg(write(tmp_path, (HEAD + NAMES + counts(6) + rows(6))[:-1]))
    assert recording.samples[:, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert recording.notes == ()


def test_fewer_samples_than_promised_are_said(tmp_path: Path) -> None:
    recording = read_ppg(write(tmp_path, HEAD + NAMES + counts(10) + rows(6)))
    assert len(recording.samples) == 6
    assert recording.notes == ("021_csv.txt: holds 6 samples, its header promises 10",)


def test_cells_without_number_are_missing_not_zero(tmp_path: Path) -> None:
    text = rows().replace("\t3\t-1.5", "\tDisconnect\t-1.5").replace("\t4\t-2\n", "\t1e300\n")
    recording = read_ppg(write(tmp_path, HEAD + NAMES + counts() + text))
    assert np.isnan(recording.samples).tolist() == [[i in (3, 4), i == 4] for i in range(6)]
    assert "3 cells hold no number" in recording.notes[0]


def test_another_rate_is_read_and_said(tmp_path: Path) -> None:
    text = HEAD.replace("0.5 ms", "1 ms") + NAMES + counts() + rows(interval_s=0.001)
    recording = read_ppg(write(tmp_path, text))
    assert recording.sfreq == 1000.0
    assert "sampled at 1000 Hz" in recording.notes[0]


@pytest.mark.parametrize(("unit", "per_min"), [("sec", 60), ("s", 60), ("msec", 60_000), ("ms", 60_000)])
def test_a_time_column_in_another_unit_is_converted(tmp_path: Path, unit: str, per_min: int) -> None:
    times = "".join(f"{i / 120_000 * per_min:.9g}\t{i}\t{-i}\n" for i in range(2000))
    names = NAMES.replace("min", unit)
    recording = read_ppg(write(tmp_path, HEAD + names + counts(2000) + times))
    np.testing.assert_allclose(recording.time_min, np.arange(2000) / 120_000, atol=1e-12)
    assert recording.notes == (f"021_csv.txt: its time column counts {unit}; converted to minutes",)


@pytest.mark.parametrize("start_min", [0.5, -0.25])
def test_a_time_column_that_does_not_begin_at_0_places_the_first_sample(
    tmp_path: Path, start_min: float
) -> None:
    times = "".join(f"{start_min + i / 120_000:.9g}\t{i}\t{-i}\n" for i in range(2000))
    recording = read_ppg(write(tmp_path, HEAD + NAMES + counts(2000) + times))
    assert (recording.start_s, recording.stop_s) == (60 * start_min, 60 * start_min + 1)
    (note,) = recording.notes
    assert f"begins at {60 * start_min:.3f} s" in note


def test_a_missing_interval_is_said(tmp_path: Path) -> None:
    recording = read_ppg(write(tmp_path, HEAD.replace("0.5 ms/sample", "") + NAMES + counts() + rows()))
    assert recording.sfreq == 2000.0
    assert "names no sampling interval" in recording.notes[0]


def test_a_time_column_that_disagrees_is_said(tmp_path: Path) -> None:
    recording = read_ppg(write(tmp_path, HEAD + NAMES + counts(4000) + rows(4000, interval_s=0.001)))
    assert "time column spans 4.00 s" in recording.notes[0]
    assert recording.stop_s == 2.0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "empty"),
        ("\n\n", "empty"),
        ("not an export\n" * 20, "no row of time and 2 channels"),
        (HEAD + "min\tCH1\n0\t1\n1\t2\n", "no row of time and 2 channels"),
    ],
)
def test_what_is_no_export_is_refused_in_one_line(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as raised:
        read_ppg(write(tmp_path, content))
    assert "021_csv.txt" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="can not be read"):
        read_ppg(tmp_path / "021_csv.txt")


def test_reference_participant(shared_data: Path) -> None:
    recording = read_ppg(shared_data / "reference" / "ppg" / "021_csv.txt.xz")
    assert recording.samples.shape == (1_440_000, 2)
    np.testing.assert_array_equal(
        recording.samples[[0, 1, -1]],
        np.float32([[-0.263672, -0.000610352], [-0.26886, -0.00335693], [1.3327, 0.739136]]),
    )
    assert (recording.sfreq, recording.stop_s, recording.units) == (2000.0, 720.0, ("mV", "mV"))
    assert recording.notes == ()
