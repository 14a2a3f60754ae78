"""The explorer, as a person sees it: in a real browser, without the rest of the internet."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import answers, is_ours, launched, run, shows_editors
from tests.support.processes import running_server

TABS = [
    "ImportDocument",
    "ListSections",
    "EnsureSectionChat",
    "PostMessage",
    "ReadChat",
    "EditSection",
    "SyncDocument",
    "FollowChats",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


@pytest.fixture(scope="module")
def address(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the demo; under a prefix, if a test gives one."""
    file = tmp_path_factory.mktemp("explorer") / "marginalia.db"
    prefix = ["--root-path", request.param] if hasattr(request, "param") else []
    with running_server(f"sqlite:///{file}", "--demo", *prefix) as server:
        yield server


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """Open the explorer as on a first visit; any complaint of the page or word to another host fails the test."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    page = context.new_page()
    complaints: list[str] = []
    page.on(
        "console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: None if is_ours(request.url, address) else complaints.append(request.url))
    page.goto(f"{address}/")
    shows_editors(page)
    yield page
    context.close()
    assert complaints == []


@pytest.mark.parametrize("address", ["/chat"], indirect=True)
def test_under_a_prefix_the_page_asks_for_nothing_outside(page: Page, address: str) -> None:
    assert page.url == f"{address}/graphiql"
    page.locator(".graphiql-execute-button").click()
    answers(page, '"__typename": "ImportDocumentSuccess"')
    with page.expect_websocket() as opened:
        run(page, "FollowChats")
    assert opened.value.url == f"{address}/graphql".replace("http", "ws", 1)


def test_the_first_tab_runs_and_its_answer_shows_beside_the_documentation(page: Page, tmp_path: Path) -> None:
    expect(page).to_have_title("Marginalia")
    expect(page.locator(".graphiql-tab-button")).to_have_text(TABS)
    expect(page.locator(".marginalia-bar")).to_have_count(0)  # nobody has to sign in here
    page.locator(".graphiql-execute-button").click()
    answers(page, '"__typename": "ImportDocumentSuccess"')
    page.screenshot(path=os.environ.get("MARGINALIA_SCREENSHOT", tmp_path / "explorer.png"))
    page.locator("button[aria-label='Show Documentation Explorer']").click()
    expect(page.locator(".graphiql-doc-explorer")).to_contain_text("EnsureSectionChatResult", timeout=20_000)


def test_the_tabs_show_the_way(page: Page) -> None:
    run(page, "ListSections")
    answers(page, '"level": 1')
    run(page, "EnsureSectionChat")
    answers(page, '"ensured": "CREATED"')
    run(page, "EnsureSectionChat")
    answers(page, '"ensured": "FOUND"')
    run(page, "ReadChat")
    answers(page, '"createdBy": { "name": "local" }')


def test_the_tabs_go_on_with_what_the_first_one_made(page: Page) -> None:
    for is_new in ("true", "false"):  # also the second time, when they hold the ids of the first
        run(page, "ImportDocument")
        answers(page, '"__typename": "ImportDocumentSuccess"')
        run(page, "ListSections")
        answers(page, '"title": "A walk along the river"')
        run(page, "EnsureSectionChat")
        answers(page, '"ensured": "CREATED"')
        answers(page, '"title": "A walk along the river"')
        run(page, "PostMessage")
        answers(page, '"seq": 1')
        run(page, "ReadChat")
        answers(page, '"content": "Is the mill *still* there?"')
        run(page, "EditSection")
        answers(page, '"contentHtml": "<p>Tea, <em>shoes</em>')
        run(page, "SyncDocument")
        answers(page, f'"isChanged": {is_new}')


def test_on_a_phone_the_answer_is_as_wide_as_the_screen(page: Page, tmp_path: Path) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    run(page, "ImportDocument")
    answers(page, '"__typename": "ImportDocumentSuccess"')
    answer = page.locator(".graphiql-response .result-window").bounding_box()
    query = page.locator(".graphiql-query-editor .graphiql-editor").bounding_box()
    assert answer is not None
    assert query is not None
    assert answer["width"] >= 350
    assert answer["height"] >= 250
    assert query["width"] >= 250
    assert query["height"] >= 100
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.screenshot(path=os.environ.get("MARGINALIA_SCREENSHOT_OF_A_PHONE", tmp_path / "phone.png"))


def test_a_subscription_shows_what_others_do(page: Page, address: str, tmp_path: Path) -> None:
    run(page, "FollowChats")
    with httpx.Client(base_url=address) as http:

        def ask(query: str, **variables: str) -> Any:
            body = {"query": query, "variables": variables}
            return http.post("/graphql", json=body).raise_for_status().json()["data"]

        until = time.monotonic() + 20
        while "marginalia_subscribers 1.0" not in http.get("/metrics").text and time.monotonic() < until:
            time.sleep(0.05)
        # The newest document, with which the page has filled its tabs; not its first section, which has a chat by now.
        newest = "{ documents(first: 1) { edges { node { id sections(first: 3) { edges { node { id } } } } } } }"
        document = ask(newest)["documents"]["edges"][0]["node"]
        section = document["sections"]["edges"][-1]["node"]["id"]
        ensure = (
            "mutation ($d: ID!, $s: ID!) { ensureSectionChat(docId: $d, sectionId: $s) { ... on ChatSession { id } } }"
        )
        chat = ask(ensure, d=document["id"], s=section)["ensureSectionChat"]["id"]
    answers(page, chat)
    page.screenshot(path=os.environ.get("MARGINALIA_SCREENSHOT_OF_A_SUBSCRIPTION", tmp_path / "subscription.png"))
    page.locator(".graphiql-execute-button").click()
