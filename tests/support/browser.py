"""A real browser: finding it, and what a person does with the explorer in it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def installed() -> str | None:
    """Find the browser: `MARGINALIA_CHROMIUM`, or one on the path."""
    return os.environ.get("MARGINALIA_CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)


@contextmanager
def launched() -> Iterator[Browser]:
    """Start the browser. Skips the test where none is installed, and fails it in CI."""
    path = installed()
    if path is None:
        reason = "No Chromium here: install one, or name it in MARGINALIA_CHROMIUM."
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(QUIET))
        yield browser
        browser.close()


_IS_READ = "tab => Object.entries(localStorage).some(([key, text]) => key.endsWith(':query') && text.includes(tab))"


def is_ours(url: str, address: str) -> bool:
    """Whether a request of a page goes to a server, or nowhere."""
    return url.startswith((f"{address}/", "data:", "blob:"))


def shows_editors(page: Page) -> None:
    """Wait until the explorer is ready for a person."""
    expect(page.locator(".graphiql-query-editor .view-line").first).to_be_visible(timeout=30_000)


def run(page: Page, tab: str) -> None:
    """Run the operation of a tab."""
    page.locator(".graphiql-tab-button", has_text=tab).click()
    expect(page.locator(".graphiql-query-editor")).to_contain_text(tab, timeout=20_000)
    # GraphiQL reads the name of the operation a moment after it shows the text, and keeps the text at the same time.
    page.wait_for_function(_IS_READ, arg=tab)
    page.locator(".graphiql-execute-button").click()


def answers(page: Page, text: str) -> None:
    """Wait for a text in the answer."""
    expect(page.locator(".graphiql-response .result-window")).to_contain_text(text, timeout=20_000)
