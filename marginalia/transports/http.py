"""GraphQL over HTTP: parses requests, runs them, and sends responses."""

import math
import os
import re
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import lru_cache

import structlog
from graphql import OperationType
from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.types import Receive, Scope, Send

from db.connection.errors import DatabaseUnavailable
from engine.request import GraphQLRequest
from marginalia.authentication import credentials
from marginalia.authentication.authentication import Authentication
from marginalia.authentication.session import AuthenticationUnavailable, Session, Unauthenticated
from marginalia.rates.rate_limited import RateLimited
from marginalia.transports import content_negotiation, request, streaming
from marginalia.transports.content_negotiation import Accepted
from marginalia.transports.disconnects import cancelled_on_disconnect
from marginalia.transports.forwarded import client_address
from marginalia.transports.request import InvalidJSON, MalformedRequest
from marginalia.transports.runner import GraphQLResponse, PreparedRequest, Runner
from marginalia.transports.uploads import (
    LARGEST_UPLOAD,
    BodyReader,
    UploadBudget,
    UploadsExhausted,
    UploadTimeout,
    UploadTooLarge,
)

PREFLIGHT_HEADERS = (
    "graphql-require-preflight",
    "apollo-require-preflight",
    "x-apollo-operation-name",
    "x-requested-with",
)
"""Headers that a page of another origin can send only after a preflight."""

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,100}")

_log = structlog.stdlib.get_logger("marginalia.graphql")


@dataclass(frozen=True)
class HttpOptions:
    """The options of the HTTP transport."""

    max_body_bytes: int = LARGEST_UPLOAD
    max_url_bytes: int = 16_000
    draft_statuses: bool = False
    """Whether to use the more specific status codes of the 2026 draft of GraphQL over HTTP."""
    has_explorer: bool = False
    """Whether a browser that requests HTML is redirected to the explorer."""


class HTTPRejection(Exception):
    """The request is rejected before execution."""

    def __init__(self, status: int, reason: str, code: str = "BAD_REQUEST", **headers: str) -> None:
        super().__init__(reason)
        self.status, self.reason, self.code, self.headers = status, reason, code, headers
        self.explanation: dict[str, str] = {}
        """More fields for the log line, which the client does not see."""


@dataclass
class _Exchange:
    """One request and its response."""

    connection: HTTPConnection
    receive: Receive
    send: Send
    sent: Mapping[str, str]
    """The request headers, by lower-case name."""
    accepted: Accepted
    headers: dict[str, str]
    """The response headers."""

    @property
    def method(self) -> str:
        return str(self.connection.scope["method"])

    @property
    def form(self) -> str:
        return self.accepted.single or content_negotiation.JSON

    async def respond(self, status: int, body: Mapping[str, object]) -> None:
        content = request.encode(body) + b"\n"  # on a terminal, the prompt then starts on a new line
        fields = {
            "Content-Type": f"{self.form}; charset=utf-8",
            "Content-Length": str(len(content)),
            **self.headers,
        }
        raw = [(name.lower().encode(), value.encode()) for name, value in fields.items()]
        await self.send({"type": "http.response.start", "status": status, "headers": raw})
        await self.send({"type": "http.response.body", "body": content})


class GraphQLView:
    """The GraphQL endpoint over HTTP."""

    def __init__(self, runner: Runner, authentication: Authentication, form: HttpOptions, budget: UploadBudget) -> None:
        self._runner = runner
        self._authentication = authentication
        self._form = form
        self._bodies = BodyReader(budget, form.max_body_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        sent = _joined(scope["headers"])
        accepted, name = content_negotiation.negotiate(sent.get("accept")), request_id(sent)
        headers = {"Vary": "Accept", "X-Request-ID": name}
        exchange = _Exchange(HTTPConnection(scope), receive, send, sent, accepted, headers)
        if scope["method"] == "GET" and accepted.prefers_page and self._form.has_explorer:
            await _lead_to_explorer(scope, headers, send)
            return
        with structlog.contextvars.bound_contextvars(request_id=name, client=client_address(scope)):
            try:
                await self._answer(exchange)
            except HTTPRejection as refusal:
                _log.info("request refused", status=refusal.status, **refusal.explanation)
                exchange.headers.update(refusal.headers)
                error = {"message": refusal.reason, "extensions": {"code": refusal.code}}
                await exchange.respond(refusal.status, {"errors": [error]})
            except RateLimited as limited:
                exchange.headers["Retry-After"] = str(math.ceil(limited.retry_after_ms / 1000))
                await exchange.respond(429, {"errors": [limited.error]})
            except ClientDisconnect:
                return  # the client is gone

    async def _answer(self, exchange: _Exchange) -> None:
        accepted = exchange.accepted
        session = await self._session(exchange)
        call = await self._call(exchange)
        if session.end:  # while the body came
            raise _unauthenticated({"reason": "the token has expired"})
        report_cost = exchange.sent.get("graphql-cost") == "report"
        transport = "sse" if accepted.single is None else "http"
        ready = self._runner.prepare(call, transport=transport, report_cost=report_cost)
        try:
            form = self._form_of(exchange, ready)
        except HTTPRejection as refusal:
            if isinstance(ready, PreparedRequest):
                self._runner.refuse(ready, refusal.code, transport=transport)
            raise
        if form in streaming.FRAMINGS:
            await self._stream(exchange, form, ready, session)
            return
        answer = await self._run(exchange, ready, session, transport) if isinstance(ready, PreparedRequest) else ready
        await exchange.respond(self._status(answer, form), answer.body)

    async def _session(self, exchange: _Exchange) -> Session:
        try:
            return await self._authentication.authenticate(credentials.from_headers(exchange.sent))
        except Unauthenticated as error:
            raise _unauthenticated(explanation(error)) from None
        except (AuthenticationUnavailable, DatabaseUnavailable) as error:
            reason = "Temporarily unavailable, please retry"
            refusal = HTTPRejection(503, reason, "TEMPORARILY_UNAVAILABLE", **{"Retry-After": "1"})
            refusal.explanation = {"reason": str(error)}
            raise refusal from None

    async def _run(
        self, exchange: _Exchange, ready: PreparedRequest, session: Session, transport: str
    ) -> GraphQLResponse:
        # A mutation runs to its end: after a lost connection, its client cannot know how far it came.
        is_query = ready.operation.kind is OperationType.QUERY
        with cancelled_on_disconnect(exchange.receive) if is_query else nullcontext():
            return await self._runner.run(ready, session, transport=transport)

    async def _call(self, exchange: _Exchange) -> GraphQLRequest:
        if exchange.method not in ("GET", "POST"):
            raise HTTPRejection(405, "Send a POST, or a GET for a query", Allow="GET, POST")
        if exchange.accepted.single is None and exchange.accepted.stream is None:
            raise HTTPRejection(
                406,
                f"The answer can be {content_negotiation.GRAPHQL}, {content_negotiation.JSON} or "
                f"{content_negotiation.EVENTS}",
            )
        try:
            if exchange.method == "GET":
                if len(exchange.connection.scope["query_string"]) > self._form.max_url_bytes:
                    raise HTTPRejection(414, f"The URL is longer than {self._form.max_url_bytes:,} bytes; send a POST")
                return request.read_parameters(exchange.connection.query_params)
            if not _is_json(exchange.sent.get("content-type", "")):
                raise HTTPRejection(415, "The body must be application/json, in UTF-8")
            return request.read(request.decode(await self._body(exchange.receive)))
        except InvalidJSON as error:
            raise HTTPRejection(400, str(error)) from None
        except MalformedRequest as error:
            raise HTTPRejection(422 if self._form.draft_statuses else 400, str(error)) from None

    async def _body(self, receive: Receive) -> bytearray:
        try:
            return await self._bodies.read(receive)
        except UploadTooLarge:
            raise HTTPRejection(413, f"The body is longer than {self._form.max_body_bytes:,} bytes") from None
        except UploadTimeout:
            raise HTTPRejection(408, "The rest of the body did not arrive in time") from None
        except UploadsExhausted:
            reason = "Too many long bodies are being read; please try again"
            raise HTTPRejection(503, reason, "TEMPORARILY_UNAVAILABLE", **{"Retry-After": "1"}) from None

    def _form_of(self, exchange: _Exchange, ready: PreparedRequest | GraphQLResponse) -> str:
        """Return the media type of the response. Reject operations that this request must not run."""
        accepted = exchange.accepted
        kind = ready.operation.kind if isinstance(ready, PreparedRequest) else None
        if exchange.method == "GET" and isinstance(ready, PreparedRequest):
            if kind is OperationType.MUTATION:
                raise HTTPRejection(405, "A mutation is sent by POST", Allow="POST")
            # Introspection without data is open to every page.
            if ready.operation.reads_data and not _cannot_be_forged(exchange.sent):
                names = f"{PREFLIGHT_HEADERS[0].title()}: 1"
                raise HTTPRejection(400, f"A GET needs a header that other sites cannot send, such as {names}", "CSRF")
        if kind is OperationType.SUBSCRIPTION:
            if accepted.stream is None:
                raise HTTPRejection(
                    406, f"A subscription is answered as {content_negotiation.EVENTS}, or over a WebSocket"
                )
            return accepted.stream
        if accepted.single is None or (accepted.prefers_stream and accepted.stream):
            return accepted.stream or content_negotiation.JSON
        return accepted.single

    async def _stream(
        self, exchange: _Exchange, form: str, ready: PreparedRequest | GraphQLResponse, session: Session
    ) -> None:
        transport = "sse" if form == content_negotiation.EVENTS else "multipart"
        answers = (
            streaming.one(ready)
            if isinstance(ready, GraphQLResponse)
            else lambda: self._runner.answers(ready, session, transport=transport)
        )
        await streaming.stream(form, answers, exchange.headers, exchange.receive, exchange.send)

    def _status(self, answer: GraphQLResponse, form: str) -> int:
        if form == content_negotiation.JSON:
            return 200  # in the older media type, the status says nothing about the operation
        if not self._form.draft_statuses:
            return 200 if answer.executed else 400
        if answer.executed:
            return 294 if answer.errors else 200
        return 400 if answer.code == "GRAPHQL_PARSE_FAILED" else 422


def _unauthenticated(explained: dict[str, str]) -> HTTPRejection:
    # One answer, whatever the reason: it must not help to find out what is almost right.
    reason = "The request needs a valid token: Authorization: Bearer ..."
    refusal = HTTPRejection(401, reason, "UNAUTHENTICATED", **{"WWW-Authenticate": "Bearer"})
    refusal.explanation = explained
    return refusal


def explanation(error: Unauthenticated) -> dict[str, str]:
    """Return the fields of a log line that explains to an operator why credentials are not valid."""
    return {"reason": error.reason, **({"hint": error.hint} if error.hint else {})}


async def _lead_to_explorer(scope: Scope, headers: Mapping[str, str], send: Send) -> None:
    # Relative: a proxy may serve us under a prefix that only it knows.
    location = "../graphiql" if scope["path"].endswith("/") else "graphiql"
    fields = {**headers, "Location": location, "Content-Length": "0"}
    raw = [(name.lower().encode(), value.encode()) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": 303, "headers": raw})
    await send({"type": "http.response.body", "body": b""})


def _cannot_be_forged(headers: Mapping[str, str]) -> bool:
    return (
        any(name in headers for name in PREFLIGHT_HEADERS)
        or _is_json(headers.get("content-type", ""))
        # Browsers set this header, and no page can.
        or headers.get("sec-fetch-site") == "same-origin"
    )


def request_id(headers: Mapping[str, str]) -> str:
    """Return the request id for the log: the client's own, if valid, or a new one."""
    given = headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else os.urandom(12).hex()


@lru_cache(maxsize=100)
def _is_json(content_type: str) -> bool:
    kind, *parameters = (part.strip().lower() for part in content_type.split(";"))
    charsets = [part.partition("=")[2].strip('" ') for part in parameters if part.startswith("charset")]
    # A comma means that the header was sent twice, and intermediaries may have used either value.
    return (
        kind == "application/json"
        and "," not in content_type
        and all(charset in ("utf-8", "utf8") for charset in charsets)
    )


def _joined(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    # Header lines of the same name form one list: RFC 9110, 5.3.
    joined: dict[str, str] = {}
    for name, value in headers:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        joined[key] = f"{joined[key]}, {text}" if key in joined else text
    return joined
