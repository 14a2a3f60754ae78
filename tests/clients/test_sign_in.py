"""Signing in to the explorer, in a real browser: by link and by field, and two users in two windows."""

import os
import shlex
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.support import processes
from tests.support.browser import answers, is_ours, launched, run, shows_editors
from tests.support.processes import Server, environment, running_process
from tests.support.tokens import bearer


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sign-in")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    """Serve the demo to holders of tokens."""
    assert command(folder, "secret", str(folder / "secret"))
    settings = {"auth": "tokens", "token_secret_file": folder / "secret"}
    with running_process(f"sqlite:///{folder}/marginalia.db", "--demo", **settings) as server:
        yield server


def command(folder: Path, *args: str) -> str:
    """Run a command that knows the secret and the database. Return the first line that it prints."""
    settings = {"token_secret_file": folder / "secret", "database_url": f"sqlite:///{folder}/marginalia.db"}
    ended = processes.run(*args, env=environment(**settings))
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()[0]


def link(server: Server, folder: Path, user: str, name: str) -> str:
    """Make a sign-in link, with the command that the server has printed."""
    (told,) = (line for line in server.output.splitlines() if line.startswith("Sign in "))
    args = shlex.split(told.partition("python -m marginalia ")[2].replace("--user ID", f"--user {user} --name {name}"))
    return command(folder, *args)


AFTER_ERRORS = ("Array(1)", "Socket closed with event 4403 Forbidden")
"""GraphiQL shows the error of a subscription, and leaves it uncaught as well."""


class Windows:
    """Browsers of their own at the explorer, what their pages ask for, and what they complain about."""

    def __init__(self, browser: Browser, server: Server) -> None:
        self._browser, self._server = browser, server
        self._contexts: list[BrowserContext] = []
        self.urls: list[str] = []
        self.complaints: list[str] = []

    def open(self, url: str) -> Page:
        """Open an address in a browser that was never here."""
        context = self._browser.new_context(viewport={"width": 1400, "height": 900})
        self._contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: self._complain(said.text) if is_complaint(said.type, said.text) else None)
        page.on("pageerror", lambda error: None if str(error) in AFTER_ERRORS else self._complain(str(error)))
        page.on("request", lambda request: self._requested(request.url))
        page.on("websocket", lambda socket: self._requested(socket.url))
        page.goto(url)
        return page

    def close(self) -> None:
        for context in self._contexts:
            context.close()

    def _complain(self, text: str) -> None:
        self.complaints.append(text)

    def _requested(self, url: str) -> None:
        self.urls.append(url)
        if not is_ours(url.replace("ws://", "http://", 1), self._server.address):
            self._complain(url)


@pytest.fixture
def windows(browser: Browser, server: Server) -> Iterator[Windows]:
    """Give windows. A complaint of a page or word to another host fails the test."""
    windows = Windows(browser, server)
    yield windows
    windows.close()
    assert windows.complaints == []


def is_told_to_nobody(secret: str, windows: Windows, server: Server) -> bool:
    """Tell whether a token is in no address that was asked for, and not in the log."""
    assert windows.urls
    assert server.log
    return not any(secret in text for text in (*windows.urls, server.log, server.output))


def is_complaint(kind: str, text: str) -> bool:
    # The browser writes a line for each answer with this status.
    return kind in ("error", "warning") and "status of 401" not in text


def stored(page: Page) -> str | None:
    """Return the token that a page keeps for its window."""
    token: str | None = page.evaluate("sessionStorage.getItem('marginalia:token')")
    return token


def token_of(link: str) -> str:
    return link.partition("#token=")[2]


def open_a_chat(server: Server, token: str) -> str:
    """Ensure a chat of the newest document, once somebody follows it; return its id."""
    with httpx.Client(base_url=server.address, headers=bearer(token), timeout=20) as http:
        until = time.monotonic() + 20
        while "marginalia_subscribers 1.0" not in http.get("/metrics").text and time.monotonic() < until:
            time.sleep(0.05)

        def ask(query: str, **variables: str) -> Any:
            body = {"query": query, "variables": variables}
            return http.post("/graphql", json=body).raise_for_status().json()["data"]

        newest = "{ documents(first: 1) { edges { node { id sections(last: 1) { edges { node { id } } } } } } }"
        document = ask(newest)["documents"]["edges"][0]["node"]
        section = document["sections"]["edges"][0]["node"]["id"]
        ensure = (
            "mutation ($d: ID!, $s: ID!) { ensureSectionChat(docId: $d, sectionId: $s) { ... on ChatSession { id } } }"
        )
        opened: str = ask(ensure, d=document["id"], s=section)["ensureSectionChat"]["id"]
        return opened


def signed_in(page: Page, who: str) -> None:
    bar(page, f"Signed in as {who}")
    shows_editors(page)


def bar(page: Page, text: str) -> None:
    expect(page.locator(".marginalia-bar")).to_contain_text(text, timeout=30_000)


def test_the_page_says_that_it_needs_a_token_and_takes_one(
    windows: Windows, server: Server, folder: Path, tmp_path: Path
) -> None:
    page = windows.open(f"{server.address}/graphiql")
    bar(page, "This server needs a token.")
    expect(page.locator(".graphiql-container")).to_have_count(0)
    page.screenshot(path=os.environ.get("MARGINALIA_SCREENSHOT_OF_SIGN_IN", tmp_path / "sign-in.png"))
    field = page.get_by_placeholder("Token")
    for wrong in ("wrong", "falsch\u00e4\u2026"):
        field.fill(wrong)
        page.get_by_role("button", name="Sign in").click()
        bar(page, "does not accept this token" if wrong.isascii() else "characters that no token has")
    token = token_of(link(server, folder, "u1", "Ann"))
    field.fill(token)
    field.press("Enter")
    signed_in(page, "Ann, EDITOR in local")
    run(page, "ListSections")
    answers(page, '"level": 1')
    page.get_by_role("button", name="Sign out").click()
    bar(page, "This server needs a token.")
    assert stored(page) is None
    assert is_told_to_nobody(token, windows, server)


def test_a_link_signs_in_and_out_of_the_address(windows: Windows, server: Server, folder: Path) -> None:
    first, second = link(server, folder, "u1", "Ann"), link(server, folder, "u2", "Ben")
    page = windows.open(first)
    signed_in(page, "Ann, EDITOR in local")
    page.locator("button[aria-label='Show Documentation Explorer']").click()
    expect(page.locator(".graphiql-doc-explorer")).to_contain_text("EnsureSectionChatResult", timeout=20_000)
    assert page.url == f"{server.address}/graphiql"
    assert stored(page) == token_of(first)
    kept = page.evaluate("JSON.stringify({...localStorage}) + document.cookie")
    page.goto(second)
    signed_in(page, "Ben, EDITOR in local")
    assert page.url == f"{server.address}/graphiql"
    page.reload()
    signed_in(page, "Ben, EDITOR in local")
    kept += page.evaluate("JSON.stringify({...localStorage}) + document.cookie")
    for made in (first, second):
        assert token_of(made) not in kept
        assert is_told_to_nobody(token_of(made), windows, server)


def test_a_subscription_has_the_token_and_ends_with_it(windows: Windows, server: Server, folder: Path) -> None:
    key = command(folder, "keys", "create", "A key of a window")
    page = windows.open(f"{server.address}/graphiql#token={key}")
    signed_in(page, "A key of a window, EDITOR in local")
    with page.expect_websocket() as opened:
        run(page, "FollowChats")
    assert opened.value.url == f"{server.address}/graphql".replace("http", "ws", 1)
    answers(page, open_a_chat(server, key))
    key_id = command(folder, "keys", "list").split()[0]
    assert command(folder, "keys", "revoke", key_id)
    answers(page, "TOKEN_REVOKED")
    bar(page, "does not accept this token")
    assert stored(page) is None
    run(page, "FollowChats")
    answers(page, "4403")
    run(page, "ListSections")
    answers(page, '"code": "UNAUTHENTICATED"')
    assert is_told_to_nobody(key, windows, server)


def test_two_users_in_two_windows_see_each_others_names(
    windows: Windows, server: Server, folder: Path, tmp_path: Path
) -> None:
    ann = windows.open(link(server, folder, "u1", "Ann"))
    signed_in(ann, "Ann")
    run(ann, "ImportDocument")
    answers(ann, '"__typename": "ImportDocumentSuccess"')
    run(ann, "EnsureSectionChat")
    answers(ann, '"ensured": "CREATED"')
    run(ann, "PostMessage")
    answers(ann, '"author": { "name": "Ann" }')
    ben = windows.open(link(server, folder, "u2", "Ben"))  # with the newest document and its chat in the tabs
    signed_in(ben, "Ben")
    run(ben, "PostMessage")
    answers(ben, '"author": { "name": "Ben" }')
    for page in (ann, ben):
        run(page, "ReadChat")
        answers(page, '"messageCount": 2')
        answers(page, '"author": { "name": "Ann" }')
        answers(page, '"author": { "name": "Ben" }')
    ben.screenshot(path=os.environ.get("MARGINALIA_SCREENSHOT_OF_A_WINDOW", tmp_path / "window.png"))
