"""Who rates what, and in which order the models are: balanced, and the same for the same seed."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from math import factorial

from evalkit.errors import ConfigError

CANDIDATES = 60  # orders that are tried for one prompt; all of them for up to four models


@dataclass(frozen=True, slots=True)
class Plan:
    """How a sheet is dealt out.

    Attributes:
        per_prompt: raters of every prompt that is not for all.
        calibration: prompts per language that everybody who reads it rates, so that raters can be held against each other.
        duplicates: prompts that each rater meets a second time, in another order, so that a rater can be held against himself.
    """

    per_prompt: int = 3
    calibration: int = 2
    duplicates: int = 1
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """One prompt on one rater's page.

    Attributes:
        item: which prompt.
        order: which model is under each letter, by its place in the list of models.
        repeat: the rater has met this prompt before.
        calibration: everybody who reads its language rates it.
    """

    item: int
    order: tuple[int, ...]
    repeat: bool = False
    calibration: bool = False


def assign(items: Sequence[tuple[str, str]], raters: Mapping[str, Sequence[str]], models: int, plan: Plan) -> dict[str, tuple[Place, ...]]:
    """Each rater's prompts in the order of the page.

    Args:
        items: (language, category) of every prompt.
        raters: id -> languages that the rater reads; empty for all.
        models: answers per prompt.

    Raises:
        ConfigError: a language that too few raters read, or a plan that does not fit.
    """
    _check(items, raters, plan)
    rng = random.Random(plan.seed)
    shared = _calibration(items, plan, rng)
    dealt: dict[str, list[int]] = {rater: [] for rater in raters}
    for item in sorted(shared):
        for rater in _readers(items[item][0], raters):
            dealt[rater].append(item)
    _deal([item for item in range(len(items)) if item not in shared], items, raters, plan.per_prompt, dealt, rng)
    orders = _Orders(models, rng)
    pages = {}
    for rater, mine in dealt.items():
        sequence = mine[:]
        rng.shuffle(sequence)
        pages[rater] = _page(sequence, items, shared, plan.duplicates, orders, rater, rng)
    return pages


def _check(items: Sequence[tuple[str, str]], raters: Mapping[str, Sequence[str]], plan: Plan) -> None:
    if not items or not raters:
        raise ConfigError("there is nothing to rate: give at least one prompt with answers, and one rater")
    if plan.per_prompt < 1 or plan.calibration < 0 or plan.duplicates < 0:
        raise ConfigError("per_prompt= is a whole number from 1, calibration= and duplicates= from 0")
    for language in dict.fromkeys(language for language, _ in items):
        readers = len(_readers(language, raters))
        if readers < plan.per_prompt:
            raise ConfigError(
                f"{readers} of the raters read {language}, and per_prompt={plan.per_prompt} needs that many; "
                f"give more raters of {language}, a smaller per_prompt=, or leave the language out with languages="
            )


def _readers(language: str, raters: Mapping[str, Sequence[str]]) -> list[str]:
    return [rater for rater, reads in raters.items() if not reads or language in reads]


def _calibration(items: Sequence[tuple[str, str]], plan: Plan, rng: random.Random) -> set[int]:
    """Prompts for everybody, spread over the categories; never more than half of a language's prompts."""
    chosen: set[int] = set()
    for language in dict.fromkeys(language for language, _ in items):
        mine = [i for i, (of, _) in enumerate(items) if of == language]
        rng.shuffle(mine)
        seen: Counter[str] = Counter()
        turn = {}
        for item in mine:
            turn[item] = seen[items[item][1]]
            seen[items[item][1]] += 1
        chosen |= set(sorted(mine, key=lambda item: turn[item])[: min(plan.calibration, len(mine) // 2)])
    return chosen


def _deal(
    left: list[int],
    items: Sequence[tuple[str, str]],
    raters: Mapping[str, Sequence[str]],
    per_prompt: int,
    dealt: dict[str, list[int]],
    rng: random.Random,
) -> None:
    """Every prompt to `per_prompt` raters who read it: first to those with least to do, then to those with least of its kind."""
    rng.shuffle(left)
    # Languages that few people read first: who reads several then evens out what is left.
    left.sort(key=lambda item: len(_readers(items[item][0], raters)))
    of_kind = {rater: Counter(items[item] for item in mine) for rater, mine in dealt.items()}
    of_category = {rater: Counter(items[item][1] for item in mine) for rater, mine in dealt.items()}
    for item in left:
        language, category = items[item]
        ready = _readers(language, raters)
        rng.shuffle(ready)
        ready.sort(key=lambda who: (len(dealt[who]), of_category[who][category], of_kind[who][items[item]]))
        for rater in ready[:per_prompt]:
            dealt[rater].append(item)
            of_kind[rater][items[item]] += 1
            of_category[rater][category] += 1


class _Orders:
    """Orders of the models under which every model is under every letter about as often: per rater, language and category."""

    def __init__(self, models: int, rng: random.Random) -> None:
        self._rng = rng
        self._models = models
        self._all = list(permutations(range(models))) if factorial(min(models, 5)) <= CANDIDATES else []
        self._seen: defaultdict[object, Counter[tuple[int, int]]] = defaultdict(Counter)

    def next(self, rater: str, kind: tuple[str, str], before: tuple[int, ...] | None = None) -> tuple[int, ...]:
        """The order least met so far; never `before`, where there is another."""
        candidates = list(self._all) or [tuple(self._rng.sample(range(self._models), self._models)) for _ in range(CANDIDATES)]
        candidates = [order for order in candidates if order != before] or candidates
        self._rng.shuffle(candidates)
        counts = [(4, self._seen[rater]), (2, self._seen[kind]), (1, self._seen[None])]

        def met(order: tuple[int, ...]) -> int:
            return sum(weight * seen[place] ** 2 for weight, seen in counts for place in enumerate(order))

        chosen = min(candidates, key=met)
        for _, seen in counts:
            seen.update(enumerate(chosen))
        return chosen


def _page(
    sequence: Sequence[int],
    items: Sequence[tuple[str, str]],
    shared: set[int],
    duplicates: int,
    orders: _Orders,
    rater: str,
    rng: random.Random,
) -> tuple[Place, ...]:
    """The prompts in order; what is met twice comes back at least a third of the page later."""
    page = [Place(item, orders.next(rater, items[item]), calibration=item in shared) for item in sequence]
    again = [place for place in page[: max(1, len(page) // 2)] if not place.calibration] or page[: max(1, len(page) // 2)]
    for place in rng.sample(again, min(duplicates, len(again))):
        repeat = Place(place.item, orders.next(rater, items[place.item], place.order), repeat=True, calibration=place.calibration)
        first = page.index(place)
        earliest = min(len(page), first + 1 + max(1, len(page) // 3))
        page.insert(rng.randint(earliest, len(page)), repeat)
    return tuple(page)
