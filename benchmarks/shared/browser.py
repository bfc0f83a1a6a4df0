"""A headless Chromium that talks to nobody, for tests and measurements of the report page."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# A browser on a busy machine takes its time.
PATIENCE = 60

QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)


def missing() -> str | None:
    """What is not installed; None where all is there."""
    for command in ("chromium", "chromedriver"):
        if shutil.which(command) is None:
            return f"{command} is not installed: apt-get install chromium chromium-driver"
    try:
        import selenium  # noqa: F401
    except ImportError:
        return "selenium is not installed: group test"
    return None


@contextlib.contextmanager
def chromium(width: int = 1400, height: int = 1000) -> Iterator[Any]:
    """A driver with an empty profile, whose console is kept."""
    from selenium import webdriver

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = str(shutil.which("chromium"))
        arguments = (*QUIET, f"--user-data-dir={profile}", f"--window-size={width},{height}")
        for argument in arguments:
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        service = webdriver.ChromeService(executable_path=shutil.which("chromedriver"))
        driver = webdriver.Chrome(options=options, service=service)
        driver.set_page_load_timeout(PATIENCE)
        try:
            yield driver
        finally:
            driver.quit()


def open_page(driver: Any, path: Path) -> float:
    """Open a report and wait until it is drawn; milliseconds from navigation until then."""
    from selenium.webdriver.support.ui import WebDriverWait

    driver.get(path.absolute().as_uri())
    drawn = "return document.documentElement.dataset.rendered"
    return float(WebDriverWait(driver, PATIENCE).until(lambda d: d.execute_script(drawn)))


def complaints(driver: Any) -> list[str]:
    """All that the console has been told since the last time."""
    return [entry["message"] for entry in driver.get_log("browser")]
