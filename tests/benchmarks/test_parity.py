"""The comparison of two harnesses must notice every kind of difference; dumps invented, no peer needed."""

from __future__ import annotations

import copy
import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def modules() -> Any:
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield tuple(importlib.import_module(name) for name in ("parity_compare", "parity_page", "parity_golden", "parity"))
    finally:
        sys.path.remove(str(BENCHMARKS))


def choice_dump() -> dict[str, Any]:
    doc = {
        "row": 3,
        "subject": None,
        "language": None,
        "target": 1,
        "prompts": [["The sky", " is blue."], ["The sky", " eats."]],
        "loglikelihoods": [-9.0, -8.5],
        "greedy": [False, False],
        "text": None,
        "filters": {"none": {"extracted": None, "metrics": {"acc": 1.0, "acc_norm": 0.0}}},
    }
    results = {"hellaswag": {"acc,none": 1.0, "acc_norm,none": 0.0, "acc_stderr,none": "N/A"}}
    return {"task": "hellaswag", "harness": "0.4.13", "num_fewshot": 0, "results": results, "docs": [doc]}


def choice_lines() -> list[dict[str, Any]]:
    score = {"acc": {"value": 1.0, "prediction": 1}, "acc_norm": {"value": 0.0, "prediction": 0}}
    response = {"status": "ok", "loglikelihoods": [-9.0004, -8.5], "greedy": [False, False]}
    pairs = [["The sky", " is blue."], ["The sky", " eats."]]
    return [{"task": "hellaswag", "doc": "validation/3", "row": 3, "pairs": pairs, "target": 1, "responses": [response], "scores": score}]


def text_dump() -> dict[str, Any]:
    filters = {
        "strict-match": {"extracted": "[invalid]", "metrics": {"exact_match": 0.0}},
        "flexible-extract": {"extracted": "31", "metrics": {"exact_match": 1.0}},
    }
    doc = {"row": 0, "subject": None, "language": None, "target": "#### 31", "prompts": [["Q"]], "loglikelihoods": None, "greedy": None}
    results = {"gsm8k": {"exact_match,strict-match": 0.0, "exact_match,flexible-extract": 1.0}}
    return {"task": "gsm8k", "results": results, "docs": [{**doc, "text": " 31", "filters": filters}]}


def text_lines() -> list[dict[str, Any]]:
    scores = {"strict_match": {"value": 0.0, "prediction": None}, "flexible_extract": {"value": 1.0, "prediction": "31"}}
    response = {"status": "ok", "text": " 31"}
    return [{"task": "gsm8k", "doc": "test/0", "row": 0, "prompt": "Q", "target": "#### 31", "responses": [response], "scores": scores}]


def compared(parity: Any, dump: dict[str, Any], lines: list[dict[str, Any]], scores: dict[str, float]) -> Any:
    task = dump["task"]
    theirs = parity.peer_aggregates(task, dump["results"])
    return parity.compare(task, parity.from_peer(task, dump), parity.from_ours(task, lines), theirs, scores)


def test_equal_dumps_are_equal(modules: Any) -> None:
    parity, page, _, _ = modules
    choice = compared(parity, choice_dump(), choice_lines(), {"acc": 1.0, "acc_norm": 0.0})
    text = compared(parity, text_dump(), text_lines(), {"strict_match": 0.0, "flexible_extract": 1.0})
    assert choice.ok and text.ok, (choice.differences, text.differences)
    assert (choice.loglikelihoods.total, choice.decisions.total, text.extracted.total) == (2, 2, 2)
    assert choice.max_difference == pytest.approx(4e-4)
    assert page.as_text([choice, text]).count("equal") == 2


def change(lines: list[dict[str, Any]], path: list[Any], value: Any) -> list[dict[str, Any]]:
    changed = copy.deepcopy(lines)
    place: Any = changed[0]
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return changed


@pytest.mark.parametrize(
    ("path", "value", "what"),
    [
        (["pairs", 0, 0], "The sky ", "prompt"),
        (["responses", 0, "loglikelihoods"], [-9.0011, -8.5], "log-likelihood 0"),
        (["responses", 0, "loglikelihoods"], [-9.0], "number of log-likelihoods"),
        (["responses", 0, "greedy"], [True, False], "greedy"),
        (["scores", "acc", "prediction"], 0, "decisions acc"),
        (["scores", "acc_norm", "value"], 1.0, "values acc_norm"),
    ],
)
def test_a_difference_in_a_choice_is_noticed(modules: Any, path: list[Any], value: Any, what: str) -> None:
    found = compared(modules[0], choice_dump(), change(choice_lines(), path, value), {"acc": 1.0, "acc_norm": 0.0})
    assert not found.ok
    assert [d["what"] for d in found.differences] == [what]


@pytest.mark.parametrize(
    ("path", "value", "what"),
    [
        (["responses", 0, "text"], "31", "text"),
        (["scores", "strict_match", "prediction"], "31", "extracted strict_match"),
        (["scores", "flexible_extract", "value"], None, "values flexible_extract"),
    ],
)
def test_a_difference_in_a_text_is_noticed(modules: Any, path: list[Any], value: Any, what: str) -> None:
    found = compared(modules[0], text_dump(), change(text_lines(), path, value), {"strict_match": 0.0, "flexible_extract": 1.0})
    assert not found.ok
    assert [d["what"] for d in found.differences] == [what]


def test_a_document_or_score_of_one_side_alone_is_noticed(modules: Any) -> None:
    parity, page, _, _ = modules
    other = compared(parity, choice_dump(), change(choice_lines(), ["doc"], "validation/4"), {"acc": 1.0, "acc_norm": 0.0})
    assert not other.ok and other.only_peer == [("", 3)] and other.only_ours == [("", 4)]
    assert "1 documents only the peer has" in page.as_text([other])
    assert not compared(parity, choice_dump(), choice_lines(), {"acc": 1.0}).ok
    assert not compared(parity, choice_dump(), choice_lines(), {"acc": 1.0, "acc_norm": 0.00006}).ok
    assert not compared(parity, choice_dump(), [], {"acc": 1.0, "acc_norm": 0.0}).ok


def test_corpus_scores_are_compared_in_the_peers_unit(modules: Any) -> None:
    parity = modules[0]
    results = {"parity_flores_in_xx_en_hi": {"chrf++,none": 21.5, "chrf,none": 24.0}}
    assert parity.peer_aggregates("flores_in_xx_en", results) == {"chrf_pp/hi": 21.5, "chrf/hi": 24.0}
    summaries = {name: {"value": value, "groups": {}} for name, value in (("chrf_pp", 0.215), ("chrf", 0.24))}
    ours = parity.our_aggregates("flores_in_xx_en", {"summaries": summaries, "categories": {}}, ["hi"])
    assert ours == pytest.approx({"chrf_pp/hi": 21.5, "chrf/hi": 24.0})
    by_kind = {"value": 0.5, "groups": {"punctuation": {"value": 0.5}}}
    instructions = {"summaries": dict.fromkeys(parity.METRICS["ifeval"], by_kind), "categories": {}}
    assert parity.our_aggregates("ifeval", instructions) == dict.fromkeys(parity.METRICS["ifeval"], 0.5)


def test_the_golden_file_keeps_every_prompt(modules: Any) -> None:
    golden = modules[2]
    request: dict[str, Any] = {"limit": 1, "max_new_tokens": None, "languages": []}
    for dump in (choice_dump(), {**text_dump(), "harness": "0.4.13", "num_fewshot": 0}):
        assert golden.unpack(golden.pack(dump, request))["docs"] == [{**golden.pack(dump, request)["docs"][0], **dump["docs"][0]}]


def test_the_page_is_rewritten_between_its_markers(modules: Any, tmp_path: Path) -> None:
    parity, page, _, _ = modules
    result = compared(parity, choice_dump(), choice_lines(), {"acc": 1.0, "acc_norm": 0.0})
    file = tmp_path / "parity.md"
    file.write_text(f"# Before\n{page.BEGIN}\nold\n{page.END}\nafter\n", encoding="utf-8")
    page.update(file, [(None, result)])
    text = file.read_text(encoding="utf-8")
    assert text.startswith("# Before\n") and text.endswith("\nafter\n") and "old" not in text
    assert "| hellaswag | acc_norm | 0.0000 | 0.0000 | - |" in text
    earlier = "| hellaswag | 1 |\n| mmlu | 228 | kept |\n\n| hellaswag | acc | old |\n| mmlu | acc | kept too |\n"
    named = page.BEGIN_NAMED.format("other")
    file.write_text(f"{page.BEGIN}\nfirst\n{page.END}\n{named}\n{earlier}{page.END}\nafter\n", encoding="utf-8")
    page.update(file, [(None, result)], "other")
    text = file.read_text(encoding="utf-8")
    assert text.startswith(f"{page.BEGIN}\nfirst\n") and "old" not in text
    assert text.index("| hellaswag | 1 |") < text.index("| mmlu | 228 | kept |") < text.index("| hellaswag | acc ") < text.index("kept too")
    file.write_text("no markers", encoding="utf-8")
    with pytest.raises(SystemExit, match="lacks the line"):
        page.update(file, [(None, result)])


def test_limits_are_multiples_of_the_parts(modules: Any, tmp_path: Path) -> None:
    script = modules[3]
    rows = {"mmlu/test": '{"subject": "a"}\n{"subject": "b"}\n', "flores_in/hi/test": "{}\n", "flores_in/ta/test": "{}\n"}
    for name, text in rows.items():
        file = tmp_path / f"{name}.jsonl"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    words = ["--data", str(tmp_path), "--model", str(tmp_path), "--limit", "7", "--tasks", "mmlu", "flores_in_xx_en"]
    mmlu, flores = script.requests(script.parse(words))
    assert (mmlu.limit, mmlu.parts, mmlu.max_new_tokens) == (6, 2, None)
    assert (flores.limit, flores.parts, flores.languages) == (6, 2, ("hi", "ta"))
    with pytest.raises(SystemExit, match="gsm8k does not exist"):
        script.requests(script.parse([*words[:-2], "gsm8k"]))


def truthful_dump() -> dict[str, Any]:
    shared = {"row": 0, "subject": None, "language": None, "target": 0, "text": None, "greedy": [False] * 3}
    prompts = [["Q", " no"], ["Q", " never"], ["Q", " yes"]]
    filters = {
        "mc2": {"extracted": None, "metrics": {"acc": 0.7}, "among": [0, 1, 2]},
        "mc1": {"extracted": None, "metrics": {"acc": 0.0}, "among": [0, 2]},
    }
    doc = {**shared, "prompts": prompts, "loglikelihoods": [-3.0, -1.0, -2.0], "filters": filters}
    return {"task": "truthfulqa", "results": {"truthfulqa": {"acc,mc2": 0.7, "acc,mc1": 0.0}}, "docs": [doc]}


def test_two_scores_of_the_same_answers(modules: Any) -> None:
    """mc1 ranks its own choices only; mc2 is a mass, equal within the tolerance of what it is made of."""
    response = {"status": "ok", "loglikelihoods": [-3.0, -1.0, -2.0], "greedy": [False] * 3}
    pairs = [["Q", " no"], ["Q", " never"], ["Q", " yes"]]
    scores = {"mc2": {"value": 0.7004, "prediction": None}, "mc1": {"value": 0.0, "prediction": 2}}
    lines = [{"task": "truthfulqa", "doc": "validation/0", "pairs": pairs, "responses": [response], "scores": scores}]
    found = compared(modules[0], truthful_dump(), lines, {"mc2": 0.7, "mc1": 0.0})
    assert found.ok and (found.decisions.total, found.values.total) == (1, 2), found.differences
    off = compared(modules[0], truthful_dump(), change(lines, ["scores", "mc2", "value"], 0.702), {"mc2": 0.7, "mc1": 0.0})
    other = compared(modules[0], truthful_dump(), change(lines, ["scores", "mc1", "prediction"], 1), {"mc2": 0.7, "mc1": 0.0})
    assert [d["what"] for d in off.differences + other.differences] == ["values mc2", "decisions mc1"]


def test_several_tasks_of_the_peer_become_one(modules: Any) -> None:
    peer = importlib.import_module("parity_peer")

    def doc(*continuations: str, value: float) -> dict[str, Any]:
        lls = {" no": -3.0, " never": -1.0, " yes": -2.0}
        filters = {"none": {"extracted": None, "metrics": {"acc": value}}}
        prompts = [["Q", k] for k in continuations]
        return {
            "row": 0,
            "prompts": prompts,
            "loglikelihoods": [lls[k] for k in continuations],
            "greedy": [False] * len(prompts),
            "filters": filters,
        }

    parts = peer.PARTS["truthfulqa"]
    docs = {parts["mc2"]: [doc(" no", " never", " yes", value=0.7)], parts["mc1"]: [doc(" no", " yes", value=0.0)]}
    (record,) = peer.merged(parts, docs)
    assert record["prompts"] == [["Q", " no"], ["Q", " never"], ["Q", " yes"]] and record["loglikelihoods"] == [-3.0, -1.0, -2.0]
    assert [record["filters"][part]["among"] for part in ("mc2", "mc1")] == [[0, 1, 2], [0, 2]]
    named = peer.merged_scores("truthfulqa", {parts["mc2"]: {"acc,none": 0.7, "alias": "x"}, parts["mc1"]: {"acc,none": 0.0}})
    assert named == {"truthfulqa": {"acc,mc2": 0.7, "acc,mc1": 0.0}}
    docs[parts["mc1"]][0]["loglikelihoods"][0] = -3.5
    with pytest.raises(SystemExit, match="answered one request in two ways"):
        peer.merged(parts, docs)


def verdict_dump() -> dict[str, Any]:
    metrics = {
        f"{level}_level_{kind}_acc": value for kind in ("strict", "loose") for level, value in (("prompt", False), ("inst", [True, False]))
    }
    doc = {"row": 0, "subject": None, "language": None, "target": 0, "prompts": [["<user>Q"]], "loglikelihoods": None, "greedy": None}
    filters = {"none": {"extracted": "A", "metrics": metrics}}
    results = {
        "ifeval": {f"{level}_level_{kind}_acc,none": v for kind in ("strict", "loose") for level, v in (("prompt", 0.0), ("inst", 0.5))}
    }
    return {"task": "ifeval", "results": results, "docs": [{**doc, "text": "A", "filters": filters}]}


def test_every_instruction_has_a_verdict(modules: Any) -> None:
    dump = verdict_dump()
    scores = {
        name: {"value": 0.0 if name.startswith("prompt") else 0.5, "prediction": [["a:b", 1.0], ["c:d", 0.0]]}
        for name in dump["docs"][0]["filters"]["none"]["metrics"]
    }
    response = {"status": "ok", "text": "A"}
    lines = [{"task": "ifeval", "doc": "train/0", "prompt": "<user>Q", "responses": [response], "scores": scores}]
    ours = modules[0].peer_aggregates("ifeval", dump["results"])
    found = compared(modules[0], dump, lines, ours)
    assert found.ok and (found.values.total, found.extracted.total) == (4, 0), found.differences
    swapped = change(lines, ["scores", "inst_level_loose_acc", "prediction"], [["a:b", 0.0], ["c:d", 1.0]])
    assert [d["what"] for d in compared(modules[0], dump, swapped, ours).differences] == ["values inst_level_loose_acc"]


def test_programs_are_compared(modules: Any) -> None:
    filters = {"create_test": {"extracted": "def f():\n    return 1", "metrics": {"pass@1": 1.0}}}
    doc = {"row": 0, "subject": None, "language": None, "target": "", "prompts": [["def f():"]], "loglikelihoods": None, "greedy": None}
    results = {"humaneval": {"pass@1,create_test": 1.0}}
    dump = {"task": "humaneval", "results": results, "docs": [{**doc, "text": "\n    return 1", "filters": filters}]}
    ran = [{"program": "def f():\n    return 1", "outcome": "passed", "message": ""}]
    response = {"status": "ok", "text": "\n    return 1"}
    scores = {"pass@1": {"value": 1.0, "prediction": ran}}
    lines = [{"task": "humaneval", "doc": "test/0", "prompt": "def f():", "responses": [response], "scores": scores}]
    found = compared(modules[0], dump, lines, {"pass@1": 1.0})
    assert found.ok and (found.values.total, found.extracted.total) == (1, 1), found.differences
    other = change(lines, ["scores", "pass@1", "prediction"], [{**ran[0], "program": "def f():\n    return 1\n"}])
    failed = change(lines, ["scores", "pass@1", "value"], 0.0)
    differences = [d for changed in (other, failed) for d in compared(modules[0], dump, changed, {"pass@1": 1.0}).differences]
    assert [d["what"] for d in differences] == ["extracted pass@1", "values pass@1"]


def test_nltk_reads_the_punkt_it_is_given(modules: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import nltk
    from nltk.tokenize.punkt import PunktTokenizer

    offline = importlib.import_module("parity_offline")
    monkeypatch.setattr(nltk.data, "path", [])
    with pytest.raises(LookupError):
        PunktTokenizer("english")
    offline.write_punkt(tmp_path)
    text = "Dr. Rao met Mr. Iyer at 3 p.m. on Main St. near the bank. She left!"
    assert PunktTokenizer("english").tokenize(text) == ["Dr. Rao met Mr. Iyer at 3 p.m. on Main St. near the bank.", "She left!"]


def test_the_stand_in_for_code_eval_runs_programs(modules: Any) -> None:
    metric = importlib.import_module("parity_offline").CodeEval()
    test = "def check(candidate):\n    assert candidate(1) == 2\ncheck(f)"
    programs = {"def f(x):\n    return x + 1\n": 1.0, "def f(x):\n    return x\n": 0.0, "def f(x) return": 0.0}
    for program, passed in programs.items():
        assert metric.compute(references=[test], predictions=[[program]], k=[1])[0] == {"pass@1": passed}
    with pytest.raises(ValueError, match="one program a problem"):
        metric.compute(references=[test], predictions=[["a", "b"]], k=[1])


def test_the_peers_environment_is_renewed_when_its_needs_change(modules: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = modules[3]
    calls: list[str] = []
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(script.venv, "create", lambda folder, **_: (calls.append("create"), folder.mkdir(parents=True)))
    monkeypatch.setattr(script.subprocess, "run", lambda *_, **__: calls.append("install"))
    assert script.peer_python(None) == script.peer_python(None)
    monkeypatch.setattr(script, "SHARED", script.SHARED[1:])
    script.peer_python(None)
    assert calls == ["create", "install", "install"]
