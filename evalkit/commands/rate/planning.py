"""`evalkit rate plan`: how many prompts and raters a difference needs, before anybody is asked."""

from __future__ import annotations

import sys
from pathlib import Path

from evalkit.commands.rate.usage import USAGE, whole
from evalkit.commands.usage import words_of
from evalkit.commands.words import integer, options
from evalkit.errors import ConfigError


def plan(words: list[str]) -> int:
    """`evalkit rate plan`: how many prompts and raters a difference needs."""
    from evalkit.rating.power import Spread, planned, prompts_for, spread_of
    from evalkit.rating.sheet import find_sheet, read_sheet
    from evalkit.rating.sources import read_ratings

    words, taken = options(words, *words_of("rate plan"))
    if words:
        raise ConfigError(f"{words[0]} means nothing here: {USAGE['plan']}")
    raters, per_prompt, points = whole(taken, "raters", 12), whole(taken, "per_prompt", 3), _points(taken.get("points", "0.5"))
    spread = Spread()
    if "from" in taken:
        pilot = Path(taken["from"])
        spread = spread_of(read_ratings([pilot], read_sheet(find_sheet([pilot])))) or spread
        if not spread.known:
            print(f"{pilot} has too few ratings to learn from; assumed:", file=sys.stderr)
    source = "from these ratings" if spread.known else "assumed; from=DIR takes them from a pilot's ratings"
    print(f"a difference of two models varies by {spread.prompt:.2f} over prompts, {spread.rater:.2f} over raters, {spread.rest:.2f} else")
    print(f"({source}; standard deviations in points)")
    if "prompts" in taken:
        seen = planned(spread, integer("prompts", taken["prompts"]), raters, per_prompt)
        print(f"{seen.prompts} prompts, {raters} raters, {per_prompt} per prompt: a difference of {seen.detectable:.2f} shows 4 times in 5")
        return 0
    for number in sorted({1, 2, 3, 5, per_prompt}):
        if number > raters:
            continue
        need = prompts_for(points, spread, raters, number)
        who = f"{raters} raters, {number} per prompt: "
        print(
            who + (f"{need.prompts} prompts, {need.ratings_per_rater:.0f} on each page" if need else "too few raters, whatever the prompts")
        )
    return 0


def _points(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0 < found <= 4:
        raise ConfigError(f"points={text} is no difference on the scale of 1 to 5; 0.5 is half a point")
    return found
