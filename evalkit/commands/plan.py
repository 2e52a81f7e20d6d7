"""`evalkit plan`: what a run will take, before any weight is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.commands.usage import words_of
from evalkit.commands.words import options
from evalkit.errors import ConfigError

if TYPE_CHECKING:
    from evalkit.run.forecast import Memory, Work


def plan(words: list[str]) -> int:
    """`evalkit plan task=mmlu model=NAME [rate=TOKENS_PER_SECOND]`: the words of `evalkit run`, and nothing is measured."""
    from evalkit.config.compose import compose
    from evalkit.config.setup import build
    from evalkit.run.forecast import forecast, last_speed, memory_of

    words, taken = options(words, *words_of("plan"))
    rate = _rate(taken["rate"]) if "rate" in taken else None
    setup = build(compose(words))
    model = setup.model()
    asked = setup.settings
    works, absent = forecast(model, list(setup.tasks.values()), setup.source, asked.limit, asked.chat, asked.missing)
    _table(works)
    if absent:
        print(f"left out, as their rows are out of reach: {', '.join(absent)}")
    for line in _memory(memory_of(model), max(work.longest for work in works)):
        print(line)
    cost = sum(work.cost for work in works)
    speed = None if rate else last_speed(Path(asked.results_dir or "."), model)
    if rate:
        print(f"time: {_time(cost / rate)} at {rate:g} tokens/s")
    elif speed:
        print(f"time: {_time(cost / speed.tokens)} at {speed.tokens:,.0f} tokens/s, as in {speed.run}")
    else:
        print("time: no run of this model on this machine is known here; rate=TOKENS_PER_SECOND gives an estimate")
    if any(work.write for work in works):
        print("What is written is counted at its most: answers that stop sooner take less.")
    return 0


def _rate(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ConfigError(f"rate={text!r} is no number of tokens per second above 0")
    return value


def _table(works: Sequence[Work]) -> None:
    titles = ("task", "documents", "requests", "tokens one by one", "tokens to read", "sharing saves", "tokens to write")
    rows = [_row(work.task, [work]) for work in works]
    if len(works) > 1:
        rows.append(_row("all", works))
    widths = [max(len(row[column]) for row in (titles, *rows)) for column in range(len(titles))]
    for row in (titles, *rows):
        print(
            "  ".join(cell.ljust(width) if not at else cell.rjust(width) for at, (cell, width) in enumerate(zip(row, widths, strict=True)))
        )
    if any(work.read is None for work in works):
        print("tokens: known to the server alone; model.tokenizer=DIR counts them here")


def _row(name: str, works: Sequence[Work]) -> tuple[str, ...]:
    def total(field: str) -> int:
        return sum(getattr(work, field) for work in works)

    known = all(work.read is not None for work in works)
    one_by_one, read = total("by_pairs"), total("read") if known else 0
    shared = f"{1 - read / one_by_one:.0%}" if known and one_by_one else "-"
    return (
        name,
        f"{total('documents'):,}",
        f"{total('requests'):,}",
        f"{one_by_one:,}" if known else "-",
        f"{read:,}" if known else "-",
        shared,
        f"{total('write'):,}",
    )


def _memory(memory: Memory | None, longest: int) -> list[str]:
    if memory is None:
        return []
    kv = f"keys and values: {_size(memory.kv)} per token, {_size(memory.kv * longest)} for the longest document ({longest:,} tokens)"
    each = f", {_size(memory.bytes / memory.devices)} on each of {memory.devices} devices" if memory.devices > 1 else ""
    return [f"memory: {_size(memory.bytes)} for {memory.weights:,} weights ({memory.dtype}){each}", f"        {kv}"]


def _size(count: float) -> str:
    for unit in ("bytes", "KB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:.0f} {unit}" if unit == "bytes" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError


def _time(seconds: float) -> str:
    for size, unit in ((86400.0, "days"), (3600.0, "hours"), (60.0, "minutes")):
        if seconds >= 2 * size:
            return f"about {seconds / size:.0f} {unit}"
    return f"about {max(1, round(seconds))} s"
