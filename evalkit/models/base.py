"""The seam between the runner and whatever answers: encode, then yield answers as they finish."""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from evalkit.errors import ModelError
from evalkit.models.thinking import Thinking
from evalkit.paths import conf_dir
from evalkit.types import GenerationParams, LoglikelihoodRequest, Message, Prompt, Request, Response

TokenIds = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a back end can do; checked before any weight is loaded or any request is sent.

    Attributes:
        advice: how this model could be made to do what it lacks; ends the error when something is missing.
    """

    loglikelihood: bool
    generate: bool
    chat: bool
    advice: str = ""


@dataclass(frozen=True, slots=True)
class WorkItem:
    """One request as the model will read it (one sample of it, for generation).

    Attributes:
        key: content hash of everything that can change the answer; the journal files it under this.
        pairs: (context ids, continuation ids), for log-likelihoods; every context has at least one token.
        prompt_ids: for generation.
        truncated_tokens: context tokens dropped on the left to fit the model.
        thinking: how it may think before it answers, for a model known to think.
        request: what was rendered, for a back end whose server turns text into tokens; ids are then empty.
    """

    key: str
    task: str
    doc_id: str
    sample: int
    kind: Literal["loglikelihood", "generate"]
    pairs: tuple[tuple[TokenIds, TokenIds], ...] = ()
    prompt_ids: TokenIds = ()
    params: GenerationParams | None = None
    truncated_tokens: int = 0
    request: Request | None = None
    thinking: Thinking | None = None

    @property
    def limit(self) -> int:
        """Tokens it may write, thought and answer together."""
        return (self.params.max_new_tokens if self.params else 0) + (self.thinking.tokens if self.thinking else 0)

    @property
    def cost(self) -> int:
        """Tokens it takes to read and write, roughly."""
        if self.request is not None:
            return _characters(self.request) // 4 + (self.params.max_new_tokens if self.params else 1)
        if self.kind == "generate":
            return len(self.prompt_ids) + self.limit
        # The pairs of an item mostly share their context, which is then read once.
        return max(len(context) for context, _ in self.pairs) + sum(len(target) for _, target in self.pairs)


def _characters(request: Request) -> int:
    def of(prompt: Prompt) -> int:
        return len(prompt) if isinstance(prompt, str) else sum(len(turn.content) for turn in prompt)

    if isinstance(request, LoglikelihoodRequest):
        return sum(of(context) + len(continuation) for context, continuation in request.pairs)
    return of(request.prompt)


class Model(Protocol):
    """Anything that can answer requests.

    `encode` is cheap (a tokenizer, no weights); `answer` may load weights, and only does when
    something is left to do. It plans over *all* items, so that what an interrupted run already
    has cannot change how the rest is batched, and skips work whose every key is in `done`.
    """

    name: str

    @property
    def capabilities(self) -> Capabilities: ...

    def encode(self, requests: Sequence[Request]) -> list[WorkItem]: ...

    def answer(self, items: Sequence[WorkItem], done: AbstractSet[str]) -> Iterator[list[Response]]: ...

    def identity(self) -> Mapping[str, Any]:
        """What of the settings can change an answer, as plain JSON; must be known without loading anything."""
        ...

    def describe(self) -> Mapping[str, Any]: ...


@runtime_checkable
class Partial(Protocol):
    """A model that answers only some of what it is asked, as a part of a run that is split by hand."""

    def wanted(self, items: Sequence[WorkItem]) -> Sequence[WorkItem]:
        """The items it will answer."""
        ...


@runtime_checkable
class Remarks(Protocol):
    """A model that knows what a table must say of how it was asked."""

    def remarks(self, requests: Sequence[Request]) -> tuple[str, ...]:
        """Notes for under the table, about the requests of one task."""
        ...


class CountsTokens(Protocol):
    """A tokenizer that is here, and how much its model holds."""

    @property
    def max_length(self) -> int: ...

    def count_tokens(self, text: str) -> int:
        """Tokens of a whole text, with the special tokens that the tokenizer adds by itself."""
        ...


@runtime_checkable
class HasTokens(Protocol):
    """A back end that may know its tokenizer, for prompts that are built to an asked length."""

    def tokens(self) -> CountsTokens | None:
        """None where prompts are tokenised by a server alone."""
        ...


def tokens_of(model: Model) -> CountsTokens | None:
    """The model's own tokenizer, where there is one."""
    return model.tokens() if isinstance(model, HasTokens) else None


def content_key(*parts: str | bytes | Iterable[int]) -> str:
    """Hex hash of the parts, each length-prefixed so that no two part lists collide."""
    digest = hashlib.blake2b(digest_size=16)
    raws: dict[int, bytes] = {}  # pairs with the same context share one object, which is turned into bytes once
    for part in parts:
        raw = raws.get(id(part))
        if raw is None:
            raw = raws[id(part)] = _raw(part)
        digest.update(len(raw).to_bytes(8, "little"))
        digest.update(raw)
    return digest.hexdigest()


def _raw(part: str | bytes | Iterable[int]) -> bytes:
    return part if isinstance(part, bytes) else part.encode() if isinstance(part, str) else array("q", part).tobytes()


def params_key(params: GenerationParams, sample: int) -> str:
    """The decoding parameters that can change a text; the seed matters only when sampling. What is at its default is not named."""
    sampling = [params.temperature, params.top_p, params.seed] if params.temperature > 0 else []
    names = (*(("top_k", "min_p") if sampling else ()), "repetition_penalty", "presence_penalty")
    more = {name: value for name in names if (value := getattr(params, name)) != getattr(GenerationParams(), name)}
    return json.dumps([params.max_new_tokens, list(params.stop), sampling, sample, *([more] if more else [])])


def cut_at_stops(text: str, stops: Sequence[str]) -> str:
    """The text before the first occurrence of any stop."""
    ends = [place for stop in stops if stop and (place := text.find(stop)) >= 0]
    return text[: min(ends)] if ends else text


def check_capabilities(model: Model, requests: Iterable[Request]) -> None:
    """Refuse, before anything is loaded or sent, what the model cannot do.

    Raises:
        ModelError: naming the task, the missing ability and a task form that would work.
    """
    able = model.capabilities
    advice = f"; {able.advice}" if able.advice else ""
    for request in requests:
        scores, task = isinstance(request, LoglikelihoodRequest), request.task
        prompts = [c for c, _ in request.pairs] if isinstance(request, LoglikelihoodRequest) else [request.prompt]
        if scores and not able.loglikelihood:
            advice = _generated_form(task) + advice
            raise ModelError(f"{model.name} has no prompt log-probabilities, which task {task} needs; {advice}")
        if not scores and not able.generate:
            raise ModelError(f"{model.name} cannot generate, which task {task} needs; use a log-likelihood form of it")
        if any(_is_chat(p) for p in prompts) and not able.chat:
            advice = f"use tasks.{task}.chat=false or a chat model" + advice
            raise ModelError(f"{model.name} has no chat template, and task {task} is asked to chat; {advice}")


def _generated_form(task: str) -> str:
    """`NAME_logprob` is the log-likelihood form of a task `NAME` that generates."""
    form = task.removesuffix("_logprob")
    if form != task and (conf_dir() / "task" / f"{form}.yaml").exists():
        return f"use task={form}, which generates"
    return "use a task that generates, as gsm8k or nq_open"


def _is_chat(prompt: str | tuple[Message, ...]) -> bool:
    return not isinstance(prompt, str)
