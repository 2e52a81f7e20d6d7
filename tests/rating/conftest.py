"""A sheet for a room of six, and a real browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evalkit.rating.assign import Plan
from evalkit.rating.make import Made, make
from evalkit.rating.page import fonts
from tests.rating.invented import gathered


@pytest.fixture(scope="session", autouse=True)
def _fonts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Fonts are cut once per run of the tests, whatever the number of processes: seconds for each script."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "fonts-of-pages"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fonts, "cache_dir", lambda: shared)
        yield


@pytest.fixture(scope="session")
def _room(_fonts: None, tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(gathered(24), {f"r{i}": () for i in range(6)}, Plan(3, 1, 2, 11), tmp_path_factory.mktemp("made") / "room")


@pytest.fixture
def room(_room: Made, tmp_path: Path) -> Made:
    """24 prompts × 4 models for six raters, three per prompt, with a calibration set and repeats; a fresh copy."""
    shutil.copytree(next(iter(_room.pages.values())).parents[1], tmp_path / "room")
    return replace(_room, pages={rater: tmp_path / "room" / "pages" / path.name for rater, path in _room.pages.items()})


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Chromium, driven for real. Skipped where there is none, unless EVALKIT_TEST_BROWSER=1 says that there must be one."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    service = shutil.which("chromedriver")
    if not (chromium and service) and os.environ.get("EVALKIT_TEST_BROWSER") != "1":
        pytest.skip("no chromium and chromedriver on this machine")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = chromium or "chromium"
    flags = ("headless", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "disable-quic", "no-first-run")
    for flag in (*flags, "disable-background-networking", "disable-component-update", "disable-sync", "window-size=1400,1000"):
        options.add_argument(f"--{flag}")
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('browser')}")
    downloads = tmp_path_factory.mktemp("downloads")
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads), "download.prompt_for_download": False})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    started: Any = webdriver.Chrome(options=options, service=webdriver.ChromeService(service or "chromedriver"))
    started.downloads = downloads
    yield started
    started.quit()
