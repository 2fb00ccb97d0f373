"""The most and least tingling moments of a stimulus."""

from __future__ import annotations

import csv
import math

from PIL import Image

from rtasmr.moments import moments_of, write_moments
from rtasmr.report import Account
from rtasmr.snapshot import TickRecord
from rtasmr.types import Status


def record(tick: int, p: float) -> TickRecord:
    return TickRecord(0, "clip", tick, tick / 10, p, Status.OK, 0, -1)


def account(*records: TickRecord) -> Account:
    return Account("clip.avi", "by hand", "m", True, 0.5, ("squints",), records)


def test_moments_lie_apart_and_the_earlier_of_equals_comes_first():
    p = {0: math.nan, 10: 0.9, 11: 0.95, 60: 0.9, 61: 0.9, 620: 0.1, 640: 0.2}
    moments = moments_of([record(tick, value) for tick, value in p.items()])
    told = [(m.kind, m.rank, m.clock, m.p) for m in moments]
    # 1.1 s excludes 1.0 and 6.0 s, which lie less than 5 s off; 6.1 s does not.
    assert told[:3] == [
        ("highest", 1, "0:01.1", 0.95),
        ("highest", 2, "0:06.1", 0.9),
        ("highest", 3, "1:04.0", 0.2),
    ]
    assert told[3] == ("lowest", 1, "1:02.0", 0.1)
    assert [m[2] for m in told[4:]] == ["0:01.0", "0:06.0"]


def test_a_file_with_no_probability_has_no_moments(tmp_path, tiny_video):
    (table,) = write_moments(account(record(0, math.nan)), tiny_video, tmp_path)
    assert table.read_text().splitlines() == ["kind,rank,time_s,time,probability"]


def test_the_pictures_are_those_on_screen(tmp_path, tiny_video, monkeypatch):
    drawn = []
    monkeypatch.setattr("rtasmr.moments.draw_moments", lambda rows, **_: drawn.extend(rows))
    table, _ = write_moments(account(record(2, 0.25), record(18, 0.75)), tiny_video, tmp_path)
    # Image k of 25 a second is grey level 4 k: 1.8 s is image 45, 0.2 s image 5.
    assert [(words, int(picture.mean())) for ((words, picture),) in drawn] == [
        ("highest 1: 0:01.8, P = 0.75", 180),
        ("lowest 1: 0:00.2, P = 0.25", 20),
    ]
    with table.open(newline="") as file:
        rows = [(row["kind"], row["time_s"], row["probability"]) for row in csv.DictReader(file)]
    assert rows == [("highest", "1.8", "0.750000"), ("lowest", "0.2", "0.250000")]


def test_the_drawing_opens(tmp_path, tiny_video):
    paths = write_moments(account(record(2, 0.25), record(18, 0.75)), tiny_video, tmp_path)
    with Image.open(paths[1]) as image:
        assert image.width > 500
        colours = {colour for _, colour in image.convert("RGB").getcolors(image.width * image.height)}
    # The banner's amber, and the two pictures: nothing else is drawn in these.
    assert colours >= {(240, 180, 41), (180, 180, 180), (20, 20, 20)}
