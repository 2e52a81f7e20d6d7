"""From saved scores to tables people read: measured next to published.

    from evalkit.cards import find_card
    from evalkit.report import print_tables, to_frame, write_tables

    cards = [find_card("krutrim2")]                # any number; none gives a plain table
    print_tables([result], cards)                  # terminal
    write_tables([result], cards, Path("report"))  # report.md, .csv, .tex, .json
    frame = to_frame([result], cards)              # pandas, one row per row of a card, metric and level

`build` gives the report as data (`Report`, made of `Table`s); a format is one function from a
`Report` to text. This room reads `RunResult` and cards only: no model, no data set.
"""

from evalkit.report.comparison import build
from evalkit.report.formats import print_tables, to_csv, write_report, write_tables
from evalkit.report.frame import to_frame
from evalkit.report.latex import latex
from evalkit.report.markdown import markdown
from evalkit.report.table import Report, Table

__all__ = [
    "Report",
    "Table",
    "build",
    "latex",
    "markdown",
    "print_tables",
    "to_csv",
    "to_frame",
    "write_report",
    "write_tables",
]
