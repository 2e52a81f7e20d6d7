"""RULER's documents and scores against lm-evaluation-harness 0.4.13: same tokenizer, seeds, prose and rows.

    python benchmarks/parity_ruler.py --tokenizer FOLDER --text FILE --squad dev-v2.0.json --hotpot hotpot_dev_distractor_v1.json

Both run in one environment (`pip install lm_eval[ruler]==0.4.13`). The prose takes the place of RULER's essays on both sides;
the two files of questions are the data sets' own, or of their shape. Per task: documents that are equal (prompt, values, beginning of
the answer), and scores of made-up answers (all values, the first, none, in capitals) that are equal.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from evalkit.config.compose import compose
from evalkit.metrics import StringMatch
from evalkit.tasks.ruler import sentences
from evalkit.tasks.ruler.make import generate, to_doc
from evalkit.types import Response

TASKS = ("single_1", "single_2", "single_3", "multikey_1", "multikey_2", "multikey_3", "multivalue", "multiquery")
Row = dict[str, Any]


def peer_documents(
    tokenizer: Any, length: int, number: int, words: Sequence[str], files: Mapping[str, Any]
) -> dict[str, Callable[[], list[Row]]]:
    """Per task, a call that makes the harness's documents; its generators are seeded as in a run of the task alone."""
    from lm_eval.tasks.ruler import cwe_utils, fwe_utils, niah_utils, prepare_niah, qa_utils, vt_utils

    repeated = "The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again."
    texts = {"essay": list(words), "repeat": repeated, "needle": prepare_niah.NEEDLE}
    prepare_niah.cached_sent_tokenize = lambda text: list(sentences.english(text))
    niah_utils.get_tokenizer = lambda *_: tokenizer
    niah_utils.get_haystack = lambda type_haystack: texts[type_haystack]
    made = niah_utils.generate_samples
    niah_utils.generate_samples = lambda haystack, **told: made(haystack, **{**told, "num_samples": number})
    niah_utils.download_dataset = lambda found: {"test": [row for rows in found for row in rows]}
    qa_utils.download_json = lambda url: files["squad" if "SQuAD" in url else "hotpot"]

    def tracked() -> list[Row]:
        sys_vt = partial(vt_utils.sys_vartrack_w_noise_random, tokenizer=tokenizer)
        shot = sys_vt(num_samples=1, max_seq_length=500, incremental=5)[0]
        return list(sys_vt(num_samples=number, max_seq_length=length, icl_example=shot))

    def asked(read: Callable[[], tuple[Any, Any]]) -> list[Row]:
        questions, documents = read()
        return list(
            qa_utils.generate_samples(
                tokenizer, documents, questions, max_seq_length=length, num_samples=min(number, len(questions)), tokens_to_generate=32
            )
        )

    calls: dict[str, Callable[[], list[Row]]] = {
        f"ruler_niah_{name}": partial(lambda call: call(max_seq_lengths=[length])["test"], getattr(niah_utils, f"niah_{name}"))
        for name in TASKS
    }
    calls["ruler_vt"] = tracked
    calls["ruler_cwe"] = lambda: cwe_utils.sys_word_pair_random(num_samples=number, max_seq_length=length, tokenizer=tokenizer)
    calls["ruler_fwe"] = lambda: fwe_utils.sys_kwext(tokenizer=tokenizer, max_seq_length=length, num_samples=number)
    calls |= {"ruler_qa_squad": partial(asked, qa_utils.read_squad)} if "squad" in files else {}
    calls |= {"ruler_qa_hotpot": partial(asked, qa_utils.read_hotpotqa)} if "hotpot" in files else {}
    return calls


def hub_rows(name: str, file: Any) -> list[Row]:
    """The rows of a file as the hub has them."""
    if name == "squad":
        return [
            {"title": article["title"], "context": part["context"], "question": asked["question"], "answers": asked["answers"]}
            for article in file["data"]
            for part in article["paragraphs"]
            for asked in part["qas"]
        ]
    return [{**row, "context": list(row["context"])} for row in file]


def answers(outputs: Sequence[str]) -> list[str]:
    """What a model may have said."""
    return [", ".join(outputs), f" It is {outputs[0]}.\n", "I do not know.", "", "\t".join(outputs).upper()]


def same_scores(name: str, row: Row, peer: Row) -> int:
    """How many made-up answers get the same score."""
    from lm_eval.tasks.ruler import common_utils

    judge = common_utils.process_results_part if name.startswith("ruler_qa") else common_utils.process_results
    doc = to_doc(row)
    found = 0
    for said in answers(peer["outputs"]):
        theirs = judge(peer, [said])[str(peer["max_length"])]
        ours = StringMatch().score(doc, [Response("k", "ok" if said else "empty", text=said)]).value
        found += ours is not None and abs(ours - theirs) < 1e-12
    return found


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--text", required=True, type=Path)
    parser.add_argument("--squad", type=Path)
    parser.add_argument("--hotpot", type=Path)
    parser.add_argument("--length", type=int, default=4096)
    parser.add_argument("--documents", type=int, default=20)
    given = parser.parse_args()
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(given.tokenizer)
    files = {name: json.loads(path.read_text()) for name in ("squad", "hotpot") if (path := getattr(given, name))}
    calls = peer_documents(tokenizer, given.length, given.documents, given.text.read_text(encoding="utf-8").split(), files)
    tasks = compose([f"task=[{','.join(calls)}]"])["tasks"]
    differing = 0
    for name, call in calls.items():
        random.seed(0)
        np.random.seed(1234)
        theirs = list(call())
        options = {**tasks[name]["data"]["options"], "text": str(given.text)}
        rows = hub_rows(name.rpartition("_")[2], files[name.rpartition("_")[2]]) if name.startswith("ruler_qa") else ()
        ours = generate(options, given.length, given.documents, None, lambda text: len(tokenizer(text).input_ids), rows)
        pairs = list(zip(ours, theirs, strict=False))
        same = sum(
            (mine["input"], list(mine["outputs"]), mine["prefix"]) == (peer["input"], list(peer["outputs"]), peer["gen_prefix"])
            for mine, peer in pairs
        )
        scores = sum(same_scores(name, mine, peer) for mine, peer in pairs)
        print(f"{name:24} {same} of {len(theirs)} documents equal, {scores} of {5 * len(pairs)} scores", flush=True)
        differing += len(theirs) - same + len(ours) - len(pairs) + 5 * len(pairs) - scores
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
