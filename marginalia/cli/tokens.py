"""The command line of tokens: makes a secret, and tokens signed with it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from marginalia.cli.failure import MISCONFIGURED, fail
from marginalia.cli.options import read_for

if TYPE_CHECKING:
    from db.principals import Role

ROLES = "READER, COMMENTER, EDITOR or OWNER"


def secret(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write; it must not exist yet.")] = Path(
        "var/token-secret"
    ),
) -> None:
    """Write a new secret for tokens into a file that only you may read."""
    from marginalia.authentication import signing
    from marginalia.authentication.settings import BadKey

    try:
        signing.write_secret(file)
    except BadKey as error:
        fail(str(error))
    print(f"MARGINALIA_TOKEN_SECRET_FILE={file}")


def token(
    user: Annotated[str, typer.Option(help="The id of the user.", show_default=False)],
    role: Annotated[str | None, typer.Option(help=f"Their role in the workspace: {ROLES}.")] = None,
    name: Annotated[str | None, typer.Option(help="Their name.")] = None,
    workspace: Annotated[str, typer.Option(help="The id of the workspace.")] = "local",
    expires: Annotated[str, typer.Option(help="How long the token is valid, such as 15m, 12h or 30d.")] = "30d",
    avatar: Annotated[str | None, typer.Option(help="The URL of their picture.")] = None,
    document: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ID=ROLE",
            help="A document that the token is good for, and a role on it. May be repeated; then no "
            "other document can be used.",
        ),
    ] = None,
    link: Annotated[
        bool, typer.Option("--link", help="Print a link that signs in to the explorer, instead of the token.")
    ] = False,
    server: Annotated[
        str, typer.Option(metavar="URL", help="The server of that link, as `serve` prints it.")
    ] = "http://127.0.0.1:8000",
) -> None:
    """Print a token for a user, signed with the configured secret."""
    from marginalia.authentication import signing
    from marginalia.authentication.settings import BadKey, read_authentication_settings
    from marginalia.authentication.signing import BadToken

    settings = read_for(None, read_authentication_settings)
    explorer = _explorer(server)
    if (role is None) == (not document):
        fail("A token needs either --role or --document ID=ROLE.", MISCONFIGURED)
    try:
        made = signing.token(
            settings,
            user,
            workspace,
            _role(role) if role else None,
            lifetime_s=signing.seconds(expires),
            name=name,
            avatar=avatar,
            documents=dict(map(_document, document)) if document else None,
        )
    except (BadKey, BadToken) as error:
        fail(str(error), MISCONFIGURED)
    # In the fragment, which browsers do not send: no server or proxy sees or logs it.
    print(f"{explorer}#token={made}" if link else made)


def _explorer(server: str) -> str:
    """Return the URL of the explorer of a server."""
    try:
        scheme, host, path, query, fragment = urlsplit(server)
    except ValueError:
        scheme = host = path = query = fragment = ""
    if scheme not in ("http", "https") or not host or "@" in host or query or fragment or not server.isprintable():
        fail("--server is the URL of a server, such as http://127.0.0.1:8000.", MISCONFIGURED)
    return f"{scheme}://{host}{path.rstrip('/').removesuffix('/graphiql')}/graphiql"


def _role(named: str) -> "Role":
    from db.principals import Role

    if named.upper() not in Role.__members__:
        fail(f"{named} is no role; a role is {ROLES}.", MISCONFIGURED)
    return Role[named.upper()]


def _document(given: str) -> tuple[str, "Role"]:
    document_id, _, named = given.rpartition("=")
    role = _role(named)
    if not document_id or role.name == "OWNER":
        fail("--document is an id and READER, COMMENTER or EDITOR, as in doc_1=COMMENTER.", MISCONFIGURED)
    return document_id, role
