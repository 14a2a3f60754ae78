"""Races: two or more callers who meet at one section."""
