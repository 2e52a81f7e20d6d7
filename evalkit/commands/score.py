"""`evalkit score`: saved answers, or answers made elsewhere, scored without a model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from evalkit.commands.report import tables
from evalkit.commands.words import explain, options
from evalkit.errors import ConfigError


def score(words: list[str]) -> int:
    """`evalkit score RUN [tasks.NAME.…=…]`, or `evalkit score task=NAME responses=FILE.jsonl`."""
    from evalkit.cli import build, compose

    if words and "=" not in words[0] and not words[0].startswith("-"):
        return _rescore(Path(words[0]), words[1:])
    words, taken = options(words, "responses", "name")
    if "responses" not in taken:
        raise ConfigError("evalkit score needs a run directory, or task=NAME responses=FILE.jsonl")
    from evalkit.elsewhere import score_responses

    config = compose(words)
    parts = build(config)
    if len(parts.tasks) != 1:
        raise ConfigError(f"responses=FILE holds answers to one task; {len(parts.tasks)} were chosen: {', '.join(parts.tasks)}")
    file = Path(taken["responses"])
    result = score_responses(parts, file, taken.get("name", file.stem))
    tables([result], result.path)
    return 0


def _rescore(folder: Path, overrides: Sequence[str]) -> int:
    from omegaconf import OmegaConf

    from evalkit.cli import build
    from evalkit.folder import read_config
    from evalkit.runner import rescore

    saved = OmegaConf.create(read_config(folder))
    OmegaConf.set_struct(saved, True)
    try:
        merged = OmegaConf.merge(saved, OmegaConf.from_dotlist(list(overrides)))
    except Exception as error:
        raise ConfigError(f"{' '.join(overrides)}: {explain(error)}") from error
    parts = build(merged)
    result = rescore(folder, list(parts.tasks.values()), parts.config["model"].get("name", folder.name))
    tables([result], folder)
    return 0
