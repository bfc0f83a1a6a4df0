"""Report pages in a browser, on screens of a width and a scheme of colours."""

from __future__ import annotations

import contextlib

from benchmarks.shared import browser
from eigentropy.report import page, read_run


def opened(driver, tmp_path, *runs):
    """Open the page of some runs; what is returned asks it for the value of an expression."""
    return opened_text(driver, tmp_path, page([read_run(run) for run in runs], "A page"))


def opened_text(driver, tmp_path, text):
    """The same of the text of any page."""
    file = tmp_path / "page.html"
    file.write_text(text)
    browser.complaints(driver)  # of earlier tests
    browser.open_page(driver, file)
    return lambda script, *arguments: driver.execute_script(f"return {script}", *arguments)


def texts(ask, selector):
    """Of all elements that the selector finds."""
    return ask(f"[...document.querySelectorAll({selector!r})].map((e) => e.textContent)")


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


def focus(driver, ask, selector):
    """By Tab, so that the browser shows the focus."""
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    ask("document.querySelector(arguments[0]).focus()", selector)
    press(driver, Keys.TAB)
    ActionChains(driver).key_down(Keys.SHIFT).send_keys(Keys.TAB).key_up(Keys.SHIFT).perform()
    assert ask("document.activeElement.matches(arguments[0])", selector)


def press(driver, *keys):
    """Keys of the keyboard, at what has the focus."""
    from selenium.webdriver.common.action_chains import ActionChains

    ActionChains(driver).send_keys(*keys).perform()


# What stands wider than the window, outside of what can be scrolled.
WIDE = """[...document.querySelectorAll("body *")].filter((e) => e.checkVisibility()
    && !e.parentElement.closest(".scroll") && e.getBoundingClientRect().right > innerWidth + 0.5)
  .map((e) => e.outerHTML.slice(0, 90))"""

# Pairs of texts of a drawing that lie on each other.
CROWDED = """[...document.querySelectorAll("figure > svg")].flatMap((root) => {
  const all = [...root.querySelectorAll("text")]
    .map((e) => [e.textContent, e.getBoundingClientRect()]).filter(([, box]) => box.width);
  return all.flatMap(([a, one], i) => all.slice(0, i).filter(([, other]) =>
    one.left < other.right - 1 && other.left < one.right - 1
    && one.top < other.bottom - 3 && other.top < one.bottom - 3).map(([b]) => [a, b]));
})"""

# Parts of the page that lie on each other: all that stands below another begins below its end.
STACKED = """[...document.querySelectorAll("main > section > *, .controls > *, figure > *")]
  .filter((e) => {
    const [a, b] = [e, e.nextElementSibling || e].map((one) => one.getBoundingClientRect());
    return e.nextElementSibling && a.width && b.width
      && a.left < b.right - 1 && b.left < a.right - 1 && b.top < a.bottom - 1;
  }).map((e) => e.outerHTML.slice(0, 90))"""

# Texts of drawings that reach over an edge of their drawing.
CUT = """[...document.querySelectorAll("figure > svg text")].filter((text) => {
  const [inner, outer] = [text, text.ownerSVGElement].map((e) => e.getBoundingClientRect());
  return inner.width && (inner.left < outer.left - 1 || inner.right > outer.right + 1
    || inner.top < outer.top - 1 || inner.bottom > outer.bottom + 1);
}).map((text) => text.textContent)"""
