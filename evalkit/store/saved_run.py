"""One run directory, read: scores and manifest at once, samples when they are asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from evalkit.errors import ConfigError, DataError
from evalkit.files import read_object, read_text
from evalkit.results import RunResult
from evalkit.store.baseline import read_baseline
from evalkit.store.columns import TaskColumns, read_columns
from evalkit.store.layout import CONFIG, MANIFEST, PLAN, REBUILD, SAMPLES, SCORES
from evalkit.store.scores import from_json

RESCORE = "run `evalkit score` on its folder to rebuild it"


class Unfinished(DataError):
    """A run that has not written its scores yet."""


@dataclass(frozen=True)
class SavedRun:
    """A run on disk.

    Attributes:
        result: its scores, with `manifest` filled from the folder.
        config: the resolved configuration; empty for answers made elsewhere.
        has_samples: whether `samples.jsonl` belongs to these scores.
        kept: the numbers of every sample where they are known without `samples.jsonl` (a baseline file).
    """

    path: Path
    result: RunResult
    config: Mapping[str, Any] = field(default_factory=dict)
    has_samples: bool = True
    kept: Mapping[str, TaskColumns] | None = None

    @property
    def samples_size(self) -> int:
        """Bytes of `samples.jsonl`; 0 when there are no samples."""
        return (self.path / SAMPLES).stat().st_size if self.has_samples else 0

    @cached_property
    def columns(self) -> Mapping[str, TaskColumns]:
        """The numbers of every sample by task; empty when there are no samples. Read once.

        Raises:
            DataError: `samples.jsonl` is damaged; names the line.
        """
        if self.kept is not None:
            return self.kept
        return read_columns(self.path / SAMPLES) if self.has_samples else {}

    def samples(self, task: str | None = None) -> Iterator[dict[str, Any]]:
        """Whole lines of `samples.jsonl`, one document at a time; of one task when it is named.

        Raises:
            DataError: a damaged line, with its number.
        """
        if not self.has_samples:
            return
        wanted = json.dumps(task, ensure_ascii=False).encode() if task is not None else b""
        with (self.path / SAMPLES).open("rb") as handle:
            for number, text in enumerate(handle, 1):
                # Lines begin with their task, so those of another are skipped unread.
                if wanted and text.startswith(b'{"task":"') and not text.startswith(b'{"task":' + wanted):
                    continue
                sample = self._parsed(text, f"{self.path / SAMPLES}:{number}")
                if task is None or sample.get("task") == task:
                    yield sample

    def sample_at(self, offset: int) -> dict[str, Any]:
        """The whole line that begins at a byte offset (`TaskColumns.offsets`)."""
        return next(self.samples_at([offset]))

    def samples_at(self, offsets: Iterable[int]) -> Iterator[dict[str, Any]]:
        """The lines that begin at these byte offsets, in their order; the file is opened once."""
        name = str(self.path / SAMPLES)
        with open(name, "rb") as handle:
            for offset in offsets:
                handle.seek(int(offset))
                yield self._parsed(handle.readline(), f"{name} at byte {offset}")

    @staticmethod
    def _parsed(text: bytes, where: str) -> dict[str, Any]:
        try:
            sample = _decoded(text)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{where} is damaged ({error}); run the same `evalkit run` again to rebuild it (answers are kept)") from error
        if not isinstance(sample, dict):
            raise DataError(f"{where} is damaged (no JSON object); run the same `evalkit run` again to rebuild it (answers are kept)")
        return sample


def load_run(folder: Path, *, rescore: Callable[[Path], RunResult] | None = None) -> SavedRun:
    """Read a run directory, or a baseline file (`evalkit export RUN to=baseline`).

    Args:
        rescore: gives the scores of what an unfinished run has answered so far.

    Raises:
        ConfigError: the folder is no run directory.
        Unfinished: no scores yet and no `rescore`.
        DataError: damaged scores, manifest or configuration; one line that names the file.
    """
    folder = folder if folder.is_dir() or folder.name not in (SCORES, SAMPLES, MANIFEST) else folder.parent
    if folder.is_file():
        return read_baseline(folder)
    scores = folder / SCORES
    config = read_object(folder / CONFIG, REBUILD)
    if scores.is_file():
        result = from_json(read_text(scores, RESCORE), path=scores)
        manifest = read_object(folder / MANIFEST, REBUILD)
        about = {**manifest, **({"config": config} if config else {})}
        return SavedRun(folder, replace(result, manifest=about), config, (folder / SAMPLES).is_file())
    if not (folder / PLAN).is_file():
        raise ConfigError(f"{folder} is not a run directory (no {SCORES}); give a folder made by evalkit run, as under results/runs")
    if rescore is None:
        raise Unfinished(f"{folder} is unfinished (no {SCORES} yet); repeat its command to finish it")
    # An older samples.jsonl may lie there still: of other answers than the plan's.
    result = replace(rescore(folder), complete=False, path=folder, manifest={"config": config})
    return SavedRun(folder, result, config, has_samples=False)


def _decoded(text: bytes) -> Any:
    """JSON, fast; what msgspec refuses and Python's reader takes (NaN, a lone surrogate) is read by the latter."""
    try:
        return msgspec.json.decode(text)
    except msgspec.MsgspecError:
        return json.loads(text)
