"""Rounds: a workload on several servers in turns, after a check that their answers are equal."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from benchmarks import data, load, usage
from benchmarks.load import Exchange, Job, Round, Target, WrongAnswer
from benchmarks.report import Measured, Sample
from benchmarks.servers import Server
from benchmarks.workloads import Request, Workload

NEW_CHAT = re.compile(r"chat_[0-9A-Z]{26}")
"""The id of a chat."""

WARM_UP = 0.5
"""The duration of the first round, which does not count, as a share of a round."""


@dataclass(frozen=True)
class Plan:
    """How to measure."""

    rounds: int = 3
    seconds: float = 1.0
    connections: int = 16
    subscribers: int = 1_000
    database_url: str = ""
    warm_up: bool = True

    def __str__(self) -> str:
        return (
            f"Servers with one process each, {self.connections} connections, "
            f"the medians of {self.rounds} rounds of {self.seconds:g} s that alternate"
        )


def measure(workload: Workload, servers: Sequence[Server], plan: Plan) -> Mapping[str, Measured]:
    """Measure a workload. Raises `WrongAnswer` unless all servers give the same answers."""
    answers = {server.name: first_answers(workload, server) for server in servers}
    agree(answers)

    def one_round(server: Server, number: int) -> Round:
        if workload.opens:
            data.reset(server.database_url)
        seconds = plan.seconds if number else plan.seconds * WARM_UP
        return load.run(Job(target(workload, server, answers[server.name], number), plan.connections, seconds))

    return alternate(servers, plan, one_round)


def alternate(
    servers: Sequence[Server], plan: Plan, one_round: Callable[[Server, int], Round]
) -> Mapping[str, Measured]:
    """Measure servers in turns, after a round 0 of each that does not count, for the warm-up."""
    samples: dict[str, list[Sample]] = {server.name: [] for server in servers}
    database = usage.database_clock(plan.database_url)
    for number in range(0 if plan.warm_up else 1, plan.rounds + 1):
        # Alternating order, so that a machine that slows down or speeds up affects all servers alike.
        for server in servers if number % 2 else reversed(servers):
            before, database_before = usage.processor_seconds(server.process_id), database()
            result = one_round(server, number)
            used, database_used = usage.processor_seconds(server.process_id) - before, database() - database_before
            if number:
                samples[server.name].append(
                    Sample(result, used / result.requests * 1e6, database_used / result.requests * 1e6)
                )
    return {
        server.name: Measured(server.kind.title, samples[server.name], usage.memory(server.process_id))
        for server in servers
    }


def first_answers(workload: Workload, server: Server) -> list[str]:
    """Return the answers to the requests of a round; to the first one only, if each may be sent once."""
    requests = workload.requests(0)
    with httpx.Client(headers={"Content-Type": "application/json"}, timeout=30) as http:
        if workload.opens:
            data.reset(server.database_url)
        found = []
        for request in requests[:1] if workload.once else requests:
            response = http.post(f"{server.address}/graphql", content=request.body)
            if response.status_code != 200 or '"errors"' in response.text:
                raise WrongAnswer(f"{server.name} answers {response.status_code}: {response.text}")
            found.append(response.text)
        return found


def agree(answers: Mapping[str, Sequence[str]]) -> None:
    """Check that all servers give the same answers as the first one. Raises `WrongAnswer`."""
    (first, expected), *others = (
        (name, [json.loads(_without_new_ids(answer)) for answer in each]) for name, each in answers.items()
    )
    for name, found in others:
        for mine, theirs in zip(expected, found, strict=True):
            if mine != theirs:
                raise WrongAnswer(f"{name} answers {theirs}, and {first} {mine}")


def _without_new_ids(answer: str) -> str:
    # The ids in the data have digits only.
    return NEW_CHAT.sub(lambda found: found[0] if found[0][5:].isdigit() else "a new chat", answer)


def target(workload: Workload, server: Server, answers: Sequence[str], number: int) -> Target:
    """Return the exchanges of a round; `answers` are those of `first_answers`."""
    url = urlsplit(server.address)
    requests = workload.requests(number)
    if workload.once:
        first = workload.requests(0)[0]
        exchanges = [_exchange(request, first, answers[0], opens=workload.opens) for request in requests]
    else:
        exchanges = [Exchange(each.body, answer) for each, answer in zip(requests, answers, strict=True)]
    return Target(server.name, str(url.hostname), int(url.port or 80), exchanges, workload.once)


def _exchange(request: Request, first: Request, answer: str, *, opens: bool) -> Exchange:
    """Derive the expected answer from that to the first request."""
    for old, new in zip(first.repeated, request.repeated, strict=True):
        answer = answer.replace(old, new)
    found = NEW_CHAT.search(answer) if opens else None
    return Exchange(request.body, answer, found.span() if found else (0, 0))
