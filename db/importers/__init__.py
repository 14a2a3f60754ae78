"""Importers: database access for rows from other systems."""
