"""The load: fifty callers in one event loop, some of whose calls are cancelled, and what leaked to whom."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from db import anchors
from tests.checkers.isolation import texts
from tests.checkers.isolation.callers import Caller
from tests.checkers.isolation.operations import LATER, Drawing, Operation
from tests.checkers.isolation.world import CANARY, DOCUMENTS, Home
from tests.support.asgi_socket import AsgiSocket, asgi_socket
from tests.support.client import Served

CANCELLED = 0.1
"""The share of calls that are cancelled."""


@dataclass
class Load:
    """Calls of all callers, and what they found."""

    served: Served
    world: Mapping[str, Home]
    callers: Sequence[Caller]
    seed: int
    counts: Counter[str] = field(default_factory=Counter)
    """How often each operation was answered, and how many were cancelled, or put off."""
    leaks: list[str] = field(default_factory=list)
    """Who was told what of whom."""
    wrong: list[str] = field(default_factory=list)
    """Which answers differ from the rule, leaks or not."""
    events: int = 0
    anchors: int = 0
    """How many anchors were asked for, in reads that callers may share."""
    statements: int = 0
    """How many statements read them."""
    shared: int = 0
    """How many of these did so for principals of both workspaces."""

    async def run(self, operations: int, *, until_leak: bool = False) -> None:
        """Send operations, the same number for each caller; on wish until something leaks."""
        each = operations // len(self.callers)
        async with self._observed(), self._watched(), asyncio.TaskGroup() as group:
            for number, caller in enumerate(self.callers):
                group.create_task(self._call(number, caller, each, until_leak=until_leak))

    async def meet(self, *, until_leak: bool = False) -> None:
        """Let all callers ensure the same chat at the same time, in one document after another.

        Those who may see it come first, so that the others would have their answers.
        """
        async with self._observed():
            for document in DOCUMENTS:
                if until_leak and self.leaks:
                    return
                async with asyncio.TaskGroup() as group:
                    for caller in sorted(self.callers, key=lambda each: not self._sees(each, document)):
                        group.create_task(self._meet(caller, document))

    def _sees(self, caller: Caller, document: str) -> bool:
        return self.world[caller.principal.workspace_id].rights.sees_document(caller.principal, document)

    async def _meet(self, caller: Caller, document: str) -> None:
        home = self.world[caller.principal.workspace_id]
        drawing = Drawing(caller, home, random.Random(self.seed))  # noqa: S311 - chance, not a secret
        operation = drawing.ensure_in(document, document.replace("doc_", "sec_") + "_talk")
        self._judge(caller, operation, await self._send(caller, operation))

    async def _call(self, number: int, caller: Caller, times: int, *, until_leak: bool) -> None:
        chance = random.Random(f"{self.seed} {number}")  # noqa: S311 - chance, not a secret
        drawing = Drawing(caller, self.world[caller.principal.workspace_id], chance)
        for _ in range(times):
            if until_leak and self.leaks:
                return
            if chance.random() < 0.02 and not until_leak:  # who is not refused would wait long
                await self._subscribe(caller, chance.choice(DOCUMENTS))
                continue
            operation = drawing.next()
            request = asyncio.create_task(self._send(caller, operation))
            if chance.random() < CANCELLED:
                await asyncio.wait([request], timeout=chance.random() / 50)
                request.cancel()
            try:
                response = await request
            except asyncio.CancelledError:
                self.counts["cancelled"] += 1
                continue
            self._judge(caller, operation, response)

    async def _send(self, caller: Caller, operation: Operation) -> httpx.Response:
        body = {"query": operation.text, "variables": operation.variables}
        return await self.served.http.post("/graphql", json=body, headers=dict(caller.headers))

    def _judge(self, caller: Caller, operation: Operation, response: httpx.Response) -> None:
        self.counts[operation.name] += 1
        self.counts["put off"] += LATER in response.text
        case = f"{operation.name} {dict(operation.variables)}"
        self._look_for_leaks(caller, case, response.text, trash=operation.lists_trash)
        answer = response.json()
        if response.status_code != 200 or "errors" in answer:
            self.wrong.append(f"{caller.principal}: {case}: {response.text[:500]}")
        else:
            self.wrong += [f"{caller.principal}: {case}: {each}" for each in operation.judge(answer["data"])]

    def _look_for_leaks(self, caller: Caller, case: str, text: str, *, trash: bool = False) -> None:
        home = self.world[caller.principal.workspace_id]
        told = {found for found in CANARY.findall(text) if not home.may_be_told(caller.principal, found, trash=trash)}
        if told:
            self.leaks.append(f"{caller.principal} was told {sorted(told)} by {case}")

    async def _subscribe(self, caller: Caller, document: str) -> None:
        """Subscribe for a moment, which a hidden document refuses."""
        principal = caller.principal
        self.counts["subscribe"] += 1
        async with asgi_socket(self.served, caller.headers) as socket:
            await socket.init()
            await socket.subscribe("1", texts.SUBSCRIBE, document=document)
            if not self._sees(caller, document):
                refusal = json.dumps(await socket.receive())
                if "DOCUMENT_NOT_FOUND" not in refusal:
                    self.wrong.append(f"{principal} subscribed to {document}: {refusal}")
            self._read_events(caller, document, socket)

    def _read_events(self, caller: Caller, document: str, socket: AsgiSocket) -> None:
        while not socket.received.empty():
            message = socket.received.get_nowait()
            text = str(message.get("text"))
            self.events += '"next"' in text
            self._look_for_leaks(caller, f"a subscription to {document}", text)
            if "errors" in text or '"error"' in text:
                self.wrong.append(f"{caller.principal}: a subscription to {document}: {text}")

    @asynccontextmanager
    async def _watched(self) -> AsyncIterator[None]:
        """Let a reader of each document subscribe to it meanwhile, if there is one: the one with the lowest role."""
        watching: list[tuple[Caller, str, AsgiSocket]] = []
        async with AsyncExitStack() as stack:
            for here in self.world:
                for document in DOCUMENTS:
                    those = [each for each in self.callers if each.principal.workspace_id == here]
                    those = [each for each in those if self._sees(each, document)]
                    for caller in sorted(those, key=lambda each: each.principal.role or 0)[:2]:
                        socket = await stack.enter_async_context(asgi_socket(self.served, caller.headers))
                        await socket.init()
                        await socket.subscribe("1", texts.SUBSCRIBE, document=document)
                        watching.append((caller, document, socket))
            yield
            for caller, document, socket in watching:
                self._read_events(caller, document, socket)

    @asynccontextmanager
    async def _observed(self) -> AsyncIterator[None]:
        """Count the anchors that callers ask for, and the statements that they share."""
        find, load = anchors.find, anchors.AnchorLoader.load

        async def asked(loader: Any, *arguments: Any) -> Any:
            self.anchors += 1
            return await load(loader, *arguments)

        async def found(database: Any, viewer: Any, keys: Any, selected: Any = None) -> Any:
            if not viewer.workspace:  # of several callers
                self.statements += 1
                self.shared += len({key.workspace_id for key in keys}) > 1
            return await find(database, viewer, keys, selected)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(anchors, "find", found)
            patch.setattr(anchors.AnchorLoader, "load", asked)
            yield


UNLIMITED = {"rate_cost_per_minute": 0, "rate_writes_per_minute": 0, "rate_sockets": 0, "rate_subscriptions": 0}
"""The settings of a server that refuses nobody for being busy."""
