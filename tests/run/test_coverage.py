"""Coverage is of the whole benchmark: languages that were not measured count."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalkit.config.compose import compose
from evalkit.config.setup import build
from evalkit.run.prepare import prepare
from evalkit.store.plan import read_plan
from evalkit.store.saved_run import load_run

Run = Callable[..., Any]
CODES = ("as", "bn", "gu", "hi", "kn", "ml", "mr", "or", "pa", "ta", "te", "sa")


def rows_of(folder: Path, sizes: dict[str, int]) -> Path:
    """BharatBench's grammar task in some languages."""
    for code, n in sizes.items():
        lines = [
            {"id": f"{code}{i}", "language": code, "split": split, "incorrect": f"x {i}", "correct": f"y {i}"}
            for split in ("test", "dev")
            for i in range(n)
        ]
        for split in ("test", "dev"):
            place = folder / f"bharatbench_grammar_correction/{code}/{split}.jsonl"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text("".join(json.dumps(line) + "\n" for line in lines if line["split"] == split))
    return folder


def measured(evalkit: Run, folder: Path, *words: str) -> Any:
    task = "tasks.bharatbench_grammar_correction"
    cheap = [f"{task}.metrics=[{{_target_: evalkit.metrics.ExactMatch}}]", f"{task}.headline=exact_match", f"{task}.baselines=[]"]
    said = evalkit("run", "task=bharatbench_grammar_correction", "model=fake", *cheap, f"run_dir={folder}", "detail=all", *words)
    assert said.code == 0, said.err
    return load_run(folder).result.tasks["bharatbench_grammar_correction"], " ".join(said.out.split())


def test_one_language_of_twelve_is_a_twelfth(evalkit: Run, tmp_path: Path) -> None:
    """Whether the data or the user left the others out."""
    alone = rows_of(tmp_path / "alone", {"hi": 6})
    every = rows_of(tmp_path / "every", dict.fromkeys(CODES, 6))
    for name, words in (("data", [f"bharatbench={alone}"]), ("user", [f"bharatbench={every}", "languages=[hi]"])):
        result, out = measured(evalkit, tmp_path / name, *words)
        assert result.coverage == pytest.approx(1 / 12) and result.languages_missing == tuple(code for code in CODES if code != "hi")
        assert "8.3%" in out and "languages measured: 1 of 12" in out
        again = read_plan(tmp_path / name).evidence["bharatbench_grammar_correction"]
        assert again.languages_missing == result.languages_missing and again.n_total == 72
        assert evalkit("score", str(tmp_path / name)).code == 0
        assert load_run(tmp_path / name).result.tasks[result.task].coverage == result.coverage
    whole, out = measured(evalkit, tmp_path / "whole", f"bharatbench={every}")
    assert whole.coverage == 1 and not whole.languages_missing and "languages measured" not in out


def test_others_count_as_large_as_those_measured_are_on_average(evalkit: Run, tmp_path: Path) -> None:
    two = rows_of(tmp_path / "two", {"hi": 18, "bn": 6})
    result, _ = measured(evalkit, tmp_path / "run", f"bharatbench={two}")
    assert result.n_total == 144 and result.coverage == pytest.approx(2 / 12)
    part, _ = measured(evalkit, tmp_path / "part", f"bharatbench={two}", "limit=6")
    assert part.coverage == pytest.approx(6 / 144)


def test_the_cards_cell_is_not_comparable(evalkit: Run, tmp_path: Path) -> None:
    alone = rows_of(tmp_path / "alone", {"hi": 6})
    words = [f"bharatbench={alone}", "card=krutrim2", "card.column=Krutrim-2-12B"]
    measured(evalkit, tmp_path / "run", *words)
    report = json.loads((tmp_path / "run/report.json").read_text())
    table = next(table for table in report["tables"] if table["name"] == "comparison" and "BharatBench" in table["title"])
    place = table["columns"].index("Verdict")
    row = next(row for row in table["rows"] if "Grammar" in row[0]["text"])
    assert row[place]["text"] == "not comparable"
    assert "11 of the benchmark's languages were not measured" in " ".join(table["footnotes"].values())


@pytest.mark.parametrize(("words", "share"), [((), 1.0), (("languages=[hi]",), 1 / 12), (("languages=[hi,ta,ur]",), 3 / 12)])
def test_languages_chosen_by_hand(words: tuple[str, ...], share: float) -> None:
    setup = build(compose(["task=flores_in_xx_en", "data=samples", *words]))
    evidence = prepare(setup.tasks["flores_in_xx_en"], setup.source, None, None).evidence
    assert len(evidence.docs) / evidence.n_total == pytest.approx(share)
    again = build(setup.config)  # as a saved configuration is read
    assert prepare(again.tasks["flores_in_xx_en"], again.source, None, None).evidence.languages_missing == evidence.languages_missing


def test_a_choice_of_languages_does_not_change_what_a_run_is() -> None:
    from evalkit.identity import identity_of

    one = build(compose(["task=flores_in_xx_en", "languages=[hi]", "data=samples"])).tasks["flores_in_xx_en"]
    assert "benchmark_languages" not in identity_of(one) and list(one.benchmark_languages) != list(one.languages)


def test_a_benchmark_of_one_language_is_what_it_was() -> None:
    setup = build(compose(["task=gsm8k", "data=samples"]))
    evidence = prepare(setup.tasks["gsm8k"], setup.source, None, None).evidence
    assert evidence.n_total == len(evidence.docs) and not evidence.languages_missing
