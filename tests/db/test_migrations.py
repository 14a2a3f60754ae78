"""Migrations: they make what the models say, whoever runs them and however often."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, select, text

from db.connection.database import Database
from db.doctor import schema_check
from db.doctor.schema_check import Parts
from db.migrations import upgrade
from db.migrations.upgrade import Revisions, UpgradeFailed
from db.models import Base, Section
from tests.edge.outages import execute

MIGRATIONS = Path(upgrade.__file__).parent
VERSION_TABLE = "alembic_version"


def config(connection: Connection) -> Config:
    found = Config()
    found.set_main_option("script_location", str(MIGRATIONS))
    found.attributes["connection"] = connection
    return found


def tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names())


def names(connection: Connection) -> Mapping[str, Parts]:
    """Return the constraints and indexes of each of our tables, with their columns."""
    return schema_check.parts(connection, tables(connection) - {VERSION_TABLE})


def differences(connection: Connection) -> list[object]:
    """Return what Alembic would have to do to bring the database to what the models say."""
    options = {"compare_type": True, "compare_server_default": True}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata))


async def test_the_models_and_the_migrations_agree(empty: Database) -> None:
    await upgrade.upgrade(empty)
    assert await empty.run(differences) == []


async def test_a_migrated_database_has_the_names_that_the_models_give(empty: Database) -> None:
    await upgrade.upgrade(empty)
    migrated = await empty.run(names)
    await empty.run(lambda connection: command.downgrade(config(connection), "base"))
    await empty.run(lambda connection: Base.metadata.create_all(connection))
    made = await empty.run(names)
    assert set(migrated) == set(Base.metadata.tables)
    assert migrated == made
    needed = schema_check.needed()
    for table, of_table in made.items():
        # An index that PostgreSQL makes for a constraint has the name of the constraint.
        assert {name for _, name in of_table} == {name for _, name in needed[table]}
        assert {part: columns for part, columns in of_table.items() if part in needed[table]} == needed[table]


async def test_all_constraint_names_follow_the_convention(empty: Database) -> None:
    await upgrade.upgrade(empty)
    endings = {
        "primary key": "_pkey",
        "foreign key": "_fkey",
        "unique constraint": "_key",
        "check constraint": "_check",
        "index": "_idx",
    }
    for table, of_table in (await empty.run(names)).items():
        for kind, name in of_table:
            assert name is not None
            # An index that PostgreSQL makes for a constraint has the name of the constraint.
            assert name.startswith(f"{table}_")
            assert name.endswith((endings[kind], "_key") if kind == "index" else endings[kind])


async def test_an_upgrade_undone_leaves_nothing(empty: Database) -> None:
    await upgrade.upgrade(empty)
    await empty.run(lambda connection: command.downgrade(config(connection), "base"))
    assert await empty.run(tables) <= {VERSION_TABLE}
    assert (await upgrade.read(empty)).present is None
    await upgrade.upgrade(empty)
    assert (await upgrade.read(empty)).is_current


async def test_an_upgrade_says_what_there_was_before(empty: Database) -> None:
    needed = (await upgrade.read(empty)).needed
    assert await upgrade.upgrade(empty) == Revisions(None, needed)
    assert await upgrade.upgrade(empty) == Revisions(needed, needed)
    assert (await upgrade.read(empty)).is_current


async def test_a_schema_of_a_newer_version_is_served_if_it_says_so(empty: Database) -> None:
    await upgrade.upgrade(empty)
    needed, oldest = upgrade.needed(), "0001"
    assert (await upgrade.read(empty)).known
    for schema, compatible_from, is_compatible in (
        (needed, None, True),
        ("9999", needed, True),
        ("9999", oldest, True),
        ("9999", "9998", False),
        ("9999", None, False),  # of a version that notes nothing
        (oldest, oldest, False),  # older than this code needs
        (None, None, False),
    ):
        assert Revisions(schema, needed, compatible_from).is_compatible is is_compatible


async def test_what_can_serve_a_schema_is_noted_beside_it(empty: Database) -> None:
    await upgrade.upgrade(empty)
    # As migrations left it that noted nothing, and then as a version after ours has left it.
    await execute(empty, "ALTER TABLE alembic_version DROP COLUMN compatible_from")
    await execute(empty, "UPDATE alembic_version SET version_num = '9999'")
    assert not (await upgrade.read(empty)).is_compatible
    await execute(empty, f"UPDATE alembic_version SET version_num = '{upgrade.needed()}'")  # noqa: S608 - our own
    await upgrade.upgrade(empty)
    await execute(empty, "UPDATE alembic_version SET version_num = '9999'")
    assert await upgrade.read(empty) == Revisions("9999", upgrade.needed(), "0007")
    assert await upgrade.upgrade(empty) == Revisions("9999", upgrade.needed(), "0007")


def test_every_migration_says_which_code_can_serve_what_it_makes() -> None:
    seen = []
    for script in reversed(list(ScriptDirectory(MIGRATIONS).walk_revisions())):
        seen.append(script.revision)
        assert script.module.compatible_from in seen, script.path


@pytest.mark.parametrize("empty_url", ["postgresql"], indirect=True)
async def test_a_migration_gives_up_on_a_lock_that_is_held_for_too_long(empty: Database) -> None:
    await empty.run(lambda connection: command.upgrade(config(connection), "0001"))
    async with empty.begin() as session:
        await session.execute(text("LOCK TABLE chat_sessions IN ROW EXCLUSIVE MODE"))
        with pytest.raises(UpgradeFailed, match="Another session holds a lock for too long"):
            await upgrade.upgrade(empty, lock_retry_timeout=0)
    assert (await upgrade.read(empty)).present == "0001"
    await upgrade.upgrade(empty)
    assert (await upgrade.read(empty)).is_current


async def test_upgrades_at_once_of_a_fresh_database_all_succeed(empty_url: str) -> None:
    databases = [Database(empty_url) for _ in range(4)]
    await asyncio.gather(*(upgrade.upgrade(database) for database in databases))
    for database in databases:
        assert (await upgrade.read(database)).is_current
        await database.close()


async def test_an_upgrade_that_fails_leaves_nothing(empty: Database) -> None:
    def upgrade_and_fail(connection: Connection) -> None:
        command.upgrade(config(connection), "head")
        assert tables(connection) > {VERSION_TABLE}
        raise LookupError("half way")

    with pytest.raises(LookupError):
        await empty.run(upgrade_and_fail)
    assert await empty.run(tables) == set()


async def test_link_definitions_of_earlier_imports_move_to_their_column(empty: Database) -> None:
    await upgrade.upgrade(empty)
    await empty.run(lambda connection: command.downgrade(config(connection), "0004"))
    await execute(
        empty,
        "INSERT INTO workspaces (workspace_id) VALUES ('local')",
        """
        INSERT INTO sections (workspace_id, id, created_by, metadata)
        VALUES ('local', 'sec_1', 'ann', '{"linkDefinitions": {"a": ["/a", ""]}, "color": "red"}')
        """,
    )
    await upgrade.upgrade(empty)
    async with empty.read() as session:
        (section,) = (await session.scalars(select(Section))).all()
    assert section.link_definitions == {"a": ["/a", ""]}
    assert section.details == {"color": "red"}
