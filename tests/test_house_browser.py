"""The browser that pages are tested in works, and notices what a page must not do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser


def test_a_page_is_drawn(page: Page) -> None:
    page.set_content("<h1 style='width: 10em'>83 pJ</h1>")
    assert page.inner_text("h1") == "83 pJ"


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("<script>console.error('broken axis')</script>", "broken axis"),
        ("<script>draw_nothing()</script>", "draw_nothing is not defined"),
        ("<img src='http://elsewhere.invalid/font.png'>", "asked for http://elsewhere.invalid/font.png"),
    ],
)
def test_what_a_page_must_not_do_is_noticed(browser: Browser, body: str, complaint: str) -> None:
    page = browser.new_page()
    complaints = chromium.watch(page)
    page.set_content(body)
    page.close()
    assert any(complaint in seen for seen in complaints)
