"""Single values of rows as exports really write them: null, NaN, numbers as text, names with other capitals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

WITHHELD = -1  # how the hub's data sets mark a class that is not given away


def missing(value: object) -> bool:
    """Null, NaN (a null that went through a table library) or a text without anything in it."""
    return value is None or value != value or (isinstance(value, str) and not value.strip())


def texts(row: Mapping[str, Any], *fields: str) -> tuple[str, ...]:
    """The fields' texts as they are; prompts would print a null as "None".

    Raises:
        ValueError: one of them is no text, or has nothing in it.
    """
    for field in fields:
        if not isinstance(row[field], str) or missing(row[field]):
            raise ValueError(f"field {field!r}: {row[field]!r} is not a text with something in it; fill it in or leave the row out")
    return tuple(row[field] for field in fields)


def class_of(field: str, value: object, names: Sequence[str]) -> int | None:
    """The index of a class given as 1, 1.0, "1", true or by its name, whatever its capitals; None where there is no label.

    Raises:
        ValueError: the value is none of these; the message lists the classes.
    """
    if missing(value) or value == WITHHELD:
        return None
    said = str(int(value) if isinstance(value, bool) else value).strip().casefold()
    for index, name in enumerate(names):
        if said in (str(index), f"{index}.0", name.casefold()):
            return index
    raise ValueError(f"field {field!r}: {value!r} is none of {', '.join(f'{index} ({name})' for index, name in enumerate(names))}")
