"""Link reference definitions (`[label]: target`): a section keeps its link targets outside its original document.

A definition applies to a whole document. An imported section therefore stores the definitions that it uses from other
sections. When another document is exported, the export adds the definitions that the section lacks, under new labels
if that document defines the labels differently.
"""

import re
from collections import ChainMap, Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any, NamedTuple

from markdown_it.common.utils import normalizeReference

from db.documents import SectionText
from services import front_matter
from services.markdown_parser import Budget, parse
from services.reference_links import ReferenceLink, reference_links

_BRACKET = re.compile(r"\\.|[\[\]]", re.DOTALL)
_LONGEST_LABEL = 999
_LONGEST_BASE = 100


class Definition(NamedTuple):
    """The normalized target of a link, and its title, which is empty if there is none."""

    href: str
    title: str


def definitions(markdown: str, budget: Budget) -> dict[str, Definition]:
    """Return the definitions in a text, by normalized label; the first definition of a label applies."""
    if "]:" not in markdown:
        return {}
    found: dict[str, Any] = {}
    parse(markdown, budget, found)
    return {label: Definition(reference["href"], reference["title"]) for label, reference in found.items()}


def labels(*texts: str | None) -> dict[str, str]:
    """Return the possible labels in texts: the normalized labels, each with one of its spellings.

    The search does not parse and takes linear time. It can return too many labels, but never too few.
    """
    return {normalizeReference(spelling): spelling for text in texts if text for spelling in _bracketed(text)}


def _bracketed(text: str) -> Iterator[str]:
    start = None
    for bracket in _BRACKET.finditer(text):
        if bracket[0] == "[":
            start = bracket.end()
        elif bracket[0] == "]":
            if start is not None and 0 < bracket.start() - start <= _LONGEST_LABEL:
                yield text[start : bracket.start()]
            start = None


def remembered(document_id: str, elsewhere: Mapping[str, Definition]) -> dict[str, Any]:
    """Return the value stored with an imported section that uses these definitions from other sections."""
    return {"document": document_id, "definitions": {label: list(found) for label, found in elsewhere.items()}}


def with_targets_kept(texts: Sequence[SectionText], document_id: str, budget: Budget) -> Sequence[SectionText]:
    """Return the texts of a document, rewritten so that the links of sections from other documents keep their targets.

    A section that was not imported uses its own definitions. A label that neither its own nor its stored definitions
    define uses the definitions of the document. Raises the exceptions of `parse`.
    """
    remembering = [_remembering(text, document_id) for text in texts]
    if all(kept is None for kept in remembering):
        return texts
    own = [definitions(text.content, budget) for text in texts]
    meant = [{} if kept is None else {**mine, **kept} for mine, kept in zip(own, remembering, strict=True)]
    effective: dict[str, Definition] = {}
    for mine in own:
        for label, found in mine.items():
            effective.setdefault(label, found)
    if all(effective.get(label) == found for kept in meant for label, found in kept.items()):
        return texts
    given = _Labels(effective)
    used = [labels(text.title, text.content) for text in texts]
    for spellings, kept in zip(used, meant, strict=True):
        given.add_meanings(spellings, kept)
    rewritten = []
    for number, (text, spellings, kept) in enumerate(zip(texts, used, meant, strict=True)):
        budget.check()
        names = {
            label: given.name(label, spelling, kept[label]) for label, spelling in spellings.items() if label in kept
        }
        added = given.added()
        defined = _Defined({}, kept, effective)
        rewritten.append(_rewritten(text, names, added, defined, budget, is_first=number == 0))
    return rewritten


class _Defined(ChainMap[str, Any]):
    """The defined labels, as a mapping for the parser, which needs all of them to recognize links."""

    def __getitem__(self, label: str) -> Any:
        return {"href": "", "title": ""}


class _Labels:
    """The labels of a document, and the unused labels assigned to conflicting definitions."""

    def __init__(self, effective: dict[str, Definition]) -> None:
        self._effective = effective
        self._meanings: dict[str, set[Definition | None]] = defaultdict(set)
        self._names: dict[tuple[str, Definition], str] = {}
        self._numbers: Counter[str] = Counter()
        self._added: dict[str, Definition] = {}

    def add_meanings(self, used: Iterable[str], meant: Mapping[str, Definition]) -> None:
        """Record the definitions that a section associates with its labels."""
        for label in used:
            self._meanings[label].add(meant.get(label))

    def name(self, label: str, spelling: str, found: Definition) -> str | None:
        """Return the new label of a definition, or None if it keeps its label."""
        if self._effective.get(label) == found:
            return None
        if (label, found) in self._names:
            return self._names[label, found]
        spelling = " ".join(spelling.split())
        if label not in self._effective and len(self._meanings[label]) == 1:
            self._effective[label] = self._added[spelling] = found
            return None
        name = self._names[label, found] = self._unused(spelling)
        self._effective[normalizeReference(name)] = self._added[name] = found
        return name

    def added(self) -> Mapping[str, Definition]:
        """Return the definitions added since the last call."""
        added, self._added = self._added, {}
        return added

    def _unused(self, spelling: str) -> str:
        base = spelling if len(spelling) <= _LONGEST_BASE else "link"
        while True:
            self._numbers[base] += 1
            name = f"{base}-{self._numbers[base] + 1}"
            label = normalizeReference(name)
            if label not in self._effective and label not in self._meanings:
                return name


def _remembering(text: SectionText, document_id: str) -> dict[str, Definition] | None:
    """Return the stored definitions of a section, or None if the definitions of the document apply to all of it."""
    origin = text.link_definitions
    if not isinstance(origin, dict) or origin.keys() != {"document", "definitions"}:
        return {} if "]:" in text.content else None
    if origin["document"] == document_id:
        return None
    return {label: Definition(*found) for label, found in origin["definitions"].items()}


def _rewritten(
    text: SectionText,
    names: Mapping[str, str | None],
    added: Mapping[str, Definition],
    defined: MutableMapping[str, Any],
    budget: Budget,
    *,
    is_first: bool,
) -> SectionText:
    """Return a text with renamed labels, and with the added definitions at its start."""
    changed = {label: name for label, name in names.items() if name is not None}
    content, title = text.content, text.title
    if changed:
        content = _renamed(content, reference_links(content, defined, budget), changed)
        if title:
            title = _renamed(title, reference_links(title, defined, budget, is_inline=True), changed)
    if added:
        eol = "\r\n" if "\r" in content else "\n"
        block = eol.join(_written(name, found) for name, found in added.items())
        front = front_matter.length(content) if is_first and title is None else 0
        parts = (content[:front].removesuffix("\n").removesuffix("\r"), block, content[front:])
        content = (eol * 2).join(filter(None, parts))
    return text._replace(title=title, content=content)


def _renamed(text: str, links: Sequence[ReferenceLink], names: Mapping[str, str]) -> str:
    parts, done = list[str](), 0
    for link in links:
        if link.label in names:
            parts += text[done : link.start], f"[{names[link.label]}]"
            done = link.end
    return "".join([*parts, text[done:]])


def _written(name: str, found: Definition) -> str:
    title = found.title.replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;")
    href = found.href.replace("\\", "%5C").replace("<", "%3C").replace(">", "%3E").replace("&", "&amp;")
    return f"[{name}]: <{href}>" + (f' "{title}"' if title else "")
