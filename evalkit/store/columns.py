"""The numbers of `samples.jsonl` as arrays, one block a task; texts are skipped, not parsed."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from evalkit import stats
from evalkit.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_NOTHING = msgspec.Raw(b"")


class _Score(msgspec.Struct):
    value: float | None = None
    flags: tuple[str, ...] = ()
    stats: tuple[float, ...] = ()
    raters: dict[str, float] = {}


class _Answer(msgspec.Struct):
    context_tokens: int | None = None
    loglikelihoods: tuple[float, ...] | None = None


class _Line(msgspec.Struct):
    """The fields of a sample's line that statistics need; msgspec skips over the others."""

    task: str
    doc: str
    scores: dict[str, _Score]
    language: str | None = None
    group: str | None = None
    cluster: str | None = None
    prompt: msgspec.Raw = _NOTHING
    pairs: msgspec.Raw = _NOTHING
    target: msgspec.Raw = _NOTHING
    responses: tuple[_Answer, ...] = ()

    @property
    def choice(self) -> tuple[float, bool]:
        """(probability of the likeliest of several choices, whether it is the right one); NaN for any other kind of sample."""
        values, target = self.responses[0].loglikelihoods if self.responses else None, bytes(self.target)
        if not values or len(values) < 2 or not target.isdigit():
            return math.nan, False
        return stats.confidence(values), values.index(max(values)) == int(target)


@dataclass(frozen=True)
class Ratings:
    """The single ratings whose mean is a document's value; every number in the scale of the metric.

    Attributes:
        docs: int64, shape (m,): place of the rated document among the task's.
        raters: int64, shape (m,): place in `names`.
        values: float64, shape (m,).
        names: what each rater is called: the same in every run of one sheet, and nobody's name.
    """

    docs: NDArray[np.int64]
    raters: NDArray[np.int64]
    values: NDArray[np.float64]
    names: tuple[str, ...]


@dataclass(frozen=True)
class MetricColumn:
    """One metric over a task's documents.

    Attributes:
        values: float64, shape (n,); NaN = not measured.
        invalid: bool, shape (n,): nothing could be extracted.
        stats: float64, shape (n, k): sufficient statistics of a corpus metric (zeros where not measured), else None.
        ratings: who gave what, where the values are means over people; else None.
    """

    values: NDArray[np.float64]
    invalid: NDArray[np.bool_]
    stats: NDArray[np.float64] | None = None
    ratings: Ratings | None = None


@dataclass(frozen=True)
class TaskColumns:
    """One task's documents in file order.

    Attributes:
        offsets: byte offset of each document's line in `samples.jsonl`, for `SavedRun.sample_at`.
        asked: a 32-bit hash of each rendered request, the same in every process.
        tokens: int64, of the prompt of the first answer; -1 without an answer.
        confidence: float64, probability of the likeliest choice of a multiple-choice sample; NaN for any other.
        confident_right: bool, whether the likeliest choice is the right one.
    """

    task: str
    docs: tuple[str, ...]
    languages: tuple[str | None, ...]
    groups: tuple[str | None, ...]
    clusters: tuple[str | None, ...]
    offsets: NDArray[np.int64]
    asked: NDArray[np.int64]
    tokens: NDArray[np.int64]
    confidence: NDArray[np.float64]
    confident_right: NDArray[np.bool_]
    metrics: Mapping[str, MetricColumn]

    @cached_property
    def place(self) -> Mapping[str, int]:
        """Index by document id."""
        return {doc: i for i, doc in enumerate(self.docs)}


@dataclass
class _Open:
    """A task's columns while its lines are read."""

    docs: list[str] = field(default_factory=list)
    languages: list[str | None] = field(default_factory=list)
    groups: list[str | None] = field(default_factory=list)
    clusters: list[str | None] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    choices: list[tuple[float, bool]] = field(default_factory=list)
    scores: list[dict[str, _Score]] = field(default_factory=list)

    def add(self, line: _Line, offset: int) -> None:
        self.docs.append(line.doc)
        self.languages.append(line.language)
        self.groups.append(line.group)
        self.clusters.append(line.cluster)
        self.offsets.append(offset)
        self.asked.append(asked_hash(bytes(line.prompt), bytes(line.pairs)))
        self.tokens.append((line.responses[0].context_tokens or 0) if line.responses else -1)
        self.choices.append(line.choice)
        self.scores.append(line.scores)

    def closed(self, task: str) -> TaskColumns:
        import numpy as np

        names = dict.fromkeys(name for scores in self.scores for name in scores)
        metrics = {name: _metric([scores.get(name) for scores in self.scores]) for name in names}
        return TaskColumns(
            task=task,
            docs=tuple(self.docs),
            languages=tuple(self.languages),
            groups=tuple(self.groups),
            clusters=tuple(self.clusters),
            offsets=np.array(self.offsets, dtype=np.int64),
            asked=np.array(self.asked, dtype=np.int64),
            tokens=np.array(self.tokens, dtype=np.int64),
            confidence=np.array([share for share, _ in self.choices], dtype=np.float64),
            confident_right=np.array([right for _, right in self.choices], dtype=bool),
            metrics=metrics,
        )


def asked_hash(prompt: bytes, pairs: bytes) -> int:
    """32 bits of a request's text as it is in `samples.jsonl`: two different ones agree once in four thousand million."""
    return int.from_bytes(hashlib.blake2b(prompt + b"\x00" + pairs, digest_size=4).digest(), "little")


def _metric(scores: list[_Score | None]) -> MetricColumn:
    import numpy as np

    values = np.array([np.nan if s is None or s.value is None else s.value for s in scores])
    invalid = np.array([s is not None and "invalid" in s.flags for s in scores], dtype=bool)
    width = max((len(s.stats) for s in scores if s is not None), default=0)
    if not width:
        return MetricColumn(values, invalid, ratings=_ratings([s.raters if s is not None else {} for s in scores]))
    blank = (0.0,) * width
    return MetricColumn(values, invalid, np.array([s.stats if s is not None and s.stats else blank for s in scores]))


def _ratings(given: list[dict[str, float]]) -> Ratings | None:
    import numpy as np

    names = tuple(dict.fromkeys(name for one in given for name in one))
    if not names:
        return None
    number = {name: i for i, name in enumerate(names)}
    return Ratings(
        np.array([doc for doc, one in enumerate(given) for _ in one], dtype=np.int64),
        np.array([number[name] for one in given for name in one], dtype=np.int64),
        np.array([value for one in given for value in one.values()], dtype=np.float64),
        names,
    )


def read_columns(path: Path) -> dict[str, TaskColumns]:
    """Every task of a `samples.jsonl`, in order of first appearance.

    Raises:
        DataError: a line that is not a sample, with its number; or a document twice.
    """
    with path.open("rb") as handle:
        return columns_of(handle, str(path))


def columns_of(lines: Iterable[bytes], where: str) -> dict[str, TaskColumns]:
    """The same of lines from anywhere; `where` names them in an error."""
    decode = msgspec.json.Decoder(_Line).decode
    found: dict[str, _Open] = {}
    offset = 0
    for number, text in enumerate(lines, 1):
        try:
            line = decode(text)
        except msgspec.MsgspecError as error:
            line = _leniently(text, f"{where}:{number}", error)
        found.setdefault(line.task, _Open()).add(line, offset)
        offset += len(text)
    columns = {task: opened.closed(task) for task, opened in found.items()}
    for task, closed in columns.items():
        if len(closed.place) != len(closed.docs):
            raise DataError(f"{where} holds a document of {task} twice; run `evalkit run` again to rebuild it (answers are kept)")
    return columns


def _leniently(text: bytes, where: str, error: Exception) -> _Line:
    """What msgspec refuses and JSON allows: a model's lone surrogate, written as an escape."""
    try:
        raw: dict[str, Any] = json.loads(text)
        asked = {name: msgspec.Raw(json.dumps(raw.pop(name)).encode()) for name in ("prompt", "pairs", "target") if name in raw}
        line = msgspec.convert({name: raw[name] for name in _Line.__struct_fields__ if name in raw}, _Line, strict=True)
        for name, value in asked.items():
            setattr(line, name, value)
        return line
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise DataError(f"{where} is damaged ({error}); run the same `evalkit run` again to rebuild it (answers are kept)") from error
