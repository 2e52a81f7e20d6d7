"""The four accuracies of IFEval, and the mean of the two strict ones, from the same answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from evalkit import stats
from evalkit.errors import ConfigError, DataError
from evalkit.extras import need
from evalkit.metrics.base import TOO_FEW, UNIT, VERSION, flags_of, mean_summary, of_samples, uncertainty, usable
from evalkit.metrics.ifeval import language, sentences
from evalkit.metrics.ifeval.instructions import Instruction, instructions
from evalkit.stats import mean
from evalkit.types import Doc, Response, SampleScore, Signature, Summary

Level = Literal["prompt", "instruction", "average"]
_NAMES: Mapping[Level, str] = {"prompt": "prompt_level", "instruction": "inst_level", "average": "average"}


@dataclass(frozen=True, slots=True)
class InstructionScore(SampleScore):
    """A SampleScore with (instruction id, verdict) pairs in the row's order; a verdict is None when nothing was measured."""

    verdicts: tuple[tuple[str, float | None], ...] = ()


@dataclass(frozen=True)
class IFEval:
    """Share of instructions followed (Zhou et al., 2023, "Instruction-Following Evaluation for Large Language Models").

    Attributes:
        level: `prompt`: a document counts when all its instructions are followed. `instruction`: every instruction
            counts; its uncertainty is clustered by document, its groups are the categories of instructions, and theirs
            the instructions. `average`: the mean of the two, as lighteval's leaderboards print it.
        loose: an instruction is followed when any of eight versions of the answer follows it.

    A sample's value is its share of followed instructions (`prompt`: 1 or 0, `average`: the mean of the two); its
    stats are (prompt followed, instructions followed, instructions asked, 1), of which the sums give every level. An empty
    answer follows nothing. With several samples per document, verdicts are means over them.
    """

    level: Level = "prompt"
    loose: bool = False
    name: str = ""
    higher_is_better: bool = True

    def __post_init__(self) -> None:
        if self.level not in _NAMES:
            raise ConfigError(f"metric ifeval: level={self.level!r} is unknown; use {', '.join(_NAMES)}")
        if not self.name:
            object.__setattr__(self, "name", f"{_NAMES[self.level]}_{'loose' if self.loose else 'strict'}_acc")

    def ready(self) -> None:
        """Raises ConfigError when a package that checks instructions is not installed."""
        for module in ("langdetect", "nltk"):
            need(module, f"metric {self.name}")

    def check(self, doc: Doc) -> None:
        """Raises DataError when an instruction of the document cannot be checked."""
        instructions(doc)

    def score(self, doc: Doc, responses: Sequence[Response]) -> SampleScore:
        """The verdict on every instruction. Raises DataError as `check` does."""
        asked = instructions(doc)
        followed = [[self._followed(i, r.text) for i in asked] for r in usable(responses)]
        verdicts = [mean(column) for column in zip(*followed, strict=True)] if followed else [None] * len(asked)
        whole = mean([min(row) for row in followed]) if followed else 0.0
        share = mean([v for v in verdicts if v is not None]) if followed else 0.0
        value = {"prompt": whole, "instruction": share, "average": (whole + share) / 2}[self.level]
        named = tuple(zip((i.id for i in asked), verdicts, strict=True))
        return InstructionScore(
            doc_id=doc.id,
            value=value if followed else None,
            stats=(whole, share * len(asked), float(len(asked)), 1.0) if followed else (),
            prediction=named if followed else None,
            cluster=doc.cluster,
            flags=flags_of(responses),
            group=doc.group,
            language=doc.language,
            samples=max(1, len(followed)),
            verdicts=named,
        )

    def summarize(self, scores: Sequence[SampleScore]) -> Summary:
        """Accuracy of the level, with a 95% interval that knows which instructions came in one prompt."""
        if self.level == "prompt":
            return mean_summary(self.name, scores, self._signature())
        return self._by_instruction(scores) if self.level == "instruction" else self._average(scores)

    def _followed(self, instruction: Instruction, text: str | None) -> float:
        return float(instruction.followed(text or "", loose=self.loose))

    def _by_instruction(self, scores: Sequence[SampleScore]) -> Summary:
        """One unit an instruction, in clusters of one prompt; categories, and in each its instructions."""
        units = [
            SampleScore(s.doc_id, verdict, cluster=s.cluster or s.doc_id, group=name, samples=s.samples)
            for s in scores
            for name, verdict in _verdicts(s)
        ]

        def summary(part: Sequence[SampleScore]) -> Summary:
            # Nobody publishes a mean over kinds of instructions: no macro.
            return replace(mean_summary(self.name, part, self._signature()), macro=None)

        categories: dict[str, list[SampleScore]] = {}
        for unit in units:
            categories.setdefault(str(unit.group).partition(":")[0], []).append(unit)
        return replace(summary(units), corpus="instructions", groups={name: summary(part) for name, part in sorted(categories.items())})

    def _average(self, scores: Sequence[SampleScore]) -> Summary:
        """Mean of both levels. The uncertainty is that of its linear approximation, whose terms have the same mean."""
        measured = [s for s in scores if s.value is not None]
        value, terms = None, []
        if measured:
            sums = [stats.mean(column) for column in zip(*(s.stats for s in measured), strict=True)]
            ratio = sums[1] / sums[2]
            value = (sums[0] + ratio) / 2
            terms = [
                (whole + ratio + (followed - ratio * asked) / sums[2]) / 2 for whole, followed, asked, _ in (s.stats for s in measured)
            ]
        stderr, ci, method = uncertainty(terms, None, UNIT)
        return Summary(
            metric=self.name,
            value=value,
            stderr=stderr,
            ci=ci,
            n=len(measured),
            n_not_measured=len(scores) - len(measured),
            signature=str(Signature.of(self.name, *self._signature(), *of_samples(measured), f"ci:{method}", VERSION)),
            corpus="prompts_and_instructions",
            no_interval=TOO_FEW if terms and ci is None else "",
        )

    def _signature(self) -> list[str]:
        return [f"versions:{8 if self.loose else 1}", *sentences.signature(), *language.signature()]


def _verdicts(score: SampleScore) -> tuple[tuple[str, float | None], ...]:
    if not isinstance(score, InstructionScore):
        raise DataError(f"document {score.doc_id}: its score carries no verdicts; score it with metric ifeval first")
    return score.verdicts
