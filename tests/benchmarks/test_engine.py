"""The parts of the engine's benchmark that need no model: counting, comparing, choosing documents, writing."""

from __future__ import annotations

import argparse
import importlib
import json
import random
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from evalkit.types import GenerateRequest, GenerationParams, LoglikelihoodRequest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
NAMES = ("engine", "engine_page", "engine_work", "flops", "shapes", "memory", "gpu", "startup", "tiny")


@pytest.fixture(scope="module")
def of() -> Any:
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in NAMES})
    finally:
        sys.path.remove(str(BENCHMARKS))


def brute(sequences: list[tuple[tuple[int, ...], int]], window: int | None) -> tuple[int, int, int]:
    """Distinct prefixes by listing every one of them."""
    prefixes = {ids[: n + 1] for ids, _ in sequences for n in range(len(ids))}
    asked = {ids[: n + 1] for ids, first in sequences for n in range(first, len(ids))}
    return len(prefixes), sum(min(len(p), window or len(p)) for p in prefixes), len(asked)


@pytest.mark.parametrize("window", [None, 1, 3, 50])
def test_distinct_work_equals_a_list_of_all_prefixes(of: Any, window: int | None) -> None:
    rng = random.Random(1)
    for _ in range(50):
        sequences = []
        for _ in range(rng.randrange(1, 12)):
            ids = tuple(rng.randrange(2) for _ in range(rng.randrange(1, 9)))
            sequences.append((ids, rng.randrange(len(ids))))
        got = of.flops.count(sequences, (window,))
        assert (got.tokens, got.seen[window], got.projected) == brute(sequences, window)


def test_generated_tokens_are_read_but_the_last(of: Any) -> None:
    got = of.flops.generated([(1, 2, 3), (1, 2, 4)], [3, 1])
    assert got.tokens == 4 + 2  # prompts share two tokens; of three written tokens two are read
    assert got.seen[None] == (1 + 2 + 3 + 3) + (4 + 5)
    assert got.projected == 4


def test_flops_of_a_hand_counted_model(of: Any) -> None:
    shape = of.flops.Shape({(4, 8): 2, (8, 4): 1}, (None, 2), attention=4, width=4, vocabulary=10)
    work = of.flops.count([((5, 6, 7), 2)], shape.windows)
    assert shape.weights == 96
    assert work.body(shape) == 2 * 96 * 3 + 4 * 4 * (1 + 2 + 3) + 4 * 4 * (1 + 2 + 2)
    assert work.head(shape) == 2 * 4 * 10
    assert of.flops.Rates(body=100.0, head=10.0).seconds(work, shape) == pytest.approx(work.body(shape) / 100 + 8)


def test_shape_of_a_model_leaves_out_embeddings_and_head(of: Any) -> None:
    shape = of.flops.shape_of(of.tiny.config(100))
    layer = 32 * 32 * 2 + 32 * 16 * 2 + 32 * 64 * 3  # q, o; k, v with half the heads; gate, up, down
    assert (shape.weights, shape.windows, shape.attention) == (2 * layer, (None, None), 32)
    assert (shape.width, shape.vocabulary) == (32, 100)


def test_windows_follow_the_layers_kinds(of: Any) -> None:
    kinds = ["sliding_attention", "full_attention"]
    assert of.flops.windows_of(SimpleNamespace(sliding_window=7, layer_types=kinds, num_hidden_layers=2)) == (7, None)
    assert of.flops.windows_of(SimpleNamespace(num_hidden_layers=2)) == (None, None)


def test_documents_of_the_first_subjects(of: Any) -> None:
    groups = ["a", "b", "a", "a", "c", "b"]
    assert of.engine_work.chosen(groups, 2, 2) == [0, 1, 2, 5]
    assert of.engine_work.chosen([None] * 3, 5, None) == [0, 1, 2]


def test_requests_survive_the_file_between_processes(of: Any) -> None:
    scored = LoglikelihoodRequest("w", "1", (("The café", " ☕"), ("", "x")))
    params = GenerationParams(max_new_tokens=3, stop=("\n",))
    written = GenerateRequest("w", "2", "नमस्ते", params)
    for request, how in ((scored, None), (written, params)):
        doc = json.loads(json.dumps(of.engine_work.as_json(request)))
        assert of.engine_work.as_requests("w", [doc], how) == [request]


def test_differences_see_values_decisions_and_texts(of: Any) -> None:
    docs = [{"id": "1", "pairs": [["a", " long answer"], ["a", " x"]]}]
    assert of.engine_page.differences([[-4.0, -3.0]], [[-4.0, -3.5]], docs) == (0.5, 0)
    assert of.engine_page.differences([[-4.0, -3.0]], [[-2.0, -3.0]], docs) == (2.0, 1)
    # The sums agree on the second; per character the first side prefers the first.
    assert of.engine_page.differences([[-4.0, -3.0]], [[-40.0, -3.0]], docs) == (36.0, 1)
    texts = [{"id": "1", "prompt": "p"}, {"id": "2", "prompt": "q"}]
    assert of.engine_page.differences(["a", "b"], ["a", "c"], texts) == (None, 1)
    with pytest.raises(ValueError, match="argument 2"):
        of.engine_page.differences([[1.0]], [[1.0], [2.0]], docs)


def row(of: Any, work: str = "W, 3 documents", evalkit: float = 2.0, peer: float | None = 6.0) -> Any:
    values = {"work": work, "dtype": "float32", "evalkit_s": evalkit, "peer_s": peer, "ratio_peer": peer and peer / evalkit}
    values |= {"limit_s": 1.0, "ratio_limit": evalkit, "peak_rss_mb": 100.0, "peer_peak_rss_mb": peer and 200.0}
    return of.engine_page.Row(**values, max_abs_diff=peer and 1e-5, decisions_differ=None if peer is None else 0, documents=3)


def test_json_has_the_promised_fields_and_keeps_others_on_request(of: Any, tmp_path: Path) -> None:
    fields = "work dtype evalkit_s peer_s ratio_peer limit_s ratio_limit peak_rss_mb peer_peak_rss_mb max_abs_diff decisions_differ"
    file = tmp_path / "rows.json"
    of.engine_page.write_json(file, [row(of), row(of, "V", peer=None)], merge=False)
    first, second = json.loads(file.read_text())
    assert list(first) == fields.split()
    assert second["peer_s"] is None and second["decisions_differ"] is None
    of.engine_page.write_json(file, [row(of, evalkit=3.0)], merge=True)
    assert [(r["work"], r["evalkit_s"]) for r in json.loads(file.read_text())] == [("W, 3 documents", 3.0), ("V", 2.0)]
    of.engine_page.write_json(file, [row(of)], merge=False)
    assert len(json.loads(file.read_text())) == 1


def test_page_keeps_lines_that_were_not_measured(of: Any, tmp_path: Path) -> None:
    page, file = of.engine_page, tmp_path / "page.md"
    file.write_text("before\n<!-- engine table: written by benchmarks/engine.py -->\n<!-- end of engine table -->\nafter\n")

    def update(*rows: Any) -> str:
        page.update(file, "engine", "engine", page.HEAD, [page.cells(r) for r in rows], 2)
        return file.read_text()

    update(row(of), row(of, "V", peer=None))
    text = update(row(of, "V", evalkit=5.0))
    assert text.startswith("before\n") and text.endswith("\nafter\n")
    assert "| W, 3 documents | float32 | 2.0 s | 6.0 s | 3.0× |" in text
    assert text.count("| V |") == 1 and "| V | float32 | 5.0 s |" in text
    assert update() == text
    page.update(file, "engine", "engine", page.HEAD, [page.cells(row(of, "U"))])
    assert "| U |" in file.read_text() and "| V |" not in file.read_text()
    file.write_text("no markers")
    with pytest.raises(SystemExit, match="lacks the line"):
        update(row(of))


def test_picture_is_drawn_the_same_twice(of: Any, tmp_path: Path) -> None:
    rows = [row(of).as_json(), row(of, "V, 2 documents", peer=None).as_json()]
    first, second = tmp_path / "a.svg", tmp_path / "b.svg"
    of.engine_page.plot(first, rows)
    of.engine_page.plot(second, rows)
    assert first.read_bytes() == second.read_bytes()


def test_quick_names_what_it_leaves_out(of: Any) -> None:
    args = argparse.Namespace(works=None, dtypes=["float32"], quick=True)
    todo, cut = of.engine.wanted(args)
    assert [work.name for work, _ in todo] == ["hellaswag", "csqa_letters", "csqa_texts", "mmlu", "gsm8k_40"]
    assert cut == ["GSM8K 5-shot generation, 200 prompts (too long for --quick)"]
    args.quick = False
    todo, cut = of.engine.wanted(args)
    assert [work.name for work, _ in todo][-1] == "gsm8k_200" and not cut


def test_a_work_that_would_not_end_in_time_is_not_started(of: Any) -> None:
    run = of.engine.Run(argparse.Namespace(minutes=1.0), Path("p"), Path("f"), None)
    assert run.fits(50) and not run.fits(70)
    run.taken_s, run.foreseen_s = 40.0, 20.0  # steps take twice what was foreseen
    assert run.fits(25) and not run.fits(35)


def test_invented_texts_have_the_shipped_lengths(of: Any) -> None:
    lengths = of.shapes.shipped()
    assert {name: sum(len(g["documents"]) for g in groups) for name, groups in lengths.items()} == of.shapes.KEPT
    tokenizer = of.shapes.word_tokenizer(50)
    first, again = (of.shapes.requests("mmlu", lengths["mmlu"], 41, 50, 4) for _ in range(2))
    assert first == again and len(first) == 41
    shared, (own, *answers) = lengths["mmlu"][0]["shared"], lengths["mmlu"][0]["documents"][0]
    contexts = [tokenizer(request.pairs[0][0])["input_ids"] for request in first]
    assert len(contexts[0]) == shared + own
    assert [len(tokenizer(k)["input_ids"]) for _, k in first[0].pairs] == answers
    assert contexts[0][:shared] == contexts[39][:shared] != contexts[40][:shared]  # the next subject has other shots


def test_peak_memory_only_grows(of: Any) -> None:
    before = of.memory.peak_mb()
    held = bytearray(64 << 20)
    held[::4096] = b"x" * len(held[::4096])
    assert of.memory.peak_mb() >= before > 1


def test_gpu_script_runs_whole_without_a_gpu(of: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "rows.json"
    words = ["--device", "cpu", "--tiny", "--documents", "3", "--new-tokens", "3", "--no-peer", "--json", str(out)]
    assert of.gpu.main(words) == 0
    rows = json.loads(out.read_text())
    assert [r["work"].split(",")[0] for r in rows] == list(of.gpu.TITLES.values())
    assert all(r["distinct_tokens_per_s"] > 0 and r["peer_s"] is None and r["share_of_peak"] is None for r in rows)
    assert "says nothing of speed" in capsys.readouterr().out.replace("\n", " ")


def test_gpu_without_a_gpu_says_what_to_do(of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit, match="--device cpu --tiny"):
        of.gpu.main([])
