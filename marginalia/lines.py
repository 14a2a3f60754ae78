"""Lines: what may be printed where a terminal reads along."""


def printable(line: str) -> str:
    """Return a line with all that is no plain character spelled out.

    Ids that came from elsewhere hold what they like, and a terminal does what it is told.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
