"""What a machine without GitHub can say of workflows, issue forms, hooks and Dockerfiles: they parse, and what they name exists."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from evalkit.extras import DISTRIBUTION, EXTRA_OF

REPO = Path(__file__).resolve().parents[1]
WORKFLOWS = sorted((REPO / ".github" / "workflows").glob("*.yml"))
DOCKERFILES = sorted((REPO / "docker").glob("*.Dockerfile"))
EXTRAS = {*EXTRA_OF.values(), "all", "dev", "trackers", "openai"}


def read(path: Path) -> dict[Any, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def steps(path: Path) -> list[dict[str, Any]]:
    return [step for job in read(path)["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_is_whole(path: Path) -> None:
    workflow = read(path)
    assert workflow["name"] == path.stem and workflow[True] and workflow["permissions"] == {"contents": "read"}  # YAML reads `on` as true
    targets = set(re.findall(r"^([a-z-]+):", (REPO / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for job in workflow["jobs"].values():
        assert job["runs-on"] == "ubuntu-latest" and 0 < job["timeout-minutes"] <= 60
    for step in steps(path):
        assert ("run" in step) != ("uses" in step)
        if "uses" in step:
            assert re.fullmatch(r"[\w-]+/[\w.-]+@(v\d+|release/v\d+)", step["uses"]), step["uses"]
            continue
        shell = re.sub(r"\$\{\{.*?\}\}", "x", step["run"])
        checked = subprocess.run(["bash", "-n"], input=shell, capture_output=True, text=True)
        assert checked.returncode == 0, checked.stderr
        assert set(re.findall(r"(?m)^\s*make ([a-z-]+)", step["run"])) <= targets, step["run"]
        assert "${{" not in step["run"], "what an event says is code in a shell: hand it over as env"


def test_tests_run_on_every_version_that_the_package_takes() -> None:
    asked = read(REPO / ".github" / "workflows" / "tests.yml")["jobs"]["tests"]["strategy"]["matrix"]["python"]
    oldest = re.search(r'requires-python = ">=([\d.]+)"', (REPO / "pyproject.toml").read_text(encoding="utf-8"))
    assert oldest and asked[0] == oldest[1] and asked == [f"3.{minor}" for minor in range(11, 15)]


def test_a_release_needs_no_secret_and_is_this_package() -> None:
    text = (REPO / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8")
    assert "secrets." not in text and read(REPO / ".github" / "workflows" / "release.yml")["jobs"]["publish"]["permissions"] == {
        "id-token": "write"
    }
    assert f"dist/{DISTRIBUTION.replace('-', '_')}-${{TAG#v}}-py3-none-any.whl" in text


def test_the_docs_are_built_for_every_change_and_published_for_a_tag_as_the_package_is() -> None:
    workflow, release = (read(REPO / ".github" / "workflows" / f"{name}.yml") for name in ("docs", "release"))
    assert workflow[True]["push"]["tags"] == release[True]["push"]["tags"] and "pull_request" in workflow[True]
    build, publish = workflow["jobs"]["build"]["steps"], workflow["jobs"]["publish"]
    commands = next(step["run"] for step in build if "run" in step)
    assert "--requirement requirements/docs.txt" in commands and "mkdocs build --strict" in commands
    site = read(REPO / "mkdocs.yml")
    assert [step["with"]["path"] for step in build if "upload-pages" in step.get("uses", "")] == [site["site_dir"]]
    assert publish["if"] == "startsWith(github.ref, 'refs/tags/v')" and publish["needs"] == "build"
    assert publish["permissions"] == {"pages": "write", "id-token": "write"}


def test_every_page_is_in_the_sites_navigation_once() -> None:
    def pages(part: Any) -> list[str]:
        if isinstance(part, str):
            return [part]
        return [page for below in (part.values() if isinstance(part, dict) else part) for page in pages(below)]

    listed = pages(read(REPO / "mkdocs.yml")["nav"])
    assert sorted(listed) == sorted(path.name for path in (REPO / "docs").glob("*.md"))


@pytest.mark.parametrize("path", sorted((REPO / ".github" / "ISSUE_TEMPLATE").glob("[!c]*.yml")), ids=lambda path: path.stem)
def test_an_issue_form_is_whole(path: Path) -> None:
    form = read(path)
    assert form["name"] and form["description"]
    for field in form["body"]:
        assert field["type"] in ("textarea", "input") and field["id"] and field["attributes"]["label"]
    assert any(field.get("validations", {}).get("required") for field in form["body"])


def test_hooks_are_the_tools_of_make_lint() -> None:
    hooks = [hook for repo in read(REPO / ".pre-commit-config.yaml")["repos"] for hook in repo["hooks"]]
    lint = (REPO / "Makefile").read_text(encoding="utf-8").partition("\nlint: setup\n")[2].partition("\n\n")[0]
    asked = {re.sub(r"\s*\$\(BIN\)/| --.*| \.$", "", line) for line in lint.splitlines()}
    assert asked == {re.sub(r".*/bin/| --.*", "", hook["entry"]) for hook in hooks}


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.stem)
def test_a_dockerfile_names_what_there_is(path: Path) -> None:
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    for command in re.findall(r"(?m)^RUN (.*)$", text):
        assert subprocess.run(["bash", "-n"], input=command, capture_output=True, text=True).returncode == 0
    extras = {extra for names in re.findall(r"/src\[([\w,]+)\]", text) for extra in names.split(",")}
    assert extras and extras <= EXTRAS
    assert all((REPO / name).is_file() for name in re.findall(r"(?:requirement |=/src/)([\w./]+\.txt)", text))
    assert f"-f docker/{path.name}" in text and "USER evalkit" in text
