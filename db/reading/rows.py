"""Rows: light objects with the attributes that an operation reads of a row, made without the ORM.

A light row is an instance of its model, so that all code takes it as one. It is for reading only, and an attribute that
was not read raises `AttributeError`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple, TypeVar, cast

from sqlalchemy import ColumnElement, FromClause

from db.models import (
    ApiKey,
    AuditEntry,
    Base,
    ChatSession,
    Document,
    DocumentRevision,
    Grant,
    Message,
    Placement,
    Section,
    SectionRevision,
    ShareLink,
    User,
    attributes,
    derived,
)

B = TypeVar("B", bound=Base)

Selection = Mapping[type, frozenset[str]]
"""For each model, the names of the attributes that an operation reads."""

KEYS: Selection = {
    Document: frozenset({"id"}),
    Section: frozenset({"id"}),
    Placement: frozenset({"document_id", "section_id", "position", "is_copy"}),
    ChatSession: frozenset({"id", "section_id", "document_id"}),
    Message: frozenset({"id", "chat_id"}),
    User: frozenset({"id"}),
    Grant: frozenset({"document_id", "user_id"}),
    ShareLink: frozenset({"id", "document_id"}),
    ApiKey: frozenset({"id"}),
    AuditEntry: frozenset({"id"}),
    SectionRevision: frozenset({"section_id", "version"}),
    DocumentRevision: frozenset({"document_id", "version", "updated_at"}),
}
"""The attributes that each row has, whatever is selected: those that find other rows."""


class Part(NamedTuple):
    """A row among the columns of a statement: its model, and the attributes that are read of it."""

    kind: type[Base]
    names: Sequence[str]
    label: str = ""
    """Begins the labels of its columns; empty: the name of the model."""

    def of(self, table: Any) -> list[ColumnElement[Any]]:
        """Return its columns in a model, an alias or a subquery that has labels from here."""
        columns = table.c if isinstance(table, FromClause) else table
        return [getattr(columns, name).label(f"{self.label or self.kind.__name__}_{name}") for name in self.names]


def part(kind: type[Base], selected: Selection | None, also: Iterable[str] = ()) -> Part:
    """Return what is read of a model: its keys, what is selected, and what the caller needs; None selects all."""
    if selected is None:
        return Part(kind, attributes(kind))
    return _part(kind, selected.get(kind, _NOTHING), frozenset(also))


def selected_of(kinds: Iterable[type[Base]], selected: Selection | None) -> Selection | None:
    """Return what is selected of some models: equal and hashed alike for all operations that select alike."""
    return None if selected is None else _Hashable((kind, selected.get(kind, _NOTHING)) for kind in kinds)


def with_more(selected: Selection | None, more: Selection) -> Selection | None:
    """Return a selection with further attributes."""
    if selected is None:
        return None
    return {kind: selected.get(kind, _NOTHING) | more.get(kind, _NOTHING) for kind in {*selected, *more}}


class _Hashable(dict[type, frozenset[str]]):
    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(self.items()))


@cache
def _columns_behind(kind: type[Base]) -> Mapping[str, Sequence[str]]:
    """Return, for each attribute of a model, the columns that it is read from."""
    members = {name: member for cls in reversed(kind.__mro__) for name, member in vars(cls).items()}
    behind: dict[str, Sequence[str]] = {name: (name,) for name in attributes(kind)}
    return behind | {name: member.columns for name, member in members.items() if isinstance(member, derived)}


@cache
def _part(kind: type[Base], selected: frozenset[str], also: frozenset[str]) -> Part:
    behind = _columns_behind(kind)
    read = KEYS[kind].union(also, *(behind.get(name, ()) for name in selected))
    return Part(kind, tuple(name for name in attributes(kind) if name in read))


@cache
def light(kind: type[B]) -> type[B]:
    """Return the class of the light rows of a model: a subclass whose attributes are slots."""
    members = {"__abstract__": True, "__slots__": tuple(attributes(kind)), "__module__": __name__}
    make: Any = type(kind)  # the metaclass of the models
    return cast(type[B], make(f"{kind.__name__}Row", (kind,), members))


def copy_of(row: B) -> B:
    """Return a light copy of a row, light or not."""
    kind = next(cls for cls in type(row).__mro__ if cls in KEYS)
    copy: B = object.__new__(light(kind))
    for name in attributes(kind):
        try:
            setattr(copy, name, getattr(row, name))
        except AttributeError:  # not read
            continue
    return copy


_NOTHING: frozenset[str] = frozenset()

Convert = Callable[[Any], Any]
"""Converts what the driver returns into the value of an attribute."""

Read = Callable[[Iterable[Sequence[Any]]], list[tuple[Any, ...]]]
"""Makes of each row of a result its light rows, None where an outer join found none, and the columns behind them."""


def reader(parts: Sequence[Part], converters: Sequence[Convert | None]) -> Read:
    """Return what reads the results of a statement: the columns of its parts, and then others.

    It is generated, because a loop over attributes would take most of the time of a read.
    """
    names: dict[str, Any] = {"new": object.__new__}
    values = [f"v{number}" if convert is None else f"c{number}(v{number})" for number, convert in enumerate(converters)]
    names |= {f"c{number}": convert for number, convert in enumerate(converters) if convert is not None}
    lines = []
    first = 0
    for number, (kind, attributes_read, _label) in enumerate(parts):
        names[f"k{number}"] = light(kind)
        lines += [f"  if v{first} is None: p{number} = None", "  else:", f"   p{number} = new(k{number})"]
        lines += [f"   p{number}.{name} = {values[first + place]}" for place, name in enumerate(attributes_read)]
        first += len(attributes_read)
    made = [*(f"p{number}" for number in range(len(parts))), *values[first:]]
    columns = ", ".join(f"v{number}" for number in range(len(converters)))
    source = "\n".join(
        ["def read(rows):", " made = []", f" for {columns}, in rows:", *lines, f"  made.append(({', '.join(made)},))"]
    )
    exec(f"{source}\n return made", names)  # noqa: S102 - our own text: names of models and attributes
    return cast(Read, names["read"])
