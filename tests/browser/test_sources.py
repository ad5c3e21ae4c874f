"""The documents beside the response: pointers, source sentences, what a document fed, support."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from browser.waiting import wait_until
from report.example_run import (
    BEE_DOCUMENTS,
    BEE_RESPONSE,
    EMOJI_RESPONSE,
    HOSTILE,
    ExampleRun,
    example_run,
    hostile_record,
    measured,
    run_of,
)
from report.support_run import CALIBRATION, THRESHOLD, supported, with_support

from flowgauge.report import render
from flowgauge.report.digits import print_nats, print_share

if TYPE_CHECKING:
    from playwright.sync_api import Page

Open = Callable[..., "Page"]
Contrast = Callable[["Page"], list[str]]

BEES = "#id=bees"
FERRY = "#id=ferry"
ASTRONAUT = "👩‍🚀"
EMOJI_DOCUMENT = (
    f"🧣🧣 Ferries from Holm 🚢 run in summer. Enjoy {ASTRONAUT} the view. Tea is sold."
)
CUT = 0.2


@pytest.fixture(scope="module")
def run() -> ExampleRun:
    """Bees (one sentence labelled), a ferry with emoji on both sides, the hostile record."""
    bees = measured(
        row=0,
        id="bees",
        question="How many hives did the north terrace have?",
        documents=BEE_DOCUMENTS,
        response=BEE_RESPONSE,
        labels=["The honey won a gold medal at the London exhibition in 1934."],
    )
    ferry = measured(
        row=1,
        id="ferry",
        question="What should I bring?",
        documents=["Nothing of use.", EMOJI_DOCUMENT],
        response=EMOJI_RESPONSE,
    )
    records = [with_support(record) for record in (bees, ferry, hostile_record(row=2))]
    return supported(run_of(records), calibration=CALIBRATION)


@pytest.fixture(scope="module")
def html(run: ExampleRun) -> str:
    return render(run)


def rows_of(run: ExampleRun, table: str, row: int) -> list[dict[str, Any]]:
    return [r for r in run.table(table).to_pylist() if r["row"] == row]


def token(page: "Page", j: int) -> Any:
    return page.locator(f'.token[data-token="{j}"]')


def pointed(page: "Page") -> list[tuple[int, str]]:
    """(document, text) of what is marked for a token."""
    found = page.locator("mark.pointed").evaluate_all(
        "all => all.map(m => [+m.closest('.document').dataset.document, m.textContent])"
    )
    documents = {document for document, _ in found}
    return [(d, "".join(text for e, text in found if e == d)) for d in sorted(documents)]


def wanted(run: ExampleRun, row: int, j: int) -> list[tuple[int, str]]:
    """What the table says of the place a token points at."""
    entry = rows_of(run, "tokens", row)[j]
    document = entry["pointer_document"]
    if document is None:
        return []
    text = rows_of(run, "records", row)[0]["documents"][document]
    return [(document, text[entry["pointer_start"] : entry["pointer_end"]])]


def strongest(run: ExampleRun, row: int, document: int) -> int:
    """The token that points at the document with most mass."""
    tokens = [t for t in rows_of(run, "tokens", row) if t["pointer_document"] == document]
    return int(max(tokens, key=lambda t: t["pointer"])["position"])


def in_sight(page: "Page", selector: str) -> bool:
    """Whether the first such mark lies inside the box of the documents."""
    return bool(
        page.evaluate(
            """selector => {
                const box = document.querySelector('.document-scroll').getBoundingClientRect();
                const mark = document.querySelector(selector).getBoundingClientRect();
                return mark.top >= box.top && mark.bottom <= box.bottom;
            }""",
            selector,
        )
    )


def wait_in_sight(page: "Page", selector: str) -> None:
    """Waits for a scroll of the documents to end with the mark inside their box."""
    wait_until(
        page,
        """selector => {
            const mark = document.querySelector(selector);
            if (!mark) return false;
            const box = document.querySelector('.document-scroll').getBoundingClientRect();
            const at = mark.getBoundingClientRect();
            return at.top >= box.top && at.bottom <= box.bottom;
        }""",
        arg=selector,
    )


@pytest.mark.parametrize("width", [1280, 360])
def test_hover_and_focus_light_up_the_very_words(
    run: ExampleRun, html: str, open_page: Open, width: int
) -> None:
    page = open_page(html, BEES, width=width)
    pointing = [
        t["position"] for t in rows_of(run, "tokens", 0) if t["pointer_document"] is not None
    ]
    assert len(pointing) > 20
    for j in pointing[::9]:
        token(page, j).hover()
        assert pointed(page) == wanted(run, 0, j)
    page.mouse.move(2, 2)
    token(page, pointing[0]).focus()
    for _ in range(12):
        j = int(page.evaluate("document.activeElement.dataset.token"))
        assert pointed(page) == wanted(run, 0, j)
        page.keyboard.press("ArrowRight")


def test_the_mark_is_as_strong_as_the_pointer_and_said_in_words(
    run: ExampleRun, html: str, open_page: Open
) -> None:
    page = open_page(html, BEES)
    for entry in rows_of(run, "tokens", 0)[::5]:
        token(page, entry["position"]).focus()
        words = page.locator(".panel-points").inner_text()
        label = token(page, entry["position"]).get_attribute("aria-label")
        if entry["pointer_document"] is None:
            assert words == "Points at no document."
            assert "points at" not in label
            continue
        strength = sum(entry["pointer"] > step for step in (0.2, 0.4, 0.6, 0.8))
        assert page.locator(f"mark.pointed.strength-{strength}").count() >= 1
        assert words.startswith("Points at" if strength else "Points weakly at")
        assert f"in document {entry['pointer_document']}, pointer {entry['pointer']:.3f}" in label
        style = page.locator("mark.pointed").first.evaluate("m => getComputedStyle(m)")
        assert style["textDecorationLine"] == "underline"  # not colour alone


def test_offsets_count_characters_not_code_units(
    run: ExampleRun, html: str, open_page: Open
) -> None:
    page = open_page(html, FERRY)
    seen = set()
    for entry in rows_of(run, "tokens", 1):
        if entry["pointer_document"] is None:
            continue
        token(page, entry["position"]).focus()
        [(document, text)] = pointed(page)
        [(expected_document, expected)] = wanted(run, 1, entry["position"])
        assert document == expected_document
        # parts of one visible character light up together
        assert text == (ASTRONAUT if expected in ASTRONAUT else expected)
        seen.add(text)
    assert {"🚢", ASTRONAUT, "view"} <= seen
    assert page.locator(".document-text").nth(1).text_content() == EMOJI_DOCUMENT


def test_support_numbers_equal_the_tables(run: ExampleRun, html: str, open_page: Open) -> None:
    page = open_page(html, BEES)
    record, sentences = rows_of(run, "records", 0)[0], rows_of(run, "sentences", 0)
    panel = page.locator(".panel")
    for entry in rows_of(run, "tokens", 0)[::13]:
        token(page, entry["position"]).focus()
        of = {"token": entry, "sentence": sentences[entry["sentence"]], "response": record}
        for name, source in of.items():
            for column in ("support", "pointer"):
                shown = panel.locator(f'[data-number="{name}-{column}"]').inner_text()
                assert shown == print_nats(source[column])
            fraction = source["local_fraction" if name == "token" else "flow_fraction"]
            shown = panel.locator(f'[data-number="{name}-local-fraction"]').inner_text()
            assert shown == print_share(fraction).replace("-", "−") + " %"
    for sentence in sentences:
        row = page.locator(f'.sentence-table tr[data-row="{sentence["sentence"]}"]')
        assert row.locator('[data-number="support"]').inner_text() == print_nats(
            sentence["support"]
        )
    verdict = page.locator(".verdict")
    assert verdict.locator('[data-number="support"]').inner_text() == print_nats(record["support"])
    assert CALIBRATION["words"] in verdict.inner_text()
    assert f"the threshold {THRESHOLD}" in verdict.inner_text()


def test_unsupported_is_a_sign_and_a_word(run: ExampleRun, html: str, open_page: Open) -> None:
    page = open_page(html, BEES)
    low = {s["sentence"] for s in rows_of(run, "sentences", 0) if s["support"] < THRESHOLD}
    assert 0 < len(low) < len(rows_of(run, "sentences", 0))
    flags = page.locator(".text .flag")
    assert flags.all_text_contents() == ["⚠ unsupported"] * len(low)
    assert {int(s) for s in flags.evaluate_all("all => all.map(f => f.dataset.sentence)")} == low
    tagged = page.locator(".sentence-table tr:has(.unsupported-word)")
    assert {int(s) for s in tagged.evaluate_all("all => all.map(r => r.dataset.row)")} == low
    labels = page.locator('.token[aria-label^="unsupported sentence begins"]')
    assert labels.count() == len(low)
    below = page.locator(".token.unsupported").evaluate_all("all => all.map(t => +t.dataset.token)")
    assert below == [t["position"] for t in rows_of(run, "tokens", 0) if t["sentence"] in low]
    # the sign is no text of the response: nothing but the response is copied
    page.evaluate("getSelection().selectAllChildren(document.querySelector('.text'))")
    assert "unsupported" not in page.evaluate("getSelection().toString()")


def test_the_list_shows_and_sorts_support(run: ExampleRun, html: str, open_page: Open) -> None:
    page = open_page(html)
    records = sorted(run.table("records").to_pylist(), key=lambda r: r["support"])
    shown = page.locator('.items [data-number="support"]')
    assert shown.all_text_contents() == [print_nats(r["support"]) for r in records]
    low = [r["id"] for r in records if r["support"] < THRESHOLD]
    flagged = page.locator(".item:has(.unsupported-word) .item-id")
    assert flagged.all_text_contents() == low
    page.locator("#list-sort").select_option(label="most supported first")
    assert page.locator(".item-id").all_text_contents() == [r["id"] for r in records[::-1]]
    page.locator("#list-sort").select_option(label="least driven first")
    page.get_by_role("button", name=f"unsupported {len(low)}").click()
    assert set(page.locator(".item-id").all_text_contents()) == set(low)


LINK = """() => {
    const root = document.querySelector('svg.link');
    if (getComputedStyle(root).display === 'none') return null;
    const ends = [...root.querySelectorAll('circle')].map((c) => {
        const box = c.getBoundingClientRect();
        return [(box.left + box.right) / 2, (box.top + box.bottom) / 2];
    });
    const path = root.querySelector('path').getBoundingClientRect();
    const far = (selector, [x, y]) => Math.min(...[...document.querySelectorAll(selector)]
        .flatMap((node) => [...node.getClientRects()])
        .map((b) => Math.hypot(Math.max(b.left - x, 0, x - b.right),
                               Math.max(b.top - y, 0, y - b.bottom))));
    return {
        from: far('.token.in-sentence', ends[0]), to: far('mark.best', ends[1]),
        path: Math.abs(path.left - ends[0][0]) + Math.abs(path.right - ends[1][0]),
    };
}"""


def test_a_sentence_marks_its_sources_with_a_line_between(
    run: ExampleRun, html: str, open_page: Open
) -> None:
    page = open_page(html, BEES, reduced_motion="reduce")
    documents = rows_of(run, "records", 0)[0]["documents"]
    page.evaluate("document.querySelector('.reading').scrollIntoView()")
    assert page.evaluate(LINK) is None
    for sentence in rows_of(run, "sentences", 0):
        words = next(
            t["position"]
            for t in rows_of(run, "tokens", 0)
            if t["sentence"] == sentence["sentence"] and t["text"].strip()
        )
        token(page, words).click()
        inside = page.locator(".in-sentence").evaluate_all("a => a.map(t => +t.dataset.token)")
        assert words in inside
        for rank, place in enumerate(sentence["sources"]):
            text = documents[place["document"]][place["start"] : place["end"]]
            marks = page.locator(f".document[data-document='{place['document']}'] .source-sentence")
            assert text in "".join(marks.all_text_contents())
            ranks = page.locator(f'mark[data-rank="{rank + 1}"]')
            assert text.startswith(ranks.text_content())
        if sentence["sources"]:
            wait_in_sight(page, "mark.best")
            wait_until(page, f"({LINK})() !== null")
            ends = page.evaluate(LINK)
            assert ends["from"] <= 6
            assert ends["to"] <= 6
            assert ends["path"] <= 2
            best = sentence["sources"][0]
            said = page.locator(".choice-words").inner_text()
            assert f"points most at document {best['document']}" in said
    page.keyboard.press("Escape")
    assert page.locator(".in-sentence, .source-sentence").count() == 0
    wait_until(page, f"({LINK})() === null")


def test_the_line_follows_and_goes(run: ExampleRun, html: str, open_page: Open) -> None:
    page = open_page(html, BEES, reduced_motion="reduce")
    page.set_viewport_size({"width": 1280, "height": 640})
    page.evaluate("document.querySelector('.reading').scrollIntoView()")
    token(page, strongest(run, 0, 1)).click()
    wait_in_sight(page, "mark.best")
    wait_until(page, f"({LINK})() !== null")

    def settled() -> dict[str, float]:
        page.evaluate(
            "() => new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))"
        )
        return dict(page.evaluate(LINK))

    before = page.locator("svg.link path").get_attribute("d")
    page.evaluate("scrollBy(0, 60)")
    assert max(settled().values()) <= 6
    page.locator(".document-scroll").evaluate("e => { e.scrollTop -= 15; }")
    assert max(settled().values()) <= 6
    assert page.locator("svg.link path").get_attribute("d") != before
    for width in (1280, 1100):
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate("document.querySelector('.reading').scrollIntoView()")
        wait_in_sight(page, "mark.best")
        assert max(settled().values()) <= 6
    page.set_viewport_size({"width": 1100, "height": 420})
    page.evaluate("document.querySelector('.reading').scrollIntoView()")
    scroller = page.locator(".document-scroll")
    scroller.evaluate("e => { e.scrollTop = e.scrollHeight; }")
    wait_until(page, f"({LINK})() === null")  # the source sentence is out of sight
    scroller.evaluate("e => { e.scrollTop = 0; }")
    page.evaluate("scrollTo(0, 0)")
    wait_until(page, f"({LINK})() === null")  # the response is
    page.set_viewport_size({"width": 900, "height": 900})
    page.evaluate("document.querySelector('.reading').scrollIntoView()")
    assert page.evaluate(LINK) is None
    assert page.locator("mark.source-sentence").count() > 0  # the marks remain


def test_sentences_are_chosen_by_keyboard_alone(
    run: ExampleRun, html: str, open_page: Open
) -> None:
    page = open_page(html, BEES, reduced_motion="reduce")
    token(page, 3).focus()
    page.keyboard.press("Enter")
    first = page.locator(".in-sentence").count()
    assert first == sum(t["sentence"] == 0 for t in rows_of(run, "tokens", 0))
    page.keyboard.press("Enter")
    assert page.locator(".in-sentence").count() == 0
    page.locator(".sentence-button").first.focus()
    page.keyboard.press("Enter")
    assert page.locator(".sentence-button").first.get_attribute("aria-pressed") == "true"
    least = min(rows_of(run, "sentences", 0), key=lambda s: s["support"])
    inside = page.locator(".in-sentence").evaluate_all("a => a.map(t => +t.dataset.token)")
    assert inside == [
        t["position"] for t in rows_of(run, "tokens", 0) if t["sentence"] == least["sentence"]
    ]
    page.keyboard.press("Escape")
    assert page.locator(".in-sentence").count() == 0
    assert page.locator('.sentence-button[aria-pressed="true"]').count() == 0


def test_a_document_shades_what_it_fed(run: ExampleRun, html: str, open_page: Open) -> None:
    page = open_page(html, BEES)
    tokens = rows_of(run, "tokens", 0)
    shown = ".token.fed"

    def lit() -> list[int]:
        return list(page.locator(shown).evaluate_all("all => all.map(t => +t.dataset.token)"))

    token(page, 0).focus()
    for document in range(3):
        fed = [
            t["position"]
            for t in tokens
            if t["pointer_document"] == document and t["pointer"] > CUT
        ]
        head = page.locator(f".document[data-document='{document}'] .document-head")
        assert head.locator('[data-number="fed_tokens"]').inner_text() == (
            f"{len(fed)} token{'' if len(fed) == 1 else 's'}"
        )
        share = head.locator('[data-number="fed_share"]').inner_text()
        assert share == print_share(len(fed) / len(tokens)) + " %"
        page.keyboard.press("Tab")  # from the response to the documents, one after the other
        while not page.evaluate("document.activeElement.matches('.document-name')"):
            page.keyboard.press("Tab")
        assert lit() == fed
        for j in fed[::4]:
            strength = sum(tokens[j]["pointer"] > step for step in (0.2, 0.4, 0.6, 0.8))
            assert token(page, j).get_attribute("data-strength") == str(strength)
            line = token(page, j).evaluate("t => getComputedStyle(t).textDecorationLine")
            assert line == "underline"  # not colour alone
        assert f"point at document {document}" in page.locator(".choice-words").inner_text()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert lit() == fed  # pinned
    page.keyboard.press("Escape")
    assert lit() == []
    page.locator(".document-head").first.hover()
    assert len(lit()) > len(fed)
    page.mouse.move(2, 2)
    assert lit() == []


LONG = "The keeper counted {n} hives on terrace {k} that year, and wrote it down. "


@pytest.fixture(scope="module")
def long_html() -> str:
    """Eight documents of 20,000 characters; the answer points at the end of the sixth."""
    texts = ["".join(LONG.format(n=7 * k, k=k) for k in range(280))[:20_000] for _ in range(8)]
    texts = [text.replace("keeper", f"keeper{d}") for d, text in enumerate(texts)]
    whole = texts[6].rindex("The keeper")
    texts[6] = texts[6][:whole] + "The zeppelin landed on the quay at noon."
    record = measured(
        row=0,
        id="long",
        question="What landed?",
        documents=texts,
        response="Nobody else knows it. The zeppelin landed on the quay at noon.",
    )
    return render(supported(run_of([with_support(record)])))


@pytest.mark.parametrize("width", [1280, 360])
def test_a_long_document_scrolls_to_the_place_and_the_page_does_not(
    long_html: str, open_page: Open, width: int
) -> None:
    page = open_page(long_html, width=width, reduced_motion="reduce")
    assert page.locator(".document-text").count() == 8
    page.evaluate("document.querySelector('.text').scrollIntoView({ block: 'center' })")
    assert page.locator(".document-scroll").evaluate("e => e.scrollTop") == 0
    before = page.evaluate("scrollY")
    page.locator(".token", has_text="landed").hover()
    wait_in_sight(page, "mark.pointed")
    assert pointed(page) == [(6, "landed")]
    assert page.evaluate("scrollY") == before
    page.locator(".document-scroll").evaluate("e => { e.scrollTop = 0; }")
    page.locator(".token", has_text="noon").click()
    wait_in_sight(page, "mark.best")
    marked = "".join(page.locator("mark.best").all_text_contents())
    assert marked == "The zeppelin landed on the quay at noon."
    assert page.evaluate("scrollY") == before


def test_hostile_text_is_shown_literally(html: str, open_page: Open) -> None:
    page = open_page(html, "#id=" + quote(f"hostile {HOSTILE}", safe=""))
    assert page.locator(".document-text").all_text_contents() == [HOSTILE, f"twice {HOSTILE}"]
    for j in range(0, page.locator(".token").count(), 3):
        token(page, j).focus()
        page.keyboard.press("Enter")
        texts = page.locator(".document-text").all_text_contents()
        assert texts == [HOSTILE, f"twice {HOSTILE}"]
    page.locator(".document-name").first.focus()
    assert page.locator("img, iframe, object, [onerror], [onload]").count() == 0


def test_nothing_is_wider_than_360_pixels(html: str, open_page: Open) -> None:
    page = open_page(html, BEES, width=360)
    token(page, 20).click()
    page.locator(".panel-more").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    text, documents = (page.locator(name).bounding_box() for name in (".text", ".documents"))
    assert documents["y"] >= text["y"] + text["height"]
    assert page.locator("mark.source-sentence").count() > 0
    wide = page.evaluate(
        """() => [...document.querySelectorAll('main *')].filter((e) => {
            const box = e.getBoundingClientRect();
            return box.width > 1 && box.right > 361 && !e.closest('svg, .items');
        }).map((e) => e.outerHTML.slice(0, 80))"""
    )
    assert wide == []


def test_the_documents_stand_beside_the_response(html: str, open_page: Open) -> None:
    for width in (1000, 1280):
        page = open_page(html, BEES, width=width)
        text, documents = (page.locator(name).bounding_box() for name in (".text", ".documents"))
        assert documents["x"] >= text["x"] + text["width"]
        assert documents["width"] > 300
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_run_without_support_works_and_says_why(open_page: Open) -> None:
    run = example_run()
    reason = "mamba-130m has no attention"
    run = ExampleRun(
        name=run.name, manifest=run.manifest | {"support_missing": reason}, tables=run.tables
    )
    page = open_page(render(run), "#id=bees-1931")
    assert page.locator(".document-text").all_text_contents() == BEE_DOCUMENTS
    assert f"None in this run: {reason}" in page.locator(".verdict").inner_text()
    assert f"No source pointers in this run: {reason}" in page.locator(".documents").inner_text()
    token(page, 10).click()
    assert page.locator(".in-sentence").count() > 0
    assert page.locator("mark, .flag, .support-table, .document-name").count() == 0
    assert page.locator(".choice-words").inner_text() == "Sentence 0."
    assert page.locator('.sentence-table [data-number="support"]').count() == 0
    assert page.locator("#list-sort option").first.text_content() == "least driven first"


def test_support_without_pointers_and_pointers_without_support(open_page: Open) -> None:
    record = with_support(
        measured(
            row=0, id="a", question="", documents=BEE_DOCUMENTS, response="Twelve were lost. Yes."
        )
    )
    blank = {"pointer": None, "pointer_document": None, "pointer_start": None, "pointer_end": None}
    blind = record | {"pointer": None}
    blind["tokens"] = [t | blank for t in record["tokens"]]
    blind["sentences"] = [s | {"pointer": None, "sources": None} for s in record["sentences"]]
    page = open_page(render(supported(run_of([blind]))))
    token(page, 1).click()
    assert page.locator('.panel [data-number="token-support"]').count() == 1
    assert page.locator('.panel [data-number="token-pointer"]').count() == 0
    assert page.locator("mark").count() == 0
    assert "No source pointers for this response" in page.locator(".documents").inner_text()
    unscored = record | {"support": None}
    unscored["tokens"] = [t | {"support": None, "local_fraction": None} for t in record["tokens"]]
    unscored["sentences"] = [s | {"support": None} for s in record["sentences"]]
    run = run_of([unscored])
    page = open_page(render(run))
    page.locator(".token", has_text="lost").click()
    assert pointed(page) == [(0, "lost")]
    assert page.locator(".flag").count() == 0
    assert "None in this run" in page.locator(".verdict").inner_text()
    assert "undefined" not in page.locator("main").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_marked_and_shaded_text_has_contrast(
    html: str, open_page: Open, low_contrast: Contrast, scheme: str
) -> None:
    page = open_page(html, BEES, color_scheme=scheme)
    token(page, 20).click()
    page.locator(".document-name").first.click()
    page.evaluate(  # every strength, in the response and in the documents
        """() => {
            document.querySelectorAll('.token').forEach((t, j) => {
                t.classList.add('fed');
                t.dataset.strength = 1 + (j % 4);
            });
            const text = document.querySelector('.document-text');
            for (let k = 0; k < 5; k += 1) {
                const mark = document.createElement('mark');
                mark.className = `pointed strength-${k}`;
                mark.textContent = `strength ${k}`;
                text.append(mark);
            }
        }"""
    )
    assert low_contrast(page) == []


def test_marks_show_in_print_and_in_forced_colours(
    run: ExampleRun, html: str, open_page: Open
) -> None:
    page = open_page(html, BEES, forced_colors="active")
    token(page, strongest(run, 0, 0)).click()
    mark = page.locator("mark.pointed").first
    assert mark.evaluate("m => getComputedStyle(m).outlineStyle") == "solid"
    page.emulate_media(media="print", forced_colors="none")
    assert mark.evaluate("m => getComputedStyle(m).textDecorationLine") == "underline"
    assert page.locator(".document-scroll").evaluate("e => getComputedStyle(e).overflowY") == (
        "visible"
    )
    assert page.locator(".flag").first.is_visible()
