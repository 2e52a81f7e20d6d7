"""`evalkit completion`: what a shell offers on the Tab key. Reads the YAML files alone, so that it answers at once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from evalkit.commands import COMMANDS
from evalkit.commands.usage import USAGE, words_of
from evalkit.config.explain import GROUPS, names_of, settings_of
from evalkit.errors import ConfigError, did_you_mean

SHELLS = ("bash", "zsh")
_GROUPS = ("task", "model", "suite", "card", "data", "backend", "cluster", "sandbox")
# In bash `=` and `:` end a word by default, so what is before them is taken off what is offered.
_BASH = """# evalkit's words on the Tab key. For this shell: eval "$(evalkit completion bash)"; for all, put that line into ~/.bashrc.
_evalkit() {
    local line=${COMP_LINE:0:COMP_POINT} word found
    COMPREPLY=()
    compopt +o nospace 2>/dev/null
    word=${line##*[[:space:]]}
    while IFS= read -r found; do
        [[ $word == *=* && $COMP_WORDBREAKS == *=* ]] && found=${found#"${word%"${word##*=}"}"}
        COMPREPLY+=("$found")
        [[ $found == *[=.] || $word == *"["* ]] && compopt -o nospace 2>/dev/null
    done < <(evalkit completion words "$line" 2>/dev/null)
}
complete -o default -F _evalkit evalkit
"""
_ZSH = r"""#compdef evalkit
# evalkit's words on the Tab key. For this shell: eval "$(evalkit completion zsh)"; for all, put that line into ~/.zshrc behind compinit.
_evalkit() {
    local -a found open
    found=(${(f)"$(evalkit completion words "${(j: :)words[1,CURRENT]}" 2>/dev/null)"})
    open=(${(M)found:#*([=.]|\[*)})
    found=(${found:#*([=.]|\[*)})
    (( $#open )) && compadd -Q -S '' -- $open
    (( $#found )) && compadd -Q -- $found
    (( $#open + $#found )) || { compset -P '*='; _files }
}
compdef _evalkit evalkit
"""


def completion(words: list[str]) -> int:
    """`evalkit completion bash|zsh` prints the script; `evalkit completion words LINE` what fits the end of a line, one a line."""
    if len(words) == 2 and words[0] == "words":
        print("".join(f"{word}\n" for word in fitting(words[1])), end="")
        return 0
    if len(words) != 1 or words[0] not in SHELLS:
        given = " ".join(words)
        raise ConfigError(f"evalkit completion {given or '…'}: give a shell, bash or zsh{did_you_mean(given, SHELLS)}")
    print(_BASH if words[0] == "bash" else _ZSH, end="")
    return 0


def fitting(line: str) -> list[str]:
    """The words that the last one of a line may become; empty where that is a file, or nothing is known."""
    words = line.split(" ")
    before, last = [word for word in words[1:-1] if word], words[-1]
    return [word for word in dict.fromkeys(_offered(before, last)) if word.startswith(last) and word != last]


def _offered(before: Sequence[str], last: str) -> Iterator[str]:
    if not before:
        yield from (*COMMANDS, "help", "--help", "--version")
        return
    command = before[0]
    if command == "help":
        yield from COMMANDS
    elif command == "ls":
        yield from GROUPS
    elif command == "completion":
        yield from SHELLS
    else:
        actions = [key.removeprefix(f"{command} ") for key in USAGE if key.startswith(f"{command} ")]
        name = " ".join(before[:2]) if " ".join(before[:2]) in USAGE else command
        if name == command and len(before) == 1:
            yield from actions
        if name in USAGE:
            yield from _words(name, before, last)


def _words(name: str, before: Sequence[str], last: str) -> Iterator[str]:
    command = USAGE[name]
    setting, equals, value = last.partition("=")
    takes_run_words = command.run_words or (name in ("score", "data") and not _has_run(before))
    if equals:
        yield from (f"{setting}={value}" for value in _values(name, setting, value, takes_run_words))
        return
    if "RUN" in command.usage or "BASE" in command.usage:
        yield from _runs()
    yield "--help"
    yield from (f"{word}=" for word in words_of(name))
    if takes_run_words:
        yield from (f"{word}=" for word in (*_GROUPS, *_top()) if word not in command.not_taken)
        yield from _inside(before, last)


def _runs() -> Iterator[str]:
    """Run directories where `evalkit run` makes them."""
    yield from (str(folder) for folder in sorted(Path("results/runs").glob("[!.]*")) if folder.is_dir())


def _has_run(before: Sequence[str]) -> bool:
    return before[0] == "score" and any("=" not in word for word in before[1:])


def _values(name: str, setting: str, given: str, run_words: bool) -> Iterator[str]:
    """What may stand behind `setting=`; lists are gone on with."""
    if run_words and setting.lstrip("+") in _GROUPS:
        head = given[: max(given.rfind("["), given.rfind(",")) + 1]
        chosen = re.split(r"[\[,]", given)[:-1]
        yield from (f"{head}{choice}" for choice in names_of(setting.lstrip("+")) if choice not in chosen)
        if setting == "data" and not head:
            yield "samples"
        return
    for word, about in USAGE[name].words.items():
        if word.partition("=")[0] == setting:
            listed = word.partition("=")[2] if "|" in word else ""
            yield from listed.split("|") if listed else _named(about)
    if run_words:
        yield from _SETTINGS.get(setting, ())


def _named(about: str) -> list[str]:
    """`a, b or c` as choices; nothing of any other sentence."""
    found = re.match(r"((?:[\w-]+, )*[\w-]+ or [\w-]+)$", about)
    return re.split(r", | or ", found[1]) if found else []


_SETTINGS = {
    "chat": ("true", "false", "null"),
    "overwrite": ("true", "false"),
    "missing": ("refuse", "skip"),
    "detail": ("comparison", "all"),
    "page": ("auto", "true", "false"),
    "progress": ("auto", "none"),
}


def _top() -> list[str]:
    from evalkit.config.words import top

    return top()


def _inside(before: Sequence[str], last: str) -> Iterator[str]:
    """`model.` and `tasks.NAME.` of what was chosen earlier on the line."""
    chosen = {group: value for word in before for group, equals, value in [word.partition("=")] if equals}
    model, tasks = chosen.get("model", ""), re.findall(r"\w+", chosen.get("task", ""))
    if model in names_of("model"):
        yield from (f"model.{setting}=" for setting in sorted(settings_of("model", model)) if not setting.startswith("_"))
    if last.startswith("tasks."):
        for task in (task for task in tasks if task in names_of("task")):
            yield from (f"tasks.{task}.{setting}=" for setting in ("num_fewshot", "headline", "chat", "languages"))
    elif tasks:
        yield "tasks."
