"""Allowed hosts: the names that a server answers to besides those of this machine."""

import pytest

from marginalia.settings import Settings
from marginalia.transports.hosts import AllowedHosts
from tests.conftest import Serve
from tests.edge.conftest import Log
from tests.support import signed_in

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

QUERY = {"query": "{ __typename }"}


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("editor.example", True),
        ("Editor.Example.:8443", True),
        ("a.internal.example", True),
        ("a.b.internal.example:80", True),
        ("internal.example", False),
        ("evilinternal.example", False),
        ("editor.example.evil.example", False),
        ("*.internal.example", False),
        ("10.1.2.3", True),
        ("[2001:db8::5]:80", True),
        ("localhost", True),
        ("[::1]", True),
        ("none", False),
        ("", False),
    ],
)
def test_a_name_is_one_of_the_setting_or_below_one(host: str, expected: bool) -> None:
    hosts = AllowedHosts(["editor.example", "*.internal.example", "10.1.2.3", "2001:db8::5", "none"])

    assert hosts.allows(host.encode()) is expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("Editor.Example.", ["editor.example"]),
        ("a.example, *.B.example", ["a.example", "*.b.example"]),
        ("2001:DB8::5,[::1],10.0.0.1", ["2001:db8::5", "::1", "10.0.0.1"]),
        ("none", ["none"]),
        ('["a.example"]', ["a.example"]),
    ],
)
def test_the_hosts_are_a_list(monkeypatch: pytest.MonkeyPatch, given: str, expected: list[str]) -> None:
    monkeypatch.setenv("MARGINALIA_ALLOWED_HOSTS", given)

    assert Settings(_env_file=None, **signed_in.SETTINGS).allowed_hosts == expected


@pytest.mark.parametrize(
    "given", ["*", "*.", "a.*.example", "https://a.example", "a.example:80", "a.example/x", "a..b"]
)
def test_a_host_that_is_none_is_explained_by_an_example(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("MARGINALIA_ALLOWED_HOSTS", given)

    with pytest.raises(ValueError, match=r"is not a host: .* write MARGINALIA_ALLOWED_HOSTS="):
        Settings(_env_file=None, **signed_in.SETTINGS)


@on_sqlite
async def test_a_refused_host_is_logged_with_the_setting_that_would_allow_it(serve: Serve, log: Log) -> None:
    async with serve(**signed_in.SETTINGS, allowed_hosts="editor.example") as client:
        for host, expected in (("editor.example", 200), ("other.example:8000", 400), ("a b", 400)):
            headers = {**signed_in.HEADERS, "Host": host}
            assert (await client.http.post("/graphql", json=QUERY, headers=headers)).status_code == expected
    named, unnamed = log.of("request refused")
    assert named["hint"] == "To accept it, add it: MARGINALIA_ALLOWED_HOSTS=other.example"
    assert "hint" not in unnamed
