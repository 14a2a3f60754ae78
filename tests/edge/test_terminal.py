"""The terminal: what came from outside is shown to it, and never obeyed."""

import logging
import os
import pty
from collections.abc import Iterator, Mapping
from contextlib import suppress
from io import StringIO

import pytest
import structlog

from marginalia import terminal
from marginalia.observability import log_config
from tests.support.processes import begin, environment

HOSTILE = "\x1b[31mevil\x9b31m\x07\x7f\u202e\u2066"


def assert_obeys_nothing(text: str) -> None:
    """Insist that of the hostile text only what is plain has been written as it was. Colours of our own are not it."""
    assert "\x1b[31mevil" not in text
    for character in ("\x9b", "\x07", "\x7f", "\u202e", "\u2066"):
        assert character not in text, text


def on_a_terminal(*args: str, env: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Run a command of ours on a terminal, and return how it ended and all that the terminal was sent."""
    ours, theirs = pty.openpty()
    process = begin((theirs, theirs), *args, env=env)
    os.close(theirs)
    written = b""
    with suppress(OSError):  # so the end of a terminal is told
        while piece := os.read(ours, 65_536):
            written += piece
    os.close(ours)
    return process.wait(60), written.decode("utf-8", "surrogateescape")


@pytest.mark.parametrize(
    "args",
    [
        ("import", HOSTILE + ".md"),
        ("import-legacy", HOSTILE + ".json"),
        ("import", "README.md", "--database", f"sqlite:////proc/{HOSTILE}/x.db"),
        ("migrate", "--database", f"mysql{HOSTILE}://x/y"),
        ("migrate", "--database", f"sqlite:///x?{HOSTILE}=1"),
        ("doctor", "--database", f"sqlite:////proc/{HOSTILE}"),
        ("serve", "--host", HOSTILE),
        ("serve", "--port", HOSTILE),
        ("serve", f"--{HOSTILE}"),
        (HOSTILE,),
    ],
    ids=lambda args: " ".join(args[:2]).replace(HOSTILE, "HOSTILE"),
)
def test_what_a_command_was_given_is_shown_to_a_terminal_and_not_obeyed(args: tuple[str, ...]) -> None:
    code, written = on_a_terminal(*args)

    assert code in (1, 2), written
    assert_obeys_nothing(written)


@pytest.mark.parametrize("name", ["log_level", "allowed_origins", "trusted_documents", "trust", "pool_size"])
def test_what_a_setting_holds_is_shown_to_a_terminal_and_not_obeyed(name: str) -> None:
    hostile = f'["{HOSTILE}"]' if name == "allowed_origins" else HOSTILE
    code, written = on_a_terminal("serve", "--port", "0", env=environment(**{name: hostile}))

    assert code == 2, written
    assert_obeys_nothing(written)


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(params=[Terminal, StringIO], ids=["terminal", "file"])
def stream(request: pytest.FixtureRequest) -> Iterator[StringIO]:
    """Log into a stream, as a server does, and hand it to the test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    into: StringIO = request.param()
    log_config.configure("debug", into)
    yield into
    root.handlers[:] = handlers
    root.setLevel(level)


def test_what_is_logged_is_shown_and_not_obeyed(stream: StringIO) -> None:
    ours, theirs = structlog.stdlib.get_logger("marginalia.test"), logging.getLogger("somebody.else")
    written = []
    for log in (
        lambda: ours.warning("socket refused", origin=f"http://{HOSTILE}"),
        lambda: ours.warning(f"{HOSTILE} happened"),
        lambda: ours.warning("a list", values=[HOSTILE], **{"na\x1b[31mevil": 1}),
        lambda: theirs.warning("Invalid key/value pair (%s) found.", HOSTILE),
        lambda: log_config.log_event(theirs, "operation", operation=HOSTILE),
    ):
        log()
        written.append(stream.getvalue())
        stream.seek(0)
        stream.truncate()

    for each in written:
        assert "evil" in each
        assert_obeys_nothing(each)
        assert each.count("\n") == 1


def test_the_text_of_an_exception_is_shown_and_not_obeyed(stream: StringIO) -> None:
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        structlog.stdlib.get_logger("marginalia.test").exception("fault")

    assert_obeys_nothing(stream.getvalue())


def test_a_traceback_that_ends_a_process_is_shown_and_not_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise ValueError(HOSTILE)
    except ValueError as error:
        terminal.write_traceback(type(error), error, error.__traceback__)

    written = capsys.readouterr().err
    assert_obeys_nothing(written)
    assert len(written.splitlines()) > 3


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("plain", "plain"),
        ("Übung 日本 “so”", "Übung 日本 “so”"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("\x00\x1b\x7f", "\\x00\\x1b\\x7f"),
        ("\x80\x9b\x9f", "\\x80\\x9b\\x9f"),
        ("\u200e\u2028\u202e\u2069\ufeff", "\\u200e\\u2028\\u202e\\u2069\\ufeff"),
        ("\udc9b", "\\udc9b"),
    ],
)
def test_what_is_no_plain_character_is_spelled_out(given: str, shown: str) -> None:
    assert terminal.printable(given) == shown
