"""`evalkit gate BASE model=…`: the candidate is measured by the gate, which stops when it knows."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.errors import ConfigError

if TYPE_CHECKING:
    from evalkit.gate import Decision, Policy
    from evalkit.store import SavedRun


def gate_run(base: SavedRun, policy: Policy, words: list[str]) -> Decision:
    """Measure the candidate of these `evalkit run` words against the base; tasks, shots and limit are the base's unless given.

    Raises:
        ConfigError: the words make no run, or none of the base's tasks.
    """
    from evalkit.config.compose import compose
    from evalkit.config.setup import build
    from evalkit.gate.measuring import Stopping
    from evalkit.gate.sequential import Watch
    from evalkit.progress import Silent
    from evalkit.run import measure
    from evalkit.run.prepare import run_identity

    setup = build(compose(_with_defaults(base, policy, words)))
    watch = Watch(base, policy)
    chosen = [task for name, task in setup.tasks.items() if name in watch.tasks]
    missing = [name for name in watch.tasks if name not in setup.tasks]
    if missing and policy.missing == "refuse":
        raise ConfigError(
            f"the candidate would not be measured on {', '.join(missing)}, which the base has; leave task= out, or missing=ignore"
        )
    if not chosen:
        raise ConfigError("none of the tasks is the base's; leave task= out to measure what the base has")
    model, settings = setup.model(), setup.settings
    identity = run_identity(model, chosen, setup.source, settings.limit, settings.chat)
    folder = setup.folder(identity, f"gate-{setup.model_name}")
    stopping = Stopping(model, chosen, watch, folder, lambda line: print(line, file=sys.stderr))
    result = measure.run(
        stopping,
        chosen,
        setup.source,
        limit=settings.limit,
        chat=settings.chat,
        folder=folder,
        config=setup.config,
        overwrite=settings.overwrite,
        progress=Silent(),
    )
    if watch.decision is None:  # every answer was there already, so that nothing was asked
        stopping.replay()
    assert watch.decision is not None
    print(f"answers are kept in {folder}; `evalkit run` with the same words measures the rest", file=sys.stderr)
    asked, total = sum(stopping.measured.values()), sum(task.n_docs for task in result.tasks.values())
    cost = f"{asked:,} of {total:,} documents were asked ({asked / max(1, total):.0%}); a gate that does not stop asks all of them"
    return replace(watch.decision, warnings=(*watch.decision.warnings, cost))


def _with_defaults(base: SavedRun, policy: Policy, words: list[str]) -> list[str]:
    names = {word.partition("=")[0].lstrip("+~") for word in words}
    made = list(words)
    if not names & {"task", "suite", "card"}:
        made.append(f"task=[{','.join(name for name in base.result.tasks if policy.tier(name))}]")
        made += [
            f"tasks.{name}.num_fewshot={task.num_fewshot}"
            for name, task in base.result.tasks.items()
            if policy.tier(name) and f"tasks.{name}.num_fewshot" not in names and _changed(base, name, task.num_fewshot)
        ]
    if "limit" not in names and base.config.get("limit"):
        made.append(f"limit={base.config['limit']}")
    if "data" not in names and any(task.sample_rows for task in base.result.tasks.values()):
        made.append("data=samples")
    return made


def _changed(base: SavedRun, name: str, shots: int) -> bool:
    """Whether the base's shots are not those that the task's own file says."""
    from evalkit.config.compose import compose

    return bool(compose([f"task={name}"])["tasks"][name].get("num_fewshot") != shots)


def is_run(folders: list[str]) -> bool:
    """One run and words of `evalkit run`: the candidate is to be measured."""
    return len(folders) > 1 and any(word.startswith("model=") for word in folders[1:]) and not Path(folders[1]).exists()
