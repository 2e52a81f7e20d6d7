"""What the commands share: their own `name=value` words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from evalkit.errors import ConfigError, did_you_mean


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


def paths(command: str, words: Sequence[str], *names: str) -> tuple[list[str], dict[str, str]]:
    """Files or folders, and the `name=value` words of a command that has no other settings.

    Raises:
        ConfigError: a word is a setting the command does not have, naming the nearest.
    """
    rest, taken = options(words, *names)
    for word in rest:
        name, equals, _ = word.partition("=")
        if equals and name.replace(".", "").replace("_", "").isalpha() and not Path(word).exists():
            raise ConfigError(f"{command} has no setting {name}{did_you_mean(name, names)}; it has {', '.join(names)}")
    return rest, taken


def integer(name: str, text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise ConfigError(f"{name}={text!r} is not a whole number above 0")
    return int(text)
