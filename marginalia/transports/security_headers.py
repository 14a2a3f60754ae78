"""Security headers: what every answer over HTTP tells browsers, whoever made it."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_NOSNIFF = (b"x-content-type-options", b"nosniff")


class SecurityHeaders:
    """Middleware: no browser guesses that an answer is something else than its content type says."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, and add the headers to its answer."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                message["headers"] = [*(header for header in message["headers"] if header[0] != _NOSNIFF[0]), _NOSNIFF]
            await send(message)

        await self._app(scope, receive, send_with_headers)
