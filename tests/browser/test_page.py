"""The page as a reader meets it: numbers, keyboard, narrow screens, both colour schemes."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from browser.waiting import wait_until
from report.example_run import (
    EMOJI_RESPONSE,
    HOSTILE,
    ExampleRun,
    example_run,
    failed,
    measured,
    run_of,
)

from flowgauge.report import render
from flowgauge.report.digits import print_log, print_nats, print_p_value, print_share

if TYPE_CHECKING:
    from playwright.sync_api import Page

Open = Callable[..., "Page"]
Contrast = Callable[["Page"], list[str]]

BEES = "#id=bees-1931"
FERRY = "#id=" + quote('ferry "summer" & more')
HOSTILE_ID = "#id=" + quote(f"hostile {HOSTILE}", safe="")


@pytest.fixture(scope="module")
def run() -> ExampleRun:
    return example_run()


@pytest.fixture(scope="module")
def html(run: ExampleRun) -> str:
    return render(run)


def shown(text: str) -> str:
    """A printed number as the page writes it: a true minus, and no minus before zero."""
    return text.replace("-", "−") if float(text) else text.replace("-", "")


def shown_nats(value: float) -> str:
    return shown(print_nats(value))


def shown_share(value: float) -> str:
    return shown(print_share(value)) + " %"


def shown_probability(log_p: float) -> str:
    text = print_log(log_p).split()[1]
    if "e-" not in text:
        return text
    digits, power = text.split("e-")
    raised = str(int(power)).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{digits}×10⁻{raised}"


def rows_of(run: ExampleRun, table: str, row: int) -> list[dict[str, Any]]:
    return [r for r in run.table(table).to_pylist() if r["row"] == row]


def token(page: "Page", j: int) -> Any:
    return page.locator(f'.token[data-token="{j}"]')


def wait_until_chosen(page: "Page", beginning: str) -> None:
    """The address changes after the click that asks for it, so the page needs a moment."""
    wait_until(
        page,
        """beginning => document.querySelector('.item[aria-current="true"] .item-id')
            .textContent.startsWith(beginning)""",
        arg=beginning,
    )


def focused(page: "Page") -> int:
    return int(page.evaluate("document.activeElement.dataset.token ?? -1"))


def test_panel_numbers_equal_the_table(run: ExampleRun, html: str, open_page: Open) -> None:
    page = open_page(html, BEES)
    for row in rows_of(run, "tokens", 0)[::6]:
        token(page, row["position"]).focus()
        panel = page.locator(".panel")
        for name in (
            "log_p_nats",
            "log_q_nats",
            "drift_nats",
            "variance_nats2",
            "entropy_p_nats",
            "entropy_q_nats",
            "flow_nats",
            "compensator_nats",
        ):
            assert panel.locator(f'[data-number="{name}"]').inner_text() == shown_nats(row[name])
        density = panel.locator('[data-number="density_nats"]').inner_text()
        assert density.removeprefix("+") == shown_nats(row["density_nats"])
        assert f"position {row['position']} of 95 tokens" in panel.inner_text()


def test_alternatives_of_both_laws_equal_the_table(
    run: ExampleRun, html: str, open_page: Open
) -> None:
    page = open_page(html, BEES)
    row = rows_of(run, "tokens", 0)[20]
    token(page, 20).focus()
    for k, law in enumerate("pq"):
        table = page.locator(".law").nth(k)
        wanted = row[f"alternatives_{law}"]
        cells = table.locator("tbody td").evaluate_all(
            "all => all.map(td => [td.firstChild.textContent, td.lastChild.textContent])"
        )
        assert cells == [[shown_probability(a["log_p"]), shown_nats(a["log_p"])] for a in wanted]
        words = table.locator("tbody .shown").all_text_contents()
        assert words == [a["text"].replace(" ", "␣") for a in wanted]


def test_verdict_list_and_sentences_equal_the_tables(
    run: ExampleRun, html: str, open_page: Open
) -> None:
    page = open_page(html, BEES)
    record = rows_of(run, "records", 0)[0]
    for name in (
        "flow_nats",
        "surprisal_p_nats",
        "surprisal_q_nats",
        "compensator_nats",
        "variance_nats2",
        "residual",
        "log_e_value_nats",
        "log_e_value_against_nats",
        "pool_e_value",
    ):
        place = page.locator(f'.verdict [data-number="{name}"], .details [data-number="{name}"]')
        assert place.inner_text() == shown_nats(record[name])
    assert page.locator('.verdict [data-number="flow_fraction"]').inner_text() == shown_share(
        record["flow_fraction"]
    )
    assert page.locator('[data-number="pool_p_value"]').inner_text() == print_p_value(1 / 21)
    verdict = page.locator(".verdict").inner_text()
    assert record["verdict"] in verdict
    assert record["null"] in verdict
    assert "relative to the observer" in verdict
    item = page.locator('.item[aria-current="true"]')
    assert item.locator('[data-number="flow_nats"]').inner_text() == shown_nats(record["flow_nats"])
    for sentence in rows_of(run, "sentences", 0):
        row = page.locator(f'.sentence-table tr[data-row="{sentence["sentence"]}"]')
        for name in ("flow_nats", "drift_nats"):
            assert row.locator(f'[data-number="{name}"]').inner_text() == shown_nats(sentence[name])
        share = row.locator('[data-number="flow_fraction"]').inner_text()
        assert share.strip() == shown_share(sentence["flow_fraction"])


def test_hostile_text_stays_text(html: str, open_page: Open) -> None:
    page = open_page(html, HOSTILE_ID)
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    for j in range(page.locator(".token").count()):
        token(page, j).focus()
    assert page.locator("img, iframe, object, embed, script[src], [onerror], [onload]").count() == 0
    # the page's own, the index, the support, four responses, five documents
    assert page.locator("script").count() == 1 + 1 + 1 + 4 + 5
    assert page.locator(".question").text_content() == HOSTILE
    assert HOSTILE in page.locator(".text").text_content()
    assert page.locator(".source-text").first.text_content() == HOSTILE
    texts = page.locator(".document-text").all_text_contents()
    assert texts == [HOSTILE, f"twice {HOSTILE}"]
    assert page.locator(".label-kind").text_content() == HOSTILE


def test_the_check_for_noise_can_fail(html: str, open_page: Open) -> None:
    page = open_page(html)
    page.evaluate("console.error('planted'); alert('planted')")
    page.wait_for_timeout(50)
    assert open_page.noise == ["planted", "dialog: planted"]
    open_page.noise.clear()


def test_an_injected_script_would_stay_dead(html: str, open_page: Open) -> None:
    """The policy holds where escaping would not; its complaint shows that it was tried."""
    planted = html.replace("<main>", "<main><script>document.title = 'owned'</script>", 1)
    page = open_page(planted)
    assert page.title() == "demo-terrace · flowgauge"
    assert any("Content Security Policy" in line for line in open_page.noise)
    open_page.noise.clear()


def test_tokens_are_walked_by_arrow_keys(html: str, open_page: Open) -> None:
    page = open_page(html, BEES)
    token(page, 3).focus()
    page.keyboard.press("ArrowRight")
    assert focused(page) == 4
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert focused(page) == 2
    page.keyboard.press("ArrowDown")
    below = focused(page)
    assert token(page, below).bounding_box()["y"] > token(page, 2).bounding_box()["y"] + 10
    page.keyboard.press("ArrowUp")
    assert abs(focused(page) - 2) <= 1  # the nearest token of the line above
    page.keyboard.press("End")
    assert focused(page) == 94
    page.keyboard.press("ArrowRight")
    assert focused(page) == 94
    page.keyboard.press("Home")
    assert focused(page) == 0
    assert page.locator('.token[tabindex="0"]').count() == 1
    assert page.locator('.token[aria-selected="true"]').get_attribute("data-token") == "0"
    page.keyboard.press("Tab")
    assert focused(page) == -1


def test_everything_is_reached_by_keyboard_and_seen_in_focus(html: str, open_page: Open) -> None:
    page = open_page(html, BEES)
    seen = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        at = page.evaluate(
            """() => {
                const node = document.activeElement;
                const style = getComputedStyle(node);
                const name = node.id || node.className || node.tagName;
                return [name, style.outlineStyle, parseFloat(style.outlineWidth)];
            }"""
        )
        if at[0] == "BODY":
            break
        assert at[1] != "none", at
        assert at[2] >= 1, at
        seen.add(at[0].split()[0])
    assert {
        "skip",
        "theme",
        "search",
        "chip",
        "list-sort",
        "item",
        "button",
        "token",
        "sort",
    } <= seen
    assert {"sentence-button", "document-scroll"} <= seen


def test_list_by_keyboard(html: str, open_page: Open) -> None:
    page = open_page(html, BEES)
    page.locator('.item[aria-current="true"]').focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    wait_until_chosen(page, "weather")
    assert page.locator(".question").inner_text() == (
        "What is the average July temperature on the terrace?"
    )
    assert page.url.endswith("#id=weather")
    assert page.locator('.item[tabindex="0"]').count() == 1


def test_sentences_sort_by_every_column(run: ExampleRun, html: str, open_page: Open) -> None:
    page = open_page(html, BEES)
    sentences = rows_of(run, "sentences", 0)

    def order() -> list[int]:
        rows = page.locator(".sentence-table tbody tr")
        return [int(x) for x in rows.evaluate_all("all => all.map(r => r.dataset.row)")]

    def wanted(name: str, *, down: bool = False) -> list[int]:
        ordered = sorted(sentences, key=lambda s: -s[name] if down else s[name])
        return [s["sentence"] for s in ordered]

    def head(name: str) -> Any:
        return page.locator(f'th:has([data-key="{name}"])')

    assert order() == wanted("flow_fraction")
    assert head("flow_fraction").get_attribute("aria-sort") == "ascending"
    head("flow_fraction").locator("button").press("Enter")
    assert order() == wanted("flow_fraction", down=True)
    assert head("flow_fraction").get_attribute("aria-sort") == "descending"
    for name in ("flow_nats", "drift_nats", "n_tokens"):
        head(name).locator("button").click()
        assert order() == wanted(name)
    assert head("flow_fraction").get_attribute("aria-sort") == "none"
    head("text").locator("button").click()
    assert order() == wanted("sentence")


def test_a_sentence_shows_where_it_stands(run: ExampleRun, html: str, open_page: Open) -> None:
    page = open_page(html, BEES)
    button = page.locator('.sentence-table tr[data-row="3"] .sentence-button')
    button.click()
    inside = page.locator(".token.in-sentence").evaluate_all("a => a.map(t => +t.dataset.token)")
    assert inside == [t["position"] for t in rows_of(run, "tokens", 0) if t["sentence"] == 3]
    assert button.get_attribute("aria-pressed") == "true"
    button.click()
    assert page.locator(".token.in-sentence").count() == 0


def test_search_filter_and_sort_of_the_list(html: str, open_page: Open) -> None:
    page = open_page(html)
    ids = page.locator(".item-id")
    assert page.locator(".found").inner_text() == "4 responses"
    page.locator("#search").fill("JULY")
    assert ids.all_text_contents() == ["weather"]
    assert page.locator(".found").inner_text() == "1 of 4 responses"
    page.locator("#search").fill("no such thing")
    assert ids.count() == 0
    page.locator("#search").fill("")
    page.get_by_role("button", name="human labels 2").click()
    assert ids.count() == 2
    page.get_by_role("button", name="driven 2").click()
    assert sorted(ids.all_text_contents()) == ["bees-1931", 'ferry "summer" & more']
    page.get_by_role("button", name="all 4").click()
    page.locator("#list-sort").select_option(label="order of the input")
    assert ids.all_text_contents()[:3] == ["bees-1931", 'ferry "summer" & more', "weather"]
    page.locator("#list-sort").select_option(label="least driven first")
    shares = page.locator('.items [data-number="flow_fraction"]').all_text_contents()
    values = [float(s.replace("−", "-").removesuffix(" %")) for s in shares]
    assert values == sorted(values)


def test_previous_and_next_follow_the_list(html: str, open_page: Open) -> None:
    page = open_page(html, BEES)
    page.locator("#list-sort").select_option(label="order of the input")
    page.get_by_role("button", name="Next response in the list").click()
    wait_until_chosen(page, "ferry")
    page.get_by_role("button", name="Previous response in the list").click()
    wait_until_chosen(page, "bees-1931")
    page.get_by_role("button", name="Previous response in the list").click()
    wait_until_chosen(page, "hostile")


def test_deep_links(html: str, open_page: Open) -> None:
    page = open_page(html, f"{FERRY}&position=7")
    assert page.locator(".question").inner_text().startswith("What should I bring")
    assert focused(page) == 7
    page.evaluate("location.hash = '#id=too-long'")
    page.locator("#failed tr:focus").wait_for()
    assert "could not be measured" in page.locator("#chosen .notice").inner_text()
    page.evaluate("location.hash = '#id=nobody'")
    page.locator("#chosen .notice:has-text('no response with the id nobody')").wait_for()
    page.evaluate("location.hash = '#id=%E0%A4%A'")
    page.locator("#chosen .notice:has-text('%E0%A4%A')").wait_for()
    page.evaluate("history.go(-3)")
    wait_until(page, "!document.querySelector('#chosen > .notice')")
    assert page.locator(".question").inner_text().startswith("What should I bring")


def test_an_emoji_is_shown_once_and_all_its_tokens_are_reached(
    run: ExampleRun, html: str, open_page: Open
) -> None:
    page = open_page(html, FERRY)
    assert page.locator(".text").text_content() == EMOJI_RESPONSE
    rows = rows_of(run, "tokens", 1)
    scarf = [t["position"] for t in rows if "🧣" in t["text"]]
    assert len(scarf) == 3
    token(page, scarf[0]).focus()
    for place, j in enumerate(scarf):
        assert focused(page) == j
        assert f"token {place + 1} of 3 of this character" in page.locator(".panel").inner_text()
        assert token(page, j).bounding_box()["width"] >= 5
        page.keyboard.press("ArrowRight")
    # an astronaut is two emoji joined: one picture, shown by one token and marked by the others
    astronaut = [
        t["position"]
        for t in rows
        if EMOJI_RESPONSE.index("👩") <= t["start"] < EMOJI_RESPONSE.index(" the view")
    ]
    texts = [token(page, j).text_content() for j in astronaut]
    assert "".join(texts) == "👩‍🚀"
    assert sum(map(bool, texts)) == 1


def test_text_without_a_score_is_shown_and_named(html: str, open_page: Open) -> None:
    page = open_page(html, FERRY)
    assert page.locator(".unscored").text_content() == "Bring"
    assert "1 token at the start left out of both laws" in page.locator(".notes").inner_text()


def test_line_breaks_are_kept(html: str, open_page: Open) -> None:
    page = open_page(html, BEES)
    assert "September.\n\nBecause" in page.locator(".text").text_content()
    assert (
        page.locator(".text").evaluate("e => getComputedStyle(e).whiteSpaceCollapse") == "preserve"
    )


def test_human_labels_are_marked_and_named(html: str, open_page: Open) -> None:
    page = open_page(html, BEES)
    sentence = "The honey won a gold medal at the London exhibition in 1934."
    assert "".join(page.locator(".text .label").all_text_contents()) == sentence
    human = page.locator(".human").inner_text()
    assert "Human labels" in human
    assert sentence in human
    assert "evident baseless info" in human
    assert page.locator('.token[aria-label*="human label: evident"]').count() > 0


def test_shade_sign_and_underline_follow_the_density(
    run: ExampleRun, html: str, open_page: Open
) -> None:
    page = open_page(html, BEES)
    for row in rows_of(run, "tokens", 0):
        density = row["density_nats"]
        size = sum(abs(density) >= step for step in (0.1, 0.5, 1, 2, 4))
        kind = "0" if size == 0 else f"{'plus' if density > 0 else 'minus'}-{size}"
        node = token(page, row["position"])
        assert f"shade-{kind}" in node.get_attribute("class").split()
        line = node.evaluate("e => getComputedStyle(e).textDecorationLine")
        assert line == ("underline" if density <= -0.5 else "none")


def test_curve_and_tokens_are_linked(html: str, open_page: Open) -> None:
    page = open_page(html, BEES)
    line = page.locator(".cursor line")
    token(page, 10).focus()
    first = float(line.get_attribute("x1"))
    token(page, 60).hover()
    assert float(line.get_attribute("x1")) > first
    assert "position 60 of" in page.locator(".panel-place").inner_text()
    page.mouse.move(2, 2)
    assert "position 10 of" in page.locator(".panel-place").inner_text()
    assert float(line.get_attribute("x1")) == first
    plot = page.locator(".curve .plot svg")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    page.mouse.click(box["x"] + first, box["y"] + 80)
    assert focused(page) == 10
    page.mouse.click(box["x"] + box["width"] - 15, box["y"] + 80)
    assert focused(page) == 94


def test_the_curve_shows_the_crossing_in_words_too(
    run: ExampleRun, html: str, open_page: Open
) -> None:
    page = open_page(html, BEES)
    record = rows_of(run, "records", 0)[0]
    assert record["first_crossing"] is not None
    assert page.locator(".crossing text").text_content() == (
        f"evidence crosses at {record['first_crossing']}"
    )
    words = page.locator(".curve svg[role=img]").get_attribute("aria-label")
    assert shown_nats(record["flow_nats"]) in words
    assert "log 1/α = 4.605 nats" in words
    assert "4.605 nats" in page.locator(".curve figcaption").inner_text()


def long_words() -> str:
    """A page whose every text has no place to break."""
    word = "x" * 300
    record = measured(
        row=0,
        id=word,
        question=word,
        documents=[word],
        response=f"{word} {word}.",
        words=[word],
        labels=[f"{word}."],
        label_kind=word,
        notes=[word],
    )
    run = run_of(
        [
            record | {"verdict": word, "null": word},
            failed(row=1, id=word + "1", kind=word, reason=word),
        ]
    )
    return render(ExampleRun(name=word, manifest={word: word}, tables=run.tables))


def test_no_sideways_scrolling_at_360_pixels(html: str, open_page: Open) -> None:
    for text, fragment in ((html, BEES), (html, FERRY), (html, HOSTILE_ID), (long_words(), "")):
        page = open_page(text, fragment, width=360)
        page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
        page.locator(".panel-more").click()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        outside = page.evaluate(
            """() => [...document.querySelectorAll('main *')].filter((e) => {
                const box = e.getBoundingClientRect();
                return box.width > 1 && box.right > 361 && !e.closest('svg, .items');
            }).map((e) => e.outerHTML.slice(0, 80))"""
        )
        assert outside == []


def test_the_narrow_panel_unfolds(html: str, open_page: Open) -> None:
    page = open_page(html, BEES, width=360)
    assert page.locator(".panel-density").is_visible()
    assert not page.locator(".laws").is_visible()
    page.locator(".panel-more").click()
    assert page.locator(".laws").is_visible()
    assert page.locator(".panel-more").get_attribute("aria-expanded") == "true"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_contrast(
    html: str, open_page: Open, low_contrast: Contrast, scheme: str
) -> None:
    page = open_page(html, BEES, color_scheme=scheme)
    page.evaluate(  # every shade, as text of the response
        """() => document.querySelectorAll('.token').forEach((t, j) => {
            const n = (j % 11) - 5;
            t.className = `token shade-${n === 0 ? 0 : n < 0 ? `minus-${-n}` : `plus-${n}`}`;
        })"""
    )
    assert low_contrast(page) == []


def test_the_contrast_check_can_fail(html: str, open_page: Open, low_contrast: Contrast) -> None:
    page = open_page(html, BEES)
    page.evaluate("document.querySelector('.question').style.color = '#999'")
    assert any("question" in line for line in low_contrast(page))


def test_light_dark_and_the_button(html: str, open_page: Open) -> None:
    def paper(page: "Page") -> str:
        return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))

    light, dark = (open_page(html, color_scheme=scheme) for scheme in ("light", "dark"))
    assert paper(light) == "rgb(246, 247, 249)"
    assert paper(dark) == "rgb(14, 19, 24)"
    light.get_by_role("button", name="Dark theme").click()
    assert paper(light) == paper(dark)
    light.reload()
    assert paper(light) == paper(dark)
    light.get_by_role("button", name="Light theme").click()
    assert paper(light) == "rgb(246, 247, 249)"


def test_reduced_motion_and_print(html: str, open_page: Open) -> None:
    page = open_page(html, BEES, reduced_motion="reduce", color_scheme="dark")
    durations = (
        "[...document.querySelectorAll('*')].map(e => getComputedStyle(e).transitionDuration)"
    )
    assert set(page.evaluate(durations)) == {"0s"}
    page.emulate_media(media="print")
    assert not page.locator(".list").is_visible()
    assert page.locator(".text").is_visible()
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(23, 32, 43)"


def test_of_many_responses_only_the_chosen_one_is_drawn(open_page: Open) -> None:
    one = measured(
        row=0, id="0", question="Which one?", documents=["A source."], response="A short answer."
    )
    records = []
    for row in range(300):
        mine = {"row": row, "id": str(row)}
        records.append(
            one
            | mine
            | {name: [entry | mine for entry in one[name]] for name in ("tokens", "sentences")}
        )
    page = open_page(render(run_of(records)), "#id=250")
    assert page.locator(".item").count() == 300
    assert page.locator(".token").count() == len(one["tokens"])
    assert page.locator('.item[aria-current="true"]').is_visible()
    assert page.locator(".overview .plot svg > circle, .overview .plot svg > path").count() == 300


def test_numbers_that_do_not_exist(open_page: Open) -> None:
    record = measured(row=0, id="a", question="", documents=[], response="Just a few words. More.")
    for entry in record["tokens"]:
        entry |= {"drift_nats": None, "compensator_nats": None, "variance_nats2": None}
        entry |= {"alternatives_p": None, "alternatives_q": None, "entropy_q_nats": None}
    record["tokens"][1] |= {"log_p_nats": -float("inf"), "density_nats": -float("inf")}
    record |= {
        "residual": None,
        "compensator_nats": None,
        "flow_fraction": None,
        "alpha": None,
        "outcome": None,
    }
    page = open_page(render(run_of([record])))
    token(page, 1).focus()
    panel = page.locator(".panel")
    assert panel.locator('[data-number="log_p_nats"]').inner_text() == "−∞"
    assert panel.locator('[data-number="drift_nats"]').inner_text() == "–"
    assert "not given by this model" in panel.inner_text()
    assert "This model gives no drift" in page.locator(".curve").inner_text()
    assert "Retrieval brought nothing" in page.locator(".documents").inner_text()
    assert page.locator(".verdict-name").inner_text() == "No verdict"
    assert "NaN" not in page.locator("main").inner_text()
    assert "undefined" not in page.locator("main").inner_text()


@pytest.mark.parametrize(
    ("records", "words"),
    [
        ([], "This run holds no responses."),
        (
            [failed(row=0, id="a", kind="RecordError", reason="it is empty")],
            "No response could be measured.",
        ),
    ],
)
def test_pages_without_a_measured_response(
    records: list[dict[str, Any]], words: str, open_page: Open
) -> None:
    page = open_page(render(run_of(records)), "#id=a", width=360)
    assert page.locator("h1").inner_text() == words
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert not page.locator("#workbench").count()
