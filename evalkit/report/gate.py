"""A gate's decision as a report, and in the forms that CI systems show."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from evalkit import numbers
from evalkit.errors import ConfigError
from evalkit.extras import missing
from evalkit.gate import Decision, Row
from evalkit.report.markdown import markdown
from evalkit.report.table import Cell, Column, Footnotes, Report, Table

if TYPE_CHECKING:
    from junitparser import TestSuite

MARKER = "<!-- evalkit gate: {} -->"
_COMMANDS = {"regression": "error", "not enough evidence": "warning", "cannot compare": "error"}
_FEW_FLIPS = 30  # changed documents above which nobody wants to know


def gate_report(decision: Decision, base: str, candidate: str) -> Report:
    """The decision, one row a task; `base` and `candidate` say where the runs came from."""
    notes = Footnotes()
    titles = ("Tier", "Metric", "n", "Base", "Candidate", "Loss", "Tolerance", "Decision")
    left = {"Tier", "Metric", "Decision"}
    columns = (Column("Task", "left", key=True), *(Column(t, "left" if t in left else "right", ours=t == "Loss") for t in titles))
    rows = tuple(_row(row, notes) for row in decision.rows)
    table = Table("Decision", columns, rows, notes.listed(), name="gate")
    policy = decision.policy
    legend = (
        "Loss: base minus candidate on the same documents, more is worse, with its joint interval. Pass: its upper end lies within the "
        "tolerance for every required task and their mean. Regression: its lower end lies beyond the tolerance for any.",
        f"At most {policy.alpha:.0%} of candidates at the tolerance pass, and at most {policy.alpha:.0%} within it are called a "
        "regression, over all rows together.",
    )
    return Report(
        title=f"{headline(decision)} Base {base}, candidate {candidate}.",
        warnings=decision.warnings,
        comparison=(table,) if rows else (),
        legend=legend if rows else (),
    )


def headline(decision: Decision) -> str:
    """The decision in one sentence, with the rows that made it."""
    outcome = decision.outcome
    if outcome == "pass":
        return "PASS: every required task is within its tolerance."
    rows = [row.task for row in decision.rows if row.outcome == outcome and row.tier != "advisory"]
    named = ", ".join(rows) or "no required task"
    return f"{outcome.upper()}: {named}."


def _row(row: Row, notes: Footnotes) -> tuple[Cell, ...]:
    def score(value: float | None) -> Cell:
        return Cell("" if value is None else numbers.score(value))

    loss = _loss(row)
    worse, better = row.flips
    flips = f"{numbers.plural(worse, 'document')} worse, {better:,} better" if worse or better else ""
    return (
        Cell(row.task, notes.mark(*row.notes)),
        Cell(row.tier),
        Cell(row.metric),
        Cell(numbers.count(row.n) if row.n else ""),
        score(row.base),
        score(row.candidate),
        Cell(loss, notes.mark(flips)),
        Cell(f"{row.tolerance:.1%}" if row.relative else numbers.score(row.tolerance)),
        Cell(row.outcome, notes.mark("" if row.outcome == "pass" else row.reason)),
    )


def _loss(row: Row) -> str:
    """`+0.010 [-0.004, +0.024]`; nothing is +0.000, from whatever side it was rounded."""
    if row.loss is None:
        return ""
    loss, *ends = (f"{round(value, 3) + 0.0:+.3f}" for value in (row.loss, *(row.interval or ())))
    return f"{loss} [{', '.join(ends)}]" if ends else loss


def said(row: Row) -> str:
    """One row in one sentence."""
    if row.loss is None:
        return f"{row.task} ({row.tier}): {row.outcome}; {row.reason}"
    tolerance = f"{row.tolerance:.1%} of the base" if row.relative else numbers.score(row.tolerance)
    return f"{row.task} ({row.tier}): {row.outcome}; loss {_loss(row)}, tolerance {tolerance}, {row.n:,} documents; {row.reason}"


def workflow_commands(decision: Decision) -> Iterator[str]:
    """GitHub workflow commands: an error or a warning for each row that did not pass, a notice for a pass."""
    if decision.outcome == "pass":
        yield f"::notice title=evalkit gate::{_data(headline(decision))}"
    for row in decision.rows:
        if row.outcome != "pass":
            level = "notice" if row.tier == "advisory" else _COMMANDS[row.outcome]
            if row.tier == "supporting" and row.outcome == "not enough evidence":
                level = "notice"
            yield f"::{level} title={_property(f'evalkit gate, {row.task}')}::{_data(said(row))}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def comment(report: Report, name: str = "evalkit") -> str:
    """The body of a pull request's comment; its first line, which nobody sees, finds it again for an update."""
    return f"{MARKER.format(name)}\n{markdown(report)}"


def junit(decision: Decision) -> str:
    """JUnit XML, one case a row: a regression is a failure, what could not be decided or compared an error, advice is skipped.

    Raises:
        ConfigError: junitparser is not installed.
    """
    try:
        from junitparser import JUnitXml
    except ImportError as error:
        raise ConfigError(missing("junitparser", "junit=FILE")) from error
    xml = JUnitXml()
    xml.add_testsuite(_suite(decision))
    return str(xml.tostring().decode("utf-8"))


def _suite(decision: Decision) -> TestSuite:
    from junitparser import Error, Failure, Skipped, TestCase, TestSuite

    suite = TestSuite(f"evalkit gate: {decision.candidate} against {decision.base}")
    suite.add_property("decision", decision.outcome)
    for row in decision.rows:
        case = TestCase(row.task, classname=f"evalkit.gate.{row.tier}", time=0)
        text = said(row)
        if row.tier == "advisory":
            case.result = [Skipped(text)]
        elif row.outcome == "regression":
            case.result = [Failure(text, "regression")]
        elif row.outcome == "cannot compare" or (row.outcome == "not enough evidence" and row.tier == "required"):
            case.result = [Error(text, row.outcome)]
        case.system_out = text
        suite.add_testcase(case)
    return suite
