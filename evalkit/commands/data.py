"""`evalkit data`: rows for machines without a network."""

from __future__ import annotations

from pathlib import Path

from evalkit.commands.words import not_taken, options
from evalkit.errors import ConfigError


def data(words: list[str]) -> int:
    """`evalkit data pull suite=… data.root=DIR`: mirror every row the tasks need."""
    from evalkit.config.compose import compose
    from evalkit.config.setup import build
    from evalkit.data.pull import pull

    if not words or words[0] != "pull":
        raise ConfigError("evalkit data: the only action is pull, as in: evalkit data pull suite=krutrim2_english data.root=DIR")
    words, taken = options(words[1:], "data.root")
    not_taken(words, "limit", "data pull copies whole splits, so that any limit= of a later run finds its rows; leave the word out")
    if "data.root" not in taken:
        raise ConfigError("evalkit data pull needs data.root=DIR, the folder to write to")
    setup = build(compose(words))
    pull(list(setup.tasks.values()), setup.source, Path(taken["data.root"]))
    return 0
