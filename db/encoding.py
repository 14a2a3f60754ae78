"""Encoding: how a database keeps its texts, and whether every text of ours can be among them."""

from sqlalchemy import text

from db.connection.database import Database

UTF_8 = "UTF8"


async def unfit(database: Database) -> str | None:
    """Return a line that says why a database cannot keep every text, and what to do; None: it can.

    SQLite keeps every text, whatever its encoding. Raises `Unavailable`.
    """
    if database.dialect == "sqlite":
        return None
    async with database.read() as session:
        asked = text("SELECT current_setting('server_encoding'), current_setting('client_encoding')")
        server, client = (await session.execute(asked)).one()
    if server != UTF_8:
        return (
            f"The database keeps its texts in {server}, which cannot keep every text. Make one in UTF-8: "
            "createdb --encoding=UTF8 --locale=C --template=template0 NAME"
        )
    if client != UTF_8:
        return f"Texts are sent to the database in {client}; whatever stands between has to let us say UTF-8."
    return None
