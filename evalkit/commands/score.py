"""`evalkit score`: saved answers, or answers made elsewhere, scored without a model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from evalkit.commands.usage import words_of
from evalkit.commands.words import detail_of, options
from evalkit.errors import ConfigError, did_you_mean


def score(words: list[str]) -> int:
    """`evalkit score RUN [tasks.NAME.…=…]`, or `evalkit score task=NAME responses=FILE.jsonl`."""
    if words and "=" not in words[0] and not words[0].startswith("-"):
        rest, taken = options(words[1:], "detail")
        if more := [word for word in rest if "=" not in word and not word.startswith("-")]:
            raise ConfigError(f"evalkit score takes one run directory, not {' '.join([words[0], *more])}; evalkit merge joins runs")
        return _rescore(Path(words[0]), rest, detail_of(taken))
    words, taken = options(words, *words_of("score"))
    if "responses" not in taken:
        near = next(filter(None, (did_you_mean(word.partition("=")[0], ["responses"]) for word in words)), "")
        raise ConfigError(f"evalkit score needs a run directory, or task=NAME responses=FILE.jsonl{near}")
    from evalkit.config.cards import cards_of
    from evalkit.config.compose import compose
    from evalkit.config.setup import build
    from evalkit.models.base import tokens_of
    from evalkit.models.thinking import checked_thinking
    from evalkit.report.formats import tables
    from evalkit.run.answers_file import Asked, answers_identity, score_responses

    detail = detail_of(taken)
    # No model is needed, so there may be none that has the setting already.
    setup = build(compose([f"++{word}" if word.startswith("model.thinking=") else word for word in words]))
    if len(setup.tasks) != 1:
        raise ConfigError(f"responses=FILE holds answers to one task; {len(setup.tasks)} were chosen: {', '.join(setup.tasks)}")
    (task,), settings, file = setup.tasks.values(), setup.settings, Path(taken["responses"])
    name = taken.get("name", file.stem)
    asked = Asked(settings.limit, settings.chat, checked_thinking((setup.config.get("model") or {}).get("thinking", "auto")))
    folder = setup.folder(answers_identity(task, setup.source, file, asked), name)
    tokens = tokens_of(setup.model()) if task.data.generate and setup.make_model else None
    result = score_responses(task, setup.source, file, name, folder, asked, overwrite=settings.overwrite, tokens=tokens)
    tables([result], cards_of([setup.config])[0], result.path, detail=detail)
    return 0


# Settings of a task that say how it is asked: of answers that are there they change nothing, and would be printed as if they had.
_ASKING = ("num_fewshot", "fewshot", "data", "chat", "languages", "benchmark_languages", "prompt.template", "prompt.description")


def _check_overrides(words: Sequence[str]) -> None:
    """Raises ConfigError for a word that cannot change how answers are scored."""
    for word in words:
        name = word.partition("=")[0].lstrip("+")
        inside = ".".join(name.split(".")[2:])
        asking = any(inside == setting or inside.startswith(f"{setting}.") for setting in _ASKING)
        if asking or not (name.startswith("tasks.") or name in ("model.thinking", "model.name")):
            raise ConfigError(
                f"{word}: the answers of a run are there, so this changes nothing; evalkit score RUN takes how they are scored, "
                "tasks.NAME.SETTING=… and model.thinking=…"
            )


def _rescore(folder: Path, overrides: Sequence[str], detail: str) -> int:
    from evalkit.config.cards import cards_of
    from evalkit.config.compose import merged
    from evalkit.config.setup import build
    from evalkit.models.thinking import checked_thinking, pairs_of
    from evalkit.report.formats import tables
    from evalkit.run.rescore import rescore
    from evalkit.store.layout import read_config

    _check_overrides(overrides)
    saved = read_config(folder)
    setup = build(merged(saved, overrides))
    was, wished = ((config.get("model") or {}).get("thinking", "auto") for config in (saved, setup.config))
    thinking = None if was == wished else pairs_of(checked_thinking(wished))
    result = rescore(folder, list(setup.tasks.values()), setup.model_name, thinking=thinking, missing=setup.settings.missing)
    tables([result], cards_of([setup.config])[0], folder, detail=detail)
    return 0
