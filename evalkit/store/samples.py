"""`samples.jsonl`: one document per line, with what was asked, answered, extracted and given."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from evalkit.errors import DataError
from evalkit.files import line
from evalkit.types import Doc, GenerateRequest, Message, Prompt, Request, Response, SampleScore

_OF_RESPONSE = (
    "status",
    "text",
    "raw",
    "thinking",
    "finish",
    "loglikelihoods",
    "greedy",
    "context_tokens",
    "output_tokens",
    "truncated_tokens",
)


@dataclass(frozen=True, slots=True)
class Sample:
    """One line.

    Attributes:
        row: place of the document among those of the whole split; None where another program did not say.
        asked: `{"prompt": text or turns}` or `{"pairs": [[context, continuation], …]}`.
        responses: one record per sample of the answer.
        scores: metric name -> `{"value", "prediction", "flags"}`, with `stats` for corpus metrics, and `raters` (an anonymous label
            -> what that rater gave) where the value is a mean over people.
        length: tokens the document was made for; depths: where in its text, in per cent, what it asks for is.
    """

    task: str
    doc: str
    row: int | None
    asked: Mapping[str, Any]
    target: Any
    responses: Sequence[Mapping[str, Any]]
    scores: Mapping[str, Any]
    language: str | None = None
    group: str | None = None
    cluster: str | None = None
    length: int | None = None
    depths: Sequence[int] = ()

    @classmethod
    def of(
        cls, task: str, doc: Doc, row: int, request: Request, responses: Sequence[Response], scores: Mapping[str, SampleScore]
    ) -> Sample:
        """From the values of a run."""
        told = [response_json(response) for response in responses]
        where: dict[str, Any] = {"language": doc.language, "group": doc.group, "cluster": doc.cluster}
        if isinstance(doc.fields.get("length"), int):
            where |= {"length": doc.fields["length"], "depths": tuple(doc.fields.get("depths") or ())}
        return cls(task, doc.id, row, request_json(request), doc.target, told, scores_json(scores), **where)

    def rescored(self, responses: Sequence[Mapping[str, Any]], scores: Mapping[str, Any]) -> Sample:
        """The same sample, its answers cut and scored otherwise."""
        return replace(self, responses=responses, scores=scores)

    def encode(self) -> str:
        """The line, with its newline; what is absent is left out."""
        return line(
            {
                "task": self.task,
                "doc": self.doc,
                **({} if self.row is None else {"row": self.row}),
                **({"language": self.language} if self.language else {}),
                **({"group": self.group} if self.group else {}),
                **({"cluster": self.cluster} if self.cluster is not None else {}),
                **({} if self.length is None else {"length": self.length, "depths": list(self.depths)}),
                **self.asked,
                "target": self.target,
                "responses": self.responses,
                "scores": self.scores,
            }
        )

    @classmethod
    def decode(cls, text: str | bytes, where: str) -> Sample:
        """Read a line back.

        Raises:
            DataError: it is no sample; begins with `where`.
        """
        try:
            raw = json.loads(text)
            asked = {name: raw[name] for name in ("prompt", "pairs") if name in raw}
            given = {name: raw.get(name) for name in ("row", "language", "group", "cluster", "target", "length")}
            given["depths"] = tuple(raw.get("depths") or ())
            return cls(task=raw["task"], doc=raw["doc"], asked=asked, responses=raw["responses"], scores=raw["scores"], **given)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise DataError(f"{where} is no sample ({error}); run the same `evalkit run` again to rebuild it (answers are kept)") from error


def request_json(request: Request) -> dict[str, Any]:
    """A request as people read it: the rendered prompt, or its (context, continuation) pairs."""
    if isinstance(request, GenerateRequest):
        return {"prompt": _prompt_json(request.prompt)}
    return {"pairs": [[_prompt_json(context), continuation] for context, continuation in request.pairs]}


def _prompt_json(prompt: Prompt) -> str | list[dict[str, str]]:
    if isinstance(prompt, str):
        return prompt
    return [{"role": turn.role, "content": turn.content} for turn in prompt if isinstance(turn, Message)]


def scores_json(scores: Mapping[str, SampleScore]) -> dict[str, Any]:
    """Each metric's verdict on one document; `stats` is there for corpus metrics alone."""
    return {
        name: {"value": s.value, "prediction": s.prediction, "flags": list(s.flags), **({"stats": s.stats} if s.stats else {})}
        for name, s in scores.items()
    }


def response_json(response: Response) -> dict[str, Any]:
    """An answer as people read it; what is absent is left out."""
    return {name: value for name in _OF_RESPONSE if (value := getattr(response, name)) not in (None, 0) or name == "status"}
