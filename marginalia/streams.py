"""Streams: many answers to one request, as server-sent events or as the parts of a multipart body."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any, Protocol

from starlette.types import Receive, Send

from marginalia import media
from marginalia.calls import encode
from marginalia.running import Answer

HEARTBEAT = 12.0
"""After how many seconds of silence a stream says that it is still there, lest something between takes it for dead."""


class Framing(Protocol):
    """How the answers of a stream are told apart."""

    content_type: str
    beginning: bytes
    heartbeat: bytes
    end: bytes

    def answer(self, body: Mapping[str, Any]) -> bytes:
        """Frame an answer."""


class Events:
    """Server-sent events, in the distinct connections mode of graphql-sse; lines end with LF."""

    content_type = f"{media.EVENTS}; charset=utf-8"
    beginning = b":\n\n"
    heartbeat = b":\n\n"
    end = b"event: complete\ndata:\n\n"

    def answer(self, body: Mapping[str, Any]) -> bytes:
        """Frame an answer as an event."""
        return f"event: next\ndata: {encode(body)}\n\n".encode()


class Parts:
    """Apollo's protocol for subscriptions over a multipart body."""

    content_type = f'{media.MULTIPART};boundary="graphql";subscriptionSpec=1.0'
    beginning = b"--graphql"
    heartbeat = b"\r\nContent-Type: application/json\r\n\r\n{}\r\n--graphql"
    end = b"--\r\n"

    def answer(self, body: Mapping[str, Any]) -> bytes:
        """Frame an answer as a part, and open the next one: only then clients see that this one is whole."""
        payload = encode({"payload": body})
        return f"\r\nContent-Type: application/json\r\n\r\n{payload}\r\n--graphql".encode()


FRAMINGS: Mapping[str, Framing] = {media.EVENTS: Events(), media.MULTIPART: Parts()}

Answers = Callable[[], AbstractAsyncContextManager[AsyncIterator[Answer]]]
"""Begins what is to be streamed; leaving the block ends it."""


def one(answer: Answer) -> Answers:
    """Return a stream of one answer that is there already."""

    @asynccontextmanager
    async def answers() -> AsyncIterator[AsyncIterator[Answer]]:
        yield _once(answer)

    return answers


async def stream(form: str, answers: Answers, headers: Mapping[str, str], receive: Receive, send: Send) -> None:
    """Send a stream of answers to its end, or until the client has gone."""
    framing = FRAMINGS[form]
    live = asyncio.Event()
    sending = asyncio.create_task(_send_all(framing, answers, headers, send, live))
    leaving = asyncio.create_task(_until_gone(receive))
    try:
        while not await _over(sending, leaving):
            if live.is_set():
                await send({"type": "http.response.body", "body": framing.heartbeat, "more_body": True})
    finally:
        for task in (sending, leaving):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.wait([task])
    if not sending.cancelled():
        sending.result()


async def _once(answer: Answer) -> AsyncIterator[Answer]:
    yield answer


async def _over(*tasks: asyncio.Task[None]) -> bool:
    done, _ = await asyncio.wait(tasks, timeout=HEARTBEAT, return_when=asyncio.FIRST_COMPLETED)
    return bool(done)


async def _send_all(
    framing: Framing, answers: Answers, headers: Mapping[str, str], send: Send, live: asyncio.Event
) -> None:
    # One task from beginning to end: what the answers set up in it, it takes down again.
    async with answers() as stream:
        fields = {"Content-Type": framing.content_type, "Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        raw = [(name.lower().encode(), value.encode()) for name, value in {**headers, **fields}.items()]
        await send({"type": "http.response.start", "status": 200, "headers": raw})
        await send({"type": "http.response.body", "body": framing.beginning, "more_body": True})
        live.set()
        async for answer in stream:
            await send({"type": "http.response.body", "body": framing.answer(answer.body), "more_body": True})
    live.clear()
    await send({"type": "http.response.body", "body": framing.end})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
