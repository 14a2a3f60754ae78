"""Connections: where the database is, how it is spoken to, and what can go wrong."""
