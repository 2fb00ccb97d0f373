"""A simulated set is known by its files, with or without SIMULATED.json."""

import lzma
from pathlib import Path

import pytest

from rtasmr.dataset import DataSet
from rtasmr.dataset_check import iter_findings
from rtasmr.simulation_signs import simulated_files


def linked(simulated_set: Path, root: Path, *, keep: str = "") -> Path:
    """Return the set without what stands beside its folders; files but ``keep`` lose their sign."""
    signs = (b" (simulated)", b"_ASMR_simulated", b"Simulated by rtasmr")
    for name in ("log", "ppg", "stim"):
        (root / name).mkdir(parents=True)
        for path in (simulated_set / name).iterdir():
            copy = root / name / path.name
            if keep in ("all", f"{name}/{path.name}"):
                copy.symlink_to(path)
                continue
            content = path.read_bytes()
            for sign in signs:
                content = content.replace(sign, b"x" * len(sign))
            copy.write_bytes(content)
    return root


def test_set_without_its_marker_is_still_simulated(simulated_set, tmp_path):
    dataset = DataSet.open(linked(simulated_set, tmp_path / "data", keep="all"))
    assert dataset.simulation is None
    assert dataset.is_simulated
    assert len(dataset.simulated_files) == 2 + 2 + 8
    (warning,) = (text for text in dataset.warnings if "simulated" in text)
    assert warning.startswith("log/001-")
    assert "says that it was simulated, as 12 of 12 files do" in warning


@pytest.mark.parametrize("kind", ["log", "ppg", "stim"])
def test_one_file_is_enough(simulated_set, tmp_path, kind):
    sign = min((simulated_set / kind).iterdir())
    dataset = DataSet.open(linked(simulated_set, tmp_path / "data", keep=f"{kind}/{sign.name}"))
    assert [path.name for path in dataset.simulated_files] == [sign.name]
    assert dataset.is_simulated
    found = next(finding for finding in iter_findings(dataset.root) if "was simulated" in finding.text)
    assert found.file == f"{kind}/{sign.name}"


def test_set_without_any_sign_counts_as_real(simulated_set, tmp_path):
    dataset = DataSet.open(linked(simulated_set, tmp_path / "data"))
    assert not dataset.is_simulated
    assert dataset.simulated_files == ()


def test_signs_are_read_where_the_simulator_writes_them(tmp_path):
    def file(name, content):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    utf16 = file("a.log", "Scenario - x (simulated)\nSubject".encode("utf-16"))
    packed = file("b_csv.txt.xz", lzma.compress(b"021_ASMR_simulated.acq\n0.5 ms/sample\n"))
    # words of people, in other places: a comment below, a title of another kind
    comment = file("c.log", b"Scenario - x\nSubject\tCode\n1\t(simulated)\n")
    title = file("d.avi", b"RIFF....INAM ASMR simulated haircut")
    broken = file("e_csv.txt.xz", b"no archive")
    found = simulated_files([utf16, comment], [packed, broken, tmp_path / "absent"], [title])
    assert found == (utf16, packed)
