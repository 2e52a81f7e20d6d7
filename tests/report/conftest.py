"""Invented results for the report's tests."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from evalkit.report.published import Card, parse_card
from evalkit.results import RunResult, TaskResult
from evalkit.types import Summary

CARD_CSV = """table,benchmark,task_name,metric,num_fewshot,model,score,cell_note
english_code_math,Hellaswag,hellaswag,Accuracy,0,Alpha-7B,0.70,
english_code_math,Hellaswag,hellaswag,Accuracy,0,Beta-12B-Instruct,0.95,10-shot
english_code_math,GSM8K,gsm8k,EM,0,Alpha-7B,,-
english_code_math,GSM8K,gsm8k,EM,0,Beta-12B-Instruct,,TBD
indic,Flores en-xx,flores_in_en_xx,chrF++,1,Alpha-7B,0.41,
"""


def card() -> Card:
    return parse_card(CARD_CSV, name="tiny", where="tiny.csv")


def summary(metric: str = "acc", value: float | None = 0.425, n: int = 200, **more: Any) -> Summary:
    fields: dict[str, Any] = {"stderr": 0.035, "ci": (0.3587, 0.4943), "signature": f"{metric}|mean"}
    return Summary(metric=metric, value=value, n=n, **{**fields, **more})


def task(name: str = "hellaswag", *summaries: Summary, **more: Any) -> TaskResult:
    found = summaries or (summary("acc_norm"), summary("acc", 0.38))
    fields: dict[str, Any] = {"num_fewshot": 0, "version": 1, "n_docs": 200, "n_total": 10042, "source": "invented rows"}
    return TaskResult(task=name, headline=found[0].metric, summaries={s.metric: s for s in found}, **{**fields, **more})


def run(*tasks: TaskResult, model: str = "tiny-model", complete: bool = True) -> RunResult:
    return RunResult(model=model, tasks={t.task: t for t in tasks}, complete=complete)


def languages() -> TaskResult:
    groups = {"hi": summary("chrF++", 0.3, 10), "ta": summary("chrF++", 0.2, 10)}
    return task("flores_in_en_xx", summary("chrF++", 0.26, 20, groups=groups, macro=0.25), num_fewshot=1, n_docs=20, n_total=24)


@pytest.fixture
def make() -> SimpleNamespace:
    """The builders above, by name."""
    return SimpleNamespace(card=card(), summary=summary, task=task, run=run, languages=languages)
