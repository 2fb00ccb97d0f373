"""Options of a command out of the registry, so that a new device needs no change to the command line."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Annotated

import typer

from rtasmr.sources.registry import DeviceKind


def with_devices(kinds: Mapping[str, DeviceKind]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command an option per kind of device, and one per setting that it does not have itself.

    The command takes them as ``**given``, text each, empty where not given.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command, eval_str=True)
        own = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
        taken = {parameter.name for parameter in own}
        added: dict[str, inspect.Parameter] = {}
        for kind in kinds.values():
            added[kind.name] = _parameter(kind.name, kind.address, kind.help)
        for kind in kinds.values():
            for option in kind.options:
                if option.name not in taken and option.name not in added:
                    added[option.name] = _parameter(option.name, "TEXT", f"With --{kind.name}: {option.help}")
        # typer reads its options from here.
        command.__signature__ = signature.replace(parameters=[*own, *added.values()])  # type: ignore[attr-defined]
        return command

    return decorate


def _parameter(name: str, metavar: str, text: str) -> inspect.Parameter:
    option = typer.Option(f"--{name.replace('_', '-')}", metavar=metavar, help=text)
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default="", annotation=Annotated[str, option]
    )
