"""Long documents to translate: consecutive sentences of Flores-IN in numbered paragraphs, as long as is asked for.

A row of Flores-IN: {"lang": "hi", "source": "…", "target": "…", "translation_direction": "enxx"}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from evalkit.languages import name_of
from evalkit.types import Doc

from .flores_in import to_doc_en_xx, to_doc_xx_en

SENTENCES = 4  # of a paragraph
TASK = (
    "Translate the following document from {source_language} into {target_language}. Keep the number in front of each paragraph. "
    "Only output the translation and nothing else.\n\n{document}\n\nTranslation:"
)
SLACK = 1.5  # tokens an answer may have, per token of the reference


def generate(
    options: Mapping[str, Any],
    length: int,
    documents: int,
    language: str | None,
    count: Callable[[str], int],
    rows: Sequence[Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """Documents of one language, one behind another in the order of the rows; none shares a sentence with another.

    Args:
        options: `direction`: `enxx` or `xxen`.
        length: tokens of prompt and answer; a document has as many whole paragraphs as fit.

    Raises:
        ValueError: an unknown direction, or not even one paragraph fits.
    """
    direction = options.get("direction")
    if direction not in ("enxx", "xxen"):
        raise ValueError(f"data.options.direction={direction!r} is unknown; use enxx or xxen")
    docs = [(to_doc_en_xx if direction == "enxx" else to_doc_xx_en)(row) for row in rows]
    parts = [docs[at : at + SENTENCES] for at in range(0, len(docs) - SENTENCES + 1, SENTENCES)]
    made: list[dict[str, Any]] = []
    start = 0
    while len(made) < documents and start < len(parts):
        row, used = _longest(parts[start:], length, count)
        if row is None:
            if not made:
                raise ValueError("not even one paragraph and its translation fit; ask for a greater length")
            start += 1
            continue
        if made and start + used >= len(parts) and row["tokens"] < 0.9 * length:
            break  # the rows end before the document is full
        made.append({**row, "id": f"{language}/{length}/{len(made)}", "length": length})
        start += used
    return made


def _longest(parts: Sequence[Sequence[Doc]], length: int, count: Callable[[str], int]) -> tuple[dict[str, Any] | None, int]:
    """The longest document that begins with the first paragraph, and how many paragraphs it has."""
    low, high, found = 0, len(parts) + 1, None
    guess = 1
    while high - low > 1:
        row = _document(parts[:guess], count)
        if row["tokens"] <= length:
            low, found = guess, row
            guess = min(max(guess + 1, guess * length // row["tokens"]), high - 1)
        else:
            high = guess
            guess = max(low + 1, min(guess * length // row["tokens"], high - 1))
    return found, low


def _document(parts: Sequence[Sequence[Doc]], count: Callable[[str], int]) -> dict[str, Any]:
    fields = parts[0][0].fields
    text, references = (_paragraphs(parts, side) for side in ("source", "target"))
    numbered = "\n".join(f"{number}. {part}" for number, part in enumerate(text, 1))
    prompt = TASK.format(document=numbered, **{name: fields[name] for name in ("source_language", "target_language")})
    answer = int(SLACK * count("\n".join(f"{number}. {part}" for number, part in enumerate(references, 1)))) + 1
    ends = [sum(map(len, text[: place + 1])) for place in range(len(text))]
    return {
        "input": prompt,
        "references": references,
        "depths": [100 * (end - len(part) // 2) // ends[-1] for end, part in zip(ends, text, strict=True)],
        "answer_tokens": answer,
        "tokens": count(prompt) + answer,
        "language": fields["lang"],
        "target_code": fields["target_code"],
    }


def _paragraphs(parts: Sequence[Sequence[Doc]], side: str) -> list[str]:
    return [" ".join(doc.fields[side].strip() for doc in part) for part in parts]


def to_doc(row: Mapping[str, Any]) -> Doc:
    """Target: the reference translation of each paragraph; `depths` says where in the document each is, in per cent."""
    fields = {name: row[name] for name in ("input", "length", "depths", "answer_tokens", "target_code")}
    fields["target_language"] = name_of(row["target_code"])
    return Doc(id=str(row["id"]), fields=fields, target=tuple(row["references"]), language=row["language"], group=str(row["length"]))
