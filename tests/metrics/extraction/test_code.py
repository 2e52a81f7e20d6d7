"""Programs in the shapes that chat models give them; those of one problem are run in the sandbox."""

from __future__ import annotations

import textwrap
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import ConfigError
from evalkit.metrics import PassAtK
from evalkit.metrics.extraction.code import program
from evalkit.sandbox import Limits, bubblewrap_pool
from evalkit.types import Doc, Response

PROMPT = '''from typing import List


def twice(x: int) -> int:
    """A helper of the prompt."""
    return 2 * x


def total(xs: List[int]) -> int:
    """Twice the sum of a list."""
'''
BODY = "    return twice(sum(xs))\n"
SIGNATURE = "def total(xs: List[int]) -> int:\n"
TEST = "def check(candidate):\n    assert candidate([1, 2]) == 6\n    assert candidate([]) == 0\n"
DOC = Doc("d", {"prompt": PROMPT, "test": TEST, "entry_point": "total"})
POOL = bubblewrap_pool(None, None, Limits(seconds=1.0, calibrate=False))

RIGHT = {
    "a completion": BODY,
    "a completion, then prose": BODY + "\nThis sums and doubles.",
    "tildes": f"Here:\n~~~python\n{SIGNATURE}{BODY}~~~\nDone.",
    "a fence in a longer one": f"````markdown\n```py\n{SIGNATURE}{BODY}```\n````",
    "a fence in a docstring": f'```python\n{SIGNATURE}    """\n    ```\n    total([1])\n    ```\n    """\n{BODY}```',
    "a session": f"```python\n>>> {SIGNATURE}...{BODY}```",
    "tags": f"[BEGIN]\n{SIGNATURE}{BODY}[DONE]",
    "a span": f"`{SIGNATURE.strip()} return twice(sum(xs))`",
    "JSON": '{"code": "def total(xs):\\n    return 2 * sum(xs)"}',
    "all of it indented": textwrap.indent(SIGNATURE + BODY, "    "),
    "blanks that do not break": f"```python\n{SIGNATURE}{BODY}```".replace("    ", "\u00a0\u00a0\u00a0\u00a0"),
    "a second block cut short": f"```python\n{SIGNATURE}{BODY}```\nShorter:\n```python\n{SIGNATURE}    retur",
    "a completion, then a fence that closes": BODY + "```\nThis sums and doubles.",
    "a completion without its indent": BODY.strip(),
    "a fenced body": f"```python\n{BODY}```",
    "a fenced body without its indent": f"```\n{BODY.strip()}\n```",
    "a whole file in a fence": f"Sure!\n\n```python\n{PROMPT}{BODY}```\n\nIt works because…",
    "the signature again": SIGNATURE + BODY,
    "a fence with the signature, without imports and helper": f"```python\n{SIGNATURE}{BODY}```",
    "two fences, the second is an example": f"```python\n{SIGNATURE}{BODY}```\nFor example:\n```python\nprint(total([1]))\n```",
    "two fences, the first is an example": f"```\n>>> total([1])\n2\n```\n```py\n{SIGNATURE}{BODY}```",
    "two fences, the second corrects the first": f"```python\n{SIGNATURE}    return 0\n```\nNo:\n```python\n{SIGNATURE}{BODY}```",
    "a helper in its own fence": f"```\ndef add(xs):\n    return sum(xs)\n```\nThen\n```\n{SIGNATURE}    return 2 * add(xs)\n```",
    "prose around code without a fence": f"Here is the function:\n\n{SIGNATURE}{BODY}\nIt sums and doubles.",
    "a fence that is not closed": f"Of course.\n```python\n{SIGNATURE}{BODY}",
    "an indented fence": textwrap.indent(f"```python\n{SIGNATURE}{BODY}```", "  "),
    "a failing test of its own": f"```python\n{SIGNATURE}{BODY}\nassert total([1]) == 5\n```",
    "an example that raises": f"```python\n{SIGNATURE}{BODY}\nprint(total(1, 2, 3))\n```",
    "a main part that leaves": f"```python\nimport sys\n{SIGNATURE}{BODY}\nif __name__ == '__main__':\n    sys.exit(3)\nsys.exit(1)\n```",
    "input": f"```python\n{SIGNATURE}{BODY}\nxs = input()\nprint(total(xs))\n```",
    "tests of unittest": f"```python\nimport unittest\n{SIGNATURE}{BODY}\nclass T(unittest.TestCase):\n    pass\n\nunittest.main()\n```",
    "values that it uses": (
        f"```python\nBASE = 1\nTWO = BASE + 1\nmemo = {{}}\nmemo['two'] = TWO\n{SIGNATURE}    return memo['two'] * sum(xs)\n```"
    ),
    "a method": "```python\nclass Solution:\n    def total(self, xs):\n        return 2 * sum(xs)\n```",
    "HTML": f"<pre><code class='language-python'>\n{SIGNATURE}    return 2 * sum(x for x in xs if x &lt; 99)\n</code></pre>",
    "a quotation": textwrap.indent(f"```python\n{SIGNATURE}{BODY}```", "> "),
    "a token that ends the turn": f"```python\n{SIGNATURE}{BODY}```<|im_end|>\n<|im_start|>user",
    "a lambda": "```python\ntotal = lambda xs: 2 * sum(xs)\n```",
    "an import of its own": f"```python\nimport math\nfrom typing import List\n\n{SIGNATURE}    return 2 * int(math.fsum(xs))\n```",
}
NONE = [
    "",
    "Sorry",
    "I cannot help with that.",
    "```python\n```",
    "```python\nprint(total([1]))\n```",
    "Here is the function:",
    "def other():\n    return 1\n",
]


def say(*texts: str) -> list[Response]:
    return [Response(str(i), "ok", text=text) for i, text in enumerate(texts)]


def test_right_programs_pass_in_every_shape() -> None:
    """One run of the sandbox for all."""
    docs = [Doc(name, DOC.fields) for name in RIGHT]
    scores = PassAtK(1, POOL, extracted=True).score_all(docs, {name: say(text) for name, text in RIGHT.items()})
    assert {score.doc_id: score.value for score in scores} == dict.fromkeys(RIGHT, 1.0)
    assert not any(score.flags for score in scores)


def test_a_wrong_program_stays_wrong() -> None:
    texts = [SIGNATURE + "    return 0\n", f"```python\n{SIGNATURE}    return sum(xs)\n```", "    pass\n"]
    assert PassAtK(1, POOL, extracted=True).score(DOC, say(*texts)).value == 0


@pytest.mark.parametrize("text", NONE)
def test_a_text_without_a_program(text: str) -> None:
    assert program(text, PROMPT, "total") is None


def test_what_the_prompt_begins_is_no_answer() -> None:
    prompt = 'def f(x):\n    import math\n    """Round up."""\n'
    assert program("", prompt, "f") is program("Sorry", prompt, "f") is None
    assert program("```python\nreturn math.ceil(x)\n```", prompt, "f") == prompt + "    return math.ceil(x)\n"


STATEMENTS = st.sampled_from(
    [
        "print(total([1]))",
        "assert total([1]) == 0",
        "for case in []:\n    total(case)",
        "x = total([1])",
        "raise SystemExit",
        "import doctest\ndoctest.testmod()",
    ]
)


@given(st.lists(STATEMENTS), st.lists(STATEMENTS))
def test_what_a_program_runs_by_itself_is_left_out(before: list[str], behind: list[str]) -> None:
    code = "\n".join([*before, SIGNATURE + BODY, *behind])
    found = program(f"```python\n{code}\n```", PROMPT, "total")
    assert found is not None and (SIGNATURE + BODY).strip() in found
    assert not any(word in found.replace(PROMPT, "") for word in ("print(", "assert", "raise", "testmod", "case", "x ="))


def test_answers_without_a_program_are_counted() -> None:
    metric = PassAtK(1, POOL, extracted=True)
    scores = [metric.score(DOC, say(BODY, "Sorry")), metric.score(Doc("e", DOC.fields), say("no", "never"))]
    assert [(s.value, s.flags) for s in scores] == [(0.5, ()), (0.0, ("invalid",))]
    assert [one["outcome"] for one in scores[0].prediction] == ["passed", "no program"]
    summary = metric.summarize(scores)
    assert (summary.metric, summary.value, summary.n_invalid) == ("pass@1, extracted", 0.25, 1)
    assert summary.note == "3 of 4 answers hold no program" and "extract:code" in summary.signature


def test_what_a_stop_cut_off_is_read_from_all_that_was_said() -> None:
    """A fence as a stop leaves nothing of an answer that opens with one."""
    cut = Response(
        "k",
        "ok",
        text="Here it is:\n",
        raw=f"<think>a ```fence```</think>Here it is:\n```python\n{SIGNATURE}{BODY}```",
        thinking="a ```fence```",
    )
    assert PassAtK(1, POOL, extracted=True).score(DOC, [cut]).value == 1
    assert PassAtK(1, POOL, cut="```").score(DOC, [cut]).value == 0


def test_two_ways_to_read_are_refused() -> None:
    with pytest.raises(ConfigError, match="two ways to read an answer"):
        PassAtK(1, POOL, cut="```", extracted=True)


@given(
    st.sampled_from(["", "Sure!\n\n", "The idea: sum, then double.\n", "1. Sum.\n2. Double.\n\n"]),
    st.sampled_from(["```python\n{}```", "```\n{}```", "```py\n{}\n```", "``` Python\n{}```", "```python\n{}"]),
    st.sampled_from([PROMPT + BODY, SIGNATURE + BODY, SIGNATURE + '    """Twice the sum."""\n' + BODY, BODY, BODY.strip() + "\n"]),
    st.sampled_from(["", "\n\nIt works.", "\n\n```python\nassert total([]) == 0\n```", "\n```\n>>> total([1])\n```\n"]),
)
def test_prose_and_fences_around_a_program_change_nothing(before: str, fence: str, code: str, after: str) -> None:
    if not fence.endswith("```") and after:
        return  # a fence that is not closed ends the text
    found = program(before + fence.format(code) + after, PROMPT, "total")
    assert found is not None
    names: dict[str, object] = {}
    exec(found, names)  # our own code
    assert names["total"]([1, 2]) == 6  # type: ignore[operator]


@given(st.text() | st.text(st.sampled_from("def total(xs):\n    return ```python lambda=[]{}'\"")))
def test_no_text_breaks_the_reader(text: str) -> None:
    found = program(text, PROMPT, "total")
    assert found is None or compile(found, "x", "exec", dont_inherit=True)


@pytest.mark.parametrize("piece", ["(", "[", "def total(", "```", "```\n", "import x\n", "-", "x = \\\n"])
def test_a_model_in_a_loop_costs_no_time(piece: str) -> None:
    start = time.process_time()
    program(piece * 2_000, PROMPT, "total")
    assert time.process_time() - start < 20
