"""A published OpenID Connect issuer, and its tokens."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.clients.test_clients import FOLDER, packages  # noqa: F401 - a fixture
from tests.support.processes import running_process
from tests.support.tokens import VIEWER, bearer

RESOURCES = ("https://marginalia.example/rsa", "https://marginalia.example/ec")


@pytest.fixture
def issuer(packages: None, tmp_path: Path) -> Iterator[str]:  # noqa: F811 - the fixture
    """Run an issuer in a process of its own."""
    output = tmp_path / "issuer"
    with output.open("wb") as written:
        process = subprocess.Popen(
            ["node", "issuer.mjs"], cwd=FOLDER, env=os.environ, stdout=written, stderr=subprocess.DEVNULL
        )
    try:
        deadline = time.monotonic() + 30
        while not (found := re.search(r"Issuer (\S+)\n", output.read_text())):
            assert process.poll() is None, "the issuer has ended"
            assert time.monotonic() < deadline, "the issuer does not start"
            time.sleep(0.05)
        yield found[1]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def test_tokens_of_a_published_issuer_are_accepted(issuer: str, tmp_path: Path) -> None:
    settings = {
        "auth": "tokens",
        "oidc_issuer": issuer,
        "oidc_audience": "marginalia",
        "oidc_workspace_claim": "tenant",
        "oidc_role_claim": "roles",
    }
    with running_process(f"sqlite:///{tmp_path / 'marginalia.db'}", **settings) as server, httpx.Client() as client:
        for resource in RESOURCES:
            grant = {"grant_type": "client_credentials", "resource": resource}
            given = client.post(f"{issuer}/token", data=grant, auth=("ann", "a-secret-of-the-tests")).json()
            answer = client.post(
                f"{server.address}/graphql", json={"query": VIEWER}, headers=bearer(given["access_token"])
            )
            viewer = answer.json()["data"]["viewer"]
            assert (viewer["user"]["id"], viewer["role"], viewer["workspace"]["id"]) == (
                "user_ann",
                "COMMENTER",
                "ws_local",
            )
            forged = given["access_token"][:-10] + "A" * 10
            refused = client.post(f"{server.address}/graphql", json={"query": VIEWER}, headers=bearer(forged))
            assert refused.status_code == 401
        assert given["access_token"] not in server.log
