"""Damaged databases: the doctor says what it cannot do there, goes on with the rest, and makes nothing worse."""

import sqlite3
from contextlib import closing

import pytest
from sqlalchemy import func, select, text

from db.connection.database import Database
from db.connection.errors import DatabaseDamaged
from db.doctor.invariants import Rule
from db.doctor.scanner import Scanner
from db.models import ChatSession, Message, Section
from marginalia.startup import NotReady, check
from services import doctor
from tests.support import factories
from tests.support.corruption import allow_two_chats, fill, say, unconstrain
from tests.support.databases import user

on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def execute(database: Database, *statements: str) -> None:
    async with database.begin() as session:
        for statement in statements:
            await session.execute(text(statement))


async def by_hand(database: Database, *statements: str) -> None:
    """Change an SQLite file as we never would, past all that we set up for a connection."""
    await database.close()
    with closing(sqlite3.connect(str(database.url.database))) as file:
        for statement in statements:
            file.execute(statement)
        file.commit()


async def told(database: Database, rule: Rule = Rule.DATABASE_SOUND) -> list[str]:
    """Return what the doctor tells of a rule, having looked for everything."""
    return [
        finding.message
        for each in doctor.checks().values()
        async for finding in each(Scanner(database))
        if finding.rule == rule
    ]


async def mended(database: Database) -> tuple[int, list[str]]:
    """Repair all that can be; return how much was, and what was in the way of the rest."""
    done, hindrances = 0, []
    for each in doctor.checks().values():
        async for finding in each(Scanner(database)):
            try:
                await doctor.repair(Scanner(database), finding)
                done += finding.repair is not None
            except DatabaseDamaged as damaged:
                hindrances.append(str(damaged))
    return done, hindrances


async def test_what_the_structure_lacks_is_told(database: Database) -> None:
    assert await told(database) == []
    await allow_two_chats(database)
    await execute(
        database,
        "DROP INDEX document_sections_workspace_id_section_id_document_id_idx",
        "DROP INDEX chat_sessions_workspace_id_document_id_idx",
        "CREATE INDEX chat_sessions_workspace_id_document_id_idx ON chat_sessions (document_id)",
        "CREATE INDEX a_strangers_index ON sections (lower(title))",
    )
    assert await told(database) == [
        "The index chat_sessions_workspace_id_document_id_idx of chat_sessions is not on workspace_id, document_id",
        "The unique constraint chat_sessions_section_key of chat_sessions is missing",
        "The index document_sections_workspace_id_section_id_document_id_idx of document_sections is missing",
    ]


async def test_without_a_table_the_rest_is_looked_at_and_repaired(database: Database) -> None:
    await factories.section(database, id="sec_1", chat_session_id="chat_gone")
    await execute(database, "DROP TABLE messages")
    lines = await told(database)
    assert "The table messages is missing" in lines
    assert [line for line in lines if "MESSAGES_NUMBERED could not be checked completely" in line]
    assert await mended(database) == (1, [])
    assert await told(database, Rule.NO_WRONG_CHAT_POINTER) == []


async def test_what_cannot_be_repaired_is_told_with_what_is_in_the_way(database: Database) -> None:
    """Shows: where the messages of two chats cannot be put together, pointers are set right all the same."""
    section = await factories.section(database, id="sec_1")
    await factories.section(database, id="sec_2", chat_session_id="chat_gone")
    await allow_two_chats(database)
    for name in ("chat_1", "chat_2"):
        await factories.chat(database, section, id=name)
    await execute(database, "DROP TABLE messages")
    done, hindrances = await mended(database)
    assert done
    assert [hindrance for hindrance in hindrances if "messages" in hindrance] == hindrances != []
    assert await told(database, Rule.NO_WRONG_CHAT_POINTER) == []
    assert len(await told(database, Rule.ONE_CHAT_PER_SECTION)) == 1


@on_sqlite
async def test_references_to_a_table_without_its_key_are_told(database: Database) -> None:
    await fill(database)
    await by_hand(
        database,
        "PRAGMA legacy_alter_table = ON",
        "CREATE TABLE bare AS SELECT * FROM sections",
        "DROP TABLE sections",
        "ALTER TABLE bare RENAME TO sections",
    )
    lines = await told(database)
    assert "The primary key sections_pkey of sections is missing" in lines
    assert [line for line in lines if "mismatch" in line]


@on_sqlite
async def test_a_text_that_is_none_is_told_and_repaired_where_the_rules_say_what_it_should_be(
    database: Database,
) -> None:
    await fill(database)
    await execute(
        database,
        "UPDATE sections SET chat_session_id = CAST(x'ff' AS TEXT) WHERE id = 'sec_1'",
        "UPDATE document_sections SET position = 'not one'",
    )
    assert await told(database) == [
        "The value in sections.chat_session_id of the row local, sec_1 cannot be read: it is not UTF-8"
    ]
    assert [len(await told(database, rule)) for rule in (Rule.NO_WRONG_CHAT_POINTER, Rule.POSITIONS_DISTINCT)] == [1, 1]
    done, hindrances = await mended(database)
    assert (done > 0, hindrances) == (True, [])
    assert await told(database) == []


@on_sqlite
async def test_a_schema_that_cannot_be_read_is_no_finding(database: Database) -> None:
    await by_hand(
        database,
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_master SET sql = 'CREATE nonsense' WHERE name = 'messages'",
    )
    with pytest.raises(NotReady, match="cannot be read"):
        await check(database)


@on_postgresql
async def test_what_one_may_not_read_or_change_is_told(database: Database, database_url: str) -> None:
    await factories.section(database, chat_session_id="chat_gone")
    tables = "alembic_version, workspaces, sections, chat_sessions, documents, document_sections"
    async with user(database, database_url, f"SELECT ON {tables}") as theirs:
        opened = Database(theirs)
        await check(opened)
        assert [line for line in await told(opened) if "permission denied for table messages" in line]
        assert len(await told(opened, Rule.NO_WRONG_CHAT_POINTER)) == 1
        assert await mended(opened) == (0, ["permission denied for table sections"])
        await opened.close()


@on_postgresql
async def test_only_our_own_tables_are_looked_at_wherever_they_are(database: Database, database_url: str) -> None:
    await execute(
        database,
        "CREATE TABLE strangers (id int)",
        "ALTER TABLE strangers ADD CONSTRAINT theirs CHECK (id > 0) NOT VALID",
        "ALTER TABLE messages DROP CONSTRAINT messages_role_check",
        "ALTER TABLE messages ADD CONSTRAINT messages_role_check CHECK (role <> '') NOT VALID",
        'CREATE SCHEMA "My-App"',
        f'ALTER DATABASE {database.url.database} SET search_path = "My-App", public',
    )
    opened = Database(database_url)
    assert await told(opened) == ["The constraint messages_role_check of messages is not valid"]
    await opened.close()
    await execute(database, 'ALTER TABLE messages SET SCHEMA "My-App"')
    opened = Database(database_url)
    assert await told(opened) == ["The constraint messages_role_check of messages is not valid"]
    await opened.close()


async def test_numbers_that_are_none_or_are_too_low_become_right(database: Database) -> None:
    chat = await factories.chat(database, await factories.section(database), last_seq=4)
    await say(database, chat, "a", "b", "c", "d")
    await unconstrain(database)
    lowest = -(2**31) if database.dialect == "postgresql" else -(2**63)
    await execute(
        database,
        "UPDATE messages SET seq = NULL WHERE content = 'a'",
        f"UPDATE messages SET seq = {lowest} WHERE content = 'd'",  # noqa: S608 - our own number
    )
    done, hindrances = await mended(database)
    assert (done > 0, hindrances) == (True, [])
    assert await told(database, Rule.MESSAGES_NUMBERED) == []
    async with database.read() as session:
        rows = await session.execute(select(Message.seq, Message.content).order_by(Message.seq))
        numbers = {content: seq for seq, content in rows}
        assert numbers["d"] < numbers["b"] < numbers["c"]
        assert await session.scalar(select(func.count(Message.id))) == 4


@pytest.mark.parametrize("table", ["messages", "document_sections"])
async def test_rows_that_only_a_person_can_tell_apart_are_left_alone(database: Database, table: str) -> None:
    await fill(database)
    await unconstrain(database)
    await execute(database, f"INSERT INTO {table} SELECT * FROM {table}")  # noqa: S608 - our own names
    done, hindrances = await mended(database)
    assert (done, set(hindrances)) == (0, {"two rows have the same key, which a person has to tell apart"})
    async with database.read() as session:
        assert await session.scalar(text(f"SELECT count(*) FROM {table}")) == 2  # noqa: S608
        assert await session.scalar(select(func.count(ChatSession.id))) == 1
        assert await session.scalar(select(Section.chat_session_id).where(Section.id == "sec_1")) == "chat_1"
