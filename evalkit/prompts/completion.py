"""Free-form generation: the model continues a prompt, or answers a conversation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from evalkit.errors import ConfigError, DataError, did_you_mean
from evalkit.prompts.base import Layout, check_template, fill, gold_index
from evalkit.types import Doc, GenerateRequest, GenerationParams, Message


@dataclass(frozen=True)
class Completion(Layout):
    """Asks for text after the prompt.

    Attributes:
        target: what a shot shows as its answer, a template; None shows the gold answer (the first of several).
        params: decoding; a mapping with the names of `GenerationParams`.
        limit_field: the entry of doc.fields that says how many tokens the answer may have, where that depends on the document.
        num_samples: independent samples of every prompt.
        answer_prefix: how the answer begins, a template; the model goes on from there (in a conversation: in the
            assistant's turn; in plain text: after the delimiter). Not part of the answer's text.

    Raises:
        ConfigError: an unknown name or an impossible value in `params`, or fewer than one sample.
    """

    target: str | None = None
    params: GenerationParams | Mapping[str, Any] = field(default_factory=GenerationParams)
    num_samples: int = 1
    answer_prefix: str = ""
    limit_field: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.target is not None:
            check_template("target", self.target)
        check_template("answer_prefix", self.answer_prefix)
        if self.num_samples < 1:
            raise ConfigError(f"prompt num_samples={self.num_samples}: ask for 1 or more")
        object.__setattr__(self, "params", generation_params(self.params))

    def render(self, task: str, doc: Doc, shots: Sequence[Doc], chat: bool) -> GenerateRequest:
        """One request; its prompt ends with the query, without a trailing delimiter."""
        shown = [(fill("template", self.template, shot), self.answer(shot)) for shot in shots]
        prompt = self.assemble(doc, shown, fill("template", self.template, doc), chat)
        if begun := fill("answer_prefix", self.answer_prefix, doc):
            prompt = prompt + self.delimiter + begun if isinstance(prompt, str) else (*prompt, Message("assistant", begun))
        params = generation_params(self.params)
        if self.limit_field is not None:
            params = generation_params(replace(params, max_new_tokens=doc.fields[self.limit_field]))
        return GenerateRequest(task, doc.id, prompt, params, self.num_samples)

    def stops(self, chat: bool) -> tuple[str, ...]:
        """Where an answer is cut; the same in a conversation and in plain text."""
        return generation_params(self.params).stop

    def answer(self, shot: Doc) -> str:
        """The answer a shot shows.

        Raises:
            DataError: the shot has no answer to show.
        """
        text = fill("target", self.target, shot) if self.target is not None else _gold_text(shot)
        if not text:
            raise DataError(f"document {shot.id or '?'} is drawn as a shot but has no answer; let to_doc return None for such rows")
        return text


def _gold_text(doc: Doc) -> str:
    if isinstance(doc.target, str):
        return doc.target
    if isinstance(doc.target, tuple | list) and doc.target and isinstance(doc.target[0], str):
        return doc.target[0]
    return doc.choices[gold_index(doc)]


def generation_params(given: GenerationParams | Mapping[str, Any]) -> GenerationParams:
    """Decoding parameters from configuration, checked.

    Raises:
        ConfigError: an unknown name, no stop texts but something else, or a number out of range.
    """
    if isinstance(given, GenerationParams):
        params = given
    else:
        known = [f.name for f in fields(GenerationParams)]
        for name in given:
            if name not in known:
                raise ConfigError(f"prompt params: unknown {name!r}{did_you_mean(str(name), known)}; there are {', '.join(known)}")
        stop = given.get("stop", ())
        params = GenerationParams(**{**given, "stop": (stop,) if isinstance(stop, str) else tuple(stop or ())})
    if any(not isinstance(s, str) or not s for s in params.stop):
        raise ConfigError(f"prompt params: stop={list(params.stop)!r} must hold non-empty texts")
    if (fault := params.fault()) is not None:
        raise ConfigError(f"prompt params: {fault}")
    return params
