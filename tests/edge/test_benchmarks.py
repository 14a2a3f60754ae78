"""The benchmarks: that their parts run and compare the same thing. How fast it is, no test asserts."""

import asyncio
import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from graphql import GraphQLInterfaceType, GraphQLObjectType, build_schema, parse, validate

from benchmarks import (
    attacks,
    bulk,
    compare,
    execution,
    frame_categories,
    load,
    profile,
    report,
    rounds,
    servers,
    setup,
    subscriptions,
    workloads,
)
from benchmarks.load import Job, WrongAnswer
from benchmarks.rounds import Plan
from benchmarks.servers import KINDS, PEERS, CannotStart, Server
from benchmarks.setup import Setup
from benchmarks.workloads import WORKLOADS
from tests.support.processes import ROOT, running_process

PYTHON = [kind for kind in KINDS.values() if not servers.needs_node(kind)]
NODE = [kind for kind in KINDS.values() if servers.needs_node(kind)]
EVERYDAY = {"ensure", "document-20", "subscribers"}
"""The workloads that are tried in each run: the others differ from them in what is asked, not in how."""


@pytest.fixture(scope="module")
def prepared(postgres_server: str) -> Iterator[Setup]:
    with setup.prepared(postgres_server) as prepared:
        yield prepared


@pytest.fixture(scope="module")
def plan(prepared: Setup) -> Plan:
    return Plan(
        rounds=1,
        seconds=0.05,
        connections=2,
        subscribers=20,
        database_url=prepared.database_url,
        warm_up=False,
    )


@pytest.fixture(scope="module")
def in_python(prepared: Setup) -> Iterator[Sequence[Server]]:
    with ExitStack() as stack:
        yield [stack.enter_context(servers.running(kind, prepared)) for kind in PYTHON]


@pytest.fixture(scope="module")
def peers(prepared: Setup) -> Iterator[Sequence[Server]]:
    if not servers.has_node():
        reason = "No Node.js with npm here: install them, version 20.19 or newer."
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    servers.install_peers()
    with ExitStack() as stack:
        yield [stack.enter_context(servers.running(kind, prepared)) for kind in NODE]


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in EVERYDAY else pytest.mark.thorough) for name in compare.NAMES],
)
def test_the_servers_in_python_give_equal_answers_in_every_workload(
    name: str, in_python: Sequence[Server], plan: Plan
) -> None:
    measured = compare.measure(name, compare.able_to(name, in_python), plan)

    assert {servers.OURS, "marginalia-sqlite"} <= measured.keys() <= {kind.name for kind in PYTHON}
    assert all(sample.round.requests > 0 for each in measured.values() for sample in each.samples)
    assert report.markdown("A title", measured).count(f"**{servers.OURS}**") == 1
    assert report.text(name, "A title", measured).count("\n") == len(measured) + 2


@pytest.mark.thorough  # `make bench` itself insists on equal answers
@pytest.mark.parametrize("name", compare.NAMES)
def test_the_peers_give_our_answers_in_every_workload(
    name: str, in_python: Sequence[Server], peers: Sequence[Server], plan: Plan
) -> None:
    measured = compare.measure(name, [in_python[0], *peers], plan)

    assert measured.keys() == {servers.OURS, *(kind.name for kind in NODE)}


@pytest.mark.thorough
@pytest.mark.usefixtures("peers")
def test_all_engines_execute_to_the_same_answer() -> None:
    timings = execution.measure([1, 2], 0.01)

    assert timings.keys() == {execution.OURS, "graphql-core", "graphql-js", "graphql-jit"}
    assert execution.table([1, 2], timings).count("(") == 8


def test_an_answer_that_is_not_the_right_one_is_not_measured(in_python: Sequence[Server]) -> None:
    workload, ours = WORKLOADS["ensure"], in_python[0]
    answers = rounds.first_answers(workload, ours)
    wrong = [answer.replace("Section 1", "Section 2") for answer in answers]

    with pytest.raises(WrongAnswer, match="another answers"):
        rounds.agree({"ours": answers, "another": wrong})
    with pytest.raises(WrongAnswer, match="marginalia answered"):
        load.run(Job(rounds.target(workload, ours, wrong, 1), seconds=1))


def test_a_server_that_cannot_start_is_named(prepared: Setup, tmp_path: Path) -> None:
    (tmp_path / "marginalia").mkdir()
    (tmp_path / "marginalia/__main__.py").write_text("raise SystemExit('It is broken.')")

    with pytest.raises(CannotStart, match=r"before: there is no checkout .* at /nowhere"):
        servers.checkout("before", "/nowhere")
    with (
        pytest.raises(CannotStart, match=r"(?s)before cannot start.*It is broken"),
        servers.running(servers.checkout("before", str(tmp_path)), prepared),
    ):
        pass
    with pytest.raises(CannotStart, match="there is no server nginx"):
        compare.chosen(["nginx"], [])


def test_without_node_the_servers_in_python_are_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(servers, "has_node", lambda: False)

    assert compare.chosen([], []) == PYTHON
    assert "No Node.js" in capsys.readouterr().err
    with pytest.raises(CannotStart, match="no server left"):
        compare.chosen(["yoga"], [])


def test_another_checkout_is_measured(prepared: Setup, plan: Plan) -> None:
    with servers.running(servers.checkout("before", str(ROOT)), prepared) as server:
        assert compare.measure("ensure", [server], plan).keys() == {"before"}


def test_the_tables_of_the_page_are_replaced(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    begin, end = report.TABLES
    page.write_text(f"Before.\n{begin}\nold\n{end}\nAfter.\n")
    for table in ("one", "two"):
        report.write(page, report.TABLES, "How", [table])

    text = page.read_text()
    assert text.startswith(f"Before.\n{begin}\n")
    assert text.endswith(f"two\n\n{end}\nAfter.\n")
    assert "one" not in text
    assert "old" not in text


def test_the_page_has_the_comments_around_its_tables() -> None:
    text = (ROOT / "docs/performance.md").read_text()

    places = [text.index(mark) for mark in (*report.TABLES, *report.EXECUTION)]
    assert places == sorted(places)


def test_the_schema_of_the_peers_is_a_part_of_ours() -> None:
    ours, theirs = build_schema((ROOT / "schema.graphql").read_text()), execution.schema()
    for name, kind in theirs.type_map.items():
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType) and not name.startswith("__"):
            fields = ours.type_map[name].fields  # type: ignore[attr-defined] # an object type there too
            for key, field in kind.fields.items():
                assert str(field.type) == str(fields[key].type), f"{name}.{key}"
                assert {key: str(arg.type) for key, arg in field.args.items()}.items() <= {
                    key: str(arg.type) for key, arg in fields[key].args.items()
                }.items()
    for text in (workloads.ENSURE, workloads.DOCUMENT, workloads.CHAT, workloads.OPENED):
        assert not validate(ours, parse(text))
        assert not validate(theirs, parse(text))


def test_the_lock_of_the_peers_has_hashes_exact_versions_and_no_address() -> None:
    lock = json.loads((PEERS / "package-lock.json").read_text())
    packages = [package for path, package in lock["packages"].items() if path]

    assert all("integrity" in package and "resolved" not in package for package in packages)
    assert all(version[0].isdigit() for version in lock["packages"][""]["dependencies"].values())


def test_the_profile_knows_where_the_time_goes(prepared: Setup) -> None:
    stacks, per_request = profile.profiled(prepared, WORKLOADS["ensure"], 0.5, 4, *profile.SERVERS["Marginalia"])
    seen = [frame_categories.category(stack) for stack, _count in stacks]

    assert per_request > 0
    assert set(seen) & {"our db", "our engine", "asyncpg", "HTTP: uvicorn"}
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


@pytest.mark.thorough
def test_attacks_are_measured(capsys: pytest.CaptureFixture[str]) -> None:
    attacks.run(ROOT, seconds=0.5, names=list(attacks.ATTACKS))

    lines = capsys.readouterr().out.splitlines()[3:]
    assert [line[:26].strip() for line in lines] == list(attacks.ATTACKS)
    assert [line.split()[-5] for line in lines] == ["0"] * len(lines), "no request of the other client failed"
