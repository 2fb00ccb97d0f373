"""What the doctor finds, on this machine and on machines that lack something."""

from __future__ import annotations

import json
import os
import shutil
import sys
from importlib import metadata

import pytest

from rtasmr import console, doctor, network_check, probing
from rtasmr.cli import app
from rtasmr.doctor import diagnose
from rtasmr.probes import PROBES
from rtasmr.probing import Finding, ProbeError, run_probe
from rtasmr.sources.outlet import Outlet
from rtasmr.types import StreamSpec


@pytest.fixture
def answers(monkeypatch):
    """Let probes answer from a dict of name -> facts, or of name -> what is wrong."""
    canned = {}

    def answer(name, *_):
        if isinstance(canned[name], str):
            raise ProbeError(canned[name])
        return canned[name]

    monkeypatch.setattr(probing, "run_probe", answer)
    return canned


@pytest.fixture
def fake_module(tmp_path, monkeypatch):
    """Put a module of the given source before the installed ones, for the probes."""

    def put(name, source):
        (tmp_path / f"{name}.py").write_text(source)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    return put


HEALTHY = {
    "lsl": {"liblsl": "1.18", "scope": "LSL: here only", "seconds": 0.1, "locked": 4},
    "offline": {"untried": "", "seconds": 0.2},
    "multicast": {"group": "239.255.172.215", "heard": True, "why": ""},
    "streams": {"waited_s": 1.0, "streams": []},
    "inference": {
        "version": "1",
        "available": [],
        "running": "CPUExecutionProvider",
        "driver": False,
        "gpu": "",
    },
    "qt": {"qt": "5.15"},
    "window": {"platform": "xcb", "screen": "800 x 600"},
    "audio": {"inputs": ["a"], "outputs": ["b", "c"]},
    "models": {"folder": "/m", "real": ["bilstm-av"], "demo": ["small"], "problems": []},
}


def test_healthy_machine_needs_no_fix(answers, monkeypatch):
    answers |= HEALTHY
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(doctor, "MIN_FREE_BYTES", 0)
    findings = {finding.name: finding for finding in diagnose(network=False)}
    assert list(findings) == [
        "python", "packages", "lsl", "reach", "no network", "streams", "inference", "qt", "display", "audio",
        "models", "disk",
    ]  # fmt: skip
    assert {name for name, finding in findings.items() if finding.fix} <= {"reach"}  # reach: not on Linux
    assert not any(finding.stops for finding in findings.values())
    assert findings["models"].detail == "bilstm-av, small (demo)"
    assert findings["streams"].detail.startswith("no LSL stream answered on this machine within 1 s")
    assert findings["inference"].detail == "ONNX Runtime 1, models run on the CPU (there is no NVIDIA driver)"
    assert f"numpy {metadata.version('numpy')}" in findings["packages"].detail
    assert "torch " not in findings["packages"].detail


def test_every_lack_has_a_fix_in_one_line(answers, monkeypatch, tmp_path):
    answers |= dict.fromkeys(HEALTHY, "ModuleNotFoundError: No module named 'x'")
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(doctor, "MIN_FREE_BYTES", 10**30)
    monkeypatch.setattr(doctor, "OLDEST_PYTHON", (99, 0))
    monkeypatch.setattr(network_check, "_firewall", lambda: ("a wall", "open it"))
    findings = list(diagnose(network=True))
    lacking = {finding.name: finding for finding in findings if not finding.ok}
    assert set(lacking) == {
        *("python", "lsl", "multicast", "firewall", "streams", "inference", "qt", "display", "audio"),
        *("models", "disk"),
    }
    assert {name for name, finding in lacking.items() if not finding.stops} == {
        *("firewall", "streams", "qt", "display", "audio"),
    }
    for finding in lacking.values():
        assert finding.fix
        assert "\n" not in finding.fix + finding.detail


def stream(source_id, kind="PPG"):
    return {"name": "pulse", "type": kind, "source_id": source_id, "host": "here"}


def find(name, network=False):
    by_name = {
        "lsl": lambda: next(network_check.find_lsl(network)),
        "reach": lambda: list(network_check.find_lsl(network))[1],
        "inference": doctor.find_inference,
        "qt": doctor.find_qt,
        "audio": doctor.find_audio,
        "models": doctor.find_models,
        "offline": network_check.find_offline,
        "multicast": network_check.find_multicast,
        "streams": lambda: network_check.find_streams(network),
    }
    return by_name[name]()


@pytest.mark.parametrize(
    ("probe", "facts", "fix"),
    [
        ("lsl", HEALTHY["lsl"] | {"seconds": None}, "UDP and TCP 16571-16827 on the loopback address"),
        ("lsl", "RuntimeError: LSL binary library file was not found.", "--force-reinstall pylsl"),
        ("inference", HEALTHY["inference"] | {"driver": True}, "onnxruntime-gpu[cuda,cudnn]"),
        ("offline", {"untried": "", "seconds": None}, "stay connected"),
        ("multicast", HEALTHY["multicast"] | {"heard": False, "why": "no route"}, "carries multicast"),
        ("multicast", "OSError: no sockets", "carries multicast"),
        ("streams", {"streams": [stream("a"), stream("b")]}, "rtasmr live --ppg source_id="),
        ("qt", "OSError: libxcb-icccm.so.4: cannot open shared object file: No such file", "libxcb-icccm4"),
        ("qt", "ModuleNotFoundError: No module named 'PyQt5'", "pip install PyQt5"),
        ("audio", "OSError: PortAudio library not found", "apt-get install libportaudio2"),
        ("audio", "ModuleNotFoundError: No module named 'sounddevice'", "pip install 'rtasmr[sensors]'"),
        ("audio", {"inputs": [], "outputs": []}, "plug in a sound device"),
        ("models", {"folder": "/m", "real": [], "demo": [], "problems": []}, "make demo"),
        ("models", {"folder": "/m", "real": ["a"], "demo": [], "problems": ["b: torn"]}, "remove it from /m"),
    ],
)
def test_lack_is_matched_with_its_fix(answers, probe, facts, fix):
    answers[probe] = facts
    finding = find(probe)
    assert not finding.ok
    assert fix in finding.fix


def test_gpu_is_named(answers):
    cuda = {"driver": True, "running": "CUDAExecutionProvider", "gpu": "NVIDIA H200"}
    answers["inference"] = HEALTHY["inference"] | cuda
    detail = "ONNX Runtime 1, models run on the GPU (CUDA; NVIDIA H200)"
    assert find("inference") == Finding("inference", True, detail)


def test_those_who_serve_are_named(answers):
    answers["streams"] = {"streams": [stream("a"), stream("", "Audio")]}
    assert find("streams") == Finding(
        "streams",
        True,
        "2 on this machine: pulse (type PPG, source_id a, host here), "
        "pulse (type Audio, source_id none, host here)",
    )


def test_sockets_that_others_reach_are_told(answers, monkeypatch):
    monkeypatch.setattr(network_check.platform, "system", lambda: "Linux")
    answers["lsl"] = HEALTHY["lsl"] | {"locked": 0}
    reach = find("reach")
    assert not reach.ok
    assert reach.fix.startswith("block incoming UDP and TCP 16571-16827 in the firewall")


@pytest.mark.parametrize("reply", ["no answer within 30 s", {"untried": "EPERM", "seconds": None}])
def test_what_was_not_tried_is_not_claimed(answers, reply):
    answers["offline"] = reply
    assert find("offline").detail.startswith("not tried: ")


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="ufw is a firewall of Linux")
@pytest.mark.parametrize(("state", "ok"), [("ENABLED=yes", False), ("ENABLED=no", True), (None, True)])
def test_a_firewall_that_is_on_is_named(monkeypatch, tmp_path, state, ok):
    monkeypatch.setattr(network_check, "_UFW_STATE", tmp_path / "ufw.conf")
    monkeypatch.setattr(network_check, "_output", lambda *_: "not running")
    if state is not None:
        (tmp_path / "ufw.conf").write_text(f"# comment\n{state}\n")
    firewall = network_check.find_firewall()
    assert firewall.ok is ok
    assert not firewall.stops
    assert ("sudo ufw allow 16571:16827/udp" in firewall.fix) is not ok


@pytest.mark.skipif(sys.platform == "win32", reason="the usual programs of POSIX")
def test_what_programs_of_the_system_print_counts_only_where_they_succeed():
    assert network_check._output("echo", "running") == "running\n"
    assert network_check._output("false") == ""
    assert network_check._output("no-such-program") == ""


def test_open_network_names_the_ports(answers):
    answers["lsl"] = HEALTHY["lsl"]
    assert find("reach", network=True).detail.endswith(
        "other machines need UDP and TCP 16571-16827 of this one"
    )


def test_multicast_probe_answers():
    facts = run_probe("multicast")
    assert facts["heard"] or facts["why"]


@pytest.mark.parametrize(("system", "ok"), [("Linux", True), ("Darwin", False), ("Windows", False)])
def test_closed_ports_are_claimed_only_where_they_are_closed(answers, monkeypatch, system, ok):
    answers["lsl"] = HEALTHY["lsl"]
    monkeypatch.setattr(network_check.platform, "system", lambda: system)
    assert find("reach").ok is ok


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is always a screen to ask")
def test_no_screen_is_told_without_asking_qt(answers, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    finding = doctor.find_display()
    assert not finding.ok
    assert "neither DISPLAY nor WAYLAND_DISPLAY is set" in finding.detail


def test_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(
        doctor.metadata, "requires", lambda _: ["numpy>=2", "no-such-thing", 'x; extra == "y"']
    )
    finding = doctor.find_packages()
    assert (finding.ok, finding.detail, finding.fix) == (
        False, "missing: no-such-thing", "pip install no-such-thing",
    )  # fmt: skip


def test_room_is_that_of_the_folder(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: usage._replace(free=4_900_000_000))
    finding = doctor.find_disk(tmp_path)
    assert not finding.ok
    assert finding.detail == f"4.9 GB free in {tmp_path}"


def test_inference_probe_runs_a_real_session():
    facts = run_probe("inference")
    assert facts["running"] in facts["available"]


def test_models_probe_sees_the_folder_of_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("RTASMR_HOME", str(tmp_path))
    (tmp_path / "models" / "torn").mkdir(parents=True)
    (tmp_path / "models" / "torn" / "card.json").write_text("{")
    facts = run_probe("models")
    assert facts["folder"] == str(tmp_path / "models")
    assert (facts["real"], facts["demo"]) == ([], [])
    assert [problem[:5] for problem in facts["problems"]] == ["torn:"]


def test_missing_library_is_told_by_its_last_line(fake_module):
    fake_module("sounddevice", "raise OSError('PortAudio library not found')")
    assert doctor.find_audio().fix == "sudo apt-get install libportaudio2"


def test_devices_are_counted(fake_module):
    fake_module(
        "sounddevice",
        "def query_devices():\n"
        "    return [dict(name='mic', max_input_channels=2, max_output_channels=0),\n"
        "            dict(name='ear', max_input_channels=0, max_output_channels=2)]\n",
    )
    assert run_probe("audio") == {"inputs": ["mic"], "outputs": ["ear"]}


def test_probe_that_hangs_is_given_up(fake_module):
    fake_module("sounddevice", "import threading; threading.Event().wait()")
    with pytest.raises(ProbeError, match="no answer within 1 s"):
        run_probe("audio", limit_s=1.0)


@pytest.mark.skipif(os.name == "nt", reason="no signals")
def test_probe_that_aborts_is_told_by_its_first_line(fake_module):
    fake_module(
        "sounddevice",
        "import os, sys; sys.stderr.write('no driver\\nmore\\n'); sys.stderr.flush(); os.abort()",
    )
    with pytest.raises(ProbeError, match=r"^no driver$"):
        run_probe("audio")


def test_silent_failure_has_its_code(fake_module):
    fake_module("sounddevice", "import os; os._exit(3)")
    with pytest.raises(ProbeError, match="ended with code 3 and no message"):
        run_probe("audio")


def test_files_of_the_working_directory_do_not_pose_as_modules(tmp_path, monkeypatch):
    for name in ("json", "ctypes", "rtasmr", "onnxruntime"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('hostile')")
    monkeypatch.chdir(tmp_path)
    assert run_probe("inference")["running"]


def test_every_probe_is_asked(answers, monkeypatch):
    asked = []
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(probing, "run_probe", lambda name, *_: asked.append(name) or HEALTHY[name])
    list(diagnose(network=True))
    assert sorted(asked) == sorted(PROBES)


@pytest.mark.lsl
@pytest.mark.parametrize("network", [False, True])
def test_sample_comes_back_over_lsl(network):
    lsl, reach = network_check.find_lsl(network)
    assert lsl.ok, lsl.detail
    assert "a sample came back" in lsl.detail
    assert ("open to the local network" in reach.detail) is network
    if sys.platform == "linux" and not network:
        assert reach.ok
        assert "sockets of a stream hear this machine only" in reach.detail


@pytest.mark.lsl
@pytest.mark.skipif(sys.platform != "linux", reason="network namespaces")
def test_a_stream_is_found_where_there_is_no_network():
    facts = run_probe("offline")
    if facts["untried"]:
        pytest.skip(facts["untried"])
    assert facts["seconds"] is not None


@pytest.mark.lsl
def test_streams_of_this_machine_are_listed():
    spec = StreamSpec("list-me", "Test", "listed-1", 0.0, "float32", ("x",))
    with Outlet(spec):
        listed = network_check.find_streams(network=False)
    assert listed.ok
    assert "list-me (type Test, source_id listed-1, host " in listed.detail


@pytest.mark.gui
@pytest.mark.skipif(sys.platform != "linux", reason="X11")
def test_screen_that_does_not_answer_is_told(monkeypatch):
    monkeypatch.setenv("DISPLAY", ":9871")
    monkeypatch.setenv("QT_QPA_PLATFORM", "xcb")
    finding = doctor.find_display()
    assert not finding.ok
    assert ":9871" in finding.detail


@pytest.mark.gui
def test_window_system_is_named(monkeypatch):
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    finding = doctor.find_display()
    assert finding.ok
    assert finding.detail.endswith("through offscreen")
    assert doctor.find_qt().ok


@pytest.mark.parametrize(("broken", "code"), [({}, 0), ({"audio": "no sound"}, 0), ({"lsl": "no lsl"}, 1)])
def test_the_exit_code_tells_whether_a_run_is_possible(answers, monkeypatch, capsys, broken, code):
    answers |= HEALTHY | broken
    monkeypatch.setattr(doctor, "MIN_FREE_BYTES", 0)
    monkeypatch.setenv("DISPLAY", ":0")
    assert console.run(app, ["doctor", "--json"]) == code
    found = {entry["name"]: entry["ok"] for entry in json.loads(capsys.readouterr().out)}
    assert [name for name, ok in found.items() if not ok and name != "reach"] == list(broken)
    assert console.run(app, ["doctor"]) == code
    shown = capsys.readouterr().out
    assert "ok  python: " in shown
    assert ("NO  lsl: no lsl\n      fix: pip install" in shown) is ("lsl" in broken)
    assert ("--  audio: no sound" in shown) is ("audio" in broken)
