"""`evalkit gate`: may this candidate replace that base? A decision that CI can trust, with an exit code for each answer."""

from __future__ import annotations

import os
import secrets
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.commands.usage import USAGE as COMMAND_USAGE
from evalkit.commands.usage import words_of
from evalkit.commands.words import no_word, options, probability
from evalkit.errors import ConfigError, did_you_mean
from evalkit.extras import need

if TYPE_CHECKING:
    from evalkit.gate import Decision, Policy
    from evalkit.report import Report

USAGE = COMMAND_USAGE["gate"].usage
OF_POLICY = ("mean", "tolerance", "alpha", "power", "missing", "others", "documents", "prompts")
OF_RUN = ("task", "tasks", "suite", "card", "limit", "data", "languages", "chat", "run_dir")


def gate(words: list[str]) -> int:
    """`evalkit gate BASE CANDIDATE|model=…`: 0 pass, 10 regression, 12 not enough evidence, 11 cannot compare."""
    if words and words[0] == "plan":
        from evalkit.commands.gate_plan import gate_plan

        return gate_plan(words[1:])
    if words and words[0] == "schema":
        return _schema(words[1:])
    from evalkit.commands.gate_run import gate_run, is_run
    from evalkit.gate import decide
    from evalkit.gate.policy import nearest
    from evalkit.report.gate import gate_report
    from evalkit.store import load_run

    folders, taken = options(words, *words_of("gate"))
    measured = is_run(folders)
    if not measured:
        _misplaced(folders)
        no_word(folders, USAGE, nearest)
    if len(folders) != 2 and not measured:
        raise ConfigError(f"evalkit gate needs two runs, not {' '.join(folders) or 'none'}: {USAGE}")
    policy = policy_from(taken)
    if taken.get("ci", "github") != "github":
        raise ConfigError(f"ci={taken['ci']} is unknown; ci=github writes what GitHub's workflows read (other systems: junit=FILE)")
    if "junit" in taken:
        need("junitparser", "junit=FILE")
    base = load_run(Path(folders[0]))
    if measured:
        decision = gate_run(base, policy, folders[1:])
        name = decision.candidate
    else:
        candidate = load_run(Path(folders[1]))
        decision, name = decide(base, candidate, policy), candidate.path.name
    told(decision, gate_report(decision, base.path.name, name), taken)
    return decision.exit_code


def _misplaced(folders: list[str]) -> None:
    """Words that belong somewhere else in a gate's command, or in another one.

    Raises:
        ConfigError: says where.
    """
    first = folders[0] if folders else ""
    if not Path(first).exists():
        if first.startswith("model="):
            raise ConfigError(f"{first}: the base comes first; write evalkit gate BASE {first}")
        if near := did_you_mean(first, ("plan", "schema")):
            raise ConfigError(f"{first} is no run{near}")
    of_run = [word for word in folders if word.partition("=")[0] in OF_RUN and "=" in word and not Path(word).exists()]
    if of_run and len(folders) - len(of_run) == 2:
        raise ConfigError(f"{of_run[0]} changes nothing: both runs are there, and a policy says which of their tasks count (docs/gate.md)")


def told(decision: Decision, report: Report, taken: dict[str, str]) -> None:
    """Print the decision and write the forms that were asked for."""
    from rich.console import Console

    from evalkit.files import dump, write_atomic
    from evalkit.report.gate import comment, junit, workflow_commands
    from evalkit.report.markdown import markdown
    from evalkit.report.terminal import print_report

    print_report(report, Console(highlight=False))
    if "junit" in taken:
        write_atomic(Path(taken["junit"]), junit(decision), "junit=FILE")
    if "out" in taken:
        out = Path(taken["out"])
        write_atomic(out / "gate.md", markdown(report), "out=DIR")
        write_atomic(out / "comment.md", comment(report, taken.get("name", "evalkit")), "out=DIR")
        told_all = {**asdict(decision), "decision": decision.outcome, "exit_code": decision.exit_code}
        write_atomic(out / "gate.json", dump(told_all), "out=DIR")
        print(f"wrote {out / 'gate.md'}, {out / 'comment.md'}, {out / 'gate.json'}", file=sys.stderr)
    if "ci" in taken:
        for line in workflow_commands(decision):
            print(line)
        _append("GITHUB_STEP_SUMMARY", markdown(report))
        end = f"end-{secrets.token_hex(8)}"
        outputs = f"decision={decision.outcome}\nexit-code={decision.exit_code}\ntable<<{end}\n{markdown(report)}{end}\n"
        _append("GITHUB_OUTPUT", outputs)


def _append(variable: str, text: str) -> None:
    """To the file that a GitHub runner names in the environment; nothing outside a runner."""
    if not os.environ.get(variable):
        print(f"{variable} is not set, so nothing is written there", file=sys.stderr)
        return
    with open(os.environ[variable], "a", encoding="utf-8") as file:
        file.write(text)


def policy_from(taken: dict[str, str]) -> Policy:
    """The policy file, with the settings of the command line over it."""
    from evalkit.gate import policy_of, read_policy

    own: dict[str, object] = {}
    for name in OF_POLICY:
        if name in taken:
            own[name] = taken[name] if name not in ("alpha", "power") else probability(name, taken[name])
    if "policy" not in taken:
        return policy_of(own, "the command line")
    import msgspec

    return policy_of({**msgspec.to_builtins(read_policy(Path(taken["policy"]))), **own}, taken["policy"])


def _schema(words: list[str]) -> int:
    from evalkit.gate import schema

    if words:
        raise ConfigError("evalkit gate schema takes no further words; it prints the JSON schema of a policy")
    print(schema(), end="")
    return 0
