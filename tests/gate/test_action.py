"""action.yml and the workflow of docs/gate.md, as far as a machine without GitHub can run them: every step's shell."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from junitparser import JUnitXml

from evalkit.store import load_run
from evalkit.store.baseline import write_baseline

REPO = Path(__file__).resolve().parents[2]
GOOD, FEW = [1.0, 0.0, 1.0] * 400, [1.0, 0.0, 1.0] * 10
SHELL = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail"]  # as a runner calls it


@dataclass
class Runner:
    """One job: expressions are filled in, steps run in order, files named by the environment collect what they say."""

    work: Path
    tools: Path
    event: dict[str, Any] = field(default_factory=lambda: {"event_name": "push"})
    said: str = ""

    def __post_init__(self) -> None:
        for name in ("temp", "bin"):
            (self.tools / name).mkdir(parents=True, exist_ok=True)
        for name in ("summary", "path", "env"):
            (self.tools / name).touch()

    def tool(self, name: str, text: str) -> Path:
        file = self.tools / "bin" / name
        file.write_text(f"#!/usr/bin/env bash\n{text}\n", encoding="utf-8")
        file.chmod(0o755)
        return file

    @property
    def summary(self) -> str:
        return (self.tools / "summary").read_text(encoding="utf-8")

    def action(self, given: dict[str, str]) -> tuple[int, dict[str, str]]:
        """(exit code, outputs) of action.yml with these inputs."""
        about = yaml.safe_load((REPO / "action.yml").read_text(encoding="utf-8"))
        assert set(given) <= set(about["inputs"])
        assert all(name in given for name, one in about["inputs"].items() if one.get("required"))
        inputs = {name: given.get(name, one.get("default", "")) for name, one in about["inputs"].items()}
        code, outputs = self.steps(about["runs"]["steps"], {"inputs": inputs})
        return code, {name: self.filled(one["value"], {"steps": outputs}) for name, one in about["outputs"].items()}

    def steps(self, steps: list[dict[str, Any]], known: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        outputs: dict[str, Any] = {}
        worst = 0
        for step in steps:
            known = known | {"steps": outputs, "github": self.github}
            if "run" not in step or (worst and step.get("if") != "always()") or not self.holds(step.get("if", "true"), known):
                continue
            assert step.get("shell", "bash") == "bash"
            code, said = self.shell(self.filled(step["run"], known), {n: self.filled(v, known) for n, v in step.get("env", {}).items()})
            outputs[step.get("id", "-")] = {"outputs": said}
            worst = worst or code
        return worst, outputs

    @property
    def github(self) -> dict[str, Any]:
        about = {"action_path": str(REPO), "token": "secret", "repository": "owner/name", "event": {"pull_request": {"number": 7}}}
        return about | self.event

    def filled(self, text: str, known: dict[str, Any]) -> str:
        return re.sub(r"\$\{\{ (.+?) \}\}", lambda found: str(self.value(found[1], known)), text)

    def value(self, dotted: str, known: dict[str, Any]) -> Any:
        at: Any = known
        for part in dotted.split("."):
            at = at.get(part, "") if isinstance(at, dict) else ""
        return at

    def holds(self, condition: str, known: dict[str, Any]) -> bool:
        def one(text: str) -> bool:
            left, same, right = text.partition(" == ")
            return str(self.value(left, known)) == right.strip("'") if same else text in ("true", "always()")

        return all(one(part.strip()) for part in condition.split("&&"))

    def shell(self, script: str, given: dict[str, str]) -> tuple[int, dict[str, str]]:
        output = self.tools / "output"
        output.write_text("", encoding="utf-8")
        (self.tools / "step.sh").write_text(script, encoding="utf-8")
        added = (self.tools / "path").read_text(encoding="utf-8").split()
        environment = {
            "PATH": os.pathsep.join([*reversed(added), str(self.tools / "bin"), os.environ["PATH"]]),
            "HOME": str(self.tools),
            "PYTHONPATH": str(REPO),
            "GITHUB_ACTIONS": "true",
            "GITHUB_STEP_SUMMARY": str(self.tools / "summary"),
            "GITHUB_OUTPUT": str(output),
            "GITHUB_PATH": str(self.tools / "path"),
            "GITHUB_ENV": str(self.tools / "env"),
            "RUNNER_TEMP": str(self.tools / "temp"),
            **given,
        }
        done = subprocess.run([*SHELL, str(self.tools / "step.sh")], cwd=self.work, env=environment, capture_output=True, text=True)
        self.said += done.stdout + done.stderr
        return done.returncode, parsed(output.read_text(encoding="utf-8"))


def parsed(text: str) -> dict[str, str]:
    """What a step wrote to $GITHUB_OUTPUT, as a runner reads it."""
    found: dict[str, str] = {}
    lines = iter(text.splitlines())
    for line in lines:
        name, end = re.split(r"<<|=", line, maxsplit=1)
        if "=" in line and (line.find("=") < line.find("<<") or "<<" not in line):
            found[name] = end
            continue
        held = []
        for inner in lines:
            if inner == end:
                break
            held.append(inner)
        else:
            raise AssertionError(f"{name} has no end")
        found[name] = "\n".join(held)
    return found


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    """A job whose `evalkit` is this checkout's, and whose Python writes down what it was asked to install."""
    (tmp_path / "work").mkdir()
    made = Runner(tmp_path / "work", tmp_path / "tools")
    installed = made.tools / "installed"
    made.tool("evalkit", f'exec "{sys.executable}" -c "{MAIN}" "$@"')
    stub = f'mkdir -p "$3/bin"; printf \'#!/usr/bin/env bash\\necho "$@" >> {installed}\\n\' > "$3/bin/python"; chmod +x "$3/bin/python"'
    made.tool("python3", stub)
    return made


MAIN = "import sys; from evalkit.cli import main; sys.exit(main(sys.argv[1:]))"


def pair(saved_runs: Any, runner: Runner, base: list[float], candidate: list[float]) -> None:
    write_baseline(load_run(saved_runs("base", {"hellaswag": base, "mmlu": base})), runner.work / "main.baseline")
    shutil.move(saved_runs("other", {"hellaswag": candidate, "mmlu": candidate}), runner.work / "candidate run")


GIVEN = {"base": "main.baseline", "candidate": "candidate run"}


def test_a_pass(saved_runs: Any, runner: Runner) -> None:
    pair(saved_runs, runner, GOOD, GOOD)
    code, outputs = runner.action(GIVEN)
    assert code == 0, runner.said
    assert (outputs["decision"], outputs["exit-code"]) == ("pass", "0")
    assert outputs["table"].startswith("# PASS: every required task") and "# PASS" in runner.summary
    assert "::notice title=evalkit gate::PASS" in runner.said
    lines = (runner.tools / "installed").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1 and lines[0].endswith(f"{REPO}[ci]")
    suite = JUnitXml.fromfile(str(Path(outputs["folder"]) / "junit.xml"))
    cases = [case.name for one in suite for case in one]
    assert cases == ["hellaswag", "mmlu", "mean of required tasks"] and suite.failures == suite.errors == 0


DECISIONS = [
    (GOOD, [0.0] * 300 + GOOD[300:], "regression", 10, "::error title=evalkit gate%2C hellaswag::hellaswag (required): regression"),
    (FEW, FEW, "not enough evidence", 12, "::warning title=evalkit gate%2C hellaswag::"),
    (GOOD, GOOD[:600], "cannot compare", 11, "::error title=evalkit gate%2C hellaswag::"),
]


@pytest.mark.parametrize(("base", "candidate", "decision", "expected", "said"), DECISIONS, ids=[d for _, _, d, _, _ in DECISIONS])
def test_anything_else(
    saved_runs: Any, runner: Runner, base: list[float], candidate: list[float], decision: str, expected: int, said: str
) -> None:
    pair(saved_runs, runner, base, candidate)
    code, outputs = runner.action(GIVEN)
    assert code == expected and outputs["decision"] == decision and said in runner.said
    assert all("\n" not in line and "100%25" not in line.partition("::")[0] for line in runner.said.splitlines() if line.startswith("::"))
    suite = JUnitXml.fromfile(str(Path(outputs["folder"]) / "junit.xml"))
    assert suite.failures == (3 if decision == "regression" else 0) and suite.failures + suite.errors >= 2
    told = json.loads((Path(outputs["folder"]) / "gate.json").read_text(encoding="utf-8"))
    assert (told["decision"], told["exit_code"]) == (decision, expected)
    assert runner.action({**GIVEN, "fail-on": "regression"})[0] == (expected if decision == "regression" else 0)
    assert runner.action({**GIVEN, "fail-on": "never"})[0] == 0
    assert runner.action({**GIVEN, "fail-on": "sometimes"})[0] == 2


def test_an_error_of_use_is_no_decision(saved_runs: Any, runner: Runner) -> None:
    pair(saved_runs, runner, GOOD, GOOD)
    code, outputs = runner.action({**GIVEN, "words": "treshold=1% alpha=0.01"})
    assert code == 2 and outputs["exit-code"] == "2" and outputs["decision"] == "" and "did you mean tolerance?" in runner.said
    assert runner.action({**GIVEN, "words": "tolerance=5% alpha=0.01"})[0] == 0
    assert runner.action({**GIVEN, "candidate": "$(touch injected)"})[0] == 2 and not (runner.work / "injected").exists()


def test_one_comment_is_made_and_then_updated(saved_runs: Any, runner: Runner) -> None:
    pair(saved_runs, runner, GOOD, GOOD)
    calls = runner.tools / "calls"
    runner.tool("gh", f'echo "$@" >> {calls}; [ -e {runner.tools}/known ] && [ "$2" = --paginate ] && echo 99; exit 0')
    assert runner.action({**GIVEN, "comment": "true"})[0] == 0 and not calls.exists()  # a push has no pull request
    runner.event = {"event_name": "pull_request"}
    code, outputs = runner.action({**GIVEN, "comment": "true"})
    lines = calls.read_text(encoding="utf-8").splitlines()
    assert code == 0 and "--paginate repos/owner/name/issues/7/comments" in lines[0]
    assert 'startswith("<!-- evalkit gate: evalkit -->")' in lines[0] and "--method POST repos/owner/name/issues/7/comments" in lines[1]
    assert (Path(outputs["folder"]) / "comment.md").read_text(encoding="utf-8").startswith("<!-- evalkit gate: evalkit -->\n# PASS")
    (runner.tools / "known").touch()
    runner.action({**GIVEN, "comment": "true", "name": "indic"})
    lines = calls.read_text(encoding="utf-8").splitlines()
    assert "gate: indic" in lines[2] and "--method PATCH repos/owner/name/issues/comments/99" in lines[3]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (REPO / "docs" / "gate.md").read_text(encoding="utf-8"), re.DOTALL)


def test_the_workflow_of_the_page(saved_runs: Any, runner: Runner) -> None:
    """Checkout and download are taken as done; the gate's step is the action, with the page's own policy."""
    [workflow], [policy] = blocks("yaml workflow"), blocks("yaml policy")
    steps = yaml.safe_load(workflow)["jobs"]["gate"]["steps"]
    names = ["hellaswag", "gsm8k", "triviaqa", "humaneval", "mmlu"]
    write_baseline(load_run(saved_runs("base", dict.fromkeys(names, GOOD))), runner.work / "main.baseline")
    (runner.work / "runs").mkdir()
    shutil.move(saved_runs("other", {**dict.fromkeys(names, GOOD), "humaneval": [0.0] * 1200}), runner.work / "runs" / "candidate")
    (runner.work / "gate.yaml").write_text(policy, encoding="utf-8")
    runner.event = {"event_name": "pull_request"}
    runner.tool("gh", "exit 0")
    outputs: dict[str, Any] = {}
    for step in steps:
        if "/evalkit@" in step.get("uses", ""):
            code, found = runner.action(step["with"])
            outputs[step["id"]] = {"outputs": found}
            assert code == 0, runner.said
        elif "run" in step:
            assert runner.shell(runner.filled(step["run"], {"steps": outputs}), {})[0] == 0
    assert runner.said.rstrip().endswith("the gate says pass")
    assert "advisory" in runner.summary and "humaneval" in runner.summary
