"""BharatBench's seven text tasks. Their data are not public: the schema is ours (docs/indic.md), checked row by row.

Every row has `id`, `language` and `split`; what else a task needs is in its function. A wrong row raises ValueError with
field, value and what to do, to which the loader adds file and line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evalkit.languages import LANGUAGES
from evalkit.text import nfc, normal_label
from evalkit.types import Doc

from .digest import digest

Row = Mapping[str, Any]
ROLES = ("user", "assistant")
SHOWN = 60


def indian_cultural_context(row: Row) -> Doc:
    """`question`, `reference` (a text or several), `category`."""
    return _doc(row, _texts(row, "reference"), question=_text(row, "question"), group=_text(row, "category"))


def grammar_correction(row: Row) -> Doc:
    """`incorrect`, `correct` (a text or several)."""
    return _doc(row, _texts(row, "correct"), incorrect=_text(row, "incorrect"))


def multi_turn(row: Row) -> Doc:
    """`messages` of alternating roles ending with the user's, `reference`."""
    messages = _messages(row)
    return _doc(row, _texts(row, "reference"), messages=messages, last_turn=messages[-1]["content"])


def multi_turn_comprehension(row: Row) -> Doc:
    """As multi_turn; the `passage` goes before the first user turn's question."""
    passage, messages = _text(row, "passage"), _messages(row)
    first = next(i for i, turn in enumerate(messages) if turn["role"] == "user")
    question = {"role": "user", "content": f"{passage}\n\n{messages[first]['content']}"}
    asked = [*messages[:first], question, *messages[first + 1 :]]
    return _doc(row, _texts(row, "reference"), messages=asked, last_turn=messages[-1]["content"], cluster=digest(passage))


def multi_turn_translation(row: Row) -> Doc:
    """As multi_turn; `target_language` is the language of the reference, an ISO 639 code."""
    code = _text(row, "target_language")
    if code not in LANGUAGES:
        raise _wrong("target_language", code, f"is not a known language code; write one of {', '.join(LANGUAGES)}")
    return multi_turn(row)


def text_classification(row: Row) -> Doc:
    """`text`, `labels` (the closed set) and `label`, one of them. Choices are the labels, for the log-likelihood form."""
    text, label, labels = _text(row, "text"), _text(row, "label"), row["labels"]
    if not _is_list_of_texts(labels) or len({normal_label(label) for label in labels}) < max(2, len(labels)):
        advice = "is not a list of two or more different texts (capitals and final marks make no difference); write the set of labels"
        raise _wrong("labels", labels, advice)
    if label not in labels:
        raise _wrong("label", label, f"is not one of the labels; write one of {', '.join(labels)}")
    return _doc(row, labels.index(label), choices=tuple(labels), text=text, labels_listed=", ".join(labels))


def ner(row: Row) -> Doc:
    """`text`, `types`, `entities` of {text, type}: every entity's text as the sentence has it, its type one of `types`."""
    text, types, entities = _text(row, "text"), row["types"], row["entities"]
    if not _is_list_of_texts(types) or not types or len(set(types)) < len(types):
        raise _wrong("types", types, "is not a list of different texts; write the types that may occur, such as PER")
    if not isinstance(entities, list) or not all(isinstance(e, dict) for e in entities):
        raise _wrong("entities", entities, 'is not a list of objects; write {"text": …, "type": …} for each, or []')
    for entity in entities:
        whole = {"text": None, "type": None, **entity}
        found, kind = _text(whole, "text", "entities.text"), _text(whole, "type", "entities.type")
        if nfc(found) not in nfc(text):  # nukta letters have two spellings that look the same
            raise _wrong("entities.text", found, "is not in the sentence; write it as the sentence has it")
        if kind not in types:
            raise _wrong("entities.type", kind, f"is not one of the types; write one of {', '.join(types)}")
    answer = "\n".join(f"{entity['type']}: {entity['text']}" for entity in entities) or "NONE"
    return _doc(row, answer, text=text, types_listed=", ".join(types))


def _doc(
    row: Row,
    target: Any,
    *,
    choices: tuple[str, ...] = (),
    group: str | None = None,
    cluster: str | None = None,
    **fields: Any,
) -> Doc:
    """`language_name` joins the fields that prompts may name."""
    _text(row, "id")
    code = _text(row, "language")
    if code not in LANGUAGES:
        raise _wrong("language", code, f"is not a known language code; write one of {', '.join(LANGUAGES)}")
    every = {**row, **fields, "language_name": LANGUAGES[code].name}
    return Doc(id="", fields=every, choices=choices, target=target, language=code, group=group, cluster=cluster)


def _text(row: Row, name: str, shown: str = "") -> str:
    value = row[name]
    if not isinstance(value, str) or not value.strip():
        raise _wrong(shown or name, value, "is not a text with something in it; fill it in")
    return value


def _texts(row: Row, name: str) -> tuple[str, ...]:
    value = row[name]
    texts = [value] if isinstance(value, str) else value
    if not _is_list_of_texts(texts) or not texts:
        raise _wrong(name, value, "is neither a text nor a list of texts with something in them; fill it in")
    return tuple(texts)


def _is_list_of_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) and text.strip() for text in value)


def _messages(row: Row) -> Sequence[dict[str, str]]:
    messages = row["messages"]
    if not isinstance(messages, list) or not messages or not all(isinstance(turn, dict) for turn in messages):
        raise _wrong("messages", messages, 'is not a list of turns; write {"role": …, "content": …} for each')
    system = messages[0].get("role") == "system"
    if system:
        _text({"content": None, **messages[0]}, "content", "messages.content")
    turns = messages[1:] if system else messages
    for number, turn in enumerate(turns):
        wanted = ROLES[number % 2]
        if turn.get("role") != wanted:
            said = f"where the {wanted}'s turn should be; user and assistant take turns, user first"
            raise _wrong("messages.role", turn.get("role"), said)
        _text({"content": None, **turn}, "content", "messages.content")
    if len(turns) % 2 == 0:
        raise _wrong("messages", messages[-1].get("content"), "ends without a user turn; the last turn is the one to answer")
    return messages


def _wrong(field: str, value: object, advice: str) -> ValueError:
    shown = repr(value)
    return ValueError(f"field {field!r}: {shown if len(shown) <= SHOWN else shown[:SHOWN] + '…'} {advice}")
