"""A message of Hydra's or OmegaConf's as one line that says what to do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from evalkit.cards import card_folders, card_names
from evalkit.cards.protocol import FILE, read_protocol
from evalkit.errors import did_you_mean
from evalkit.paths import conf_dir

# What `evalkit ls` calls a group of the configuration, and its folder.
BACK_ENDS = ("hf", "vllm")  # of `backend=`, each with a file in conf/model that the shipped models may build on
GROUPS = {"tasks": "task", "models": "model", "suites": "suite", "cards": "card", "data": "data", "sandboxes": "sandbox"}


def explain(error: BaseException) -> str:
    """A Hydra or OmegaConf message as one line, with the nearest known name where one is meant."""
    text = " ".join(str(error).split())
    if override := getattr(error, "override", None):
        return f"{override!r} cannot be read as NAME=VALUE; quote lists and special characters, as in 'task=[mmlu,gsm8k]'"
    if found := re.search(r"Could not (?:find|load) '(\w+)/([^']+)'", text):
        group, name = found.groups()
        listed = next((f" (see: evalkit ls {what})" for what, folder in GROUPS.items() if folder == group), "")
        some = "" if listed or not 0 < len(names_of(group)) <= 6 else f"; one of {', '.join(names_of(group))}"
        return f"unknown {group} {name!r}{did_you_mean(name, names_of(group))}{listed}{some}"
    if found := re.search(r"You must specify '(\w+)'", text):
        return f"no {found[1]} was chosen; give {found[1]}=NAME, one of: {', '.join(names_of(found[1]))}"
    if found := re.search(r"Could not override '([^']+)'", text) or re.search(r"Key '([^']+)' is not in struct", text):
        full = re.search(r"full_key: (\S+)", text)
        return no_setting(full[1] if full else found[1])
    if found := re.search(r"Ambiguous value for argument '(\w+)=([^']+)'", text):
        name, given = found.groups()
        several = f"several in one run are '{name}=[{given}]', " if name == "task" else ""
        return f"{name}={given}: {several}and runs one after the other are evalkit run -m {name}={given}"
    return text


# Words that other programs have for something that is a setting elsewhere here.
_ELSEWHERE = {
    **dict.fromkeys(("out", "output", "output_dir", "output_path", "out_dir"), "results_dir=DIR, or run_dir=DIR for this run alone"),
    **dict.fromkeys(("shots", "n_shot", "nshot", "fewshot", "n_shots"), "tasks.NAME.num_fewshot=N"),
    **dict.fromkeys(("max_new_tokens", "max_tokens", "max_gen_toks"), "tasks.NAME.prompt.params.max_new_tokens=N"),
    **dict.fromkeys(("temperature", "top_p", "top_k", "min_p"), "model.sampling.NAME=N, or tasks.NAME.prompt.params for one task"),
    **dict.fromkeys(("batch", "batch_size"), "none: batches fit the device by themselves (model.batch_tokens=N bounds them)"),
    "seed": "tasks.NAME.fewshot.seed=N for the shots",
    "n": "limit=N",
}


def no_setting(key: str) -> str:
    """What is said of a setting that does not exist where it was written, with where it is, or the nearest that is there."""
    group, _, inside = key.partition(".")
    if not inside:
        return f"there is no setting {key!r}{_place(key) or did_you_mean(key, _settings())}"
    adds = f"; +{key}=… adds one that a class of yours takes"
    known = _settings()
    if key in known and group == "tasks":
        task = key.split(".")[1]
        return f"{key}: the task {task} was not chosen; choose it with task=, or leave the word out"
    if key in known:
        return f"{key}: the {group} that was chosen has no setting {inside!r}, others do{adds}"
    return f"there is no setting {key!r}{did_you_mean(key, known)}{adds}"


def _place(name: str) -> str:
    """Where a setting is whose place was left out; empty when it is nowhere."""
    if name in _ELSEWHERE:
        return f"; it is {_ELSEWHERE[name]}" if not _ELSEWHERE[name].startswith("none: ") else f"; {_ELSEWHERE[name][6:]}"
    for group, place in (("model", "model."), ("task", "tasks.NAME."), ("data", "data.")):
        if any(name in _keys(file) for file in choices(conf_dir() / group)):
            return f"; it belongs to the {group}: {place}{name}=VALUE"
    return ""


def choices(folder: Path) -> list[Path]:
    """A configuration group's files that can be chosen, in any folder below it but `base/`, which holds what they share."""
    return sorted(file for file in folder.rglob("*.yaml") if "base" not in file.relative_to(folder).parts[:-1])


def load_yaml(text: str) -> dict[str, Any]:
    import yaml

    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)) or {}


def names_of(group: str) -> list[str]:
    """What may be chosen of a group: files of conf/, cards and their suites."""
    of_cards = [name for of, name in described() if of == group]
    return sorted({*(file.stem for file in choices(conf_dir() / group)), *of_cards})


def described(config_dirs: Sequence[Path] = ()) -> dict[tuple[str, str], str]:
    """A line about every card and every suite of a card, by (group, name); reads `card.yaml` files alone.

    Raises:
        DataError: a damaged card.
    """
    lines = {}
    for name, folder in card_names(card_folders(config_dirs)).items():
        card = read_protocol(folder / FILE)
        rows = sum(len(table.rows) for table in card.tables.values())
        lines["card", name] = f"{card.title}, {card.edition}: {len(card.tables)} tables, {rows} rows"
        lines |= {("suite", suite): about.description for suite, about in card.suites.items()}
    return lines


def settings_of(group: str, name: str) -> frozenset[str]:
    """The settings of a group's choice: of `model` and `hf`, `path` and so on."""
    return _keys(conf_dir() / group / f"{name}.yaml")


def _settings() -> list[str]:
    top = _keys(conf_dir() / "config.yaml") - {"hydra"}
    chosen = ("model", "data")
    below = {f"{group}.{key}" for group in chosen for file in choices(conf_dir() / group) for key in _keys(file)}
    tasks = {f"tasks.{file.stem}.{key}" for file in choices(conf_dir() / "task") for key in _keys(file)}
    return sorted(top | below | tasks)


@cache
def _keys(file: Path) -> frozenset[str]:
    """The top keys of a file of conf/ and of those that its `defaults` put in the same place (`NAME@_here_`); bases are shared by many."""
    loaded = load_yaml(file.read_text(encoding="utf-8"))
    bases = [item.removesuffix("@_here_") for item in loaded.pop("defaults", ()) if isinstance(item, str) and item.endswith("@_here_")]
    by_name = [name for base in bases for name in (BACK_ENDS if base.endswith("${backend}") else (base,))]
    return frozenset(str(key) for key in loaded).union(*(_keys(file.parent / f"{name}.yaml") for name in by_name))
