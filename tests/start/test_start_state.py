from __future__ import annotations

import math
import shutil
from pathlib import Path

import pytest

from rtasmr.probing import Finding
from rtasmr.start.choice import Choice, Shown
from rtasmr.start.found import MODEL, NO_MODEL, Kind, Listing, Offer
from rtasmr.start.run import Progress
from rtasmr.start.state import NO_SENSOR, SIMULATED, StartState
from rtasmr.types import Role
from rtasmr.view.lights import Level

STREAM = Offer("ppg", "type=PPG,source_id=wrist", "Stream wrist, 64 Hz")
PORT = Offer("ppg", "serial:/dev/ttyUSB0", "serial /dev/ttyUSB0: Arduino")
EMPTY_PORT = Offer("ppg", "serial:/dev/ttyS0", "serial /dev/ttyS0", is_there=False)
NEWEST = Offer(MODEL, "", "Newest: bilstm", ("DEMO MODEL",))
NAMED = Offer(MODEL, "bilstm", "bilstm", ("DEMO MODEL",))
FACTS = {
    "pulse beats": "66 per minute, 10 beats seen",
    "pulse quality": "97 % of the power is the pulse's",
}
GOOD = [Finding(name, True, detail) for name, detail in FACTS.items()]


def as_facts(findings: list[Finding]) -> dict[str, object]:
    return {"findings": [{"name": f.name, "ok": f.ok, "detail": f.detail, "fix": f.fix} for f in findings]}


@pytest.fixture
def state(tmp_path: Path) -> StartState:
    video = tmp_path / "clip.mp4"
    video.write_bytes(b"")
    return StartState(Choice(file=str(video), folder=str(tmp_path)), is_first=True)


def test_the_first_sensor_that_is_there_is_chosen_once(state):
    state.take(Listing(Kind.SERIAL, (EMPTY_PORT,)))
    assert state.choice.ppg == ""

    state.take(Listing(Kind.SERIAL, (EMPTY_PORT, PORT)))
    assert state.choice.ppg == PORT.text

    state.take(Listing(Kind.STREAMS, (STREAM,)))
    assert state.choice.ppg == PORT.text


def test_what_the_user_chose_is_left_alone(state, tmp_path):
    state.choose(ppg="")
    state.take(Listing(Kind.STREAMS, (STREAM,)))
    assert state.choice.ppg == ""

    remembered = StartState(Choice(folder=str(tmp_path)), is_first=False)
    remembered.take(Listing(Kind.STREAMS, (STREAM,)))
    assert remembered.choice.ppg == ""


def test_the_offers_are_what_was_found_and_what_always_is(state):
    state.choose(ppg="simulated")
    state.take(Listing(Kind.SERIAL, (PORT,)))
    state.take(Listing(Kind.STREAMS, (STREAM, Offer("sound", "type=Audio,source_id=s", "Stream room"))))

    assert state.offers(Role.PPG) == (NO_SENSOR, STREAM, PORT, SIMULATED)
    assert [offer.text for offer in state.offers(Role.SOUND)] == [
        *("", "type=Audio,source_id=s", "loopback", "microphone"),
    ]
    assert [offer.text for offer in state.offers(Role.PICTURE)] == ["", "screen"]


def test_a_sensor_that_is_gone_stays_chosen_and_in_sight(state):
    state.choose(ppg="serial:/dev/ttyUSB9,sfreq=200")

    (*_, last) = state.offers(Role.PPG)

    assert last.text == "serial:/dev/ttyUSB9,sfreq=200"


def test_a_missing_model_stops_the_start_and_names_the_way_out(state):
    assert state.can_start

    state.take(Listing(Kind.MODELS, (), NO_MODEL))

    assert state.problem_of(MODEL) == NO_MODEL
    assert not state.can_start
    assert state.command == ""


def test_a_model_that_was_removed_is_told(state):
    state.take(Listing(Kind.MODELS, (NEWEST, NAMED)))
    assert state.can_start
    assert state.model_notices == ("DEMO MODEL",)

    state.choose(model="older")

    assert "not installed any more" in state.problem_of(MODEL)
    assert state.model_notices == ()


def test_a_model_for_whole_clips_has_to_be_named(state):
    state.take(Listing(Kind.MODELS, (Offer(MODEL, "clip", "clip"),)))
    assert "choose one of the others" in state.problem_of(MODEL)

    state.choose(model="clip")

    assert state.can_start


def test_the_command_follows_the_choice(state, tmp_path):
    state.choose(shown=Shown.ELSEWHERE, record=False, ppg="simulated")

    assert state.command == "rtasmr live --ppg simulated --wait 30"
    assert state.recording_text == "Nothing is kept."
    assert state.next_steps[0].startswith("Start the other program")
    assert state.next_steps[-1] == "Nothing is kept of it."

    state.choose(record=True, participant="P07")
    assert state.recording_text == "Next file: P07_001.xdf"
    assert "draws what was recorded" in state.next_steps[-1]


def test_why_a_search_found_nothing_is_told_for_sensors_only(state):
    state.take(Listing(Kind.POLAR, (), "Bluetooth is off. Switch it on."))
    state.take(Listing(Kind.CAMERA, (), "no camera driver"))

    assert state.search_notes == ("Bluetooth is off. Switch it on.",)


def test_a_good_pulse_is_green(state):
    state.choose(ppg="simulated")
    assert state.verdict.level is None
    state.begin_check()
    assert (state.is_checking, state.can_start, state.can_check) == (True, False, False)

    state.take_check({"say": "source simulated"})
    state.take_check({"times": [100.0, 100.5], "values": [1.0, math.inf]})
    assert state.verdict.level is Level.CARE
    times, values = state.pulse
    assert times == [0.0, 0.5]
    assert values[0] == 1.0
    assert math.isnan(values[1])
    state.take_check(as_facts(GOOD))

    assert state.verdict.level is Level.GOOD
    assert state.verdict.text == f"Good: {FACTS['pulse beats']}; {FACTS['pulse quality']}"
    assert state.can_start


def test_a_dead_pulse_is_red_with_its_fix_and_does_not_forbid_the_start(state):
    state.choose(ppg="simulated")
    state.begin_check()
    dead = Finding("pulse line", False, "flat for 10.0 s", "check cable, power and finger")

    state.take_check(as_facts([*GOOD, dead]))

    assert state.verdict.level is Level.BAD
    assert state.verdict.text == "pulse line: flat for 10.0 s"
    assert state.verdict.fix == "check cable, power and finger"
    assert state.can_start


def test_a_check_that_dies_leaves_its_word(state):
    state.choose(ppg="simulated")
    state.begin_check()

    state.end_check("Segmentation fault")

    assert state.verdict.level is Level.BAD
    assert state.verdict.text == "Segmentation fault. Check again."
    assert state.can_check


def test_another_sensor_has_not_been_checked(state):
    state.choose(ppg="simulated")
    state.begin_check()
    state.take_check(as_facts(GOOD))

    state.choose(ppg=PORT.text)

    assert state.verdict.level is None
    state.take_check(as_facts(GOOD))  # the late word of a check that was given up
    assert state.verdict.level is None


def test_a_run_is_followed_to_its_end(state):
    state.choose(ppg="simulated")
    assert state.run_text.level is None

    state.progress = Progress("recording to x")
    assert state.run_text.text == "Starting: recording to x"
    state.progress = Progress("a library talks", {"tick": 657, "segment": "rain", "status": "ok"})
    assert (state.is_running, state.can_start, state.can_check) == (True, False, False)
    assert state.run_text.text == "Running: rain, 1:05, ok."

    for cause, level in (("paused", Level.GOOD), ("overload", Level.CARE)):
        facts = {"tick": 657, "segment": "rain", "status": "gap", "cause": cause}
        state.progress = Progress("", facts)
        assert (state.run_text.text, state.run_text.level) == (f"Running: rain, 1:05, {cause}.", level)

    account = {
        "ticks": 60,
        "reasons": {"ok": 10, "warmup": 40, "paused": 10},
        "files": ["/d/P01_001.xdf"],
        "error": "",
    }
    state.progress = Progress("bye", {}, 0, account)
    assert state.can_start
    told = "Ended: 10 of 60 ticks with a probability (40 warmup, 10 paused); recorded P01_001.xdf"
    assert (state.run_text.text, state.run_text.level) == (told, Level.GOOD)
    state.progress = Progress("bye", {}, 0, {**account, "samples": {"skipped_ticks": 7}})
    assert (state.run_text.text, state.run_text.level) == (told, Level.CARE)
    assert "close other programs" in state.run_text.fix
    lossy = {"remarks": ["632 of 1797 pictures were not shown"], "player": {"pictures_dropped": 632}}
    state.progress = Progress("bye", {}, 0, {**account, **lossy})
    assert state.run_text.text == f"{told}. 632 of 1797 pictures were not shown"
    assert (state.run_text.level, "close other programs" in state.run_text.fix) == (Level.CARE, True)
    broken = {"remarks": ["the sound broke off"], "player": {"sound": {"underflows_heard": 1}}}
    state.progress = Progress("bye", {}, 0, {**account, **broken})
    assert (state.run_text.level, "close other programs" in state.run_text.fix) == (Level.CARE, True)
    state.progress = Progress("bye", {}, 0, {**account, "remarks": ["no pulse came"]})
    assert state.run_text.text == f"{told}. No pulse came"
    assert (state.run_text.level, state.run_text.fix) == (Level.CARE, "")
    assert state.recordings == (Path("/d/P01_001.xdf"),)


def test_what_a_killed_run_leaves_is_named(state, tmp_path):
    state.choose(ppg="simulated", record=True, folder=str(tmp_path))
    recording = state.choice.recording
    killed = Progress(f"recording to {recording}", {"tick": 30}, -9)
    state.begin_run(state.choice.words(), recording, killed)
    assert state.run_text.text == f"Ended: recording to {recording}"  # it left nothing
    left = recording.with_name(f"{recording.name}.part")
    left.touch()
    assert state.run_text.level is Level.BAD
    told = f"Ended without a word: killed, or crashed. The recording so far is {left}"
    assert state.run_text.text == told
    assert "'rtasmr repair' makes a whole file of it" in state.run_text.fix


def test_the_command_that_runs_stands_while_it_runs(state, tmp_path):
    state.choose(ppg="simulated", record=True, folder=str(tmp_path), participant="P07")
    words, recording = state.choice.words(), state.choice.recording
    started = state.command
    assert started.endswith(f"--record {recording} --participant P07")
    state.begin_run(words, recording, Progress("starting"))
    recording.with_name(f"{recording.name}.part").touch()  # as the recorder does
    state.choose(ppg="", participant="")
    assert (state.command, state.recording_text) == (started, "Recording to P07_001.xdf")
    state.choose(participant="../x")  # to be mended for the next one
    assert state.command == started

    state.choose(participant="P07")
    state.progress = Progress("bye", {}, 0, {})
    assert state.recording_text == "Next file: P07_002.xdf"
    assert "P07_002.xdf" in state.command

    state.begin_run(["live"], None, Progress(""))
    assert (state.command, state.recording_text) == ("rtasmr live", "Nothing is kept.")


def test_a_disk_that_is_nearly_full_is_told_and_keeps_from_nothing(state, tmp_path, set_free_bytes):
    state.choose(ppg="simulated", record=True, folder=str(tmp_path / "not made yet"))
    assert state.room_text == ""
    set_free_bytes(250_000_000)
    assert state.room_text.startswith("Only 250 MB are free where this is recorded, and an hour takes about")
    assert state.can_start
    state.choose(record=False)
    assert state.room_text == ""
    state.choose(record=True, folder="")
    assert state.room_text == ""


def test_a_disk_that_cannot_be_asked_is_told(state, tmp_path, monkeypatch):
    def refuse(_folder: Path) -> None:
        raise PermissionError(13, "Permission denied")

    state.choose(record=True, folder=str(tmp_path))
    monkeypatch.setattr(shutil, "disk_usage", refuse)
    assert state.room_text == "The room on the disk is not known: Permission denied."


@pytest.mark.parametrize(
    "progress",
    [
        Progress("no stream of a pulse; plug it in", {}, 1),
        Progress("x", {}, 1, {"error": "no stream of a pulse; plug it in", "files": [], "ticks": 0}),
    ],
)
def test_a_run_that_failed_says_what_to_do(state, progress):
    state.progress = progress

    assert state.run_text.level is Level.BAD
    assert state.run_text.text == "Ended: no stream of a pulse; plug it in"
    assert state.can_start
