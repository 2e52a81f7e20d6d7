"""The report as LaTeX tables (booktabs), to be \\input from a paper."""

from __future__ import annotations

import re
from collections.abc import Iterator

from evalkit.report.table import Cell, Column, Report, Table, heading

# A bar may end a line: signatures have no spaces to break at.
_ESCAPES = {
    **{char: f"\\{char}" for char in "&%$#_{}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}\allowbreak{}", '"': r"\textquotedbl{}"},
}
_PREAMBLE = r"""% Put \usepackage{booktabs} and \usepackage[T1]{fontenc} in the preamble and \input this file.
% Text beyond Latin letters needs lualatex or xelatex with a font that has the script.
% A whole document:
%   \documentclass{article}
%   \usepackage[T1]{fontenc}
%   \usepackage{booktabs}
%   \usepackage[landscape,margin=1.5cm]{geometry}
%   \begin{document}
%   \input{report}
%   \end{document}"""


def latex(report: Report) -> str:
    """One `table` a table; floats carry their footnotes, rows and protocol follow as a list."""
    return "\n\n".join(_parts(report)) + "\n"


def escape(text: str) -> str:
    """Text that TeX prints as it is, on one line."""
    escaped = "".join(_ESCAPES.get(char, char) for char in " ".join(text.split()))
    # After a line end (\\\\) a bracket would be read as a length and a star as its variant.
    return "{}" + escaped if escaped.startswith(("[", "*")) else escaped


def _parts(report: Report) -> Iterator[str]:
    yield _PREAMBLE
    if report.warnings:
        yield "\n".join(rf"\noindent\textbf{{{escape(line)}}}\par" for line in report.warnings)
    used: dict[str, int] = {}
    for table in report.tables:
        slug = re.sub(r"[^a-z0-9]+", "-", f"{table.name} {table.title}".lower()).strip("-")
        used[slug] = used.get(slug, 0) + 1
        yield _table(table, slug if used[slug] == 1 else f"{slug}-{used[slug]}")
    if report.legend:
        yield "\n".join(rf"\noindent {escape(line)}\par" for line in report.legend)
    if report.details:
        yield "\n".join([r"\begin{description}", *_details(report), r"\end{description}"])


def _details(report: Report) -> Iterator[str]:
    for detail in report.details:
        yield rf"\item[{{{escape(detail.label)}}}] " + " \\\\\n  ".join(escape(line) for line in detail.lines)


def _table(table: Table, slug: str) -> str:
    lines = [r"\begin{table}[htbp]", r"\centering\footnotesize\setlength{\tabcolsep}{3pt}"]
    lines += [rf"\caption{{{escape(table.title)}}}", rf"\label{{tab:{slug}}}"]
    lines += [r"\begin{tabular}{" + "".join("l" if column.align == "left" else "r" for column in table.columns) + "}", r"\toprule"]
    lines += [" & ".join(_head(column) for column in table.columns) + r" \\", r"\midrule"]
    lines += [" & ".join(_cell(cell) for cell in row) + r" \\" for row in table.rows]
    lines += [r"\bottomrule", r"\end{tabular}"]
    lines += [rf"\par\raggedright\textsuperscript{{{mark}}} {escape(text)}" for mark, text in table.footnotes]
    return "\n".join([*lines, r"\end{table}"])


def _head(column: Column) -> str:
    parts = [escape(part) for part in heading(column.title, 20 if column.ours else 0)]
    return parts[0] if len(parts) == 1 else rf"\shortstack[{column.align[0]}]{{" + r"\\".join(parts) + "}"


def _cell(cell: Cell) -> str:
    text = escape(cell.text)
    if cell.marks:
        text += rf"\textsuperscript{{{','.join(cell.marks)}}}"
    return text + (rf" \textbf{{({escape(cell.below)})}}" if cell.below else "")
