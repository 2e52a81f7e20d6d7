"""A task is data: a loader, a prompt formatter and metrics. No benchmark has logic here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from evalkit.data import DataSpec
from evalkit.errors import ConfigError
from evalkit.identity import of_attributes
from evalkit.metrics import Baseline, Metric, macro_average
from evalkit.metrics.checks import check_methods, check_metric
from evalkit.prompts import PromptFormatter
from evalkit.types import SampleScore, Summary


@dataclass(frozen=True)
class FewshotSpec:
    """How shots are drawn.

    sampler: `lm_eval` replays lm-evaluation-harness 0.4.13's stream (one generator a task and
        language, advancing document by document); `first_n` takes the first rows in file order;
        `per_doc` seeds a generator with the document's id, so that no other document matters.
    extra_draw: the reference draws one shot more and drops the evaluated document when its
        few-shot and test splits are equal, both unset included; needed for a replay to the byte.
    by_group: shots come from the document's own subject, and each subject has its own stream.
    """

    sampler: str = "lm_eval"
    seed: int = 1234
    extra_draw: bool = False
    by_group: bool = False


@dataclass(frozen=True)
class Task:
    """One benchmark: where rows come from, how a row becomes a prompt, how an answer is scored.

    Attributes:
        to_doc lives in `data`: row -> Doc, or None for a row the benchmark does not score.
        headline: the metric printed first; one of `metrics` by name.
        groups: category -> names of subjects, for a second level of averages (MMLU).
        languages: ISO codes; empty for a benchmark with one language.
        benchmark_languages: every language of the benchmark, where `languages` are some of them; coverage is told from it.
        version: raised whenever a score could change; part of every comparison.
        chat: None leaves the choice to the run (plain text, unless it says otherwise); True/False fixes it for this task;
            `auto` leaves it to the run and, where that says nothing, to the model: its chat template if it has one.
        notes: lines for under the table: why this protocol, what is assumed.
        prompt_notes: the same, about how answers are asked for (sampling, limits); not said of answers made elsewhere.
        average: over languages (or subjects): `size` is the mean over documents, `macro` the unweighted mean of the
            languages' scores. The other one is printed next to it.
        truncation: a prompt longer than the model is cut on the left (`left`), or stops the run before anything is asked (`error`).
        cut_advice: what to do then; ends that error.
        baselines: answers without a model, scored by every metric and printed next to the score.
    """

    NOT_IDENTITY: ClassVar[Mapping[str, str]] = {
        "name": "what people call it; a run keeps its tasks by name anyway",
        "notes": "read by people alone",
        "prompt_notes": "read by people alone",
        "benchmark_languages": "tells coverage; neither a prompt nor a score depends on it",
        "description": "read by people alone",
        "truncation": "with `error` no answer is made of a cut prompt; a whole prompt is the same either way",
        "cut_advice": "what an error message says",
    }

    name: str
    data: DataSpec
    prompt: PromptFormatter
    metrics: Sequence[Metric]
    headline: str
    num_fewshot: int = 0
    fewshot: FewshotSpec = field(default_factory=FewshotSpec)
    languages: Sequence[str] = ()
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    version: int = 1
    chat: bool | Literal["auto"] | None = None
    notes: Sequence[str] = ()
    prompt_notes: Sequence[str] = ()
    description: str = ""
    baselines: Sequence[Baseline] = ()
    average: Literal["size", "macro"] = "size"
    benchmark_languages: Sequence[str] = ()
    truncation: Literal["left", "error"] = "left"
    cut_advice: str = "use a model with a longer context"

    def __post_init__(self) -> None:
        if not self.metrics:
            raise ConfigError(f"task {self.name} has no metric, so nothing would be scored; give metrics: [...]")
        for place, metric in enumerate(self.metrics):
            check_metric(f"tasks.{self.name}.metrics[{place}]", metric)
        check_methods(f"tasks.{self.name}.prompt", self.prompt, PromptFormatter, {"render": ("task", "doc", "shots", "chat")})
        for place, baseline in enumerate(self.baselines):
            check_methods(f"tasks.{self.name}.baselines[{place}]", baseline, Baseline, {"answers": ("docs",)})
        names = [m.name for m in self.metrics]
        if self.headline not in names:
            raise ConfigError(f"task {self.name}: headline {self.headline!r} is not one of its metrics: {', '.join(names)}")
        if len(set(names)) != len(names):
            raise ConfigError(f"task {self.name}: two metrics share a name: {', '.join(names)}; set name: on one of them")
        if self.chat not in (None, True, False, "auto"):
            raise ConfigError(f"task {self.name}: chat={self.chat!r} is unknown; use true, false, auto or null")
        if self.average not in ("size", "macro"):
            raise ConfigError(f"task {self.name}: average={self.average!r} is unknown; use size or macro")
        if self.truncation not in ("left", "error"):
            raise ConfigError(f"task {self.name}: truncation={self.truncation!r} is unknown; use left or error")
        if isinstance(self.num_fewshot, bool) or not isinstance(self.num_fewshot, int) or self.num_fewshot < 0:
            raise ConfigError(f"tasks.{self.name}.num_fewshot={self.num_fewshot} is not a number of shots; use a whole number from 0")

    def identity(self) -> dict[str, Any]:
        """Everything about this task that can change an answer or a score, as plain JSON."""
        return of_attributes(self)

    def as_chat(self, wish: bool | None, template: bool) -> bool:
        """Whether to prompt through the chat template: the task's own word, the run's `wish`, then whether there is one."""
        if isinstance(self.chat, bool):
            return self.chat
        return wish if wish is not None else self.chat == "auto" and template

    def summarize(self, metric: Metric, scores: Sequence[SampleScore]) -> Summary:
        """The metric's summary, averaged over languages as this task does it."""
        summary = metric.summarize(scores)
        return macro_average(summary) if self.average == "macro" else summary
