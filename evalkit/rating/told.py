"""What the ratings say, as one page of Markdown: means by category and language, raters, agreement, preferences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from evalkit.rating.agreement import Alpha, alpha, preferences, steadiness
from evalkit.rating.collect import Collected
from evalkit.rating.means import Estimate, difference
from evalkit.rating.ratings import Rating
from evalkit.rating.sheet import Sheet
from evalkit.rating.summaries import MEAN, estimate, judge_metric, measures
from evalkit.stats import holm


def told(sheet: Sheet, found: Collected) -> str:
    """The whole page."""
    people = [one for one in found.ratings if not one.judge]
    lines = [f"# Ratings of sheet {sheet.id}", ""]
    lines += _means(sheet, found)
    if any(one.value is not None for one in people):
        lines += [*_differences(sheet, people), *_preferred(sheet, people), *_raters(sheet, people, found), *_agreement(sheet, people)]
    lines += judges_told(sheet, found.ratings)
    return "\n".join(lines) + "\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *(f"| {' | '.join(row)} |" for row in rows), ""]


def shown(found: Estimate) -> str:
    """`3.42 [3.10, 3.74]`, on the scale of 1 to 5."""
    if found.value is None:
        return "not rated"
    return f"{found.value:.2f}" + (f" [{found.ci[0]:.2f}, {found.ci[1]:.2f}]" if found.ci else "")


def _means(sheet: Sheet, found: Collected) -> Iterator[str]:
    """Rows of a table of means: all, by category, by language, and all with raters' leanings taken out."""
    judges = list(dict.fromkeys(one.rater for one in found.ratings if one.judge))
    people = any(not one.judge and one.value is not None for one in found.ratings)
    ways = {way.name: way for way in measures(found.leaning, judges, people)}
    main = ways[MEAN] if people else None
    if main is None:
        return
    level = ways["mean_rating_level"]
    kinds: list[tuple[str, set[int]]] = [("all", set(range(len(sheet.items))))]
    kinds += [(name, {i for i, item in enumerate(sheet.items) if item.category == name}) for name in _distinct(sheet, "category")]
    kinds += [(name, {i for i, item in enumerate(sheet.items) if item.language == name}) for name in _distinct(sheet, "language")]
    rows = []
    for name, items in kinds:
        rows.append([name, *(shown(estimate(main, _of(found.ratings, model, items), sheet)) for model in range(len(sheet.models)))])
    every = set(range(len(sheet.items)))
    rows.append(
        ["all, leanings removed", *(shown(estimate(level, _of(found.ratings, model, every), sheet)) for model in range(len(sheet.models)))]
    )
    bare = [cell for _, *cells in rows for cell in cells if cell[:1].isdigit() and "[" not in cell]
    whole = sum(cell[:1].isdigit() for _, *cells in rows for cell in cells)
    some = ", with 95% intervals for other prompts and other raters" if len(bare) < whole else ""
    yield f"## Mean ratings, 1 to 5{some}"
    yield ""
    yield from _table(["", *sheet.models], rows)
    if bare:
        yield "A mean without an interval has too few prompts or raters for one."
        yield ""


def _distinct(sheet: Sheet, name: str) -> list[str]:
    return list(dict.fromkeys(getattr(item, name) for item in sheet.items))


def _of(ratings: Sequence[Rating], model: int, items: set[int]) -> list[Rating]:
    return [one for one in ratings if one.model == model and one.item in items]


def pair(sheet: Sheet, people: Sequence[Rating], a: int, b: int) -> Estimate:
    """Model a minus model b, where the same rater rated both."""
    values: dict[int, dict[tuple[str, int], int]] = {a: {}, b: {}}
    for one in people:
        if one.model in values and one.value is not None and not one.repeat:
            values[one.model][one.rater, one.item] = one.value
    both = [key for key in values[a] if key in values[b]]
    return difference(
        [float(values[a][key]) for key in both],
        [float(values[b][key]) for key in both],
        [item for _, item in both],
        [rater for rater, _ in both],
        [sheet.items[item].language for _, item in both],
    )


def _differences(sheet: Sheet, people: Sequence[Rating]) -> Iterator[str]:
    count = len(sheet.models)
    pairs = [(a, b, pair(sheet, people, a, b)) for a in range(count) for b in range(a + 1, count)]
    tested = [(a, b, one) for a, b, one in pairs if one.value is not None and one.p is not None]
    if not tested:
        return
    adjusted = holm([one.p or 0.0 for _, _, one in tested])
    rows = [
        [
            f"{sheet.models[a]} − {sheet.models[b]}",
            shown(one),
            f"{p:.3f}" if p >= 0.001 else "< 0.001",
            f"{one.detectable:.2f}" if one.detectable else "–",
        ]
        for (a, b, one), p in zip(tested, adjusted, strict=True)
    ]
    yield "## Differences, by the same raters on the same prompts"
    yield ""
    yield from _table(["models", "points", "p (Holm)", "would show 4 times in 5"], rows)


def _preferred(sheet: Sheet, people: Sequence[Rating]) -> Iterator[str]:
    found = preferences(people, len(sheet.models))
    if not found:
        return
    rows = [
        [
            sheet.models[one.model],
            f"{one.chance:.2f}" + (f" [{one.ci[0]:.2f}, {one.ci[1]:.2f}]" if one.ci else ""),
            str(one.won),
            str(one.tied),
            str(one.lost),
        ]
        for one in found
    ]
    yield "## Preferred to another model (Bradley-Terry; half a win for equal points)"
    yield ""
    yield from _table(["model", "chance", "won", "equal", "lost"], rows)


def _raters(sheet: Sheet, people: Sequence[Rating], found: Collected) -> Iterator[str]:
    rows = []
    for rater in sheet.raters:
        mine = [one for one in people if one.rater == rater.id]
        steady = steadiness(mine)
        prompts = {(one.item, one.repeat) for one in mine}
        times = sorted({(one.item, one.repeat): one.seconds for one in mine if one.seconds}.values())
        rows.append(
            [
                rater.id,
                f"{len(prompts)} of {len(rater.slots)}",
                f"{round(found.leaning[rater.id], 2) + 0:+.2f}" if rater.id in found.leaning else "–",
                f"{steady.same:.0%} same, {steady.near:.0%} within 1 ({steady.n})" if steady else "–",
                str(sum(one.value is None for one in mine)),
                f"{times[len(times) // 2]} s" if times else "–",
            ]
        )
    yield "## Raters"
    yield ""
    yield from _table(["rater", "prompts", "leaning", "second ratings", "cannot judge", "a prompt takes"], rows)


def _agreement(sheet: Sheet, people: Sequence[Rating]) -> Iterator[str]:
    rows = [["all", str(alpha(people))]]
    for name in ("category", "language"):
        for value in _distinct(sheet, name):
            found = alpha([one for one in people if getattr(sheet.items[one.item], name) == value])
            rows += [[value, str(found)]] if found.value is not None else []
    shared = [one for one in people if one.calibration]
    if shared:
        rows.append(["prompts that all rate", str(alpha(shared))])
    yield "## Agreement: Krippendorff's alpha, ordinal"
    yield ""
    yield from _table(["", "alpha"], rows)


def judges_told(sheet: Sheet, ratings: Sequence[Rating]) -> Iterator[str]:
    """Each judge next to people: agreement of its points with their mean, and how far it is above them."""
    judges = list(dict.fromkeys(one.rater for one in ratings if one.judge))
    if not judges:
        return
    people = [one for one in ratings if not one.judge and one.value is not None and not one.repeat]
    rows = []
    for judge in judges:
        mine = [one for one in ratings if one.judge and one.rater == judge and one.value is not None]
        gaps = pair_with_people(mine, people)
        above = f"{sum(gaps) / len(gaps):+.2f} points ({len(gaps):,} answers)" if gaps else "no shared answers"
        agreed = agreement_of(mine, people)
        told_of = f"{agreed.shown} ({agreed.allows}; {agreed.answers:,} pairs of ratings)" if gaps else "no people's ratings"
        rows.append([judge_metric(judge), str(len(mine)), told_of, alpha(people).shown, above])
    yield "## Language models as raters: never part of people's means"
    yield ""
    yield from _table(["judge", "ratings", "agreement with people (alpha)", "people with each other", "above people"], rows)


def agreement_of(judge: Sequence[Rating], people: Sequence[Rating]) -> Alpha:
    """Alpha of the judge with people alone: every rating by a person is held against the judge's of the same answer.

    Alpha over all raters together would show people's agreement with each other wherever they are more than the judges.
    """
    given = {(one.item, one.model): one for one in judge}
    pairs = [(given[one.item, one.model], one) for one in people if (one.item, one.model) in given]
    return alpha(
        [replace(one, rater=who, item=unit, model=0) for unit, pair in enumerate(pairs) for who, one in zip("jp", pair, strict=True)]
    )


def pair_with_people(judge: Sequence[Rating], people: Sequence[Rating]) -> list[float]:
    """The judge's points minus people's mean, per answer that both rated."""
    given: dict[tuple[int, int], list[int]] = {}
    for one in people:
        if one.value is not None:
            given.setdefault((one.item, one.model), []).append(one.value)
    return [one.value - sum(mine) / len(mine) for one in judge if one.value is not None and (mine := given.get((one.item, one.model)))]
