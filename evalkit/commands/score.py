"""`evalkit score`: saved answers, or answers made elsewhere, scored without a model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from evalkit.commands.words import options
from evalkit.errors import ConfigError


def score(words: list[str]) -> int:
    """`evalkit score RUN [tasks.NAME.…=…]`, or `evalkit score task=NAME responses=FILE.jsonl`."""
    if words and "=" not in words[0] and not words[0].startswith("-"):
        return _rescore(Path(words[0]), words[1:])
    words, taken = options(words, "responses", "name")
    if "responses" not in taken:
        raise ConfigError("evalkit score needs a run directory, or task=NAME responses=FILE.jsonl")
    from evalkit.config.cards import cards_of
    from evalkit.config.compose import compose
    from evalkit.config.setup import build
    from evalkit.models.base import tokens_of
    from evalkit.models.thinking import checked_thinking
    from evalkit.report.formats import tables
    from evalkit.run.answers_file import Asked, answers_identity, score_responses

    setup = build(compose(words))
    if len(setup.tasks) != 1:
        raise ConfigError(f"responses=FILE holds answers to one task; {len(setup.tasks)} were chosen: {', '.join(setup.tasks)}")
    (task,), settings, file = setup.tasks.values(), setup.settings, Path(taken["responses"])
    name = taken.get("name", file.stem)
    asked = Asked(settings.limit, settings.chat, checked_thinking((setup.config.get("model") or {}).get("thinking", "auto")))
    folder = setup.folder(answers_identity(task, setup.source, file, asked), name)
    tokens = tokens_of(setup.model()) if task.data.generate and setup.make_model else None
    result = score_responses(task, setup.source, file, name, folder, asked, overwrite=settings.overwrite, tokens=tokens)
    tables([result], cards_of([setup.config])[0], result.path)
    return 0


def _rescore(folder: Path, overrides: Sequence[str]) -> int:
    from evalkit.config.cards import cards_of
    from evalkit.config.compose import merged
    from evalkit.config.setup import build
    from evalkit.models.thinking import checked_thinking, pairs_of
    from evalkit.report.formats import tables
    from evalkit.run.rescore import rescore
    from evalkit.store.layout import read_config

    saved = read_config(folder)
    setup = build(merged(saved, overrides))
    was, wished = ((config.get("model") or {}).get("thinking", "auto") for config in (saved, setup.config))
    thinking = None if was == wished else pairs_of(checked_thinking(wished))
    result = rescore(folder, list(setup.tasks.values()), setup.model_name, thinking=thinking)
    tables([result], cards_of([setup.config])[0], folder)
    return 0
