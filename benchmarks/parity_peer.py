"""The peer's half of `parity.py`: lm-evaluation-harness on local rows, dumped sample by sample.

Runs inside the peer's own environment and imports nothing of evalkit. The harness's own task files are used unchanged,
except that `datasets.load_dataset` answers with rows from a folder (`<data>/<task>[/<language>]/<split>.jsonl`), so that
no hub is needed. Flores-IN is not among the harness's tasks: its file is written here from `docs/parity.md`'s description.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import parity_offline
from parity_rows import EVAL_SPLIT, LOCAL, folder_of, local_rows, read_rows

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_ALLOW_CODE_EVAL", "1")

SHOTS = {**dict.fromkeys(EVAL_SPLIT, 0), "mmlu": 5, "triviaqa": 5, "nq_open": 5, "flores_in_xx_en": 1, "flores_in_en_xx": 1}
GENERATES = frozenset({"triviaqa", "nq_open", "gsm8k", "ifeval", "humaneval", "flores_in_xx_en", "flores_in_en_xx"})
CHAT = frozenset({"ifeval"})  # through the model's template, as evalkit's task asks for
# One task of ours that is several of the harness's over the same documents; its name for the score is the filter's here.
# The first scores every continuation of the others, which then come from the harness's own cache of answers.
PARTS = {"truthfulqa": {"mc2": "truthfulqa_mc2", "mc1": "truthfulqa_mc1"}}
MMLU_SUBJECTS = 57
LANGUAGE_NAMES = {
    "as": "Assamese",
    "bn": "Bengali",
    "en": "English",
    "gu": "Gujarati",
    "hi": "Hindi",
    "kn": "Kannada",
    "ml": "Malayalam",
    "mr": "Marathi",
    "or": "Odia",
    "pa": "Punjabi",
    "ta": "Tamil",
    "te": "Telugu",
    "ur": "Urdu",
}
FLORES_DESCRIPTION = (
    "Directly start your answer with the translation and only output the translation and nothing else. "
    "You are given few shot examples to help you respond.\nTranslate the following:\n\n"
)


def patch_load_dataset(data: Path) -> None:
    """Make `datasets.load_dataset` answer from the folder. A missing split is empty-handed only where no shot is drawn:
    it repeats the evaluation rows, which zero-shot tasks never look at."""
    import datasets

    def load(path: str, name: str | None = None, **_: Any) -> Any:
        folder, files = folder_of(path, name)
        splits = {split: [row for _, row in local_rows(data, path, name, split)] for split in files}
        evaluated = splits[EVAL_SPLIT[folder]]
        missing = [split for split, rows in splits.items() if not rows]
        if missing and SHOTS.get(folder, 1):
            raise SystemExit(f"{data / folder} has no rows for {', '.join(missing)}, which {folder} needs for its shots")
        return datasets.DatasetDict({split: datasets.Dataset.from_list(rows or evaluated) for split, rows in splits.items()})

    datasets.load_dataset = load


def flores_task(direction: str, language: str) -> tuple[str, str]:
    """Name and text of a task file for one direction and language (JSON is YAML)."""
    name = f"parity_flores_in_{direction}_{language}"
    target_language = "English" if direction == "xx_en" else LANGUAGE_NAMES[language]
    config = {
        "task": name,
        "dataset_path": "parity/flores_in",
        "dataset_name": f"{direction}/{language}",
        "output_type": "generate_until",
        "test_split": "test",
        "fewshot_split": "dev",
        "num_fewshot": 1,
        "description": FLORES_DESCRIPTION,
        "doc_to_text": f"To {target_language}: {{{{source}}}}\nOutput:",
        "doc_to_target": "{{target}}",
        "generation_kwargs": {"until": ["\n\n", "</s>"], "do_sample": False, "temperature": 0.0, "max_gen_toks": 1024},
        "metric_list": [{"metric": m, "aggregation": m, "higher_is_better": True} for m in ("chrf++", "chrf")],
        "metadata": {"version": 1.0},
    }
    return name, json.dumps(config, ensure_ascii=False)


def harness_tasks(task: str, data: Path, languages: Sequence[str], folder: Path) -> list[str]:
    """Names the harness knows the task by; Flores-IN's files are written into `folder`.

    Rows of some MMLU subjects only (samples) mean those subjects alone, without the group's averages.
    """
    if task == "mmlu":
        subjects = dict.fromkeys(row["subject"] for row in read_rows(data / "mmlu" / "test.jsonl"))
        return [task] if len(subjects) == MMLU_SUBJECTS else [f"mmlu_{subject}" for subject in subjects]
    if not task.startswith("flores_in_"):
        return list(PARTS.get(task, {"": task}).values())
    names = []
    for language in languages:
        name, text = flores_task(task.removeprefix("flores_in_"), language)
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
        names.append(name)
    return names


def place(data: Path, harness_task: str) -> tuple[str | None, str | None, list[int]]:
    """(subject, language, line numbers) of the evaluation rows of one harness task."""
    if harness_task.startswith("parity_flores_in_"):
        direction, language = harness_task.removeprefix("parity_flores_in_").rsplit("_", 1)
        return None, language, [n for n, _ in local_rows(data, "parity/flores_in", f"{direction}/{language}", "test")]
    if harness_task.startswith("mmlu_"):
        subject = harness_task.removeprefix("mmlu_")
        return subject, None, [n for n, _ in local_rows(data, "cais/mmlu", subject, "test")]
    task = next((t for t, parts in PARTS.items() if harness_task in parts.values()), harness_task)
    path = next(p for p, (folder, _) in LOCAL.items() if folder == task)
    return None, None, [n for n, _ in local_rows(data, path, None, EVAL_SPLIT[task])]


def documents(data: Path, harness_task: str, samples: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One record a document: row, prompts, log-likelihoods or text, and per filter what was extracted and scored."""
    subject, language, rows = place(data, harness_task)
    by_doc: dict[int, dict[str, Any]] = {}
    for sample in samples:
        likelihood = len(sample["resps"]) > 1
        record = by_doc.setdefault(
            sample["doc_id"],
            {
                "row": rows[sample["doc_id"]],
                "subject": subject,
                "language": language,
                "target": sample["target"],
                "prompts": [list(a[:2]) if likelihood else [a[0]] for a in sample["arguments"]],
                "loglikelihoods": [float(r[0][0]) for r in sample["resps"]] if likelihood else None,
                "greedy": [bool(r[0][1]) for r in sample["resps"]] if likelihood else None,
                "text": None if likelihood else sample["resps"][0][0],
                "filters": {},
            },
        )
        extracted = None if likelihood else sample["filtered_resps"][0]
        if isinstance(extracted, list):  # one program a problem
            (extracted,) = extracted
        scores = {name: sample[name] for name in sample["metrics"] if _is_score(sample[name])}
        record["filters"][sample["filter"]] = {"extracted": extracted, "metrics": scores}
    return [by_doc[n] for n in sorted(by_doc)]


def _is_score(value: Any) -> bool:
    """A number, or one verdict for each instruction of a prompt; corpus metrics have texts here."""
    return isinstance(value, (int, float)) or (isinstance(value, list) and all(isinstance(v, bool) for v in value))


def merged(parts: Mapping[str, str], docs: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """The documents of several harness tasks as one each: every pair once, and per part the places of its pairs (`among`)."""
    records = []
    for same in zip(*(docs[name] for name in parts.values()), strict=True):
        pairs: dict[tuple[str, ...], tuple[float, bool]] = {}
        filters = {}
        for part, doc in zip(parts, same, strict=True):
            keys = [tuple(prompt) for prompt in doc["prompts"]]
            for key, *answer in zip(keys, doc["loglikelihoods"], doc["greedy"], strict=True):
                if pairs.setdefault(key, (answer[0], answer[1])) != tuple(answer):
                    raise SystemExit(f"row {doc['row']}: the harness answered one request in two ways")
            filters[part] = {**doc["filters"]["none"], "among": [list(pairs).index(key) for key in keys]}
        lls, greedy = zip(*pairs.values(), strict=True)
        records.append({**same[0], "prompts": [*map(list, pairs)], "loglikelihoods": list(lls), "greedy": list(greedy), "filters": filters})
    return records


def merged_scores(task: str, results: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The printed scores of several harness tasks under one name, each part's with its own filter."""
    named = {name: part for part, name in PARTS[task].items()}
    return {task: {k.replace(",none", f",{named[name]}"): v for name, scores in results.items() for k, v in scores.items() if "," in k}}


def load_model(path: str, batch_size: int, device: str) -> Any:
    from lm_eval.models.huggingface import HFLM

    return HFLM(pretrained=path, dtype="float32", batch_size=batch_size, device=device)


def evaluate(lm: Any, task: str, args: argparse.Namespace) -> dict[str, Any]:
    """Run one task and return its dump; see `documents` for the records."""
    import lm_eval
    from lm_eval.tasks import TaskManager

    lm.batch_size_per_gpu = 1 if task in GENERATES else args.batch_size
    data = Path(args.data)
    started = time.perf_counter()
    samples: dict[str, Any] = {}
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        parity_offline.prepare(task, Path(folder))
        names = harness_tasks(task, data, args.languages, Path(folder))
        for asked in [[name] for name in names] if task in PARTS else [names]:
            result = lm_eval.simple_evaluate(
                model=lm,
                tasks=asked,
                num_fewshot=SHOTS[task],
                limit=args.limit,
                gen_kwargs={"max_gen_toks": args.max_new_tokens} if task in GENERATES and args.max_new_tokens else None,
                log_samples=True,
                bootstrap_iters=0,
                task_manager=TaskManager(include_path=folder),
                use_cache=str(Path(folder) / "answers") if task in PARTS else None,
                apply_chat_template=task in CHAT,
                confirm_run_unsafe_code=task == "humaneval",
            )
            samples |= result["samples"]
            results |= result["results"] | result.get("groups", {})
    docs = {name: documents(data, name, of_task) for name, of_task in sorted(samples.items())}
    keep = {name: {k: v for k, v in scores.items() if not callable(v)} for name, scores in results.items()}
    if task in PARTS:
        docs, keep = {task: merged(PARTS[task], docs)}, merged_scores(task, keep)
    return {
        "task": task,
        "harness": lm_eval.__version__,
        "num_fewshot": SHOTS[task],
        "limit": args.limit,
        "max_new_tokens": args.max_new_tokens,
        "languages": list(args.languages) if task.startswith("flores_in_") else [],
        "batch_size": lm.batch_size_per_gpu,
        "seconds": round(time.perf_counter() - started, 1),
        "results": keep,
        "docs": [doc for of_task in docs.values() for doc in of_task],
    }


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="folder of rows: <data>/<task>[/<language>]/<split>.jsonl")
    parser.add_argument("--model", required=True, help="folder of a Hugging Face checkpoint")
    parser.add_argument("--task", required=True, choices=sorted(SHOTS))
    parser.add_argument("--out", required=True, help="file to write")
    parser.add_argument("--limit", type=int, default=None, help="documents per subject or language, or of the task")
    parser.add_argument("--languages", nargs="*", default=["hi", "ta"])
    parser.add_argument("--max-new-tokens", type=int, default=None)
    parser.add_argument("--batch-size", type=int, default=1, help="for log-likelihoods; generation is one at a time")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse(argv)
    import torch

    torch.set_num_threads(args.threads)
    patch_load_dataset(Path(args.data))
    dump = evaluate(load_model(args.model, args.batch_size, args.device), args.task, args)
    out = Path(args.out)
    partial = out.with_name(out.name + ".partial")
    partial.write_text(json.dumps(dump, ensure_ascii=False, default=str), encoding="utf-8")
    partial.replace(out)
    print(f"{args.task}: {len(dump['docs'])} documents in {dump['seconds']} s -> {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
