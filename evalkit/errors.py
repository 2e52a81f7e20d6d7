"""Errors a user can fix: one line that names the thing, the value and what to do."""

from __future__ import annotations

from collections.abc import Iterable


class EvalkitError(Exception):
    """Anything a user can fix. The command line prints the message alone and exits with `exit_code`."""

    exit_code = 1

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows: the one line, as the command line does."""
        return [f"{type(self).__name__}: {self}"]


class ConfigError(EvalkitError):
    """The configuration asks for something that does not exist or does not fit."""

    exit_code = 2


class DataError(EvalkitError):
    """Rows are missing, malformed or out of reach."""

    exit_code = 3


class ModelError(EvalkitError):
    """A model cannot be loaded, or cannot do what a task asks of it."""

    exit_code = 4


class FileError(EvalkitError):
    """A file cannot be written."""

    exit_code = 5


class JournalError(FileError):
    """Saved answers are damaged, locked by another process, or cannot be written."""

    exit_code = 5


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean X?` for the nearest known name, or an empty string where none is near.

    Near is a slip of the fingers (every third letter at most is another, missing, too many or swapped with the next; in `a.b` each
    part counts by itself), or a name that begins with the word.
    """
    names = sorted(set(known))
    near = [(slips, name) for name in names if (slips := _slips(word, name)) is not None]
    if near:
        return f"; did you mean {min(near)[1]}?"
    begun = [name for name in names if len(word) > 2 and name.startswith(word)]
    return f"; did you mean {min(begun, key=len)}?" if begun else ""


def _slips(word: str, name: str) -> int | None:
    """How many letters differ in all; None when some part differs in more than every third."""
    mine, theirs = word.split("."), name.split(".")
    pairs = list(zip(mine, theirs, strict=True)) if len(mine) == len(theirs) else [(word, name)]
    total = 0
    for one, other in pairs:
        allowed = max(1, max(len(one), len(other)) // 3)
        if abs(len(one) - len(other)) > allowed:
            return None
        slips = _distance(one.lower(), other.lower())
        if slips > allowed or slips == max(len(one), len(other)) > 0:
            return None
        total += slips
    return total


def _distance(one: str, other: str) -> int:
    """Letters changed, missing, added or swapped with their neighbour (Damerau and Levenshtein's distance, no letter moved twice)."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        row = [i]
        for j, wanted in enumerate(other, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, last = last, row
    return last[-1]
