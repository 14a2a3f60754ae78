"""WebSockets: operations over the graphql-transport-ws protocol."""

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any

import structlog
from graphql import GraphQLError
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketDisconnected
from websockets.frames import CloseCode

from db.connection.errors import DatabaseUnavailable
from engine import errors
from engine.request import GraphQLRequest
from marginalia.authentication import credentials
from marginalia.authentication.authentication import Authentication
from marginalia.authentication.session import AuthenticationUnavailable, Session, SessionEnded, Unauthenticated
from marginalia.authentication.watch import SessionWatch
from marginalia.rates.rate_limited import RateLimited
from marginalia.transports import request
from marginalia.transports.forwarded import client_address
from marginalia.transports.http import explanation, request_id
from marginalia.transports.interruption import Interruption
from marginalia.transports.origins import AllowedOrigins, OriginRefusals
from marginalia.transports.runner import GraphQLResponse, Runner
from marginalia.transports.uploads import LARGEST_UPLOAD

PROTOCOL = "graphql-transport-ws"

END_GRACE_S = 1.0
"""How long the operations of a socket may take to end after its session has."""

LONGEST_ID = 1_000
"""The maximum length of an operation id: the server stores it, and repeats it in every message."""

_NOTHING: Mapping[str, str] = {}

GONE = (WebSocketDisconnect, WebSocketDisconnected)
"""The errors of a send or receive after the client has gone or the socket was closed."""

_log = structlog.stdlib.get_logger("marginalia.graphql")


@dataclass(frozen=True)
class SocketLimits:
    """The limits of one socket."""

    operations: int = 100
    """The maximum number of concurrent operations."""
    message_bytes: int = LARGEST_UPLOAD
    init_seconds: float = 10.0
    """The timeout for the connection_init message."""


class ProtocolError(Exception):
    """The client violated the protocol. The socket is closed with the protocol's code for it."""

    def __init__(self, code: int, reason: str, explanation: Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason
        self.explanation = explanation or {}
        """More fields for the log line, which the client does not see."""


class SocketView:
    """The GraphQL endpoint over WebSockets."""

    def __init__(
        self,
        runner: Runner,
        authentication: Authentication,
        watch: SessionWatch,
        limits: SocketLimits,
        allowed: AllowedOrigins,
        refusals: OriginRefusals,
    ) -> None:
        self._runner = runner
        self._authentication = authentication
        self._watch = watch
        self._limits = limits
        self._allowed = allowed
        self._refusals = refusals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one socket to its end."""
        websocket = WebSocket(scope, receive, send)
        headers = websocket.headers
        if not self._allowed.allows_socket(headers.get("origin"), headers.get("host")):
            text = self._refusals.explain("socket refused", headers["origin"])
            await PlainTextResponse(text, 403)(scope, receive, send)
            return
        offered = PROTOCOL in scope["subprotocols"]
        await websocket.accept(PROTOCOL if offered else None)
        if not offered:
            await websocket.close(4406, "Subprotocol not acceptable")
            return
        name = request_id(websocket.headers)
        with structlog.contextvars.bound_contextvars(request_id=name, client=client_address(scope)):
            await _Socket(websocket, self._runner, self._authentication, self._watch, self._limits).serve()


class _Socket:
    """One client's socket, and its operations."""

    def __init__(
        self,
        websocket: WebSocket,
        runner: Runner,
        authentication: Authentication,
        watch: SessionWatch,
        limits: SocketLimits,
    ) -> None:
        self._websocket = websocket
        self._runner = runner
        self._authentication = authentication
        self._watch = watch
        self._limits = limits
        self._session: Session | None = None
        self._interruption = Interruption()
        self._held = ExitStack()
        """The watch of its session, and its place among the sockets of its user."""
        self._operations: dict[str, asyncio.Task[None]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        """Operations whose id is free again, while they still send their last message or stop."""

    async def serve(self) -> None:
        """Process messages until the client goes or violates the protocol, then end its operations."""
        try:
            async with asyncio.timeout(self._limits.init_seconds):
                while self._session is None:
                    await self._take(await self._message())
            while True:
                await self._take(await self._interruption.wait(self._message))
        except TimeoutError:
            await self._close(4408, "Connection initialisation timeout")
        except ProtocolError as closed:
            await self._close(closed.code, closed.reason, closed.explanation)
        except SessionEnded as ended:
            # The subscriptions end by themselves, each with an error that says why.
            if tasks := [*self._operations.values(), *self._ending]:
                await asyncio.wait(tasks, timeout=END_GRACE_S)
            await self._close(4403, "Forbidden", {"reason": ended.code})
        except GONE:
            pass
        finally:
            with self._held:
                await self._end_operations()

    async def _message(self) -> dict[str, Any]:
        received = await self._websocket.receive()
        if received["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(received.get("code", 1005))
        text = received.get("text")
        if text is None:
            raise ProtocolError(4400, "A message must be text")
        if len(text) > self._limits.message_bytes:
            raise ProtocolError(1009, "A message is too big")
        try:
            message = request.decode(text)
        except request.InvalidJSON:
            raise ProtocolError(4400, "A message must be JSON") from None
        if not isinstance(message, dict):
            raise ProtocolError(4400, "A message must be an object")
        return message

    async def _take(self, message: dict[str, Any]) -> None:
        match message:
            case {"type": "connection_init" | "ping" | "pong" as kind, "payload": payload} if not _is_object(payload):
                raise ProtocolError(4400, f"The payload of {kind} must be an object")
            case {"type": "connection_init"}:
                await self._init(message.get("payload"))
            case {"type": "ping"}:
                await self._send({"type": "pong"})
            case {"type": "pong"}:
                pass
            case {"type": "subscribe", "id": str(name), "payload": payload} if name:
                await self._subscribe(name, payload)
            case {"type": "complete", "id": str(name)}:
                if operation := self._free(name):
                    operation.cancel()
            case _:
                raise ProtocolError(4400, "A message is not one of the protocol")

    async def _init(self, payload: dict[str, Any] | None) -> None:
        if self._session is not None:
            raise ProtocolError(4429, "Too many initialisation requests")
        try:
            given = credentials.from_payload(payload, self._websocket.headers)
            session = await self._authentication.authenticate(given)
            self._held.enter_context(self._runner.socket(session))
        except Unauthenticated as error:
            raise ProtocolError(4403, "Forbidden", explanation(error)) from None
        except (AuthenticationUnavailable, DatabaseUnavailable) as error:
            raise ProtocolError(1013, "Temporarily unavailable, please retry", {"reason": str(error)}) from None
        except RateLimited as limited:
            # A code after which clients connect again.
            raise ProtocolError(CloseCode.TRY_AGAIN_LATER, str(limited)) from None
        self._session = session
        self._held.enter_context(self._watch.watching(session, self._interruption.interrupt))
        await self._send({"type": "connection_ack"})

    async def _subscribe(self, name: str, payload: object) -> None:
        if self._session is None:
            raise ProtocolError(4401, "Unauthorized")
        if len(name) > LONGEST_ID:
            raise ProtocolError(4400, f"An id has more than {LONGEST_ID:,} characters")
        if name in self._operations:
            raise ProtocolError(4409, f"Subscriber for {name[:50]} already exists")
        try:
            call = request.read(payload)
        except request.MalformedRequest as error:
            raise ProtocolError(4400, str(error)) from None
        most = self._limits.operations
        # Backpressure: no message is read until there is room, and until the refusal is sent.
        while self._ending and len(self._operations) + len(self._ending) >= most:
            await asyncio.wait(self._ending, return_when=asyncio.FIRST_COMPLETED)
        if len(self._operations) >= most:
            refusal = _error("TOO_MANY_OPERATIONS", f"There are {most:,} operations on this socket already")
            await self._send({"type": "error", "id": name, "payload": [refusal]})
        else:
            self._operations[name] = asyncio.create_task(self._operate(name, call, self._session))

    async def _operate(self, name: str, call: GraphQLRequest, session: Session) -> None:
        try:
            await self._answer(name, call, session)
        except RateLimited as limited:
            with suppress(*GONE):
                await self._last(name, {"type": "error", "payload": [limited.error]})
        except GONE:
            pass
        except Exception as fault:  # the last place where the client can get an error
            error = errors.mask(GraphQLError("The operation failed"), fault)
            with suppress(*GONE):
                await self._last(name, {"type": "error", "payload": [error.formatted]})

    async def _answer(self, name: str, call: GraphQLRequest, session: Session) -> None:
        ready = self._runner.prepare(call, transport="websocket")
        if isinstance(ready, GraphQLResponse):
            await self._last(name, {"type": "error", "payload": ready.body["errors"]})
            return
        async with self._runner.answers(ready, session, transport="websocket") as answers:
            async for answer in answers:
                if not answer.executed:
                    await self._last(name, {"type": "error", "payload": answer.body["errors"]})
                    return
                await self._send({"type": "next", "id": name, "payload": answer.body})
        await self._last(name, {"type": "complete"})

    async def _last(self, name: str, message: dict[str, Any]) -> None:
        # The id becomes free before the client can see the end of this operation.
        self._free(name)
        await self._send({**message, "id": name})

    def _free(self, name: str) -> asyncio.Task[None] | None:
        operation = self._operations.pop(name, None)
        if operation:
            self._ending.add(operation)
            operation.add_done_callback(self._ending.discard)
        return operation

    async def _send(self, message: dict[str, Any]) -> None:
        await self._websocket.send_text(request.encode(message).decode())

    async def _close(self, code: int, reason: str, explanation: Mapping[str, str] = _NOTHING) -> None:
        _log.info("socket closed", code=code, **explanation)
        # A close reason has at most 123 bytes, and may quote what the client sent.
        short = reason.encode("utf-8", "replace")[:123].decode("utf-8", "ignore")
        with suppress(*GONE):
            await self._websocket.close(code, short)

    async def _end_operations(self) -> None:
        tasks = [*self._operations.values(), *self._ending]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


def _is_object(payload: object) -> bool:
    return payload is None or isinstance(payload, dict)


def _error(code: str, message: str) -> dict[str, Any]:
    return {"message": message, "extensions": {"code": code}}
