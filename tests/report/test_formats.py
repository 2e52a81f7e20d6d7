"""The bytes of each format, and that nothing in a name can break one."""

from __future__ import annotations

import csv
import io
import os
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.cells import cell_len
from rich.console import Console

from evalkit.errors import FileError
from evalkit.report import build, latex, markdown, print_tables, to_csv, to_frame, write_tables
from evalkit.report.latex import escape as tex
from evalkit.report.markdown import escape as md

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def runs(make: SimpleNamespace) -> list[object]:
    scored = make.summary("exact_match", 0.05, 40, ci=(0.0138, 0.165), n_invalid=3)
    gsm = make.task("gsm8k", scored, n_docs=40, n_total=1319, notes=("100% invented_note",))
    return [make.run(make.task(), gsm, make.languages())]


@pytest.mark.parametrize("name", ["report.md", "report.csv", "report.tex"])
def test_golden(make: SimpleNamespace, runs: list[object], tmp_path: Path, name: str) -> None:
    write_tables(runs, [make.card], tmp_path)  # type: ignore[arg-type]
    written = (tmp_path / name).read_bytes()
    if os.environ.get("EVALKIT_UPDATE_GOLDEN"):
        GOLDEN.mkdir(exist_ok=True)
        (GOLDEN / name).write_bytes(written)
    assert written == (GOLDEN / name).read_bytes()


def test_the_same_results_give_the_same_bytes_and_no_leftovers(make: SimpleNamespace, runs: list[object], tmp_path: Path) -> None:
    paths = write_tables(runs, [make.card], tmp_path / "new" / "folder")  # type: ignore[arg-type]
    before = [path.read_bytes() for path in paths]
    assert [p.read_bytes() for p in write_tables(runs, [make.card], tmp_path / "new" / "folder")] == before  # type: ignore[arg-type]
    assert sorted(p.name for p in paths[0].parent.iterdir()) == ["report.csv", "report.json", "report.md", "report.tex"]


def test_a_folder_that_cannot_be_written(make: SimpleNamespace, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(FileError, match=r"cannot be written.*out=DIR"):
        write_tables([], [make.card], tmp_path / "file")


def test_csv_keeps_full_precision_and_gaps(make: SimpleNamespace) -> None:
    value = 0.1 + 0.2
    rows = list(csv.DictReader(io.StringIO(to_csv([make.run(make.task("hellaswag", make.summary(value=value, ci=None)))], [make.card]))))
    assert float(rows[0]["value"]) == value and rows[0]["n"] == "200" and rows[0]["ci_low"] == ""
    assert (rows[0]["card: Alpha-7B"], rows[0]["card_notes"]) == ("0.7", "Beta-12B-Instruct: 10-shot")


def test_frame_has_a_row_a_metric_and_level(make: SimpleNamespace) -> None:
    frame = to_frame([make.run(make.languages(), make.task())], [make.card])
    found = list(zip(frame["task"], frame["metric"], frame["level"], frame["group"], strict=True))
    assert found[:2] == [("hellaswag", "acc_norm", "all", None), ("hellaswag", "acc", "all", None)]
    levels = (("all", None), ("macro", None), ("group", "hi"), ("group", "ta"))
    assert found[2:] == [("flores_in_en_xx", "chrF++", level, group) for level, group in levels]
    assert list(to_frame([], [make.card]).columns) == list(frame.columns)


def test_escaping() -> None:
    assert md("acc_norm _x_ a|b <b> *c*") == r"acc_norm \_x\_ a\|b \<b\> \*c\*"
    assert md("0.425 [0.359, 0.494] [link](x)") == r"0.425 [0.359, 0.494] \[link\](x)"
    assert tex(r"a_b 5% & $x$ #1 {y} ~ ^ \z") == (r"a\_b 5\% \& \$x\$ \#1 \{y\} \textasciitilde{} \textasciicircum{} \textbackslash{}z")
    assert tex("[a] *") == "{}[a] *" and tex("*") == "{}*"
    assert tex("हिन्दी\nभाषा") == md("हिन्दी\nभाषा") == "हिन्दी भाषा"


def nasty(make: SimpleNamespace) -> object:
    groups = {"हिन्दी_गणित": make.summary(n=3), "a & b | c": make.summary(n=4)}
    result = make.task("my_task|50%", make.summary("acc_50%", groups=groups, macro=0.4), notes=("एक #note_ & [x]",), sample_rows=True)
    return make.run(result, make.task(), model="org/My_Model & Söhne|v1", complete=False)


def test_latex_rows_are_square_and_environments_close(make: SimpleNamespace) -> None:
    text = latex(build([nasty(make), make.run(make.task())], [make.card]))  # type: ignore[list-item]
    for spec, body in re.findall(r"\\begin\{tabular\}\{([lr]+)\}(.*?)\\end\{tabular\}", text, re.DOTALL):
        rows = [line for line in body.splitlines() if line.endswith(r" \\")]
        assert len(rows) > 1
        assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {len(spec) - 1}
    opened = re.findall(r"^\\begin\{(\w+)\}", text, re.MULTILINE)
    assert sorted(opened) == sorted(re.findall(r"^\\end\{(\w+)\}", text, re.MULTILINE)) and "table" in opened
    body = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
    bare = re.sub(r"\\[\\{}&%$#_]", "", body)
    assert bare.count("{") == bare.count("}") and not re.search(r"[%$#_^~]", bare)


def test_markdown_rows_are_square(make: SimpleNamespace) -> None:
    text = markdown(build([nasty(make)], [make.card]))  # type: ignore[list-item]
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1
    assert "**sample rows**" in text and "unfinished" in text


@pytest.mark.parametrize("width", [60, 80, 100, 120, 200])
def test_terminal_never_breaks_a_number(make: SimpleNamespace, runs: list[object], width: int) -> None:
    out = io.StringIO()
    print_tables(runs, [make.card], Console(file=out, width=width))  # type: ignore[arg-type]
    text = out.getvalue()
    assert "0.425 [0.359, 0.494]" in text and "\x1b" not in text
    assert re.search(r"0\.70", text) and re.search(r"TBD", text)
    assert max(cell_len(line) for line in text.splitlines()) <= width


def test_terminal_without_unicode_prints_ascii(make: SimpleNamespace) -> None:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding="ascii")
    print_tables([nasty(make)], [make.card], Console(file=file, width=80))  # type: ignore[list-item]
    file.flush()
    assert b"[a]" in raw.getvalue()


def test_long_breakdowns_stand_in_panels(make: SimpleNamespace) -> None:
    groups = {f"subject_{i:02}": make.summary(n=10) for i in range(57)}
    out = io.StringIO()
    print_tables([make.run(make.task("m", make.summary(groups=groups, macro=0.4)))], [make.card], Console(file=out, width=120))
    lines = out.getvalue().splitlines()
    assert next(line for line in lines if "subject_00" in line).count("subject_") == 3
    assert sum(line.count("subject_") for line in lines) == 57


def test_the_csv_is_the_frame_s(make: SimpleNamespace) -> None:
    """Written without pandas, which a light installation lacks, as pandas writes it."""
    runs = [make.run(make.task(), make.languages()), make.run(make.task('a "b", c', sample_rows=True), model="other")]
    assert to_csv(runs, [make.card]) == to_frame(runs, [make.card]).to_csv(index=False, lineterminator="\n")
