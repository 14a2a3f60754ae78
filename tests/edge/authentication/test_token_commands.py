"""The commands secret, token and workspace."""

import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from marginalia.cli.commands import app
from tests.conftest import Serve
from tests.edge.authentication.conftest import viewer
from tests.support.client import Served
from tests.support.processes import ROOT, environment
from tests.support.tokens import SECRET

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder without settings."""
    monkeypatch.chdir(tmp_path)
    for name in environment().keys() & {"MARGINALIA_AUTH"}:
        monkeypatch.delenv(name)
    return tmp_path


def command(*args: str, env: Mapping[str, str] | None = None) -> Result:
    return CliRunner().invoke(app, args, env=dict(env or {}))


@on_sqlite
async def test_a_secret_and_a_token_made_with_it_let_a_user_in(elsewhere: Path, serve: Serve) -> None:
    made = command("secret", "keys/secret")
    assert (made.exit_code, made.stdout) == (0, "MARGINALIA_TOKEN_SECRET_FILE=keys/secret\n")
    file = elsewhere / "keys/secret"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(file.read_text().strip()) == 43
    env = {"MARGINALIA_TOKEN_SECRET_FILE": str(file), "MARGINALIA_TOKEN_AUDIENCE": "us"}
    options = ("--name", "A Name", "--role", "editor", "--expires", "15m", "--avatar", "https://a.example/b.png")
    token = command("token", "--user", "u1", *options, env=env)
    limited = command("token", "--user", "u2", "--document", "a=READER", "--document", "b=c=EDITOR", env=env)
    assert (token.exit_code, limited.exit_code) == (0, 0)
    async with serve(auth="tokens", token_secret_file=file, token_audience="us") as client:  # noqa: S106 - no password
        assert await viewer(client, token.stdout.strip()) == {
            "id": "user_u1",
            "role": "EDITOR",
            "workspace": "ws_local",
        }
        assert await viewer(client, limited.stdout.strip()) == {
            "id": "user_u2",
            "role": None,
            "workspace": "ws_local",
        }


@pytest.mark.usefixtures("elsewhere")
def test_a_secret_is_never_overwritten(elsewhere: Path) -> None:
    (elsewhere / "there").write_text("mine")
    (elsewhere / "link").symlink_to(elsewhere / "nowhere")
    for name in ("there", "link", "there/below", "."):
        assert command("secret", name).exit_code == 1
    assert (elsewhere / "there").read_text() == "mine"
    assert not (elsewhere / "nowhere").exists()


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize(
    ("args", "env", "told"),
    [
        (("--user", "u1", "--role", "EDITOR"), {}, "MARGINALIA_TOKEN_SECRET_FILE"),
        (("--user", "u1", "--role", "EDITOR"), {"MARGINALIA_TOKEN_SECRET": "short"}, "32 bytes"),
        (("--user", "u1", "--role", "EDITOR"), {"MARGINALIA_TOKEN_SECRET_FILE": "nowhere"}, "nowhere"),
        (("--user", "u1"), None, "--role"),
        (("--user", "u1", "--role", "EDITOR", "--document", "a=READER"), None, "either"),
        (("--user", "u1", "--role", "ADMIN"), None, "READER"),
        (("--user", "u1", "--document", "a"), None, "role"),
        (("--user", "u1", "--document", "a=OWNER"), None, "COMMENTER"),
        (("--user", "key_1", "--role", "EDITOR"), None, "key_"),
        (("--user", "u1", "--role", "EDITOR", "--expires", "0d"), None, "30d"),
        (("--user", "u1", "--role", "EDITOR", "--expires", "tomorrow"), None, "30d"),
        (("--user", "u1", "--role", "EDITOR", "--workspace", "a b"), None, "visible"),
        (("--user", "u1", "--role", "EDITOR", "--link", "--server", "127.0.0.1:8000"), None, "--server"),
        (("--user", "u1", "--role", "EDITOR", "--link", "--server", "http://u:p@a.example"), None, "--server"),
        (("--user", "u1", "--role", "EDITOR", "--link", "--server", "http://[::1"), None, "--server"),
    ],
)
def test_a_token_that_would_not_work_is_not_made(args: tuple[str, ...], env: dict[str, str] | None, told: str) -> None:
    ended = command("token", *args, env={"MARGINALIA_TOKEN_SECRET": SECRET} if env is None else env)
    assert (ended.exit_code, ended.stdout) == (2, "")
    (line,) = ended.stderr.splitlines()
    assert told in line


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize(
    ("server", "explorer"),
    [
        ((), "http://127.0.0.1:8000/graphiql"),
        (("--server", "http://[::1]:9000"), "http://[::1]:9000/graphiql"),
        (("--server", "https://a.example/chat/"), "https://a.example/chat/graphiql"),
        (("--server", "https://a.example/chat/graphiql"), "https://a.example/chat/graphiql"),
    ],
)
async def test_a_sign_in_link_has_the_token_where_no_server_sees_it(
    server: tuple[str, ...], explorer: str, client: Served
) -> None:
    options = ("--user", "u1", "--role", "EDITOR", "--link", *server)
    made = command("token", *options, env={"MARGINALIA_TOKEN_SECRET": SECRET})
    page, token = made.stdout.strip().split("#token=")
    assert page == explorer
    assert await viewer(client, token) == {"id": "user_u1", "role": "EDITOR", "workspace": "ws_local"}


def test_workspaces_are_created_and_listed(database_url: str) -> None:
    url = ("--database", database_url)
    assert command("workspace", "create", "acme", "--name", " Acme\tInc. ", *url).stdout == "acme\n"
    again = command("workspace", "create", "acme", *url)
    assert (again.exit_code, again.stdout) == (1, "")
    assert command("workspace", "create", "a b", *url).exit_code == 2
    assert command("workspace", "list", *url).stdout == "acme\tAcme Inc.\nlocal\tlocal\n"


def test_local_mode_imports_no_library_of_tokens() -> None:
    libraries = "{'httpx', 'joserfc', 'cryptography'}"
    code = f"import sys, marginalia.app; sys.exit(bool({libraries} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
