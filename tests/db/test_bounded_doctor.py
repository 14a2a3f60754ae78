"""The doctor beside a large chat and a large document: what a statement visits is bounded by its stretch."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import event, func, select, text

from db.connection.database import Database
from db.doctor import message_numbers, repairs, scanner
from db.doctor.invariants import INVARIANTS, Invariant, Rule
from db.doctor.scanner import Scanner, Violation
from db.models import ChatSession, Message
from tests.support import factories
from tests.support.client import Client
from tests.support.concurrent_callers import ensure, post
from tests.support.invariants import violations

pytestmark = pytest.mark.slow

LARGE = 2_000
"""How many messages the chat has, and sections the document; there are as many chats beside it."""

STRETCH = 50
PORTION = 100

_SERIES = {
    "sqlite": "(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {n}) SELECT n FROM s)",
    "postgresql": "generate_series(1, {n}) AS s(n)",
}
_KEY = {"sqlite": "printf('%05d', n * 7919 % 10007)", "postgresql": "lpad((n * 7919 % 10007)::text, 5, '0')"}

FILL = (
    "INSERT INTO documents (workspace_id, id, title, created_by) VALUES ('local', 'doc_1', 'A', 'me')",
    "INSERT INTO sections (workspace_id, id, title, created_by, chat_session_id)"
    " SELECT 'local', 'sec_' || {key}, 'A', 'me', 'chat_' || {key} FROM {series}",
    "INSERT INTO document_sections (workspace_id, document_id, section_id, position)"
    " SELECT 'local', 'doc_1', 'sec_' || {key}, 'd000' || {key} || 'V' FROM {series}",
    "INSERT INTO chat_sessions (workspace_id, id, section_id, document_id, created_by, last_seq)"
    " SELECT 'local', 'chat_' || {key}, 'sec_' || {key}, 'doc_1', 'me', CASE n WHEN 1 THEN {n} ELSE 1 END"
    " FROM {series}",
    "INSERT INTO messages (workspace_id, id, chat_id, seq, role, author, content, client_id)"
    " SELECT 'local', 'msg_one_' || {key}, 'chat_' || {key}, 1, 'USER', 'me', 'Text', 'c' FROM {series} WHERE n > 1",
    "INSERT INTO messages (workspace_id, id, chat_id, seq, role, author, content, client_id)"
    " SELECT 'local', 'msg_' || {key}, 'chat_07919', n, 'USER', 'me', 'Text', 'c' || n FROM {series}",
)

CHAT, SECTION = "chat_07919", "sec_07919"


async def execute(database: Database, *statements: str) -> None:
    async with database.begin() as session:
        for statement in statements:
            await session.execute(text(statement))


@pytest.fixture
async def large(database: Database) -> Database:
    names = {"n": LARGE, "series": _SERIES[database.dialect].format(n=LARGE), "key": _KEY[database.dialect]}
    await execute(database, *(statement.format(**names) for statement in FILL))
    return database


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SHORTEST", "FIRST", "LONGEST"):
        monkeypatch.setattr(scanner, name, STRETCH)
    monkeypatch.setattr(message_numbers, "PORTION", PORTION)
    monkeypatch.setattr(repairs, "PORTION", PORTION)


@asynccontextmanager
async def measured(database: Database) -> AsyncIterator[Callable[[], int]]:
    """Tell how much the largest statement so far did: rows and index entries visited, or steps of SQLite's machine."""
    most = 0

    def note(amount: int) -> None:
        nonlocal most
        most = max(most, amount)

    remove: list[Callable[[], None]] = []
    for engine in database.engines:
        await engine.dispose()  # what was there before knows nothing of us
        sync = engine.sync_engine
        begin, end = (_steps if database.dialect == "sqlite" else _visits)(note)
        for name, listener in (("before_cursor_execute", begin), ("after_cursor_execute", end)):
            event.listen(sync, name, listener)
            remove.append(lambda sync=sync, name=name, listener=listener: event.remove(sync, name, listener))  # type: ignore[misc]
    yield lambda: most
    for each in remove:
        each()


def _steps(note: Callable[[int], None]) -> tuple[Any, Any]:
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    def begin(connection: Any, *_: Any) -> None:
        nonlocal steps
        steps = 0
        raw = connection.connection.driver_connection._conn
        raw.set_progress_handler(step, 10)

    def end(*_: Any) -> None:
        note(steps * 10)

    return begin, end


def _visits(note: Callable[[int], None]) -> tuple[Any, Any]:
    def begin(connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        if many or not statement.startswith("SELECT") or "pg_" in statement or "set_config" in statement:
            return
        raw = connection.connection.dbapi_connection.cursor()
        raw.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters)
        (plan,) = raw.fetchone()
        note(_rows(json.loads(plan) if isinstance(plan, str) else plan))
        raw.close()

    return begin, lambda *_: None


def _rows(plan: Any) -> int:
    if isinstance(plan, list):
        return sum(map(_rows, plan))
    node = plan.get("Plan", plan)
    own = (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
    return int(own) + sum(map(_rows, node.get("Plans", [])))


BOUND = {"sqlite": STRETCH * 150, "postgresql": STRETCH * 20}
"""A row of a stretch takes up to 80 steps; a row of all there is takes 6 at least, and there are 40 times as many."""


@pytest.mark.parametrize("analysed", [False, True], ids=["new", "analysed"])
async def test_no_statement_of_a_search_visits_more_than_its_stretch(large: Database, analysed: bool) -> None:
    if analysed:
        await execute(large, "ANALYZE")
    visited = {f"{invariant.rule} {invariant.name}": await visits(large, invariant) for invariant in INVARIANTS}
    assert {name: most for name, most in visited.items() if not 0 < most < BOUND[large.dialect]} == {}


async def visits(database: Database, invariant: Invariant) -> int:
    """Look for violations, of which there are none, and return how much the largest statement did."""
    async with measured(database) as most:
        assert [each async for each in Scanner(database).violations(invariant)] == []
        return most()


async def first(database: Database, rule: Rule) -> Violation:
    for invariant in INVARIANTS:
        if invariant.rule is rule:
            async for violation in Scanner(database).violations(invariant):
                return violation
    raise AssertionError("Nothing was found")


async def numbers(database: Database, chat_id: str = CHAT) -> tuple[int, int, int, int, int]:
    """Return what the numbers of a chat come to: how many, the first, the last, how many differ, and the noted last."""
    async with database.read() as session:
        seq = Message.seq
        counted = select(func.count(), func.min(seq), func.max(seq), func.count(seq.distinct()))
        row = (await session.execute(counted.where(Message.chat_id == chat_id))).one()
        last = await session.scalar(select(ChatSession.last_seq).where(ChatSession.id == chat_id))
        return (*row, last or 0)


_ORDER = {
    "sqlite": "SELECT group_concat(id) FROM (SELECT id FROM messages WHERE chat_id = :chat ORDER BY seq)",
    "postgresql": "SELECT string_agg(id, ',' ORDER BY seq) FROM messages WHERE chat_id = :chat",
}


async def order(database: Database) -> list[str]:
    """Return the ids of the messages of the chat, read as one text: it is asked for after each portion."""
    async with database.read() as session:
        return str(await session.scalar(text(_ORDER[database.dialect]), {"chat": CHAT})).split(",")


GAPS = {
    "a gap": "DELETE FROM messages WHERE chat_id = 'chat_07919' AND seq = 3",
    "many gaps": "DELETE FROM messages WHERE chat_id = 'chat_07919' AND seq % 3 = 0",
    "a number below 1": "UPDATE messages SET seq = 0 - seq WHERE chat_id = 'chat_07919' AND seq < 500",
    "a last number that is too high": "UPDATE chat_sessions SET last_seq = 9000 WHERE id = 'chat_07919'",
    "a last number that is too low": "UPDATE chat_sessions SET last_seq = 7 WHERE id = 'chat_07919'",
}


@pytest.fixture
async def observer(database_url: str) -> AsyncIterator[Database]:
    """Give a database whose statements are not measured."""
    opened = Database(database_url)
    yield opened
    await opened.close()


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(name, marks=[pytest.mark.thorough] * (name in ("a gap", "a last number that is too low")))
        for name in GAPS
    ],
)
async def test_a_large_chat_is_numbered_in_portions_and_keeps_its_order(
    large: Database, observer: Database, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    await execute(large, GAPS[broken])
    before = await order(large)
    numbered = [invariant for invariant in INVARIANTS if invariant.rule is Rule.MESSAGES_NUMBERED]
    found = [each for invariant in numbered async for each in Scanner(large).violations(invariant)]
    assert 1 <= len(found) <= 2  # however many numbers are wrong
    changed: list[int] = []
    transact = large.transact

    async def seen(work: Any) -> Any:
        done = await transact(work)
        assert await order(observer) == before
        changed.append(1)
        return done

    monkeypatch.setattr(large, "transact", seen)
    async with measured(large) as most:
        await Scanner(large).repair(found[0])
        assert most() < 10 * BOUND[large.dialect]
    assert len(changed) > LARGE / PORTION / 2 or "last" in broken
    assert await order(large) == before
    assert await numbers(large) == (len(before), 1, len(before), len(before), len(before))
    assert await violations(large) == []


@pytest.mark.parametrize("portions", [pytest.param(1, marks=pytest.mark.thorough), 7])
async def test_a_numbering_that_was_ended_half_way_is_brought_to_its_end_by_the_next_one(
    large: Database, monkeypatch: pytest.MonkeyPatch, portions: int
) -> None:
    await execute(large, GAPS["many gaps"])
    before = await order(large)
    left, transact = portions, large.transact

    async def killed(work: Any) -> Any:
        nonlocal left
        if not left:
            raise KeyboardInterrupt
        left -= 1
        return await transact(work)

    monkeypatch.setattr(large, "transact", killed)
    with pytest.raises(KeyboardInterrupt):
        await Scanner(large).repair(await first(large, Rule.MESSAGES_NUMBERED))
    monkeypatch.setattr(large, "transact", transact)
    assert await order(large) == before
    left_over = await first(large, Rule.MESSAGES_NUMBERED)
    assert left_over.found["seq"] > portions * PORTION
    await Scanner(large).repair(left_over)
    assert await order(large) == before
    assert await violations(large) == []


async def test_posts_go_on_while_a_large_chat_is_numbered(
    client: Client, large: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await execute(large, GAPS["many gaps"], GAPS["a last number that is too low"])
    before, transact, posted = await order(large), large.transact, list[str]()

    async def between(work: Any) -> Any:
        done = await transact(work)
        message = await post(client, CHAT, "Text")
        assert message["__typename"] == "PostMessageSuccess"
        posted.append(message["postedMessage"]["id"])
        return done

    monkeypatch.setattr(large, "transact", between)
    await Scanner(large).repair(await first(large, Rule.MESSAGES_NUMBERED))
    assert await order(large) == before + posted
    assert len(posted) > LARGE / PORTION / 2
    assert await violations(large) == []
    answer = await ensure(client, "doc_1", SECTION)
    assert answer["id"] == CHAT


POSITIONS = {
    "two share one": "UPDATE document_sections SET position = 'd00000000V'"
    " WHERE section_id IN (SELECT section_id FROM document_sections ORDER BY section_id LIMIT 2)",
    "all are one": "UPDATE document_sections SET position = 'a0'",
    "one is none": "UPDATE document_sections SET position = '!' || position"
    " WHERE section_id IN (SELECT section_id FROM document_sections ORDER BY section_id DESC LIMIT 1)",
}


@pytest.mark.parametrize("broken", [pytest.param("two share one", marks=pytest.mark.thorough), *list(POSITIONS)[1:]])
async def test_positions_of_a_large_document_are_set_right_where_they_are_wrong(large: Database, broken: str) -> None:
    placed = "SELECT section_id FROM document_sections ORDER BY position, section_id"
    where_they_are = "SELECT section_id, position FROM document_sections ORDER BY section_id"
    await execute(large, POSITIONS[broken])
    async with large.read() as session:
        before = list(await session.scalars(text(placed)))
        positions_before = {row[0]: row[1] for row in await session.execute(text(where_they_are))}
    await Scanner(large).repair(await first(large, Rule.POSITIONS_DISTINCT))
    async with large.read() as session:
        assert list(await session.scalars(text(placed))) == before
        positions_after = {row[0]: row[1] for row in await session.execute(text(where_they_are))}
    changed = [key for key in positions_after if positions_after[key] != positions_before[key]]
    assert len(changed) == (LARGE - 1 if broken == "all are one" else 1)
    assert await violations(large) == []


async def test_without_an_index_of_a_key_the_search_comes_to_an_end_all_the_same(large: Database) -> None:
    await execute(large, "DROP INDEX document_sections_workspace_id_section_id_document_id_idx")
    await factories.section(large, id="sec_x", chat_session_id="chat_gone")
    assert (await first(large, Rule.NO_WRONG_CHAT_POINTER)).found["section_id"] == "sec_x"
