"""Chromium, and another site for it to visit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.system.other_sites import OtherSite
from tests.tools import PATIENCE, needs

Browse = Callable[..., Any]


@pytest.fixture
def browse(tmp_path, monkeypatch) -> Iterator[Browse]:
    """Start Chromium, with flags besides those that keep it on this machine."""
    from selenium import webdriver

    chromium, chromedriver = needs("chromium"), needs("chromedriver")
    drivers: list[Any] = []
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "*")

    def browse(*flags: str) -> Any:
        options = webdriver.ChromeOptions()
        options.binary_location = chromium
        # get() returns at once: a page that streams is not loaded before it has ended.
        options.page_load_strategy = "none"
        for flag in (
            *("headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run"),
            *("disable-background-networking", "disable-component-update", "disable-sync"),
            *("disable-dev-shm-usage", "no-proxy-server", "hide-scrollbars"),
            *("window-size=900,700", "force-device-scale-factor=1"),
            f"user-data-dir={tmp_path / f'chromium{len(drivers)}'}",
            *flags,
        ):
            options.add_argument(f"--{flag}")
        driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(chromedriver))
        drivers.append(driver)
        driver.set_script_timeout(PATIENCE)
        return driver

    yield browse
    for driver in drivers:
        driver.quit()


def text_of(page: Any) -> str:
    """The text that one sees now."""
    return page.execute_script("return document.body ? document.body.innerText : ''")


@pytest.fixture
def other_site() -> Iterator[OtherSite]:
    site = OtherSite()
    yield site
    site.stop()
