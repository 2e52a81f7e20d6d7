"""Text: shared prefixes read once, rows admitted as others finish.

Prompts form the same tree of headers as log-likelihood items. A wave of rows is read in one packed
pass behind its header, then every step advances all rows by one token. Keys and values stay within
a budget: rows are admitted on what they hold now, and when growth meets the budget the youngest
rows wait and are read again later. Identical prompts (several samples) are read once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

import torch

from evalkit.models.base import WorkItem
from evalkit.models.batching import Header, prompt_groups
from evalkit.models.hf.forward import Forward, State
from evalkit.models.hf.kv_cache import ROOM, BatchAttention, CachedBatch
from evalkit.models.hf.lm_head import WHOLE_ROWS
from evalkit.models.hf.prompt_lookup import share_out
from evalkit.models.hf.sequence import GeneratedSequence, own_choice
from evalkit.types import Response

Group = tuple[list[Header], deque[GeneratedSequence]]  # a chain of headers, and the rows that wait below it


class Generator:
    """Writes texts with a model that takes the tree path.

    Args:
        room: tokens whose keys and values may be held at once.
        budget: tokens a prefill pass may read.
        most: rows written at once.
        fill: tokens that a step may read, its rows' drafts included; 0 drafts nothing.
    """

    def __init__(self, forward: Forward, tokenizer: Any, eos: frozenset[int], *, room: int, budget: int, most: int, fill: int) -> None:
        self.forward, self.tokenizer, self.eos = forward, tokenizer, eos
        self.room, self.budget, self.most, self.fill = room, budget, most, fill
        self.length = 0
        self.attention = BatchAttention()
        self.batches: list[CachedBatch] = []
        self.kept: dict[int, State] = {}
        self.waiting: deque[Group] = deque()
        self.finished: list[Response] = []
        self.admitting: list[GeneratedSequence] = []

    def run(self, items: Sequence[WorkItem], length: int = 0) -> Iterator[list[Response]]:
        """Answers as they finish. After an error, `in_work` names what was being written and `retreat` makes it wait again.

        Args:
            length: the class of every length these texts may have (`Rotary.class_of`).
        """
        self.length = length
        # Nothing of an earlier call is left: headers are known by identity, and a new one may sit where an old one was.
        self.batches, self.kept, self.finished, self.admitting = [], {}, [], []
        self.waiting = deque(
            (headers, deque(GeneratedSequence.of(items[i]) for i in indices)) for headers, indices in prompt_groups(items, self.budget)
        )
        return self.resume()

    def resume(self) -> Iterator[list[Response]]:
        while self.waiting or self.batches or self.finished:
            if not self.finished:
                self.forward.length = self.length
                with torch.inference_mode():  # not across a yield: it would leak into whoever reads the answers
                    self._admit()
                    if self.batches:
                        self._step()
            if self.finished:
                done, self.finished = self.finished, []
                yield done

    def in_work(self) -> list[WorkItem]:
        return [row.item for row in (*(row for batch in self.batches for row in batch.rows), *self.admitting)]

    def retreat(self) -> None:
        """Out of memory: half of everything from now on, and the rows in work are read again."""
        self.room, self.budget, self.most = (
            max(1, self.room // 2),
            max(1, self.budget // 2),
            max(1, min(self.most, len(self.in_work())) // 2),
        )
        for batch in reversed(self.batches):
            self.waiting.appendleft((batch.headers, deque(batch.rows)))
        if self.admitting:
            self.waiting.appendleft((self._chain, deque(self.admitting)))
        self.batches, self.admitting, self.kept = [], [], {}

    # ---- admission ----

    def _admit(self) -> None:
        active = sum(len(batch.rows) for batch in self.batches)
        free = self.most - active
        # A wave worth its own forward pass, not one row at a time.
        while self.waiting and (free >= max(1, self.most // 8) or not self.batches):
            chain_of, rows = self.waiting[0]
            self._drop_headers(chain_of)
            start = chain_of[-1].length
            held = self._held() + sum(len(part.ids) for part in chain_of if id(part) not in self.kept)
            wave: list[GeneratedSequence] = []
            longest, fresh = 0, 0
            while rows and len(wave) < free:
                size = rows[0].length - start
                longest = max(longest, size)
                over = held + (len(wave) + 1) * (longest + ROOM) > self.room or fresh + size > self.budget
                if over and (wave or self.batches):
                    break
                fresh += 0 if wave and rows[0].read == wave[-1].read else size
                wave.append(rows.popleft())
            if not rows:
                self.waiting.popleft()
            if not wave:
                return
            self._prefill(chain_of, wave)
            free = self.most - sum(len(batch.rows) for batch in self.batches)

    def _prefill(self, chain_of: list[Header], wave: list[GeneratedSequence]) -> None:
        """Read a wave's prompts behind their header and choose every row's first token."""
        self._chain, self.admitting = chain_of, wave
        header = self.forward.read_chain(chain_of, self.kept, self.budget)
        start = chain_of[-1].length
        tails = [row.read[start:] for row in wave]
        places: dict[tuple[int, ...], int] = {}
        size = 0
        for tail in tails:
            if tail not in places:
                places[tail] = size
                size += len(tail)
        state: State = {}
        hidden = self.forward.chains(list(places), start, header, state)
        batch = CachedBatch(wave, [len(tail) for tail in tails], state, [places[tail] for tail in tails], header, chain_of)
        tokens = self._choose(hidden[torch.tensor([places[tail] + len(tail) - 1 for tail in tails], device=hidden.device)], wave)
        self.admitting = []
        batch.lengths = [length - 1 for length in batch.lengths]  # `_take` counts a token that was read, and the last one has been
        self.batches.append(batch)
        self._take(batch, tokens, [[] for _ in wave])
        self.batches = [batch for batch in self.batches if batch.rows]
        seen: dict[int, int] = {}
        for batch in self.batches:
            seen.setdefault(id(batch.header), len(seen))
        self.batches.sort(key=lambda batch: seen[id(batch.header)])

    # ---- a step ----

    def _step(self) -> None:
        """Every row reads its last token and the draft behind it, and keeps what it would have written itself."""
        self._make_room()
        rows = [row for batch in self.batches for row in batch.rows]
        drafts = self._drafts(rows)
        at = 0
        for batch in self.batches:
            batch.open([1 + len(draft) for draft in drafts[at : at + len(batch.rows)]], self.forward.device)
            at += len(batch.rows)
        self.attention.use(self.batches)
        ids = [token for row, draft in zip(rows, drafts, strict=True) for token in (row.ids[-1], *draft)]
        positions = [row.length - 1 + step for row, draft in zip(rows, drafts, strict=True) for step in range(1 + len(draft))]
        hidden = self.forward.hidden(self.attention, ids, positions)
        tokens: Sequence[int] = self._choose(hidden, [row for row, draft in zip(rows, drafts, strict=True) for _ in range(1 + len(draft))])
        at = 0
        for batch in self.batches:
            count = len(batch.rows)
            tokens = self._take(batch, tokens, drafts[at : at + count])
            at += count
        self.batches = [batch for batch in self.batches if batch.rows]

    def _drafts(self, rows: Sequence[GeneratedSequence]) -> list[list[int]]:
        """What each row may write next, within the tokens that a step reads at little more than the cost of one."""
        drafts = [row.draft() for row in rows]
        sizes = share_out(drafts, self.fill - len(rows))
        return [draft[:size] for draft, size in zip(drafts, sizes, strict=True)]

    def _take(self, batch: CachedBatch, tokens: Sequence[int], drafts: Sequence[Sequence[int]]) -> Sequence[int]:
        """Give a batch's rows what was chosen for them; returns what is left of `tokens`."""
        firsts = list(accumulate((1 + len(draft) for draft in drafts), initial=0))
        for index in reversed(range(len(batch.rows))):
            answer, kept = batch.rows[index].take(tokens[firsts[index] :], drafts[index], self.tokenizer, self.eos)
            batch.lengths[index] += kept
            if answer is not None:
                self.finished.append(answer)
                batch.remove(index)
        return tokens[firsts[-1] :]

    def _choose(self, hidden: torch.Tensor, rows: Sequence[GeneratedSequence]) -> list[int]:
        """The next token of every row: the most likely one, or the row's own choice."""
        projection = self.forward.projection
        drawn = [place for place, row in enumerate(rows) if row.alone]
        tokens = projection.best(hidden).tolist() if len(drawn) < len(rows) else [0] * len(rows)
        for at in range(0, len(drawn), WHOLE_ROWS):
            part = drawn[at : at + WHOLE_ROWS]
            for place, logits in zip(part, projection.logits(hidden[part]), strict=True):
                tokens[place] = own_choice(logits, rows[place])
        return [int(token) for token in tokens]

    # ---- memory ----

    def _held(self) -> int:
        """Tokens whose keys and values are held."""
        headers = sum(next(iter(state.values()))[0].shape[2] for state in self.kept.values())
        return headers + sum(batch.capacity for batch in self.batches)

    def _make_room(self) -> None:
        """When the coming step would go over the budget, the youngest rows wait and are read again later."""
        grown = sum(max(0, batch.needed - batch.capacity) for batch in self.batches)
        while len(self.batches) > 1 and self._held() + grown > self.room:
            youngest = min(self.batches, key=lambda batch: max(len(row.ids) for row in batch.rows))
            self.batches.remove(youngest)
            self.waiting.appendleft((youngest.headers, deque(youngest.rows)))
            grown = sum(max(0, batch.needed - batch.capacity) for batch in self.batches)

    def _drop_headers(self, coming: Sequence[Header]) -> None:
        used = {id(part) for batch in self.batches for part in batch.headers} | {id(part) for part in coming}
        for stale in [key for key in self.kept if key not in used]:
            del self.kept[stale]


def tokens_in(model: Any, size: int) -> int:
    """Tokens whose keys and values fit into `size` bytes; at least one long row's worth."""
    config = model.config.get_text_config()
    attention_heads = getattr(config, "num_attention_heads", None) or 1
    heads = getattr(config, "num_key_value_heads", None) or attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // attention_heads
    return max(2048, size // (2 * config.num_hidden_layers * heads * width * model.dtype.itemsize))
