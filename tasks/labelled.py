"""Questions whose choices carry labels: ARC (Clark et al., 2018), OpenBookQA (Mihaylov et al., 2018), CommonsenseQA
(Talmor et al., 2019)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalkit.types import Doc

from .cells import missing


def to_doc(row: Mapping[str, Any]) -> Doc | None:
    """The gold is the place of `answerKey` among the labels, whatever they are (letters or digits, three to five of them).

    None for a row without an answer (a test split). Raises ValueError when the answer is no label of the row.
    """
    if missing(row["answerKey"]):
        return None
    key, choices = str(row["answerKey"]).strip(), row["choices"]
    if isinstance(choices, list):  # an object a choice, as the authors' own files have them
        choices = {name: [choice[name] for choice in choices] for name in ("text", "label")}
    texts, labels = tuple(choices["text"]), [str(label).strip() for label in choices["label"]]
    if len(texts) != len(labels):
        raise ValueError(f"{len(texts)} choices but {len(labels)} labels")
    if key not in labels:
        raise ValueError(f"answerKey {key!r} is none of the labels {', '.join(labels)}")
    return Doc(id="", fields=dict(row), choices=texts, target=labels.index(key))


def to_doc_commonsense_qa(row: Mapping[str, Any]) -> Doc | None:
    """As `to_doc`, the question stripped."""
    return to_doc({**row, "question": row["question"].strip()})


def from_requests(line: Mapping[str, Any]) -> dict[str, Any] | None:
    """A row of ARC from a line of rendered requests (one a choice): the question is inside its prompt, labels are lost.

    None for all lines but the first of a document, and for those that score a choice without its question.
    Raises ValueError when the prompt is not the plain one.
    """
    if line["idx"] != 0 or not str(line["request"]["context"]).endswith(line["doc"]["query"]):
        return None
    doc = line["doc"]
    question = doc["query"].removeprefix("Question: ").removesuffix("\nAnswer:")
    if f"Question: {question}\nAnswer:" != doc["query"]:
        raise ValueError(f"the prompt {doc['query']!r} is not 'Question: …\\nAnswer:'")
    labels = [chr(ord("A") + n) for n in range(len(doc["choices"]))]
    return {"id": doc["id"], "question": question, "choices": {"text": doc["choices"], "label": labels}, "answerKey": labels[doc["gold"]]}


def openbookqa_from_requests(line: Mapping[str, Any]) -> dict[str, Any] | None:
    """As `from_requests`, under OpenBookQA's name for its question."""
    row = from_requests(line)
    return row and {"id": row["id"], "question_stem": row["question"], "choices": row["choices"], "answerKey": row["answerKey"]}
