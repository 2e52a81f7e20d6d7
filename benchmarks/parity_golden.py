"""Keep the peer's answers about the shipped sample rows, for `tests/test_golden.py`.

    python benchmarks/parity.py --data tasks/samples --model FOLDER --limit 8 --max-new-tokens 48 --work DIR
    python benchmarks/parity_golden.py --work DIR --out tests/golden/loglikelihoods

FOLDER is the converted checkpoint of `model=smollm2_135m`. Everything written here was computed by the peer; nothing of it
by evalkit. A file is the peer's dump without its timings, each prompt's contexts once when a document has a single one.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import parity_compare as parity


def pack(dump: Mapping[str, Any], request: Mapping[str, Any]) -> dict[str, Any]:
    """The dump with what the request asked, and prompts as (contexts, continuations)."""
    docs = []
    for doc in dump["docs"]:
        contexts = list(dict.fromkeys(p[0] for p in doc["prompts"]))
        continuations = [p[1] for p in doc["prompts"] if len(p) > 1]
        kept = {name: value for name, value in doc.items() if name != "prompts"}
        docs.append({**kept, "contexts": contexts, "continuations": continuations})
    about = {name: request[name] for name in ("limit", "max_new_tokens", "languages")}
    return {
        "task": dump["task"],
        "harness": dump["harness"],
        "num_fewshot": dump["num_fewshot"],
        **about,
        "results": _scores(dump),
        "docs": docs,
    }


def unpack(golden: Mapping[str, Any]) -> dict[str, Any]:
    """The dump `parity_compare.from_peer` reads."""
    docs = []
    for doc in golden["docs"]:
        contexts, continuations = doc["contexts"], doc["continuations"]
        if continuations:
            spread = contexts * len(continuations) if len(contexts) == 1 else contexts
            prompts = [list(pair) for pair in zip(spread, continuations, strict=True)]
        else:
            prompts = [[contexts[0]]]
        docs.append({**doc, "prompts": prompts})
    return {**golden, "docs": docs}


def _scores(dump: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    return {
        name: {metric: value for metric, value in scores.items() if "," in metric and isinstance(value, (int, float))}
        for name, scores in dump["results"].items()
    }


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--tasks", nargs="*", metavar="TASK", help="default: all that --work has answers for")
    args = parser.parse_args(argv)
    work, out = Path(args.work), Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    for task in args.tasks or [t for t in parity.METRICS if (work / f"{t}.peer.json").exists()]:
        dump = json.loads((work / f"{task}.peer.json").read_text(encoding="utf-8"))
        request = json.loads((work / f"{task}.request.json").read_text(encoding="utf-8"))
        golden = pack(dump, request)
        assert unpack(golden)["docs"][0]["prompts"] == dump["docs"][0]["prompts"]
        (out / f"{task}.json").write_text(json.dumps(golden, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
