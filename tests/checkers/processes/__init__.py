"""Processes: several server processes on one database."""
