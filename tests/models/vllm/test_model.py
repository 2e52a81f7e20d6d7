"""The back end against our own engine, with an engine behind it that speaks as vLLM does; vLLM itself is not needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from evalkit.errors import ModelError
from evalkit.models.base import cut_at_stops
from evalkit.models.hf import HFModel
from evalkit.models.vllm import VLLMModel
from evalkit.models.vllm import model as module
from evalkit.models.vllm.asks import Ask, Given
from evalkit.models.vllm.engine import EngineSettings, given_of, prepare_process, reason_missing, refused
from evalkit.models.vllm.texts import seed_of, writing_ask
from evalkit.types import GenerateRequest, GenerationParams, LoglikelihoodRequest, Request, Response

Tiny = Callable[..., Path]


class Stand:
    """Answers vLLM's parameters with a real small model, one sequence at a time."""

    made: ClassVar[list[Stand]] = []
    version, device, rows = "0.0", "cpu", 4

    def __init__(self, settings: EngineSettings) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        self.settings, self.led_by, self.closed = settings, "processor", False
        self.torch = torch
        self.model = AutoModelForCausalLM.from_pretrained(settings.model, dtype=torch.float32).eval()
        self.tokenizer = AutoTokenizer.from_pretrained(settings.model)
        self.asked: list[Ask] = []
        self.dropped: list[Ask] = []
        Stand.made.append(self)

    def run(self, asks: Sequence[Ask]) -> Iterator[tuple[Ask, Given]]:
        self.asked.extend(asks)
        for ask in asks:
            assert ask.length <= self.settings.length
            if ask.kind == "write":
                yield from self.write(ask)
            else:
                yield ask, self.score(ask)

    def drop(self, ask: Ask) -> None:
        self.dropped.append(ask)

    def close(self) -> None:
        self.closed = True

    def logprobs(self, ids: Sequence[int]) -> Any:
        with self.torch.inference_mode():
            return self.model(input_ids=self.torch.tensor([list(ids)])).logits[0].log_softmax(-1)

    def score(self, ask: Ask) -> Given:
        rows = self.logprobs((*ask.prompt, *(ask.tokens[:-1] if ask.kind == "follow" else ())))

        def about(place: int, tokens: Sequence[int]) -> dict[int, tuple[float, int]]:
            return {token: (float(rows[place, token]), 1 + int((rows[place] > rows[place, token]).sum())) for token in tokens}

        start = len(ask.prompt) - 1
        if ask.kind == "follow":
            return Given(ask.tokens, tuple(about(start + place, [token]) for place, token in enumerate(ask.tokens)))
        best = int(rows[start].argmax())
        prompt = (None, *(about(place - 1, [ask.prompt[place]]) for place in range(1, len(ask.prompt)))) if ask.kind == "read" else None
        return Given((best,), (about(start, [best, *ask.settings["logprob_token_ids"]]),), prompt)

    def write(self, ask: Ask) -> Iterator[tuple[Ask, Given]]:
        written: list[int] = []
        for _ in range(ask.settings["max_tokens"]):
            token = int(self.logprobs((*ask.prompt, *written))[-1].argmax())
            written.append(token)
            text = self.tokenizer.decode(written, skip_special_tokens=True)
            ended = token in ask.settings["stop_token_ids"] or cut_at_stops(text, ask.settings.get("stop", ())) != text
            if ask.stream:
                yield ask, Given((token,), done=ended or len(written) == ask.settings["max_tokens"])
                if ask in self.dropped:
                    return
            if ended:
                break
        if not ask.stream:
            yield ask, Given(tuple(written))


@pytest.fixture(autouse=True)
def _engine(monkeypatch: pytest.MonkeyPatch) -> None:
    Stand.made = []
    monkeypatch.setattr(module, "Engine", Stand)


def vllm(folder: Path, **settings: Any) -> VLLMModel:
    return VLLMModel("tiny", path=str(folder), dtype="float32", **settings)


def ask(model: Any, requests: Sequence[Request]) -> list[Response]:
    items = model.encode(requests)
    answers = {r.key: r for batch in model.answer(items, set()) for r in batch}
    return [answers[item.key] for item in items]


def ll(*pairs: tuple[str, str], doc: str = "d") -> LoglikelihoodRequest:
    return LoglikelihoodRequest("t", doc, pairs)


def gen(prompt: str, new: int = 12, doc: str = "d", samples: int = 1, **params: Any) -> GenerateRequest:
    return GenerateRequest("t", doc, prompt, GenerationParams(new, **params), samples)


SCORED = [
    ll(("a b c", " a"), ("a b c", " b"), ("a b c", " d e f")),
    ll(("some longer words before", " one two three"), ("some longer words", " before one")),
    ll(("", "no context at all")),
    ll(("ends with space ", "x")),
    ll(("long " * 200, " tail"), ("long " * 200, " other tail of it")),
]
WRITTEN = [gen("a b c", doc="1"), gen("one two", 5, "2"), gen("a b c", 20, "3", stop=("e", "zz")), gen("long " * 200, 8, "4")]


def assert_same(got: Sequence[Response], wanted: Sequence[Response]) -> None:
    for one, other in zip(got, wanted, strict=True):
        assert one.loglikelihoods == (None if other.loglikelihoods is None else pytest.approx(other.loglikelihoods, abs=1e-4))
        left_out = ("key", "loglikelihoods")
        fields = [name for name in Response.__slots__ if name not in left_out]
        assert {name: getattr(one, name) for name in fields} == {name: getattr(other, name) for name in fields}


def test_log_likelihoods_are_our_own_engines(tiny: Tiny) -> None:
    folder = tiny(max_length=128)
    assert_same(ask(vllm(folder), SCORED), ask(HFModel("tiny", path=str(folder), dtype="float32", device="cpu"), SCORED))
    assert {one.kind for one in Stand.made[0].asked} == {"choose", "follow", "read"}  # read: the probe alone
    assert len(Stand.made) == 1


def test_texts_are_our_own_engines(tiny: Tiny) -> None:
    folder = tiny(max_length=128)
    assert_same(ask(vllm(folder), WRITTEN), ask(HFModel("tiny", path=str(folder), dtype="float32", device="cpu"), WRITTEN))


@pytest.mark.parametrize("tokens", [0, 3, 200])
def test_thoughts_are_told_apart_as_by_our_own_engine(tiny: Tiny, tokens: int) -> None:
    """Marks that the tiny model really writes: thoughts that end, that do not, and stops that act behind them alone."""
    folder = tiny(max_length=256)
    local = HFModel("tiny", path=str(folder), dtype="float32", device="cpu")
    text = ask(local, [gen("a b c", 40)])[0].text or ""
    letters = list(dict.fromkeys(text.strip()))
    settings: dict[str, Any] = {"thinking": [letters[0], letters[-1]], "thinking_tokens": tokens}
    requests = [gen("a b c", 20, "1", stop=(letters[len(letters) // 2],)), gen("one two", 9, "2")]
    wanted = ask(HFModel("tiny", path=str(folder), dtype="float32", device="cpu", **settings), requests)
    assert_same(ask(vllm(folder, **settings), requests), wanted)
    assert all(one.stream and "stop" not in one.settings for one in Stand.made[0].asked)


def test_what_is_there_is_not_asked_again_and_a_cohort_is_asked_whole(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is computed together with what depends on all items, so an interrupted run ends as one that was not."""
    monkeypatch.setattr(module, "TOGETHER", 2)
    model = vllm(tiny())
    items = model.encode([ll((f"{word} b c", " d e"), doc=word) for word in "abcdef"])
    first = [r for batch in model.answer(items, set()) for r in batch]
    assert len(first) == 6
    again = vllm(tiny())
    batches = list(again.answer(items, {r.key for r in first[:3]}))
    assert [r for batch in batches for r in batch] == first[2:]
    assert list(again.answer(items, {item.key for item in items})) == []


def test_texts_under_one_plan_are_many_times_what_runs_at_once(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that writes many at once would idle while the last texts of every small group end."""
    monkeypatch.setattr(module, "TOGETHER", 2)
    monkeypatch.setattr(module, "WAVES", 1)
    model = vllm(tiny())
    items = model.encode([gen(f"a {word}", 2, word) for word in "bcdefg"])
    first = [r.key for batch in model.answer(items, set()) for r in batch]
    assert len(first) == 6
    again = [r.key for batch in model.answer(items, set(first[1:])) for r in batch]
    assert again == first[: Stand.rows]  # the group of the one that was missing


def test_answers_come_as_they_finish(tiny: Tiny) -> None:
    model = vllm(tiny())
    items = model.encode([ll((f"{word} b c", " d e"), doc=word) for word in "abcdef"])
    answers = model.answer(items, set())
    assert len(next(answers)) == 1


@pytest.mark.parametrize("how", ["close", "throw"])
def test_nothing_stays_when_nobody_wants_the_rest(tiny: Tiny, how: str) -> None:
    model = vllm(tiny())
    answers = model.answer(model.encode([gen("a b c", doc=str(n)) for n in range(3)]), set())
    next(answers)
    if how == "close":
        answers.close()  # type: ignore[attr-defined]
    else:
        with pytest.raises(KeyboardInterrupt):
            answers.throw(KeyboardInterrupt())  # type: ignore[attr-defined]
    assert Stand.made[0].closed


def test_the_engine_holds_the_longest_request_and_no_more(tiny: Tiny) -> None:
    ask(vllm(tiny(max_length=512)), [ll(("a b c", " d")), gen("a b", 7)])
    assert Stand.made[0].settings.length < 30


def test_samples_have_seeds_of_their_own(tiny: Tiny) -> None:
    model = vllm(tiny())
    items = model.encode([gen("a b c", samples=4, temperature=0.7, top_p=0.9, stop=("x",))])
    asks = [writing_ask(index, item, {2}) for index, item in enumerate(items)]
    assert len({one.settings["seed"] for one in asks}) == 4
    assert asks[0].settings == {
        "max_tokens": 12, "temperature": 0.7, "top_p": 0.9, "top_k": 0, "min_p": 0.0, "seed": seed_of(items[0]),
        "stop": ["x"], "stop_token_ids": [2], "detokenize": True,
    }  # fmt: skip
    (greedy,) = model.encode([gen("a b c")])
    assert "seed" not in writing_ask(0, greedy, {2}).settings


def test_keys_and_identity_name_the_back_end_and_what_can_change_an_answer(tiny: Tiny) -> None:
    folder = tiny()
    plain, local = vllm(folder), HFModel("tiny", path=str(folder), dtype="float32")
    assert plain.identity() == {**local.identity(), "back_end": "vllm"}
    assert plain.fingerprint != local.fingerprint
    quick = vllm(folder, rows=3, tensor_parallel=2, gpu_memory=0.5, eager=True, batch_tokens=64, kv_gib=1)
    assert (quick.identity(), quick.fingerprint) == (plain.identity(), plain.fingerprint)
    less = vllm(folder, quantization="fp8")
    assert less.identity()["quantization"] == "fp8" and less.fingerprint != plain.fingerprint
    assert vllm(folder, engine={"kv_cache_dtype": "fp8"}).fingerprint not in (plain.fingerprint, less.fingerprint)


def test_vllms_arguments() -> None:
    given = EngineSettings(model="M", length=77).arguments(cpu=False)
    assert given["max_model_len"] == 77 and given["enable_prefix_caching"] and given["generation_config"] == "vllm"
    assert not {"enforce_eager", "kv_cache_memory_bytes", "block_size", "quantization"} & set(given)
    cpu = EngineSettings(model="M", rows=5, kv_gib=0.5, eager=False, extra={"max_num_seqs": 9}).arguments(cpu=True)
    assert "enforce_eager" not in cpu and cpu["kv_cache_memory_bytes"] == 2**29 and cpu["max_num_seqs"] == 9


def test_an_engine_in_a_process_of_its_own_is_not_heeded(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("VLLM_ENABLE_V1_MULTIPROCESSING", "1")
    prepare_process()
    import os

    assert os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] == "0" and "=1 is not heeded" in caplog.text


def test_one_process_and_no_word_of_the_users_is_overwritten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_LOGGING_LEVEL", "DEBUG")
    for name in ("VLLM_ENABLE_V1_MULTIPROCESSING", "VLLM_NO_USAGE_STATS", "OMP_NUM_THREADS", "VLLM_CPU_OMP_THREADS_BIND"):
        monkeypatch.setenv(name, "x")
        monkeypatch.delenv(name)
    monkeypatch.setenv("VLLM_ALLOW_LONG_MAX_MODEL_LEN", "1")
    prepare_process()
    import os

    assert (os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"], os.environ["VLLM_LOGGING_LEVEL"], os.environ["VLLM_NO_USAGE_STATS"]) == (
        "0",
        "DEBUG",
        "1",
    )


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (ValueError("No available memory for the cache blocks. Try more"), "lower model.max_length"),
        (
            ValueError("To serve at least one request, 4 GiB KV cache is needed, which is larger than the available KV cache memory"),
            "model.gpu_memory",
        ),
        (
            ValueError("Free memory (3/80 GiB) is less than desired GPU memory utilization (0.9)"),
            "lower model.gpu_memory",
        ),
        (ValueError("Available memory on node 0 is less than requested memory for kv (900 GiB)"), "lower model.kv_gib"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), "lower model.rows, model.batch_tokens"),
        (MemoryError(), "model.batch_tokens"),
    ],
)
def test_memory_errors_say_which_setting_to_lower(error: Exception, advice: str) -> None:
    outer = RuntimeError("Engine core initialization failed. See root cause above.")
    outer.__cause__ = error
    for one in (error, outer):
        said = str(refused(one, EngineSettings(model="M"), starting=True))
        assert advice in said and "\n" not in said


def test_other_errors_keep_their_own_first_line() -> None:
    said = str(refused(ValueError("Model architectures ['X'] are not supported\nmore"), EngineSettings(model="M"), starting=True))
    assert said == "vLLM failed at its start: Model architectures ['X'] are not supported"


def test_a_missing_package_is_one_line_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    from evalkit.models.vllm import engine

    monkeypatch.setattr("evalkit.extras.find_spec", lambda name: None)
    assert "pip install 'evalkit-harness[vllm]'" in (reason_missing() or "")
    with pytest.raises(ModelError, match="not installed; run: pip install"):
        engine.Engine(EngineSettings(model="M"))


def test_vllms_output_object() -> None:
    def about(value: float, rank: int | None) -> Any:
        return SimpleNamespace(logprob=value, rank=rank)

    one = SimpleNamespace(token_ids=[5, 6], logprobs=[{5: about(-1.0, 1)}, {6: about(-2.0, None)}])
    output = SimpleNamespace(outputs=[one], prompt_logprobs=[None, {3: about(-3.0, 7)}], finished=True, num_cached_tokens=32)
    assert given_of(output) == Given((5, 6), ({5: (-1.0, 1)}, {6: (-2.0, 0)}), (None, {3: (-3.0, 7)}), True, 32)


def test_decoding_as_a_models_card_asks_reaches_vllm(tiny: Tiny) -> None:
    asked = {"temperature": 0.6, "top_k": 20, "min_p": 0.05, "repetition_penalty": 1.1, "presence_penalty": 0.5}
    (item,) = vllm(tiny(), sampling=asked).encode([gen("a b c")])
    given = writing_ask(0, item, {2}).settings
    assert {name: given[name] for name in asked} == asked
    (greedy,) = vllm(tiny(), sampling={"repetition_penalty": 1.1}).encode([gen("a b c")])
    assert "top_k" not in writing_ask(0, greedy, {2}).settings and writing_ask(0, greedy, {2}).settings["repetition_penalty"] == 1.1
