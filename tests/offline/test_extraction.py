"""From a data set to feature tables: what goes where, what is kept, and what happens to bad files."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import av
import numpy as np
import pytest
from onnx import TensorProto, helper

from offline import cache as cache_module
from offline import units as units_module
from offline.cache import FeatureCache, content_key
from offline.compute import compute
from offline.extract import Extraction, extract_tables
from offline.feature_sets import feature_spec
from offline.live_frames import pulse_frames, stimulus_frames
from offline.paper_pulse import paper_pulse
from offline.plan import plan_work
from offline.tables import TrialTable, load_tables
from offline.technical_validation import read_session
from offline.units import Kind
from offline.workers import run_units
from rtasmr.card import EncoderCard, write_card
from rtasmr.dataset import DataSet, rating_track
from rtasmr.dataset_check import Level, check
from rtasmr.errors import ConfigError, DataError
from rtasmr.features.spec import FEATURE_NAMES
from rtasmr.inference import OnnxEncoder
from rtasmr.types import Modality, TrialId

VIDEOS = ["vid2", "vid6"]
"""The first is participant 1's first clip, which is shorter."""
PARTICIPANTS = (1, 3)


@pytest.fixture(scope="module")
def encoder_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder whose answer can be computed by hand: mean red, green and blue, over and over."""
    nodes = [
        helper.make_node("Cast", ["images"], ["x"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["x", "axes"], ["means"], keepdims=0),
        helper.make_node("Tile", ["means", "times"], ["many"]),
        helper.make_node("Slice", ["many", "zero", "end", "one"], ["features"]),
    ]
    constants = {"axes": [1, 2], "times": [1, 171], "zero": [0], "end": [512], "one": [1]}
    graph = helper.make_graph(
        nodes,
        "means",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["n", 224, 224, 3])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", 512])],
        [helper.make_tensor(name, TensorProto.INT64, [len(v)], v) for name, v in constants.items()],
    )
    opset = [helper.make_opsetid("", 18)]
    content = helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()
    folder = tmp_path_factory.mktemp("encoder") / "resnet18-test"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(content)
    card = EncoderCard(
        id="resnet18-test",
        created="2026-01-02T12:00:00+00:00",
        architecture="resnet18",
        weights="file",
        weights_sha256="e" * 64,
        commit="abc",
        onnx_sha256=hashlib.sha256(content).hexdigest(),
    )
    write_card(card, folder)
    return folder


@pytest.fixture(scope="module")
def filled_cache(simulated_set: Path, encoder_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with all that the tests' clips need for the sets ``paper`` and ``live``."""
    root = tmp_path_factory.mktemp("filled")
    for name in ("paper", "live"):
        extract_tables(
            DataSet.open(simulated_set),
            root / name,
            name,
            encoder_folder,
            videos=VIDEOS,
            jobs=1,
            cache_folder=root / "cache",
        )
    return root / "cache"


@pytest.fixture
def study(simulated_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The simulated study with files of its own, which count as settled at once."""
    monkeypatch.setattr(cache_module, "SETTLED_AGE_S", -1.0)
    root = tmp_path / "study"
    shutil.copytree(simulated_set, root, ignore=shutil.ignore_patterns("truth"))
    return root


@pytest.fixture
def extract(study: Path, encoder_folder: Path, filled_cache: Path, tmp_path: Path):
    """Extract two clips of the study, with a filled cache; arguments replace defaults."""
    shutil.copytree(filled_cache, tmp_path / "cache")

    def run(out: str = "out", set_name: str = "paper", **options: object) -> Extraction:
        options = {"videos": VIDEOS, "jobs": 1, "cache_folder": tmp_path / "cache", **options}
        return extract_tables(DataSet.open(study), tmp_path / out, set_name, encoder_folder, **options)

    return run


def table(tmp_path: Path, trial: TrialId, out: str = "out") -> TrialTable:
    return TrialTable.load(tmp_path / out / "trials" / f"{trial}.npz")


def test_the_papers_tables(extract, study, tmp_path, encoder_folder):
    extraction = extract()
    data = DataSet.open(study)
    assert extraction.notes == ()
    assert [path.stem for path in extraction.paths] == ["001_vid2", "001_vid6", "003_vid2", "003_vid6"]
    spec = feature_spec("paper", "e" * 64)
    lengths = set()
    for path in extraction.paths:
        loaded = TrialTable.load(path)
        lengths.add(loaded.n_frames)
        assert loaded.spec == spec
        assert loaded.names == FEATURE_NAMES
        assert loaded.simulated
        assert loaded.valid.all()
        assert not loaded.preroll_valid.any()
        log = data.log(loaded.trial.participant)
        clip = log.clip(loaded.trial.video)
        np.testing.assert_array_equal(loaded.rating, rating_track(log, clip))
        pulse = paper_pulse(data.ppg(loaded.trial.participant), clip).values
        np.testing.assert_array_equal(loaded.values[:, -1], pulse)
    assert lengths == {507, 550}
    content = json.loads((tmp_path / "out" / "features.json").read_text())
    assert (content["feature_set"], content["trials"], content["simulated"]) == ("paper", 4, True)
    assert content["fingerprint"] == spec.fingerprint


def test_the_sets_of_the_paper_share_all_but_the_pictures(extract, tmp_path):
    extract("a", "paper")
    second = extract("b", "paper-224")
    assert second.n_computed == len(VIDEOS)  # the pictures
    pictures = feature_spec("paper", "").columns(Modality.PICTURE)
    for trial in (TrialId(1, "vid2"), TrialId(3, "vid6")):
        a, b = table(tmp_path, trial, "a"), table(tmp_path, trial, "b")
        np.testing.assert_array_equal(np.delete(a.values, pictures, 1), np.delete(b.values, pictures, 1))
        assert not np.array_equal(a.values[:, pictures], b.values[:, pictures])
        assert a.fingerprint != b.fingerprint


def test_the_live_tables_are_those_of_the_streams_code(extract, study, tmp_path, encoder_folder):
    extract(set_name="live", videos=["vid6"], participants=[3])
    loaded = table(tmp_path, TrialId(3, "vid6"))
    data = DataSet.open(study)
    clip = data.log(3).clip("vid6")
    n_ticks = 50 + loaded.n_frames
    encode = OnnxEncoder.load(encoder_folder, "cpu").encode
    stimulus = stimulus_frames(data.stimulus("vid6"), loaded.spec, encode)
    pulse = pulse_frames(data.ppg(3), clip, loaded.spec)
    values, valid = loaded.sequence
    np.testing.assert_array_equal(values[:, :543], stimulus.values[:n_ticks, :543])
    np.testing.assert_array_equal(valid[:, :543], stimulus.valid[:n_ticks, :543])
    np.testing.assert_array_equal(values[:, 543], pulse.values[:n_ticks, 543])
    np.testing.assert_array_equal(valid[:, 543], pulse.valid[:n_ticks, 543])


@pytest.mark.parametrize("set_name", ["paper", "live"])
def test_a_second_run_computes_nothing_and_writes_nothing(extract, tmp_path, set_name):
    chosen = {"videos": ["vid6"], "participants": [3], "cache_folder": tmp_path / "empty"}
    first = extract("out", set_name, **chosen)
    dates = {path: path.stat().st_mtime_ns for path in first.paths}
    second = extract("out", set_name, **chosen)
    assert first.n_computed == first.n_units == second.n_units > 0
    assert second.n_computed == 0
    assert second.paths == first.paths
    assert {path: path.stat().st_mtime_ns for path in second.paths} == dates
    elsewhere = extract("elsewhere", set_name, **chosen)
    assert elsewhere.n_computed == 0
    for ours, theirs in zip(load_tables(tmp_path / "out"), load_tables(tmp_path / "elsewhere"), strict=True):
        assert ours.digest == theirs.digest


def test_a_changed_recording_is_the_only_one_computed_again(extract, study, tmp_path):
    extract()
    before = {t: table(tmp_path, TrialId(t, "vid6")).digest for t in PARTICIPANTS}
    path = study / "ppg" / "003_csv.txt"
    lines = path.read_bytes().split(b"\n")
    at = 2000 * round(DataSet.open(study).log(3).clip("vid6").start_s + 20)
    minutes, ch1, _ = lines[at].split(b"\t")
    lines[at] = b"\t".join([minutes, ch1, b"9.5"])
    path.write_bytes(b"\n".join(lines))
    again = extract()
    assert again.n_computed == 1
    after = {t: table(tmp_path, TrialId(t, "vid6")).digest for t in PARTICIPANTS}
    assert after[1] == before[1]
    assert after[3] != before[3]


def test_a_touched_file_of_the_same_content_is_not_computed_again(extract, study):
    extract()
    (study / "stim" / "ASMR2.avi").touch()
    assert extract().n_computed == 0


def test_a_damaged_table_is_written_again(extract, tmp_path):
    first = extract()
    whole = TrialTable.load(first.paths[0]).digest
    first.paths[0].write_bytes(first.paths[0].read_bytes()[:1000])
    second = extract()
    assert second.n_computed == 0
    assert TrialTable.load(second.paths[0]).digest == whole


def test_two_processes_give_what_one_gives(extract, tmp_path):
    """The filled cache was computed in one process."""
    one = extract("one", videos=["vid6"])
    two = extract("two", videos=["vid6"], cache_folder=tmp_path / "empty", jobs=2)
    assert one.n_computed == 0
    assert two.n_computed == two.n_units
    for a, b in zip(load_tables(tmp_path / "one"), load_tables(tmp_path / "two"), strict=True):
        assert a.digest == b.digest


def test_an_interrupted_run_keeps_what_it_finished(study, encoder_folder, tmp_path):
    data = DataSet.open(study)
    pulses = [u for u in plan_work(data, feature_spec("paper", "e" * 64)).units if u.is_pulse]
    assert len(pulses) == 2
    cache = FeatureCache(tmp_path / "empty")
    run = run_units(pulses, cache, encoder_folder, jobs=1)
    assert next(run)[1].computed
    run.close()
    again = dict(run_units(pulses, cache, encoder_folder, jobs=1))
    assert [again[number].computed for number in (0, 1)] == [False, True]


def test_of_a_set_that_was_not_written_to_its_end_no_table_is_made(extract, study, tmp_path):
    (study / "SIMULATED.json").write_text('{"complete": false}')
    with pytest.raises(DataError, match=r"expected a finished data set, got SIMULATED\.json: the simulation"):
        extract()
    assert not (tmp_path / "out" / "trials").exists()


def test_a_stimulus_that_cannot_be_read_costs_its_own_trials_only(extract, study, tmp_path):
    extract()
    (study / "stim" / "nature2.avi").write_bytes(b"no video")
    extraction = extract()
    assert [path.stem for path in extraction.paths] == ["001_vid2", "003_vid2"]
    (note,) = extraction.notes
    assert note.startswith("stim/nature2.avi: expected a readable video or sound file")
    assert note.endswith("; vid6 is left out for all participants")
    # The table of the file that was there before would say something about a file that is gone.
    assert sorted(path.stem for path in (tmp_path / "out" / "trials").iterdir()) == ["001_vid2", "003_vid2"]


@pytest.mark.parametrize("set_name", ["paper", "live"])
def test_without_its_pulse_a_trial_goes_with_the_pulse_marked_invalid(extract, study, tmp_path, set_name):
    (study / "ppg" / "001_csv.txt").unlink()
    (study / "ppg" / "003_csv.txt").write_bytes(b"empty of numbers\n")
    extraction = extract(set_name=set_name)
    assert len(extraction.paths) == 4
    without = "participant {} is left out of the pulse analyses, the pulse marked invalid"
    missing, empty = extraction.notes
    assert missing == f"ppg/001_csv.txt: missing; {without.format('001')}"
    assert missing in DataSet.open(study).warnings  # the same words, so that nobody reads it twice
    assert empty.startswith("ppg/003_csv.txt: no row of time and 2 channels")
    assert empty.endswith(without.format("003"))
    # the analyses of the pulse, which read the same file, say it in the same words
    data = DataSet.open(study)
    assert [read_session(data, participant, []) for participant in PARTICIPANTS] == [missing, empty]
    for participant in PARTICIPANTS:
        loaded = table(tmp_path, TrialId(participant, "vid6"))
        assert not loaded.valid[:, -1].any()
        assert np.isnan(loaded.values[:, -1]).all()
        assert loaded.valid[:, :-1].all()


@pytest.mark.parametrize("set_name", ["paper", "live"])
def test_a_recording_that_ends_early_is_named_by_clip(extract, study, tmp_path, set_name):
    path = study / "ppg" / "003_csv.txt"
    stop_s = DataSet.open(study).log(3).clip("vid6").start_s + 30
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join(lines[: round(2000 * stop_s)]) + b"\n")
    extraction = extract(set_name=set_name, participants=[3])
    (note,) = [note for note in extraction.notes if "vid6" in note]
    assert note.startswith("ppg/003_csv.txt: ")
    assert note.endswith("marked invalid there")
    valid = table(tmp_path, TrialId(3, "vid6")).valid[:, -1]
    assert not valid[260:].any()
    assert valid[:240].all() == (set_name == "live")


def test_a_stimulus_that_ends_early_leaves_its_last_rows_invalid(study, encoder_folder, tmp_path):
    data = DataSet.open(study)
    plan = plan_work(data, feature_spec("paper", "e" * 64), [3], ["vid6"])
    unit = next(unit for unit in plan.units if unit.kind is Kind.PAPER_SOUND)
    # Asked for more than the file holds: 60.03 s of sound are 551 frames from 5 s on.
    entry = compute(replace(unit, n_frames=700), encoder_folder, "cpu")
    assert len(entry.arrays["values"]) == 551


@pytest.mark.parametrize("set_name", ["paper", "live"])
def test_a_film_that_was_cut_off_is_told_as_the_check_tells_it(extract, study, tmp_path, set_name):
    film = study / "stim" / "nature2.avi"
    film.write_bytes(film.read_bytes()[: film.stat().st_size // 2])
    (found,) = [finding for finding in check(study) if finding.file == "stim/nature2.avi"]
    extraction = extract(set_name=set_name, videos=["vid6"])
    assert extraction.notes == (f"stim/nature2.avi: {found.text}",)
    assert found.level is Level.WARNING
    seconds = float(re.search(r"pictures ([0-9.]+) of 60 s", found.text)[1])
    assert 20 < seconds < 40
    loaded = table(tmp_path, TrialId(3, "vid6"))
    shown = loaded.valid[:, 0]
    n_shown = round(10 * (seconds - 5))
    assert shown[: n_shown - 20].all()
    assert not shown[n_shown + 10 :].any()
    assert extract(set_name=set_name, videos=["vid6"]).notes == extraction.notes  # from the cache as well


def test_a_film_without_sound_is_left_out_by_all(extract, study):
    film, mute = study / "stim" / "nature2.avi", study / "mute.avi"
    with av.open(str(film)) as source, av.open(str(mute), "w") as copy:
        stream = copy.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                copy.mux(packet)
    mute.replace(film)
    (found,) = [finding for finding in check(study) if finding.file == "stim/nature2.avi"]
    assert found.level is Level.ERROR
    assert found.text.startswith("no sound")
    for set_name in ("paper", "live"):
        extraction = extract(set_name, set_name)
        assert extraction.notes == (f"stim/nature2.avi: {found.text}",)
        assert [path.stem for path in extraction.paths] == ["001_vid2", "003_vid2"]


def test_a_kept_note_names_the_file_that_is_read_now(extract, study):
    """Two recordings of the same bytes share an entry of the cache, not a name."""
    flat = b"x.acq\n0.5 ms/sample\n2 channels\nPPG\nmV\nPPG\nmV\nmin\tCH1\tCH2\n"
    clips = DataSet.open(study).log(1).clips
    stop_min = max(clip.stop_s for clip in clips) / 60 + 1
    flat += b"".join(b"%.6f\t1\t1\n" % (i / 6000) for i in range(round(6000 * stop_min)))
    logs = sorted((study / "log").iterdir())
    logs[1].write_bytes(logs[0].read_bytes())
    for name in ("001_csv.txt", "003_csv.txt"):
        (study / "ppg" / name).write_bytes(flat)
    notes = extract().notes
    for participant in PARTICIPANTS:
        told = f"ppg/{participant:03d}_csv.txt: pulse flat in all 8 clips; marked invalid there"
        assert sum(note == told for note in notes) == 1, notes


def test_nothing_chosen_and_nothing_usable_are_errors(extract, study):
    with pytest.raises(DataError, match="participant 099 is not in"):
        extract(participants=[99])
    (study / "stim" / "nature2.avi").write_bytes(b"no video")
    with pytest.raises(DataError, match=r"gave not one trial \(.*nature2\.avi"):
        extract(videos=["vid6"])


def test_tables_of_another_set_do_not_come_to_stand_beside(extract, tmp_path):
    extract()
    with pytest.raises(ConfigError, match="name another --out"):
        extract(set_name="live", videos=["vid2"])
    replaced = extract(set_name="paper-224")  # all of them are written anew
    assert len(replaced.paths) == len(load_tables(tmp_path / "out")) == 4


def test_a_further_clip_joins_the_tables_of_the_same_set(extract, tmp_path):
    extract(videos=["vid2"])
    extract(videos=["vid6"])
    assert len(load_tables(tmp_path / "out")) == 4


def test_an_unknown_set_and_no_processes_are_refused(extract):
    with pytest.raises(ConfigError, match="paper-224"):
        extract(set_name="papier")
    with pytest.raises(ConfigError, match="--jobs"):
        extract(jobs=0)


def test_another_version_of_a_library_is_another_key(study, monkeypatch):
    units = plan_work(DataSet.open(study), feature_spec("paper", "e" * 64), videos=["vid6"]).units
    before = [content_key(unit.content("0" * 64)) for unit in units]
    monkeypatch.setattr(units_module, "_version", lambda name: "0" if name == "librosa" else version(name))
    after = [content_key(unit.content("0" * 64)) for unit in units]
    changed = {unit.kind for unit, a, b in zip(units, before, after, strict=True) if a != b}
    assert changed == {Kind.PAPER_SOUND}
