"""The Alembic environment. `db.migrations.upgrade` opens the connection and owns its transaction."""

from alembic import context

from db.models import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
context.run_migrations()
