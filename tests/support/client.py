"""A client: operation text in, data out."""

import json
from typing import Any

import httpx

from db.connection.database import Database
from engine.operation_cache import OperationCache


class Client:
    """Speaks GraphQL over HTTP to an application or a server, and insists on success."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def __call__(self, operation: str, /, **variables: Any) -> dict[str, Any]:
        """Run an operation and return its data; errors fail the test."""
        answer = await self.result(operation, **variables)
        assert "errors" not in answer, answer["errors"]
        data: dict[str, Any] = answer["data"]
        return data

    async def result(self, operation: str, /, **variables: Any) -> dict[str, Any]:
        """Run an operation and return the whole result, errors and all."""
        response = await self.post({"query": operation, "variables": variables})
        assert response.status_code == 200, response.text
        result: dict[str, Any] = response.json()
        return result

    async def post(self, body: Any) -> httpx.Response:
        """Send a JSON body as it is; in ASCII, so that halves of surrogate pairs can be sent too."""
        headers = {"Content-Type": "application/json"}
        return await self.http.post("/graphql", content=json.dumps(body), headers=headers)


class Served(Client):
    """A client of an application in this process.

    `database` and `operations` are the application's own, to count its statements and the texts that it reads.
    """

    def __init__(self, http: httpx.AsyncClient, database: Database, operations: OperationCache) -> None:
        super().__init__(http)
        self.database = database
        self.operations = operations
