"""Suggestions: what is near is named, what is not stays unsaid."""

from __future__ import annotations

import pytest

from evalkit.config.explain import choices
from evalkit.errors import ConfigError, did_you_mean
from evalkit.paths import conf_dir

MODELS = [file.stem for file in choices(conf_dir() / "model")]
TASKS = [file.stem for file in choices(conf_dir() / "task")]


@pytest.mark.parametrize("word", ["nope", "abc", "x", "", "none", "claudia-9", "my_own_model", "piqa"])
def test_what_is_far_is_not_suggested(word: str) -> None:
    assert did_you_mean(word, MODELS) == "" and did_you_mean(word, TASKS) == ""


@pytest.mark.parametrize("name", [*MODELS, *TASKS])
def test_one_slip_is_understood(name: str) -> None:
    """A letter left out, doubled, changed, or swapped with the next: the name itself, or one as near."""
    middle = len(name) // 2
    slips = [name[:middle] + name[middle + 1 :], name[:middle] + name[middle] + name[middle:], name[:middle] + "q" + name[middle + 1 :]]
    slips.append(name[: middle - 1] + name[middle] + name[middle - 1] + name[middle + 1 :])
    for slip in slips:
        assert did_you_mean(slip, [*MODELS, *TASKS]), slip
        assert did_you_mean(slip, [name]) == f"; did you mean {name}?"


def test_the_beginning_of_a_name_is_enough() -> None:
    assert did_you_mean("smollm", MODELS) == "; did you mean smollm2_135m?"
    assert did_you_mean("sm", MODELS) == ""


def test_parts_of_a_setting_are_each_near() -> None:
    settings = ["model.seed", "model.path", "tasks.mmlu.num_fewshot", "tasks.gsm8k.data"]
    assert did_you_mean("model.sed", settings) == "; did you mean model.seed?"
    assert did_you_mean("tasks.mmlu.num_fewshots", settings) == "; did you mean tasks.mmlu.num_fewshot?"
    assert did_you_mean("model.speed_of_light", settings) == "" and did_you_mean("tasks.gsm8k.foo", settings) == ""


def test_equally_near_names_are_always_answered_alike() -> None:
    assert did_you_mean("taskc", ["taska", "taskb"]) == did_you_mean("taskc", ["taskb", "taska"]) == "; did you mean taska?"


def test_an_error_that_leads_back_to_itself_has_an_end() -> None:
    """`raise error from error` makes one; looking for ours among its causes went on for ever."""
    from evalkit.config.compose import as_ours

    own = ValueError("x")
    own.__cause__ = own
    assert as_ours(own) is None
    first, ours = ValueError("a"), ConfigError("ours")
    first.__context__, ours.__context__ = ours, first
    assert as_ours(first) is ours
