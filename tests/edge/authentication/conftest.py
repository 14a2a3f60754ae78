"""Fixtures of authentication: an application that wants tokens, and clients with one."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.conftest import Serve
from tests.support.client import Served
from tests.support.tokens import SECRET

WHO = "{ viewer { user { id } role workspace { id } } }"
"""Asks for nothing that is read from the database."""


@pytest.fixture
async def client(serve: Serve) -> AsyncIterator[Served]:
    """Give a client without a token of an application that wants one."""
    async with serve(auth="tokens", token_secret=SECRET, event_seconds=0.02) as serving:
        yield serving


async def viewer(client: Served, token: str, **headers: str) -> dict[str, Any] | int:
    """Return who a token says that we are, or the status of the refusal."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = await client.http.post(
        "/graphql", json={"query": WHO}, headers={"Authorization": f"Bearer {token}", **sent}
    )
    if answer.status_code != 200:
        return answer.status_code
    found: dict[str, Any] = answer.json()["data"]["viewer"]
    return {"id": found["user"]["id"], "role": found["role"], "workspace": found["workspace"]["id"]}
