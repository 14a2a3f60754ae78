"""Tests of the limits of parsing Markdown: what stops it, how far it came, and that nothing else was kept."""

import threading

import pytest

from services.markdown import Passage, compose, split
from services.markdown_parser import CHECK_INTERVAL, Budget, LimitExceeded, ParsingStopped, parse


def stopped(markdown: str, budget: Budget) -> str:
    with pytest.raises(LimitExceeded) as limit:
        split(markdown, budget)
    return str(limit.value)


def test_parsing_stops_at_the_first_heading_too_many() -> None:
    budget = Budget(max_sections=100)
    assert stopped("#\n" * 5_000, budget) == "makes more than 100 sections"
    assert (budget.headings, budget.blocks) == (101, 101)


@pytest.mark.parametrize("lines", ["1. a\n", "> - a\nb\n", "- # a\n", "> ", "a\n\n", "```\n", "***\n"])
def test_parsing_stops_at_the_first_block_too_many(lines: str) -> None:
    budget = Budget(max_blocks=90)
    assert stopped(lines * 5_000, budget) == "has more than 90 blocks (paragraphs, items of lists, quotes ...)"
    assert budget.blocks == 91


@pytest.mark.parametrize("eol", ["\n", "\r", "\r\n"])
def test_nothing_is_parsed_of_a_text_with_too_many_lines(eol: str) -> None:
    budget = Budget(max_lines=100)
    assert stopped(f"# a{eol}" * 101, budget) == "has more than 100 lines"
    assert (budget.headings, budget.blocks) == (0, 0)
    assert len(split(f"# a{eol}" * 100, Budget(max_lines=100))) == 100


def test_a_quote_that_is_tried_again_counts_its_blocks_once() -> None:
    budget = Budget()
    split("> # a\n" * 1_000, budget)
    assert budget.blocks == 1_001


def test_parsing_stops_when_its_time_is_over() -> None:
    budget = Budget(seconds=0)
    assert stopped("> - a\nb\n" * 50_000, budget) == "takes more than 0 seconds to parse"
    assert budget.blocks <= CHECK_INTERVAL


def test_parsing_stops_when_nobody_waits_any_more() -> None:
    budget = Budget()
    budget.stop()
    with pytest.raises(ParsingStopped):
        split("a\n\n" * 50_000, budget)
    assert budget.blocks == 0


def test_another_thread_can_stop_parsing() -> None:
    # Enough for many minutes: each line is looked at again at each of the levels.
    endless = "".join(f"{'> ' * (90 - level % 90)}a\n" for level in range(40_000))
    budget, raised = Budget(), list[type[BaseException]]()

    def work() -> None:
        try:
            split(endless, budget)
        except ParsingStopped as stopped:
            raised.append(type(stopped))

    thread = threading.Thread(target=work)
    thread.start()
    while not budget.lines:
        thread.join(0.001)
    budget.stop()
    thread.join()
    assert raised == [ParsingStopped]


def test_of_what_is_parsed_only_headings_and_verbatim_blocks_are_kept() -> None:
    text = "# One\n\n" + "1. a\n" * 1_000 + "> # no\n\n- ```\n\n<!--\n-->\n\nTwo\n---\n"
    kept = [token.type for token in parse(text, Budget())]
    heading = ["heading_open", "inline"]
    assert kept == [*heading, "fence", "html_block", *heading]


def test_a_document_is_put_together_within_the_same_time() -> None:
    budget = Budget()
    budget.stop()
    with pytest.raises(ParsingStopped):
        compose([Passage("One", 1, "```"), Passage("Two", 1, "")], budget)
