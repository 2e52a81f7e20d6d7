"""A comparison for people: a table on the terminal, and the same in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from parity_compare import CATEGORIES, Comparison

BEGIN, END = "<!-- parity table: written by benchmarks/parity.py -->", "<!-- end of parity table -->"
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


def as_markdown(results: Sequence[tuple[int | None, Comparison]]) -> str:
    """The table, then every printed score of whole tasks and languages."""
    lines = [f"| {' | '.join(HEAD)} |", f"|{'---|' * len(HEAD)}"]
    lines += [f"| {' | '.join(row(result))} |" for _, result in results]
    lines += ["", "| task | score | lm-eval | evalkit | new tokens |", "|---|---|---|---|---|"]
    for tokens, result in results:
        for a in result.aggregates:
            if result.task == "mmlu" and a["name"].partition("/")[2] not in ("", *CATEGORIES):
                continue  # 57 subjects: in the JSON
            values = " | ".join("-" if a[side] is None else f"{a[side]:.4f}" for side in ("peer", "ours"))
            lines.append(f"| {result.task} | {a['name']} | {values} | {tokens or '-'} |")
    return "\n".join(lines)


def update(page: Path, results: Sequence[tuple[int | None, Comparison]]) -> None:
    """Replace what stands between the markers of a page.

    Raises:
        SystemExit: the page has no markers.
    """
    text = page.read_text(encoding="utf-8")
    if BEGIN not in text or END not in text:
        raise SystemExit(f"{page} lacks the line {BEGIN!r} or {END!r}; put both where the table belongs")
    before, rest = text.split(BEGIN, 1)
    page.write_text(f"{before}{BEGIN}\n{as_markdown(results)}\n{END}{rest.split(END, 1)[1]}", encoding="utf-8")
