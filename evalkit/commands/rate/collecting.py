"""`evalkit rate serve|collect|judge|export`: ratings come in, from people, tools and language models."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from evalkit.commands.rate.usage import USAGE, whole
from evalkit.commands.usage import words_of
from evalkit.commands.words import options
from evalkit.errors import ConfigError, did_you_mean


def serve(words: list[str]) -> int:
    """`evalkit rate serve DIR`: each rater's page at its own address; ratings are kept as they come."""
    from evalkit.rating.journal import RatingJournals
    from evalkit.rating.serve import LOOPBACK, addresses, application, listen, run
    from evalkit.rating.sheet import RATINGS, read_sheet

    words, taken = options(words, *words_of("rate serve"))
    if len(words) != 1:
        raise ConfigError(USAGE["serve"])
    folder, host, port = Path(words[0]), taken.get("host", "127.0.0.1"), whole(taken, "port", 8000)
    sheet = read_sheet(folder)
    with RatingJournals(folder, sheet) as journals, listen(host, port) as place:
        app = application(sheet, journals, folder)
        for rater, address in addresses(sheet, host, place.getsockname()[1]).items():
            print(f"{rater}  {address}", flush=True)
        if host not in LOOPBACK:
            print("these pages are open to the network, without encryption: whoever has an address rates in its name", file=sys.stderr)
        print(f"ratings go to {folder / RATINGS}; Ctrl-C ends it; then: evalkit rate collect {folder} into=DIR", file=sys.stderr)
        run(app, place)
    return 0


def collect(words: list[str]) -> int:
    """`evalkit rate collect FILES… into=DIR [sheet=DIR]`: files of ratings as a run per model."""
    from evalkit.files import write_atomic
    from evalkit.rating.collect import collect as collected_of
    from evalkit.rating.sheet import find_sheet, read_sheet
    from evalkit.rating.sources import read_ratings
    from evalkit.rating.told import told

    words, taken = options(words, *words_of("rate collect"))
    if not words or "into" not in taken:
        raise ConfigError(USAGE["collect"])
    if taken.get("overwrite", "false") not in ("true", "false"):
        raise ConfigError(f"overwrite={taken['overwrite']} is neither true nor false")
    files, into = [Path(word) for word in words], Path(taken["into"])
    folder = Path(taken["sheet"]) if "sheet" in taken else find_sheet([into, *(file if file.is_dir() else file.parent for file in files)])
    sheet = read_sheet(folder)
    ratings = read_ratings(files, sheet)
    done = collected_of(sheet, ratings, into, overwrite=taken.get("overwrite") == "true")
    text = told(sheet, done)
    write_atomic(into / "ratings.md", text, "into=DIR")
    print(text, end="")
    folders = [str(run.path) for run in done.runs.values()]
    print(f"wrote {into / 'ratings.md'} and {', '.join(folders)}", file=sys.stderr)
    print(f"tables, tests and the charts: evalkit report {' '.join(folders)} out=DIR", file=sys.stderr)
    return 0


def judge(words: list[str]) -> int:
    """`evalkit rate judge DIR model=NAME`: a language model as one more rater, and how far it agrees with people."""
    from evalkit.config.compose import compose
    from evalkit.config.setup import build
    from evalkit.progress import Silent, default_progress
    from evalkit.rating.judge import judge as judged_of
    from evalkit.rating.sheet import RATINGS, read_sheet
    from evalkit.rating.sources import read_ratings
    from evalkit.rating.told import judges_told

    words, taken = options(words, *words_of("rate judge"))
    folders = [word for word in words if "=" not in word]
    if len(folders) != 1 or not any(word.startswith("model=") for word in words):
        raise ConfigError(USAGE["judge"])
    folder = Path(folders[0])
    sheet = read_sheet(folder)
    setup = build(compose([word for word in words if word not in folders]), allow_no_task=True)
    name = _safe(taken.get("name", setup.model_name))
    if name in sheet.by_rater:
        raise ConfigError(f"the judge {name!r} has the id of a rater; name=NAME gives it another")
    if setup.model_name in sheet.models:
        print(f"{setup.model_name} is one of the models that are rated: it judges its own answers too", file=sys.stderr)
    progress = Silent() if setup.settings.progress == "none" else default_progress()
    path, ratings = judged_of(sheet, setup.model(), name, folder, progress)
    people = [one for one in read_ratings([folder], sheet) if not one.judge] if any((folder / RATINGS).glob("*.json*")) else []
    print("\n".join(judges_told(sheet, [*people, *ratings])), end="")
    unread = len(sheet.items) * len(sheet.models) - len(ratings)
    if unread:
        print(f"{unread:,} answers of the judge could not be read as a number from 1 to 5; these are not rated", file=sys.stderr)
    print(f"wrote {path}; evalkit rate collect FILES... {path} into=DIR puts it next to people", file=sys.stderr)
    return 0


def export(words: list[str]) -> int:
    """`evalkit rate export DIR to=label-studio|argilla|csv`: the sheet for a tool that a team has."""
    from evalkit.rating.other_tools import WRITERS
    from evalkit.rating.sheet import read_sheet

    words, taken = options(words, *words_of("rate export"))
    to = taken.get("to", "")
    if len(words) != 1 or to not in WRITERS:
        wrong = f"to={to} is unknown{did_you_mean(to, WRITERS)}; " if to and to not in WRITERS else ""
        raise ConfigError(wrong + USAGE["export"])
    folder = Path(words[0])
    for path in WRITERS[to](read_sheet(folder), Path(taken.get("out", folder / to))):
        print(f"wrote {path}", file=sys.stderr)
    return 0


def _safe(name: str) -> str:
    return re.sub(r"[^\w.+-]+", "_", name)[:60] or "judge"
