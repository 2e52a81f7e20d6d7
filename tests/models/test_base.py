"""Keys hold everything that can change an answer, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import ModelError
from evalkit.models import Capabilities, check_capabilities
from evalkit.models.base import content_key, params_key
from evalkit.models.fake import FakeModel
from evalkit.types import GenerateRequest, GenerationParams, LoglikelihoodRequest, Message, Request

part = st.text(max_size=6) | st.lists(st.integers(-(2**40), 2**40), max_size=4).map(tuple)


@given(st.lists(part, max_size=4), st.lists(part, max_size=4))
def test_keys_of_different_parts_differ(one: list[str | tuple[int, ...]], other: list[str | tuple[int, ...]]) -> None:
    def raw(parts: list[str | tuple[int, ...]]) -> list[object]:
        return [p.encode() if isinstance(p, str) else b"".join(i.to_bytes(8, "little", signed=True) for i in p) for p in parts]

    assert (content_key(*one) == content_key(*other)) == (raw(one) == raw(other))


def test_parts_do_not_run_into_each_other() -> None:
    assert (
        len(
            {
                content_key("ab", "c"),
                content_key("a", "bc"),
                content_key("abc"),
                content_key("abc", ""),
                content_key((1, 2), (3,)),
                content_key((1,), (2, 3)),
            }
        )
        == 6
    )


def test_the_seed_matters_only_when_sampling() -> None:
    greedy, sampled = GenerationParams(8), GenerationParams(8, temperature=0.5)
    assert params_key(greedy, 0) == params_key(replace(greedy, seed=9, top_p=0.5), 0)
    keys = [
        params_key(p, s)
        for p in (sampled, replace(sampled, seed=9), replace(sampled, top_p=0.5), replace(sampled, temperature=0.6))
        for s in (0, 1)
    ]
    keys += [
        params_key(p, 0) for p in (greedy, replace(greedy, stop=("a",)), replace(greedy, stop=("b",)), replace(greedy, max_new_tokens=9))
    ]
    assert len(set(keys)) == len(keys)


SCORE = LoglikelihoodRequest("t", "1", (("a", " b"),))
WRITE = GenerateRequest("t", "1", "a", GenerationParams())
CHAT = GenerateRequest("t", "1", (Message("user", "a"),), GenerationParams())
CHAT_SCORE = LoglikelihoodRequest("t", "1", (("a", "b"), ((Message("user", "a"),), "b")))


@pytest.mark.parametrize(
    ("able", "request_", "says"),
    [
        (Capabilities(False, True, True), SCORE, "no prompt log-probabilities, which task t needs"),
        (Capabilities(True, False, True), WRITE, "cannot generate, which task t needs"),
        (Capabilities(True, True, False), CHAT, "no chat template, and task t"),
        (Capabilities(True, True, False), CHAT_SCORE, "no chat template, and task t"),
    ],
)
def test_a_missing_ability_is_named(able: Capabilities, request_: LoglikelihoodRequest | GenerateRequest, says: str) -> None:
    model = FakeModel("m")
    check_capabilities(model, [SCORE, WRITE, CHAT, CHAT_SCORE])
    model.capabilities = able
    with pytest.raises(ModelError, match=f"^m (has )?{says}"):
        check_capabilities(model, [request_])


def test_fake_answers_depend_on_the_prompt_and_its_seed_alone() -> None:
    requests: list[Request] = [
        SCORE,
        WRITE,
        GenerateRequest("t", "2", "\ud800", GenerationParams(), num_samples=2),
        LoglikelihoodRequest("t", "3", (("", "\udfff"),)),
    ]
    model, items = FakeModel(), FakeModel().encode(requests)
    answers = {r.key: r for batch in model.answer(items, set()) for r in batch}
    assert [item.sample for item in items] == [0, 0, 0, 1, 0] and len(answers) == 5
    assert {r.key: r for batch in FakeModel(batch_size=1, name="x").answer(items[::-1], set()) for r in batch} == answers
    assert not {item.key for item in FakeModel(seed=1).encode(requests)} & answers.keys()
    assert list(FakeModel().answer(items, set(answers))) == []
