"""A served checkpoint next to the local back end: the same rows asked of both, compared sample by sample.

    python benchmarks/hosted_parity.py --data DIR --model FOLDER [--servers plain transformers] [--limit 100] [--page docs/hosted.md]

`--data` is laid out as `<task>[/<language>]/<split>.jsonl`, `--model` is a Hugging Face folder, read in float32 everywhere.
Both sides run through evalkit's command line. `plain` is benchmarks/hosted_server.py, `transformers` is `transformers serve`, a server of
other people (it generates and does not score). `--url` compares with a server that runs already, as text without token ids. Runs are kept
under `--work`, where a later call goes on. Exit code 1 when a decision, a text or a prompt differs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
CLI = "import sys; from evalkit.cli import main; sys.exit(main(sys.argv[1:]))"
BEGIN, END = "<!-- parity table: written by benchmarks/hosted_parity.py -->", "<!-- end of parity table -->"
HEAD = ("server", "task", "sent as", "documents", "compared", "largest difference", "same decision", "same text")
NAMES = {"plain": "our plain server", "transformers": "`transformers serve`"}
WAYS = {"ids": "token ids", "text": "text", "chat": "messages"}


@dataclass(frozen=True)
class Case:
    """One task asked in one way; `settings` hold for both sides."""

    task: str
    way: str
    settings: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.task}-{self.way}"


SCORED = (
    Case("winogrande", "ids"),
    Case("hellaswag", "ids"),
    Case("mmlu", "ids", ("tasks.mmlu.num_fewshot=0",)),
)
SCORED_AS_TEXT = tuple(Case(case.task, "text", case.settings) for case in SCORED)
SHORT, LONG = ("tasks.nq_open.prompt.params.max_new_tokens=16",), ("tasks.gsm8k.prompt.params.max_new_tokens=32",)
WRITTEN = (Case("nq_open", "ids", SHORT), Case("gsm8k", "chat", LONG))
WRITTEN_AS_TEXT = (Case("nq_open", "text", SHORT), Case("gsm8k", "chat", LONG))
CASES = {"plain": (*SCORED, *WRITTEN), "transformers": WRITTEN_AS_TEXT, "url": (*SCORED_AS_TEXT, *WRITTEN_AS_TEXT)}


@dataclass
class Comparison:
    """What two runs of a task have in common.

    Attributes:
        compared: log-likelihoods, or texts.
        largest: absolute difference of two log-likelihoods, in nats; None for texts.
        differs: one line a document whose prompt, decision or text is not the same.
    """

    server: str
    case: Case
    documents: int = 0
    compared: int = 0
    largest: float | None = None
    decisions: int = 0
    texts: int | None = None
    differs: list[str] = field(default_factory=list)

    def row(self) -> tuple[str, ...]:
        largest = "-" if self.largest is None else f"{self.largest:.1e}"
        texts = "-" if self.texts is None else str(self.texts)
        what = f"{self.compared} {'texts' if self.largest is None else 'pairs'}"
        sent = WAYS[self.case.way]
        return (self.server, self.case.task, sent, str(self.documents), what, largest, str(self.decisions), texts)


def compare(server: str, case: Case, local: Sequence[Mapping[str, Any]], served: Sequence[Mapping[str, Any]]) -> Comparison:
    """Two lists of sample lines, document by document.

    Raises:
        SystemExit: they are not of the same documents.
    """
    if [line["doc"] for line in local] != [line["doc"] for line in served]:
        raise SystemExit(f"{case.task}: the two runs are not of the same documents")
    found = Comparison(server, case, len(local))
    for one, other in zip(local, served, strict=True):
        notes = [] if _prompt(one) == _prompt(other) else ["prompt"]
        if len(one["responses"]) != 1 or len(other["responses"]) != 1:
            found.differs.append(f"{case.task} {one['doc']}: not answered on both sides")
            continue
        ours, theirs = one["responses"][0], other["responses"][0]
        same = all(one["scores"][name]["prediction"] == other["scores"][name]["prediction"] for name in one["scores"])
        found.decisions += same
        notes += [] if same else ["decision"]
        if "loglikelihoods" in ours:
            gaps = [abs(a - b) for a, b in zip(ours["loglikelihoods"], theirs["loglikelihoods"], strict=True)]
            found.compared += len(gaps)
            found.largest = max(found.largest or 0.0, *gaps)
            notes += [] if ours["greedy"] == theirs["greedy"] else ["greedy"]
            notes = [f"{note} (log-likelihoods {max(gaps):.1e} apart)" for note in notes]
        else:
            found.compared += 1
            alike = ours["text"] == theirs["text"]
            found.texts = (found.texts or 0) + alike
            notes += [] if alike else [f"text {ours['text']!r} / {theirs['text']!r}"]
        found.differs += [f"{case.task} {one['doc']}: {note}" for note in notes]
    return found


def _prompt(line: Mapping[str, Any]) -> Any:
    return line.get("pairs", line.get("prompt"))


def evaluate(folder: Path, case: Case, data: str, limit: int, model: Sequence[str]) -> list[dict[str, Any]]:
    """Run evalkit and read its samples."""
    words = ["run", f"task={case.task}", "data=local", f"data.root={data}", f"limit={limit}", f"run_dir={folder}", "progress=none"]
    words += [*model, *case.settings, *(["chat=true"] if case.way == "chat" else [])]
    done = subprocess.run([sys.executable, "-c", CLI, *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"evalkit {' '.join(words)}\n{done.stderr}")
    return [json.loads(line) for line in (folder / "samples.jsonl").read_text(encoding="utf-8").splitlines()]


def served_as(case: Case, url: str, name: str, checkpoint: str) -> list[str]:
    api = "chat" if case.way == "chat" else "completions"
    words = ["model=openai", "model.name=served", f"model.model_id={name}", f"model.base_url={url}", f"model.api={api}"]
    return [*words, "model.traffic.concurrency=2", *([f"model.tokenizer={checkpoint}"] if case.way == "ids" else [])]


@contextmanager
def running(server: str, checkpoint: str, port: int) -> Iterator[tuple[str, str]]:
    """(address, the model's name there) of a server that is up until the block ends."""
    if server == "plain":
        command, name = [sys.executable, str(HERE / "hosted_server.py"), checkpoint, str(port)], "served-for-a-test"
    else:
        program = str(Path(sys.executable).with_name("transformers"))
        command, name = [program, "serve", checkpoint, "--host", "127.0.0.1", "--port", str(port)], checkpoint
        command += ["--device", "cpu", "--dtype", "float32"]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ | {"HF_HUB_OFFLINE": "1"})
    try:
        wait_for(f"http://127.0.0.1:{port}/v1/models", child)
        yield f"http://127.0.0.1:{port}/v1", name
    finally:
        child.terminate()
        child.wait(30)


def wait_for(address: str, child: subprocess.Popen[bytes], seconds: float = 180.0) -> None:
    """Until the address answers, however it answers.

    Raises:
        SystemExit: the process ended, or did not answer in time.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and child.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.2)
    raise SystemExit(f"{child.args!r} did not come up at {address}")


def table(found: Sequence[Comparison]) -> str:
    lines = [HEAD, ("---",) * len(HEAD), *(one.row() for one in found)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def into_page(page: Path, content: str) -> None:
    """Put the table between its two marks."""
    text = page.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise SystemExit(f"{page} has no place for the table: {BEGIN} … {END}")
    before, rest = text.split(BEGIN)
    page.write_text(f"{before}{BEGIN}\n\n{content}\n\n{END}{rest.split(END)[1]}", encoding="utf-8")


def measure(args: argparse.Namespace, work: Path) -> list[Comparison]:
    found: list[Comparison] = []
    local = ["model=hf", f"model.path={args.model}", "model.dtype=float32"]

    def both(server: str, label: str, url: str, name: str) -> None:
        for case in CASES[server]:
            if args.tasks and case.task not in args.tasks:
                continue
            ours = evaluate(work / f"local-{case.task}", case, args.data, args.limit, local)
            theirs = evaluate(work / f"{server}-{case.name}", case, args.data, args.limit, served_as(case, url, name, args.model))
            found.append(compare(label, case, ours, theirs))
            print(" | ".join(found[-1].row()), *found[-1].differs, sep="\n  ", flush=True)

    for server in [] if args.url else args.servers:
        with running(server, args.model, args.port + list(NAMES).index(server)) as (url, name):
            both(server, NAMES[server], url, name)
    if args.url:
        both("url", args.label, args.url, args.name)
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--servers", nargs="+", choices=sorted(NAMES), default=list(NAMES))
    parser.add_argument("--tasks", nargs="+")
    parser.add_argument("--limit", type=int, default=100)
    parser.add_argument("--port", type=int, default=8765, help="of the first server; part of every answer's key, so another one asks again")
    parser.add_argument("--url", help="a server that runs already, instead of starting one")
    parser.add_argument("--name", default="served", help="the model's name at --url")
    parser.add_argument("--label", default="a server at --url", help="its name in the table")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "evalkit-hosted-parity")
    parser.add_argument("--page", type=Path, help="write the table into this page")
    args = parser.parse_args()
    found = measure(args, args.work)
    print("\n" + table(found))
    if args.page:
        into_page(args.page, table(found))
    sys.exit(any(one.differs for one in found))


if __name__ == "__main__":
    main()
