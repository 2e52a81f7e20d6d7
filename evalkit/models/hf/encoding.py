"""Prompts to token ids: templates, one BOS, the context/continuation split, left truncation.

The rules are lm-evaluation-harness 0.4.13's, because digits depend on them: context and
continuation are tokenised jointly and split at the context's length; white space at the end of a
context belongs to the continuation; special tokens are the tokenizer's default, except that a text
which already starts with BOS gets no second one.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from evalkit.errors import ModelError
from evalkit.models.base import TokenIds, WorkItem, content_key, params_key
from evalkit.models.hf.tokenizing import LineTokenizer
from evalkit.types import GenerateRequest, LoglikelihoodRequest, Message, Prompt, Request


class Encoder:
    """Turns requests into work items; knows the tokenizer and the model's length, not its weights."""

    def __init__(self, tokenizer: Any, max_length: int, fingerprint: str, add_bos: bool | None) -> None:
        self.tokenizer = tokenizer
        self.max_length = max_length
        self.fingerprint = fingerprint
        self.add_bos = add_bos
        self.system_merged = False
        self.lines = LineTokenizer(tokenizer)
        prefix = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
        if prefix is None:
            raise ModelError("the tokenizer has neither BOS nor EOS; an empty context cannot be scored; use another tokenizer")
        self.prefix_id: int = prefix
        self.prefix_text: str = tokenizer.decode([prefix])

    def encode(self, requests: Sequence[Request]) -> list[WorkItem]:
        """One item a log-likelihood request, one a sample of a generation request, in order."""
        texts = {id(p): self.text_of(p) for request in requests for p in _prompts(request)}
        ids = self._tokenize(self._needed(requests, texts))
        items: list[WorkItem] = []
        for request in requests:
            if isinstance(request, LoglikelihoodRequest):
                items.append(self._scored(request, texts, ids))
            else:
                items.extend(self._generated(request, texts, ids))
        return items

    def text_of(self, prompt: Prompt) -> str:
        """The text a model reads; messages go through the tokenizer's own chat template."""
        if isinstance(prompt, str):
            return prompt
        from jinja2 import TemplateError

        try:
            return self._template(prompt)
        except TemplateError:
            # Some templates refuse a system turn: its text then opens the first user turn, and the manifest says so.
            if prompt[0].role != "system" or len(prompt) < 2:
                raise
            self.system_merged = True
            return self._template((Message(prompt[1].role, f"{prompt[0].content}\n\n{prompt[1].content}"), *prompt[2:]))

    def _template(self, messages: Sequence[Message]) -> str:
        turns = [{"role": m.role, "content": m.content} for m in messages]
        # A final turn of the assistant is the start of its answer: the model goes on from there, in the same turn.
        begun = messages[-1].role == "assistant"
        return str(self.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=not begun, continue_final_message=begun))

    def _special(self, text: str) -> bool:
        return self.add_bos is not False and not text.startswith(self.prefix_text)

    def _needed(self, requests: Sequence[Request], texts: dict[int, str]) -> set[tuple[str, bool]]:
        needed: set[tuple[str, bool]] = set()
        for request in requests:
            if isinstance(request, GenerateRequest):
                text = texts[id(request.prompt)]
                needed.add((text, self._special(text)))
                continue
            for prompt, continuation in request.pairs:
                context, continuation = move_spaces(texts[id(prompt)], continuation)
                if context:
                    special = self._special(context)
                    needed.update({(context, special), (context + continuation, special)})
                else:
                    needed.add((continuation, False))
        return needed

    def _tokenize(self, needed: Collection[tuple[str, bool]]) -> dict[tuple[str, bool], TokenIds]:
        """Every distinct text once, in batches."""
        ids: dict[tuple[str, bool], TokenIds] = {}
        for special in (False, True):
            found = self.lines([text for text, flag in needed if flag == special], special)
            ids.update(((text, special), row) for text, row in found.items())
        return ids

    def _scored(self, request: LoglikelihoodRequest, texts: dict[int, str], ids: dict[tuple[str, bool], TokenIds]) -> WorkItem:
        pairs: list[tuple[TokenIds, TokenIds]] = []
        dropped = 0
        for prompt, continuation in request.pairs:
            context, target = self._split(texts[id(prompt)], continuation, ids)
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

    def _split(self, text: str, continuation: str, ids: dict[tuple[str, bool], TokenIds]) -> tuple[TokenIds, TokenIds]:
        context, continuation = move_spaces(text, continuation)
        if context:
            special = self._special(context)
            head = ids[context, special]
            return head, ids[context + continuation, special][len(head) :]
        target = ids[continuation, False]
        if target and target[0] == self.prefix_id:
            return target[:1], target[1:]
        return (self.prefix_id,), target

    def _generated(self, request: GenerateRequest, texts: dict[int, str], ids: dict[tuple[str, bool], TokenIds]) -> list[WorkItem]:
        text = texts[id(request.prompt)]
        prompt = ids[text, self._special(text)] or (self.prefix_id,)
        room = self.max_length - request.params.max_new_tokens
        if room < 1:
            raise ModelError(
                f"task {request.task} asks for {request.params.max_new_tokens} new tokens, but the model holds {self.max_length} in all; "
                f"set tasks.{request.task}.prompt.params.max_new_tokens below {self.max_length}"
            )
        kept = prompt[-room:]
        return [
            WorkItem(
                content_key("gen", self.fingerprint, kept, params_key(request.params, sample)),
                request.task,
                request.doc_id,
                sample,
                "generate",
                prompt_ids=kept,
                params=request.params,
                truncated_tokens=len(prompt) - len(kept),
            )
            for sample in range(request.num_samples)
        ]


def move_spaces(context: str, continuation: str) -> tuple[str, str]:
    """White space that ends the context starts the continuation instead."""
    stripped = context.rstrip()
    return stripped, context[len(stripped) :] + continuation


def _prompts(request: Request) -> list[Prompt]:
    return [request.prompt] if isinstance(request, GenerateRequest) else [prompt for prompt, _ in request.pairs]
