"""What `rtasmr.stimulus` finds in a stimulus, as an entry of the cache."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from offline.cache import Entry
from rtasmr.stimulus import Film, examine_stimulus

_CONTENT = "film_json"


def film_entry(path: Path) -> Entry:
    """Examine a stimulus; errors as in `rtasmr.stimulus.examine_stimulus`."""
    return Entry({_CONTENT: np.array(json.dumps(asdict(examine_stimulus(path))))})


def film_of(entry: Entry) -> Film:
    """Return what was found."""
    return Film(**json.loads(str(entry.arrays[_CONTENT])))
