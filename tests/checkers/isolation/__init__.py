"""Isolation: many principals of two workspaces in one process, none of whom is told what is another's."""
