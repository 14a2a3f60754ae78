"""Rates: how much one user may ask for, and keep open at a time."""
