"""Encoding: the check that a database can store every Unicode text."""

from sqlalchemy import text

from db.connection.database import Database

UTF_8 = "UTF8"


async def unfit(database: Database) -> str | None:
    """Return why a database cannot store every text, and the remedy, in one line. None: it can.

    SQLite stores every text, whatever its encoding. Raises `DatabaseUnavailable`.
    """
    if database.dialect == "sqlite":
        return None
    async with database.read() as session:
        asked = text("SELECT current_setting('server_encoding'), current_setting('client_encoding')")
        server, client = (await session.execute(asked)).one()
    if server != UTF_8:
        return (
            f"The encoding of the database is {server}, which cannot store every text. Create one in UTF-8: "
            "createdb --encoding=UTF8 --locale=C --template=template0 NAME"
        )
    if client != UTF_8:
        return f"The client encoding of the connection is {client}. A connection pooler must let clients set UTF-8."
    return None
