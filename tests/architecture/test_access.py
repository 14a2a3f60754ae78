"""Access: the table in docs/access.md is the one in the code."""

from services.access import LEAST_ROLES, Action
from tests.architecture import roles_page


def test_the_page_shows_what_each_role_may_do() -> None:
    page = roles_page.PAGE.read_text("utf-8")
    assert all(mark in page for mark in roles_page.MARKS)
    assert page == roles_page.written(page), "docs/access.md differs from services/access.py: run `make fix`"


def test_each_action_has_a_least_role() -> None:
    assert set(LEAST_ROLES) == set(Action)
