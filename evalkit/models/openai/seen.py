"""What the answers of a server told about it, for the manifest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from evalkit.types import Response

MOST_NAMES = 20  # of models, fingerprints and reasons; a server that makes them up must not fill the memory
FEW_DRAWN = 3  # prompts with equal samples that could still be chance


class Seen:
    """Counts over every answer of a session.

    Attributes:
        served: the names under which the server answered, since a name may stand for another model tomorrow.
        ends: why answers ended, in the server's words.
        drawn: prompts of which several samples were drawn. alike: those whose samples are the same text.
    """

    def __init__(self) -> None:
        self.served: dict[str, set[str]] = {"model": set(), "system_fingerprint": set()}
        self.ends: Counter[str] = Counter()
        self.drawn = self.alike = 0

    def note(self, body: Mapping[str, Any]) -> None:
        """One answer."""
        for name, seen in self.served.items():
            if isinstance(value := body.get(name), str) and len(seen) < MOST_NAMES:
                seen.add(value)
        choices = body.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            end = str(choice.get("finish_reason"))[:40] if isinstance(choice, Mapping) else "None"
            if end in self.ends or len(self.ends) < MOST_NAMES:
                self.ends[end] += 1

    def samples(self, responses: Sequence[Response]) -> None:
        """Samples of one prompt, drawn together."""
        if len(responses) > 1:
            self.drawn += 1
            self.alike += len({response.text for response in responses}) == 1

    @property
    def never_draws(self) -> bool:
        """Whether every prompt's samples were the same text, of so many prompts that it is no chance."""
        return self.drawn >= FEW_DRAWN and self.alike == self.drawn
