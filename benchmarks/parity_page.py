"""A comparison for people: a table on the terminal, and the same in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from parity_compare import CATEGORIES, METRICS, Comparison

BEGIN, END = "<!-- parity table: written by benchmarks/parity.py -->", "<!-- end of parity table -->"
BEGIN_NAMED = "<!-- parity table of {}: written by benchmarks/parity.py -->"
HEAD = (
    *("task", "documents", "prompts", "log-likelihoods", "largest difference"),
    *("decisions", "texts", "answers", "scores", "printed scores", "verdict"),
)
SHOWN = 12  # differences printed a task; the JSON has all
WIDTH = 160


def row(result: Comparison) -> tuple[str, ...]:
    """One line of the table; `equal/compared` each."""
    aggregates = f"{sum(a['equal'] for a in result.aggregates)}/{len(result.aggregates)}"
    largest = f"{result.max_difference:.1e}" if result.loglikelihoods.total else "-"
    tallies = (result.decisions, result.texts, result.extracted, result.values)
    verdict = "equal" if result.ok else "differs"
    first = (result.task, result.documents, result.prompts, result.loglikelihoods, largest)
    return tuple(str(cell) for cell in (*first, *tallies, aggregates, verdict))


def as_text(results: Sequence[Comparison]) -> str:
    """The table with aligned columns, then what differs."""
    rows = [HEAD, *(row(result) for result in results)]
    widths = [max(len(line[n]) for line in rows) for n in range(len(HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in rows]
    for result in results:
        lines += _differences(result)
    return "\n".join(lines)


def _differences(result: Comparison) -> list[str]:
    lines = [
        f"{result.task}: {d['key']} {d['what']}: peer {_short(d['peer'])} | evalkit {_short(d['ours'])}" for d in result.differences[:SHOWN]
    ]
    if len(result.differences) > SHOWN:
        lines.append(f"{result.task}: and {len(result.differences) - SHOWN} more differences")
    lines += [f"{result.task}: {a['name']}: peer {a['peer']} | evalkit {a['ours']}" for a in result.aggregates if not a["equal"]]
    for side, keys in (("the peer", result.only_peer), ("evalkit", result.only_ours)):
        if keys:
            lines.append(f"{result.task}: {len(keys)} documents only {side} has, first {keys[0]}")
    return lines


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= WIDTH else f"{text[: WIDTH // 2]} … {text[-WIDTH // 2 :]}"


def as_markdown(results: Sequence[tuple[int | None, Comparison]], before: str = "") -> str:
    """The table, then every printed score of whole tasks and languages; lines of `before` stay for tasks not in `results`."""
    verdicts, scores = _lines(before)
    for tokens, result in results:
        verdicts[result.task] = [f"| {' | '.join(row(result))} |"]
        scores[result.task] = [
            f"| {result.task} | {a['name']} | {_number(a['peer'])} | {_number(a['ours'])} | {tokens or '-'} |"
            for a in result.aggregates
            # mmlu's 57 subjects are in the JSON
            if result.task != "mmlu" or a["name"].partition("/")[2] in ("", *CATEGORIES)
        ]
    order = sorted(verdicts, key=[*METRICS].index)
    lines = [f"| {' | '.join(HEAD)} |", f"|{'---|' * len(HEAD)}", *(line for task in order for line in verdicts[task])]
    lines += ["", "| task | score | lm-eval | evalkit | new tokens |", "|---|---|---|---|---|"]
    return "\n".join([*lines, *(line for task in order for line in scores[task])])


def _lines(table: str) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """The lines of an earlier page by task: verdicts, printed scores."""
    parts: tuple[dict[str, list[str]], dict[str, list[str]]] = ({}, {})
    for part, text in zip(parts, table.split("\n\n", 1), strict=False):
        for line in text.strip().splitlines():
            task = line.split("|")[1].strip() if line.startswith("| ") else ""
            if task in METRICS:
                part.setdefault(task, []).append(line)
    return parts


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def update(page: Path, results: Sequence[tuple[int | None, Comparison]], name: str | None = None) -> None:
    """Bring what is between the markers of a page up to date; tasks that were not compared keep their lines.

    Args:
        name: of another table (another model), between markers that say so.

    Raises:
        SystemExit: the page has no such markers.
    """
    text = page.read_text(encoding="utf-8")
    begin = BEGIN_NAMED.format(name) if name else BEGIN
    if begin not in text or END not in text.split(begin, 1)[1]:
        raise SystemExit(f"{page} lacks the line {begin!r} or {END!r} after it; put both where the table belongs")
    before, rest = text.split(begin, 1)
    old, after = rest.split(END, 1)
    page.write_text(f"{before}{begin}\n{as_markdown(results, old)}\n{END}{after}", encoding="utf-8")
