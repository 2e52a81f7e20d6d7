"""The rows of work that `engine.py` measures, rendered once by evalkit's own tasks so that both sides read the same texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evalkit.types import GenerateRequest, GenerationParams, LoglikelihoodRequest, Request

Doc = dict[str, Any]  # {"id", "pairs": [[context, continuation], …]} or {"id", "prompt"}


@dataclass(frozen=True)
class Work:
    """A task at a size.

    Attributes:
        words: settings as on evalkit's command line.
        size: documents; of a task with subjects, of each of the first `subjects`.
        quick, quick_subjects: the same under `--quick`; 0 leaves the row out.
        batches: what the peer may try, smallest first. Where memory is short a batch that fails is left out.
        known: the best of them as far as known, for `--quick`, which tries none.
        peer_s, ours_s: seconds per document, roughly; only the estimate of the time left needs them.
    """

    name: str
    title: str
    task: str
    size: int
    quick: int
    batches: tuple[int, ...]
    known: int
    peer_s: float
    ours_s: float
    words: tuple[str, ...] = ()
    subjects: int = 0
    quick_subjects: int = 0
    optional: bool = False

    def documents(self, quick: bool) -> int:
        """How many documents the row has."""
        return (self.quick if quick else self.size) * max(1, self.quick_subjects if quick else self.subjects)

    def label(self, quick: bool) -> str:
        """What the table calls it."""
        if self.subjects:
            return f"{self.title}, {self.quick_subjects if quick else self.subjects} subjects × {self.quick if quick else self.size}"
        return f"{self.title}, {self.documents(quick):,} {'prompts' if self.task == 'gsm8k' else 'documents'}"


# The same five shots before every prompt: what a shared prefix is worth. `gsm8k_drawn` draws five new ones for each document.
_SHOTS = ("tasks.gsm8k.num_fewshot=5", "tasks.gsm8k.prompt.params.max_new_tokens=256")
_SAME_SHOTS = (*_SHOTS, "tasks.gsm8k.fewshot.sampler=first_n")
WORKS = (
    Work("hellaswag", "HellaSwag 0-shot", "hellaswag", 250, 20, (4, 8, 16, 32), 16, 0.5, 0.16),
    Work("csqa_letters", "CommonsenseQA letters", "commonsense_qa", 1221, 100, (8, 16, 32), 16, 0.07, 0.04),
    Work("csqa_texts", "CommonsenseQA answer texts", "commonsense_qa_cloze", 600, 60, (8, 16, 32), 16, 0.117, 0.022),
    Work("mmlu", "MMLU 5-shot", "mmlu", 40, 6, (1, 2, 4), 1, 1.67, 0.24, subjects=6, quick_subjects=2),
    Work("gsm8k_40", "GSM8K 5-shot generation", "gsm8k", 40, 6, (1, 4, 8), 1, 3.1, 0.4, _SAME_SHOTS),
    Work("gsm8k_200", "GSM8K 5-shot generation", "gsm8k", 200, 0, (1, 4, 8), 1, 3.1, 0.29, _SAME_SHOTS),
    Work("gsm8k_drawn", "GSM8K 5-shot generation, shots drawn per document", "gsm8k", 40, 0, (1, 4, 8), 1, 3.1, 0.8, _SHOTS, optional=True),
)


def render(work: Work, data: str, quick: bool) -> tuple[list[Doc], GenerationParams | None]:
    """The documents' requests as JSON values, and how to decode where the work generates.

    Raises:
        SystemExit: the rows are fewer than the work needs.
    """
    from evalkit.config.compose import compose, quoted
    from evalkit.config.setup import build
    from evalkit.run.prepare import prepare

    parts = build(compose([f"task={work.task}", "data=local", f"data.root={quoted(data)}", *work.words]))
    prepared = prepare(parts.tasks[work.task], parts.source, None, None)
    groups = [doc.group for doc in prepared.evidence.docs]
    kept = chosen(groups, work.quick if quick else work.size, (work.quick_subjects if quick else work.subjects) or None)
    if len(kept) < work.documents(quick):
        raise SystemExit(f"{data} has {len(kept)} documents for {work.label(quick)}; it needs {work.documents(quick)}")
    requests = [prepared.requests[index] for index in kept]
    params = next((request.params for request in requests if isinstance(request, GenerateRequest)), None)
    return [as_json(request) for request in requests], params


def chosen(groups: Sequence[str | None], size: int, subjects: int | None) -> list[int]:
    """Places of the first `size` documents, or of the first `size` of each of the first `subjects` groups, in order."""
    if subjects is None:
        return list(range(min(size, len(groups))))
    left = {group: size for group in list(dict.fromkeys(groups))[:subjects]}
    kept = []
    for index, group in enumerate(groups):
        if left.get(group, 0):
            left[group] -= 1
            kept.append(index)
    return kept


def as_json(request: Request) -> Doc:
    """A request of plain text, which both sides' processes read from a file."""
    if isinstance(request, GenerateRequest):
        return {"id": request.doc_id, "prompt": request.prompt}
    return {"id": request.doc_id, "pairs": [list(pair) for pair in request.pairs]}


def as_requests(name: str, docs: Sequence[Doc], params: GenerationParams | None) -> list[Request]:
    """The inverse of `as_json`."""
    if params is None:
        return [LoglikelihoodRequest(name, doc["id"], tuple((c, k) for c, k in doc["pairs"])) for doc in docs]
    return [GenerateRequest(name, doc["id"], doc["prompt"], params) for doc in docs]
