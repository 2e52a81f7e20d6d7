"""Log-likelihoods through a server equal the local back end's, and a server that cannot give them is found out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import ModelError
from evalkit.models.base import check_capabilities
from evalkit.models.hf import HFModel
from evalkit.run.score import judged
from evalkit.types import GenerateRequest, GenerationParams, LoglikelihoodRequest, Message
from tests.models.openai.conftest import Faulty, ask, hosted

Make = Callable[[Callable[[Faulty], None]], Any]
PAIRS = (
    ("The quick brown fox", " jumps over"),
    ("The quick brown fox ", "sleeps"),
    ("Question: 2 + 2?\nAnswer:", " 4"),
    ("प्रश्न: भारत की राजधानी?\nउत्तर:", " दिल्ली"),
    ("प्रश्न: भारत", "ी"),
    ("a", "b"),
    ("don", "'t"),
)
SCORE = [LoglikelihoodRequest("t", str(i), (pair, (pair[0], " no"))) for i, pair in enumerate(PAIRS)]
WRITE = [GenerateRequest("t", f"g{i}", context, GenerationParams(8, stop=("e ",))) for i, (context, _) in enumerate(PAIRS)]
TEMPLATE = "<s>{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}[assistant]"


def answers(model: Any, requests: list[Any]) -> list[Any]:
    items = model.encode(requests)
    by_key = {r.key: r for batch in model.answer(items, set()) for r in batch}
    return [by_key[item.key] for item in items]


def serve(module: Any, checkpoint: Path, **settings: Any) -> Any:
    served = module.Served(str(checkpoint), **settings)
    server = module.start(served)
    server.served, server.url = served, f"http://127.0.0.1:{server.server_port}/v1"
    return server


@pytest.fixture(params=[True, False], ids=["bos", "no bos"])
def checkpoint(request: pytest.FixtureRequest, tiny: Callable[..., Path]) -> Path:
    return tiny(bos=request.param, template=TEMPLATE)


@pytest.fixture
def honest(hosted_server: Any, checkpoint: Path) -> Iterator[Any]:
    server = serve(hosted_server, checkpoint)
    yield server
    server.shutdown()
    server.server_close()


def same(ours: list[Any], local: list[Any]) -> None:
    for one, other in zip(ours, local, strict=True):
        assert one.status == other.status, (one, other)
        assert one.loglikelihoods == pytest.approx(other.loglikelihoods, abs=2e-4)
        assert one.greedy == other.greedy and one.output_tokens == other.output_tokens
        assert one.context_tokens == other.context_tokens


def test_token_ids_give_the_local_numbers(honest: Any, checkpoint: Path) -> None:
    model = hosted(honest.url, api="completions", tokenizer=str(checkpoint))
    empty = LoglikelihoodRequest("t", "empty", (("", "The quick"), ("", "brown")))
    same(answers(model, [*SCORE, empty]), answers(HFModel("local", str(checkpoint)), [*SCORE, empty]))
    asked = [body for body in honest.served.requests if "logprob_token_ids" not in body]  # that word is tried once, at start
    assert all(isinstance(body["prompt"][0][0], int) for body in asked) and len(honest.served.requests) - len(asked) == 1
    assert model.describe()["scoring"] == "/completions, echo with logprobs, a document a request"


def test_text_alone_gives_the_local_numbers(honest: Any, checkpoint: Path) -> None:
    """Also where a character is split over tokens, so that only counting tells context from continuation."""
    model = hosted(honest.url, api="completions")
    same(answers(model, SCORE), answers(HFModel("local", str(checkpoint)), SCORE))
    assert {"प्रश्न: भारत की राजधानी?\nउत्तर:", "प्रश्न: भारत"} <= {b["prompt"] for b in honest.served.requests if isinstance(b["prompt"], str)}


def test_generated_text_is_the_local_one(honest: Any, checkpoint: Path) -> None:
    local = answers(HFModel("local", str(checkpoint)), WRITE)
    for settings in ({"tokenizer": str(checkpoint)}, {}):
        got = answers(hosted(honest.url, api="completions", **settings), WRITE)
        assert [(r.status, r.text) for r in got] == [(r.status, r.text) for r in local]


def test_a_conversation_is_the_servers_or_the_tokenizers(honest: Any, checkpoint: Path) -> None:
    chat = [GenerateRequest("t", "c", (Message("system", "be short"), Message("user", "The fox")), GenerationParams(8))]
    local = answers(HFModel("local", str(checkpoint)), chat)[0]
    by_server, by_us = hosted(honest.url), hosted(honest.url, api="completions", tokenizer=str(checkpoint))
    assert [answers(model, chat)[0].text for model in (by_server, by_us)] == [local.text] * 2
    assert "the server's own" in by_server.describe()["chat_template"] and "the tokenizer's" in by_us.describe()["chat_template"]


def test_a_server_that_takes_no_ids_says_so(hosted_server: Any, tiny: Callable[..., Path]) -> None:
    server = serve(hosted_server, tiny(), text_only=True)
    with pytest.raises(ModelError, match=r"no usable log-probabilities .*echo: HTTP 400: prompt must be a string"):
        answers(hosted(server.url, api="completions", tokenizer=str(tiny())), SCORE)
    same(answers(hosted(server.url, api="completions"), SCORE[:2]), answers(HFModel("local", str(tiny())), SCORE[:2]))
    server.shutdown()
    server.server_close()


def test_a_text_without_context_is_no_guess(hosted_server: Any, tiny: Callable[..., Path]) -> None:
    server = serve(hosted_server, tiny(bos=False))
    got = answers(hosted(server.url, api="completions"), [LoglikelihoodRequest("t", "e", (("", "The"), ("", "A")))])[0]
    assert got.status == "error" and "needs model.tokenizer" in got.error
    server.shutdown()
    server.server_close()


def echo(values: Callable[[int, int, int], float | None], tokens: Callable[[str], list[str]] = str.split) -> Callable[[Faulty], None]:
    """A server that lists `values(prompt number, token number, tokens)` for every word."""

    def script(h: Faulty) -> None:
        prompts = h.body["prompt"] if isinstance(h.body["prompt"], list) else [h.body["prompt"]]
        choices = []
        for i, prompt in enumerate(prompts):
            words = [w if not k else f" {w}" for k, w in enumerate(tokens(prompt))]
            listed = [values(i, k, len(words)) for k in range(len(words))]
            choices.append({"index": i, "text": prompt, "logprobs": {"tokens": words, "token_logprobs": listed}})
        h.send(200, {"choices": choices})

    return script


def one_place_off(h: Faulty) -> None:
    """A model that foresees every word, whose server lists the distribution after a word next to that word."""
    prompts = h.body["prompt"] if isinstance(h.body["prompt"], list) else [h.body["prompt"]]
    choices = []
    for i, prompt in enumerate(prompts):
        words = [w if not k else f" {w}" for k, w in enumerate(prompt.split())]
        values = [None, *(-9.0 - len(word) for word in words[1:])]
        tops = [None, *({after: -0.1, word: -9.0 - len(word)} for word, after in zip(words[1:], [*words[2:], "."], strict=True))]
        choices.append({"index": i, "text": prompt, "logprobs": {"tokens": words, "token_logprobs": values, "top_logprobs": tops}})
    h.send(200, {"choices": choices})


LIARS: dict[str, tuple[Callable[[Faulty], None], str]] = {
    "never": (echo(lambda i, k, n: None if k == 0 else -9999.0 - i if k == 1 else -1.0 - k), "infinitely unlikely"),
    "constant": (echo(lambda i, k, n: None if k == 0 else -1.0), "every token has the same value -1"),
    "zero": (echo(lambda i, k, n: 0.0), "every token has the same value 0"),
    "missing": (echo(lambda i, k, n: None if k < n - 1 else -2.0), "values are missing"),
    "positive": (echo(lambda i, k, n: None if k == 0 else 1.0 + k), "values are no log-probabilities"),
    "moving": (echo(lambda i, k, n: None if k == 0 else -1.0 - 2 * i - k), "a beginning that two lines share has different values"),
    "one place off": (one_place_off, "values are one place off"),
    "echo ignored": (
        lambda h: h.send(200, {"choices": [{"index": i, "text": " x", "logprobs": None} for i in range(2)]}),
        "echo was ignored",
    ),
    "refused": (lambda h: h.fail(400, "echo is not supported"), "HTTP 400: echo is not supported"),
    "chat format": (
        lambda h: h.send(200, {"choices": [{"index": 0, "text": " x", "logprobs": {"content": [{"token": " x", "logprob": -1}]}}]}),
        "echo was ignored",
    ),
}


ODD_VALUES: dict[str, tuple[Any, str]] = {
    "null": (None, "1 of a continuation's 2 tokens have no log-probability"),
    "NaN": (float("nan"), "values are no log-probabilities"),
    "infinity": (float("inf"), "values are no log-probabilities"),
    "positive": (3.0, "values are no log-probabilities"),
    "text": ("-1.0", "values are no log-probabilities"),
    "true": (True, "values are no log-probabilities"),
}


@pytest.mark.parametrize("odd", ODD_VALUES)
def test_a_value_that_is_none_after_the_probe_is_no_answer(faulty: Make, odd: str) -> None:
    """The probe was believable; later one token in the middle of a continuation is not: its document is not measured."""
    value, says = ODD_VALUES[odd]
    sound = echo(lambda i, k, n: None if k == 0 else -1.0 - k - (i + 1) * (k == n - 1))
    broken = echo(lambda i, k, n: None if k == 0 else value if k == n - 2 else -1.0 - k)
    server = faulty(lambda h: broken(h) if "Mars" in str(h.body) else sound(h))
    pairs = {
        "sound": (("The sky is", " very blue"), ("The sky is", " no")),
        "odd": (("We fly to", " Mars today"), ("We fly to", " Rome today")),
    }
    got = answers(hosted(server.url, api="completions"), [LoglikelihoodRequest("t", name, pair) for name, pair in pairs.items()])
    assert [r.status for r in got] == ["ok", "error"] and says in str(got[1].error), got


@pytest.mark.parametrize("lowest", [-math.inf, -9999.0])
def test_minus_infinity_is_a_log_probability(faulty: Make, lowest: float) -> None:
    """Where every choice has one, nothing is chosen: flat, as with a local model. One choice that has one is the unlikeliest."""
    sound = echo(lambda i, k, n: None if k == 0 else -1.0 - k - (i + 1) * (k == n - 1))
    never = echo(lambda i, k, n: None if k == 0 else lowest if k == n - 1 else -1.0 - k - i)
    second = echo(lambda i, k, n: None if k == 0 else lowest if i and k == n - 1 else -1.0 - k)
    server = faulty(lambda h: (never if "Mars" in str(h.body) else second if "Moon" in str(h.body) else sound)(h))
    asked = [
        LoglikelihoodRequest("t", place, ((f"We fly to {place}", " so today"), (f"We fly to {place}", " yet tomorrow")))
        for place in ("Rome", "Mars", "Moon")
    ]
    got = [judged(response) for response in answers(hosted(server.url, api="completions"), asked)]
    assert [r.status for r in got] == ["ok", "flat", "ok"]
    assert got[1].loglikelihoods == (-math.inf, -math.inf)
    assert got[2].loglikelihoods is not None and got[2].loglikelihoods[0] > got[2].loglikelihoods[1] == -math.inf


@pytest.mark.parametrize("liar", LIARS)
def test_a_server_that_cannot_score_is_found_out(faulty: Make, liar: str) -> None:
    script, says = LIARS[liar]
    server = faulty(script)
    with pytest.raises(ModelError, match=f"no usable log-probabilities of the prompt .*{says}"):
        answers(hosted(server.url, api="completions"), SCORE * 20)
    assert len(server.seen) <= 6


def test_prompt_logprobs_are_the_other_way(faulty: Make, tiny: Callable[..., Path]) -> None:
    def only_prompt_logprobs(h: Faulty) -> None:
        if "prompt_logprobs" not in h.body:
            return h.fail(400, "echo is not supported")
        prompts = h.body["prompt"] if isinstance(h.body["prompt"][0], list) else [h.body["prompt"]]
        choices = []
        for i, ids in enumerate(prompts):
            rows = [{str(t): {"logprob": -float(t) / 10, "rank": 1 + t % 2}, "99999": {"logprob": 0, "rank": 1}} for t in ids[1:]]
            choices.append({"index": i, "text": "", "prompt_logprobs": [None, *rows]})
        return h.send(200, {"choices": choices})

    model = hosted(faulty(only_prompt_logprobs).url, api="completions", tokenizer=str(tiny()))
    got, items = answers(model, SCORE), model.encode(SCORE)
    for response, item in zip(got, items, strict=True):
        assert response.loglikelihoods == pytest.approx([-sum(target) / 10 for _, target in item.pairs])
        assert response.greedy == tuple(all(t % 2 == 0 for t in target) for _, target in item.pairs)
    assert "prompt_logprobs" in model.describe()["scoring"]


def test_a_chat_endpoint_says_what_works_before_anything_is_sent(faulty: Make) -> None:
    server = faulty(lambda h: h.say("x"))
    with pytest.raises(
        ModelError, match=r"m has no prompt log-probabilities, which task t needs; use a task that generates.*model.api=completions"
    ):
        check_capabilities(hosted(server.url), SCORE)
    named = LoglikelihoodRequest("indic_copa_logprob", "0", PAIRS[:1])
    with pytest.raises(ModelError, match="which task indic_copa_logprob needs; use task=indic_copa, which generates; "):
        check_capabilities(hosted(server.url), [named])
    chat = [GenerateRequest("t", "0", (Message("user", "x"),), GenerationParams())]
    with pytest.raises(ModelError, match=r"m has no chat template, .*; model.api=chat generates"):
        check_capabilities(hosted(server.url, api="completions"), chat)
    assert not server.seen


def test_keys_hold_what_can_change_an_answer(tiny: Callable[..., Path]) -> None:
    def keys(**settings: Any) -> tuple[str, ...]:
        url = settings.pop("url", "http://127.0.0.1:1/v1")
        return tuple(item.key for item in hosted(url, **{"api": "completions", **settings}).encode([*SCORE, *WRITE]))

    different: list[dict[str, Any]] = [
        {},
        {"url": "http://127.0.0.1:2/v1"},
        {"model_id": "other"},
        {"revision": "q4"},
        {"dialect": {"extra_body": {"top_k": 1}}},
        {"tokenizer": str(tiny())},
        {"tokenizer": str(tiny(bos=False))},
    ]
    sets = [set(keys(**settings)) for settings in different]
    assert sum(map(len, sets)) == len(set().union(*sets)) == len(sets) * len({*SCORE, *WRITE})
    assert keys(traffic={"concurrency": 1}, price={"input": 1, "output": 1}, max_cost=1.0, api_key_env="OTHER_KEY") == keys()


def test_a_run_whose_every_request_failed_is_an_error(faulty: Make, evalkit: Any, tmp_path: Path) -> None:
    server = faulty(lambda h: h.fail(400, "unknown parameter"))
    said = evalkit(
        "run", "task=nq_open", "data=samples", "model=openai", "model.name=m", f"model.base_url={server.url}", "limit=4", "run_dir=r"
    )
    assert said.code == 4 and not (tmp_path / "r/scores.json").exists()
    assert said.error.splitlines()[-1] == (
        "error: every one of 4 requests failed, so nothing was measured; the first: HTTP 400: unknown parameter"
    )


def test_what_was_refused_and_filtered_stands_under_the_table(faulty: Make, evalkit: Any, caplog: pytest.LogCaptureFixture) -> None:
    def script(h: Faulty) -> None:
        kinds: list[Callable[[], None]] = [
            lambda: h.say(None, refusal="no"),
            lambda: h.say("x", finish="content_filter"),
            lambda: h.fail(400, "bad"),
            lambda: h.say("Paris"),
        ]
        kinds[h.number % 4]()

    server = faulty(script)
    said = evalkit(
        "run", "task=nq_open", "data=samples", "model=openai", "model.name=m", f"model.base_url={server.url}", "limit=8", "detail=all"
    )
    assert said.code == 0 and "2 refused by the model" in said.out and "2 stopped by a content filter" in said.out, said
    assert "2 not measured" in said.out and "2 of 8 requests failed and are not scored (first: HTTP 400: bad)" in caplog.text


def test_a_notebook_with_a_running_loop_can_measure(faulty: Make) -> None:
    import asyncio

    server = faulty(lambda h: h.say("x"))

    async def cell() -> dict[str, Any]:
        return ask(hosted(server.url), 3)

    assert {r.status for r in asyncio.run(cell()).values()} == {"ok"}
    model = hosted(server.url)
    assert {r.status for _ in range(2) for r in ask(model, 3).values()} == {"ok"} and model.ledger.requests == 6
