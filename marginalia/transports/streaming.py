"""Streaming: many responses to one request, as server-sent events or as a multipart body."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any, Protocol

from starlette.types import Receive, Send

from marginalia.transports import content_negotiation
from marginalia.transports.request import encode
from marginalia.transports.runner import GraphQLResponse

HEARTBEAT_INTERVAL_S = 12.0
"""How long a stream is silent before it sends a heartbeat, so that intermediaries keep the connection open."""


class Framing(Protocol):
    """The framing of the responses in a stream."""

    content_type: str
    beginning: bytes
    heartbeat: bytes
    end: bytes

    def answer(self, body: Mapping[str, Any]) -> bytes:
        """Frame a response."""


class Events:
    """Server-sent events, in the distinct connections mode of graphql-sse; lines end with LF."""

    content_type = f"{content_negotiation.EVENTS}; charset=utf-8"
    beginning = b":\n\n"
    heartbeat = b":\n\n"
    end = b"event: complete\ndata:\n\n"

    def answer(self, body: Mapping[str, Any]) -> bytes:
        """Frame a response as an event."""
        return b"event: next\ndata: " + encode(body) + b"\n\n"


class Parts:
    """Apollo's multipart protocol for subscriptions."""

    content_type = f'{content_negotiation.MULTIPART};boundary="graphql";subscriptionSpec=1.0'
    beginning = b"--graphql"
    heartbeat = b"\r\nContent-Type: application/json\r\n\r\n{}\r\n--graphql"
    end = b"--\r\n"

    def answer(self, body: Mapping[str, Any]) -> bytes:
        """Frame a response as a part, and open the next part: only then does a client see that this one is complete."""
        payload = encode({"payload": body})
        return b"\r\nContent-Type: application/json\r\n\r\n" + payload + b"\r\n--graphql"


FRAMINGS: Mapping[str, Framing] = {content_negotiation.EVENTS: Events(), content_negotiation.MULTIPART: Parts()}

Answers = Callable[[], AbstractAsyncContextManager[AsyncIterator[GraphQLResponse]]]
"""Starts the responses to stream. Leaving the block ends them."""


def one(answer: GraphQLResponse) -> Answers:
    """Return a stream of one finished response."""

    @asynccontextmanager
    async def answers() -> AsyncIterator[AsyncIterator[GraphQLResponse]]:
        yield _once(answer)

    return answers


async def stream(form: str, answers: Answers, headers: Mapping[str, str], receive: Receive, send: Send) -> None:
    """Send a stream of responses to its end, or until the client disconnects.

    Raises what starting the responses raises; nothing is sent then.
    """
    framing = FRAMINGS[form]
    outlet = _Outlet(send)
    sending = asyncio.create_task(_send_all(framing, answers, headers, outlet))
    leaving = asyncio.create_task(_until_gone(receive))
    try:
        while not await _over(sending, leaving):
            await outlet.write(framing.heartbeat)
    finally:
        for task in (sending, leaving):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.wait([task])
    if not sending.cancelled():
        sending.result()


class _Outlet:
    """The output of a stream. Responses and heartbeats take turns; it is open from `begin` to the last piece."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._turn = asyncio.Lock()
        self._open = False

    async def begin(self, headers: Mapping[str, str], beginning: bytes) -> None:
        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        async with self._turn:
            await self._send({"type": "http.response.start", "status": 200, "headers": raw})
            await self._send({"type": "http.response.body", "body": beginning, "more_body": True})
            self._open = True

    async def write(self, piece: bytes, *, last: bool = False) -> None:
        async with self._turn:
            if self._open:
                self._open = not last
                await self._send({"type": "http.response.body", "body": piece, "more_body": not last})


async def _once(answer: GraphQLResponse) -> AsyncIterator[GraphQLResponse]:
    yield answer


async def _over(*tasks: asyncio.Task[None]) -> bool:
    done, _ = await asyncio.wait(tasks, timeout=HEARTBEAT_INTERVAL_S, return_when=asyncio.FIRST_COMPLETED)
    return bool(done)


async def _send_all(framing: Framing, answers: Answers, headers: Mapping[str, str], outlet: _Outlet) -> None:
    # One task from beginning to end: it must tear down the context that it has set up.
    async with answers() as stream:
        fields = {"Content-Type": framing.content_type, "Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        await outlet.begin({**headers, **fields}, framing.beginning)
        async for answer in stream:
            await outlet.write(framing.answer(answer.body))
    await outlet.write(framing.end, last=True)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
