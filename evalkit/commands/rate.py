"""`evalkit rate`: answers of several models, rated blind by people."""

from __future__ import annotations

import re
import secrets
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.commands.words import integer, options
from evalkit.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from evalkit.rating.make import Made, NamedAnswers
    from evalkit.store import SavedRun

NAMED: tuple[NamedAnswers, ...] = ("refuse", "mask", "keep")
USAGE = {
    "ask": "evalkit rate ask model=A,B [prompts=FILE] [languages=hi,ta] [limit=N] [max_new_tokens=1024] [results_dir=DIR]",
    "make": "evalkit rate make RUN... out=DIR [raters=1|FILE] [per_prompt=1] [calibration=0] [duplicates=0] [task=A,B] [languages=hi,ta] "
    "[limit=N] [seed=N] [page=hi] [named=refuse|mask|keep]; model=A,B [prompts=FILE] asks the models first",
    "serve": "evalkit rate serve DIR [host=127.0.0.1] [port=8000]",
    "collect": "evalkit rate collect FILES... into=DIR [sheet=DIR] [overwrite=true]",
    "judge": "evalkit rate judge DIR model=NAME [name=JUDGE]",
    "export": "evalkit rate export DIR to=label-studio|argilla|csv [out=DIR]",
    "plan": "evalkit rate plan [points=0.5] [raters=12] [per_prompt=3] [prompts=N] [from=DIR]",
}


def rate(words: list[str]) -> int:
    """`evalkit rate ask|make|serve|collect|plan|judge|export …`."""
    action = words[0] if words else ""
    if action not in ACTIONS:
        wrong = f"rate {action}: unknown{did_you_mean(action, ACTIONS)}; " if action else ""
        raise ConfigError(f"{wrong}evalkit rate {'|'.join(ACTIONS)} …")
    return ACTIONS[action](words[1:])


def ask(words: list[str]) -> int:
    """`evalkit rate ask model=A,B`: answers to a set of prompts, as runs."""
    words, taken = options(words, "prompts", "languages", "max_new_tokens")
    if not any(word.startswith("model=") for word in words):
        raise ConfigError(f"no model to ask: {USAGE['ask']}")
    for folder in _asked(words, taken):
        print(folder)
    return 0


def make(words: list[str]) -> int:
    """`evalkit rate make RUN… out=DIR`: a sheet, and a page per rater."""
    from evalkit.rating.assign import Plan
    from evalkit.rating.gather import gather
    from evalkit.rating.make import make as made_of
    from evalkit.rating.make import read_raters

    names = ("raters", "per_prompt", "calibration", "duplicates", "task", "seed", "page", "named", "out")
    words, taken = options(words, *names, "prompts", "languages", "max_new_tokens")
    if "out" not in taken:
        raise ConfigError(f"out=DIR says where the pages go: {USAGE['make']}")
    raters = read_raters(taken.get("raters", "1"))
    per_prompt = integer("per_prompt", taken.get("per_prompt", str(min(3, len(raters)))))
    calibration = _whole(taken, "calibration", 2 if len(raters) > per_prompt else 0)
    plan = Plan(per_prompt, calibration, _whole(taken, "duplicates", 1), _seed(taken))
    runs, limit = _runs(words, taken)
    gathered = gather(runs, _listed(taken.get("task", "")), _listed(taken.get("languages", "")), limit)
    done = made_of(
        gathered,
        raters,
        plan,
        Path(taken["out"]),
        runs=[str(run.path) for run in runs],
        named=_named(taken.get("named", "refuse")),
        page_language=_page(taken.get("page", "")),
    )
    _tell(done, gathered.left_out, Path(taken["out"]))
    return 0


def _tell(done: Made, left_out: Sequence[str], folder: Path) -> None:
    sheet = done.sheet
    for line in left_out:
        print(f"left out: {line}", file=sys.stderr)
    for one in done.named:
        item = sheet.items[one.item]
        print(f"names a model: {sheet.models[one.model]} on {item.doc}: {', '.join(one.words)}", file=sys.stderr)
    print(f"{len(sheet.items):,} prompts × {len(sheet.models)} models, seed={sheet.seed}; models: {', '.join(sheet.models)}")
    for rater in sheet.raters:
        print(f"  {done.pages[rater.id]}  {len(rater.slots)} prompts, page in {rater.page}")
    print(f"send each rater the page of that name; keep {folder / 'key.json'}: it alone knows which model wrote what")


def _runs(words: Sequence[str], taken: Mapping[str, str]) -> tuple[list[SavedRun], int | None]:
    """The runs that were named and those of the models that were; the limit where it is one of prompts to show."""
    from evalkit.store import load_run

    folders = [word for word in words if "=" not in word or Path(word).is_dir()]
    rest = [word for word in words if word not in folders]
    asks = any(word.startswith("model=") for word in rest)
    if not asks:
        left, more = options(rest, "limit")
        if left:
            raise ConfigError(f"{left[0]} means nothing to evalkit rate make: {USAGE['make']}")
        if "prompts" in taken:
            raise ConfigError("prompts=FILE are asked of model=A,B; runs have prompts of their own (task= chooses among their tasks)")
        return [load_run(Path(folder)) for folder in folders], integer("limit", more["limit"]) if "limit" in more else None
    return [load_run(folder) for folder in (*map(Path, folders), *_asked(rest, taken))], None


def _asked(words: Sequence[str], taken: Mapping[str, str]) -> list[Path]:
    """The run folders of every model named, each asked whatever it has not answered yet."""
    from evalkit.config.compose import compose
    from evalkit.config.setup import build
    from evalkit.progress import Silent, default_progress
    from evalkit.rating.prompt_set import TASK, shipped, task_of
    from evalkit.run import measure
    from evalkit.run.prepare import run_identity
    from evalkit.store.layout import run_path

    path = Path(taken["prompts"]) if "prompts" in taken else shipped()
    task = task_of(path, _listed(taken.get("languages", "")), integer("max_new_tokens", taken.get("max_new_tokens", "1024")))
    models = [name for word in words if word.startswith("model=") for name in _listed(word.partition("=")[2])]
    others = [word for word in words if not word.startswith("model=")]
    found = []
    for name in models:
        setup = build(compose([f"model={name}", *others]), allow_no_task=True)
        settings, model = setup.settings, setup.model()
        identity = run_identity(model, [task], setup.source, settings.limit, settings.chat)
        folder = run_path(Path(settings.results_dir or "."), f"{setup.model_name}-{TASK}", identity)
        progress = Silent() if settings.progress == "none" else default_progress()
        config = {"model": setup.config.get("model"), "rated_prompts": str(path)}
        measure.run(model, [task], setup.source, limit=settings.limit, chat=settings.chat, folder=folder, config=config, progress=progress)
        found.append(folder)
    return found


def collect(words: list[str]) -> int:
    """`evalkit rate collect FILES… into=DIR [sheet=DIR]`: files of ratings as a run per model."""
    from evalkit.files import write_atomic
    from evalkit.rating.collect import collect as collected_of
    from evalkit.rating.sheet import find_sheet, read_sheet
    from evalkit.rating.sources import read_ratings
    from evalkit.rating.told import told

    words, taken = options(words, "into", "sheet", "overwrite")
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


def serve(words: list[str]) -> int:
    """`evalkit rate serve DIR`: each rater's page at an address of its own; ratings are kept as they come."""
    from evalkit.rating.journal import RatingJournals
    from evalkit.rating.serve import LOOPBACK, addresses, application, listen, run
    from evalkit.rating.sheet import RATINGS, read_sheet

    words, taken = options(words, "host", "port")
    if len(words) != 1:
        raise ConfigError(USAGE["serve"])
    folder, host, port = Path(words[0]), taken.get("host", "127.0.0.1"), _whole(taken, "port", 8000)
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


def judge(words: list[str]) -> int:
    """`evalkit rate judge DIR model=NAME`: a language model as one more rater, and how far it agrees with people."""
    from evalkit.config.compose import compose
    from evalkit.config.setup import build
    from evalkit.progress import Silent, default_progress
    from evalkit.rating.judge import judge as judged_of
    from evalkit.rating.sheet import RATINGS, read_sheet
    from evalkit.rating.sources import read_ratings
    from evalkit.rating.told import judges_told

    words, taken = options(words, "name")
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

    words, taken = options(words, "to", "out")
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


def plan(words: list[str]) -> int:
    """`evalkit rate plan`: how many prompts and raters a difference needs."""
    from evalkit.rating.power import Spread, planned, prompts_for, spread_of
    from evalkit.rating.sheet import find_sheet, read_sheet
    from evalkit.rating.sources import read_ratings

    words, taken = options(words, "raters", "per_prompt", "points", "prompts", "from")
    if words:
        raise ConfigError(f"{words[0]} means nothing here: {USAGE['plan']}")
    raters, per_prompt, points = _whole(taken, "raters", 12), _whole(taken, "per_prompt", 3), _points(taken.get("points", "0.5"))
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


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.strip("[]").split(",") if part.strip()]


def _whole(taken: Mapping[str, str], name: str, otherwise: int) -> int:
    text = taken.get(name, str(otherwise))
    if not text.isdecimal():
        raise ConfigError(f"{name}={text} is not a whole number from 0")
    return int(text)


def _seed(taken: Mapping[str, str]) -> int:
    """The one that was given; else a new one, so that nobody who knows the program knows the order of the models."""
    return _whole(taken, "seed", 0) if "seed" in taken else secrets.randbits(31)


def _named(word: str) -> NamedAnswers:
    for known in NAMED:
        if word == known:
            return known
    raise ConfigError(f"named={word} is unknown{did_you_mean(word, NAMED)}; one of {', '.join(NAMED)}")


def _page(code: str) -> str:
    from evalkit.rating.words import WORDS

    if code and code not in WORDS:
        raise ConfigError(f"page={code}: the pages do not speak it{did_you_mean(code, WORDS)}; they speak {', '.join(WORDS)}")
    return code


ACTIONS: dict[str, Callable[[list[str]], int]] = {
    "ask": ask,
    "make": make,
    "serve": serve,
    "collect": collect,
    "plan": plan,
    "judge": judge,
    "export": export,
}
