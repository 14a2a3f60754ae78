"""Front matter: the YAML or TOML at the start of a Markdown file, its extent and its title."""

import re
import tomllib
from typing import NamedTuple

from db.ids import is_storable

MAX_TITLE_SOURCE = 10_000
"""The most characters that are searched for a title: after the key in YAML, in total in TOML."""

_EOL = r"(?:\r\n?|\n)"
_NO_TEXT = re.compile(rf"(?:[ \t]*(?:#[^\r\n]*)?{_EOL})*")
_WORD = r"[\w@$./+-]+"
_QUOTED = r"\"[^\"\r\n]*\"|'[^'\r\n]*'"


class _Syntax(NamedTuple):
    opening: re.Pattern[str]
    closing: re.Pattern[str]
    # The start of the first line with text, so that a thematic break at the start of a document is not front matter.
    entry: re.Pattern[str]


_YAML = _Syntax(
    re.compile(rf"---[ \t]*{_EOL}"),
    re.compile(rf"(?<=[\r\n])(?:---|\.\.\.)[ \t]*(?:{_EOL}|\Z)"),
    re.compile(rf"(?![-?][ \t])(?:{_QUOTED}|{_WORD}(?: {_WORD}){{0,3}})[ \t]*:(?:\s|\Z)"),
)
_TOML = _Syntax(
    re.compile(rf"\+\+\+[ \t]*{_EOL}"),
    re.compile(rf"(?<=[\r\n])\+\+\+[ \t]*(?:{_EOL}|\Z)"),
    re.compile(rf"\[|(?:{_QUOTED}|[\w.-]+)[ \t]*="),
)

_TITLE_KEY = re.compile(r"(?:\A|(?<=[\r\n]))(?:title|\"title\"|'title')[ \t]*:(?=\s|\Z)[ \t]*")
_DOUBLE_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_SINGLE_QUOTED = re.compile(r"'((?:[^']|'')*)'")
_BLOCK_SCALAR = re.compile(rf"[|>][-+1-9]*[ \t]*(?:#[^\r\n]*)?{_EOL}")
_PLAIN = re.compile(rf"[^\r\n]*(?:{_EOL}[ \t]+[^\r\n]*|{_EOL}(?=[ \t\r\n]))*")
_COMMENT = re.compile(r"(?:\A|[ \t])#[^\r\n]*")
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|\r\n|.)", re.DOTALL)
_ESCAPES = {"0": "\0", "t": "\t", "n": "\n", "r": "\r", "e": " ", "a": " ", "b": " ", "f": " ", "v": " ", "_": "\u00a0"}
_ESCAPES |= {"N": " ", "L": " ", "P": " ", "\n": "", "\r": "", "\r\n": ""}
_NOT_PLAIN = tuple("&*!|>%@`[]{},#")
_NULLS = {"", "~", "null", "Null", "NULL"}


def length(markdown: str) -> int:
    """Return the length of the front matter at the start of a text, including its last line ending; 0 if it has none.

    YAML front matter starts with `---` in the first line and ends with `---` or `...`. It is empty or starts with a
    key, after optional blank lines and comments. TOML front matter uses `+++`. An unclosed block is Markdown.
    """
    for syntax in (_YAML, _TOML):
        if opening := syntax.opening.match(markdown):
            closing = syntax.closing.search(markdown, opening.end())
            if closing is None:
                return 0
            text = _NO_TEXT.match(markdown, opening.end())
            begins = text.end() if text else opening.end()
            is_empty = closing.start() == opening.end()
            is_mapping = begins < closing.start() and syntax.entry.match(markdown, begins)
            return closing.end() if is_empty or is_mapping else 0
    return 0


def title(markdown: str) -> str | None:
    """Return the title in the front matter of a text, as one line, or None if it has no title.

    In YAML only the value of `title` is read: quoted or plain, on one or several lines. Aliases are not resolved, so
    that no YAML can expand. A value that is not a text, or that some database cannot store, is not a title.
    """
    end = length(markdown)
    if not end:
        return None
    inside = markdown[markdown.index(markdown[0] * 3) + 3 : end]
    inside = inside.lstrip(" \t").rstrip("\r\n \t")[:-3]
    found = _toml_title(inside) if markdown.startswith("+") else _yaml_title(inside)
    line = " ".join((found or "").split())
    return line if line and is_storable(line) else None


def _toml_title(toml: str) -> str | None:
    if len(toml) > MAX_TITLE_SOURCE:
        return None
    try:
        found = tomllib.loads(toml).get("title")
    except (tomllib.TOMLDecodeError, RecursionError):
        return None
    return found if isinstance(found, str) else None


def _yaml_title(yaml: str) -> str | None:
    key = _TITLE_KEY.search(yaml)
    if key is None:
        return None
    value = yaml[key.end() : key.end() + MAX_TITLE_SOURCE]
    if value.startswith('"'):
        quoted = _DOUBLE_QUOTED.match(value)
        return _ESCAPE.sub(_unescaped, quoted[1]) if quoted else None
    if value.startswith("'"):
        quoted = _SINGLE_QUOTED.match(value)
        return quoted[1].replace("''", "'") if quoted else None
    if header := _BLOCK_SCALAR.match(value):
        # The lines are indented; the first one without indentation ends the value.
        lines = _PLAIN.match("\n" + value[header.end() :])
        return lines[0] if lines else None
    plain = _PLAIN.match(value)
    return _plain(plain[0]) if plain else None


def _plain(value: str) -> str | None:
    first, *others = (_COMMENT.sub("", line).strip() for line in value.splitlines() or [""])
    if first.startswith(_NOT_PLAIN):
        return None
    if first in _NULLS:
        rest = " ".join(filter(None, others))
        # A value that starts on the next line and has keys or dashes is not a text.
        first, others = (
            ("", []) if rest.startswith(("- ", *_NOT_PLAIN)) or re.search(r":(?:\s|\Z)", rest) else (rest, [])
        )
    line = " ".join(filter(None, [first, *others]))
    return None if line in _NULLS else line


def _unescaped(escape: re.Match[str]) -> str:
    sequence = escape[1]
    if sequence[0] in "xuU" and len(sequence) > 1:
        number = int(sequence[1:], 16)
        return chr(number) if number <= 0x10FFFF else "\ufffd"
    return _ESCAPES.get(sequence, sequence)
