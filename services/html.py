"""HTML: Markdown as HTML that is safe to show, whatever its author wrote."""

import html
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import nh3
from markdown_it import MarkdownIt, rules_inline

from db.documents import SectionText
from db.models import Document, Section
from db.reading.unreadable import Unreadable
from db.store import Store
from services import exports, front_matter, limits
from services.markdown_parser import Budget, LimitExceeded, bounded_parser
from services.worker import Worker

_TAGS = {
    *("p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "code", "em", "strong", "s"),
    *("ul", "ol", "li", "a", "img", "table", "thead", "tbody", "tr", "th", "td"),
}
_ATTRIBUTES = {
    "a": {"href", "title"},
    "img": {"src", "alt", "title"},
    "ol": {"start"},
    "code": {"class"},
    "th": {"style"},
    "td": {"style"},
}

InlineRule = Callable[[Any, bool], bool]

# One text at a time, in a thread, so that a long text does not block the event loop.
renderings = Worker("html", limits.PENDING_EXPORT_LENGTH)


async def of_documents(store: Store, documents: Sequence[Document]) -> Sequence[str | BaseException]:
    """Return whole documents as HTML, or why one cannot be returned."""
    return [
        found if isinstance(found, BaseException) else await _rendered(found)
        for found in await exports.markdown_of(store, documents)
    ]


async def of_sections(sections: Sequence[Section]) -> Sequence[str | Exception]:
    """Return the text of each section as HTML, without its heading, or why it cannot be returned."""
    return [await _of_section(section) for section in sections]


def rendered(markdown: str, budget: Budget) -> str:
    """Return Markdown as HTML: CommonMark with tables and strikethrough, without front matter.

    HTML in it is shown as text. Links lead to the web, to mail or to other pages here, and images come from the web or
    from here. Raises the exceptions of `parse`.
    """
    text = markdown[front_matter.length(markdown) :]
    return _cleaner().clean(_renderer().render(text, {"budget": budget}))


async def _of_section(section: Section) -> str | Exception:
    text = SectionText(None, section.level, section.content, section.link_definitions)
    for value in text:
        if isinstance(value, Unreadable):
            return value
    return await _rendered(await exports.composed("", [text]))


async def _rendered(markdown: str) -> str:
    budget = Budget(seconds=limits.RENDER_SECONDS)
    try:
        return await renderings.run(len(markdown), budget, lambda: rendered(markdown, budget))
    except LimitExceeded:
        return f"<pre>{html.escape(markdown, quote=False)}</pre>\n"


@cache
def _renderer() -> MarkdownIt:
    renderer = bounded_parser().enable(["table", "strikethrough"])
    renderer.options["html"] = False
    rules: Mapping[str, InlineRule] = {
        "text": rules_inline.text,
        "newline": rules_inline.newline,
        "escape": rules_inline.escape,
        "backticks": rules_inline.backtick,
        "strikethrough": rules_inline.strikethrough.tokenize,
        "emphasis": rules_inline.emphasis.tokenize,
        "link": rules_inline.link,
        "image": rules_inline.image,
        "autolink": rules_inline.autolink,
        "entity": rules_inline.entity,
    }
    for name, rule in rules.items():
        renderer.inline.ruler.at(name, _counted(rule))
    return renderer


def _counted(rule: InlineRule) -> InlineRule:
    def call(state: Any, silent: bool) -> bool:
        state.env["budget"].tick()
        return rule(state, silent)

    return call


@cache
def _cleaner() -> nh3.Cleaner:
    return nh3.Cleaner(
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        attribute_filter=_kept,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
        filter_style_properties={"text-align"},
    )


def _kept(tag: str, attribute: str, value: str) -> str | None:
    """Return the value of an attribute, or None to leave it out. The only classes name languages of code."""
    return value if (tag, attribute) != ("code", "class") or value.startswith("language-") else None
