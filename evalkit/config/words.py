"""Words of a command line that Hydra would not understand, or would take for something else: one line with the right form."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from evalkit.config.explain import load_yaml, names_of
from evalkit.errors import ConfigError, did_you_mean
from evalkit.paths import conf_dir

# Hydra's own flags, and whether a value follows. `evalkit run --help` lists them.
FLAGS = {
    **dict.fromkeys(("--help", "-h", "--hydra-help", "--version", "--resolve", "--run", "-r", "--multirun", "-m"), False),
    **dict.fromkeys(("--shell-completion", "-sc"), False),
    **dict.fromkeys(("--cfg", "-c", "--package", "-p", "--config-path", "-cp", "--config-name", "-cn", "--config-dir", "-cd"), True),
    **dict.fromkeys(("--experimental-rerun", "--info", "-i"), True),
}
CHOSEN = ("task", "card", "suite", "model", "data")  # groups whose names a bare word may be
_PLURALS = {"tasks": "task", "models": "model", "suites": "suite", "cards": "card"}


def check_words(words: Sequence[str], flags: bool = False) -> None:
    """Refuse words that are no settings, and `tasks=NAME`.

    Args:
        words: `NAME=VALUE` and `~NAME`.
        flags: Hydra's own may be among them.

    Raises:
        ConfigError: names the word and the form that is meant.
    """
    for word, value in _without_values(words):
        name, equals, given = word.partition("=")
        if word.count("[") != word.count("]"):
            raise ConfigError(f"{word} is a part of a list; write lists without spaces and in quotes: 'task=[hellaswag,mmlu]'")
        if re.match(r"-+[A-Za-z]", word):
            if name in FLAGS and not flags:
                raise ConfigError(f"{word!r} cannot be read as NAME=VALUE; Hydra's flags are for evalkit run")
            if name not in FLAGS:
                raise ConfigError(flag_said(name, given if equals else value))
        elif not equals and not word.startswith("~"):
            raise ConfigError(_bare(word))
        elif given in ("null", "~") and (name in CHOSEN or (conf_dir() / name).is_dir()):
            raise ConfigError(f"{word} chooses no {name}; leave the word out, or name one ({name}=NAME: evalkit ls)")
        elif name in _PLURALS and not given.startswith("{"):
            one = _PLURALS[name]
            raise ConfigError(f"{word}: one or several are chosen by {one}=; write {_shown(one, given)}")


def _without_values(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each word but the values of flags, with the word after it where that may be a value."""
    rest = list(words)
    while rest:
        word = rest.pop(0)
        follows = rest[0] if rest and not rest[0].startswith("-") and ("=" not in rest[0] or FLAGS.get(word)) else ""
        if follows and (FLAGS.get(word) or (re.match(r"-+[A-Za-z]", word) and "=" not in word and word not in FLAGS)):
            rest.pop(0)
        yield word, follows


def flag_said(flag: str, value: str) -> str:
    """What is said of a flag that Hydra does not have."""
    name = flag.lstrip("-").replace("-", "_")
    name = _PLURALS.get(name, name)
    settings = [*top(), *CHOSEN, "backend", "cluster", "sandbox"]
    if name in settings:
        return f"{flag} is no flag: settings are NAME=VALUE words; write {_shown(name, value or 'VALUE')}"
    near = did_you_mean(flag, [*FLAGS, *(f"--{name}" for name in settings)]) if len(name) > 1 else ""
    return f"unknown flag {flag}{near}; settings are NAME=VALUE words"


def _bare(word: str) -> str:
    """What is said of a word without `=`."""
    groups = [(group, names) for group in CHOSEN if word in (names := names_of(group))]
    if groups:
        return f"{word} is a {groups[0][0]}; write {_shown(groups[0][0], word)}"
    if word in top():
        return f"{word} needs a value; write {word}=VALUE"
    if word in ("run", "ls", "show", "score", "report", "compare", "gate", "merge", "export"):
        return f"{word} is a command and comes first: evalkit {word} …"
    for group in CHOSEN:
        if near := did_you_mean(word, names_of(group)):
            return f"{word!r} is no NAME=VALUE word{near.removesuffix('?').replace('mean ', f'mean {group}=')}?"
    return f"{word!r} cannot be read as NAME=VALUE; settings are written so, as in task=hellaswag model=NAME limit=100"


def _shown(name: str, value: str) -> str:
    """`name=value` as a shell takes it: lists in quotes."""
    listed = "," in value and not value.startswith("[")
    word = f"{name}=[{value}]" if listed and name == "task" else f"{name}={value}"
    return f"'{word}'" if re.search(r"[\[\]{} ,]", word) else word


def top() -> list[str]:
    """Settings of the run as a whole."""
    return sorted(load_yaml((conf_dir() / "config.yaml").read_text(encoding="utf-8")).keys() - {"defaults", "hydra", "tasks"})
