"""From saved scores to tables people read: measured beside published.

    from evalkit.report import load_card, print_tables, to_frame, write_tables

    card = load_card("krutrim2")
    print_tables([result], card)                  # terminal
    write_tables([result], card, Path("report"))  # report.md, .csv, .tex, .json
    frame = to_frame([result], card)              # pandas, one row a benchmark, metric and level

`build` gives the report as data (`Report`, made of `Table`s); a format is one function from a
`Report` to text. This room reads `RunResult` only: no model, no data set.
"""

from evalkit.report.comparison import build
from evalkit.report.formats import print_tables, to_csv, write_report, write_tables
from evalkit.report.frame import to_frame
from evalkit.report.latex import latex
from evalkit.report.markdown import markdown
from evalkit.report.published import Card, load_card
from evalkit.report.table import Report, Table

__all__ = [
    "Card",
    "Report",
    "Table",
    "build",
    "latex",
    "load_card",
    "markdown",
    "print_tables",
    "to_csv",
    "to_frame",
    "write_report",
    "write_tables",
]
