"""One text being written: its next token, its stops, its end."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

import torch

from evalkit.models.base import TokenIds, WorkItem, cut_at_stops
from evalkit.models.hf.prompt_lookup import PromptLookup
from evalkit.models.thinking import after_thought, split
from evalkit.types import GenerationParams, Response

FEW = 256  # words that nearly always hold the mass asked for: finding them costs a tenth of a sorted vocabulary


@dataclass(slots=True, eq=False)
class GeneratedSequence:
    """A sample in work. Its generator is its own, so neither batch nor order can change a draw."""

    item: WorkItem
    params: GenerationParams
    generator: torch.Generator | None
    ids: list[int] = field(default_factory=list)
    lookup: PromptLookup | None = None
    answer_at: int | None = 0  # tokens before the answer; None while that is not known
    thinks: bool = False

    @classmethod
    def of(cls, item: WorkItem) -> GeneratedSequence:
        thinking = item.thinking
        row = cls(item, item.params or GenerationParams(), _generator(item), answer_at=None if thinking else 0)
        row.thinks = thinking is not None and thinking.opened
        return row

    @property
    def left(self) -> int:
        """Tokens it may write yet: of the thought while there is one, else of the answer."""
        if self.answer_at is None:
            return (self.item.thinking.tokens if self.thinks and self.item.thinking else self.item.limit) - len(self.ids)
        return self.params.max_new_tokens - (len(self.ids) - self.answer_at)

    @property
    def alone(self) -> bool:
        """Whether its next token is chosen from all logits of its own: drawn, or after penalties."""
        return self.generator is not None or self.params.penalised

    @property
    def read(self) -> TokenIds:
        """The prompt and everything written so far."""
        return (*self.item.prompt_ids, *self.ids)

    @property
    def length(self) -> int:
        """Tokens of `read`."""
        return len(self.item.prompt_ids) + len(self.ids)

    def draft(self) -> list[int]:
        """Tokens it may write next; none where `alone`, whose choices must not be guessed at, and none past its limit."""
        if self.alone:
            return []
        if self.lookup is None:
            self.lookup = PromptLookup(self.read)
        return self.lookup.draft()[: max(0, self.left - 1)]

    def take(self, tokens: Sequence[int], draft: Sequence[int], tokenizer: Any, eos: frozenset[int]) -> tuple[Response | None, int]:
        """Add what was chosen after the last token and after each token of a draft, as far as the draft is what was chosen.

        Returns:
            The finished answer, or None while the row goes on; how many tokens were added.
        """
        answer, added = None, 0
        for token, guess in zip_longest(tokens[: 1 + len(draft)], draft):
            answer = self.add(token, tokenizer, eos)
            added += 1
            if answer is not None or token != guess:
                break
        if self.lookup is not None:
            self.lookup.judge(len(draft), added - 1)
        return answer, added

    def add(self, token: int, tokenizer: Any, eos: frozenset[int]) -> Response | None:
        """Add a token; the finished answer, or None while the row goes on."""
        ended = token in eos
        self.ids.append(token)
        if self.lookup is not None:
            self.lookup.add(token)
        full = self._full(tokenizer)
        if not (ended or full or self._may_stop(tokenizer)):
            return None
        whole, thought, text = self._said(tokenizer, ended)
        cut = cut_at_stops(text or "", self.params.stop)
        complete = ended or len(cut) < len(text or "")
        if not (complete or full):
            return None
        return Response(
            self.item.key,
            "thinking" if text is None else "empty" if not cut.strip() else "ok" if complete else "length",
            text=cut,
            raw=whole if whole != cut else None,
            thinking=thought,
            finish="stop" if complete else "length",
            context_tokens=len(self.item.prompt_ids),
            output_tokens=len(self.ids),
            truncated_tokens=self.item.truncated_tokens,
        )

    def _full(self, tokenizer: Any) -> bool:
        """Whether no token is left; finds the end of the thought on the way."""
        if self.answer_at is None and self.item.thinking:
            opening, closing = self.item.thinking.marks
            tail = tokenizer.decode(self.ids[-(4 * len(closing) + 8) :])
            if closing in tail:
                self.answer_at = len(self.ids)
            elif not self.thinks:
                # No thought has begun: what is here is the answer, as soon as it cannot become the opening mark.
                begun = tokenizer.decode(self.ids).lstrip()
                self.thinks = begun.startswith(opening)
                if not self.thinks and (len(self.ids) > 4 * len(opening) or not opening.startswith(begun)):
                    self.answer_at = 0
        return self.left <= 0

    def _said(self, tokenizer: Any, ended: bool) -> tuple[str, str | None, str | None]:
        """Everything written; the thought, None without one; the answer, None while the thought has no end."""
        text = tokenizer.decode(self.ids, skip_special_tokens=True)
        if self.item.thinking is None or self.answer_at == 0:
            return text, None, text
        # Marks may be special tokens, which a plain decode would drop.
        whole = tokenizer.decode(self.ids[:-1] if ended else self.ids)
        said = split(whole, [self.item.thinking.marks], self.item.thinking.opened)
        if said.answer is None or self.answer_at is None:
            return whole, said.thought, said.answer
        shared = split(tokenizer.decode(self.ids[: self.answer_at]), [self.item.thinking.marks], self.item.thinking.opened).answer or ""
        return whole, said.thought, after_thought(shared + tokenizer.decode(self.ids[self.answer_at :], skip_special_tokens=True))

    def _may_stop(self, tokenizer: Any) -> bool:
        """Whether a stop is in the text of the answer's last tokens; a character takes four tokens at most."""
        if not self.params.stop or self.answer_at is None:
            return False
        answer = self.ids[max(self.answer_at - 1, 0) :]
        tail = tokenizer.decode(answer[-(4 * max(map(len, self.params.stop)) + 8) :], skip_special_tokens=True)
        return any(stop and stop in tail for stop in self.params.stop)


def choose(logits: torch.Tensor, rows: Sequence[GeneratedSequence]) -> list[int]:
    """The next token of every row: the most likely one, or the row's own choice."""
    best: list[int] = logits.argmax(-1).tolist()
    return [own_choice(logits[place], row) if row.alone else best[place] for place, row in enumerate(rows)]


def own_choice(logits: torch.Tensor, row: GeneratedSequence) -> int:
    """The next token from (vocabulary,) logits: after the row's penalties the most likely one, or a draw from the row's generator."""
    if row.params.penalised:
        logits = _penalised(logits, row)
    return int(logits.argmax()) if row.generator is None else _draw(logits, row)


def _penalised(logits: torch.Tensor, row: GeneratedSequence) -> torch.Tensor:
    """Logits after the penalties; a thought is text like any other."""
    logits = logits.clone()
    if row.params.repetition_penalty != 1:
        seen = torch.tensor(sorted(set(row.read)), device=logits.device)
        there = logits[seen]
        logits[seen] = torch.where(there < 0, there * row.params.repetition_penalty, there / row.params.repetition_penalty)
    if row.params.presence_penalty and row.ids:
        logits[torch.tensor(sorted(set(row.ids)), device=logits.device)] -= row.params.presence_penalty
    return logits


def _generator(item: WorkItem) -> torch.Generator | None:
    if item.params is None or item.params.temperature <= 0:
        return None
    # The item's key already hashes prompt, parameters, seed and sample index.
    seed = int.from_bytes(hashlib.sha256(f"{item.key}|{item.params.seed}|{item.sample}".encode()).digest()[:7], "big")
    return torch.Generator().manual_seed(seed)


def _draw(logits: torch.Tensor, row: GeneratedSequence) -> int:
    """A token at the row's temperature, out of those that top_k, then top_p, then min_p leave, as transformers orders them."""
    params = row.params
    wide = logits.cpu().double() / params.temperature
    if not params.top_k and params.top_p >= 1 and not params.min_p:
        return int(torch.multinomial(wide.softmax(0), 1, generator=row.generator))
    if 0 < params.top_k < len(wide):
        wide = torch.where(wide < wide.topk(params.top_k).values[-1], -torch.inf, wide)
    likely, order = _most_likely(wide.softmax(0), params.top_p)
    likely = torch.where(likely < params.min_p * likely[0], 0.0, likely)
    return int(order[torch.multinomial(likely, 1, generator=row.generator)])


def _most_likely(probabilities: torch.Tensor, mass: float) -> tuple[torch.Tensor, torch.Tensor]:
    """The fewest tokens whose probabilities reach `mass`, most likely first, and which they are."""
    size = FEW
    while True:
        size = min(size, len(probabilities))
        likely, order = probabilities.topk(size)
        inside = likely.cumsum(0) - likely < mass
        if size == len(probabilities) or not inside[-1]:
            return likely[inside], order[inside]
        size *= 8
