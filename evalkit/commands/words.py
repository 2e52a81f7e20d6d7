"""What the commands share: their own `name=value` words."""

from __future__ import annotations

from collections.abc import Sequence

from evalkit.errors import ConfigError


def options(words: Sequence[str], *names: str) -> tuple[list[str], dict[str, str]]:
    """Take `name=value` words of the command's own out of the overrides."""
    rest: list[str] = []
    taken: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if equals and name in names:
            taken[name] = value
        else:
            rest.append(word)
    return rest, taken


def integer(name: str, text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise ConfigError(f"{name}={text!r} is not a whole number above 0")
    return int(text)
