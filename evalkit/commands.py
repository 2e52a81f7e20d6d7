"""What each command does once its words are read; prints for people."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.errors import ConfigError, DataError, did_you_mean
from evalkit.resources import conf_dir

if TYPE_CHECKING:
    from evalkit.cli import Parts
    from evalkit.results import RunResult

GROUPS = {"tasks": "task", "models": "model", "suites": "suite", "data": "data"}


def run_job(parts: Parts) -> None:
    """One job of `evalkit run`: measure, print the tables, write them beside the scores."""
    from evalkit.progress import Silent, default_progress
    from evalkit.runner import run

    progress = Silent() if parts.config.get("progress") == "none" else default_progress()
    config = parts.config
    result = run(
        parts.model,
        list(parts.tasks.values()),
        parts.source,
        limit=config["limit"],
        chat=config["chat"],
        folder=parts.folder,
        config=config,
        progress=progress,
    )
    _tables([result], parts.folder)


def ls(words: list[str]) -> int:
    """`evalkit ls tasks|models|suites`: names with a line each, read from the YAML files alone."""
    import yaml

    from evalkit.cli import config_folder

    words, own = config_folder(words)
    what = words[0] if words else "tasks"
    if what not in GROUPS:
        raise ConfigError(f"evalkit ls {what}: unknown{did_you_mean(what, GROUPS)}; one of {', '.join(GROUPS)}")
    if len(words) > 1:
        raise ConfigError(f"evalkit ls {what} takes no further word ({words[1]})")
    folders = [conf_dir(), *([own] if own else [])]
    lines = []
    for file in sorted(file for folder in folders for file in (folder / GROUPS[what]).rglob("*.yaml")):
        text = file.read_text(encoding="utf-8")
        loaded = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)) or {}
        lines.append((file.stem, _about(loaded, text)))
    width = max((len(name) for name, _ in lines), default=0)
    for name, about in lines:
        print(f"{name:<{width}}  {about}".rstrip())
    return 0


def _about(loaded: Mapping[str, Any], text: str) -> str:
    if about := loaded.get("description"):
        return str(about)
    comments = [line[2:] for line in text.splitlines() if line.startswith("# ") and not line.startswith("# @")]
    return comments[0] if comments else ""


def show(words: list[str]) -> int:
    """`evalkit show task=mmlu n=2`: what a model would be asked, without one."""
    from evalkit.cli import build, compose
    from evalkit.runner import prepare

    words, options = _options(words, "n")
    parts = build(compose(words))
    count = _integer("n", options.get("n", "2"))
    for task in parts.tasks.values():
        prepared = prepare(task, parts.source, count, parts.config["chat"])
        print(f"{task.name}: {task.num_fewshot} shots, headline {task.headline}; rows: {prepared.evidence.source}")
        for note in prepared.evidence.notes:
            print(f"  note: {note}")
        for doc, request in zip(prepared.evidence.docs, prepared.requests, strict=True):
            shots = ", ".join(shot.id for shot in prepared.shots[doc.id]) or "none"
            print(f"\n── {doc.id}  target: {doc.target!r}  shots: {shots}")
            _show_request(request)
        print()
    return 0


def _show_request(request: Any) -> None:
    from evalkit.runner import request_json

    shown = request_json(request)
    if "prompt" in shown:
        _show_prompt(shown["prompt"])
        print(f"   [generates] {request.params}" + (f" × {request.num_samples} samples" if request.num_samples > 1 else ""))
        return
    contexts = [context for context, _ in shown["pairs"]]
    if all(context == contexts[0] for context in contexts):
        _show_prompt(contexts[0])
        for index, (_, continuation) in enumerate(shown["pairs"]):
            print(f"   [continuation {index}] {continuation!r}")
        return
    for index, (context, continuation) in enumerate(shown["pairs"]):
        print(f"   [pair {index}] context:")
        _show_prompt(context)
        print(f"   [pair {index}] continuation: {continuation!r}")


def _show_prompt(prompt: str | list[dict[str, str]]) -> None:
    if isinstance(prompt, str):
        print("\n".join(f"   │ {line}" for line in prompt.split("\n")))
        return
    for turn in prompt:
        print(f"   [{turn['role']}]")
        _show_prompt(turn["content"])


def score(words: list[str]) -> int:
    """`evalkit score RUN [tasks.NAME.…=…]`, or `evalkit score task=NAME responses=FILE.jsonl`."""
    from evalkit.cli import build, compose

    if words and "=" not in words[0] and not words[0].startswith("-"):
        return _rescore(Path(words[0]), words[1:])
    words, options = _options(words, "responses", "name")
    if "responses" not in options:
        raise ConfigError("evalkit score needs a run directory, or task=NAME responses=FILE.jsonl")
    from evalkit.elsewhere import score_responses

    config = compose(words)
    parts = build(config)
    if len(parts.tasks) != 1:
        raise ConfigError(f"responses=FILE holds answers to one task; {len(parts.tasks)} were chosen: {', '.join(parts.tasks)}")
    file = Path(options["responses"])
    result = score_responses(parts, file, options.get("name", file.stem))
    _tables([result], result.path)
    return 0


def _rescore(folder: Path, overrides: Sequence[str]) -> int:
    from omegaconf import OmegaConf

    from evalkit.cli import build
    from evalkit.folder import read_config
    from evalkit.runner import rescore

    saved = OmegaConf.create(read_config(folder))
    OmegaConf.set_struct(saved, True)
    try:
        merged = OmegaConf.merge(saved, OmegaConf.from_dotlist(list(overrides)))
    except Exception as error:
        raise ConfigError(f"{' '.join(overrides)}: {explain(error)}") from error
    parts = build(merged)
    result = rescore(folder, list(parts.tasks.values()), parts.config["model"].get("name", folder.name))
    _tables([result], folder)
    return 0


def report(words: list[str]) -> int:
    """`evalkit report RUN... [out=DIR]`: redraw the tables of finished runs."""
    from evalkit.folder import SCORES
    from evalkit.results import from_json

    words, options = _options(words, "out")
    if not words:
        raise ConfigError("evalkit report needs at least one run directory; evalkit run makes them under results/runs")
    results = []
    for word in words:
        path = Path(word) / SCORES
        results.append(from_json(path.read_text(encoding="utf-8"), path=path) if path.exists() else _unfinished(Path(word)))
    out = Path(options["out"]) if "out" in options else Path(words[0]) if len(words) == 1 else None
    _tables(results, out)
    return 0


def _unfinished(folder: Path) -> RunResult:
    """What an interrupted (or still running) run has answered so far; its own files stay as they are."""
    from evalkit.cli import build
    from evalkit.folder import read_config
    from evalkit.runner import rescore

    parts = build(read_config(folder))
    return rescore(folder, list(parts.tasks.values()), parts.config["model"].get("name", folder.name), save=False)


def data(words: list[str]) -> int:
    """`evalkit data pull suite=… data.root=DIR`: mirror every row the tasks need."""
    from evalkit.cli import build, compose
    from evalkit.data.pull import pull

    if not words or words[0] != "pull":
        raise ConfigError("evalkit data: the only action is pull, as in: evalkit data pull suite=krutrim2_english data.root=DIR")
    words, options = _options(words[1:], "data.root")
    if "data.root" not in options:
        raise ConfigError("evalkit data pull needs data.root=DIR, the folder to write to")
    parts = build(compose(words))
    pull(list(parts.tasks.values()), parts.source, Path(options["data.root"]))
    return 0


def _tables(results: Sequence[RunResult], folder: Path | None) -> None:
    from evalkit.report import load_card, print_tables, write_tables

    card = load_card()
    print_tables(results, card)
    if folder is not None:
        for path in write_tables(results, card, folder):
            print(f"wrote {path}", file=sys.stderr)


def _options(words: Sequence[str], *names: str) -> tuple[list[str], dict[str, str]]:
    """Take `name=value` words of the command's own out of the overrides."""
    rest: list[str] = []
    taken: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if equals and name in names:
            taken[name] = value
        else:
            rest.append(word)
    return rest, taken


def _integer(name: str, text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise ConfigError(f"{name}={text!r} is not a whole number above 0")
    return int(text)


def explain(error: BaseException) -> str:
    """A Hydra or OmegaConf message as one line, with the nearest known name where one is meant."""
    text = " ".join(str(error).split())
    if override := getattr(error, "override", None):
        return f"{override!r} cannot be read as NAME=VALUE; quote lists and special characters, as in 'task=[mmlu,gsm8k]'"
    if found := re.search(r"Could not (?:find|load) '(\w+)/([^']+)'", text):
        group, name = found.groups()
        listed = next((f" (see: evalkit ls {what})" for what, folder in GROUPS.items() if folder == group), "")
        return f"unknown {group} {name!r}{did_you_mean(name, _names(group))}{listed}"
    if found := re.search(r"You must specify '(\w+)'", text):
        return f"no {found[1]} was chosen; give {found[1]}=NAME, one of: {', '.join(_names(found[1]))}"
    if found := re.search(r"Could not override '([^']+)'", text) or re.search(r"Key '([^']+)' is not in struct", text):
        full = re.search(r"full_key: (\S+)", text)
        key = full[1] if full else found[1]
        return f"there is no setting {key!r}{did_you_mean(key, _settings())}; +{key}=… adds one that a class of yours takes"
    return text


def _names(group: str) -> list[str]:
    return sorted(file.stem for file in (conf_dir() / group).glob("*.yaml"))


def _settings() -> list[str]:
    import yaml

    top = yaml.safe_load((conf_dir() / "config.yaml").read_text(encoding="utf-8"))
    return [*(key for key in top if key not in ("defaults", "hydra")), *_keys_below("model"), *_keys_below("data"), *_task_keys()]


def _keys_below(group: str) -> Iterator[str]:
    import yaml

    for file in (conf_dir() / group).glob("*.yaml"):
        for key in yaml.safe_load(file.read_text(encoding="utf-8")) or {}:
            yield f"{group}.{key}"


def _task_keys() -> Iterator[str]:
    import yaml

    for file in (conf_dir() / "task").glob("*.yaml"):
        for key in yaml.safe_load(file.read_text(encoding="utf-8")) or {}:
            yield f"tasks.{file.stem}.{key}"


def read_jsonl(path: Path) -> Iterator[tuple[int, Any]]:
    """(line number, value) of a JSON-lines file.

    Raises:
        DataError: no such file, or a line that is not JSON, with its number.
    """
    if not path.is_file():
        raise DataError(f"{path} does not exist; give a JSON-lines file")
    with path.open("rb") as handle:
        for number, text in enumerate(handle, 1):
            if text.strip():
                try:
                    yield number, json.loads(text)
                except (ValueError, RecursionError) as error:
                    raise DataError(f"{path}:{number} is not JSON: {error}") from error
