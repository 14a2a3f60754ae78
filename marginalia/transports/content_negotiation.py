"""Content negotiation: the media type of a response."""

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
    """The media types that a client accepts."""

    single: str | None
    """The media type of a single response. None: the client accepts none of ours."""
    stream: str | None
    """The media type of a stream of responses. None: the client accepts none of ours."""
    prefers_stream: bool = False
    """Whether the client wants a stream even for a single response."""
    prefers_page: bool = False
    """Whether the client prefers HTML, as a browser does when a person opens the address."""


@dataclass(frozen=True)
class _Wish:
    kind: str
    parameters: Sequence[str]
    weight: float


@lru_cache(maxsize=100)
def negotiate(accept: str | None) -> Accepted:
    """Read an `Accept` header.

    A client without a preference gets `application/json`, or server-sent events. Of two equally weighted types it gets
    the one with the more specific status codes. Parameters other than `q` and `subscriptionSpec` are ignored, and so
    are parts that are not a media type.
    """
    wishes = list(_wishes(accept)) if accept and accept.strip() else [_Wish("*/*", (), 1.0)]
    single, much = _best(
        (GRAPHQL, _weight(wishes, GRAPHQL, "application/*", "*/*") - _unnamed(wishes, GRAPHQL)),
        (JSON, _weight(wishes, JSON, "application/*", "*/*")),
    )
    stream, more = _best(
        (EVENTS, _weight(wishes, EVENTS, "text/*", "*/*")),
        # Plain multipart/mixed means the protocol of @defer. This protocol must be requested explicitly.
        (MULTIPART, _weight([wish for wish in wishes if _is_of_subscriptions(wish)], MULTIPART)),
    )
    named = any(wish.kind == stream for wish in wishes)
    page = _weight(wishes, PAGE)
    return Accepted(single, stream, prefers_stream=named and more > much, prefers_page=page > max(much, more))


def _best(*weighed: tuple[str, float]) -> tuple[str | None, float]:
    form, weight = max(weighed, key=lambda each: each[1])
    return (form, weight) if weight > 0 else (None, 0.0)


def _weight(wishes: Sequence[_Wish], *kinds: str) -> float:
    # The more specific range wins, whatever its weight.
    for kind in kinds:
        if found := [wish.weight for wish in wishes if wish.kind == kind]:
            return max(found)
    return 0.0


def _unnamed(wishes: Sequence[_Wish], form: str) -> float:
    # A wildcard does not request the newer media type.
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
