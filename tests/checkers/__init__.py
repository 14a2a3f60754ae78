"""Checkers: what users would lose sleep over, proved on real databases and processes."""
