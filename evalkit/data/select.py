"""Which documents a limited run asks."""

from __future__ import annotations

from collections.abc import Sequence

from evalkit.errors import ConfigError
from evalkit.types import Doc


def limit_docs(docs: Sequence[Doc], limit: int | None) -> tuple[Doc, ...]:
    """The first `limit` documents, spread evenly over languages and groups.

    Round robin over (language, group) in order of first appearance, file order within each; the chosen
    documents come back in file order. A group that runs out leaves its turns to the others, so exactly
    min(limit, len(docs)) documents come back. None = all of them.

    Raises:
        ConfigError: limit < 1.
    """
    if limit is None:
        return tuple(docs)
    if limit < 1:
        raise ConfigError(f"limit={limit} asks for no document; use 1 or more, or limit=null for all")
    strata: dict[tuple[str | None, str | None], list[int]] = {}
    for index, doc in enumerate(docs):
        strata.setdefault((doc.language, doc.group), []).append(index)
    # Sorting by (rank within the stratum, stratum) is the round robin, finished in one pass.
    turns = sorted((rank, turn, index) for turn, members in enumerate(strata.values()) for rank, index in enumerate(members))
    return tuple(docs[index] for index in sorted(index for _, _, index in turns[:limit]))
