"""Pages speak of things that exist: tasks, models, suites, data sources, files, make targets."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from evalkit.config.explain import described

REPO = Path(__file__).resolve().parents[2]
PAGES = [REPO / "README.md", REPO / "CONTRIBUTING.md", *sorted((REPO / "docs").glob("*.md"))]
ELSEWHERE = {"task": {"capitals", "city_facts"}, "card": {"tiny", "conf", "null"}}  # what three pages make
BRACKETED = re.compile(r"\b(task|model|suite|data|card)=\[?([a-z0-9_,]+)\b")
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")


def known(group: str) -> set[str]:
    of_cards = {name for of, name in described() if of == group}
    return {path.stem for path in (REPO / "conf" / group).glob("*.yaml")} | of_cards | ELSEWHERE.get(group, set())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPO)))
def test_names_on_a_page_exist(page: Path) -> None:
    for group, names in BRACKETED.findall(page.read_text(encoding="utf-8")):
        for name in filter(None, names.split(",")):
            assert name in known(group), f"{page.name} says {group}={name}, which is not in conf/{group}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPO)))
def test_links_on_a_page_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPO)))
def test_make_targets_on_a_page_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (REPO / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    said = set(re.findall(r"(?:^\$ |`)make ([a-z]+)", page.read_text(encoding="utf-8"), re.MULTILINE))
    assert said <= targets


def test_ci_runs_what_the_readme_says() -> None:
    assert "exec make test" in (REPO / ".ci" / "run").read_text(encoding="utf-8")
