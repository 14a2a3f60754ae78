"""The table of roles in docs/access.md, from services/access.py. Run as a module, it writes the page."""

from pathlib import Path

from db.principals import Role
from services.access import LEAST_ROLES, Action, may

PAGE = Path(__file__).parents[2] / "docs" / "access.md"
MARKS = "<!-- written by make fix -->", "<!-- end of make fix -->"


def table() -> str:
    """Return the table in Markdown: a row for each action, the least powerful first, and a column for each role."""
    rows = [
        ["Action", *(role.name for role in Role)],
        ["---", *("---" for _ in Role)],
        *(
            [action.value, *("yes" if may(role, action) else "" for role in Role)]
            for action in sorted(Action, key=LEAST_ROLES.__getitem__)
        ),
    ]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def written(page: str) -> str:
    """Return the text of the page with the table between its marks."""
    before, begin, rest = page.partition(MARKS[0])
    _, end, after = rest.partition(MARKS[1])
    return f"{before}{begin}\n\n{table()}\n\n{end}{after}"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text("utf-8")), "utf-8")
