"""Importers: rows that come from elsewhere."""
