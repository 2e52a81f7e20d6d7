"""Asking for text: what is sent, and what came back, refusals and filters told apart."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from evalkit.errors import ConfigError, ModelError
from evalkit.identity import of_attributes
from evalkit.models.base import WorkItem, cut_at_stops
from evalkit.models.openai.client import Route
from evalkit.models.openai.cost import Used
from evalkit.models.openai.failures import Failure, Malformed, message_of, shortened
from evalkit.models.openai.session import Ask, Session
from evalkit.models.sampling import NEUTRAL, Sampling
from evalkit.models.template import TemplateSettings
from evalkit.models.thinking import Marks, split
from evalkit.types import GenerateRequest, GenerationParams, Message, Prompt, Response

OMITTABLE = ("temperature", "top_p", "seed", "stop", "n", *NEUTRAL)
LIMIT_NAMES = ("max_tokens", "max_completion_tokens")
A_TURN = 16  # tokens a template adds around one message, generously
# Words of endpoints for what became of an answer, in lower case; the last five that filter are Google's.
FILTERED = frozenset({"content_filter", "safety", "recitation", "blocklist", "prohibited_content", "spii"})
CUT = frozenset({"length", "max_tokens", "model_length"})
BROKEN = frozenset({"error", "abort", "aborted", "cancelled"})


@dataclass
class Thought:
    """What is known of the thoughts of a hosted model.

    Attributes:
        pairs: marks to look for in the content; none when `model.thinking` is off.
        tokens: asked for on top of the answer's.
        known: the model thinks, so that stops are applied here alone; found out from the first answer that shows it.
    """

    pairs: Sequence[Marks] = ()
    tokens: int = 0
    known: bool = False


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
    """

    limit_name: str = "max_tokens"
    max_n: int = 8
    max_stops: int | None = None
    blank_stops: bool = True
    omit: Sequence[str] = ()
    extra_body: Mapping[str, Any] = field(default_factory=dict)

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

    def identity(self) -> dict[str, Any]:
        """For a run's folder; see `told`."""
        named = {"class": f"{type(self).__module__}.{type(self).__qualname__}", **of_attributes(self)}
        return {**named, **({"omit": self.told()["omit"]} if "omit" in named else {})}

    def told(self) -> dict[str, Any]:
        """What can change an answer, for its key; `omit` refuses what it did not know before, which changes none."""
        return {**asdict(self), "omit": [name for name in self.omit if name not in NEUTRAL]}

    def decoding(
        self, params: GenerationParams, first_sample: int, n: int, thought: Thought, asked: Collection[str] = ()
    ) -> dict[str, Any]:
        """Parameters of `n` samples; sample i of a prompt is seeded with seed + i, so that no two are told to be equal.

        Args:
            asked: what `model.sampling` names; it is sent also where it changes nothing, since a server has defaults of its own.
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


async def generate(
    session: Session,
    dialect: Dialect,
    route: Route,
    items: Sequence[WorkItem],
    thought: Thought,
    template: TemplateSettings,
    sampling: Sampling,
) -> list[Response]:
    """Samples of one prompt in one request; what a server that knows no `n` left out is asked for one by one.

    A thought that ends at one of our stops was cut by it: the request is sent once more, without stops.
    """

    async def ask(then: Thought) -> list[Response]:
        return await session.ask(_ask(dialect, route, items, then, template, sampling), lambda body: _answers(body, route, items, then))

    # As it is known now: another answer may tell while this one is on its way.
    then = replace(thought, known=thought.known or not (items[0].params or GenerationParams()).stop)
    try:
        responses = await ask(then)
        thought.known = thought.known or any(response.thinking is not None for response in responses)
        if not then.known and any(r.status == "thinking" and (r.finish or "") not in CUT for r in responses):
            responses = await ask(replace(then, known=True))
    except Failure as failure:
        if not failure.filtered:
            raise
        return [Response(item.key, "filtered", text="", truncated_tokens=item.truncated_tokens) for item in items]
    for item in items[len(responses) :]:
        try:
            responses += await generate(session, dialect, route, [item], thought, template, sampling)
        except Failure as failure:  # the samples that were given stay
            session.given_up(failure)
            responses.append(Response(item.key, "error", error=str(failure)))
    return responses


def _ask(
    dialect: Dialect, route: Route, items: Sequence[WorkItem], thought: Thought, template: TemplateSettings, sampling: Sampling
) -> Ask:
    first = items[0]
    params = first.params or GenerationParams()
    decoding = dialect.decoding(params, first.sample, len(items), thought, sampling.asked)
    prompt = first.request.prompt if isinstance(first.request, GenerateRequest) else None
    if prompt is None:
        payload: dict[str, Any] = {"prompt": list(first.prompt_ids)}
        size = len(first.prompt_ids)
    elif route == "chat":
        payload = {"messages": as_messages(prompt, template)}
        if template.args:
            payload["chat_template_kwargs"] = dict(template.args)
        size = sum(A_TURN + len(turn["content"].encode(errors="replace")) for turn in payload["messages"])
    else:
        payload = {"prompt": prompt}
        size = len(str(prompt).encode(errors="replace"))
    return Ask(route, payload | decoding, size, (params.max_new_tokens + thought.tokens) * len(items))


def _answers(body: Mapping[str, Any], route: Route, items: Sequence[WorkItem], thought: Thought) -> list[Response]:
    """One response a choice; tokens are split evenly where the server only counts them together."""
    choices = sorted(body["choices"], key=lambda choice: choice.get("index") or 0)
    if not 1 <= len(choices) <= len(items):
        raise Malformed(f"{len(choices)} choices where {len(items)} were asked for")
    used = Used.of(body) or Used()
    whole, rest = divmod(used.completion, len(choices))
    responses = []
    for place, (item, choice) in enumerate(zip(items, choices, strict=False)):
        said = _said(choice, route, (item.params or GenerationParams()).stop, thought)
        context, tokens = used.prompt or len(item.prompt_ids), whole + (place < rest)
        responses.append(replace(said, key=item.key, context_tokens=context, output_tokens=tokens, truncated_tokens=item.truncated_tokens))
    return responses


def _said(choice: Mapping[str, Any], route: Route, stops: Sequence[str], thought: Thought) -> Response:
    """The thought, the answer before its first stop, and what became of it; the caller adds key and tokens.

    Raises:
        Malformed: the server says that it broke off; what there is of the text is no answer.
    """
    finish = str(choice.get("finish_reason") or "").lower()
    if choice.get("error") or finish in BROKEN:
        said, _ = message_of(choice, f"finish_reason {finish}")
        raise Malformed(f"the server broke off: {shortened(said)}")
    message: Mapping[str, Any] = choice["message"] if route == "chat" else choice
    refusal = message.get("refusal") if route == "chat" else None
    full = _content(message.get("content") if route == "chat" else choice["text"])
    parts = split(full, thought.pairs)
    apart = _reasoning(message) if thought.pairs else None
    thinking = "\n\n".join(part for part in (apart, parts.thought) if part) or parts.thought
    answer = parts.answer
    # A server that hands the thought over by itself leaves the content empty until the thought has ended.
    unfinished = answer is None or bool(apart and not answer.strip() and (finish in CUT or not thought.known))
    text = cut_at_stops(answer or "", stops)
    kept = Response("", "ok", text=text, raw=full if full != text else None, thinking=thinking, finish=finish or None)
    if refusal or finish == "refusal":
        return replace(kept, status="refused", text=text or str(refusal or ""))
    if finish in FILTERED or finish.startswith("content_filter"):
        return replace(kept, status="filtered")
    if unfinished:
        return replace(kept, status="thinking")
    if not text.strip():
        return replace(kept, status="empty")
    return replace(kept, status="length" if finish in CUT and len(text) == len(answer or "") else "ok")


def _reasoning(message: Mapping[str, Any]) -> str | None:
    """The thought where the server hands it over in a field of its own, under one of two names."""
    for name in ("reasoning_content", "reasoning"):
        if isinstance(said := message.get(name), str) and said.strip():
            return said.strip()
    return None


def _content(content: Any) -> str:
    """Text, or the text parts of a list; null is an empty answer."""
    if content is None or isinstance(content, str):
        return content or ""
    if isinstance(content, list):
        return "".join(part["text"] for part in content if part.get("type") == "text")
    raise Malformed(f"content is a {type(content).__name__}, not text")
