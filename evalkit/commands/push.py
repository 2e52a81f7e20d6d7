"""`evalkit push`: a run's scores into a model's repository on the hub, as a pull request."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.commands.usage import words_of
from evalkit.commands.words import paths
from evalkit.errors import ConfigError, DataError

if TYPE_CHECKING:
    from evalkit.store import SavedRun

FOLDER = "evalkit"  # in the repository, for the report and the scores
RESULTS = ".eval_results/evalkit.yaml"  # where the hub looks for results


def push(words: list[str]) -> int:
    """`evalkit push RUN repo=OWNER/NAME [create_pr=true]`: report, scores, and the hub's own results where it takes them."""
    from evalkit.exchange.model_card import eval_results
    from evalkit.store import load_run

    folders, taken = paths("evalkit push", words, *words_of("push"))
    repo, wish = taken.get("repo", ""), taken.get("create_pr", "true")
    if len(folders) != 1 or repo.count("/") != 1:
        raise ConfigError("evalkit push takes one run directory and repo=OWNER/NAME, the model's repository on the hub")
    if wish not in ("true", "false"):
        raise ConfigError(f"create_pr={wish} is neither true nor false; false writes to the main branch")
    run = load_run(Path(folders[0]))
    if samples := [name for name, task in run.result.tasks.items() if task.sample_rows and task.n_docs]:
        raise ConfigError(
            f"{folders[0]} has scores of sample rows ({', '.join(samples)}), which are no results of a model; measure the benchmark"
        )
    made = eval_results(run)
    for line in (*(f"left out of {RESULTS}: {reason}" for reason in made.left_out), *(f"warning: {part}" for part in made.parts)):
        print(line, file=sys.stderr)
    files = _files(run) | ({RESULTS: made.text.encode()} if made.entries else {})
    print(f"{', '.join(files)}: {_commit(repo, files, run, wish == 'true')}")
    return 0


def _files(run: SavedRun) -> dict[str, bytes]:
    """What goes into the repository besides the hub's results; sorted by the run's name, so that runs do not overwrite each other."""
    from evalkit.config.cards import cards_of
    from evalkit.report import build, markdown

    report = markdown(build([run.result], cards_of([run.config])[0]))
    place = f"{FOLDER}/{run.path.resolve().name}"
    return {f"{place}/report.md": report.encode(), f"{place}/scores.json": (run.path / "scores.json").read_bytes()}


def _commit(repo: str, files: dict[str, bytes], run: SavedRun, create_pr: bool) -> str:
    """The address of the pull request, or of the commit.

    Raises:
        DataError: the hub cannot be reached, or does not allow it; says what it answered.
    """
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.errors import HfHubHTTPError

    api = HfApi(endpoint=os.environ.get("HF_ENDPOINT"))
    operations = [CommitOperationAdd(path, content) for path, content in files.items()]
    message = f"evalkit: {', '.join(run.result.tasks)}"[:120]
    try:
        done = api.create_commit(repo, operations, commit_message=message, create_pr=create_pr)
    except HfHubHTTPError as error:
        code = error.response.status_code
        advice = (
            "log in with hf auth login, or set HF_TOKEN" if code in (401, 403) else "see that the repository exists and the name is right"
        )
        raise DataError(f"the hub refused {repo} ({code}: {str(error).splitlines()[0][:160]}); {advice}") from error
    except (OSError, ValueError) as error:
        raise DataError(f"{repo} cannot be written on the hub ({str(error).splitlines()[0][:160]})") from error
    return str(done.pr_url or done.commit_url)
