"""What the commands share: their own `name=value` words."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from evalkit.errors import ConfigError, did_you_mean


def options(words: Sequence[str], *names: str) -> tuple[list[str], dict[str, str]]:
    """Take `name=value` words of the command's own out of the overrides.

    Raises:
        ConfigError: one of them has no value, or is written like a flag.
    """
    rest: list[str] = []
    taken: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if equals and name in names:
            if not value:
                raise ConfigError(f"{name}= is empty; write {name}=VALUE, or leave the word out")
            taken[name] = value
        elif (flag := name.lstrip("-").replace("-", "_")) in names and name.startswith("-"):
            raise ConfigError(f"{name} is no flag: settings are NAME=VALUE words; write {flag}={value or 'VALUE'}")
        else:
            rest.append(word)
    return rest, taken


def no_word(rest: Sequence[str], usage: str, near: Callable[[str, Sequence[str]], str] = did_you_mean) -> None:
    """Refuse a `name=value` word that no option took; names the nearest option of the usage line.

    Raises:
        ConfigError: there is one, and no file of that name.
    """
    for word in rest:
        name, equals, _ = word.partition("=")
        if re.match(r"-+[A-Za-z]", word) and not Path(word).exists():
            raise ConfigError(f"unknown flag {word}; settings are NAME=VALUE words: {usage}")
        if equals and not Path(word).exists():
            known = re.findall(r"(\w+)=", usage)
            meant = near(name, known)
            raise ConfigError(f"unknown word {word!r}{f'{meant} Usage' if meant else '; usage'}: {usage}")


def not_taken(words: Sequence[str], name: str, why: str) -> None:
    """Refuse a setting of a run that a command would not look at.

    Raises:
        ConfigError: it is among the words.
    """
    for word in words:
        if word.partition("=")[0] == name:
            raise ConfigError(f"{word}: {why}")


def detail_of(taken: Mapping[str, str]) -> str:
    """How much of a report is printed.

    Raises:
        ConfigError: neither `comparison` nor `all`.
    """
    detail = taken.get("detail", "comparison")
    if detail not in ("comparison", "all"):
        raise ConfigError(f"detail={detail} is unknown; use comparison or all")
    return detail


def probability(name: str, text: str) -> float:
    """A fraction (0.05) or a percentage (5%).

    Raises:
        ConfigError: no number between 0 and 1.
    """
    try:
        value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        value = 0.0
    if not 0 < value < 1:
        raise ConfigError(f"{name}={text} is no probability between 0 and 1, as 0.05 or 5% is")
    return value


def paths(command: str, words: Sequence[str], *names: str) -> tuple[list[str], dict[str, str]]:
    """Files or folders, and the `name=value` words of a command that has no other settings.

    Raises:
        ConfigError: a word is a setting the command does not have, naming the nearest.
    """
    rest, taken = options(words, *names)
    no_word(rest, f"{command} has {', '.join(f'{name}=…' for name in names)}")
    return rest, taken


def integer(name: str, text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise ConfigError(f"{name}={text!r} is not a whole number above 0")
    return int(text)
