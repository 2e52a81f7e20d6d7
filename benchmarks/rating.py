"""How often the intervals of ratings hold the truth, and how often the order of models is found: simulated raters.

    python -m benchmarks.rating [repeats=400] [seed=1] [only=means|verdicts]

Raters have leanings, prompts are easy or hard for everybody and for single models, raters like single models more than others do,
and every rating is a whole number from 1 to 5. The truth is the mean over very many raters and prompts of the same kind. Printed
for each design: how often the 95% interval of a model's mean, and of the difference of two models, held it; how often the
difference of the planned size was found; and how often the models' means were in the true order.

Then, for two models that are equally good while raters lean strongly towards one or the other: how often `evalkit compare` gives a
false verdict, and `evalkit gate` a false pass (of a loss as large as the tolerance) or a false regression, once with who rated
what and once with the prompts' means alone.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.invented import Made, run_of
from evalkit.compare import compare
from evalkit.gate import Policy, decide
from evalkit.rating.assign import Plan, assign
from evalkit.rating.means import ALPHA, difference, two_way
from evalkit.rating.power import Spread, planned
from evalkit.store import Ratings, SavedRun

MODELS = (2.6, 3.0, 3.4, 3.9)


@dataclass(frozen=True)
class Design:
    """Prompts, raters, raters per prompt, languages (raters read one each when there are several)."""

    prompts: int
    raters: int
    per_prompt: int
    languages: int = 1
    calibration: int = 0


@dataclass(frozen=True)
class World:
    """Standard deviations, in points: prompts, raters' leanings, prompt by model, rater by model, and what is left."""

    prompt: float = 0.4
    leaning: float = 0.4
    prompt_model: float = 0.5
    rater_model: float = 0.15
    rest: float = 0.7


DESIGNS = (
    Design(144, 12, 3, 6, 2),
    Design(100, 12, 3),
    Design(60, 6, 3),
    Design(40, 24, 3),
    Design(48, 8, 2, 2, 2),
    Design(200, 20, 3, 2, 3),
)


def shown(latent: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points that a rater gives."""
    return np.clip(np.rint(latent), 1, 5)


def truth(world: World, rng: np.random.Generator, draws: int = 400_000) -> list[float]:
    """Each model's mean over very many prompts and raters."""
    spread = float(np.sqrt(world.prompt**2 + world.leaning**2 + world.prompt_model**2 + world.rater_model**2 + world.rest**2))
    return [float(shown(mean + rng.normal(0, spread, draws)).mean()) for mean in MODELS]


def rated(design: Design, world: World, seed: int) -> tuple[list[int], list[str], list[str], NDArray[np.float64]]:
    """(prompt, rater, language of every rating, points of shape (ratings, models)) of one simulated sheet."""
    rng = np.random.default_rng(seed)
    languages = [f"l{i % design.languages}" for i in range(design.prompts)]
    raters = {f"r{i}": ([f"l{i % design.languages}"] if design.languages > 1 else []) for i in range(design.raters)}
    per_prompt = min(design.per_prompt, design.raters // design.languages)
    pages = assign([(code, "c") for code in languages], raters, len(MODELS), Plan(per_prompt, design.calibration, 0, seed))
    m = len(MODELS)
    of_prompt = rng.normal(0, world.prompt, (design.prompts, 1)) + rng.normal(0, world.prompt_model, (design.prompts, m))
    of_rater = rng.normal(0, world.leaning, (design.raters, 1)) + rng.normal(0, world.rater_model, (design.raters, m))
    prompts, who, said = [], [], []
    for number, (rater, page) in enumerate(pages.items()):
        for place in page:
            latent = np.array(MODELS) + of_prompt[place.item] + of_rater[number] + rng.normal(0, world.rest, m)
            prompts.append(place.item)
            who.append(rater)
            said.append(shown(latent))
    return prompts, who, [languages[item] for item in prompts], np.array(said)


def simulate(design: Design, world: World, repeats: int, seed: int) -> dict[str, float]:
    """The shares that are printed."""
    right = truth(world, np.random.default_rng(seed))
    held = of_pairs = found = ordered = 0
    widths = []
    for repeat in range(repeats):
        prompts, raters, languages, points = rated(design, world, seed * 100_003 + repeat)
        means = []
        for model in range(len(MODELS)):
            one = two_way(points[:, model].tolist(), prompts, raters, languages)
            assert one.ci is not None and one.value is not None
            held += one.ci[0] <= right[model] <= one.ci[1]
            widths.append((one.ci[1] - one.ci[0]) / 2)
            means.append(one.value)
        for a, b in ((0, 1), (2, 3)):
            gap = difference(points[:, b].tolist(), points[:, a].tolist(), prompts, raters, languages)
            assert gap.ci is not None
            of_pairs += gap.ci[0] <= right[b] - right[a] <= gap.ci[1]
        gap = difference(points[:, 1].tolist(), points[:, 0].tolist(), prompts, raters, languages)
        found += (gap.p or 0) < ALPHA
        ordered += means == sorted(means)
    return {
        "mean": held / repeats / len(MODELS),
        "difference": of_pairs / repeats / 2,
        "half": sum(widths) / len(widths),
        "found": found / repeats,
        "order": ordered / repeats,
    }


@dataclass(frozen=True)
class Room:
    """Raters, prompts per category, categories (a task each), raters per prompt, and how strongly raters lean towards one model."""

    raters: int
    prompts: int
    categories: int
    per_prompt: int
    rater_model: float


ROOMS = (Room(6, 10, 6, 3, 0.5), Room(12, 24, 6, 3, 0.0), Room(12, 24, 6, 3, 0.3), Room(12, 24, 6, 3, 0.6), Room(24, 24, 6, 3, 0.6))


def two_runs(room: Room, loss: float, known: bool, rng: np.random.Generator) -> list[SavedRun]:
    """A base and a candidate that is `loss` points worse, rated by the same people; `known` says who gave what."""
    world = World(rater_model=room.rater_model)
    leaning = rng.normal(0, world.leaning, (room.raters, 1)) + rng.normal(0, room.rater_model, (room.raters, 2))
    tasks: tuple[dict[str, Made], dict[str, Made]] = ({}, {})
    for category in range(room.categories):
        n = room.prompts
        prompt = rng.normal(0, world.prompt, (n, 1)) + rng.normal(0, world.prompt_model, (n, 2))
        docs = np.repeat(np.arange(n), room.per_prompt)
        raters = np.concatenate([rng.permutation(room.raters)[: room.per_prompt] for _ in range(n)])
        latent = 3.0 - np.array([0, loss]) + prompt[docs] + leaning[raters] + rng.normal(0, world.rest, (len(docs), 2))
        points = (latent - 1) / 4  # not rounded, so that the true loss is the one that is asked for
        names = tuple(f"r{i}" for i in range(room.raters))
        for model, of in enumerate(tasks):
            values = np.bincount(docs, weights=points[:, model]) / room.per_prompt
            given = Ratings(docs, raters, points[:, model], names) if known else None
            of[f"c{category}"] = Made(values, [f"{category}/{i}" for i in range(n)], ratings=given)
    return [run_of(name, of) for name, of in zip(("base", "candidate"), tasks, strict=True)]


def verdicts(room: Room, known: bool, repeats: int, seed: int) -> dict[str, float]:
    """Shares of false verdicts; a point of tolerance is 0.1 on the mean over the categories."""
    policy = Policy(mean=0.1, tolerance=0.2)
    any_false = mean_false = held = passed = regressed = 0
    for repeat in range(repeats):
        rng = np.random.default_rng([seed, repeat])
        found = compare(*two_runs(room, 0.0, known, rng))
        assert found.overall is not None and found.overall.ci is not None
        any_false += any(row.verdict in ("regressed", "improved") for row in found.rows)
        mean_false += (found.overall.p or 0) <= ALPHA
        held += sum((row.ci or (0, 0))[0] <= 0 <= (row.ci or (0, 0))[1] for row in found.tasks) / len(found.tasks)
        decided = decide(*two_runs(room, 0.4, known, rng), policy)  # 0.4 points of 1 to 5 are 0.1 of 0 to 1
        assert decided.mean is not None
        passed += decided.mean.outcome == "pass"
        regressed += decided.mean.outcome == "regression"
    return {
        "any": any_false / repeats,
        "mean": mean_false / repeats,
        "held": held / repeats,
        "pass": passed / repeats,
        "regression": regressed / repeats,
    }


def print_verdicts(repeats: int, seed: int) -> None:
    print(
        "| raters, prompts, leaning | who rated | any false verdict | mean, p <= 0.05 | 95% interval held | false pass | false regression |"
    )
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    for room in ROOMS:
        for known in (False, True):
            got = verdicts(room, known, repeats, seed)
            who = f"{room.raters}, {room.prompts * room.categories}, {room.rater_model:g}"
            shares = " | ".join(f"{got[name]:.1%}" for name in ("any", "mean", "held", "pass", "regression"))
            print(f"| {who} | {'known' if known else 'not known'} | {shares} |", flush=True)


def main() -> None:
    taken = dict(word.split("=") for word in sys.argv[1:])
    repeats, seed = int(taken.get("repeats", "400")), int(taken.get("seed", "1"))
    if taken.get("only") != "means":
        print_verdicts(repeats, seed)
    if taken.get("only") == "verdicts":
        return
    world = World()
    print(f"{'prompts':>8}{'raters':>8}{'each':>6}{'langs':>7}{'mean':>8}{'diff':>8}{'± mean':>9}{'found':>8}{'order':>8}{'planned':>9}")
    for design in DESIGNS:
        got = simulate(design, world, repeats, seed)
        plan = planned(Spread(), design.prompts, design.raters, design.per_prompt)
        print(
            f"{design.prompts:>8}{design.raters:>8}{design.per_prompt:>6}{design.languages:>7}{got['mean']:>8.3f}{got['difference']:>8.3f}"
            f"{got['half']:>9.2f}{got['found']:>8.2f}{got['order']:>8.2f}{plan.detectable:>9.2f}"
        )


if __name__ == "__main__":
    main()
