"""What the page shows, as a test waits for it."""

import re

from playwright.sync_api import Page, expect

TIMES = "\N{MULTIPLICATION SIGN}"
UNEQUAL = "\N{NOT EQUAL TO}"


def equation(page: Page) -> str:
    """For example `7 + 4 = 11`; without an answer ` + 4 = `."""
    parts = ("digit", "symbol", "number", "equals", "value")
    return " ".join(page.locator(f"#{part}").inner_text() for part in parts)


def expect_equation(page: Page, digit: int, number: int, value: int, sign: str = "+") -> None:
    """Wait until the page shows it, and is sure."""
    expect(page.locator("#value")).to_have_text(str(value))
    expect(page.locator("#answer")).to_have_attribute("data-state", "sure")
    assert equation(page) == f"{digit} {sign} {number} = {value}"
    spoken = {"+": "plus", TIMES: "times"}[sign]
    expect(page.get_by_role("status")).to_contain_text(f"{digit} {spoken} {number} is {value}.")


def expect_nothing(page: Page) -> None:
    """Wait until the page says that there is nothing on the paper."""
    expect(page.get_by_role("status")).to_contain_text("Nothing there yet")
    assert re.fullmatch(r" \S \d = ", equation(page))
