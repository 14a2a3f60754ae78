"""The outcome: what a use case answers when it expectedly cannot do what was asked."""


class Outcome:
    """An expected "no", as a value. A transaction whose work returns one commits nothing."""
