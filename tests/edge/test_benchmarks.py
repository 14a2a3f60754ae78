"""The benchmarks: that their parts run and compare the same thing. How fast it is, no test asserts."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

import pytest

from benchmarks import bulk, ensure, frame_categories, load, profile, setup, subscriptions
from benchmarks.load import Job, Target, WrongAnswer
from benchmarks.setup import Setup
from tests.support.processes import running_process


@pytest.fixture(scope="module")
def prepared(postgres_server: str) -> Iterator[Setup]:
    with setup.prepared(postgres_server, documents=1) as prepared:
        yield prepared


@pytest.fixture(scope="module")
def targets(prepared: Setup) -> Iterator[list[Target]]:
    with ExitStack() as stack:
        yield [
            stack.enter_context(server)
            for server in (prepared.marginalia(), prepared.handwritten(), prepared.strawberry())
        ]


def few(targets: list[Target]) -> Job:
    return Job(targets, connections=4, rounds=1, seconds=30, most=20, warm_up=0)


def test_all_sides_give_the_answer_that_is_measured_as_often_as_they_are_asked(targets: list[Target]) -> None:
    setup.agree(*targets)
    measured = load.run(few(targets))

    assert {name: [each.requests for each in rounds] for name, rounds in measured.items()} == {
        "marginalia": [20],
        "handwritten": [20],
        "strawberry": [20],
    }
    assert "handwritten / marginalia = " in ensure.table(measured)


def test_an_answer_that_is_not_the_right_one_is_not_measured(targets: list[Target]) -> None:
    ours, handwritten, _ = targets
    other = replace(
        handwritten, exchanges=[(body, text.replace('"level":2', '"level":3')) for body, text in handwritten.exchanges]
    )

    with pytest.raises(WrongAnswer, match="handwritten answers"):
        setup.agree(ours, other)
    with pytest.raises(WrongAnswer, match="handwritten answered"):
        load.run(few([ours, other]))


def test_the_profile_knows_where_the_time_goes(prepared: Setup) -> None:
    stacks, per_request = profile.profiled(prepared, replace(few([]), most=200), *profile.SERVERS["Marginalia"])
    seen = [frame_categories.category(stack) for stack, _count in stacks]

    assert per_request > 0
    assert set(seen) & {"SQLAlchemy", "asyncpg", "HTTP: uvicorn, h11"}
    assert seen.count(frame_categories.OTHER) < len(seen) / 4
    assert f"{per_request:,.0f} µs" in profile.table(stacks, per_request, 3)


def test_subscriptions_are_measured(prepared: Setup, capsys: pytest.CaptureFixture[str]) -> None:
    parts = (partial(subscriptions.idle, sockets=2, each=20), partial(subscriptions.short, count=250))
    with running_process(prepared.database_url, event_seconds=0.02) as server:
        for part in parts:
            asyncio.run(subscriptions.measure(server.address, server.process.pid, part))

    printed = capsys.readouterr().out
    assert printed.count("2 sockets with 20 subscriptions each") == 2
    assert [int(done) for done in re.findall(r"^ *(\d+) short ones", printed, re.MULTILINE)] == [200, 400]
    first, *later = (int(tasks) for tasks in re.findall(r"and (\d+) tasks held", printed))
    assert max(later) <= first + 10, "two sockets may be there, and what is about to end, but no subscription"


def test_many_chats_are_asked_for_in_every_way(prepared: Setup) -> None:
    with running_process(prepared.database_url) as server:
        measured = asyncio.run(bulk.measure(server.address, rounds=1, count=20))

    assert measured.keys() == bulk.WAYS.keys()
    assert bulk.table(measured).count("x") == 2 * len(bulk.WAYS)


def test_a_stack_belongs_to_the_innermost_place_that_has_a_step() -> None:
    packages = "/somewhere/site-packages"
    loop = ("asyncio/events.py", "_run")
    execute = (f"{packages}/graphql/execution/execute.py", "execute_field")
    json = ("json/encoder.py", "encode")
    write = ("asyncio/selector_events.py", "write")

    assert frame_categories.category([("typing.py", "cast"), execute, loop]) == "execute: graphql-core"
    assert frame_categories.category([json, execute, loop]) == "JSON"
    assert frame_categories.category(
        [write, (f"{packages}/uvicorn/protocols/http/h11_impl.py", "send"), execute]
    ).startswith("HTTP")
    assert frame_categories.category([loop, (f"{packages}/uvicorn/server.py", "run")]) == frame_categories.EVENT_LOOP
    assert frame_categories.category([("somewhere.py", "else")]) == frame_categories.OTHER
