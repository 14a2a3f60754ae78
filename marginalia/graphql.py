"""GraphQL over HTTP: from a request to an operation, and from its result to a response."""

import asyncio
import json
import re
import time
from collections.abc import Callable
from typing import Any, NoReturn

import structlog
from cross_web import AsyncHTTPRequestAdapter, HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.http import GraphQLHTTPResponse, GraphQLRequestData
from strawberry.schema.exceptions import InvalidOperationTypeError
from strawberry.types import ExecutionResult

from db.database import Database
from db.store import Store
from marginalia import media
from resolvers.context import Context
from schema.build import Schema
from services.principals import Principal

Identify = Callable[[Request | WebSocket], Principal]
"""Tells who is asking."""

PATIENCE = 5
"""How many seconds the next piece of a body may take: less than the server waits for requests when it ends."""

_NAME = re.compile(r"[_A-Za-z][_0-9A-Za-z]{0,99}")

_log = structlog.stdlib.get_logger("marginalia.graphql")


class GraphQLView(GraphQL[Context, None]):
    """Strawberry's view, with a JSON answer to every body a client can send, and a store of its own per request."""

    def __init__(self, schema: Schema, database: Database, identify: Identify, *, max_body_bytes: int) -> None:
        super().__init__(schema, graphql_ide=None, subscription_protocols=())
        self._database = database
        self._identify = identify
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive=_limited(receive, self._max_body_bytes))
        form = media.negotiate(request.headers.get("accept"))
        try:
            if form is None:
                raise HTTPException(406, f"The answer can be {media.GRAPHQL} or {media.JSON}")
            request.state.form = form
            response = await self.run(request)
        except HTTPException as refused:
            response = self._refusal(refused, form or media.JSON)
        except ClientDisconnect:
            return  # nobody is left to be told
        await response(scope, receive, send)

    async def get_sub_response(self, request: Request | WebSocket) -> Response:
        """Make the response that the operation may still change: its form, and later its status."""
        return Response(headers=_headers(request.state.form))

    def create_response(self, response_data: Any, sub_response: Response) -> Response:
        """Answer with the result, in the form that was agreed."""
        sub_response.body = str(self.encode_json(response_data)).encode()
        sub_response.headers["Content-Length"] = str(len(sub_response.body))
        return sub_response

    async def process_result(self, request: Request, result: ExecutionResult) -> GraphQLHTTPResponse:
        """Turn a result into what is sent: an operation that was never begun has no data, not even null."""
        sent = await super().process_result(request, result)
        if _never_begun(result):
            del sent["data"]
        return sent

    def _refusal(self, refused: HTTPException, form: str) -> Response:
        # Not Starlette's JSONResponse: it fails on half of a surrogate pair, which the reason may quote.
        errors = [{"message": refused.reason, "extensions": {"code": "BAD_REQUEST"}}]
        status, headers = refused.status_code, _headers(form)
        if isinstance(refused.__cause__, InvalidOperationTypeError):
            status, headers["Allow"] = 405, "POST"
        elif status == 405:
            headers["Allow"] = "GET, POST"
        _log.info("request refused", status=status)
        return Response(self.encode_json({"errors": errors}), status, headers)

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Context:
        """Make the context of one operation."""
        principal = self._identify(request)
        return Context(principal, Store(self._database, principal.workspace_id))

    def should_render_graphql_ide(self, request: Any) -> bool:
        """Say no: the explorer has an address of its own."""
        return False

    async def parse_http_body(self, request: AsyncHTTPRequestAdapter) -> GraphQLRequestData:
        """Read the operation out of a request, or refuse it with a 400 that says why."""
        if request.method == "GET":
            data: object = self.parse_query_params(request.query_params)
        elif _is_json(request.content_type or ""):
            data = self.decode_json(await request.get_body())
        else:
            raise HTTPException(415, "The body must be application/json, in UTF-8")
        if not isinstance(data, dict):
            raise HTTPException(400, "The body must be a JSON object")
        return GraphQLRequestData(
            query=_member(data, "query", str),
            variables=_member(data, "variables", dict),
            operation_name=_member(data, "operationName", str),
            extensions=_member(data, "extensions", dict),
        )

    def decode_json(self, data: str | bytes) -> object:
        """Read JSON strictly, or refuse the request: no other encoding, no NaN, no bottomless nesting."""
        try:
            text = data if isinstance(data, str) else data.decode()
            return json.loads(text, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            raise HTTPException(400, "This is not JSON") from None

    async def execute_single(
        self,
        request: Request,
        request_adapter: AsyncHTTPRequestAdapter,
        sub_response: Response,
        context: Context,
        root_value: None,
        request_data: GraphQLRequestData,
    ) -> ExecutionResult:
        """Run the operation and note that it ran: its name and its time, nothing that was sent with it."""
        started = time.perf_counter()
        result = await super().execute_single(request, request_adapter, sub_response, context, root_value, request_data)
        if request.state.form == media.GRAPHQL and _never_begun(result):
            sub_response.status_code = 400
        name = request_data.operation_name
        _log.info(
            "operation",
            operation=name if name and _NAME.fullmatch(name) else None,
            errors=len(result.errors or ()),
            ms=round((time.perf_counter() - started) * 1000, 1),
        )
        return result


def _never_begun(result: ExecutionResult) -> bool:
    # Parsing, validation or the variables failed: errors that stand at no field.
    return result.data is None and bool(result.errors) and all(error.path is None for error in result.errors or ())


def _headers(form: str) -> dict[str, str]:
    return {"Content-Type": f"{form}; charset=utf-8", "Vary": "Accept"}


def _member(data: dict[str, Any], name: str, kind: type) -> Any:
    value = data.get(name)
    if value is not None and not isinstance(value, kind):
        raise HTTPException(400, f"{name} must be {'a string' if kind is str else 'an object'} or null")
    return value


def _is_json(content_type: str) -> bool:
    kind, *parameters = (part.strip().lower() for part in content_type.split(";"))
    charsets = [part.partition("=")[2].strip('" ') for part in parameters if part.startswith("charset")]
    return kind == "application/json" and all(charset in ("utf-8", "utf8") for charset in charsets)


def _limited(receive: Receive, most: int) -> Receive:
    received = 0

    async def limited() -> Message:
        nonlocal received
        try:
            async with asyncio.timeout(PATIENCE):
                message = await receive()
        except TimeoutError:
            raise HTTPException(408, "The rest of the body did not come in time") from None
        received += len(message.get("body", b""))
        if received > most:
            raise HTTPException(413, f"The body is longer than {most:,} bytes")
        return message

    return limited


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
