"""Media types: which form of answer a client accepts, and what each form says of a request that failed."""

from collections.abc import Iterator

JSON = "application/json"
GRAPHQL = "application/graphql-response+json"


def negotiate(accept: str | None) -> str | None:
    """Return the form that a client prefers by its `Accept` header; None: it accepts none of ours.

    A client that does not care gets `application/json`. Of two that it likes as much it gets the one that tells more
    by its status code. Parameters but `q` are passed over, as are parts that are not a media type.
    """
    if not (accept or "").strip():
        return JSON
    wishes = dict(_wishes(accept or ""))
    weights = {form: _weight(form, wishes) for form in (GRAPHQL, JSON)}
    if wishes.get(GRAPHQL) is None:
        weights[GRAPHQL] -= 0.0001  # "anything" is no wish for the newer form
    best = max(weights, key=lambda form: weights[form])
    return best if weights[best] > 0 else None


def _weight(form: str, wishes: dict[str, float]) -> float:
    # The more exact a wish, the more it counts, whatever its weight.
    for wish in (form, "application/*", "*/*"):
        if wish in wishes:
            return wishes[wish]
    return 0.0


def _wishes(accept: str) -> Iterator[tuple[str, float]]:
    for part in accept.split(","):
        kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = next((given[2:] for given in parameters if given.startswith("q=")), "1")
        try:
            yield kind, min(max(float(weight), 0.0), 1.0)
        except ValueError:
            yield kind, 0.0
