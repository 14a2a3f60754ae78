"""Fan-out: one event, delivered to many subscribers over WebSockets of their own (graphql-transport-ws).

The sockets are our own, without a client library, in one thread: the client takes less time than the servers. A round
has a few single events, whose times until the last subscriber are the latencies, and then several events at once, for
the deliveries per second. An event is timed from its request: a server may deliver it before it answers.
"""

import json
import selectors
import time
from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from benchmarks import data, workloads
from benchmarks.load import Round, WrongAnswer
from benchmarks.report import Measured
from benchmarks.rounds import Plan, alternate
from benchmarks.servers import Server
from benchmarks.sockets import Caller, Subscriber

NAME = "subscribers"
SINGLE_EVENTS = 5
EVENTS_AT_ONCE = 10

CONNECTING = 100
"""The number of sockets that are opened at once: Node.js queues 511 connections."""

PROBES = 20
PROBE_TIMEOUT_S = 1.0
"""How long to wait for a probe before the next one: a subscription has no acknowledgement."""

STALL_TIMEOUT_S = 20.0


def title(subscribers: int) -> str:
    """Return the title of the workload."""
    return f"One event for {subscribers:,} subscribers: deliveries, and the time until the last one has it"


def measure(servers: Sequence[Server], plan: Plan) -> Mapping[str, Measured]:
    """Measure the deliveries of events. Raises `WrongAnswer` unless all servers deliver the same."""
    delivered: dict[str, str] = {}
    # Marginalia delivers what any process opens in a document, so each server has its own.
    documents = dict(zip((server.name for server in servers), data.SCRATCH, strict=False))

    def one_round(server: Server, _number: int) -> Round:
        data.reset(server.database_url)
        with Fanout(server, documents[server.name], plan.subscribers) as fanout:
            fanout.establish()
            delivered[server.name] = fanout.example
            return fanout.round()

    measured = alternate(servers, plan, one_round)
    if len(set(delivered.values())) > 1:
        raise WrongAnswer(f"The events differ: {delivered}")
    return measured


class Fanout:
    """Subscribers to one document of a server, and the callers that open its chats."""

    def __init__(self, server: Server, document: int, subscribers: int) -> None:
        self._name = server.name
        self._document = document
        self._sections = iter(range(data.SCRATCH_SIZE))
        self._callers = [Caller(server.address) for _ in range(EVENTS_AT_ONCE)]
        self._subscribers = list(_subscribed(server.address, document, subscribers))
        self._selector = selectors.DefaultSelector()
        self.example = ""
        """The data of an event, without the ids that differ between servers."""

    def __enter__(self) -> "Fanout":
        for each in self._subscribers:
            self._selector.register(each.socket, selectors.EVENT_READ, each)
        for caller in self._callers:
            self._selector.register(caller.socket, selectors.EVENT_READ, caller)
        return self

    def __exit__(self, *_: object) -> None:
        self._selector.close()
        for sock in [each.socket for each in self._subscribers] + [each.socket for each in self._callers]:
            sock.close()

    def establish(self) -> None:
        """Open chats until every subscriber has heard of one, and then until the newest has reached them all."""
        waiting = set(self._subscribers)
        for _ in range(PROBES):
            self._open([next(self._sections)])
            deadline = time.perf_counter() + PROBE_TIMEOUT_S
            while waiting and time.perf_counter() < deadline:
                for subscriber, messages in self._messages(0.1):
                    if messages:
                        waiting.discard(subscriber)
                        self.example = self._normalized(messages[0])
            if not waiting:
                self._deliver([next(self._sections)])
                return
        raise WrongAnswer(f"{self._name}: {len(waiting)} of {len(self._subscribers)} subscribers hear of nothing")

    def round(self) -> Round:
        """Deliver single events, then several at once."""
        worked, started = time.process_time(), time.perf_counter()
        single = sorted(self._deliver([next(self._sections)]) for _ in range(SINGLE_EVENTS))
        together = self._deliver([next(self._sections) for _ in range(EVENTS_AT_ONCE)])
        deliveries = len(self._subscribers) * EVENTS_AT_ONCE
        return Round(
            requests=len(self._subscribers) * (SINGLE_EVENTS + EVENTS_AT_ONCE),
            per_second=deliveries / together,
            p50=median(single) * 1000,
            p99=single[-1] * 1000,
            own_share=(time.process_time() - worked) / (time.perf_counter() - started),
        )

    def _deliver(self, sections: Sequence[int]) -> float:
        """Open the chats of sections, and return the seconds until the last subscriber has heard of all."""
        wanted = {data.section_id(self._document, number).encode() for number in sections}
        left = len(wanted) * len(self._subscribers)
        started = last = time.perf_counter()
        self._open(sections)
        while left:
            if time.perf_counter() - last > STALL_TIMEOUT_S:
                raise WrongAnswer(f"{self._name}: {left} deliveries did not come")
            for _subscriber, messages in self._messages(1.0):
                heard = sum(_section_of(message) in wanted for message in messages)
                if heard:
                    left -= heard
                    last = time.perf_counter()
        return last - started

    def _open(self, sections: Iterable[int]) -> None:
        for caller, section in zip(self._callers, sections, strict=False):
            caller.send(workloads.ensure(self._document, section).body)

    def _messages(self, seconds: float) -> Iterable[tuple[Subscriber, Sequence[bytes]]]:
        for key, _events in self._selector.select(seconds):
            peer = key.data
            if isinstance(peer, Subscriber):
                yield peer, peer.receive()
            else:
                peer.receive()

    def _normalized(self, message: bytes) -> str:
        chat = json.loads(message)["payload"]["data"]["sectionChatOpened"]["chat"]
        if chat["document"]["id"] != data.document_id(self._document) or not chat["id"].startswith("chat_"):
            raise WrongAnswer(f"An event has {chat}")
        return json.dumps(
            {
                "section": chat["section"]["title"],
                "fields": {name: sorted(chat[name]) for name in ("section", "document")},
            }
        )


def _subscribed(address: str, document: int, count: int) -> Iterable[Subscriber]:
    message = {"query": workloads.OPENED, "variables": {"docId": data.document_id(document)}}
    for start in range(0, count, CONNECTING):
        group = [Subscriber(address) for _ in range(min(CONNECTING, count - start))]
        for each in group:
            each.initialize()
        for each in group:
            each.subscribe(message)
        yield from group


def _section_of(message: bytes) -> bytes:
    start = message.find(b"sec_")
    return message[start : start + 30]
