"""Record prompts as lm-evaluation-harness 0.4.13 builds them, with its own task files, on invented rows.

    PEER_PYTHON tests/golden/prompts/record.py openbookqa triviaqa

Runs in an environment that has lm_eval, and imports nothing of ours. Rows are the shipped samples (six of them) and the odd ones
below. No model: one that answers nothing takes the requests down, and its chat template writes the messages out as they are.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
HERE = Path(__file__).resolve().parent
SAMPLES = HERE.parents[2] / "tasks" / "samples"
Row = dict[str, Any]


def labelled(field: str, question: str, texts: list[str], labels: list[str], key: str) -> Row:
    return {"id": "odd", field: question, "choices": {"text": texts, "label": labels}, "answerKey": key}


def concept(row: Row) -> Row:
    return {**row, "question_concept": "odd"}


def trivia(question: str, aliases: list[str]) -> Row:
    return {"question": question, "question_id": "odd", "answer": {"value": "-", "aliases": aliases, "normalized_aliases": aliases}}


DIGITS, LETTERS = ["1", "2", "3", "4"], ["A", "B", "C", "D", "E"]
ODD: dict[str, list[Row]] = {
    "openbookqa": [
        labelled("question_stem", "A set {a, b} of stones sinks because ", ["stone floats", " it is heavy", "x", "{b}"], LETTERS[:4], " B"),
        labelled("question_stem", "ఏది తేలుతుంది?", ["కర్ర", "రాయి", "ఇనుము", "సీసం"], LETTERS[:4], "A"),
    ],
    "commonsense_qa": [
        concept(labelled("question", "  What is in {braces}? \n", ["a", "b", "c", "d {e}", "é"], LETTERS, "D")),
        concept(labelled("question", "Who?", ["one", "one", "two", "three", "four"], LETTERS, "E")),
    ],
    "truthfulqa": [
        {
            "question": " Is {this} so? ",
            "mc1_targets": {"choices": ["No.", "Yes, {always}"], "labels": [1, 0]},
            "mc2_targets": {"choices": ["No.", "Not at all", "Yes, {always}", "Oui, café"], "labels": [1, 1, 0, 0]},
        }
    ],
    "triviaqa": [trivia("Who wrote {nothing}", ["Nobody", "No one"]), trivia(" Where is the café? ", ["Zoë's corner", "the corner"])],
    "arc_easy": [
        labelled("question", "Which {one} is a digit?", ["x", "y", "z"], DIGITS[:3], "3"),
        labelled("question", "Five? ", ["a", "b", "c", "d", " e"], LETTERS, "E"),
    ],
}
ODD["arc_challenge"] = ODD["arc_easy"]
# split that is scored, split of the shots, the harness's tasks, shots
TASKS: dict[str, tuple[str, str, tuple[str, ...], int]] = {
    "openbookqa": ("test", "train", ("openbookqa",), 2),
    "commonsense_qa": ("validation", "train", ("commonsense_qa",), 2),
    "truthfulqa": ("validation", "validation", ("truthfulqa_mc2", "truthfulqa_mc1"), 0),
    "triviaqa": ("validation", "train", ("triviaqa",), 5),
    "arc_easy": ("test", "train", ("arc_easy",), 2),
    "arc_challenge": ("test", "train", ("arc_challenge",), 2),
}


def sample_rows(task: str, split: str) -> list[Row]:
    path = SAMPLES / task / f"{split}.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def recorder() -> Any:
    """A model that answers nothing and remembers what it was asked."""
    from lm_eval.api.model import LM

    class Recorder(LM):
        tokenizer_name = "messages"

        def __init__(self) -> None:
            super().__init__()
            self.asked: dict[int, list[tuple[Any, ...]]] = {}

        def note(self, requests: Any) -> None:
            for request in requests:
                self.asked.setdefault(request.doc_id, []).append(request.args)

        def loglikelihood(self, requests: Any, **_: Any) -> list[tuple[float, bool]]:
            self.note(requests)
            return [(-1.0, False)] * len(requests)

        def loglikelihood_rolling(self, requests: Any, **_: Any) -> Any:
            raise NotImplementedError

        def generate_until(self, requests: Any, **_: Any) -> list[str]:
            self.note(requests)
            return [""] * len(requests)

        def apply_chat_template(self, chat_history: Any, add_generation_prompt: bool = True) -> str:
            return json.dumps(chat_history, ensure_ascii=False)

        def chat_template(self, chat_template: Any = False) -> str:
            return "messages"

    return Recorder()


def shape(asked: list[tuple[Any, ...]], chat: bool) -> Any:
    def plain(context: str) -> Any:
        return json.loads(context) if chat else context

    context, second = asked[0]
    if not isinstance(second, str):  # settings of a generation
        return plain(context)
    assert all(pair[0] == context for pair in asked)
    return {"context": plain(context), "continuations": [continuation for _, continuation in asked]}


def record(task: str) -> None:
    import datasets
    import lm_eval

    split, shots_split, names, shots = TASKS[task]
    rows = sample_rows(task, split)
    evaluated = rows[:6] + ODD[task]
    pool = evaluated if shots_split == split else sample_rows(task, shots_split) or rows[6:]
    tables = {"train": pool, "validation": pool, "test": pool, split: evaluated}
    datasets.load_dataset = lambda *_, **__: datasets.DatasetDict({name: datasets.Dataset.from_list(of) for name, of in tables.items()})
    cases = []
    for n in dict.fromkeys((0, shots)):
        for mode in ("text", "chat", "multi_turn") if n else ("text", "chat"):
            asked: dict[int, list[tuple[Any, ...]]] = {}
            for name in names:
                model = recorder()
                lm_eval.simple_evaluate(
                    model=model,
                    tasks=[name],
                    num_fewshot=n,
                    bootstrap_iters=0,
                    apply_chat_template=mode != "text",
                    fewshot_as_multiturn=mode == "multi_turn",
                )
                for doc, of_doc in model.asked.items():
                    earlier = asked.setdefault(doc, [])
                    earlier.extend(pair for pair in of_doc if name == names[0] or pair not in earlier)
            prompts = [shape(asked[doc], mode != "text") for doc in range(len(evaluated))]
            cases.append({"num_fewshot": n, "mode": mode, "prompts": prompts})
    made_by = f"lm-evaluation-harness {lm_eval.__version__}, its own task file, on invented rows"
    golden = {"made_by": made_by, "evaluated": {"": evaluated}, "pool": {"": pool}, "cases": cases}
    (HERE / f"{task}.json").write_text(json.dumps(golden, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    for wanted in sys.argv[1:] or TASKS:
        record(wanted)
