"""How thorough the tests are: what a run of the suite has time for, or all that RELIABILITY.md asks for."""

import os


def thorough() -> bool:
    """Tell whether everything is to be tried, however long it takes: `MARGINALIA_TEST_THOROUGH=1`."""
    return os.environ.get("MARGINALIA_TEST_THOROUGH", "") not in ("", "0")


def seconds(default: float) -> float:
    """Return for how long something is to be tried: `MARGINALIA_TEST_SECONDS`, or what the suite has time for."""
    return float(os.environ.get("MARGINALIA_TEST_SECONDS", default))
