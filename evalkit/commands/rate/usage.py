"""What the actions of `evalkit rate` share: how each is called, and their own kinds of words."""

from __future__ import annotations

from collections.abc import Mapping

from evalkit.commands.usage import USAGE as COMMANDS
from evalkit.errors import ConfigError

USAGE = {name.removeprefix("rate "): command.usage for name, command in COMMANDS.items() if name.startswith("rate ")}


def listed(text: str) -> list[str]:
    """The names of `A,B` or `[A,B]`."""
    return [part.strip() for part in text.strip("[]").split(",") if part.strip()]


def whole(taken: Mapping[str, str], name: str, otherwise: int) -> int:
    """A whole number from 0."""
    text = taken.get(name, str(otherwise))
    if not text.isdecimal():
        raise ConfigError(f"{name}={text} is not a whole number from 0")
    return int(text)
