"""Security headers: set on every HTTP response."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_NOSNIFF = (b"x-content-type-options", b"nosniff")


class SecurityHeaders:
    """Middleware that stops browsers from guessing a content type."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, and add the headers to its response."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                message["headers"] = [*(header for header in message["headers"] if header[0] != _NOSNIFF[0]), _NOSNIFF]
            await send(message)

        await self._app(scope, receive, send_with_headers)
