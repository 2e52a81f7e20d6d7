"""`evalkit merge`: parts of one run, measured on several machines, become one run."""

from __future__ import annotations

from pathlib import Path

from evalkit.commands.usage import words_of
from evalkit.commands.words import detail_of, paths
from evalkit.errors import ConfigError


def merge(words: list[str]) -> int:
    """`evalkit merge RUN... into=DIR`: joins the answers, scores them and prints the tables."""
    from evalkit.config.cards import cards_of
    from evalkit.config.setup import build
    from evalkit.report.formats import tables
    from evalkit.run.join import join, read_parts

    folders, taken = paths("evalkit merge", words, *words_of("merge"))
    if not folders or "into" not in taken:
        raise ConfigError(
            "evalkit merge needs run directories and into=DIR, as in: evalkit merge results/runs/part-* into=results/runs/whole"
        )
    if taken.get("overwrite", "false") not in ("true", "false"):
        raise ConfigError(f"overwrite={taken['overwrite']} is neither true nor false")
    detail = detail_of(taken)
    joined = read_parts([Path(folder) for folder in folders])
    setup = build(joined.config)
    into = Path(taken["into"])
    result = join(joined, into, list(setup.tasks.values()), setup.model_name, overwrite=taken.get("overwrite") == "true")
    tables([result], cards_of([setup.config])[0], into, detail=detail)
    return 0
