"""What ``--audio microphone`` and ``--video screen:0,0,1280,720`` ask for; see `launch` for the pulse."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rtasmr.errors import ConfigError
from rtasmr.sources.launch import Launch, identity, parse_launch
from rtasmr.types import Role

_FPS = "fps="


def parse_sound_launch(text: str) -> Launch | None:
    """Read what sound is taken from; None if ``text`` is a stream query.

    Known are ``microphone`` and ``loopback``, each with ``:DEVICE`` or without.
    """
    name, _, device = (part.strip() for part in text.partition(":"))
    if name not in ("microphone", "loopback"):
        return None
    words = ["microphone", *(["--loopback"] if name == "loopback" else [])]
    return _launch("Audio", name, device, [*words, *(["--device", device] if device else [])])


def parse_picture_launch(text: str) -> Launch | None:
    """Read what pictures are taken from; None if ``text`` is a stream query.

    Known are ``camera`` or ``camera:DEVICE``, and ``screen`` or ``screen:X,Y,W,H``, each with
    ``,fps=20`` or without.

    Raises
    ------
    ConfigError
        If there are other settings.
    """
    place, comma, fps = text.rpartition(f",{_FPS}")
    name, _, address = (part.strip() for part in (place if comma else text).partition(":"))
    # A camera's address may hold a comma, its name may not.
    kind, _, rest = name.partition(",")
    if kind not in ("camera", "screen"):
        return None
    if rest:
        raise ConfigError(f"expected settings like {_FPS}..., got {rest!r} in {text!r}. Correct it.")
    option = "--device" if kind == "camera" else "--region"
    words = [kind, *([option, address] if address else []), *(["--fps", fps.strip()] if comma else [])]
    return _launch("VideoRaw", kind, address, words)


PARSERS: Mapping[Role, Callable[[str], Launch | None]] = {
    Role.PPG: parse_launch,
    Role.SOUND: parse_sound_launch,
    Role.PICTURE: parse_picture_launch,
}
"""Who reads what a role is taken from."""


def _launch(stype: str, name: str, address: str, words: list[str]) -> Launch:
    source_id = identity(name, address)
    return Launch((*words, "--keep-trying", "--source-id", source_id), f"type={stype},source_id={source_id}")
