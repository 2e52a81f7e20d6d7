"""From work items to vLLM's parameters and from its answers to ours; vLLM itself is not needed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from evalkit.errors import ConfigError, ModelError
from evalkit.models.base import WorkItem
from evalkit.models.vllm.asks import MOST_TOKENS, Ask, Gathering, Given, reading_order, scoring_asks
from evalkit.models.vllm.probe import choose_form, probe_item

Table = dict[tuple[int, ...], dict[int, float]]


def item(*pairs: tuple[tuple[int, ...], tuple[int, ...]], name: str = "d") -> WorkItem:
    return WorkItem(f"key-{name}", "task", name, 0, "loglikelihood", pairs=pairs)


def logprob(before: Sequence[int], token: int) -> float:
    """A made-up model of 50 tokens: what it thinks of a token depends on everything before it."""
    scores = [math.sin(1.0 + sum((place + 1) * one for place, one in enumerate(before)) * (other + 3) % 97) for other in range(50)]
    return scores[token] - math.log(sum(map(math.exp, scores)))


def row(before: Sequence[int], tokens: Sequence[int]) -> dict[int, tuple[float, int]]:
    of_all = sorted((logprob(before, token) for token in range(50)), reverse=True)
    return {token: (logprob(before, token), 1 + of_all.index(logprob(before, token))) for token in tokens}


def best(before: Sequence[int]) -> int:
    return max(range(50), key=lambda token: logprob(before, token))


class MadeUp:
    """Answers as vLLM does, one ask after the other, from the made-up model."""

    led_by: str | None = "processor"

    def run(self, asks: Sequence[Ask]) -> Iterator[tuple[Ask, Given]]:
        for ask in reversed(asks):  # in whatever order
            yield ask, self.answer(ask)

    def answer(self, ask: Ask) -> Given:
        if ask.kind == "follow":
            listed = tuple(row((*ask.prompt, *ask.tokens[:place]), [token]) for place, token in enumerate(ask.tokens))
            return Given(ask.tokens, listed)
        written = best(ask.prompt)
        wanted = [written, *ask.settings["logprob_token_ids"]]
        prompt = None
        if ask.kind == "read":
            prompt = (None, *(row(ask.prompt[:place], [ask.prompt[place]]) for place in range(1, len(ask.prompt))))
        return Given((written,), (row(ask.prompt, wanted),), prompt)


def scored(one: WorkItem, form: Any, engine: Any = None) -> tuple[tuple[float, ...], tuple[bool, ...]]:
    asks = scoring_asks(0, one, form)
    gathering = Gathering([one], asks)
    (answer,) = [a for ask, given in (engine or MadeUp()).run(asks) if (a := gathering.take(ask, given)) is not None]
    assert answer.key == one.key and answer.status == "ok"
    return answer.loglikelihoods or (), answer.greedy or ()


def expected(one: WorkItem) -> tuple[list[float], list[bool]]:
    sums, greedy = [], []
    for context, target in one.pairs:
        places = [(*context, *target[:at]) for at in range(len(target))]
        sums.append(sum(logprob(before, token) for before, token in zip(places, target, strict=True)))
        greedy.append(all(best(before) == token for before, token in zip(places, target, strict=True)))
    return sums, greedy


SHARED = (3, 1, 4, 1, 5)
ITEMS = [
    item((SHARED, (7,)), (SHARED, (8,)), (SHARED, (9,))),
    item((SHARED, (7, 8, 9)), (SHARED, (7, 8)), (SHARED, (2, 6, 5, 3))),
    item((SHARED, (7,)), (SHARED, (7, 8, 9)), (SHARED, (11,))),
    item((SHARED, (5, 6)), ((2, 7), (5, 6))),
    item((SHARED, (7,)), (SHARED, (7,)), (SHARED, (7, 8)), (SHARED, (7, 8))),
    item((SHARED, (7, 8)), (SHARED, (7, 9))),
    item((SHARED, (best(SHARED), best((*SHARED, best(SHARED))))), (SHARED, (best(SHARED),))),
    item(((1,), (2, 3))),
]


@pytest.mark.parametrize("form", ["follow", "prompt"])
@pytest.mark.parametrize("one", ITEMS, ids=range(len(ITEMS)))
def test_both_ways_give_the_models_own_numbers(one: WorkItem, form: str) -> None:
    sums, greedy = scored(one, form)
    wanted, flags = expected(one)
    assert sums == pytest.approx(wanted, abs=1e-9)
    assert list(greedy) == flags
    assert any(flags) == (one is ITEMS[6])


def test_letters_are_one_request_that_writes_one_token() -> None:
    (ask,) = scoring_asks(0, ITEMS[0], "prompt")
    assert ask.prompt == SHARED and ask.kind == "choose"
    assert ask.settings == {"max_tokens": 1, "temperature": 0.0, "logprob_token_ids": [7, 8, 9], "detokenize": False, "ignore_eos": True}
    assert ask.length == len(SHARED) + 1


def test_no_request_asks_about_more_tokens_than_the_engine_takes() -> None:
    many = WorkItem("k", "t", "d", 0, "loglikelihood", pairs=tuple(((1, 2), (token,)) for token in range(2 * MOST_TOKENS + 5)))
    asks = scoring_asks(0, many, "follow")
    assert [len(ask.settings["logprob_token_ids"]) for ask in asks] == [MOST_TOKENS, MOST_TOKENS, 5]
    assert [pair for ask in asks for pair in ask.pairs] == list(range(len(many.pairs)))


def test_a_followed_text_reads_its_context_through_the_cache() -> None:
    (ask,) = scoring_asks(0, item((SHARED, (7, 8, 9))), "follow")
    assert (ask.prompt, ask.tokens, ask.settings["max_tokens"], ask.settings["logprobs"]) == (SHARED, (7, 8, 9), 3, 0)
    assert "prompt_logprobs" not in ask.settings


def test_a_read_prompt_is_what_the_model_reads_and_never_the_last_token() -> None:
    """The last token is never an input: a sequence of the model's full length plus one scores, as in our own engine."""
    (ask,) = scoring_asks(0, item((SHARED, (7, 8, 9))), "prompt")
    assert ask.prompt == (*SHARED, 7, 8) and ask.settings["prompt_logprobs"] == 0 and ask.settings["logprob_token_ids"] == [9]
    # Continuations that differ in their last token alone are one sequence.
    (both,) = scoring_asks(0, ITEMS[5], "prompt")
    assert both.settings["logprob_token_ids"] == [8, 9] and both.pairs == (0, 1)


def test_equal_pairs_are_asked_once() -> None:
    assert len(scoring_asks(0, ITEMS[4], "follow")) == 2


class Stubborn(MadeUp):
    """An engine that writes what it likes, as one whose version knows no following."""

    def answer(self, ask: Ask) -> Given:
        given = super().answer(ask)
        return Given((0,) * len(ask.tokens), given.listed) if ask.kind == "follow" else given


class Wrong(MadeUp):
    """An engine that lists what comes after its processors: the token it was led to has probability one."""

    def answer(self, ask: Ask) -> Given:
        given = super().answer(ask)
        return (
            Given(given.tokens, tuple({token: (0.0, 1) for token in listed} for listed in given.listed)) if ask.kind == "follow" else given
        )


class Unled(MadeUp):
    led_by = None


@pytest.mark.parametrize(("engine", "form"), [(MadeUp(), "follow"), (Stubborn(), "prompt"), (Wrong(), "prompt"), (Unled(), "prompt")])
def test_the_probe_keeps_the_way_that_holds(engine: Any, form: str) -> None:
    assert choose_form(engine, range(50), 64, "float32") == form


def test_the_probe_fits_a_short_model() -> None:
    assert len(probe_item(50, 3).pairs[0][0]) == 3


def test_an_answer_that_is_no_answer_is_refused() -> None:
    one = item((SHARED, (7, 8)))
    (ask,) = scoring_asks(0, one, "follow")
    for given in (Given((7,), (row(SHARED, [7]),)), Given((7, 8), (row(SHARED, [7]), {})), Given(())):
        with pytest.raises(ModelError, match="task/d cannot be used"):
            Gathering([one], [ask]).take(ask, given)


def test_order_puts_what_shares_a_beginning_side_by_side() -> None:
    heads = [tuple(range(40)), tuple(range(10, 60))]
    items = [item(((*heads[index % 2], 50 + index), (7,)), name=str(index)) for index in range(60)]
    order = reading_order(items)
    assert sorted(order) == list(range(60))
    assert sum(order[at] % 2 != order[at + 1] % 2 for at in range(59)) == 1


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"tensor_parallel": 0}, "model.tensor_parallel=0"),
        ({"rows": True}, "model.rows=True"),
        ({"gpu_memory": 1.5}, "model.gpu_memory=1.5"),
        ({"kv_gib": -1}, "model.kv_gib=-1"),
    ],
)
def test_settings_that_cannot_be_are_named(settings: dict[str, Any], said: str) -> None:
    from evalkit.models.vllm import VLLMModel

    with pytest.raises(ConfigError, match=said):
        VLLMModel("x", path="p", **settings)
