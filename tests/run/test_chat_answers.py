"""Every task that generates, through a chat endpoint with the habits of real ones: the scores are those of the answers alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from evalkit.config.compose import compose
from evalkit.config.setup import Setup, build
from evalkit.files import read_jsonl
from evalkit.metrics.corpus import CorpusMetric
from evalkit.models.openai import OpenAIModel
from evalkit.paths import conf_dir
from evalkit.prompts import Completion
from evalkit.results import TaskResult
from evalkit.run.measure import run
from evalkit.run.prepare import prepare
from evalkit.run.rescore import rescore
from evalkit.task import Task
from evalkit.types import Doc, GenerateRequest, Message
from tests.chat_server import Habits, Turns, serving

NAMES = sorted(file.stem for file in (conf_dir() / "task").glob("*.yaml"))
LANGUAGE = ("in_language", "in_script")
LIMIT = 12  # one or two of each language
# What a thought may hold: stops of every task, marks of a wrong answer, other options, commas, fences.
THOUGHT = (
    "Let me see.\n\nQuestion: is it so, or not? If cause, Answer: A. #### 3\nQ: 1, 2 or 3?\n```python\ndef wrong(x):\n    return 1\n```\n"
    "class A: pass\n#so\nif x:\nprint(1)\nPER: Nobody\nभारत, 7 </s> so the answer is 5."
)


@cache
def setup() -> Setup:
    words = [f"task=[{','.join(NAMES)}]", "data=samples", "model=fake", "sandbox=unsafe"]
    few = [f"tasks.{name}.prompt.num_samples=2" for name in ("humaneval", "humaneval_instruct")]
    few += [f"tasks.{name}.metrics.1.k=2" for name in ("humaneval", "humaneval_instruct")]
    few += [f"tasks.{name}.headline=pass@1" for name in ("humaneval", "humaneval_instruct")]
    return build(compose([*words, *few]))


@cache
def prepared(name: str) -> tuple[Task, Mapping[tuple[str, ...], Doc]]:
    """The task, and its documents by what a server reads of them."""
    whole = setup().tasks[name]
    # Neither intervals nor what is scored without a model depend on a server's habits.
    plain = [replace(metric, resamples=2) if isinstance(metric, CorpusMetric) else metric for metric in whole.metrics]
    task = replace(whole, metrics=plain, baselines=())
    made = prepare(task, setup().source, LIMIT, None, True)
    found = {read(request.prompt): doc for request, doc in zip(made.requests, made.evidence.docs, strict=True)}  # type: ignore[union-attr]
    return task, found


def read(prompt: str | tuple[Message, ...]) -> tuple[str, ...]:
    turns = (Message("user", prompt),) if isinstance(prompt, str) else prompt
    return tuple(turn.content for turn in turns if turn is not turns[-1] or turn.role != "assistant")


def right(task: Task, doc: Doc) -> str:
    """An answer that is right, as a person would give it."""
    if "canonical_solution" in doc.fields:
        return str(doc.fields["canonical_solution"])
    if task.name == "ifeval":
        return "* A lantern and a gull.\n* The river is a river by the river and the river ends"
    if isinstance(doc.target, tuple) and task.name.startswith("flores_doc_"):
        return "\n".join(f"{number}. {paragraph}" for number, paragraph in enumerate(doc.target, 1))
    if isinstance(doc.target, tuple) and task.name.startswith("ruler_"):
        return ", ".join(doc.target)  # all of them are asked for
    if isinstance(doc.target, tuple):
        return next(gold for gold in doc.target if not any(stop in gold for stop in stops(task)))
    shown = task.prompt.answer(doc) if isinstance(task.prompt, Completion) else str(doc.target)
    return f"Answer: {shown}" if task.name.startswith("indic_") else shown  # the form that their readers take


def stops(task: Task) -> tuple[str, ...]:
    return tuple(task.prompt.params.stop)  # type: ignore[attr-defined]


@cache
def generated() -> tuple[str, ...]:
    """The tasks that generate, found out when the first test runs: whoever collects tests has no need of them."""
    first = {name: prepare(setup().tasks[name], setup().source, 1, None, True).requests[0] for name in NAMES}
    return tuple(name for name, request in first.items() if isinstance(request, GenerateRequest))


def stopped() -> list[str]:
    return [name for name in generated() if stops(setup().tasks[name])]


def measured(habits: Habits, *names: str, **settings: Any) -> Mapping[str, TaskResult]:
    """All tasks in one run, unless some are named."""
    with serving(habits) as url:
        model = OpenAIModel("m", url, **settings)
        return run(model, [prepared(name)[0] for name in names or generated()], setup().source, limit=LIMIT).tasks


def scores(result: TaskResult) -> dict[str, tuple[float | None, int]]:
    return {metric: (summary.value, summary.n_invalid) for metric, summary in result.summaries.items()}


def answer(turns: Turns, then: Callable[[Task], str] = lambda task: "") -> str:
    """The right answer of whichever task asks, and what follows it."""
    key = read(tuple(Message(turn["role"], turn["content"]) for turn in turns))  # type: ignore[arg-type]
    task, doc = next((task, docs[key]) for task, docs in map(prepared, generated()) if key in docs)
    return right(task, doc) + then(task)


@cache
def alone() -> Mapping[str, TaskResult]:
    """The scores of right answers and nothing else."""
    return measured(Habits(answer))


def told(results: Mapping[str, TaskResult]) -> dict[str, Any]:
    return {name: (scores(result), result.counts) for name, result in results.items()}


def stopping(results: Mapping[str, TaskResult]) -> dict[str, Any]:
    return {name: scores(results[name]) for name in stopped()}


def test_right_answers_are_right() -> None:
    assert len(alone()) > 50 and not any(result.counts for result in alone().values())
    for name, result in alone().items():
        # BERTScore needs an encoder, and IFEval's answer is right for some of its documents.
        headline = result.summaries["chrf_pp" if result.headline == "bertscore" else result.headline]
        assert headline.n and headline.value is not None, name
        assert headline.value == pytest.approx(1.0) if name != "ifeval" else 0 < headline.value < 1, name


@pytest.mark.parametrize("where", ["marks", "field", "half"])
def test_a_thought_moves_no_score(where: Any) -> None:
    marks = {"thinking": ["<think>", "</think>"]} if where == "half" else {}
    assert told(measured(Habits(answer, thought=THOUGHT, where=where), **marks)) == told(alone())


@pytest.mark.parametrize("name", ["triviaqa", "gsm8k", "humaneval", "bharatbench_ner", "in22_en_xx"])
def test_nor_where_it_is_the_first_of_its_run(name: str) -> None:
    for where in ("marks", "field"):
        result = measured(Habits(answer, thought=THOUGHT, where=where), name)[name]
        assert scores(result) == scores(alone()[name]) and not result.counts


def test_a_thought_without_end_is_counted_and_nothing_of_it_is_right() -> None:
    for name, result in measured(Habits(answer, thought=THOUGHT, ends=False)).items():
        assert result.counts["thinking"] == result.n_docs, name
        rights = [summary for metric, summary in result.summaries.items() if summary.higher_is_better and metric not in LANGUAGE]
        assert rights and not any(summary.value for summary in rights), name


@pytest.mark.parametrize("thought", ["", THOUGHT])
def test_running_on_behind_a_stop_moves_no_score(thought: str) -> None:
    def more(turns: Turns) -> str:
        return answer(turns, lambda task: f"{(*stops(task), '')[0]}another one, #### 7\nAnswer: B" if stops(task) else "")

    assert stopping(measured(Habits(more, thought=thought), *stopped())) == stopping(alone())


@pytest.mark.parametrize("thought", ["", THOUGHT])
def test_programs_of_a_server_that_starts_over(thought: str) -> None:
    task, docs = prepared("humaneval_instruct")

    def whole(turns: Turns) -> str:
        doc = docs[(turns[0]["content"],)]
        return f"{doc.fields['prompt']}{right(task, doc)}"

    for habits in (
        Habits(whole, thought, fence=True, continues=False),
        Habits(whole, thought, fence=True, continues=False, runs_on="\n\nThis works.\n```python\nprint(1)\n```"),
        Habits(answer, thought, continues=False, fence=True),
        Habits(answer, thought, continues="flags"),
    ):
        assert measured(habits, "humaneval_instruct")["humaneval_instruct"].summaries["pass@1"].value == 1.0


@pytest.mark.parametrize("thought", ["", THOUGHT])
def test_a_question_repeated_before_the_answer_moves_no_score(thought: str) -> None:
    assert stopping(measured(Habits(answer, thought=thought, repeats=True), *stopped())) == stopping(alone())


@pytest.mark.parametrize("name", ["bharatbench_ner", "bharatbench_text_classification"])
@pytest.mark.parametrize("form", ["Here it is:\n\n{}", "\n\n{}\n", "```\n{}\n```", "**Answer:**\n{}<|im_end|>"])
def test_lines_around_an_answer_move_no_score_of_ours(name: str, form: str) -> None:
    result = measured(Habits(lambda turns: form.format(answer(turns))), name)[name]
    headline, invalid = result.summaries[result.headline], result.summaries["invalid"]
    assert (headline.value, invalid.value) == (1.0, 0.0)


@pytest.mark.parametrize("name", ["triviaqa", "gsm8k", "humaneval", "bharatbench_ner", "indic_copa"])
def test_nor_where_it_is_repeated_in_the_first_answer(name: str) -> None:
    assert scores(measured(Habits(answer, repeats=True), name)[name]) == scores(alone()[name])


def test_a_task_without_stops_takes_the_text_as_it_is() -> None:
    assert "ifeval" not in stopped()
    result = measured(Habits(answer, repeats=True), "ifeval")["ifeval"]
    said = measured(Habits(lambda turns: f"{turns[0]['content']}\n{answer(turns)}"), "ifeval")["ifeval"]
    assert scores(result) == scores(said) != scores(alone()["ifeval"])


@pytest.mark.parametrize("thought", ["", THOUGHT])
def test_scoring_again_finds_the_same_answers(thought: str, tmp_path: Path) -> None:
    names = ("humaneval_instruct", "gsm8k", "triviaqa", "bharatbench_ner")
    for number, habits in enumerate(
        (
            Habits(answer, thought, continues=False, fence=True, runs_on="\n\nDone.\n```python\nprint(1)\n```"),
            Habits(answer, thought, repeats=True, continues=False, fence=True),
            Habits(answer, thought, repeats=True),
        )
    ):
        tasks, folder = [prepared(name)[0] for name in names], tmp_path / str(number)
        with serving(habits) as url:
            measured = run(OpenAIModel("m", url), tasks, setup().source, limit=4, folder=folder).tasks
        again = rescore(folder, tasks, "m").tasks
        assert {name: scores(again[name]) for name in names} == {name: scores(measured[name]) for name in names}
        assert not any("cut otherwise" in note for name in names for note in again[name].notes)
        assert measured["humaneval_instruct"].summaries["pass@1"].value == 1.0


# ---- the cases that were wrong ----


def test_an_answer_without_commas_behind_a_thought_with_commas() -> None:
    asked = next(key for key, doc in prepared("ifeval")[1].items() if doc.target[0]["id"] == "punctuation:no_comma")

    def some(turns: Turns) -> str:
        return "* Boil water\n* Add tea" if turns[-1]["content"] == asked[-1] else "no, no"

    plain = measured(Habits(some), "ifeval")["ifeval"]
    thinks = measured(Habits(some, thought="First, boil, then, pour, or not?"), "ifeval")["ifeval"]
    assert scores(plain) == scores(thinks) and (thinks.summaries["prompt_level_strict_acc"].value or 0) > 0


def test_gold_b_behind_a_thought_of_a() -> None:
    task, docs = prepared("indic_copa")
    share = sum(right(task, doc) == "Answer: B" for doc in docs.values()) / len(docs)
    result = measured(Habits(lambda _: "Answer: B", thought="If cause, Answer: A…"), "indic_copa")["indic_copa"]
    assert 0 < share < 1 and result.summaries["acc"].value == pytest.approx(share)


@pytest.mark.parametrize("name", ["triviaqa", "gsm8k"])
def test_the_saved_answer_is_not_an_opening_mark(name: str, tmp_path: Path) -> None:
    task, docs = prepared(name)
    with serving(Habits(answer, thought=THOUGHT)) as url:
        run(OpenAIModel("m", url), [task], setup().source, limit=2, folder=tmp_path / "run")
    for sample in read_jsonl(tmp_path / "run" / "samples.jsonl"):
        (said,) = sample["responses"]
        assert said["text"] in {right(task, doc) for doc in docs.values()}
        assert said["thinking"] == THOUGHT.strip() and THOUGHT in said["raw"]
