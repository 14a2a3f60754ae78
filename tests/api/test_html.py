"""HTML: texts are shown with their structure, and nothing that anybody wrote becomes a script."""

from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest

from services import html, limits
from services.html import rendered
from services.markdown_parser import Budget
from tests.api.operations import create_document, create_section, import_document, section_ids
from tests.support.client import Client

HTML = """
query ($id: ID!) {
  document(id: $id) { html sections(first: 50) { edges { node { content contentHtml } } } }
}
"""

SCRIPTS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)><script>alert(1)</script></svg>",
    "<iframe src='javascript:alert(1)'></iframe>",
    "<a href='javascript:alert(1)' onclick=alert(1)>x</a>",
    "<div style='background:url(javascript:alert(1))'>x</div>",
    "<style>@import 'http://evil.example'</style><base href=//evil.example><meta http-equiv=refresh content=0>",
    "<form action=//evil.example><input name=a autofocus onfocus=alert(1)></form>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](vbscript:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x]( javascript:alert(1))",
    "[x](<javascript:alert(1)>)",
    "[x][l]\n\n[l]: javascript:alert(1)",
    "<javascript:alert(1)>",
    "![x](data:image/svg+xml;base64,PHN2Zz4=)",
    "![x](javascript:alert(1))",
    '![x](https://a.example/"onerror="alert(1))',
    '![x" onerror="alert(1)](https://a.example/)',
    '[x](https://a.example "t" onclick="alert(1)")',
    '```js" onclick="alert(1)\n</code></pre><script>alert(1)</script>\n```',
    "```\n<script>alert(1)</script>",
    "`</code><script>alert(1)</script>`",
    "| a |\n|---|\n| <script>alert(1)</script> |",
    "> <script>\n> alert(1)",
    "<!-- --!><script>alert(1)</script>",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<math><mtext></p><script>alert(1)</script>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "\u2028<scr\u200bipt>",
    "**unbalanced *emphasis __and `code",
    "[unbalanced](https://a.example",
]

ALLOWED = {
    *("p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "code", "em", "strong", "s"),
    *("ul", "ol", "li", "a", "img", "table", "thead", "tbody", "tr", "th", "td"),
}
VOID = {"br", "hr", "img"}


class Harmless(HTMLParser):
    """Reads HTML as a browser does, and fails for what could run, load or break out."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ALLOWED, tag
        for name, value in attrs:
            assert name in ("href", "src", "alt", "title", "rel", "start", "class", "style"), (tag, name)
            if name in ("href", "src"):
                assert urlsplit((value or "").strip()).scheme.lower() in ("", "http", "https", "mailto"), value
            if name == "style":
                assert (value or "").rstrip(";") in ("text-align:left", "text-align:right", "text-align:center"), value
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def check(self, text: str) -> None:
        self.feed(text)
        self.close()
        assert self.open == []


@pytest.mark.parametrize("markdown", SCRIPTS)
def test_nothing_that_is_written_runs(markdown: str) -> None:
    Harmless().check(rendered(markdown, Budget()))


async def test_hostile_texts_are_kept_as_written_and_shown_harmless(client: Client) -> None:
    document = await create_document(client)
    for text in SCRIPTS:
        await create_section(client, document, content=text)
    found = (await client(HTML, id=document))["document"]
    assert [edge["node"]["content"] for edge in found["sections"]["edges"]] == SCRIPTS
    for shown in (found["html"], *(edge["node"]["contentHtml"] for edge in found["sections"]["edges"])):
        Harmless().check(shown)


async def test_the_structure_of_a_document_is_shown(client: Client) -> None:
    document = await import_document(
        client,
        "---\ntitle: Mine\n---\n\n# One *two*\n\n- a\n- b\n\n```py\nx < 1\n```\n\n"
        "## Three\n\n| a | b |\n|---|--:|\n| 1 | ~~2~~ |\n\n[link] and <https://a.example>\n\n"
        "### Four\n\n[link]: https://b.example 'Title'\n",
    )
    shown = (await client(HTML, id=document))["document"]
    assert shown["html"] == (
        "<h1>One <em>two</em></h1>\n<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n"
        '<pre><code class="language-py">x &lt; 1\n</code></pre>\n<h2>Three</h2>\n'
        '<table>\n<thead>\n<tr>\n<th>a</th>\n<th style="text-align:right">b</th>\n</tr>\n</thead>\n'
        '<tbody>\n<tr>\n<td>1</td>\n<td style="text-align:right"><s>2</s></td>\n</tr>\n</tbody>\n</table>\n'
        '<p><a href="https://b.example" title="Title" rel="noopener noreferrer nofollow">link</a> and '
        '<a href="https://a.example" rel="noopener noreferrer nofollow">https://a.example</a></p>\n<h3>Four</h3>\n'
    )
    three = shown["sections"]["edges"][2]["node"]["contentHtml"]
    assert '<a href="https://b.example"' in three, "a link keeps its target outside its document"
    assert "<h2>" not in three


async def test_a_text_that_takes_too_long_is_shown_as_written(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "RENDER_SECONDS", 0.01)
    text = "<b>" + "[" * 20_000
    document = await create_document(client)
    await create_section(client, document, content=text)
    (edge,) = (await client(HTML, id=document))["document"]["sections"]["edges"]
    assert edge["node"]["contentHtml"].startswith("<pre>&lt;b&gt;[[[")
    assert await html.renderings.run(1, Budget(), lambda: "free") == "free"
    assert len(await section_ids(client, document)) == 1
