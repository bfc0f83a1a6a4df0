"""Report pages in a browser, on screens of a width and a scheme of colours."""

from __future__ import annotations

import contextlib

from benchmarks.shared import browser
from eigentropy.report import page, read_run


def opened(driver, tmp_path, *runs):
    """Open the page of some runs; what is returned asks it for the value of an expression."""
    file = tmp_path / "page.html"
    file.write_text(page([read_run(run) for run in runs], "A page"))
    browser.complaints(driver)  # of earlier tests
    browser.open_page(driver, file)
    return lambda script, *arguments: driver.execute_script(f"return {script}", *arguments)


def count(ask, selector):
    return ask("document.querySelectorAll(arguments[0]).length", selector)


@contextlib.contextmanager
def screen(driver, width, scheme="light", medium=""):
    """A screen of this width in pixels, light or dark; or the medium "print"."""
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": medium, "features": features})
    try:
        yield
    finally:
        driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})


def move(ask, slider, index):
    """As a hand would: the value, then the event."""
    ask(
        "(([id, index]) => { const input = document.getElementById(id); input.value = index; "
        "input.dispatchEvent(new Event('input')); })(arguments)",
        slider,
        index,
    )


def choose(ask, select, text):
    """An option by its text, as a hand would."""
    ask(
        "(([id, text]) => { const input = document.getElementById(id); "
        "input.value = [...input.options].find((one) => one.text === text).value; "
        "input.dispatchEvent(new Event('change')); })(arguments)",
        select,
        text,
    )


def press(driver, *keys):
    """Keys of the keyboard, at what has the focus."""
    from selenium.webdriver.common.action_chains import ActionChains

    ActionChains(driver).send_keys(*keys).perform()
