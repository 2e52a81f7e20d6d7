"""The engine's driver and the logits processor against stand-ins of vLLM's own classes; vLLM itself is not needed."""

from __future__ import annotations

import importlib.machinery
import multiprocessing
import sys
import time
from collections.abc import Iterator
from enum import Enum, auto
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from evalkit.errors import ModelError
from evalkit.models.vllm.asks import Ask
from evalkit.models.vllm.engine import Engine, EngineSettings


class Params(SimpleNamespace):
    logprob_token_ids = None


class Kind(Enum):
    DELTA = auto()
    FINAL_ONLY = auto()


class Direction(Enum):
    UNIDIRECTIONAL = auto()
    SWAP = auto()


class Core:
    """Writes the tokens 1, 2, 3, … of every request, one per step, and fails at the step it is told to."""

    v2, fails_at = False, -1
    worker: Any = None

    def __init__(self, config: Any) -> None:
        self.config = config
        self.live: dict[str, tuple[Any, list[int]]] = {}
        self.aborted: list[str] = []
        self.resets = self.steps = 0
        self.engine_core = SimpleNamespace(shutdown=lambda: None)

    def reset_prefix_cache(self) -> None:
        assert not self.live, "the cache is emptied between runs, not within"
        self.resets += 1

    def add_request(self, name: str, prompt: Any, params: Any) -> None:
        assert name not in self.live
        self.live[name] = (params, [])

    def has_unfinished_requests(self) -> bool:
        return bool(self.live)

    def abort_request(self, names: list[str]) -> None:
        self.aborted += names
        for name in names:
            self.live.pop(name, None)

    def step(self) -> list[Any]:
        self.steps += 1
        if self.steps == Core.fails_at:
            raise RuntimeError("CUDA out of memory. Tried to allocate 20 GiB")
        outputs = []
        for name, (params, written) in list(self.live.items()):
            written.append(len(written) + 1)
            done = len(written) == params.max_tokens
            if done:
                del self.live[name]
            if done or params.output_kind is Kind.DELTA:
                shown = written[-1:] if params.output_kind is Kind.DELTA else list(written)
                one = SimpleNamespace(token_ids=shown, logprobs=None)
                outputs.append(SimpleNamespace(request_id=name, outputs=[one], prompt_logprobs=None, finished=done, num_cached_tokens=0))
        return outputs


@pytest.fixture(autouse=True)
def _vllm(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Modules under vLLM's names with what the driver takes from them."""

    def module(name: str, **held: Any) -> None:
        made = ModuleType(name)
        made.__spec__ = importlib.machinery.ModuleSpec(name, None)
        made.__dict__.update(held)
        monkeypatch.setitem(sys.modules, name, made)

    def create(self: Any, usage: str) -> Any:
        assert usage == "offline", "without it vLLM computes less at once than its own offline class"
        model = SimpleNamespace(logits_processors=None, enable_trace_replay=False)
        return SimpleNamespace(use_v2_model_runner=Core.v2, model_config=model, scheduler_config=SimpleNamespace(max_num_seqs=8))

    arguments = type("EngineArgs", (SimpleNamespace,), {"create_engine_config": create})
    made = type("LLMEngine", (), {"from_vllm_config": staticmethod(lambda config, **_: Core(config))})
    module("vllm", __version__="9.9", EngineArgs=arguments, SamplingParams=Params, __path__=[])
    module("vllm.usage", __path__=[])
    module("vllm.usage.usage_lib", UsageContext=SimpleNamespace(LLM_CLASS="offline"))
    module("vllm.platforms", current_platform=SimpleNamespace(is_cpu=lambda: True, device_type="cpu"))
    module("vllm.v1", __path__=[])
    module("vllm.v1.engine", __path__=[])
    module("vllm.v1.engine.llm_engine", LLMEngine=made)
    module("vllm.v1.sample", __path__=[])
    module("vllm.v1.sample.logits_processor", LogitsProcessor=object, MoveDirectionality=Direction)
    module("vllm.sampling_params", RequestOutputKind=Kind)
    for name in ("VLLM_LOGGING_LEVEL", "OMP_NUM_THREADS", "VLLM_CPU_KVCACHE_SPACE"):
        monkeypatch.setenv(name, "ERROR" if "LOGGING" in name else "1")
    Core.v2, Core.fails_at = False, -1
    yield
    sys.modules.pop("evalkit.models.vllm.forcing", None)


def write(tokens: int, item: int = 0, *, stream: bool = False) -> Ask:
    return Ask(item, (5, 6), "write", settings={"max_tokens": tokens, "temperature": 0.0}, stream=stream)


def test_answers_come_in_the_order_they_finish() -> None:
    engine = Engine(EngineSettings(model="M"))
    got = list(engine.run([write(3, 0), write(1, 1), write(2, 2)]))
    assert [(ask.item, given.tokens) for ask, given in got] == [(1, (1,)), (2, (1, 2)), (0, (1, 2, 3))]


def test_a_stream_gives_its_new_tokens_until_it_is_dropped() -> None:
    engine = Engine(EngineSettings(model="M"))
    got = []
    for ask, given in engine.run([write(9, 0, stream=True), write(4, 1)]):
        got.append((ask.item, given.tokens, given.done))
        if ask.item == 0 and len(got) == 2:
            engine.drop(ask)
    assert got == [(0, (1,), False), (0, (2,), False), (1, (1, 2, 3, 4), True)]
    assert engine._engine.aborted == ["0"]


def test_what_nobody_waits_for_is_taken_back() -> None:
    engine = Engine(EngineSettings(model="M"))
    answers = engine.run([write(1, 0), write(9, 1)])
    next(answers)
    answers.close()  # type: ignore[attr-defined]
    assert engine._engine.live == {} and engine._engine.aborted == ["1"]
    assert len(list(engine.run([write(1)]))) == 1 and engine._engine.resets == 2


@pytest.mark.parametrize(("v2", "word"), [(False, "extra_args"), (True, "trace_decode_token_ids")])
def test_how_an_engine_is_led_is_its_own_word(v2: bool, word: str) -> None:
    Core.v2 = v2
    engine = Engine(EngineSettings(model="M"))
    follow = Ask(0, (5,), "follow", (7, 8), (0,), {"max_tokens": 2, "temperature": 0.0, "logprobs": 0})
    params = engine._sampling(follow)
    assert params.__dict__[word] == ([7, 8] if v2 else {"evalkit_follow": [7, 8]})
    model = engine._engine.config.model_config
    assert (model.enable_trace_replay, bool(model.logits_processors)) == (v2, not v2)
    assert not {"extra_args", "trace_decode_token_ids"} & set(engine._sampling(write(2)).__dict__)


def test_an_engine_without_memory_says_what_to_lower() -> None:
    Core.fails_at = 2
    engine = Engine(EngineSettings(model="M"))
    answers = engine.run([write(1, 0), write(5, 1)])
    assert next(answers)[0].item == 0
    with pytest.raises(ModelError, match=r"out of memory while answering: lower model\.rows"):
        next(answers)
    assert engine._engine.live == {}


def test_a_worker_that_is_killed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """vLLM itself says "cancelled"."""
    begin = Core.__init__

    def with_a_worker(self: Core, config: Any) -> None:
        begin(self, config)
        self.worker = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(60,), name="VllmWorker-1")
        self.worker.start()

    def lose_it(self: Core) -> list[Any]:
        self.worker.kill()
        self.worker.join()
        raise RuntimeError("cancelled")

    monkeypatch.setattr(Core, "__init__", with_a_worker)
    monkeypatch.setattr(Core, "step", lose_it)
    engine = Engine(EngineSettings(model="M"))
    with pytest.raises(ModelError, match=r"its process VllmWorker-1 was ended by SIGKILL.* is saved, and the same command goes on"):
        list(engine.run([write(3)]))
    engine.close()


def test_the_processor_leads_its_own_rows_through_every_move() -> None:
    import torch

    from evalkit.models.vllm.forcing import NAME, Follow

    def params(tokens: list[int] | None) -> Any:
        return SimpleNamespace(extra_args={NAME: tokens} if tokens else None)

    def update(added: Any = (), removed: Any = (), moved: Any = ()) -> Any:
        return SimpleNamespace(added=added, removed=removed, moved=moved)

    def chosen() -> list[int]:
        return processor.apply(torch.arange(10.0).repeat(3, 1)).argmax(-1).tolist()

    processor = Follow(None, torch.device("cpu"), False)
    assert chosen() == [9, 9, 9]
    one: list[int] = []
    other: list[int] = []
    processor.update_state(update(added=[(0, params([3, 4]), None, one), (1, params(None), None, []), (2, params([5]), None, other)]))
    assert chosen() == [3, 9, 5]
    one.append(3)
    processor.update_state(None)
    assert chosen() == [4, 9, 5]
    processor.update_state(update(moved=[(0, 2, Direction.SWAP)]))
    assert chosen() == [5, 9, 4]
    processor.update_state(update(removed=[0], moved=[(2, 0, Direction.UNIDIRECTIONAL)]))
    assert chosen() == [4, 9, 9]
    one.append(4)  # followed to its end
    assert chosen() == [9, 9, 9]
    processor.update_state(update(added=[(0, params(None), None, [])]))
    assert processor.rows == {}
