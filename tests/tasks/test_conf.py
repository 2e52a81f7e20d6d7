"""The shipped task, suite and model files: they compose, instantiate and speak of things that exist."""

from __future__ import annotations

import importlib
import inspect
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf

from evalkit.data import SamplesSource, load
from evalkit.languages import LANGUAGES
from evalkit.task import Task
from evalkit.types import GenerateRequest, LoglikelihoodRequest

CONF = Path(__file__).resolve().parents[2] / "conf"
TASKS = sorted(p.stem for p in (CONF / "task").glob("*.yaml"))
MODELS = sorted(p.stem for p in (CONF / "model").glob("*.yaml"))
SUITES = sorted(p.stem for p in (CONF / "suite").glob("*.yaml"))

# No commit of these is known to be the published one: the branch's is resolved and noted when rows are read.
UNPINNED = ("indic_xparaphrase", "indic_xparaphrase_logprob", "crosssum_in", "in22_en_xx", "in22_xx_en")


def raw(group: str, name: str) -> dict[str, Any]:
    return dict(yaml.safe_load((CONF / group / f"{name}.yaml").read_text(encoding="utf-8")))


@cache
def model(name: str) -> dict[str, Any]:
    """A model's configuration with what its file takes from another."""
    with initialize_config_dir(str(CONF), version_base=None):
        composed = OmegaConf.to_container(compose(overrides=[f"+model={name}", "+backend=hf"]).model)
    assert isinstance(composed, dict)
    return {str(key): value for key, value in composed.items()}


@cache
def task(name: str) -> Task:
    with initialize_config_dir(str(CONF), version_base=None):
        made = instantiate(compose(overrides=[f"+task={name}", "+sandbox=bubblewrap"]).tasks[name])
    assert isinstance(made, Task)
    return made


@pytest.mark.parametrize("name", TASKS)
def test_task_file(name: str) -> None:
    made = task(name)
    assert made.name == name
    description = raw("task", name)["description"]
    assert description == made.description and "\n" not in description
    assert len(made.data.revision or "") == 40 or made.data.private or made.data.generate or name in UNPINNED
    assert made.notes or made.prompt_notes, "a task says why its protocol is what it is"
    assert set(made.languages) <= set(LANGUAGES)


@pytest.mark.parametrize("name", TASKS)
def test_task_renders_every_sample_row_without_leaking_the_answer(name: str) -> None:
    made = task(name)
    loaded = load(name, made.data, SamplesSource(), made.languages, want_shots=False)
    shown = [loaded.docs[0]] * made.num_fewshot
    for doc in loaded.docs:
        for chat in (False, True):
            request = made.prompt.render(name, doc, shown, chat)
            if isinstance(request, GenerateRequest):
                text = request.prompt if isinstance(request.prompt, str) else request.prompt[-1].content
                # HumanEval's prompt is the start of a file, final newline included.
                assert name.startswith("humaneval") or not text.endswith((" ", "\n"))
                gold = str(doc.target)
                assert len(gold) == 1 or gold not in text.rsplit("\n\n", 1)[-1]  # one letter or digit is in any text
            else:
                assert len(request.pairs) == len(doc.choices)
                assert len(set(request.pairs)) == len(doc.choices)
                assert all(k.startswith(" ") != chat for _, k in request.pairs)


def test_mmlu_categories_are_the_57_subjects() -> None:
    groups = task("mmlu").groups
    subjects = [subject for names in groups.values() for subject in names]
    assert {name: len(names) for name, names in groups.items()} == {"stem": 19, "humanities": 13, "social_sciences": 12, "other": 13}
    assert len(set(subjects)) == len(subjects) == 57
    assert "anatomy" in groups["stem"]


def test_mmlu_cloze_scores_the_text_of_the_answers() -> None:
    made = task("mmlu_cloze")
    doc = load("mmlu_cloze", made.data, SamplesSource(), (), want_shots=False).docs[0]
    request = made.prompt.render("mmlu_cloze", doc, (), chat=False)
    assert isinstance(request, LoglikelihoodRequest) and request.pairs[0] == (
        f"Question: {doc.fields['question']}\nAnswer:",
        f" {doc.choices[0]}",
    )


def test_commonsense_qa_cloze_scores_the_text_after_the_bare_question() -> None:
    made = task("commonsense_qa_cloze")
    doc = load("commonsense_qa_cloze", made.data, SamplesSource(), (), want_shots=False).docs[0]
    request = made.prompt.render("commonsense_qa_cloze", doc, (), chat=False)
    assert isinstance(request, LoglikelihoodRequest) and request.pairs[0] == (
        "Where would you keep a spare umbrella at work?",
        " desk drawer",
    )
    assert (made.headline, len(request.pairs)) == ("acc_norm", 5)


def test_flores_released_names_the_code_of_the_wrong_side() -> None:
    for name, code in (("flores_in_en_xx_released", "en"), ("flores_in_xx_en_released", "hi")):
        made = task(name)
        docs = load(name, made.data, SamplesSource(), ["hi"], want_shots=False).docs
        request = made.prompt.render(name, docs[0], (), chat=False)
        assert isinstance(request, GenerateRequest) and f"\n\nTo {code}: {docs[0].fields['source']}\nOutput:" in request.prompt
        assert made.data.files == task(name.removesuffix("_released")).data.files


@pytest.mark.parametrize("name", SUITES)
def test_suite_names_tasks_that_exist(name: str) -> None:
    suite = raw("suite", name)
    assert set(suite["defaults"][0]["override /task"]) <= set(TASKS)


@pytest.mark.parametrize("name", MODELS)
def test_model_file(name: str) -> None:
    assert "\n" not in raw("model", name)["description"]
    made = model(name)
    assert made["name"] == (None if name == "openai" else name)
    module, _, cls = made["_target_"].rpartition(".")
    given = {k: v for k, v in made.items() if k not in ("_target_", "_convert_", "description")}
    inspect.signature(getattr(importlib.import_module(module), cls).__init__).bind(None, **given)
    assert made.get("path") or made.get("wheel") or made.get("base_url") or name in ("hf", "vllm", "fake")


def test_every_switch_the_indic_page_names_is_a_setting() -> None:
    """Its table of assumptions: what may be changed is in the task's file, so that no `+` is needed."""
    from evalkit.config.compose import compose as composed
    from evalkit.config.setup import build

    page = (CONF.parent / "docs" / "indic.md").read_text(encoding="utf-8")
    switches = [word.replace("…", "x") for word in re.findall(r"`(tasks\.[a-z0-9_]+\.[^`= ]+=[^` ]+)`", page) if "FILE" not in word]
    assert len(switches) >= 8
    for switch in switches:
        name = switch.split(".")[1]
        assert name in build(composed([f"task={name}", "model=fake", "data=samples", switch])).tasks


def test_a_task_in_several_languages_says_how_it_averages_them() -> None:
    with initialize_config_dir(str(CONF), version_base=None):
        made = compose(overrides=[f"+task=[{','.join(TASKS)}]", "+sandbox=bubblewrap"]).tasks
    # Other forms of a task whose own notes say it.
    forms = ("flores_in_en_xx_released", "flores_in_xx_en_released", "indic_copa_cloze")
    several = {name: one for name, one in made.items() if one.get("languages") and name not in forms}
    assert len(several) > 20
    for name, one in several.items():
        assert one.average in ("size", "macro"), name
        assert any("average: size" in note or "average: macro" in note for note in one.notes), name
