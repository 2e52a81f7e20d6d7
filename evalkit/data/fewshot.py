"""Drawing shots: before any split of work, so that no batch size, limit or crash can change them.

The `lm_eval` sampler replays the random stream of lm-evaluation-harness 0.4.13 (`lm_eval/api/samplers.py`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable, Sequence
from itertools import islice
from typing import Protocol

from evalkit.errors import ConfigError, DataError, did_you_mean
from evalkit.types import Doc


class FewshotLike(Protocol):
    """What drawing needs to know.

    sampler: `lm_eval`, `first_n` or `per_doc`.
    extra_draw: replay the harness's habit for tasks whose few-shot and test splits are set equal (or both
        unset): draw n + 1, drop the evaluated document, keep the first n.
    by_group: one stream and one pool a group (subject), as for a benchmark that is many tasks in the harness.
    """

    @property
    def sampler(self) -> str: ...
    @property
    def seed(self) -> int: ...
    @property
    def extra_draw(self) -> bool: ...
    @property
    def by_group(self) -> bool: ...


def draw(docs: Sequence[Doc], pool: Sequence[Doc], n: int, spec: FewshotLike, pool_is_eval: bool) -> dict[str, tuple[Doc, ...]]:
    """Shots of every document, by document id.

    One stream per language (and per group with `by_group`), over the pool's documents of that language
    (and group). No document is ever shown to itself: neither the same row nor another with equal content.

    Args:
        docs: ALL documents of the task in file order, before any limit: the stream advances document by document.
        n: shots per document; 0 gives empty tuples.
        pool_is_eval: the pool is `docs`; the evaluated document is then left out as `extra_draw` does it.

    Raises:
        ConfigError: unknown sampler, or n < 0.
        DataError: fewer than n documents to show.
    """
    if n < 0:
        raise ConfigError(f"num_fewshot={n} is negative; use 0 or more")
    if spec.sampler not in _SAMPLERS:
        near = did_you_mean(spec.sampler, _SAMPLERS)
        raise ConfigError(f"fewshot.sampler={spec.sampler!r} is unknown{near}; samplers: {', '.join(_SAMPLERS)}")
    if n == 0:
        return {doc.id: () for doc in docs}

    def stream_of(doc: Doc) -> Hashable:
        return (doc.language, doc.group) if spec.by_group else doc.language

    pools: dict[Hashable, list[Doc]] = {}
    for doc in pool:
        pools.setdefault(stream_of(doc), []).append(doc)
    generators: dict[Hashable, random.Random] = {}
    sampler = _SAMPLERS[spec.sampler]
    shots: dict[str, tuple[Doc, ...]] = {}
    for doc in docs:
        stream = stream_of(doc)
        members = pools.get(stream, [])
        if len(members) < n:
            raise _too_small(doc, len(members), n)
        generator = generators.setdefault(stream, random.Random(spec.seed))
        shots[doc.id] = tuple(sampler(doc, members, n, spec, generator, pool_is_eval))
    return shots


def _lm_eval(doc: Doc, pool: Sequence[Doc], n: int, spec: FewshotLike, stream: random.Random, pool_is_eval: bool) -> list[Doc]:
    if spec.extra_draw or pool_is_eval:
        return _without(doc, pool, n, stream)
    drawn = stream.sample(pool, n)
    if any(_same(doc, shot) for shot in drawn):
        # The harness would show the answer here. Its own generator keeps the stream of all later documents.
        return _without(doc, pool, n, _own_generator(spec.seed, doc))
    return drawn


def _first_n(doc: Doc, pool: Sequence[Doc], n: int, spec: FewshotLike, stream: random.Random, pool_is_eval: bool) -> list[Doc]:
    shots = list(islice((shot for shot in pool if not _same(doc, shot)), n))
    if len(shots) < n:
        raise _too_small(doc, len(shots), n)
    return shots


def _per_doc(doc: Doc, pool: Sequence[Doc], n: int, spec: FewshotLike, stream: random.Random, pool_is_eval: bool) -> list[Doc]:
    return _without(doc, pool, n, _own_generator(spec.seed, doc))


_Sampler = Callable[[Doc, Sequence[Doc], int, FewshotLike, random.Random, bool], list[Doc]]
_SAMPLERS: dict[str, _Sampler] = {"lm_eval": _lm_eval, "first_n": _first_n, "per_doc": _per_doc}


def _without(doc: Doc, pool: Sequence[Doc], n: int, generator: random.Random) -> list[Doc]:
    """Draw n + 1, drop the evaluated document, keep n; draw again from the rest if duplicates left too few.

    The harness fails on a pool of exactly n documents; here it serves if the document is not among them.
    """
    if len(pool) > n:
        kept = [shot for shot in generator.sample(pool, n + 1) if not _same(doc, shot)][:n]
        if len(kept) == n:
            return kept
    rest = [shot for shot in pool if not _same(doc, shot)]
    if len(rest) < n:
        raise _too_small(doc, len(rest), n)
    return generator.sample(rest, n)


def _own_generator(seed: int, doc: Doc) -> random.Random:
    # A string seed is hashed with SHA-512: the same on every machine and Python version.
    return random.Random(f"{seed}:{doc.id}")


def _same(a: Doc, b: Doc) -> bool:
    """Equal content, whatever the ids: duplicates of the evaluated document give it away just as well."""
    return a.target == b.target and a.choices == b.choices and a.fields == b.fields


def _too_small(doc: Doc, available: int, n: int) -> DataError:
    stratum = "".join(f", {name} {value}" for name, value in (("language", doc.language), ("group", doc.group)) if value)
    return DataError(
        f"document {doc.id}{stratum}: {n} shots wanted, the pool has {available} other documents; "
        "lower num_fewshot or give a larger fewshot_split"
    )
