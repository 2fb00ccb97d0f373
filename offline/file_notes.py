"""What a run of feature extraction says about the files that it read, each fact once."""

from __future__ import annotations

from collections.abc import Mapping

from offline.film_entry import film_of
from offline.plan import Plan
from offline.workers import Done
from rtasmr.dataset_words import named_in_set, pulse_left_out, stimulus_left_out


def file_notes(plan: Plan, results: Mapping[int, Done]) -> list[str]:
    """Return the notes: stimuli, then pulse recordings, each naming its file and what was done about it.

    Parameters
    ----------
    plan : Plan
    results : mapping of int to Done
        By position among the plan's units.
    """
    notes = list(plan.notes)
    of_video = {
        showing.trial.video: [results[number] for number in (showing.film_unit, *showing.stimulus_units)]
        for showing in plan.showings
    }
    for video, parts in sorted(of_video.items()):
        notes.extend(_stimulus_notes(video, parts))
    of_person = {
        showing.trial.participant: results[showing.pulse_unit]
        for showing in plan.showings
        if showing.pulse_unit is not None
    }
    for participant, done in sorted(of_person.items()):
        if done.entry is None:
            notes.append(named_in_set(done.unit.path, f"{done.error}; {pulse_left_out(participant)}"))
        else:
            notes.extend(named_in_set(done.unit.path, note) for note in done.entry.notes)
    return list(dict.fromkeys(notes))


def _stimulus_notes(video: str, parts: list[Done]) -> list[str]:
    """Return what is to be said of one stimulus; the first part says whether it can be used."""
    path = parts[0].unit.path
    failed = next((done for done in parts if done.entry is None), None)
    if failed is not None:
        return [named_in_set(path, f"{failed.error}; {stimulus_left_out(video)}")]
    entry = parts[0].entry
    assert entry is not None  # just looked at
    film = film_of(entry)
    return [named_in_set(path, film.told(video))] if film.is_short or film.remark else []
