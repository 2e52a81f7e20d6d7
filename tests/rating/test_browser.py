"""A rater's page in a real browser: keyboard alone, closed and opened again, saved, hostile answers, phone, dark, Urdu, names."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evalkit.rating.assign import Plan
from evalkit.rating.make import Made, make
from evalkit.rating.ratings import read_file
from tests.rating.invented import ASKED, gathered

pytestmark = pytest.mark.slow


def opened(driver: Any, path: Path) -> Any:
    driver.get("about:blank")
    driver.get(path.as_uri())
    until(driver, "return document.body.dataset.ready === '1'")
    return driver


def until(driver: Any, condition: str) -> Any:
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(driver, 20).until(lambda b: b.execute_script(condition), condition)


@pytest.fixture(scope="module")
def sheet(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """One sheet for all tests of a page: 20 prompts × 4 models for one rater, without repeats."""
    return make(gathered(), {"asha": ("hi", "en", "ta", "ur")}, Plan(1, 0, 0, 7), tmp_path_factory.mktemp("browser") / "sheet")


@pytest.fixture
def page(driver: Any, sheet: Made) -> Iterator[Any]:
    """The page of the only rater, opened from disk and never touched before; no error on its console at the end."""
    for path in driver.downloads.iterdir():
        path.unlink()
    yield opened(driver, sheet.pages["asha"])
    severe = [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    driver.execute_script("localStorage.clear()")
    assert not severe, severe


def press(driver: Any, *keys: str) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    ActionChains(driver).send_keys(*keys).perform()


def points(place: int) -> list[str]:
    """What is given on the place-th prompt: the answers from A on; 0 is "cannot judge"."""
    return [str((place + i) % 5 + 1) for i in range(3)] + ["0" if place == 4 else "3"]


def rate(driver: Any, place: int) -> None:
    until(driver, f"return !slots[{place}].hidden")
    press(driver, *points(place))
    press(driver, "n")


def saved(driver: Any, made: Made, since: float) -> Path:
    """The file that the page's button has saved."""
    name = f"rating-*-{made.sheet.id}*.json"
    end = time.monotonic() + 20
    while time.monotonic() < end:
        found = [path for path in driver.downloads.glob(name) if path.stat().st_mtime >= since - 1]
        if found:
            return max(found, key=lambda path: path.stat().st_mtime)
        time.sleep(0.1)
    raise AssertionError("no file was saved")


def test_a_sheet_rated_by_keyboard_alone_closed_opened_and_sent_back(page: Any, sheet: Made) -> None:
    press(page, "\ue007")  # Enter: to the first prompt
    for place in range(9):
        rate(page, place)
    press(page, "c", "not sure, समझ नहीं आया", "\ue00c")  # Escape leaves the comment
    opened(page, sheet.pages["asha"])
    assert page.execute_script("return here") == 9  # where the rater was
    assert page.execute_script("return slots.filter(done).length") == 9
    for place in range(9, 20):
        rate(page, place)
    assert page.execute_script("return !document.getElementById('finish').hidden")
    assert page.execute_script("return document.getElementById('first-open').hidden")
    started = time.time()
    press(page, "s")
    path = saved(page, sheet, started)
    rater, records = read_file(path, sheet.sheet)
    assert (rater.id, len(records)) == ("asha", 20)
    for place, slot in enumerate(rater.slots):
        given = [5 if digit == "5" else "cannot" if digit == "0" else int(digit) for digit in points(place)]
        assert list(records[slot.id].answers.values()) == given
        assert records[slot.id].text == slot.text  # what the browser shows is what the maker made
    assert records[rater.slots[9].id].comments == {"A": "not sure, समझ नहीं आया"}


def test_a_half_done_file_is_opened_on_another_machine(page: Any, sheet: Made, tmp_path: Path) -> None:
    press(page, "n")
    rate(page, 0)
    started = time.time()
    press(page, "s")
    half = tmp_path / "half.json"
    half.write_bytes(saved(page, sheet, started).read_bytes())
    page.execute_script("localStorage.clear()")
    opened(page, sheet.pages["asha"])
    assert page.execute_script("return slots.filter(done).length") == 0
    page.find_element("id", "open").send_keys(str(half))
    until(page, "return slots.filter(done).length === 1")
    assert page.execute_script("return [...slots[0].querySelectorAll('input:checked')].map(i => i.value)") == points(0)
    other = tmp_path / "other.json"
    other.write_text(json.dumps({**json.loads(half.read_text()), "sheet": "0123456789"}), encoding="utf-8")
    page.find_element("id", "open").send_keys(str(other))
    until(page, "return !document.getElementById('warning').hidden")


def test_rated_by_mouse_and_by_touch(page: Any) -> None:
    page.find_element("id", "start").click()
    pills = page.find_elements("css selector", ".slot:not([hidden]) .answer:first-child .pill")
    pills[3].click()
    assert page.execute_script("return Object.values(state.slots)[0].answers") == {"A": 4}
    box = page.execute_script(
        "const b = document.querySelector('.slot:not([hidden]) .answer:nth-child(2) .pill').getBoundingClientRect();"
        "return [b.x + b.width / 2, b.y + b.height / 2]"
    )
    page.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})
    page.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": box[0], "y": box[1]}]})
    page.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    until(page, "return Object.values(state.slots)[0].answers.B === 1")
    page.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})


def test_hostile_answers_do_nothing(page: Any, sheet: Made) -> None:
    """Nothing runs, nothing is asked of the network, nothing leaves its box, on a phone either."""
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True})
    for place in range(len(sheet.sheet.raters[0].slots)):
        page.execute_script("show(arguments[0]); document.querySelectorAll('.slot:not([hidden]) .more').forEach(b => fold(b, true))", place)
        assert page.execute_script(OUTSIDE) == []
        assert page.execute_script("return document.documentElement.scrollWidth") == 390
    assert page.execute_script("return window.broken") is None
    made = "script,img,iframe,svg,math,style,form,a,input,object,embed,base,meta,link,button,details,[id],[name],[href],[src]"
    assert page.execute_script(f"return document.querySelectorAll('.text :is({made})').length") == 0
    assert page.execute_script("return performance.getEntriesByType('resource').filter(e => /^http/.test(e.name)).length") == 0
    assert page.execute_script("return getComputedStyle(document.body).display") == "flex"
    assert page.execute_script("return slots.length === [...document.querySelectorAll('main > .slot')].length")
    assert page.execute_script("return slots.every(slot => shown(slot) === slot.dataset.text)")  # drawn as the maker drew it
    # Even what the sanitizer had let through could not run: the page allows its own script alone.
    page.execute_script(
        "const s = document.createElement('div'); s.innerHTML = '<img src=x onerror=\"window.broken=9\">'; document.body.append(s)"
    )
    time.sleep(0.3)
    assert page.execute_script("return window.broken") is None
    page.get_log("browser")  # the policy says that it refused


# Elements of an answer that are drawn outside it, but for those that a box with a scroll bar holds.
OUTSIDE = """
const scrolls = e => getComputedStyle(e).overflowX !== 'visible';
const held = (e, box) => { for (let p = e.parentElement; p !== box; p = p.parentElement) if (scrolls(p)) return true; };
return [...document.querySelectorAll('.slot:not([hidden]) .answer')].flatMap(box => {
  const edge = box.getBoundingClientRect();
  const out = e => { const r = e.getBoundingClientRect(); return r.width && (r.right > edge.right + 1 || r.left < edge.left - 1); };
  return [...box.querySelectorAll('.text *')].filter(e => out(e) && !held(e, box)).map(e => e.outerHTML.slice(0, 80));
});
"""


def slot_in(page: Any, language: str) -> int:
    return int(page.execute_script("return slots.findIndex(s => s.querySelector(`.asked [lang=${arguments[0]}]`))", language))


def test_phone_width_in_light_and_dark(page: Any) -> None:
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True})
    for dark, language in [(dark, language) for dark in (False, True) for language in ASKED]:
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
        page.execute_script("speak(arguments[0]); show(arguments[1])", language, slot_in(page, language))
        assert page.execute_script("return document.documentElement.scrollWidth") <= 360
        assert page.execute_script("return document.querySelector('main').clientHeight") > 500  # little is lost to what is around it
        sizes = page.execute_script(
            "return [...document.querySelectorAll('.slot:not([hidden]) .pill, nav button')].map(e => e.getBoundingClientRect().toJSON())"
        )
        assert all(size["width"] >= 40 and size["height"] >= 40 for size in sizes)
        contrast = page.execute_script(CONTRAST)
        assert min(contrast.values()) >= 4.5, (language, dark, contrast)
        paper = page.execute_script("return getComputedStyle(document.documentElement).backgroundColor")
        assert (paper == "rgb(13, 17, 23)") == dark


CONTRAST = """
const rgb = text => (text.match(/[\\d.]+/g) || []).map(Number);
const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
  .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
const under = e => {
  for (; e; e = e.parentElement) {
    const c = rgb(getComputedStyle(e).backgroundColor);
    if (c.length === 3 || c[3] === 1) return c;
  }
  return [255, 255, 255];
};
const found = {};
document.querySelector('.slot:not([hidden]) .pill').click();
for (const name of ['.slot:not([hidden]) .text', '.slot:not([hidden]) legend', '.slot:not([hidden]) .pill:has(:checked) small',
    '.slot:not([hidden]) .pill:not(:has(:checked)) small', '#next', '#told', '.slot:not([hidden]) .said']) {
  const e = document.querySelector(name), a = light(rgb(getComputedStyle(e).color)), b = light(under(e));
  found[name] = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
}
return found;
"""


def test_urdu_runs_from_right_to_left(page: Any) -> None:
    page.execute_script("speak('ur'); show(arguments[0])", slot_in(page, "ur"))
    assert page.execute_script("return document.documentElement.dir") == "rtl"
    # The first answer is on the right, and code on it still runs from left to right.
    first, second = page.execute_script(
        "return [...document.querySelectorAll('.slot:not([hidden]) .answer')].slice(0, 2).map(a => a.getBoundingClientRect().x)"
    )
    assert first > second
    page.execute_script("speak('en'); show(arguments[0])", slot_in(page, "ur"))
    assert page.execute_script("return getComputedStyle(document.querySelector('.slot:not([hidden]) .asked .text')).direction") == "rtl"
    ways = page.execute_script(
        "const box = document.createElement('div'); box.dir = 'rtl'; document.body.append(box);"
        "box.innerHTML = '<p>Python میں ایک فنکشن لکھیے جو رقم لوٹائے</p><p>An answer in English.</p><p>1, 2, 3</p>';"
        "direct(box); return [...box.children].map(p => getComputedStyle(p).direction)"
    )
    assert ways == ["rtl", "ltr", "rtl"]  # as most letters of each paragraph run


def test_indic_scripts_are_drawn_with_the_fonts_in_the_page(page: Any) -> None:
    page.execute_script("speak('hi'); show(arguments[0])", slot_in(page, "ta"))
    until(page, "return document.fonts.status === 'loaded'")
    loaded = page.execute_script("return [...document.fonts].filter(f => f.status === 'loaded').map(f => f.family)")
    assert {"Rate Devanagari", "Rate Tamil"} <= {name.strip('"') for name in loaded}
    # Letters that join are narrower than the letters one by one: क्ष is one sign.
    joined, single = page.execute_script(
        "const c = document.createElement('canvas').getContext('2d'); c.font = '40px \"Rate Devanagari\"';"
        "return [c.measureText('क्ष').width, c.measureText('क').width + c.measureText('ष').width]"
    )
    assert joined < single


def test_long_answers_fold(page: Any) -> None:
    place = page.execute_script("return slots.findIndex(s => s.querySelector('.answer .folded'))")
    page.execute_script("show(arguments[0])", place)
    low = page.execute_script("return document.querySelector('.slot:not([hidden]) .answer .folded').clientHeight")
    button = page.find_element("css selector", ".slot:not([hidden]) .answer .more:not([hidden])")
    assert button.get_attribute("aria-expanded") == "false"
    button.click()
    assert button.get_attribute("aria-expanded") == "true"
    assert page.execute_script("return arguments[0].previousElementSibling.clientHeight", button) > low


def test_a_screen_reader_hears_a_name_for_every_control(page: Any) -> None:
    page.execute_script("show(0)")
    for language in ("en", "ur"):
        page.execute_script("speak(arguments[0])", language)
        nodes = page.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
        controls = [node for node in nodes if not node.get("ignored") and node.get("role", {}).get("value") in ROLES]
        roles = [node["role"]["value"] for node in controls]
        assert roles.count("radio") == 4 * 6 and roles.count("textbox") == 4 and "progressbar" in roles and "combobox" in roles
        assert not [node["role"]["value"] for node in controls if not node.get("name", {}).get("value", "").strip()]
        named = [node for node in nodes if node.get("role", {}).get("value") == "group" and node.get("name", {}).get("value")]
        groups = [node["name"]["value"] for node in named]
        assert len(groups) == 4 and all(letter in name for letter, name in zip("ABCD", groups, strict=True))


ROLES = {"button", "radio", "textbox", "combobox", "progressbar", "checkbox", "link", "slider"}


def test_a_translated_page_is_noticed(page: Any, sheet: Made) -> None:
    page.execute_script("show(0); document.querySelector('.slot:not([hidden]) .answer .text').firstElementChild.textContent = 'übersetzt'")
    press(page, "4")
    assert page.execute_script("return !document.getElementById('warning').hidden")
    started = time.time()
    press(page, "s")
    with pytest.raises(Exception, match="was shown another text"):
        read_file(saved(page, sheet, started), sheet.sheet)


def test_a_second_tab_sees_what_the_first_rated(page: Any, sheet: Made) -> None:
    first = page.current_window_handle
    page.switch_to.new_window("tab")
    opened(page, sheet.pages["asha"])
    press(page, "n", "5")
    page.switch_to.window(first)
    until(page, "return Object.keys(state.slots).length === 1")
    press(page, "n", "2")
    assert page.execute_script("return Object.values(state.slots)[0].answers") == {"A": 5, "B": 2}
    page.switch_to.window(page.window_handles[1])
    until(page, "return Object.values(state.slots)[0].answers.B === 2")
    page.close()
    page.switch_to.window(first)


def test_keys_of_other_keyboards(page: Any) -> None:
    """A Hindi keyboard types Devanagari letters and digits: the place of the key counts then."""
    page.execute_script("show(0)")
    event = "document.dispatchEvent(new KeyboardEvent('keydown', {key: arguments[0], code: arguments[1], bubbles: true}))"
    page.execute_script(event.replace("document.", "document.body."), "४", "Digit4")
    assert page.execute_script("return Object.values(state.slots)[0].answers") == {"A": 4}
    page.execute_script(event.replace("document.", "document.body."), "ल", "KeyN")
    assert page.execute_script("return here") == 1
