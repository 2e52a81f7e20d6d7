"""TriviaQA: trivia questions without a passage (Joshi et al., 2017)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalkit.types import Doc


def to_doc(row: Mapping[str, Any]) -> Doc | None:
    """The golds are the answer's aliases in their order; a shot shows the first, which need not be `value`.

    `normalized_aliases` are the golds of the benchmark's own scorer. None for a row without any alias (the test split).
    """
    answer = row["answer"]
    aliases = tuple(answer["aliases"])
    if not aliases:
        return None
    fields = {"question": row["question"], "question_id": row.get("question_id"), "normalized_aliases": list(answer["normalized_aliases"])}
    return Doc(id="", fields=fields, target=aliases)
