"""The words of a language in a family's own table of words."""

from __future__ import annotations

from collections.abc import Mapping


def word(table: Mapping[str, tuple[str, ...]], code: str, family: str) -> tuple[str, ...]:
    """The words of a language in a family's table.

    Raises:
        ValueError: the family has none for it.
    """
    if code not in table:
        raise ValueError(f"language {code!r} has no words in {family}; it has {', '.join(table)}")
    return table[code]
