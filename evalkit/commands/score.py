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
    from evalkit.report.formats import tables
    from evalkit.run.answers_file import answers_identity, score_responses

    setup = build(compose(words))
    if len(setup.tasks) != 1:
        raise ConfigError(f"responses=FILE holds answers to one task; {len(setup.tasks)} were chosen: {', '.join(setup.tasks)}")
    (task,), settings, file = setup.tasks.values(), setup.settings, Path(taken["responses"])
    name = taken.get("name", file.stem)
    limit, chat = settings.limit, settings.chat
    folder = setup.folder(answers_identity(task, setup.source, file, limit, chat), name)
    result = score_responses(task, setup.source, file, name, folder, limit=limit, chat=chat, overwrite=settings.overwrite)
    tables([result], cards_of([setup.config])[0], result.path)
    return 0


def _rescore(folder: Path, overrides: Sequence[str]) -> int:
    from evalkit.config.cards import cards_of
    from evalkit.config.compose import merged
    from evalkit.config.setup import build
    from evalkit.report.formats import tables
    from evalkit.run.rescore import rescore
    from evalkit.store.layout import read_config

    setup = build(merged(read_config(folder), overrides))
    result = rescore(folder, list(setup.tasks.values()), setup.model_name)
    tables([result], cards_of([setup.config])[0], folder)
    return 0
