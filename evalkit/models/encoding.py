"""Prompts to token ids: templates, one BOS, the context/continuation split, left truncation.

The rules are lm-evaluation-harness 0.4.13's, because digits depend on them: context and
continuation are tokenised jointly and split at the context's length; white space at the end of a
context belongs to the continuation; special tokens are the tokenizer's default, except that a text
which already starts with BOS gets no second one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from evalkit.errors import ModelError
from evalkit.models.base import TokenIds, WorkItem, content_key, params_key
from evalkit.models.sampling import Sampling
from evalkit.models.template import ChatTemplate, TemplateSettings
from evalkit.models.thinking import THOUGHT_TOKENS, Marks, Thinking
from evalkit.models.tokenizing import Ids, LineTokenizer, Pair
from evalkit.types import GenerateRequest, LoglikelihoodRequest, Prompt, Request

AT_ONCE = 2048  # requests whose texts are in work together: many enough to share what they repeat


class Encoder:
    """Turns requests into work items; knows the tokenizer and the model's length, not its weights."""

    def __init__(
        self, tokenizer: Any, max_length: int, fingerprint: str, add_bos: bool | None, template: TemplateSettings | None = None
    ) -> None:
        self.tokenizer = tokenizer
        self.max_length = max_length
        self.fingerprint = fingerprint
        self.add_bos = add_bos
        self.template = ChatTemplate(tokenizer, template)
        self.marks: Marks | None = None
        self.thinking_tokens: int | None = None
        self.sampling = Sampling()
        self.lines = LineTokenizer(tokenizer)
        prefix = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
        if prefix is None:
            raise ModelError("the tokenizer has neither BOS nor EOS; an empty context cannot be scored; use another tokenizer")
        self.prefix_id: int = prefix
        self.prefix_text: str = tokenizer.decode([prefix])

    def encode(self, requests: Sequence[Request]) -> list[WorkItem]:
        """One item per log-likelihood request, one per sample of a generation request, in order."""
        shared = self.lines.shares
        parts = (requests[start : start + AT_ONCE] for start in range(0, len(requests), AT_ONCE))
        items = [item for part in parts for item in self._encode(part)]
        # A sample of some part disagreed with the tokenizer: nothing stays that was made before.
        return items if self.lines.shares == shared else self.encode(requests)

    def _encode(self, requests: Sequence[Request]) -> Iterator[WorkItem]:
        texts = {id(p): self.text_of(p, f"task {r.task}, document {r.doc_id}") for r in requests for p in _prompts(r)}
        reads = [self._reads(request, texts) for request in requests]
        flags = {flag for read in reads for _, flag in read}
        ids = {flag: self.lines((pair for read in reads for pair, own in read if own is flag), bool(flag)) for flag in flags}
        for request, read in zip(requests, reads, strict=True):
            found = [ids[flag][pair] for pair, flag in read]
            if isinstance(request, LoglikelihoodRequest):
                yield self._scored(request, [self._split(*pair, flag) for pair, (_, flag) in zip(found, read, strict=True)])
            else:
                yield from self._generated(request, found[0][0], texts[id(request.prompt)])

    def _reads(self, request: Request, texts: dict[int, str]) -> list[tuple[Pair, bool | None]]:
        """Context and continuation as they are tokenised, and whether special tokens come with them; None: there is no context."""
        if isinstance(request, GenerateRequest):
            text = texts[id(request.prompt)]
            return [((text, ""), self._special(text))]
        pairs = [move_spaces(texts[id(prompt)], continuation) for prompt, continuation in request.pairs]
        return [((context, more), self._special(context)) if context else ((more, ""), None) for context, more in pairs]

    def text_of(self, prompt: Prompt, where: str = "a prompt") -> str:
        """The text a model reads; messages go through the tokenizer's own chat template.

        Args:
            where: task and document, for errors.
        """
        return prompt if isinstance(prompt, str) else self.template.render(prompt, where)

    @property
    def system_merged(self) -> bool:
        """Whether a template refused a system turn, whose text then opened the first user turn."""
        return self.template.system_merged

    def _special(self, text: str) -> bool:
        return self.add_bos is not False and not text.startswith(self.prefix_text)

    def _scored(self, request: LoglikelihoodRequest, found: Sequence[Ids]) -> WorkItem:
        pairs: list[tuple[TokenIds, TokenIds]] = []
        dropped = 0
        for (_, continuation), (context, target) in zip(request.pairs, found, strict=True):
            if not target or len(target) > self.max_length:
                size = len(target)
                raise ModelError(
                    f"task {request.task}, document {request.doc_id}: the continuation {continuation[:40]!r} has {size} tokens; "
                    f"the model can score 1 to {self.max_length}; drop the document or use a model with a longer context"
                )
            over = max(0, len(context) + len(target) - (self.max_length + 1))
            dropped = max(dropped, over)
            pairs.append((context[over:], target))
        key = content_key("ll", self.fingerprint, *(part for pair in pairs for part in pair))
        return WorkItem(key, request.task, request.doc_id, 0, "loglikelihood", pairs=tuple(pairs), truncated_tokens=dropped)

    def _split(self, context: TokenIds, target: TokenIds, special: bool | None) -> Ids:
        """Where there is no context, the first of the ids that were read as one is predicted from BOS."""
        if special is not None:
            return context, target
        if context and context[0] == self.prefix_id:
            return context[:1], context[1:]
        return (self.prefix_id,), context

    def _generated(self, request: GenerateRequest, found: TokenIds, text: str) -> list[WorkItem]:
        prompt = found or (self.prefix_id,)
        room = self.max_length - request.params.max_new_tokens
        if room < 1:
            raise ModelError(
                f"task {request.task} asks for {request.params.max_new_tokens} new tokens, but the model holds {self.max_length} in all; "
                f"set tasks.{request.task}.prompt.params.max_new_tokens below {self.max_length}"
            )
        kept = prompt[-room:]
        thinking = self._thinking(text, room - len(kept))
        params = self.sampling.over(request.params)
        key = [] if thinking is None else [json.dumps(["thinking", *thinking.marks, thinking.tokens, thinking.opened])]
        return [
            WorkItem(
                content_key("gen", self.fingerprint, kept, params_key(params, sample), *key),
                request.task,
                request.doc_id,
                sample,
                "generate",
                prompt_ids=kept,
                params=params,
                truncated_tokens=len(prompt) - len(kept),
                thinking=thinking,
            )
            for sample in range(request.num_samples)
        ]

    def _thinking(self, text: str, room: int) -> Thinking | None:
        """How the model may think behind this prompt; None when it is not known to. The prompt is never cut for a thought."""
        if self.marks is None:
            return None
        wanted = THOUGHT_TOKENS if self.thinking_tokens is None else self.thinking_tokens
        return Thinking(self.marks, min(wanted, room), text.rstrip().endswith(self.marks[0]))


def move_spaces(context: str, continuation: str) -> tuple[str, str]:
    """White space that ends the context starts the continuation instead."""
    stripped = context.rstrip()
    return stripped, context[len(stripped) :] + continuation


def _prompts(request: Request) -> list[Prompt]:
    return [request.prompt] if isinstance(request, GenerateRequest) else [prompt for prompt, _ in request.pairs]
