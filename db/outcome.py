"""The outcome: the result of a use case that fails in an expected way."""


class Outcome:
    """An expected failure, as a value. A transaction whose work returns one is rolled back."""
