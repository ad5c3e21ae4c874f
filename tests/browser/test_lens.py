"""The lens page as a reader meets it: sums by layer, maps by keyboard, narrow screens, colours."""

from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import quote

import numpy as np
import pytest
from browser.waiting import wait_until
from report.lens_records import HOSTILE, lens_on

from flowgauge.records import FailedRow
from flowgauge.report.lens import LensPage, render_lens
from flowgauge.report.lens_payload import lens_block, places_of

if TYPE_CHECKING:
    from playwright.sync_api import Page

Open = Callable[..., "Page"]
Contrast = Callable[["Page"], list[str]]

FALLS = np.array([1.25, 0.0, -0.5])


def lenses():
    hostile = lens_on(HOSTILE, f"Tom ran. {HOSTILE}", (f"{HOSTILE} Tom ran.",), HOSTILE)
    return [lens_on(), hostile, lens_on("bare", documents=None)]


@pytest.fixture(scope="module")
def html() -> str:
    falls = [FALLS, None, None]
    blocks = [lens_block(x, n, 10**6, falls[n]) for n, x in enumerate(lenses())]
    failed = [FailedRow(row=9, id=HOSTILE, kind="RecordError", reason=HOSTILE)]
    return render_lens(LensPage(name="two", model="tiny", blocks=blocks, failed=failed))


@pytest.fixture
def opened(html: str, open_page: Open) -> Callable[..., "Page"]:
    """Function to the page with a response shown."""

    def show(number: int = 0, fragment: str = "", **more: object) -> "Page":
        page = open_page(html, fragment, **more)
        shown(page, number)
        return page

    return show


def shown(page: "Page", number: int) -> None:
    wait_until(page, "n => document.querySelector('#chosen').dataset.ready === n", str(number))


def value(page: "Page", selector: str) -> float:
    return float(page.locator(selector).inner_text().replace("−", "-").split()[0])


def cell(page: "Page") -> tuple[int, int, float]:
    """Source token, response token and number of the cell that the panel shows."""
    terms = page.locator("#cell dt").all_inner_texts()
    j, i = (int(t.rsplit(" ", 1)[1]) for t in terms)
    return j, i, value(page, "#cell [data-number]")


def summed(lens, layers):
    return lens.effects[layers].sum(axis=0, dtype=np.float64)


def pick(page: "Page", selector: str, key: str) -> None:
    page.locator(selector).select_option(key)


def test_totals_and_their_layers_equal_the_lens(opened: Callable[..., "Page"]) -> None:
    page, lens = opened(), lens_on()
    places = places_of(lens)
    for choice, layers in (("all", [0, 1]), ("0", [0]), ("1", [1])):
        if choice != "all":
            page.locator("#layers-all").click()
            pick(page, "#layer-from" if choice == "1" else "#layer-to", choice)
        by_token = summed(lens, layers).sum(axis=1)
        for group in range(5):
            wanted = by_token[places.group == group].sum()
            # Three digits are printed of sums rounded to 0.0001.
            assert value(page, f'[data-group="{group}"]') == pytest.approx(wanted, abs=6.1e-4)
    assert value(page, '[data-fall="0"]') == FALLS[0]
    assert value(page, '[data-fall="2"]') == FALLS[2]
    assert "layer 1" in page.locator("#layer-words").inner_text()


def test_cells_equal_the_lens_and_follow_the_layers(opened: Callable[..., "Page"]) -> None:
    page, lens = opened(), lens_on()
    pick(page, "#rows", "everything")
    grid = page.locator("#tokens .grid")
    grid.focus()
    grid.press("Control+Home")
    assert cell(page)[:2] == (0, 0)
    seen = set()
    for key in ("PageDown", "ArrowRight", "End", "ArrowUp", "PageDown", "ArrowLeft", "Home"):
        grid.press(key)
        j, i, number = cell(page)
        assert number == pytest.approx(lens.totals[j, i], abs=1e-3)
        seen.add((j, i))
    assert len(seen) == 7
    grid.press("Control+End")
    assert cell(page)[:2] == (len(lens.source_text) - 1, len(lens.response_text) - 1)
    page.locator("#tokens .link-button").first.click()
    j, i, number = cell(page)
    totals = abs(lens.totals)
    assert totals[j, i] == pytest.approx(totals.max(), abs=2e-3)
    for layer in (1, 0):
        pick(page, "#layer-from", str(layer))
        pick(page, "#layer-to", str(layer))
        assert cell(page)[:2] == (j, i)  # the choice stays
        assert cell(page)[2] == pytest.approx(lens.effects[layer, j, i], abs=1.5e-3)
    page.locator("#layers-all").click()
    assert cell(page)[2] == pytest.approx(number)


def test_arrow_keys_move_by_one_cell(opened: Callable[..., "Page"]) -> None:
    page = opened()
    pick(page, "#rows", "prompt")
    grid = page.locator("#tokens .grid")
    grid.focus()
    grid.press("Control+Home")
    for key, wanted in (
        ("ArrowDown", (1, 0)), ("ArrowRight", (1, 1)), ("ArrowLeft", (1, 0)),
        ("ArrowLeft", (1, 0)), ("ArrowUp", (0, 0)), ("ArrowUp", (0, 0)),
    ):  # fmt: skip
        grid.press(key)
        assert cell(page)[:2] == wanted
    page.keyboard.press("Tab")  # and out again
    assert not grid.evaluate("g => g === document.activeElement")


def test_the_pointer_shows_the_cell_under_it_and_draws_its_shade(
    opened: Callable[..., "Page"],
) -> None:
    page, lens = opened(), lens_on()
    pick(page, "#rows", "prompt")
    grid = page.locator("#tokens .grid")
    grid.focus()
    grid.press("Control+Home")
    grid.scroll_into_view_if_needed()
    box = grid.bounding_box()
    assert box is not None
    size, head_w, head_h = 17, 128, 96
    for row, column in ((3, 2), (10, 4), (0, 0)):
        x = box["x"] + 1 + head_w + (column + 0.5) * size
        y = box["y"] + 1 + head_h + (row + 0.5) * size
        page.mouse.move(x, y)
        j, i, number = cell(page)
        assert (j, i) == (row, column)
        assert number == pytest.approx(lens.totals[j, i], abs=1e-3)
    page.mouse.move(1, 1)
    assert cell(page)[:2] == (0, 0)


def test_colour_and_stroke_tell_the_sign(opened: Callable[..., "Page"]) -> None:
    page, lens = opened(color_scheme="light"), lens_on()
    page.locator("#tokens .link-button").first.click()
    low = lens.totals[: len(lens.tokens.prompt_ids)].min()
    assert low < -0.1
    pick(page, "#rows", "prompt")
    for sign, word in (("minus", "lowers log P"), ("plus", "raises log P")):
        pick(page, "#sign", sign)
        assert page.locator("#cell .panel-direction").inner_text() == word
        # One colour, but for the stroke where the effect lowers log P.
        assert (page.evaluate(COLOURS, list(cell(page)[:2])) > 1) == (sign == "minus")


#: How many colours there are well inside the cell at (row, column) of the map of tokens.
COLOURS = """([row, column]) => new Promise(done => {
    requestAnimationFrame(() => requestAnimationFrame(() => {
    const frame = document.querySelector('#tokens .grid');
    const x = 128 + column * 17 - frame.scrollLeft;
    const y = 96 + row * 17 - frame.scrollTop;
    const canvas = document.createElement('canvas');
    const context = canvas.getContext('2d', { willReadFrequently: true });
    const from = [Math.ceil(x) + 3, Math.ceil(y) + 3];
    context.drawImage(frame.querySelector('canvas'), ...from, 10, 10, 0, 0, 10, 10);
    const data = context.getImageData(0, 0, 10, 10).data;
    const seen = new Set();
    for (let k = 0; k < data.length; k += 4) seen.add(data.slice(k, k + 3).join());
    done(seen.size);
}))})"""


def test_sentences_lead_to_their_tokens(opened: Callable[..., "Page"]) -> None:
    page, lens = opened(), lens_on()
    overview = page.locator(".lens-overview .grid")
    overview.focus()
    overview.press("Control+Home")
    overview.press("ArrowDown")
    overview.press("ArrowRight")
    wanted = lens.sentences.effects[1, 1]
    assert value(page, '[data-number="overview"]') == pytest.approx(wanted, abs=6.1e-4)
    words = page.locator("#overview-words").inner_text()
    assert "Document 0, sentence 1" in words
    assert "It was big!" in words
    overview.press("Enter")
    assert page.locator("#rows").input_value() == "row 1"
    assert page.locator("#columns").input_value() == "column 1"
    assert page.locator("#tokens .grid").evaluate("g => g === document.activeElement")
    j = cell(page)[0]
    start, end = lens.tokens.prompt_offsets[j]
    assert lens.tokens.prompt_part[j] == 0
    assert 0 <= "The dog ran. It was big! A cat sat.".index("It was") - 1 <= start
    assert end <= "The dog ran. It was big! A cat sat.".index(" A cat") + 1
    page.locator(".group-name").nth(2).click()
    assert page.locator("#rows").input_value() == "group 2"


def test_a_document_without_tokens_says_so(opened: Callable[..., "Page"]) -> None:
    page = opened()
    page.locator(".group-name").nth(1).click()
    assert "No token stands there." in page.locator("#tokens").inner_text()


def test_the_address_and_the_list_choose_a_response(opened: Callable[..., "Page"]) -> None:
    page = opened(1, "#id=" + quote(HOSTILE, safe=""))
    assert page.locator(".question").inner_text() == HOSTILE
    assert HOSTILE in page.locator(".lens-response").inner_text()
    page.get_by_label("Next response").click()
    shown(page, 2)
    assert page.locator("#record").input_value() == "2"
    assert "Totals" in page.locator("#totals-title").inner_text()
    pick(page, "#record", "0")
    shown(page, 0)
    assert page.evaluate("location.hash") == "#id=two"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_have_contrast_in_both_schemes(
    opened: Callable[..., "Page"], low_contrast: Contrast, scheme: str
) -> None:
    page = opened(color_scheme=scheme, reduced_motion="reduce")
    assert low_contrast(page) == []
    before = page.locator("#tokens canvas").evaluate("c => c.toDataURL()")
    page.locator("#theme").click()
    wait_until(page, "b => document.querySelector('#tokens canvas').toDataURL() !== b", before)
    assert low_contrast(page) == []


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_narrow_screen_scrolls_downwards_alone(
    opened: Callable[..., "Page"], html: str, number: int
) -> None:
    ids = ["two", quote(HOSTILE, safe=""), "bare"]
    page = opened(number, f"#id={ids[number]}", width=360)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    outside = page.evaluate(
        """() => [...document.querySelectorAll('main *')].filter(e => e.getClientRects().length
            && !e.closest('.grid, svg, .visually-hidden') && e.getBoundingClientRect().right > 361)
            .map(e => e.tagName + '.' + e.className)"""
    )
    assert outside == []


def test_cells_change_their_size(opened: Callable[..., "Page"]) -> None:
    page = opened()
    smaller = page.get_by_label("Smaller cells")
    before = cell(page)
    for _ in range(4):
        smaller.click()
        assert cell(page) == before
    assert smaller.is_disabled()
    assert page.locator("#tokens .grid-space").evaluate("s => s.clientWidth") < 300


def test_a_record_whose_tokens_were_left_out_keeps_its_sentences(open_page: Open) -> None:
    block = lens_block(lens_on(), 0, 400)
    page = open_page(render_lens(LensPage(name="x", model="m", blocks=[block])))
    shown(page, 0)
    assert "left out to keep the page small" in page.locator("#tokens").inner_text()
    assert page.locator(".lens-overview .grid").is_visible()
    page.locator(".group-name").first.click()  # leads nowhere, and that is no error
