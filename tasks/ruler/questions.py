"""Questions about one of many documents: SQuAD, HotpotQA and IndicQA rows with other passages as distractors."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from .item import SEED, Count, Item
from .native import in_digits, told

SHUFFLE_SEED = 42
STEP = 10  # documents the published search goes on by
ORDER = "Answer the question based on the given documents. Only give me the answer and do not output any other words."


@dataclass(frozen=True, slots=True)
class Question:
    """Attributes: gold, related: places of its passages, and of others of the same article, among all passages."""

    query: str
    answers: tuple[str, ...]
    gold: tuple[int, ...]
    related: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Passages:
    """All passages, sorted, each once; and the questions about them, in the order of the rows."""

    texts: tuple[str, ...]
    questions: tuple[Question, ...]


def passages(rows: Sequence[Mapping[str, Any]]) -> Passages:
    """Of rows as SQuAD 2.0 and IndicQA have them (`context`, `question`, `answers`) or HotpotQA (`context`: titles and sentences).

    Raises:
        ValueError: rows of another schema, or no question that has an answer.
    """
    try:
        found = _hotpot(rows) if rows and isinstance(rows[0]["context"], Mapping | list) else _squad(rows)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"rows of another schema than SQuAD's or HotpotQA's ({type(error).__name__}: {error})") from error
    if not found.questions:
        raise ValueError("no row has an answer; give rows of which some can be answered")
    return found


def _squad(rows: Sequence[Mapping[str, Any]]) -> Passages:
    """Paragraphs of one article (`title`) follow one another, as in SQuAD's own file; rows without titles have no articles."""
    texts = tuple(sorted({row["context"] for row in rows}))
    place = {text: number for number, text in enumerate(texts)}
    questions = []
    for title, group in groupby(rows, key=lambda row: row.get("title")):
        article = list(group)
        paragraphs = [place[text] for text, _ in groupby(row["context"] for row in article)] if title else []
        for row in article:
            if answers := _answers(row["answers"]):
                gold = place[row["context"]]
                questions.append(Question(row["question"], answers, (gold,), tuple(at for at in paragraphs if at != gold)))
    return Passages(texts, tuple(questions))


def _answers(given: Any) -> tuple[str, ...]:
    """The texts of `{text: [...]}`, or of a list of `{text}`; nothing for a question that has none."""
    found = (given.get("text") or []) if isinstance(given, Mapping) else [answer["text"] for answer in given or []]
    return tuple(text for text in found if text)


def _hotpot(rows: Sequence[Mapping[str, Any]]) -> Passages:
    def told_of(row: Mapping[str, Any]) -> list[str]:
        context = row["context"]
        pairs = zip(context["title"], context["sentences"], strict=True) if isinstance(context, Mapping) else context
        return [f"{title}\n{''.join(sentences)}" for title, sentences in pairs]

    texts = tuple(sorted({text for row in rows for text in told_of(row)}))
    place = {text: number for number, text in enumerate(texts)}
    questions = [Question(row["question"], (row["answer"],), tuple(place[text] for text in told_of(row))) for row in rows]
    return Passages(texts, tuple(questions))


@dataclass(frozen=True, slots=True)
class Questions:
    """A question and many passages, one of which (HotpotQA: two of ten) tells the answer.

    In the `close` form a text has its own passages whole, and others until the length is reached, the last one cut; none of
    them holds an answer.
    """

    code: str
    found: Passages
    tokens: int = 32
    delimiter: str = " "
    step: int = 500
    least: int = 0
    unit: str = "words"
    questions: int = 1

    @property
    def most(self) -> int:
        """Words of all passages; some of them may hold an answer and are left out, so a text may end before."""
        return sum(len(text.split(" ")) for text in self.found.texts)

    def that_fit(self, length: int, documents: int, count: Count) -> Questions:
        """With the first questions alone whose own passages fit into `length`.

        Raises:
            ValueError: none does.
        """
        kept: list[Question] = []
        for asked in self.found.questions:
            if len(kept) == documents:
                break
            mine = [self.found.texts[place] for place in asked.gold]
            item = self._item(asked, mine, mine)
            if count(f"{item.input}{self.delimiter}{item.prefix}") + self.tokens <= length:
                kept.append(asked)
        if not kept:
            raise ValueError("no question fits with its own passages; ask for a greater length")
        return replace(self, found=replace(self.found, questions=tuple(kept)))

    def sound(self, item: Item) -> bool:
        return True

    def make(self, units: int, rng: random.Random, index: int = 0) -> Item:
        """The question of a place with its passages and about `units` words of others."""
        asked = self.found.questions[index % len(self.found.questions)]
        mine = [self.found.texts[place] for place in asked.gold]
        others, words = [], 0
        for place in rng.sample(range(len(self.found.texts)), len(self.found.texts)):
            text = self.found.texts[place]
            if words >= units:
                break
            if place in asked.gold or any(answer in text for answer in asked.answers):
                continue
            cut = " ".join(text.split(" ")[: units - words])
            others.append(cut)
            words += len(cut.split(" "))
        at = sorted(rng.sample(range(len(others) + len(mine)), len(mine)))
        for place, text in zip(at, mine, strict=True):
            others.insert(place, text)
        return self._item(asked, others, mine)

    def _item(self, asked: Question, shown: Sequence[str], mine: Sequence[str]) -> Item:
        if self.code == "en":
            head = f"{ORDER}\n\nThe following are given documents.\n\n"
            context = "\n\n".join(f"Document {number}:\n{text}" for number, text in enumerate(shown, 1))
            whole, prefix = f"{head}{context}\n\n{ORDER}\n\nQuestion: {asked.query}", "Answer:"
        else:
            said, digits = told(self.code)["questions"], str(told(self.code)["digits"])
            named = (f"{said['document'].format(number=in_digits(number, digits))}\n{text}" for number, text in enumerate(shown, 1))
            whole = "\n\n".join((said["task"], said["given"], *named, said["task"], said["question"].format(query=asked.query)))
            prefix = said["prefix"]
        place = whole.find(mine[0]) if len(mine) == 1 else -1
        return Item(whole, asked.answers, prefix, places=(place,) if place >= 0 else ())

    def published(self, length: int, documents: int, count: Count) -> list[Item]:
        """The documents that lm-evaluation-harness 0.4.13 makes of these rows in a run of this task at this length alone.

        Questions whose own passages do not fit are left out, as there.

        Raises:
            ValueError: none fits.
        """
        rng, texts = random.Random(SEED), list(self.found.texts)
        units, size = STEP, 0
        while size + self.tokens < length:
            item = self._drawn(self.found.questions[0], units, rng, texts)
            size = count(f"{item.input} {list(item.outputs)}")
            if size + self.tokens > length:
                units -= STEP
                break
            units += STEP
            if units > len(texts):
                units = len(texts)
                break
        made = (self._fitting(asked, max(units, 1), length, count, rng, texts) for asked in self.found.questions[:documents])
        items = [item for item in made if item is not None]
        if not items:
            raise ValueError("no question fits with its own passages; ask for a greater length")
        return items

    def _fitting(self, asked: Question, units: int, length: int, count: Count, rng: random.Random, texts: list[str]) -> Item | None:
        least = len(asked.gold)
        for number in (*range(max(units, least), least, -STEP), least):
            try:
                item = self._drawn(asked, number, rng, texts)
            except ValueError:  # fewer passages than are to be drawn
                continue
            size = count(item.input) + self.tokens
            if size <= length:
                return Item(item.input, item.outputs, item.prefix, size, item.places)
        return None

    def _drawn(self, asked: Question, number: int, rng: random.Random, texts: list[str]) -> Item:
        """A document of `number` passages. One that takes all of them leaves them in another order, as the published code does."""
        gold, related = list(asked.gold), list(asked.related)
        mine = [texts[place] for place in gold]
        shown = texts
        if number < len(texts):
            if number - len(gold) > len(related):
                known = {*gold, *related}
                rest = [place for place in range(len(texts)) if place not in known]
                chosen = gold + related + rng.sample(rest, max(0, number - len(gold) - len(related)))
            else:
                chosen = gold + rng.sample(related, max(0, number - len(gold)))
            shown = [texts[place] for place in chosen]
        random.Random(SHUFFLE_SEED).shuffle(shown)
        return self._item(asked, shown, mine)
