"""Running text to hide things in: ours, which ships with the package, or the user's own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path


@dataclass(frozen=True)
class Haystack:
    """Attributes:
    listed: the words of the text, in order.
    own: it is the short invented text of this package, which is told from the start again when it ends.
    """

    listed: tuple[str, ...]
    own: bool

    @property
    def total(self) -> int:
        """Words there are before the text has to be told again; a text of ours has no end."""
        return 1 << 40 if self.own else len(self.listed)

    def words(self, number: int) -> str:
        """The first words, with single spaces."""
        times, rest = divmod(number, len(self.listed))
        return " ".join((*self.listed * (times if self.own else min(times, 1)), *self.listed[: rest if self.own or not times else 0]))


NO_TEXT = Haystack((), False)  # for needles among lines


@cache
def haystack(code: str, place: str | None) -> Haystack:
    """The text of a language.

    Args:
        place: a text file (UTF-8), or a folder with `CODE.txt`; None: ours.

    Raises:
        ValueError: there is none.
    """
    if place is None:
        ours = files("evalkit.tasks.ruler") / "haystacks" / f"{code}.txt"
        if not ours.is_file():
            raise ValueError(f"no text of ours in language {code!r}; give haystack=FILE or a folder with {code}.txt")
        return Haystack(tuple(ours.read_text(encoding="utf-8").split()), True)
    path = Path(place).expanduser()
    path = path / f"{code}.txt" if path.is_dir() else path
    if not path.is_file():
        raise ValueError(f"haystack={place}: no file {path}; give a text file, or a folder with {code}.txt")
    listed = tuple(path.read_text(encoding="utf-8").split())
    if not listed:
        raise ValueError(f"haystack={place}: {path} is empty; give a text")
    return Haystack(listed, False)
