"""A message of Hydra's or OmegaConf's as one line that says what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator

from evalkit.errors import did_you_mean
from evalkit.paths import conf_dir

# What `evalkit ls` calls a group of the configuration, and its folder.
GROUPS = {"tasks": "task", "models": "model", "suites": "suite", "data": "data", "sandboxes": "sandbox"}


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
