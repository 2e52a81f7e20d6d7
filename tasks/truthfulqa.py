"""TruthfulQA, multiple choice: questions that many people answer wrongly (Lin et al., 2022)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalkit.types import Doc


def to_doc(row: Mapping[str, Any]) -> Doc | None:
    """One document for both of the benchmark's scores: its choices are every text either of them lists, each once.

    `mc1` and `mc2` say, in the order of the row, which choices belong to the score and whether each is true:
    `[[index, 0 or 1], …]`. The target is every true choice. None for a row without choices.
    """
    places: dict[str, int] = {}
    lists = {name: _listed(name, row[f"{name}_targets"], places) for name in ("mc2", "mc1")}
    if not places:
        return None
    true = tuple(dict.fromkeys(index for listed in lists.values() for index, label in listed if label))
    return Doc(id="", fields={"question": row["question"], **lists}, choices=tuple(places), target=true)


def _listed(name: str, targets: Mapping[str, Any], places: dict[str, int]) -> list[list[int]]:
    choices, labels = targets["choices"], [int(label) for label in targets["labels"]]
    if len(choices) != len(labels):
        raise ValueError(f"{name}_targets has {len(choices)} choices but {len(labels)} labels")
    return [[places.setdefault(choice, len(places)), label] for choice, label in zip(choices, labels, strict=True)]
