"""The samples of runs in blocks that a page unpacks one at a time.

A block is JSON, deflated, in base64. What was asked and what was answered are their own blocks: runs that asked the
same share the former. Prompts are front-coded (letters shared with the prompt before, then the rest), because few-shot
prompts of one subject begin alike.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from os.path import commonprefix
from typing import Any

SIZE = 200  # samples a block: small enough to unpack unnoticed, large enough to compress well
PREVIEW = 120  # letters of a prediction or target shown in the list
LEVEL = 6  # zlib's 9 takes twice as long for a percent

Sample = Mapping[str, Any]


@dataclass
class Blocks:
    """Blocks by the hash of their content."""

    texts: dict[str, str] = field(default_factory=dict)

    def add(self, value: Any) -> str:
        """Store a value once and return the name of its block."""
        raw = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        name = hashlib.blake2b(raw, digest_size=8).hexdigest()
        if name not in self.texts:
            self.texts[name] = base64.b64encode(zlib.compress(raw, LEVEL)).decode()
        return name


ASKED = ("doc", "target", "asked")
ANSWERED = ("value", "prediction", "flags", "read", "written", "answered")


@dataclass
class Columns:
    """What the list of samples shows and filters by, one column a thing, with the names of the blocks behind it.

    Attributes:
        asked: documents, targets and blocks of prompts; equal for runs that asked the same.
        answered: scores, predictions, remarks, token counts and blocks of answers.
    """

    asked: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in ASKED})
    answered: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in ANSWERED})

    def extend(self, more: Columns) -> None:
        """Append another block's columns."""
        for mine, others in ((self.asked, more.asked), (self.answered, more.answered)):
            for name, values in others.items():
                mine[name] += values


def one_block(part: Sequence[Sample], headline: str, blocks: Blocks) -> Columns:
    """Put samples in two blocks, what was asked and what was answered; returns their columns."""
    scores = [sample["scores"].get(headline) or {} for sample in part]
    answers = [sample.get("responses") or [] for sample in part]
    asked: dict[str, list[Any]] = {
        "doc": [sample["doc"] for sample in part],
        "target": [_preview(sample.get("target")) for sample in part],
        "asked": [blocks.add(_asked(part))],
    }
    answered: dict[str, list[Any]] = {
        "value": [_short(score.get("value")) for score in scores],
        "prediction": [_preview(score.get("prediction")) for score in scores],
        "flags": [
            sorted({*score.get("flags", ()), *(r["status"] for r in given if r["status"] != "ok")})
            for score, given in zip(scores, answers, strict=True)
        ],
        "read": [max((r.get("context_tokens") or 0 for r in given), default=0) for given in answers],
        "written": [sum(r.get("output_tokens") or 0 for r in given) for given in answers],
        "answered": [blocks.add([{"responses": s.get("responses") or [], "scores": _shown(s["scores"])} for s in part])],
    }
    return Columns(asked, answered)


def _shown(scores: Mapping[str, Any]) -> dict[str, Any]:
    """Without sufficient statistics, which nobody reads."""
    return {name: {key: value for key, value in score.items() if key != "stats"} for name, score in scores.items()}


def _short(value: float | None) -> float | int | None:
    return None if value is None else int(value) if value in (0, 1) else round(value, 6)


def _asked(part: Iterable[Sample]) -> list[dict[str, Any]]:
    before = ""
    asked = []
    for sample in part:
        prompts, before = _front_coded(_prompts(sample), before)
        asked.append({"prompts": prompts, "ends": [end for _, end in sample.get("pairs") or []], "target": sample.get("target")})
    return asked


def _prompts(sample: Sample) -> list[str]:
    """Every distinct context of a sample; a single one that all continuations share is stored once."""
    if "prompt" in sample:
        return [_text(sample["prompt"])]
    contexts = [_text(context) for context, _ in sample.get("pairs") or []]
    return contexts[:1] if len(set(contexts)) == 1 else contexts


def _front_coded(prompts: Sequence[str], before: str) -> tuple[list[tuple[int, str]], str]:
    coded = []
    for prompt in prompts:
        # Counted in UTF-16 units, the browser's letters.
        shared = len(commonprefix([before, prompt]))  # noqa: RUF071 (of letters, which is what it does)
        coded.append((len(prompt[:shared].encode("utf-16-le", "surrogatepass")) // 2, prompt[shared:]))
        before = prompt
    return coded, before


def _text(prompt: Any) -> str:
    """A prompt as people read it: plain text, or the turns of a conversation under their roles."""
    if isinstance(prompt, str):
        return prompt
    return "\n\n".join(f"[{turn['role']}]\n{turn['content']}" for turn in prompt)


def _preview(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, list) and value and isinstance(value[0], dict) and "outcome" in value[0]:
        value = ", ".join(str(one["outcome"]) for one in value)  # programs that were run
    text = " ".join((value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)).split())
    return text if len(text) <= PREVIEW else text[: PREVIEW - 1] + "…"


def labels(values: Iterable[str | None]) -> dict[str, Any] | None:
    """A column of few distinct names as numbers; None when no sample has one."""
    listed = list(values)
    known = sorted({value for value in listed if value is not None})
    place = {value: number for number, value in enumerate(known)}
    return {"names": known, "of": [place[value] if value is not None else -1 for value in listed]} if known else None
