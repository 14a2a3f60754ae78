"""The benchmarks: that their parts run and compare the same thing. How fast it is, no test asserts."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

import pytest

from benchmarks import bulk, ensure, load, profile, stage, steps, subscriptions
from benchmarks.load import Job, Target, WrongAnswer
from benchmarks.stage import Stage
from tests.support.processes import running_process


@pytest.fixture(scope="module")
def staged(postgres_server: str) -> Iterator[Stage]:
    with stage.staged(postgres_server, documents=1) as staged:
        yield staged


@pytest.fixture(scope="module")
def targets(staged: Stage) -> Iterator[list[Target]]:
    with ExitStack() as stack:
        yield [stack.enter_context(server) for server in (staged.marginalia(), staged.bare(), staged.plain())]


def few(targets: list[Target]) -> Job:
    return Job(targets, connections=4, rounds=1, seconds=30, most=20, warm_up=0)


def test_all_sides_give_the_answer_that_is_measured_as_often_as_they_are_asked(targets: list[Target]) -> None:
    stage.agree(*targets)
    measured = load.run(few(targets))

    assert {name: [each.requests for each in rounds] for name, rounds in measured.items()} == {
        "marginalia": [20],
        "bare": [20],
        "plain": [20],
    }
    assert "bare / marginalia = " in ensure.table(measured)


def test_an_answer_that_is_not_the_right_one_is_not_measured(targets: list[Target]) -> None:
    ours, bare, _ = targets
    other = replace(bare, exchanges=[(body, text.replace('"level":2', '"level":3')) for body, text in bare.exchanges])

    with pytest.raises(WrongAnswer, match="bare answers"):
        stage.agree(ours, other)
    with pytest.raises(WrongAnswer, match="bare answered"):
        load.run(few([ours, other]))


def test_the_profile_knows_where_the_time_goes(staged: Stage) -> None:
    stacks, per_request = profile.sampled(staged, replace(few([]), most=200), *profile.SERVERS["Marginalia"])
    seen = [steps.step(stack) for stack, _count in stacks]

    assert per_request > 0
    assert set(seen) & {"SQLAlchemy", "asyncpg", "HTTP: uvicorn, h11"}
    assert seen.count(steps.OTHER) < len(seen) / 4
    assert f"{per_request:,.0f} µs" in profile.table(stacks, per_request, 3)


def test_subscriptions_are_measured(staged: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    parts = (partial(subscriptions.idle, sockets=2, each=20), partial(subscriptions.short, count=250))
    with running_process(staged.database_url, event_seconds=0.02) as server:
        for part in parts:
            asyncio.run(subscriptions.measure(server.address, server.process.pid, part))

    printed = capsys.readouterr().out
    assert printed.count("2 sockets with 20 subscriptions each") == 2
    assert [int(done) for done in re.findall(r"^ *(\d+) short ones", printed, re.MULTILINE)] == [200, 400]
    first, *later = (int(tasks) for tasks in re.findall(r"and (\d+) tasks held", printed))
    assert max(later) <= first + 10, "two sockets may be there, and what is about to end, but no subscription"


def test_many_chats_are_asked_for_in_every_way(staged: Stage) -> None:
    with running_process(staged.database_url) as server:
        measured = asyncio.run(bulk.measure(server.address, rounds=1, count=20))

    assert measured.keys() == bulk.WAYS.keys()
    assert bulk.table(measured).count("x") == 2 * len(bulk.WAYS)


def test_a_stack_belongs_to_the_innermost_place_that_has_a_step() -> None:
    packages = "/somewhere/site-packages"
    loop = ("asyncio/events.py", "_run")
    execute = (f"{packages}/graphql/execution/execute.py", "execute_field")
    json = ("json/encoder.py", "encode")
    write = ("asyncio/selector_events.py", "write")

    assert steps.step([("typing.py", "cast"), execute, loop]) == "execute: graphql-core"
    assert steps.step([json, execute, loop]) == "JSON"
    assert steps.step([write, (f"{packages}/uvicorn/protocols/http/h11_impl.py", "send"), execute]).startswith("HTTP")
    assert steps.step([loop, (f"{packages}/uvicorn/server.py", "run")]) == steps.EVENT_LOOP
    assert steps.step([("somewhere.py", "else")]) == steps.OTHER
