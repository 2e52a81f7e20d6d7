"""What a text may say next, guessed from what it has said before.

Texts repeat themselves: numbers of the question, phrases of the prompt, whole loops. Where the last few tokens were before, what
followed there is offered as a draft; the model reads it together with the last token and keeps what it would have written itself
(prompt lookup: greedy text stays what it is, in fewer steps).
"""

from __future__ import annotations

from collections.abc import Sequence

GRAM = 3  # tokens that must have been there before
LONGEST = 12  # tokens of a draft
REMEMBERED = 256  # tokens of the prompt that are looked through
COMPARED = 24  # tokens back to which two places are compared


class PromptLookup:
    """Drafts for one growing text, as long as its earlier drafts deserve.

    Args:
        ids: the prompt and what is written already.
    """

    __slots__ = ("_ids", "_places", "_trust")

    def __init__(self, ids: Sequence[int]) -> None:
        self._ids: list[int] = []
        self._places: dict[tuple[int, ...], int] = {}  # a gram, and where the token after its latest place is
        self._trust = GRAM
        for token in ids[-REMEMBERED:]:
            self.add(token)

    def add(self, token: int) -> None:
        """The text grew by a token."""
        if len(self._ids) >= GRAM:
            self._places[tuple(self._ids[-GRAM:])] = len(self._ids)
        self._ids.append(token)

    def draft(self) -> list[int]:
        """The tokens that may come next; more of them the further two places agree."""
        if self._trust == 0:  # the last one was wrong from its first token: miss a turn
            self._trust = 1
            return []
        place = self._places.get(tuple(self._ids[-GRAM:]))
        if place is None:
            return []
        size = min(self._agreement(place) - GRAM + 1, self._trust, LONGEST)
        period = len(self._ids) - place
        return [self._ids[place + step % period] for step in range(size)]

    def judge(self, drafted: int, kept: int) -> None:
        """How a draft did: `kept` of its `drafted` tokens were right."""
        if drafted:
            self._trust = min(LONGEST, 2 * kept)

    def _agreement(self, place: int) -> int:
        """Tokens before `place` that are those at the text's end."""
        ids, end = self._ids, len(self._ids)
        size = GRAM
        while size < min(COMPARED, place) and ids[place - 1 - size] == ids[end - 1 - size]:
            size += 1
        return size


def share_out(drafts: Sequence[Sequence[int]], room: int) -> list[int]:
    """Tokens of each draft that a step reads when it has room for `room` of them: longest drafts first, and of equals the earlier."""
    sizes = [0] * len(drafts)
    for index in sorted(range(len(drafts)), key=lambda i: (-len(drafts[i]), i)):
        sizes[index] = min(len(drafts[index]), max(0, room))
        room -= sizes[index]
    return sizes
