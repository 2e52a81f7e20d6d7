"""From what a model wrote to the answer in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from evalkit.errors import ConfigError


@dataclass(frozen=True)
class RegexExtract:
    """The first or last match of a pattern; white space around it removed.

    A pattern without groups gives the whole match, with one group that group, with several the first group that is not
    empty. No match, or a match whose groups are all empty, gives None: the answer is invalid. These are the rules of
    lm-evaluation-harness 0.4.13's regex filter (group_select 0 or -1), whose fallback text `[invalid]` is None here,
    so that no gold answer can ever equal it.
    """

    pattern: str
    pick: Literal["first", "last"] = "first"

    def __post_init__(self) -> None:
        if self.pick not in ("first", "last"):
            raise ConfigError(f"extract: pick={self.pick!r} is unknown; use first or last")
        try:
            re.compile(self.pattern)
        except re.error as error:
            raise ConfigError(f"extract: pattern {self.pattern!r} is not a regular expression ({error}); fix it") from error

    def __call__(self, text: str) -> str | None:
        matches = re.findall(self.pattern, text)
        if not matches:
            return None
        match = matches[0 if self.pick == "first" else -1]
        if isinstance(match, tuple):
            match = next((group for group in match if group), None)
        return None if match is None else match.strip()
