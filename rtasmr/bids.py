"""A session as a data set in the Brain Imaging Data Structure (BIDS): pulse, events, and what was predicted.

The raw part holds what was measured and done: the pulse as ``_physio.tsv.gz``, clips and ratings as
``_events.tsv``. Probabilities are derived data and stand in ``derivatives/rtasmr``, as a table of ticks:
every clip begins a grid of its own, so that they are no regularly sampled signal.

Only numbers, clip names and the participant's code are written: no date, no free text, no metadata of
devices, machines or files.

References
----------
.. [1] Gorgolewski et al., "The brain imaging data structure, a format for organizing and describing outputs
   of neuroimaging experiments", Sci. Data 3, 2016; specification 1.10.0, https://bids.neuroimaging.io.
"""

from __future__ import annotations

import gzip
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from rtasmr import __version__
from rtasmr.declared import is_simulated
from rtasmr.errors import ConfigError, DataError
from rtasmr.marker_map import meaning
from rtasmr.questions import question_of, questions_of
from rtasmr.session import RecordedStream
from rtasmr.stream_specs import TINGLE_NAME
from rtasmr.tables import Session, load_session
from rtasmr.types import Role

BIDS_VERSION = "1.10.0"
MISSING = "n/a"
DERIVATIVES = Path("derivatives") / "rtasmr"

_LABEL = re.compile(r"[A-Za-z0-9]+")
_GENERATOR = {"Name": "rtasmr", "Version": __version__}
_MAX_SECONDS = 24 * 3600.0
"""A grid from the first sample to the last is filled: stamps farther apart are no session."""

_EVENT_COLUMNS: Mapping[str, object] = {
    "onset": {
        "Description": "From the first sample of the pulse, or the first event without one",
        "Units": "s",
    },
    "duration": {"Description": "0 for a key press; n/a where the end was not marked", "Units": "s"},
    "trial_type": {
        "LongName": "Kind of event",
        "Description": "What happened",
        "Levels": {
            "clip": "A stimulus was shown",
            "rest": "Nothing was shown",
            "pause": "The session was interrupted: what was shown stood still",
            "rating": "The person gave a rating",
        },
    },
    "clip": {"LongName": "Stimulus", "Description": "Name of the clip on screen"},
    "rating": {
        "LongName": "Own rating",
        "Description": "Answer to the clip's question, in force until the next press or clip",
        "Levels": {"0": "none", "1": "weak", "2": "moderate", "3": "strong"},
    },
    "question": {
        "LongName": "What the clip asks",
        "Description": "Only an answer about tingling is a report of tingles",
        "Levels": {
            "tingling": "How strongly a tingle is felt",
            "pleasantness": "How pleasant the clip is",
            "not stated": "Not known",
        },
    },
}
_TICK_COLUMNS: Mapping[str, object] = {
    "time": {"Description": "Of the tick, from the same zero as the onsets of the events", "Units": "s"},
    "clip": {"Description": "Clip on screen"},
    "clip_time": {"Description": "Since the start of the clip", "Units": "s"},
    "probability": {"Description": "Predicted probability of a tingle; n/a where there is none"},
    "status": {"Description": "ok, or why there is no probability"},
    "modalities": {"Description": "What the probability was computed from"},
    "rating": {"Description": "Rating in force at the tick, 0 to 3"},
}


@dataclass(frozen=True, slots=True)
class BidsName:
    """Where a session stands in the data set: its participant, session and task, letters and digits only."""

    participant: str
    session: str = ""
    task: str = "viewing"

    def __post_init__(self) -> None:
        for what in ("participant", "session", "task"):
            label = getattr(self, what)
            if what == "participant" and not label:
                raise ConfigError(
                    "expected a participant for a BIDS data set, the recording names none; "
                    "give one with --participant, such as 01"
                )
            if not _LABEL.fullmatch(label) and (label or what != "session"):
                raise ConfigError(
                    f"expected letters and digits as {what} of a BIDS data set, got {label[:40]!r}; "
                    f"give another --{what}"
                )

    @property
    def folder(self) -> Path:
        """Folder of the files, within the data set."""
        session = [f"ses-{self.session}"] if self.session else []
        return Path(f"sub-{self.participant}", *session, "beh")

    def file(self, rest: str) -> Path:
        """Return the path of a file within the data set."""
        session = f"_ses-{self.session}" if self.session else ""
        return self.folder / f"sub-{self.participant}{session}_task-{self.task}_{rest}"


def export_bids(
    recording: Path, out: Path, *, participant: str = "", session: str = "", task: str = "viewing"
) -> list[Path]:
    """Add a recording to a BIDS data set, which is made if it is not there; return the paths.

    Parameters
    ----------
    recording : Path
    out : Path
        Root of the data set: a new or empty folder, or one that this function made.
    participant : str
        Pseudonymous code; the recording's without one.
    session, task : str
        Labels of the session, which may be left out, and of what the person did.

    Raises
    ------
    ConfigError
        If a label is none.
    DataError
        If the recording is corrupt, the folder holds something else, or the session is in it already.
    """
    read = load_session(recording)
    name = BidsName(participant or read.header.get("participant", ""), session, task)
    zero_s = _zero(read)
    try:
        _open_data_set(out, name)
        paths = _write_pulses(read, out, name, zero_s)
        paths += _write_table(_events(read, zero_s), _EVENT_COLUMNS, out / name.file("events.tsv"))
        if read.ticks.height:
            columns = {**_model(read), "Description": "What was predicted, by tick", **_TICK_COLUMNS}
            paths += _write_table(_ticks(read, zero_s), columns, out / DERIVATIVES / name.file("beh.tsv"))
        return paths
    except OSError as error:
        raise DataError(f"cannot write into {out} ({error.strerror}); choose another --bids") from error


def _zero(session: Session) -> float:
    """Return the session time that counts as 0 s."""
    pulses = [stream.times[0] for stream in _pulses(session)]
    others = [table["time_s"][0] for table in (session.events, session.ticks) if table.height]
    if not (pulses or others):
        raise DataError(
            f"{session.recording.path.name}: expected a pulse, markers or ticks, got none of them"
        )
    return float(min(pulses or others))


def _pulses(session: Session) -> list[RecordedStream]:
    streams = session.recording.streams
    return [s for s in streams if s.spec.stype == "PPG" and s.spec.sfreq > 0 and len(s.times)]


def _open_data_set(out: Path, name: BidsName) -> None:
    """Make the data set's own files, or check that they are ours, and add the participant."""
    description = out / "dataset_description.json"
    if description.is_file():
        try:
            generators = json.loads(description.read_text(encoding="utf-8"))["GeneratedBy"]
            ours = any(generator["Name"] == _GENERATOR["Name"] for generator in generators)
        except (ValueError, KeyError, TypeError):
            ours = False
        if not ours:
            raise DataError(f"{out} holds a data set of another program; choose another --bids")
    elif out.is_dir() and any(out.iterdir()):
        raise DataError(f"{out} holds files that are no data set; choose a new or empty folder as --bids")
    if (out / name.file("events.tsv")).exists():
        raise DataError(
            f"{out} has task {name.task} of participant {name.participant} already; "
            "name another --session, or choose another --bids"
        )
    (out / name.folder).mkdir(parents=True, exist_ok=True)
    (out / DERIVATIVES / name.folder).mkdir(parents=True, exist_ok=True)
    if not description.is_file():
        _write_data_set(out)
    people = out / "participants.tsv"
    known = people.read_text(encoding="utf-8").split()[1:] if people.is_file() else []
    rows = sorted({*known, f"sub-{name.participant}"})
    people.write_text("\n".join(("participant_id", *rows)) + "\n", encoding="utf-8")


def _write_data_set(out: Path) -> None:
    common = {"BIDSVersion": BIDS_VERSION, "GeneratedBy": [_GENERATOR]}
    raw = {"Name": "Viewings with a pulse sensor", "DatasetType": "raw", **common}
    derived = {"Name": "Predicted tingle probability", "DatasetType": "derivative", **common}
    _write_json(raw, out / "dataset_description.json")
    _write_json(derived, out / DERIVATIVES / "dataset_description.json")
    people = {"participant_id": {"Description": "Pseudonymous code of the person"}}
    _write_json(people, out / "participants.json")
    (out / "README.md").write_text(
        "# Viewings with a pulse sensor\n\n"
        "Exported by rtasmr. Each person watched clips while the pulse was recorded at the skin, and\n"
        "rated what they felt by pressing keys. In the folder beh of each person: the pulse (physio), clips\n"
        "and ratings (events). The folder derivatives/rtasmr holds what a model said ten times a second. A\n"
        "simulated pulse, and a model trained on simulated data, are named as such in their JSON files.\n",
        encoding="utf-8",
    )
    (out / DERIVATIVES / "README.md").write_text(
        "# Predicted tingle probability\n\n"
        "The 10 Hz records of rtasmr, one row per tick: the probability of a tingle that the model named in\n"
        "the JSON files said live, or why it said none. Times count from the same zero as the events.\n",
        encoding="utf-8",
    )


def _write_pulses(session: Session, out: Path, name: BidsName, zero_s: float) -> list[Path]:
    paths = []
    pulses = _pulses(session)
    for number, stream in enumerate(pulses, 1):
        recording = "" if len(pulses) == 1 else f"recording-pulse{number}_"
        path = out / name.file(f"{recording}physio.tsv.gz")
        columns = _cardiac(stream.spec.ch_names)
        simulated = is_simulated(stream.spec)
        what = (
            "Simulated pulse: of no person" if simulated else "Photoplethysmogram: volume pulse at the skin"
        )
        _write_signal(_on_grid(stream, session.recording.path), columns, path)
        sidecar = {
            "TaskName": name.task,
            "TaskDescription": "Watching clips with a pulse sensor, and rating what is felt by key or slider",
            "SamplingFrequency": stream.spec.sfreq,
            "StartTime": float(stream.times[0]) - zero_s,
            "Columns": columns,
            "PhysioType": "generic",
            **{column: {"Description": what, "Units": "arbitrary"} for column in columns},
        }
        paths += [path, _write_json(sidecar, path.with_name(path.name.removesuffix(".tsv.gz") + ".json"))]
    return paths


def _cardiac(ch_names: Sequence[str]) -> list[str]:
    """Return column names: BIDS calls a pulse ``cardiac``; labels of foreign streams stay out."""
    if sorted(ch_names) in (["raw"], ["filtered"], ["filtered", "raw"]):
        return ["cardiac" if name == "raw" else "cardiac_filtered" for name in ch_names]
    return [f"cardiac{i}" for i in range(1, len(ch_names) + 1)] if len(ch_names) > 1 else ["cardiac"]


def _on_grid(stream: RecordedStream, path: Path) -> pl.DataFrame:
    """Return a row per sample interval from the first stamp on; null where samples were lost."""
    since_s = stream.times - stream.times[0]
    if not (np.isfinite(since_s).all() and since_s.min() >= 0 and since_s.max() <= _MAX_SECONDS):
        raise DataError(
            f"{path.name}: expected stamps of one session in {stream.spec.name[:40]!r}, got a span of "
            f"{np.ptp(stream.times):g} s; cut the recording at the jump"
        )
    rows = np.round(since_s * stream.spec.sfreq).astype(np.int64)
    values = stream.data.reshape(len(rows), stream.spec.n_channels)
    grid = np.full((int(rows.max()) + 1, values.shape[1]), np.nan, dtype=values.dtype.type(0.0).dtype)
    grid[rows] = values
    return pl.DataFrame(grid, orient="row").fill_nan(None)


def _write_signal(table: pl.DataFrame, columns: Sequence[str], path: Path) -> None:
    """Write a compressed table without a header, as signals are; the columns stand in its JSON."""
    table.columns = list(columns)
    text = io.BytesIO()
    table.write_csv(text, separator="\t", include_header=False, null_value=MISSING)
    # No name and no time inside: two exports of one recording are the same bytes.
    path.write_bytes(gzip.compress(text.getvalue(), mtime=0))


def _events(session: Session, zero_s: float) -> pl.DataFrame:
    """Return clips, rests, pauses and ratings; texts of other programs stay out."""
    stated = questions_of(stream.spec for stream in session.recording.streams)
    spans = _spans(session)
    rows: list[tuple[float, float | None, str, str | None, int | None, str | None]] = []
    for kind, clip, start_s, stop_s in spans:
        duration_s = None if stop_s is None else round(stop_s - start_s, 6)
        question = question_of(clip, stated).value if clip else None
        rows.append((round(start_s - zero_s, 6), duration_s, kind, clip or None, None, question))
    for time_s, rating in session.ratings.rows():
        during = (
            c for _, c, start, stop in spans if c and start <= time_s and (stop is None or time_s < stop)
        )
        on = next(during, None)
        question = None if on is None else question_of(on, stated).value
        rows.append((round(time_s - zero_s, 6), 0.0, "rating", on, rating, question))
    kinds = (pl.Float64(), pl.Float64(), pl.String(), pl.String(), pl.Int64(), pl.String())
    schema = dict(zip(_EVENT_COLUMNS, kinds, strict=True))
    return pl.DataFrame(rows, schema=schema, orient="row").sort("onset", maintain_order=True)


def _spans(session: Session) -> list[tuple[str, str, float, float | None]]:
    """Return kind, clip, start and end of what was shown; the end is None where it was not marked."""
    marks = session.events.unique(["time_s", "text"], maintain_order=True)
    spans: list[tuple[str, str, float, float | None]] = []
    open_spans: dict[str, int] = {}
    for time_s, text in marks.select("time_s", "text").rows():
        what, _, clip = text.partition(" ")
        kind, _, edge = what.partition("_")
        if meaning(text) is not Role.CLIP or edge not in ("start", "end"):
            continue
        if kind in open_spans:  # also where the next one starts without an end
            number = open_spans.pop(kind)
            spans[number] = (*spans[number][:3], time_s)
        if edge == "start":
            open_spans[kind] = len(spans)
            spans.append((kind, clip, time_s, None))
    return spans


def _ticks(session: Session, zero_s: float) -> pl.DataFrame:
    return session.ticks.select(
        (pl.col("time_s") - zero_s).round(6).alias("time"),
        pl.col("clip").replace("", None),
        pl.col("clip_time_s").alias("clip_time"),
        pl.col("probability").round(6),
        "status",
        pl.col("modalities").replace("", None),
        "rating",
    )


def _model(session: Session) -> dict[str, object]:
    desc = session.recording.stream(TINGLE_NAME).spec.desc
    is_demo = desc.get("demo") != "false"
    told = (
        "trained on simulated data: says nothing about people"
        if is_demo
        else "trained on recordings of people"
    )
    return {"Model": {"Name": desc.get("model", "unknown"), "Description": told}}


def _write_table(table: pl.DataFrame, columns: Mapping[str, object], path: Path) -> list[Path]:
    table.write_csv(path, separator="\t", null_value=MISSING)
    return [path, _write_json(columns, path.with_suffix(".json"))]


def _write_json(content: Mapping[str, object], path: Path) -> Path:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return path
