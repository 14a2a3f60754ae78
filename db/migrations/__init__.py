"""Migrations: the schema of the database, one step at a time."""
