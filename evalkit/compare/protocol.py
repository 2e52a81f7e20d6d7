"""What must be equal for two scores of a task to be in one row, and to be tested in pairs."""

from __future__ import annotations

from dataclasses import dataclass

from evalkit.results import TaskResult
from evalkit.types import Signature


@dataclass(frozen=True, slots=True)
class Protocol:
    """Everything that makes a score of a task what it is, but for the model. `program` is empty for evalkit itself."""

    version: int
    num_fewshot: int
    metric: str
    signature: str
    sample_rows: bool
    program: str = ""

    @classmethod
    def of(cls, result: TaskResult) -> Protocol:
        """How the interval was made is left out of the signature: it depends on the answers and does not move the score."""
        headline = result.summaries.get(result.headline)
        signature = str(Signature.read(headline.signature).of_score) if headline else ""
        return cls(result.version, result.num_fewshot, result.headline, signature, result.sample_rows, result.measured_by)

    def counts_alike(self, other: Protocol) -> bool:
        """The same metric and shots on rows of the same kind: all that can be known of scores another program made."""
        return (self.metric, self.num_fewshot, self.sample_rows) == (other.metric, other.num_fewshot, other.sample_rows)

    def differences(self, other: Protocol) -> tuple[str, ...]:
        """In words, what `self` has and `other` has not; versions and signatures of two programs say nothing about each other."""
        same = self.program == other.program
        pairs = (
            (not same, f"scores of {self.program or 'evalkit'}, not of {other.program or 'evalkit'}"),
            (same and self.version != other.version, f"task version {self.version}, not {other.version}"),
            (self.num_fewshot != other.num_fewshot, f"{self.num_fewshot}-shot, not {other.num_fewshot}-shot"),
            (self.metric != other.metric, f"metric {self.metric}, not {other.metric}"),
            (same and self.signature != other.signature, f"signature {self.signature or '(none)'}, not {other.signature or '(none)'}"),
            (self.sample_rows != other.sample_rows, f"{_rows(self.sample_rows)}, not {_rows(other.sample_rows)}"),
        )
        return tuple(text for differs, text in pairs if differs)


def _rows(sample_rows: bool) -> str:
    return "sample rows" if sample_rows else "rows of the benchmark"
