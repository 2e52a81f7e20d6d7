"""Errors a user can mend: one line that names the thing, the value and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class EvalkitError(Exception):
    """Anything a user can mend. The command line prints the message alone and exits with `exit_code`."""

    exit_code = 1


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
    """`; did you mean X?` for the nearest known name, or an empty string."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else ""
