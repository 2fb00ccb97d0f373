"""What the machine offers: streams, devices and models, as what the options of the command line take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from rtasmr.card import ModelCard
from rtasmr.discovery import Query, printable
from rtasmr.modelstore import InstalledModel
from rtasmr.sources.device import BUILT_IN
from rtasmr.types import Role, StreamSpec
from rtasmr.view.state import model_notices


class Kind(StrEnum):
    """What is looked for, each by a process of its own: a driver that hangs or dies takes nothing along."""

    STREAMS = "streams"
    SERIAL = "serial"
    BRAINFLOW = "brainflow"
    POLAR = "polar"
    SOUND = "sound"
    CAMERA = "camera"
    MODELS = "models"


MODEL = "model"
"""What stands in the place of a role in the offer of a model."""

NO_MODEL = (
    "No model is installed. Run 'make demo' for a demo model, or 'offline train' for one of your own, "
    "then press F5 here."
)

_UNKNOWN = "n/a"
"""What pyserial says of a port of which the system knows nothing."""

STREAM_TYPES: Mapping[str, Role] = {"PPG": Role.PPG, "Audio": Role.SOUND, "VideoRaw": Role.PICTURE}


@dataclass(frozen=True, slots=True)
class Offer:
    """One thing that can be chosen.

    Parameters
    ----------
    role : str
        `Role` whose option takes it, or `MODEL`.
    text : str
        What the option takes.
    label : str
        What it is, for people.
    warnings : tuple of str
        What everybody who chooses it must be told.
    is_there : bool
        Whether it answered, or a system knows what it is: not so an empty port, or a board that BrainFlow
        could look for.
    """

    role: str
    text: str
    label: str
    warnings: tuple[str, ...] = ()
    is_there: bool = True


@dataclass(frozen=True, slots=True)
class Listing:
    """What one search came to; ``problem`` says with its fix why nothing could be found, if so."""

    kind: Kind
    offers: tuple[Offer, ...] = ()
    problem: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return what `from_json` reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Listing:
        """Read what `as_json` returned."""
        offers = (Offer(**{**offer, "warnings": tuple(offer["warnings"])}) for offer in content["offers"])
        return cls(Kind(content["kind"]), tuple(offers), content["problem"])


def stream_offers(specs: Iterable[StreamSpec]) -> Iterator[Offer]:
    """Yield the streams of pulse, sound and pictures that a query can name."""
    for spec in specs:
        role = STREAM_TYPES.get(spec.stype)
        if role is None:
            continue
        # The identity stays from run to run; a name with a comma in it cannot be said in a query.
        told = next((q for q in _queries_of(spec) if "," not in q.source_id + q.name), None)
        if told is not None:
            rate = f", {spec.sfreq:g} Hz" if spec.sfreq else ""
            yield Offer(role.value, str(told), f"Stream {printable(spec.name, 40)}{rate}")


def _queries_of(spec: StreamSpec) -> Iterator[Query]:
    if spec.source_id:
        yield Query(stype=spec.stype, source_id=spec.source_id)
    if spec.name:
        yield Query(stype=spec.stype, name=spec.name)


def device_offers(
    role: Role, name: str, found: Iterable[tuple[str, str]], *, is_there: bool = True
) -> Iterator[Offer]:
    """Yield devices that a search found: address and description of each."""
    for address, what in found:
        known = what not in ("", _UNKNOWN)
        # Settings begin behind a comma: an address with one in it would be read as some.
        if "," not in address:
            label = printable(f"{name} {address}{f': {what}' if known else ''}")
            is_found = is_there and known and what != BUILT_IN
            yield Offer(role.value, f"{name}:{address}", label, is_there=is_found)


def model_listing(models: Sequence[InstalledModel]) -> Listing:
    """Return the tingle models; first, without a name, the one that the runtime takes by itself.

    Damaged ones, and the lack of any, stand as problem.
    """
    tingle = [(m.path.name, m.card) for m in models if isinstance(m.card, ModelCard)]
    tingle.sort(key=lambda model: (model[1].causal, not model[1].demo, model[1].created), reverse=True)
    offers = [Offer(MODEL, name, name + " (demo)" * card.demo, _notices(card)) for name, card in tingle]
    if tingle and tingle[0][1].causal:
        offers.insert(0, replace(offers[0], text="", label=f"Newest: {offers[0].label}"))
    damaged = [f"{m.path.name} cannot be used: {m.problem}" for m in models if m.card is None]
    missing = [] if tingle else [NO_MODEL]
    return Listing(Kind.MODELS, tuple(offers), " ".join(missing + damaged))


def _notices(card: ModelCard) -> tuple[str, ...]:
    return tuple(model_notices(card.demo, card.warnings))
