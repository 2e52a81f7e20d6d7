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
from evalkit.commands.usage import USAGE, help_of, help_of_all
from evalkit.errors import ConfigError, did_you_mean

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code. An error that a user can do something about is one line on standard error."""
    words, loudness = _loudness(list(sys.argv[1:] if argv is None else argv))
    if not words or words[0] in ("-h", "--help", "help"):
        asked = " ".join(words[1:3]) if " ".join(words[1:3]) in USAGE else "".join(words[1:2])
        if asked and asked not in USAGE and words[0] == "help":
            print(f"error: no help of {asked!r}{did_you_mean(asked, USAGE)}; evalkit help lists the commands", file=sys.stderr)
            return ConfigError.exit_code
        print(help_of(asked) if asked in USAGE else help_of_all(), end="")
        return 0
    if words[0] == "--version":
        import evalkit

        print(f"evalkit {evalkit.__version__}")
        return 0
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    told: list[signal.Signals] = []
    try:
        _log(loudness)
        if words[0] not in COMMANDS:
            raise ConfigError(_no_command(words))
        if asked := _asked_for(words):
            print(help_of(asked), end="")
            return 0
        if loudness < 0 and words[0] == "run" and not any(word.startswith("progress=") for word in words):
            words.append("progress=none")
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


def _loudness(words: list[str]) -> tuple[list[str], int]:
    """The words without `-v` and `-q`, and how much more is to be said than warnings: -1 errors alone, 1 and 2 more."""
    steps = {"-v": 1, "--verbose": 1, "-vv": 2, "-q": -1, "--quiet": -1}
    found = [steps[word] for word in words if word in steps]
    return [word for word in words if word not in steps], sum(found)


def _log(loudness: int) -> None:
    """Set what is logged to standard error.

    Raises:
        ConfigError: `EVALKIT_LOG` is none of the levels.
    """
    asked = os.environ.get("EVALKIT_LOG", "").lower() or "warning"
    if asked not in _LEVELS:
        raise ConfigError(f"EVALKIT_LOG={asked} is unknown{did_you_mean(asked, _LEVELS)}; use {', '.join(_LEVELS)}")
    level = _LEVELS[asked] if not loudness else max(logging.DEBUG, min(logging.ERROR, logging.WARNING - 10 * loudness))
    logging.basicConfig(format="%(levelname)s: %(message)s")
    logging.getLogger("evalkit").setLevel(level)
    if level in (logging.DEBUG, logging.ERROR):
        logging.getLogger().setLevel(level)


def _asked_for(words: list[str]) -> str:
    """The command (or its action) whose help is asked for; empty for none, and where Hydra or argparse gives it."""
    if not {"-h", "--help"} & set(words) or words[0] == "execute" or (words[0] == "run" and len(words) > 2):
        return ""
    action = " ".join(words[:2])
    return action if action in USAGE else words[0]


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
    from evalkit.config.words import flag_said

    if is_harness(words):
        return evalkit_form(words)
    near = did_you_mean(words[0], [*COMMANDS, "--version", "--help"])
    if words[0] in names_of("task"):
        near = f", but a task: evalkit run task={words[0]} model=NAME"
    elif "=" in words[0]:
        near = "; did you mean evalkit run?"
    elif words[0] == "version":
        near = "; did you mean --version?"
    elif words[0].startswith("--") and not near:
        return f"{flag_said(words[0], ''.join(words[1:2]))}, behind a command: evalkit run …"
    return f"unknown command {words[0]!r}{near}; commands: {', '.join(COMMANDS)}"


def _command(name: str) -> Callable[[list[str]], int]:
    module, _, function = COMMANDS[name].partition(":")
    return getattr(import_module(f"evalkit.commands.{module}"), function)
