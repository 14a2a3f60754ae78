"""Hidden ids: in every argument of every root field, the id of a hidden object answers and costs as a missing one."""

import re
from collections.abc import Iterator, Mapping
from itertools import product

import pytest

from db import ids
from db.connection.database import Database
from tests.api.access_operations import KINDS, UNLIMITED, operation
from tests.api.access_table import LISTS_OF_IDS, TABLE, Beside, Case, New, Of, Taken, filled, leaves
from tests.api.access_world import PREFIXES, PRINCIPALS, Who, World
from tests.conftest import Serve
from tests.support.client import Served
from tests.support.counting import counted

PROBERS: Mapping[str, tuple[str, str]] = {
    "editor": ("open", "restricted"),
    "reader": ("open", "theirs"),
    "granted": ("restricted", "elsewhere"),
    "guest": ("restricted", "open"),
    "stranger": ("elsewhere", "restricted"),
    "outsider": ("theirs", "restricted"),
}
"""For each principal, a place that it sees, and one that is hidden from it."""

NEW = re.compile(r"(?:\b|(?<=_))[0-9A-HJKMNP-TV-Z]{26}\b|mgl?_[\w-]{43}|20\d\d-\d\d-\d\dT[^\"]*|(?<=cursor\":\")[^\"]+")
"""What differs between any two successes: generated ids, secrets, times and cursors."""

Ids = Mapping[str, tuple[str, str]]
"""For each argument, by path: the id of a hidden or visible object, and a missing id or the same visible one."""

SHARING = ("importDocument", "copySection", "syncDocument")
"""The mutations that take the same id for a new object as others before them, and so need another one."""


def missing(kind: str, number: int) -> str:
    """Return an id of the shape of an object's id, which nothing has."""
    if kind == "grant":
        return ids.of_grant("doc_missing", f"missing{number}")
    if kind == "workspace":
        return f"{ids.WORKSPACE}missing{number}"
    return f"{PREFIXES[kind.rpartition('_')[2]]}missing_{kind}{number}"


def choices(world: World, who: Who, places: tuple[str, str], name: str, case: Case, number: int) -> Iterator[Ids]:
    """Return the mixtures of visible and hidden ids for the arguments of a case, with one hidden id or more."""
    seen, hidden = places
    options: dict[str, list[tuple[str, str]]] = {}
    for path, value in leaves(case.arguments).items():
        if isinstance(value, Beside):
            options[path] = [(world.id(value.kind, seen), world.id(value.kind, seen))]
        if not isinstance(value, Of | New):
            continue
        kind, absent = value.kind, missing(value.kind, number if isinstance(value, New) else 0)
        if isinstance(value, New):
            # In the workspace, an id is taken by a hidden object too (docs/decisions/0028): ids are unique there.
            other = (
                world.id(f"taken_{kind}", "open" if name in SHARING else hidden) if who.workspace == "other" else absent
            )
            options[path] = [(other, absent), (f"{absent}new", f"{absent}new")]
            continue
        visible = world.id(kind, seen)
        options[path] = [(visible, visible)]
        may_be_new = any(isinstance(need, Taken) and need.argument == path for need in case.needs)  # as for `New`
        if who.role_on(kind, hidden) is None and not may_be_new:
            options[path].append((world.id(kind, hidden), absent))
    for chosen in product(*options.values()):
        if any(one != other for one, other in chosen):
            yield dict(zip(options, chosen, strict=True))


async def response(client: Served, name: str, case: Case, chosen: Ids, which: int) -> tuple[str, list[str]]:
    """Return the bytes of a response with the ids replaced by the names of their arguments, and the statements.

    The statements are sorted: those of fields that are resolved at the same time come in any order.
    """
    given = filled(case.arguments, {path: each[which] for path, each in chosen.items()})
    given = {argument: value for argument, value in given.items() if argument not in ("after", "before")}
    with counted(client.database) as statements:
        answer = await client.post({"query": operation(name, *given), "variables": given})
    text = answer.text
    for success in ("CreateSectionSuccess", "CopySectionSuccess"):
        if success in text:
            text = success  # what else it shows of the document is different after each section
    for path, each in sorted(chosen.items(), key=lambda item: -len(item[1][which])):
        for shown in (each[which], each[which].removeprefix(ids.USER)):  # the longer one first
            text = text.replace(shown, f"<{path}>")
    return NEW.sub("<new>", text), sorted(statements)


@pytest.mark.slow
async def test_a_hidden_id_answers_and_costs_as_a_missing_one(serve: Serve, database: Database) -> None:
    asking = ["owner"]
    world = await World(0).build(database)
    compared = 0
    async with serve(who=lambda: world.principal(asking[0]), **UNLIMITED) as client:
        for prober, places in PROBERS.items():
            asking[0] = prober
            for name in TABLE:
                for case in (*TABLE[name], *LISTS_OF_IDS.get(name, ())):
                    for chosen in choices(world, PRINCIPALS[prober], places, name, case, compared):
                        # The first call may have to prepare its statements.
                        warm = {path: (missing_again(each), each[1]) for path, each in chosen.items()}
                        await response(client, name, case, warm, 0)
                        hidden = await response(client, name, case, chosen, 0)
                        absent = await response(client, name, case, chosen, 1)
                        assert hidden == absent, (prober, name, chosen)
                        compared += 1
    assert compared > 300


def missing_again(ids_of_argument: tuple[str, str]) -> str:
    """Return another missing id, in place of a hidden one."""
    one, other = ids_of_argument
    return one if one == other else f"{other}again"


def test_each_prober_hides_and_sees() -> None:
    for prober, (seen, hidden) in PROBERS.items():
        who = PRINCIPALS[prober]
        assert who.role_on("document", seen)
        assert who.role_on("document", hidden) is None
    assert set(KINDS) == set(TABLE)
