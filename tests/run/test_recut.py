"""What was said is cut again into thought and answer, as a run does it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evalkit.models.thinking import KNOWN
from evalkit.run.recut import heard, recut
from evalkit.store.journal import Journal
from evalkit.types import Response

STOPS = ("Question:", "</s>")
SAID = "<think>Question: is it 18? Yes.</think>\n#### 18\n\nQuestion: another one?\n#### 7"


def test_a_text_made_elsewhere_is_taken_as_a_run_takes_it() -> None:
    got = heard("k", SAID, STOPS, KNOWN)
    assert (got.status, got.text, got.thinking, got.raw) == ("ok", "#### 18\n\n", "Question: is it 18? Yes.", SAID)
    assert heard("k", "#### 18", STOPS, KNOWN) == Response("k", "ok", text="#### 18")
    assert heard("k", "Question: next", STOPS, KNOWN).status == "empty"
    assert heard("k", "<think>is it 18?", STOPS, KNOWN) == Response("k", "thinking", text="", raw="<think>is it 18?", thinking="is it 18?")
    assert heard("k", "<think>a</think>b", STOPS, ()).text == "<think>a</think>b"


@pytest.mark.parametrize("text", [SAID, "#### 18\n\nQuestion: another\n#### 7", "no stop at all", "Question: nothing before it", "", " \n"])
@pytest.mark.parametrize("stops", [STOPS, (), ("\n\n",), ("#",)])
def test_cutting_again_at_the_same_stops_changes_nothing(text: str, stops: tuple[str, ...]) -> None:
    got = heard("k", text, stops, KNOWN)
    for finish in (None, "stop"):
        assert recut(replace(got, finish=finish), stops) == replace(got, finish=finish)


@pytest.mark.parametrize("first", [STOPS, (), ("another",), ("#",)])
@pytest.mark.parametrize("then", [STOPS, (), ("\n\n",), ("7",)])
@pytest.mark.parametrize("text", [SAID, "#### 18\n\nQuestion: another\n#### 7"])
def test_what_a_wrong_stop_cut_is_repaired(text: str, first: tuple[str, ...], then: tuple[str, ...]) -> None:
    assert recut(heard("k", text, first, KNOWN), then) == heard("k", text, then, KNOWN)


def test_other_marks_of_a_thought() -> None:
    text = "<hm>18?</hm>18"
    plain = heard("k", text, (), KNOWN)
    assert plain.text == text
    assert recut(plain, (), [("<hm>", "</hm>")]) == heard("k", text, (), [("<hm>", "</hm>")])
    thought = heard("k", SAID, STOPS, KNOWN)
    assert recut(thought, ("</s>",), ()).text == SAID and recut(thought, (), ()).thinking is None
    cut_short = heard("k", "<think>18", (), KNOWN)
    assert recut(cut_short, ("1",)) == cut_short
    assert recut(cut_short, (), ()) == Response("k", "ok", text="<think>18")


def test_a_local_model_whose_prompt_opens_the_thought() -> None:
    saved = Response("k", "ok", text="18", raw="is it 18?</think>\n18\nQuestion: 7", thinking="is it 18?", finish="stop")
    assert recut(saved, ("\nQuestion:",)) == saved
    assert recut(saved, ()).text == "18\nQuestion: 7"
    unfinished = Response("k", "thinking", text="", raw="is it 18?", thinking="is it 18?", finish="length")
    assert recut(unfinished, ()) == unfinished


def test_a_thought_that_the_server_hands_over_by_itself_stays() -> None:
    saved = Response("k", "ok", text="18", raw="18\nQuestion: 7", thinking="is it?", finish="stop")
    assert recut(saved, ()) == replace(saved, text="18\nQuestion: 7", raw=None)


def test_tokens_that_a_decoder_leaves_out_do_not_come_back() -> None:
    saved = Response("k", "ok", text="18", raw="<think>x</think>18<|im_end|>", thinking="x", finish="stop")
    assert recut(saved, STOPS) == saved


def test_the_limit_is_known_from_why_the_text_ended() -> None:
    saved = Response("k", "length", text="one two three", finish="length")
    assert recut(saved, ()) == saved
    assert recut(saved, (" three",)).status == "ok" and recut(saved, ("one",)).status == "empty"
    assert recut(recut(saved, (" three",)), ()) == saved
    old = Response("k", "length", text="one two")  # of a version that kept no reason
    assert recut(old, ()) == old and recut(old, ("two",)).status == "ok"


@pytest.mark.parametrize("status", ["refused", "filtered", "error"])
def test_what_is_no_answer_is_left_alone(status: Any) -> None:
    saved = Response("k", status, text="I cannot", raw="I cannot say")
    assert recut(saved, (" cannot",)) == saved
    choice = Response("k", "ok", loglikelihoods=(-1.0, -2.0))
    assert recut(choice, ("a",)) == choice


def journal_of(folder: Path, texts: dict[str, Response]) -> None:
    """Put other answers in the place of a run's."""
    plan = [json.loads(line) for line in (folder / "plan.jsonl").read_text().splitlines()]
    keys = {line["doc"]["id"]: line["keys"] for line in plan if "doc" in line}
    (folder / "journal.jsonl").unlink()
    with Journal(folder) as journal:
        journal.append(replace(texts[doc], key=key) for doc, mine in keys.items() for key in mine)


def samples(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]


def test_a_wrong_stop_is_repaired_by_scoring_again(evalkit: Any, tmp_path: Path) -> None:
    """The stop of a run fired inside the thought, and the saved answer was `<think>`."""
    folder = tmp_path / "run"
    assert evalkit("run", "model=fake", "task=gsm8k", "data=samples", "limit=3", f"run_dir={folder}").code == 0
    gold = [sample["target"].split("#### ")[1] for sample in samples(folder)]
    docs = [sample["doc"] for sample in samples(folder)]
    raw = [f"<think>Question: what is asked?</think>The answer is {right}. Wrong: 7" for right in gold]
    journal_of(folder, {d: Response("", "ok", text="<think>", raw=r, thinking="x", finish="stop") for d, r in zip(docs, raw, strict=True)})
    before = (folder / "journal.jsonl").read_bytes()
    said = evalkit("score", str(folder), 'tasks.gsm8k.prompt.params.stop=["Wrong:"]', "detail=all")
    assert said.code == 0, said.err
    assert [sample["scores"]["flexible_extract"]["value"] for sample in samples(folder)] == [1.0] * 3
    assert [sample["responses"][0]["text"] for sample in samples(folder)] == [f"The answer is {right}. " for right in gold]
    assert [sample["responses"][0]["raw"] for sample in samples(folder)] == raw
    assert "3 answers cut otherwise than when the run was made" in " ".join(said.out.split())
    assert (folder / "journal.jsonl").read_bytes() == before
    assert evalkit("score", str(folder)).code == 0
    assert [sample["scores"]["flexible_extract"]["value"] for sample in samples(folder)] == [0.0] * 3


def test_marks_that_the_run_did_not_know_are_taken_off_afterwards(evalkit: Any, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert evalkit("run", "model=fake", "task=gsm8k", "data=samples", "limit=1", f"run_dir={folder}").code == 0
    (sample,) = samples(folder)
    right = sample["target"].split("#### ")[1]
    journal_of(folder, {sample["doc"]: Response("", "ok", text=f"[hm] 7 [/hm] {right} [hm]", finish="stop")})
    config = json.loads((folder / "config.json").read_text())
    config["model"]["thinking"] = "auto"
    (folder / "config.json").write_text(json.dumps(config))
    assert evalkit("score", str(folder), "model.thinking=['[hm]','[/hm]']").code == 0
    (scored,) = samples(folder)
    assert scored["responses"][0]["thinking"].startswith("7")
    assert "is unknown" in evalkit("score", str(folder), "model.thinking=maybe").error


@pytest.mark.parametrize("chat", ["true", "false"])
def test_a_run_that_is_scored_again_stays_as_it_was(evalkit: Any, tmp_path: Path, chat: str) -> None:
    folder = tmp_path / "run"
    tasks = "task=[gsm8k,bharatbench_multi_turn,hellaswag,nq_open]"
    assert evalkit("run", tasks, "model=fake", "data=samples", "limit=4", f"chat={chat}", f"run_dir={folder}").code == 0
    before = {file.name: file.read_bytes() for file in folder.glob("s*.json*")}
    assert len(before) == 2 and evalkit("score", str(folder)).code == 0
    assert {file.name: file.read_bytes() for file in folder.glob("s*.json*")} == before
