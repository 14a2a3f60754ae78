"""Health: what a supervisor is told while all is well, and while it is not."""

import httpx

from db.database import Database
from tests.edge.conftest import Log
from tests.edge.outages import execute, gone
from tests.support.client import Served


async def readiness(client: Served) -> httpx.Response:
    """Ask whether the server is ready; that it lives is true at any time."""
    assert (await client.http.get("/livez")).status_code == 200
    return await client.http.get("/readyz")


async def test_a_server_that_is_ready_says_on_what(client: Served) -> None:
    response = await readiness(client)

    assert response.status_code == 200
    version = await client.database.version()
    state = {"engine": client.database.dialect, "version": version, "schema": "0002"}
    assert response.json() == {"ready": True, "database": state}


async def test_without_its_schema_a_server_is_not_ready(client: Served, database: Database) -> None:
    await execute(database, "ALTER TABLE alembic_version RENAME TO hidden")

    response = await readiness(client)

    assert response.status_code == 503
    assert response.json()["ready"] is False
    assert response.json()["database"]["schema"] is None

    await execute(database, "ALTER TABLE hidden RENAME TO alembic_version")
    assert (await readiness(client)).status_code == 200


async def test_with_a_newer_schema_a_server_is_not_ready(client: Served, database: Database) -> None:
    await execute(database, "UPDATE alembic_version SET version_num = '9999'")

    response = await readiness(client)

    assert response.status_code == 503
    assert response.json()["database"]["schema"] == "9999"


async def test_without_its_database_a_server_is_not_ready_until_it_is_back(
    client: Served, postgres_server: str, log: Log
) -> None:
    async with gone(client.database, postgres_server):
        response = await readiness(client)

    assert response.status_code == 503
    assert response.json() == {"ready": False, "reason": "The database cannot be reached."}
    assert (await readiness(client)).status_code == 200
    assert log.complaints() == []


async def test_with_a_database_that_makes_no_sense_a_server_is_not_ready_and_logs_why(
    client: Served, database: Database, log: Log
) -> None:
    await execute(database, "ALTER TABLE alembic_version RENAME COLUMN version_num TO hidden")

    response = await readiness(client)

    assert response.status_code == 503
    assert "hidden" not in response.text
    assert "version_num" not in response.text
    (complaint,) = log.complaints()
    assert (complaint["event"], complaint["level"]) == ("not ready", "error")
    assert "version_num" in str(complaint["exception"])

    await execute(database, "ALTER TABLE alembic_version RENAME COLUMN hidden TO version_num")
    assert (await readiness(client)).status_code == 200
