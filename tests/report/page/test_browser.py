"""The page in a real browser: load, sort, filter, search, open a sample, keys, dark mode."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalkit.cards import find_card
from evalkit.report import build
from evalkit.report.page import Picture, write_page
from evalkit.results import RunResult
from evalkit.store import load_run

pytestmark = pytest.mark.slow


@pytest.fixture
def page(browser: Any, make_run: Callable[..., RunResult], tmp_path: Path) -> Any:
    """Two runs that differ on two documents, opened from disk."""
    runs = [make_run("base", [True, True, False, False]), make_run("tuned", [True, False, True, False])]
    path = tmp_path / "report.html"
    write_page(
        build(runs, [find_card("krutrim2")]),
        [load_run(run.path) for run in runs if run.path],
        path,
        [Picture("Dot", '<svg viewBox="0 0 9 9"><circle r="3"/></svg>')],
    )
    open_page(browser, path)
    yield browser
    severe = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert not severe, severe


def open_page(browser: Any, path: Path, fragment: str = "") -> None:
    browser.get("about:blank")
    browser.get(f"{path.as_uri()}{fragment}")
    until(browser, "return document.querySelectorAll('#rows .row').length > 0")


def until(browser: Any, condition: str) -> Any:
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(browser, 20).until(lambda b: b.execute_script(condition), condition)


def rows(browser: Any) -> list[str]:
    return list(browser.execute_script("return [...document.querySelectorAll('#rows .row')].map(r => r.textContent)"))


def choose(browser: Any, name: str, value: str, count: str) -> list[str]:
    event = "new Event(field.tagName === 'INPUT' ? 'input' : 'change')"
    script = f"const [name, value] = arguments, field = document.getElementById(name); field.value = value; field.dispatchEvent({event})"
    browser.execute_script(script, name, value)
    until(browser, f"return document.getElementById('count').textContent === '{count} sample{'' if count == '1' else 's'}'")
    return rows(browser)


def press(browser: Any, *keys: str) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    for key in keys:
        ActionChains(browser).send_keys(key).perform()


def sample(browser: Any) -> str:
    return str(browser.execute_script("return document.getElementById('sample').innerText"))


def test_it_shows_tables_pictures_and_samples(page: Any) -> None:
    assert "with the Krutrim-2 card" in page.title
    assert page.execute_script("return document.querySelectorAll('#scores table').length") >= 1
    assert page.execute_script("return document.querySelectorAll('figure svg').length") == 1
    assert page.execute_script("return document.getElementById('count').textContent") == "10 samples"
    assert page.execute_script("return performance.getEntriesByType('resource').length") == 0  # nothing is fetched


def test_a_column_sorts_both_ways_and_back(page: Any) -> None:
    first = "return [...document.querySelector('#scores tbody').rows].map(r => r.cells[0].textContent)"
    before = page.execute_script(first)
    button = page.execute_script("return document.querySelector('#scores thead th').firstChild")
    button.click()
    assert page.execute_script("return document.querySelector('#scores thead th').getAttribute('aria-sort')") == "ascending"
    assert page.execute_script(first) == sorted(before)
    button.click()
    assert page.execute_script(first) == sorted(before, reverse=True)
    button.click()
    assert page.execute_script(first) == before


def test_numbers_sort_as_numbers(page: Any) -> None:
    place = page.execute_script("return [...document.querySelectorAll('#scores thead th')].findIndex(t => t.textContent === 'n')")
    page.execute_script(f"document.querySelectorAll('#scores thead th button')[{place}].click()")
    cells = page.execute_script(f"return [...document.querySelector('#scores tbody').rows].map(r => r.cells[{place}].textContent)")
    assert cells == ["5", "4"]


def test_a_table_filters(page: Any) -> None:
    page.execute_script("const i = document.querySelector('#scores input'); i.value = 'SPEE'; i.dispatchEvent(new Event('input'))")
    assert page.execute_script("return [...document.querySelectorAll('#scores tbody tr')].filter(r => !r.hidden).length") == 1


@pytest.mark.parametrize(
    ("verdict", "docs"),
    [
        ("wrong", ["test/2", "test/3", "ur/0", "hi/1", "ta/1"]),
        ("right", ["test/0", "test/1", "hi/0"]),
        ("partial", ["ta/0"]),
        ("unmeasured", ["hi/2"]),
        ("invalid", ["hi/1"]),
        ("empty", ["ur/0"]),
        ("length", ["ta/1"]),
        ("error", ["hi/2"]),
        ("truncated", []),
    ],
)
def test_samples_filter_by_verdict(page: Any, verdict: str, docs: list[str]) -> None:
    found = choose(page, "f-verdict", verdict, str(len(docs)))
    assert len(found) == len(docs) and all(doc in row for doc, row in zip(docs, found, strict=True))


def test_filters_combine(page: Any) -> None:
    assert len(choose(page, "f-language", "hi", "3")) == 3
    assert len(choose(page, "f-verdict", "right", "1")) == 1


def test_flips_between_two_runs(page: Any) -> None:
    choose(page, "f-beside", "1", "10")
    found = choose(page, "f-verdict", "flips", "2")
    assert ["test/1" in found[0], "test/2" in found[1]] == [True, True]
    page.execute_script("document.querySelector('#rows .row').click()")
    until(page, "return document.getElementById('sample').innerText.includes('tuned')")
    assert sample(page).count("Scores") == 2


@pytest.mark.parametrize(
    ("words", "docs"), [("क़िला", ["hi/0"]), ("NEVER ends", ["ta/1"]), ("plaid", ["test/0", "test/1", "test/2", "test/3"]), ("😀", ["hi/1"])]
)
def test_full_text_search(page: Any, words: str, docs: list[str]) -> None:
    found = choose(page, "f-text", words, str(len(docs)))
    assert all(doc in row for doc, row in zip(docs, found, strict=True))


def test_a_choice_opens_with_continuations_and_target(page: Any) -> None:
    page.execute_script("document.querySelector('#rows .row').click()")
    until(page, "return document.getElementById('sample').innerText.includes('sky at noon')")
    shown = sample(page)
    assert "0:  blue" in shown and "-1.2500" in shown and "12 tokens read, 2 scored" in shown


def test_text_is_text(page: Any) -> None:
    choose(page, "f-verdict", "invalid", "1")
    page.execute_script("document.querySelector('#rows .row').click()")
    until(page, "return document.getElementById('sample').innerText.includes('</script>')")
    assert "<script>document.title='broken'</script></script><b>&amp;" in sample(page) and "broken" not in page.title


def test_programs_show_with_outcome_and_message(browser: Any, make_run: Callable[..., RunResult], tmp_path: Path) -> None:
    ran = [
        {"program": "def f(): return 1", "outcome": "passed", "message": ""},
        {"program": "def f(): 1/0", "outcome": "failed", "message": "no"},
    ]
    score = {"value": 0.5, "prediction": ran, "flags": []}
    run = make_run(
        "code", [True], [{"task": "sky", "doc": "test/0", "prompt": "p", "target": "t", "responses": [], "scores": {"acc": score}}]
    )
    assert run.path
    write_page(build([run], [find_card("krutrim2")]), [load_run(run.path)], tmp_path / "code.html")
    open_page(browser, tmp_path / "code.html", "#sample/0/sky/test%2F0")
    until(browser, "return document.getElementById('sample').innerText.includes('Program 2: failed, no')")
    assert "def f(): 1/0" in sample(browser) and "1 of 2 passed" in sample(browser) and "passed, failed" in rows(browser)[0]


def test_a_thought_is_folded_away(browser: Any, make_run: Callable[..., RunResult], tmp_path: Path) -> None:
    raw = "<think>Is it <b>B</b>? No.</think>\n\nA\nmore"
    said = {"status": "ok", "text": "A", "thinking": "Is it <b>B</b>? No.", "raw": raw, "finish": "stop"}
    plain = {"status": "ok", "text": "A"}
    score = {"value": 1.0, "prediction": "A", "flags": []}
    lines = [
        {"task": "sky", "doc": f"test/{i}", "prompt": "p", "target": "A", "responses": [given], "scores": {"acc": score}}
        for i, given in enumerate((said, plain))
    ]
    run = make_run("thinks", [True, True], lines)
    assert run.path
    write_page(build([run], [find_card("krutrim2")]), [load_run(run.path)], tmp_path / "thinks.html")
    open_page(browser, tmp_path / "thinks.html", "#sample/0/sky/test%2F0")
    until(browser, "return document.querySelectorAll('#sample details').length === 2")
    assert "Thought" in sample(browser) and "Everything said" in sample(browser) and "<b>B</b>" not in sample(browser)
    browser.execute_script("document.querySelectorAll('#sample details').forEach(one => { one.open = true })")
    assert "Is it <b>B</b>? No." in sample(browser) and raw in browser.execute_script(
        "return document.getElementById('sample').textContent"
    )
    open_page(browser, tmp_path / "thinks.html", "#sample/0/sky/test%2F1")
    until(browser, "return document.getElementById('sample').innerText.includes('test/1')")
    assert browser.execute_script("return document.querySelectorAll('#sample details').length") == 0


def test_a_link_opens_its_sample(page: Any) -> None:
    path = Path(page.current_url.removeprefix("file://").partition("#")[0])
    open_page(page, path, "#sample/1/speech/ta%2F0")
    until(page, "return document.getElementById('sample').innerText.includes('குறுக்கே')")
    assert page.execute_script("return document.getElementById('f-run').value") == "1"


def test_the_keyboard_is_enough(page: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    press(page, "j", "j")
    until(page, "return document.getElementById('sample').innerText.includes('test/1')")
    press(page, "k")
    until(page, "return document.getElementById('sample').innerText.includes('test/0')")
    press(page, "/")
    assert page.execute_script("return document.activeElement.id") == "f-text"
    press(page, "p", "l", "a", "i", "d")
    until(page, "return document.getElementById('count').textContent === '4 samples'")
    press(page, Keys.ESCAPE)
    assert page.execute_script("return document.activeElement.id") != "f-text"


def test_dark_and_back(page: Any) -> None:
    colour = "return getComputedStyle(document.body).backgroundColor"
    before = page.execute_script(colour)
    page.execute_script("document.getElementById('theme').click()")
    assert page.execute_script(colour) != before
    page.execute_script("document.getElementById('theme').click()")
    assert page.execute_script(colour) == before


def test_twenty_thousand_samples_stay_small_and_draw_few_rows(browser: Any, make_run: Callable[..., RunResult], tmp_path: Path) -> None:
    header = (
        "The following are multiple choice questions about the sky.\n\n"
        + "Which of these is a cloud? A. cirrus B. salt\nAnswer: A\n\n" * 40
    )
    many = []
    for i in range(20_000):
        context = f"{header}Question {i}: {i * 7919 % 10007} and {i * 104729 % 100003}?\nAnswer:"
        score = {"value": float(i % 3 == 0), "prediction": i % 4, "flags": []}
        given = {"status": "ok", "loglikelihoods": [-i / 7, -1.0], "greedy": [False, True], "context_tokens": 700, "output_tokens": 2}
        pairs = [[context, " A"], [context, " B"]]
        many.append(
            {"task": "sky", "doc": f"test/{i}", "row": i, "pairs": pairs, "target": 0, "responses": [given], "scores": {"acc": score}}
        )
    run = make_run("many", [True], many)
    assert run.path
    path = tmp_path / "many.html"
    written = write_page(build([run], [find_card("krutrim2")]), [load_run(run.path)], path)
    assert (written.samples, written.left_out) == (20_000, 0)
    assert path.stat().st_size == written.bytes < 20_000_000
    open_page(browser, path, "#sample/0/sky/test%2F19999")
    until(browser, "return document.getElementById('sample').innerText.includes('Question 19999:')")
    assert len(rows(browser)) < 60
    assert len(choose(browser, "f-text", "question 12345:", "1")) == 1
