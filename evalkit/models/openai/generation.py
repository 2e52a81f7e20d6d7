"""Asking for text: what is sent, in the endpoint's own dialect."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from evalkit.errors import ConfigError, ModelError
from evalkit.identity import of_attributes
from evalkit.models.base import WorkItem
from evalkit.models.openai.begun import AUTO, CONTINUE, FLAGS, NEVER, PROBE, PROBE_TOKENS, WAYS, Begun, begun_in, find_way
from evalkit.models.openai.client import Route
from evalkit.models.openai.failures import Failure
from evalkit.models.openai.said import CUT, Thought, answers, cut_in_question, without_question
from evalkit.models.openai.session import Ask, Session, Stop
from evalkit.models.sampling import NEUTRAL, Sampling
from evalkit.models.template import TemplateSettings
from evalkit.types import GenerateRequest, GenerationParams, Message, Prompt, Response

OMITTABLE = ("temperature", "top_p", "seed", "stop", "n", *NEUTRAL)
LIMIT_NAMES = ("max_tokens", "max_completion_tokens")
A_TURN = 16  # tokens a template adds around one message, generously


@dataclass(frozen=True)
class Dialect:
    """Which parameters an endpoint takes; what it does not take is done here or said in the manifest.

    Attributes:
        limit_name: what the limit of new tokens is called.
        max_n: samples one request may ask for.
        max_stops: stops one request may carry; None = any number. All stops are applied here as well.
        blank_stops: whether a stop may be white space alone.
        omit: parameters never sent, of OMITTABLE. A task or model that asks for top_k, min_p or a penalty is then refused.
        extra_body: sent with every request as it is.
        continues: how an answer is sent whose beginning a task gives. `as_it_is`: the server goes on in a last turn of the
            assistant; `flags`: it does so when asked with vLLM's `continue_final_message`; `never`: it starts over, so the prompt
            ends with the question; `auto`: a probe finds out, when a task needs it.
    """

    limit_name: str = "max_tokens"
    max_n: int = 8
    max_stops: int | None = None
    blank_stops: bool = True
    omit: Sequence[str] = ()
    extra_body: Mapping[str, Any] = field(default_factory=dict)
    continues: str = AUTO

    def __post_init__(self) -> None:
        if self.limit_name not in LIMIT_NAMES:
            raise ConfigError(f"model.dialect.limit_name={self.limit_name!r} is unknown; use {' or '.join(LIMIT_NAMES)}")
        if isinstance(self.omit, str) or (unknown := [name for name in self.omit if name not in OMITTABLE]):
            given = self.omit if isinstance(self.omit, str) else ", ".join(map(str, unknown))
            raise ConfigError(f"model.dialect.omit has {given}; it is a list out of {', '.join(OMITTABLE)}")
        for name, least in (("max_n", 1), ("max_stops", 0)):
            value = getattr(self, name)
            if not (value is None and name == "max_stops") and (isinstance(value, bool) or not isinstance(value, int) or value < least):
                raise ConfigError(f"model.dialect.{name}={value!r} is no whole number from {least}")
        if not isinstance(self.extra_body, Mapping):
            raise ConfigError(f"model.dialect.extra_body={self.extra_body!r} is no mapping of parameters")
        if self.continues not in WAYS:
            raise ConfigError(f"model.dialect.continues={self.continues!r} is unknown; use {', '.join(WAYS)}")

    def identity(self) -> dict[str, Any]:
        """For a run's folder; see `told`."""
        named = {"class": f"{type(self).__module__}.{type(self).__qualname__}", **of_attributes(self)}
        return {**named, **({"omit": self.told()["omit"]} if "omit" in named else {})}

    def told(self) -> dict[str, Any]:
        """What can change every answer, for their keys. `omit` refuses the newer parameters, which changes none, and `continues` is
        in the keys of begun answers alone.
        """
        named = {**asdict(self), "omit": [name for name in self.omit if name not in NEUTRAL]}
        return {name: value for name, value in named.items() if name != "continues"}

    def decoding(
        self, params: GenerationParams, first_sample: int, n: int, thought: Thought, asked: Collection[str] = ()
    ) -> dict[str, Any]:
        """Parameters of `n` samples; sample i of a prompt is seeded with seed + i, so that no two are told to be equal.

        Args:
            asked: what `model.sampling` names; it is sent also where it changes nothing, since a server has its own defaults.
        """
        stops = [stop for stop in params.stop if self.blank_stops or stop.strip()][: self.max_stops]
        stops = [] if thought.known else stops  # a server looks for them in the thought as well
        sent: dict[str, Any] = {self.limit_name: params.max_new_tokens + thought.tokens, "temperature": params.temperature}
        if params.temperature > 0:  # top_p also when it is 1, because not every server's default is
            sent |= {"seed": params.seed + first_sample, "top_p": params.top_p}
        sent |= self._extras(params, asked)
        sent |= ({"stop": stops} if stops else {}) | ({"n": n} if n > 1 else {})
        return {name: value for name, value in sent.items() if name not in self.omit} | dict(self.extra_body)

    def check(self, params: GenerationParams, task: str) -> None:
        """Raises ModelError where a task asks for what this endpoint does not take and nothing here can do instead."""
        if refused := [name for name, neutral in NEUTRAL.items() if name in self.omit and getattr(params, name) != neutral]:
            raise ModelError(
                f"task {task} asks for {refused[0]}={getattr(params, refused[0])}, and model.dialect.omit says that this endpoint "
                f"does not take it; set tasks.{task}.prompt.params.{refused[0]}={NEUTRAL[refused[0]]}"
            )

    def _extras(self, params: GenerationParams, asked: Collection[str]) -> dict[str, Any]:
        """What not every server knows: sent where it is asked for."""
        names = [name for name, neutral in NEUTRAL.items() if getattr(params, name) != neutral or name in asked]
        return {name: getattr(params, name) for name in names if params.temperature > 0 or name not in ("top_k", "min_p")}


def as_messages(prompt: Prompt, template: TemplateSettings) -> list[dict[str, str]]:
    """A conversation as it is, behind `model.system` if it has no system turn; a text as one user message."""
    turns = (Message("user", prompt),) if isinstance(prompt, str) else prompt
    return [{"role": turn.role, "content": turn.content} for turn in template.with_system(turns)]


def grouped(items: Sequence[WorkItem], most: int) -> list[list[WorkItem]]:
    """Items that differ in nothing but the sample, at most `most` together; the order stays."""
    groups: list[list[WorkItem]] = []
    for item in items:
        last = groups[-1][-1] if groups else None
        same = last is not None and (last.task, last.doc_id, last.params) == (item.task, item.doc_id, item.params)
        if same and last and last.request is item.request and last.prompt_ids == item.prompt_ids and len(groups[-1]) < most:
            groups[-1].append(item)
        else:
            groups.append([item])
    return groups


@dataclass
class Manner:
    """How an endpoint is asked: what was set, and what was found out on the way.

    Attributes:
        special: special tokens of the tokenizer, where it is here.
    """

    dialect: Dialect
    route: Route
    template: TemplateSettings
    sampling: Sampling
    thought: Thought
    begun: Begun
    special: frozenset[str] = frozenset()

    def left_out(self, item: WorkItem) -> str:
        """The begun answer that the prompt of this item has to do without."""
        known = self.begun.way == NEVER and self.route == "chat" and isinstance(item.request, GenerateRequest)
        return begun_in(item.request.prompt) if known and isinstance(item.request, GenerateRequest) else ""

    def question(self, item: WorkItem) -> str:
        """What the user says last; empty where the server turns no messages into text."""
        if self.route != "chat" or not isinstance(item.request, GenerateRequest):
            return ""
        prompt = item.request.prompt
        return prompt if isinstance(prompt, str) else next((turn.content for turn in reversed(prompt) if turn.role == "user"), "")

    async def learn(self, session: Session) -> None:
        """Find out how this server takes a begun answer."""

        async def said(extra: Mapping[str, Any]) -> str | None:
            decoding = self.dialect.decoding(GenerationParams(PROBE_TOKENS), 0, 1, self.thought) | dict(extra)
            payload = {"messages": as_messages(PROBE, self.template)} | self._named() | decoding
            item = WorkItem("probe", "probe", "probe", 0, "generate", params=GenerationParams(PROBE_TOKENS))
            try:
                ask = Ask(self.route, payload, _bytes(payload["messages"]), PROBE_TOKENS + self.thought.tokens)
                (response,) = await session.ask(ask, lambda body: answers(body, self.route, [item], self.thought))
            except Failure as failure:
                if failure.unreachable:
                    raise Stop(str(failure)) from None
                return None
            return response.text

        self.begun = await find_way(said)

    def _named(self) -> dict[str, Any]:
        return {"chat_template_kwargs": dict(self.template.args)} if self.template.args else {}

    def ask(self, items: Sequence[WorkItem], thought: Thought) -> Ask:
        """Samples of one prompt as one request."""
        first = items[0]
        params = first.params or GenerationParams()
        prompt = first.request.prompt if isinstance(first.request, GenerateRequest) else None
        if left := self.left_out(first):
            # A stop is for what follows the begun text; a new answer may well hold it before.
            params = replace(params, stop=())
            prompt = prompt[:-1] if isinstance(prompt, tuple) and left else prompt
        decoding = self.dialect.decoding(params, first.sample, len(items), thought, self.sampling.asked)
        if prompt is None:
            payload: dict[str, Any] = {"prompt": list(first.prompt_ids)}
            # Marks that are special tokens would not come back.
            payload |= {"skip_special_tokens": False} if first.thinking and set(first.thinking.marks) & self.special else {}
            size = len(first.prompt_ids)
        elif self.route == "chat":
            payload = {"messages": as_messages(prompt, self.template)} | self._named()
            payload |= CONTINUE if begun_in(prompt) and self.begun.way == FLAGS else {}
            size = _bytes(payload["messages"])
        else:
            payload = {"prompt": prompt}
            size = len(str(prompt).encode(errors="replace"))
        return Ask(self.route, payload | decoding, size, (params.max_new_tokens + thought.tokens) * len(items))


async def generate(session: Session, manner: Manner, items: Sequence[WorkItem]) -> list[Response]:
    """Samples of one prompt in one request; what a server that knows no `n` left out is asked for one by one.

    A thought, or a question repeated, that ends at one of our stops was cut by it: the request is sent once more, without stops.
    """
    thought, begun, asked = manner.thought.of(items[0]), manner.left_out(items[0]), manner.question(items[0])
    stops = (items[0].params or GenerationParams()).stop

    async def ask(then: Thought) -> list[Response]:
        return await session.ask(manner.ask(items, then), lambda body: answers(body, manner.route, items, then, begun, asked))

    # As it is known now: another answer may tell while this one is on its way.
    then = replace(thought, known=thought.known or not stops)
    try:
        responses = await ask(then)
        thought.known = thought.known or any(response.thinking is not None for response in responses)
        ended = [response for response in responses if not then.known and (response.finish or "") not in CUT]
        if any(response.status == "thinking" or cut_in_question(asked, response, stops) for response in ended):
            responses = await ask(replace(then, known=True))
            repeated = (without_question(asked, response.said or "") != response.said for response in responses)
            thought.known = thought.known or any(repeated)
    except Failure as failure:
        if not failure.filtered:
            raise
        return [Response(item.key, "filtered", text="", truncated_tokens=item.truncated_tokens) for item in items]
    for item in items[len(responses) :]:
        try:
            responses += await generate(session, manner, [item])
        except Failure as failure:  # the samples that were given stay
            session.given_up(failure)
            responses.append(Response(item.key, "error", error=str(failure)))
    return responses


def _bytes(messages: Sequence[Mapping[str, str]]) -> int:
    return sum(A_TURN + len(turn["content"].encode(errors="replace")) for turn in messages)
