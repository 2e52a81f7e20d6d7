"""`evalkit rate ask` and `evalkit rate make`: answers of models, and the pages to rate them on."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.commands.rate.usage import USAGE, listed, whole
from evalkit.commands.usage import words_of
from evalkit.commands.words import integer, options
from evalkit.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from evalkit.rating.make import Made, NamedAnswers
    from evalkit.store import SavedRun

SHOWN = 5
NAMED: tuple[NamedAnswers, ...] = ("refuse", "mask", "keep")


def ask(words: list[str]) -> int:
    """`evalkit rate ask model=A,B`: answers to a set of prompts, as runs."""
    words, taken = options(words, *words_of("rate ask"))
    if not any(word.startswith("model=") for word in words):
        raise ConfigError(f"no model to ask: {USAGE['ask']}")
    for folder in _asked(words, taken):
        print(folder)
    return 0


def make(words: list[str]) -> int:
    """`evalkit rate make RUN… out=DIR`: a sheet, and a page per rater."""
    from evalkit.rating.assign import Plan
    from evalkit.rating.gather import gather
    from evalkit.rating.make import check_free, read_raters
    from evalkit.rating.make import make as made_of

    words, taken = options(words, *words_of("rate make"))
    if "out" not in taken:
        raise ConfigError(f"out=DIR says where the pages go: {USAGE['make']}")
    raters = read_raters(taken.get("raters", "1"))
    per_prompt = integer("per_prompt", taken.get("per_prompt", str(min(3, len(raters)))))
    calibration = whole(taken, "calibration", 2 if len(raters) > per_prompt else 0)
    plan = Plan(per_prompt, calibration, whole(taken, "duplicates", 1), _seed(taken))
    named, page, out = _named(taken.get("named", "refuse")), _page(taken.get("page", "")), Path(taken["out"])
    check_free(out)  # before any model is asked
    runs, limit = _runs(words, taken)
    gathered = gather(
        runs,
        listed(taken.get("task", "")),
        listed(taken.get("languages", "")),
        limit,
        listed(taken.get("categories", "")),
    )
    done = made_of(
        gathered,
        raters,
        plan,
        out,
        runs=[str(run.path) for run in runs],
        named=named,
        page_language=page,
    )
    _tell(done, gathered.left_out, out)
    return 0


def _tell(done: Made, left_out: Sequence[str], folder: Path) -> None:
    sheet = done.sheet
    for line in left_out:
        print(f"left out: {line}", file=sys.stderr)
    if done.idle:
        listed_of = ", ".join(done.idle[:SHOWN]) + (f" and {len(done.idle) - SHOWN} more" if len(done.idle) > SHOWN else "")
        print(f"no prompt is left for {listed_of}, so no page; fewer raters, another per_prompt= or more languages help", file=sys.stderr)
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
            raise ConfigError("prompts=FILE are asked of model=A,B; runs have their own prompts (task= chooses among their tasks)")
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
    task = task_of(
        path,
        listed(taken.get("languages", "")),
        integer("max_new_tokens", taken.get("max_new_tokens", "1024")),
        listed(taken.get("categories", "")),
    )
    models = [name for word in words if word.startswith("model=") for name in listed(word.partition("=")[2])]
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


def _seed(taken: Mapping[str, str]) -> int:
    """The one that was given; else a new one, too long to be guessed by trying: who knows the seed knows the order of the models."""
    return whole(taken, "seed", 0) if "seed" in taken else secrets.randbits(62)


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
