"""The page of a recorded session: one HTML file that needs no network, and the files beside it."""

from __future__ import annotations

import base64
import math
import re
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from rtasmr.errors import DataError
from rtasmr.grid import FRAME_RATE_HZ
from rtasmr.progress import Report
from rtasmr.questions import Question
from rtasmr.report import Account, account_of, prepare_folder, write_tables
from rtasmr.session_events import happenings, losses, stop_told
from rtasmr.session_facts import (
    ClipFacts,
    StreamFacts,
    clips_of,
    is_held,
    median,
    sound_delay_of,
    streams_of,
)
from rtasmr.snapshot import TickRecord
from rtasmr.tables import TIME, Session, load_session
from rtasmr.types import Cause
from rtasmr.view.figure import MAX_CLIPS, SUFFIXES, draw_tinglegram
from rtasmr.view.pulse_figure import draw_pulse
from rtasmr.view.state import model_notices
from rtasmr.view.tracks import CAUSE_WORDS, STATUS_WORDS, Span, reason_word
from rtasmr.view.wording import clean, simulated_words

PAGE_FILE = "session.html"
UNFINISHED_WORDS = "the recording was not closed by its writer: this is what could be read"
_DASH = "\N{EN DASH}"
_MAX_ROWS = 20
"""Most lines of what happened."""
_READ_SHARE = 0.3
"""Of the progress; the rest are the figures."""
_FILE_WORDS = {
    ".csv": "10 Hz table",
    ".parquet": "10 Hz table",
    ".json": "Counts, latency",
    ".png": "Pictures",
    ".svg": "Pictures",
}

_STYLE = """
:root {
  color-scheme: light dark;
  --ink: #1d2129; --soft: #5c6470; --line: #d9dde3; --page: #f6f7f9; --card: #fff }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e7e9ed; --soft: #a3abb8; --line: #3a404b; --page: #16181d; --card: #20242b } }
* { box-sizing: border-box }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif }
main { max-width: 1060px; margin: 0 auto; padding: 28px 20px 60px }
h1 { font-size: 26px; margin: 0; overflow-wrap: anywhere } h2 { font-size: 18px; margin: 34px 0 10px }
p { margin: 6px 0 } .soft, caption, th { color: var(--soft) }
.care { background: #f0b429; color: #1d1500; font-weight: 600 }
.care { padding: 8px 14px; border-radius: 6px; margin: 8px 0 }
.tiles { display: grid; gap: 12px; margin: 18px 0 }
.tiles { grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)) }
.tile, figure { background: var(--card); border: 1px solid var(--line); border-radius: 8px }
.tile { padding: 12px 14px } .tile b { display: block; font-size: 22px } .tile span { color: var(--soft) }
figure { background: #fff; margin: 14px 0; padding: 8px } figure img { display: block; width: 100% }
.wide { overflow-x: auto; margin: 10px 0 }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { text-align: right; padding: 5px 10px; border-bottom: 1px solid var(--line); white-space: nowrap }
th { font-weight: 500 } th:first-child, td:first-child, .words { text-align: left }
td.words { white-space: normal } dt { float: left; clear: left; width: 9em; color: var(--soft) }
dl { margin: 6px 0 } dd { margin: 0 0 4px 9.5em; overflow-wrap: anywhere }
a { color: #0072b2 } @media (prefers-color-scheme: dark) { a { color: #6cb8e6 } }
"""


def write_session(path: Path, out: Path, progress: Report | None = None) -> list[Path]:
    """Write the page of a recording and what belongs to it into a folder; return the paths.

    Parameters
    ----------
    path : Path
        XDF recording of a runtime, also an unfinished one.
    out : Path
        Made if it is not there. An earlier page of the same recording is replaced.
    progress : callable or None

    Raises
    ------
    DataError
        If the file is no recording of a runtime or is corrupt, or the folder cannot be written.
    """
    told = progress or _silent
    told("reading the recording", 0.0)
    session = load_session(path)
    account = account_of(session.recording)
    prepare_folder(out, account.source)
    clips = clips_of(session, account.records, account.threshold)
    notices = notices_of(session, account)
    told("tables", _READ_SHARE)
    paths = write_tables(account, out)
    try:
        session.ticks.write_parquet(out / "predictions.parquet")
        drawings = _draw(session, account, clips, notices, out, told)
        page = out / PAGE_FILE
        paths += [out / "predictions.parquet", *(p for stem in drawings for p in _both(stem)), page]
        page.write_text(_page(session, account, clips, notices, drawings, paths), encoding="utf-8")
    except OSError as error:
        raise DataError(f"cannot write into {out} ({error.strerror}); choose another --out") from error
    told("done", 1.0)
    return paths


def _silent(_what: str, _share: float) -> None:
    """Tell nobody how far it is."""


def notices_of(session: Session, account: Account) -> list[str]:
    """Return what everybody who looks at the session must be told first."""
    notices = model_notices(account.demo, account.warnings)
    told = simulated_words(account.simulated)
    notices += [told] * bool(told)
    notices += losses(session, account.records)
    if not session.complete:
        notices.append(UNFINISHED_WORDS)
    return notices


def _both(stem: Path) -> tuple[Path, ...]:
    return tuple(stem.with_name(stem.name + suffix) for suffix in SUFFIXES)


def _draw(
    session: Session,
    account: Account,
    clips: Sequence[ClipFacts],
    notices: Sequence[str],
    out: Path,
    told: Report,
) -> dict[Path, str]:
    """Draw all figures; return their paths without ending, with what they show."""
    drawings: dict[Path, str] = {}
    n_figures = (len(clips) <= MAX_CLIPS) + len(clips) + bool(session.pulse_rate.height)

    def begin(name: str, what: str) -> None:
        n_drawn = len(drawings)
        told(f"figure {n_drawn + 1} of {n_figures}", _READ_SHARE + (1 - _READ_SHARE) * n_drawn / n_figures)
        drawings[out / name] = what

    def tinglegram(name: str, records: Sequence[TickRecord], what: str) -> None:
        begin(name, what)
        for path in _both(out / name):
            draw_tinglegram(
                records,
                title=f"{account.source}, model {account.model}",
                threshold=account.threshold,
                demo=account.demo,
                warnings=[text for text in notices if not account.demo or text != notices[0]],
                questions=account.questions,
                lookahead=account.lookahead,
                is_over=account.is_over,
                path=path,
            )

    if len(clips) <= MAX_CLIPS:  # more do not fit on one figure, and each has its own below
        tinglegram("tinglegram", account.records, "Tinglegram of the session")
    for number, clip in enumerate(clips, 1):
        name = f"clip{number:02d}_{re.sub(r'[^A-Za-z0-9_-]', '_', clip.label)[:40]}"
        tinglegram(name, clip.records, f"Tinglegram of {clip.label}")
    if session.pulse_rate.height:
        begin("pulse", "Pulse rate and signal quality")
        zero_s = account.records[0].time_s
        shown = [Span(c.start_s - zero_s, c.records[-1].time_s - zero_s, c.label) for c in clips]
        columns = (session.pulse_rate[name].to_numpy() for name in ("time_s", "rate_bpm", "quality"))
        time_s, rate_bpm, quality = columns
        for path in _both(out / "pulse"):
            draw_pulse(time_s - zero_s, rate_bpm, quality, clips=shown, path=path)
    return drawings


def _page(
    session: Session,
    account: Account,
    clips: Sequence[ClipFacts],
    notices: Sequence[str],
    drawings: Mapping[Path, str],
    paths: Sequence[Path],
) -> str:
    summary: dict[str, Any] = account.summary()
    streams = streams_of(session)
    header = session.header
    facts = {"participant": "participant", "datetime": "recorded", "consent": "consent"}
    about = [f"{word} {header[name]}" for name, word in facts.items() if header.get(name)]
    if sound_delay := sound_delay_of(header):
        about.append(f"sound delay {sound_delay}")
    if stop := stop_told(session):
        about.append(stop)
    cares = "".join(f'<p class="care">{escape(clean(text))}</p>' for text in notices)
    whole = [stem for stem in drawings if stem.name == "tinglegram"]
    shown = [stem for stem in drawings if not whole or stem.name in ("tinglegram", "pulse")]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(clean(account.source))}</title><style>{_STYLE}</style></head>\n<body><main>"
        f"<h1>{escape(clean(account.source))}</h1>"
        f'<p class="soft">model {escape(clean(account.model))}, {escape(clean(", ".join(about)))}</p>'
        f"{cares}{_tiles(session, account, clips, summary)}"
        f"{_clip_table(clips, session.ratings[TIME].to_list())}"
        f"<h2>Tinglegrams and pulse</h2>{_lookahead_note(account)}"
        f"{''.join(_figure(stem, drawings[stem]) for stem in shown)}"
        f"{_quality(account, streams, summary)}{_happenings(session, account)}{_latency(summary)}"
        f"{_files(session.recording.path, paths)}</main></body></html>\n"
    )


def _lookahead_note(account: Account) -> str:
    if account.lookahead <= 0:
        return ""
    return (
        f'<p class="soft">Dotted: the model looks {account.lookahead / FRAME_RATE_HZ:g} s past the moment '
        "that it judges. Where a clip ends sooner, or a pause or another stretch without a probability "
        "begins, it sees less than that, and the curve may hook up or down. Right after such a stretch it "
        "may, too: there the model lacks what was before.</p>"
    )


def _tiles(session: Session, account: Account, clips: Sequence[ClipFacts], summary: Mapping[str, Any]) -> str:
    n_judged = sum(not math.isnan(r.p) for r in account.records)
    n_shown = sum(not is_held(r) for r in account.records)
    latency = summary.get("latency_ms", {})
    judged = f"ticks{' outside pauses' * (n_shown < len(account.records))} with a probability"
    tiles = {
        f"clip{'s' * (len(clips) != 1)} shown": str(len(clips)),
        "recorded": f"{account.records[-1].time_s - account.records[0].time_s:.0f} s",
        judged: _percent(n_judged / n_shown if n_shown else None),
        "rating presses": str(session.ratings.height),
        "median pulse": _number(median(session.pulse_rate["rate_bpm"]), 0, " / min"),
        "latency, p99": _number(latency.get("p99"), 0, " ms"),
    }
    cells = "".join(
        f'<div class="tile"><b>{value}</b><span>{name}</span></div>' for name, value in tiles.items()
    )
    return f'<div class="tiles">{cells}</div>'


def _clip_table(clips: Sequence[ClipFacts], pressed_s: Sequence[float]) -> str:
    if not clips:
        return '<p class="soft">No clip was marked: the Tinglegram runs over the whole session.</p>'
    head = (
        *("clip", "seconds", "judged", "mean P", "called", "*question"),
        *("mean rating", "same call", "AUC", "pulse", "quality"),
    )
    rows = []
    for clip in clips:
        found = clip.agreement
        rows.append(
            (
                clip.label,
                f"{clip.seconds:.0f}",
                _percent(clip.share_judged),
                _number(clip.mean_p, 2),
                _percent(clip.share_called),
                clip.question.value,
                _number(clip.mean_rating, 1),
                _percent(found.same_call if found else None),
                _number(found.auc if found else None, 2),
                _number(clip.rate_bpm, 0),
                _number(clip.quality, 2),
            )
        )
    notes = [
        "Seconds: between the markers of the clip, or to its last tick without a marker of its end; without "
        "pauses. Judged: share of its ticks outside pauses with a probability. P: probability of a "
        "tingle. Called: share of the judged ticks where P reaches the threshold. Pulse: median, beats per "
        "minute.",
        "Mean rating, same call and AUC count the time before the first press of a clip as rated 0. "
        "Same call: share of the rated 0.1 s steps where probability and threshold say what the rating says "
        "(above 0: tingle). AUC: chance that a step rated above 0 has the higher probability; 0.5 is chance. "
        "Neighbouring steps are nearly copies, so one clip proves little.",
    ]
    unrated = [clip for clip in clips if clip.mean_rating == 0 and not _is_rated(clip, pressed_s)]
    if unrated:
        where = "" if not pressed_s else f" in {', '.join(escape(clean(clip.label)) for clip in unrated)}"
        notes.append(
            f"No rating was given{where}: that counts as 0 throughout, as of a person who felt nothing."
        )
    if any(clip.question is Question.PLEASANTNESS for clip in clips):
        notes.append("A rating of pleasantness is no report of a tingle: it is not compared.")
    if any(clip.question is Question.NOT_STATED and math.isfinite(clip.mean_rating) for clip in clips):
        notes.append(
            "Where the question is not stated, a rating is not compared: it may be of anything. "
            "'rtasmr view --question tingling', or the playlist, states it."
        )
    return f"<h2>Clips</h2>{_table(head, rows)}{''.join(f'<p class=soft>{note}</p>' for note in notes)}"


def _is_rated(clip: ClipFacts, pressed_s: Sequence[float]) -> bool:
    """Whether a key was pressed while a clip was shown."""
    start_s = clip.start_s - clip.records[0].tick / FRAME_RATE_HZ
    return any(start_s <= time_s <= clip.records[-1].time_s + 1 / FRAME_RATE_HZ for time_s in pressed_s)


def _quality(account: Account, streams: Sequence[StreamFacts], summary: Mapping[str, Any]) -> str:
    counts = Counter(reason_word(r.status, r.cause) for r in account.records)
    paused = CAUSE_WORDS[Cause.PAUSED]
    n_shown = len(account.records) - counts[paused]  # a pause is no loss
    words = (*STATUS_WORDS.values(), *CAUSE_WORDS.values())
    status_rows = [
        (word, str(counts[word]), _percent(None if word == paused else counts[word] / n_shown))
        for word in words
        if counts[word]
    ]
    stream_rows = [
        (
            s.name + (", simulated" if s.is_simulated else ""),
            f"{s.sfreq:g}",
            str(s.n_samples),
            f"{s.seconds:.1f}",
            str(s.n_lost),
            str(s.n_gaps),
        )
        for s in streams
    ]
    share = "share without pauses" if counts[paused] else "share"
    text = "<h2>Quality and losses</h2>" + _table(("status", "ticks", share), status_rows)
    if stream_rows:
        text += _table(("stream", "Hz", "samples", "seconds", "samples lost", "gaps"), stream_rows)
    pulse = summary.get("pulse")
    if pulse:
        troubles = ", ".join(f"{name} {k} s" for name, k in pulse["troubles"].items())
        good = f"{pulse['good']} of {pulse['readings']} readings good"
        text += f"<p>Pulse: {good}{f'; the others: {escape(troubles)}' if troubles else ''}.</p>"
    return text


def _happenings(session: Session, account: Account) -> str:
    rows = [(f"{second:.1f}", line) for second, line in happenings(session, account.records)]
    more = f'<p class="soft">and {len(rows) - _MAX_ROWS} more</p>' if len(rows) > _MAX_ROWS else ""
    return _table(("second", "*what happened"), rows[:_MAX_ROWS]) + more if rows else ""


def _latency(summary: Mapping[str, Any]) -> str:
    rows = []
    for name, key in (("publish latency", "latency_ms"), ("age of the estimate", "age_ms")):
        if key in summary:
            rows.append((name, *_quantiles(summary[key])))
    rows += [(f"stage: {name}", *_quantiles(q)) for name, q in summary.get("stages_ms", {}).items()]
    note = (
        "Publish latency: from the stamp of the newest sample that a tick needs until its probability was "
        "published; the stages are its parts. p99: 99 % are below. "
        "Age: how old the newest estimate was; the model looks ahead of the tick that it judges."
    )
    return f"<h2>Latency</h2>{_table(('ms', 'median', 'p99', 'maximum'), rows)}<p class=soft>{note}</p>"


def _quantiles(figures: Mapping[str, float | None]) -> tuple[str, ...]:
    return tuple(_number(figures[key], 1) for key in ("p50", "p99", "max"))


def _files(recording: Path, paths: Iterable[Path]) -> str:
    """Say what lies beside the page, and what else can be made of the recording."""
    links: dict[str, list[str]] = {what: [] for what in _FILE_WORDS.values()}
    for path in paths:
        if path.name != PAGE_FILE:
            links[_FILE_WORDS[path.suffix]].append(f'<a href="{escape(path.name)}">{escape(path.name)}</a>')
    name = clean(recording.name)
    word = shlex.quote(name)
    entries = {
        "Recording": f"{escape(name)}, XDF; unchanged, where it was",
        **{what: ", ".join(found) for what, found in links.items() if found},
        "As BIDS": f"<code>rtasmr export {escape(word)} --bids FOLDER</code>",
        "In Python": f"<code>rtasmr.load_session({escape(repr(name))}).ticks</code>",
    }
    text = "".join(f"<dt>{what}</dt><dd>{found}</dd>" for what, found in entries.items())
    return f"<h2>Files</h2><dl>{text}</dl>"


def _figure(stem: Path, what: str) -> str:
    svg = base64.b64encode(_both(stem)[1].read_bytes()).decode()
    return f'<figure><img alt="{escape(clean(what))}" src="data:image/svg+xml;base64,{svg}"></figure>'


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; a heading that begins with an asterisk stands over words, not numbers."""
    marks = [' class="words"' * name.startswith("*") for name in head]

    def row(tag: str, cells: Iterable[str]) -> str:
        inner = (f"<{tag}{mark}>{cell}</{tag}>" for mark, cell in zip(marks, cells, strict=True))
        return f"<tr>{''.join(inner)}</tr>"

    body = "".join(row("td", (escape(clean(cell)) for cell in cells)) for cells in rows)
    names = row("th", (name.removeprefix("*") for name in head))
    return f'<div class="wide"><table><thead>{names}</thead><tbody>{body}</tbody></table></div>'


def _number(value: float | None, digits: int, unit: str = "") -> str:
    return _DASH if value is None or not math.isfinite(value) else f"{value:.{digits}f}{unit}"


def _percent(share: float | None) -> str:
    return _number(None if share is None else 100 * share, 0, " %")
