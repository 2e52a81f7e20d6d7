"""HumanEval's two forms, to the letter."""

from __future__ import annotations

from evalkit.config.compose import compose
from evalkit.config.setup import build
from evalkit.prompts import PromptFormatter
from evalkit.tasks.humaneval import to_doc
from evalkit.types import Doc, GenerateRequest, Message

PROMPT = 'def twice(x: int) -> int:\n    """Return x doubled, {so} to say."""\n'
ROW = {
    "task_id": "HumanEval/999",
    "prompt": PROMPT,
    "canonical_solution": "    return 2 * x\n",
    "test": "def check(candidate):\n    assert candidate(3) == 6\n",
    "entry_point": "twice",
}


def asked(task: str, chat: bool) -> GenerateRequest:
    formatter: PromptFormatter = build(compose([f"task={task}", "data=samples"])).tasks[task].prompt
    doc = to_doc(ROW)
    assert isinstance(doc, Doc)
    request = formatter.render(task, doc, (), chat)
    assert isinstance(request, GenerateRequest)
    return request


def test_the_base_form_is_the_start_of_a_file_as_it_stands() -> None:
    request = asked("humaneval", chat=False)
    assert request.prompt == PROMPT
    assert request.params.stop == ("\nclass", "\ndef", "\n#", "\nif", "\nprint")
    assert (request.num_samples, request.params.temperature, request.params.top_p) == (20, 0.8, 0.95)


def test_the_instruct_form_begins_the_answer() -> None:
    request = asked("humaneval_instruct", chat=True)
    question = f"Write a solution to the following problem and make sure that it passes the tests:\n```python\n{PROMPT}\n```\n"
    assert request.prompt == (
        Message("user", question),
        Message("assistant", f"Here is the completed function:\n```python\n{PROMPT}\n"),
    )
    assert request.params.stop == ("```",)
