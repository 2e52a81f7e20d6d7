"""Benchmarks while a model is trained by `transformers.Trainer`."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from evalkit.api import evaluate
from evalkit.errors import ConfigError
from evalkit.results import RunResult
from evalkit.task import Task

log = logging.getLogger("evalkit")


class EvalCallback(TrainerCallback):
    """Measures the model as it is after some step, and puts the scores into the Trainer's log.

    Scores are named `{prefix}_{task}`, with `{prefix}_{task}_stderr`, so `metric_for_best_model="eval_hellaswag"` works where the
    Trainer evaluates by itself. The model, the random state and the training mode are left as they were.

    Args:
        tasks: configured names, `Task` objects, or both.
        every: steps between two measurements; None measures whenever the Trainer evaluates.
        tokenizer: None takes the Trainer's `processing_class`.
        limit, data, chat, overrides: as in `evalkit.evaluate`.
        run_dir: where answers and scores are kept, in a folder for each step; None keeps nothing.
        prefix: of the names in the log.
        at_end: measure after the last step too, if that was not just done.

    Attributes:
        results: (step, result) of every measurement.
    """

    def __init__(
        self,
        tasks: str | Task | Sequence[str | Task],
        *,
        every: int | None = None,
        tokenizer: Any = None,
        limit: int | None = None,
        data: Any = "auto",
        chat: bool | None = None,
        overrides: Sequence[str] = (),
        run_dir: str | Path | None = None,
        prefix: str = "eval",
        at_end: bool = True,
    ) -> None:
        if every is not None and every < 1:
            raise ConfigError(f"every={every} is no number of steps; give 1 or more, or None to measure when the Trainer evaluates")
        self.tasks = tasks
        self.every = every
        self.tokenizer = tokenizer
        self.settings = {"limit": limit, "data": data, "chat": chat, "overrides": tuple(overrides)}
        self.run_dir = Path(run_dir) if run_dir else None
        self.prefix = prefix
        self.at_end = at_end
        self.results: list[tuple[int, RunResult]] = []
        self._trainer: Any = None

    def attach(self, trainer: Any) -> EvalCallback:
        """Add this to a Trainer, so that scores go wherever its own log goes (its trackers too); returns itself."""
        trainer.add_callback(self)
        self._trainer = trainer
        return self

    def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        if self.every and state.global_step % self.every == 0:
            self._measure(state, control, more)

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: dict[str, float] | None = None, **more: Any) -> None:
        if self.every is None:
            scores = self._measure(state, control, more)
            if metrics is not None:  # what the Trainer returns, and chooses the best checkpoint by
                metrics.update(scores)

    def on_train_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        if self.at_end and (not self.results or self.results[-1][0] != state.global_step):
            self._measure(state, control, more)

    def _measure(self, state: Any, control: Any, more: dict[str, Any]) -> dict[str, float]:
        """One process measures; the others wait for it at their next step together."""
        if not state.is_world_process_zero:
            return {}
        folder = self.run_dir / f"step-{state.global_step}" if self.run_dir else None
        tokenizer = self.tokenizer if self.tokenizer is not None else more.get("processing_class")
        result = evaluate(more["model"], self.tasks, tokenizer=tokenizer, run_dir=folder, progress=False, **self.settings)
        self.results.append((state.global_step, result))
        scores = named_scores(result, self.prefix)
        if self._trainer is not None:
            wanted = control.should_log
            self._trainer.log(dict(scores))
            control.should_log = wanted  # a log of ours is not the one of this step
        else:
            state.log_history.append({**scores, "epoch": state.epoch, "step": state.global_step})
            log.info("%s", scores)
        return scores


def named_scores(result: RunResult, prefix: str) -> dict[str, float]:
    """`{prefix}_{task}` and its standard error, of what was measured."""
    found = {}
    for name, task in result.tasks.items():
        if task.score.value is not None:
            found[f"{prefix}_{name}"] = task.score.value
        if task.score.stderr is not None:
            found[f"{prefix}_{name}_stderr"] = task.score.stderr
    return found
