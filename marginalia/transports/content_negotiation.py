"""Media types: which form of answer a client accepts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

JSON = "application/json"
GRAPHQL = "application/graphql-response+json"
EVENTS = "text/event-stream"
MULTIPART = "multipart/mixed"
PAGE = "text/html"


@dataclass(frozen=True)
class Accepted:
    """What a client accepts."""

    single: str | None
    """The form of one answer; None: it takes none of ours."""
    stream: str | None
    """The form of a stream of answers; None: it takes none of ours."""
    prefers_stream: bool = False
    """Whether it wants a stream even where there is one answer only."""
    prefers_page: bool = False
    """Whether it likes a page better than any answer, as browsers do where a person types an address."""


@dataclass(frozen=True)
class _Wish:
    kind: str
    parameters: Sequence[str]
    weight: float


@lru_cache(maxsize=100)
def negotiate(accept: str | None) -> Accepted:
    """Read an `Accept` header.

    A client that does not care gets `application/json`, or server-sent events. Of two forms that it likes as much it
    gets the one that tells more by its status code. Parameters but `q` and `subscriptionSpec` are passed over, as are
    parts that are not a media type.
    """
    wishes = list(_wishes(accept)) if accept and accept.strip() else [_Wish("*/*", (), 1.0)]
    single, much = _best(
        (GRAPHQL, _weight(wishes, GRAPHQL, "application/*", "*/*") - _unnamed(wishes, GRAPHQL)),
        (JSON, _weight(wishes, JSON, "application/*", "*/*")),
    )
    stream, more = _best(
        (EVENTS, _weight(wishes, EVENTS, "text/*", "*/*")),
        # Plain multipart/mixed means another protocol, that of @defer: this one must be asked for.
        (MULTIPART, _weight([wish for wish in wishes if _is_of_subscriptions(wish)], MULTIPART)),
    )
    named = any(wish.kind == stream for wish in wishes)
    page = _weight(wishes, PAGE)
    return Accepted(single, stream, prefers_stream=named and more > much, prefers_page=page > max(much, more))


def _best(*weighed: tuple[str, float]) -> tuple[str | None, float]:
    form, weight = max(weighed, key=lambda each: each[1])
    return (form, weight) if weight > 0 else (None, 0.0)


def _weight(wishes: Sequence[_Wish], *kinds: str) -> float:
    # The more exact a wish, the more it counts, whatever its weight.
    for kind in kinds:
        if found := [wish.weight for wish in wishes if wish.kind == kind]:
            return max(found)
    return 0.0


def _unnamed(wishes: Sequence[_Wish], form: str) -> float:
    # "Anything" is no wish for the newer form.
    return 0.0 if any(wish.kind == form for wish in wishes) else 0.0001


def _is_of_subscriptions(wish: _Wish) -> bool:
    return any(parameter.replace('"', "").startswith("subscriptionspec=1") for parameter in wish.parameters)


def _wishes(accept: str) -> Iterator[_Wish]:
    for part in accept.split(","):
        kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = next((given[2:] for given in parameters if given.startswith("q=")), "1")
        try:
            number = float(weight)
        except ValueError:
            number = 0.0
        if kind:
            yield _Wish(kind, parameters, min(max(number, 0.0), 1.0) if number == number else 0.0)
