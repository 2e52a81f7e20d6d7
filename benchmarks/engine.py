"""The local engine beside lm-evaluation-harness, and beside what this machine could do at best.

    python benchmarks/engine.py --data DIR --model FOLDER [--quick] [--works hellaswag mmlu] [--json FILE] [--plot FILE]

Both sides answer the same texts with the same weights, dtype and threads, each in a process of its own, one after the
other; the peer in the environment that `parity.py` makes (`--peer-python` uses another). Seconds are answering alone,
tokenising included, import and load not. `limit` is the rate of the model's own matrix products, measured in the same
process, applied to the operations of distinct tokens. Read ratios, not seconds. `--quick` takes about ten minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine_work import STOPS, WORKS, Work, documents
from parity import peer_python

HERE = Path(__file__).resolve().parent
BATCHES = (1, 2, 4, 8, 16, 32)
COLUMNS = ("work", "dtype", "evalkit s", "peer s", "× peer", "÷ limit", "MB", "peer MB", "max diff", "decisions")


def side(python: Path | str, script: str, asked: dict[str, Any]) -> dict[str, Any]:
    """Run one half in a process of its own and read its report."""
    with tempfile.TemporaryDirectory() as folder:
        given, report = Path(folder, "asked.json"), Path(folder, "report.json")
        given.write_text(json.dumps(asked), encoding="utf-8")
        done = subprocess.run([str(python), str(HERE / script), str(given), str(report)], capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{script} failed on {asked['work']} ({asked['dtype']}):\n{done.stderr[-2000:]}")
        return dict(json.loads(report.read_text(encoding="utf-8")))


def best_batch(python: Path, asked: dict[str, Any]) -> int:
    """The peer's fastest batch size on an eighth of the documents; a size that fails is no candidate."""
    part = {**asked, "docs": asked["docs"][:: max(1, min(8, len(asked["docs"]) // 8))]}
    seconds: dict[int, float] = {}
    for batch in BATCHES:
        try:
            seconds[batch] = side(python, "engine_peer.py", {**part, "batch": batch})["seconds"]
        except SystemExit as error:
            print(f"peer with batches of {batch}: {str(error).splitlines()[-1]}", flush=True)
    return min(seconds, key=seconds.__getitem__)


def compare(ours: Sequence[Any], theirs: Sequence[Any]) -> tuple[float | None, int]:
    """Largest log-likelihood difference (None for texts), and documents whose answer differs."""
    if isinstance(ours[0], str):
        return None, sum(a != b for a, b in zip(ours, theirs, strict=True))
    differ = sum(a.index(max(a)) != b.index(max(b)) for a, b in zip(ours, theirs, strict=True))
    return max(abs(x - y) for a, b in zip(ours, theirs, strict=True) for x, y in zip(a, b, strict=True)), differ


def measure(key: str, work: Work, dtype: str, args: argparse.Namespace, python: Path) -> dict[str, Any]:
    """One row of the table."""
    docs = documents(Path(args.data), key, work.quick if args.quick else work.docs)
    asked = {"work": work.name, "model": str(Path(args.model).resolve()), "dtype": dtype, "threads": args.threads, "docs": docs}
    asked |= {"new_tokens": work.new_tokens, "stops": STOPS if work.new_tokens else [], "batch": work.peer_batch}
    ours = side(sys.executable, "engine_ours.py", asked)
    row = {"work": f"{work.name}, {len(docs)} documents", "dtype": dtype, "evalkit_s": ours["seconds"]}
    row |= {"peer_s": None, "ratio_peer": None, "limit_s": ours["limit_s"], "ratio_limit": ours["seconds"] / ours["limit_s"]}
    row |= {"peak_rss_mb": ours["peak_rss_mb"], "peer_peak_rss_mb": None, "max_abs_diff": None, "decisions_differ": None}
    if work.peer:
        batch = best_batch(python, asked) if args.sweep and not work.new_tokens else work.peer_batch
        peer = side(python, "engine_peer.py", {**asked, "batch": batch})
        worst, differ = compare(ours["answers"], peer["answers"])
        row |= {"peer_s": peer["seconds"], "ratio_peer": peer["seconds"] / ours["seconds"], "peer_peak_rss_mb": peer["peak_rss_mb"]}
        row |= {"max_abs_diff": worst, "decisions_differ": differ}
    return row


def cells(row: dict[str, Any]) -> list[str]:
    def shown(name: str, form: str) -> str:
        return "–" if row[name] is None else format(row[name], form)

    forms = [("evalkit_s", ".1f"), ("peer_s", ".1f"), ("ratio_peer", ".1f"), ("ratio_limit", ".2f"), ("peak_rss_mb", ".0f")]
    forms += [("peer_peak_rss_mb", ".0f"), ("max_abs_diff", ".1e"), ("decisions_differ", "d")]
    return [row["work"], row["dtype"], *(shown(*form) for form in forms)]


def table(rows: Sequence[dict[str, Any]]) -> str:
    """A Markdown table, readable on a terminal too."""
    lines = [list(COLUMNS), *map(cells, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(COLUMNS))]
    texts = [
        "| " + " | ".join(c.ljust(w) if i < 2 else c.rjust(w) for i, (c, w) in enumerate(zip(x, widths, strict=True))) + " |" for x in lines
    ]
    rule = "|" + "|".join("-" * (w + 2) if i < 2 else "-" * (w + 1) + ":" for i, w in enumerate(widths)) + "|"
    return "\n".join([texts[0], rule, *texts[1:]])


def plot(rows: Sequence[dict[str, Any]], file: str) -> None:
    """Bars: how many times the machine's limit each side takes."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = [f"{row['work']}\n{row['dtype']}" for row in rows]
    figure, axes = pyplot.subplots(figsize=(9, 1 + 0.75 * len(rows)), layout="constrained")
    places = range(len(rows))
    theirs = [row["peer_s"] / row["limit_s"] if row["peer_s"] else 0 for row in rows]
    bars = [([p + 0.2 for p in places], theirs, "lm-evaluation-harness", "#b8bfc9")]
    bars.append(([p - 0.2 for p in places], [row["ratio_limit"] for row in rows], "evalkit", "#2a6fbb"))
    for where, values, label, colour in bars:
        drawn = axes.barh(where, values, 0.38, label=label, color=colour)
        axes.bar_label(drawn, labels=[f"{v:.1f}" if v else "not measured" for v in values], padding=3, fontsize=8)
    axes.axvline(1, color="black", linewidth=0.8, linestyle="--")
    axes.set(yticks=list(places), yticklabels=names, xlabel="time ÷ the least this machine needs (dashed: 1)")
    axes.margins(x=0.1)
    axes.invert_yaxis()
    axes.legend(loc="lower right", frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, dpi=130)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="folder of rows: DIR/<task>/<split>.jsonl")
    parser.add_argument("--model", required=True, help="folder of a Hugging Face checkpoint")
    parser.add_argument("--works", nargs="*", default=list(WORKS), choices=list(WORKS), metavar="WORK", help=f"of {', '.join(WORKS)}")
    parser.add_argument("--dtypes", nargs="*", default=["float32", "bfloat16"])
    parser.add_argument("--quick", action="store_true", help="fewer documents: about ten minutes")
    parser.add_argument("--sweep", action="store_true", help="find the peer's best batch size again instead of using the known one")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--peer-python", help="an interpreter that has lm_eval; default: one made in the user's cache")
    parser.add_argument("--json", help="write the rows here, after each one")
    parser.add_argument("--plot", help="write a picture here (needs matplotlib)")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse(argv)
    python = peer_python(args.peer_python)
    rows = []
    for dtype in args.dtypes:
        for key in args.works:
            if args.quick and not WORKS[key].quick:
                continue
            rows.append(measure(key, WORKS[key], dtype, args, python))
            print(table(rows[-1:]).splitlines()[-1], flush=True)
            if args.json:
                Path(args.json).write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    print(table(rows))
    if args.plot:
        plot(rows, args.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
