"""Mutants: the checkers fail where a safeguard is taken out."""
