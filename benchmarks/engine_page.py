"""What `engine.py` found, for people: a table on the terminal, the same in Markdown, a picture; and for programs, JSON."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BEGIN, END = "<!-- {} table: written by benchmarks/{}.py -->", "<!-- end of {} table -->"
HEAD = (
    *("work", "dtype", "evalkit", "lm-eval (batch)", "ratio", "limit", "÷ limit"),
    *("peak memory, evalkit / lm-eval", "largest difference", "decisions that differ"),
)
WIDE = 150  # columns a terminal needs for the whole table


@dataclass(frozen=True)
class Row:
    """One work in one dtype. The first eleven fields are the JSON; None is what was not measured.

    Attributes:
        max_abs_diff: of log-likelihoods, in nats; None for generated text.
        decisions_differ: documents of which another choice is the best (by sum or per character), or whose text differs.
        batch: the peer's.
        documents: how many were compared.
    """

    work: str
    dtype: str
    evalkit_s: float | None
    peer_s: float | None
    ratio_peer: float | None
    limit_s: float | None
    ratio_limit: float | None
    peak_rss_mb: float | None
    peer_peak_rss_mb: float | None
    max_abs_diff: float | None
    decisions_differ: int | None
    batch: int | None = None
    documents: int = 0

    def as_json(self) -> dict[str, Any]:
        return {name: _rounded(getattr(self, name)) for name in FIELDS}


FIELDS = tuple(Row.__dataclass_fields__)[:11]


def _rounded(value: Any) -> Any:
    return float(f"{value:.4g}") if isinstance(value, float) else value


def differences(ours: Sequence[Any], peer: Sequence[Any], docs: Sequence[dict[str, Any]]) -> tuple[float | None, int]:
    """(largest difference of two log-likelihoods, documents decided otherwise) of answers in the same order."""
    if "prompt" in docs[0]:
        return None, sum(a != b for a, b in zip(ours, peer, strict=True))
    apart = max(abs(a - b) for x, y in zip(ours, peer, strict=True) for a, b in zip(x, y, strict=True))
    lengths = [[len(k.removeprefix(" ")) for _, k in doc["pairs"]] for doc in docs]
    return apart, sum(_decisions(x, n) != _decisions(y, n) for x, y, n in zip(ours, peer, lengths, strict=True))


def _decisions(lls: Sequence[float], lengths: Sequence[int]) -> tuple[int, int]:
    """The best by sum (acc) and by sum over characters (acc_norm); the first of equals."""
    places = range(len(lls))
    return max(places, key=lambda i: lls[i]), max(places, key=lambda i: lls[i] / lengths[i])


def cells(row: Row) -> tuple[str, ...]:
    """A line of the table."""

    def of(value: float | None, form: str) -> str:
        return "–" if value is None else form.format(value)

    batch = "" if row.batch is None else f" ({row.batch})"
    memory = f"{of(row.peak_rss_mb, '{:,.0f}')} / {of(row.peer_peak_rss_mb, '{:,.0f}')} MB"
    differ = "–" if row.decisions_differ is None else f"{row.decisions_differ} of {row.documents}"
    return (
        *(row.work, row.dtype, of(row.evalkit_s, "{:.1f} s"), of(row.peer_s, "{:.1f} s") + batch, of(row.ratio_peer, "{:.1f}×")),
        *(of(row.limit_s, "{:.1f} s"), of(row.ratio_limit, "{:.2f}"), memory, of(row.max_abs_diff, "{:.1e}"), differ),
    )


def show(rows: Sequence[Row], console: Any) -> None:
    """The table on a terminal; where it is narrow, in two: speed, then memory and agreement."""
    from rich.table import Table

    speed, rest = list(range(2, 7)), list(range(7, len(HEAD)))
    for part in [speed + rest] if console.width >= WIDE else [speed, rest]:
        table = Table(title="evalkit next to lm-evaluation-harness: scoring alone", title_justify="left")
        for place in (0, 1, *part):
            table.add_column(HEAD[place], justify="left" if place < 2 else "right")
        for row in rows:
            table.add_row(*(cells(row)[place] for place in (0, 1, *part)))
        console.print(table)


def write_json(file: Path, rows: Sequence[Row], merge: bool) -> None:
    """A list of rows; with `merge`, rows of the file that were not measured now stay where they are."""
    new = {(row.work, row.dtype): row.as_json() for row in rows}
    old = json.loads(file.read_text(encoding="utf-8")) if merge and file.exists() else []
    kept = {(row["work"], row["dtype"]): row for row in old}
    file.write_text(json.dumps([*(kept | new).values()], ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def update(page: Path, name: str, script: str, head: Sequence[str], lines: Sequence[Sequence[str]], keep: int = 0) -> None:
    """Put a table between its markers on a page.

    Args:
        keep: old lines stay whose first so many cells are none of the new ones'; 0 keeps none.

    Raises:
        SystemExit: the page has no such markers.
    """
    text = page.read_text(encoding="utf-8")
    begin, end = BEGIN.format(name, script), END.format(name)
    if begin not in text or end not in text.split(begin, 1)[1]:
        raise SystemExit(f"{page} lacks the line {begin!r} or {end!r} after it; put both where the table belongs")
    before, rest = text.split(begin, 1)
    old, after = rest.split(end, 1)
    kept = {line[:keep]: line for line in _lines(old) if len(line) == len(head)} if keep else {}
    kept |= {tuple(line[: keep or None]): tuple(line) for line in lines}
    table = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *(f"| {' | '.join(line)} |" for line in kept.values())]
    page.write_text(f"{before}{begin}\n" + "\n".join(table) + f"\n{end}{after}", encoding="utf-8")


def _lines(table: str) -> list[tuple[str, ...]]:
    """The cells of an earlier table's lines, without its head."""
    lines = [line for line in table.splitlines() if line.startswith("| ")]
    return [tuple(cell.strip() for cell in line.strip("| ").split(" | ")) for line in lines[1:]]


def machine(threads: int) -> str:
    """The processor as the system names it, and what ran on it."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        name = next((line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")), name)
    return f"{name}, {threads} threads"


def plot(file: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Time as a multiple of the machine's own limit, a pair of bars a work; takes the JSON's rows."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "evalkit"
    import matplotlib.pyplot as plt

    dtypes = list(dict.fromkeys(row["dtype"] for row in rows))
    size = 1 + 0.75 * max(sum(row["dtype"] == dtype for row in rows) for dtype in dtypes)
    figure, panels = plt.subplots(1, len(dtypes), figsize=(5.4 * len(dtypes) + 1.5, size), squeeze=False, layout="constrained")
    for panel, dtype in zip(panels[0], dtypes, strict=True):
        _panel(panel, dtype, [row for row in rows if row["dtype"] == dtype and row["ratio_limit"] is not None])
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None)
    plt.close(figure)


def _panel(panel: Any, dtype: str, rows: Sequence[dict[str, Any]]) -> None:
    places = [-n for n in range(len(rows))]
    ours = [row["ratio_limit"] for row in rows]
    peer = [(row["ratio_peer"] or 0) * row["ratio_limit"] for row in rows]
    for values, name, colour, up in ((ours, "evalkit", "#0072b2", 0.2), (peer, "lm-eval, best batch", "#999999", -0.2)):
        bars = panel.barh([place + up for place in places], values, height=0.36, color=colour, label=name)
        panel.bar_label(bars, [f"{value:.1f}" if value else "not measured" for value in values], padding=3, fontsize=8)
    panel.axvline(1, color="#d55e00", linewidth=1.2, label="the machine's limit")
    panel.set_yticks(places, [row["work"].replace(", ", "\n", 1) for row in rows], fontsize=8)
    panel.set_xlim(0, max([4.0, *ours, *peer]) * 1.15)
    panel.set_xlabel("time ÷ limit (shorter is faster)", fontsize=9)
    panel.set_title(dtype, fontsize=10)
    panel.spines[["top", "right"]].set_visible(False)
