"""`evalkit run`: one job, measured and reported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit.commands.report import tables

if TYPE_CHECKING:
    from evalkit.cli import Parts


def run_job(parts: Parts) -> None:
    """One job of `evalkit run`: measure, print the tables, write them beside the scores."""
    from evalkit.progress import Silent, default_progress
    from evalkit.runner import run

    progress = Silent() if parts.config.get("progress") == "none" else default_progress()
    config = parts.config
    result = run(
        parts.model,
        list(parts.tasks.values()),
        parts.source,
        limit=config["limit"],
        chat=config["chat"],
        folder=parts.folder,
        config=config,
        progress=progress,
    )
    tables([result], parts.folder)
