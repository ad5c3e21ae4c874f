"""The server's page as its users meet it, on a real server with a real (small) model."""

import itertools
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from browser.live_pages import (
    FakeServer,
    generate,
    give,
    live_text,
    measure,
    pages,
    run_in_address,
    step,
    wait_for_end,
    wait_for_words,
)
from report.example_run import HOSTILE
from serve.server import RunningServer, process_server, thread_server

from flowgauge.models import load_model
from flowgauge.report.digits import print_nats, print_share

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Open = Callable[..., "Page"]
Contrast = Callable[["Page"], list[str]]
Faked = Callable[[FakeServer], str]

PROMPT = "Once upon a time, there was a little girl named Lily. She had a red ball."
STORY = "Lily played with her red ball all day. Then the ball was gone, and Lily was sad."
DOCUMENTS = ("Lily has a red ball.", "Tom has a dog. The dog is big and brown.")
ODD = f"{HOSTILE} \u202eright to left\u202c 👩‍🚀 naïve <b>bold</b>"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("served") / "runs"
    with thread_server(load_model("stories-260k"), runs=folder) as found:
        yield found


@pytest.fixture
def faked() -> Iterator[Faked]:
    """Function from a fake to its address."""
    with ExitStack() as running:
        yield lambda fake: running.enter_context(fake.running())


@pytest.fixture
def live(chromium: "Browser") -> Iterator[Open]:
    with pages(chromium) as opened:
        yield opened


def shown(text: str) -> str:
    """A printed number as the page writes it: a true minus, and no minus before zero."""
    return text.replace("-", "−") if float(text) else text.replace("-", "")


def number(page: "Page", name: str, within: str = "") -> str:
    return page.locator(f'{within} [data-number="{name}"]').first.inner_text()


def token(page: "Page", j: int) -> Any:
    return page.locator(f'.token[data-token="{j}"]')


def test_measured_numbers_equal_the_api(server: RunningServer, live: Open) -> None:
    page = live(server.url)
    name = measure(page, question="What does Lily have?", documents=DOCUMENTS, answer=STORY)
    [record] = server.get(f"/api/runs/{name}").json["records"]
    for key in ("flow_nats", "support"):
        assert number(page, key, ".verdict") == shown(print_nats(record[key]))
    for key in ("compensator_nats", "residual"):
        assert number(page, key, ".details") == shown(print_nats(record[key]))
    share = shown(print_share(record["flow_fraction"])) + " %"
    assert number(page, "flow_fraction", ".verdict") == share
    assert number(page, "n_tokens", ".details") == str(record["n_tokens"])
    assert page.locator(".text .token").count() == record["n_tokens"]
    assert page.locator(".document-text").all_text_contents() == list(DOCUMENTS)
    block = server.get(f"/api/runs/{name}/records/{record['id']}").json
    for j in range(0, record["n_tokens"], 5):
        token(page, j).focus()
        for key in ("log_p_nats", "log_q_nats", "flow_nats", "compensator_nats", "drift_nats"):
            assert number(page, key, ".panel") == shown(print_nats(block["tokens"][key][j]))
    report = page.locator(".run-head a", has_text="Full report").get_attribute("href")
    assert report == f"/runs/{name}"
    assert server.get(report).status == 200


def test_a_text_streams_and_becomes_a_saved_run(server: RunningServer, live: Open) -> None:
    page = live(server.url)
    before = len(server.get("/api/runs").json["runs"])
    generate(page, PROMPT, max_tokens=150, seed=4)
    page.wait_for_selector('.token[data-token="3"]')
    # tokens are there, and it is not done: the server would list the run
    assert len(server.get("/api/runs").json["runs"]) == before
    assert page.locator(".stop-button").is_visible()
    assert page.locator(".plot path.flow").count() >= 1
    wait_for_end(page)
    name = run_in_address(page)
    [record] = server.get(f"/api/runs/{name}").json["records"]
    block = server.get(f"/api/runs/{name}/records/{record['id']}").json
    written = live_text(page).replace("↵", "")
    assert written == block["response"]
    assert page.locator(".live-text .token").count() == record["n_tokens"]
    flow = page.locator('[data-live="flow_nats"]').inner_text()
    # the saved numbers are those of the very steps, but sums of another order
    assert float(flow.replace("−", "-")) == pytest.approx(record["flow_nats"], abs=2e-3)
    assert page.locator(".stop-button").is_hidden()


def test_monitors_promise_speak_and_are_marked_in_the_text(
    server: RunningServer, live: Open
) -> None:
    page = live(server.url)
    generate(page, PROMPT, max_tokens=60, seed=0)
    wait_for_end(page)
    offered = server.get("/api/about").json["monitors"]
    cards = page.locator(".monitor")
    assert cards.count() == len(offered)
    for monitor in offered:
        card = page.locator(f'.monitor[data-monitor="{monitor["name"]}"]')
        assert monitor["promise"] in card.inner_text()
        assert card.locator("dd").count() >= 2
    said = page.locator(".said")
    assert said.count() >= 1
    for k in range(said.count()):
        place = int(said.nth(k).get_attribute("data-position"))
        assert "flagged" in token(page, place).get_attribute("class")
        said.nth(k).locator("button").click()
        assert page.evaluate("+document.activeElement.dataset.token") == place
    assert page.locator(".event-flag").count() == said.count()


def test_a_monitor_can_end_the_text(server: RunningServer, live: Open) -> None:
    page = live(server.url, "#generate")
    box = page.locator('[data-monitor="grounded"]')
    item = page.locator(".monitor-choice", has=box)
    item.locator("summary").click()
    item.locator("select").select_option("stop")
    item.locator('[data-setting="alpha"]').fill("0.4")
    generate(page, PROMPT, max_tokens=200, seed=0)
    wait_for_end(page)
    assert "ended the text" in page.locator(".said").last.inner_text()
    assert "grounded" in page.locator(".live-words").inner_text()
    assert page.locator(".live-text .token").count() < 200


def test_a_text_can_be_stopped(server: RunningServer, live: Open) -> None:
    page = live(server.url)
    before = {run["name"] for run in server.get("/api/runs").json["runs"]}
    generate(page, PROMPT, max_tokens=400, seed=1)
    page.wait_for_selector('.token[data-token="2"]')
    page.locator(".stop-button").click()
    wait_for_words(page, "Stopped by you")
    n = page.locator(".live-text .token").count()
    assert 3 <= n < 400
    page.wait_for_timeout(200)
    assert page.locator(".live-text .token").count() == n
    assert {run["name"] for run in server.get("/api/runs").json["runs"]} == before


def test_two_users_at_once(server: RunningServer, live: Open) -> None:
    one, two = live(server.url), live(server.url)
    generate(one, PROMPT, max_tokens=150, seed=1)
    one.wait_for_selector('.token[data-token="2"]')
    generate(two, PROMPT, max_tokens=150, seed=2)
    two.wait_for_selector('.token[data-token="2"]')
    assert one.locator(".ending .actions").count() == 0  # both are being written
    for page in (one, two):
        wait_for_end(page)
    assert live_text(one) != live_text(two)
    assert run_in_address(one) != run_in_address(two)
    first = [page.locator(".live-text .token").count() for page in (one, two)]
    assert all(n > 3 for n in first)


def test_a_reload_keeps_the_place(server: RunningServer, live: Open) -> None:
    page = live(server.url)
    name = measure(page, question=PROMPT, answer=STORY)
    flow = number(page, "flow_nats", ".verdict")
    page.reload()
    page.wait_for_selector(".run-view .verdict")
    assert run_in_address(page) == name
    assert number(page, "flow_nats", ".verdict") == flow
    assert page.locator("#question").input_value() == PROMPT  # the form is kept too
    generate(page, PROMPT, max_tokens=40, seed=3)
    wait_for_end(page)
    text = live_text(page)
    page.reload()
    wait_for_end(page)
    assert live_text(page) == text
    page.locator('.tabs [data-view="runs"]').click()
    page.locator(f'tr[data-run="{name}"] th a').click()
    page.wait_for_selector(".run-view .verdict")
    page.reload()
    page.wait_for_selector(".run-view .verdict")
    assert number(page, "flow_nats", ".verdict") == flow


def test_responses_are_compared_on_one_scale(server: RunningServer, live: Open) -> None:
    page = live(server.url)
    names = [
        measure(page, question=PROMPT, answer=STORY),
        server.job("/api/measure", {"question": PROMPT, "response": "The king ate soup."})[-1].data[
            "run"
        ],
    ]
    page.locator(".run-head a", has_text="Compare with").click()
    assert page.evaluate("location.hash") == f"#compare={names[0]}:response,"
    page.locator("#run-B").select_option(names[1])
    page.wait_for_selector(".differences")
    page.reload()
    page.wait_for_selector(".differences")
    blocks = [server.get(f"/api/runs/{name}/records/response").json for name in names]
    for key in ("flow_nats", "compensator_nats", "surprisal_q_nats", "residual"):
        a, b = (block[key] for block in blocks)
        assert number(page, f"A-{key}") == shown(print_nats(a))
        assert number(page, f"B-{key}") == shown(print_nats(b))
        # the difference of two numbers of six digits
        assert float(
            number(page, f"difference-{key}").replace("−", "-").replace("+", "")
        ) == pytest.approx(b - a, abs=1e-3)
    ticks = """() => [...document.querySelectorAll('.one-side .plot svg')].map((plot) =>
        [...plot.querySelectorAll('.axis text')].map((t) => t.textContent).join(' '))"""
    one, two = page.evaluate(ticks)
    assert one == two
    sides = page.locator(".one-side")
    counts = [sides.nth(k).locator(".text .token").count() for k in range(2)]
    assert counts == [block["n_tokens"] for block in blocks]
    # each side has a choice of its own
    for k, j in ((0, 3), (1, 2), (0, 1)):
        sides.nth(k).locator(f'[data-token="{j}"]').focus()
        assert f"position {j} of {counts[k]}" in sides.nth(k).locator(".panel").inner_text()
        assert sides.nth(k).locator(".token.here").get_attribute("data-token") == str(j)
    assert "position 2 of" in sides.nth(1).locator(".panel").inner_text()


def test_a_killed_server_keeps_its_runs(chromium: "Browser", tmp_path: Path) -> None:
    with pages(chromium) as live:
        with process_server(tmp_path / "runs") as server:
            page = live(server.url)
            name = measure(page, question=PROMPT, answer=STORY)
            generate(page, PROMPT, max_tokens=400)
            page.wait_for_selector('.token[data-token="2"]')
            os.kill(server.process.pid, signal.SIGKILL)
            server.process.wait()
            wait_for_words(page, "connection to the server is lost")
            port = server.address[1]
        with process_server(tmp_path / "runs", port=port) as server:
            wait_for_words(page, "does not know this job")
            page.locator('.tabs [data-view="runs"]').click()
            page.wait_for_selector(".runs-table")
            assert page.locator("tr[data-run]").get_attribute("data-run") == name
            page.locator("tr[data-run] th a").click()
            page.wait_for_selector(".run-view .verdict")
            # the job is forgotten, the run it made is not
            page.goto(f"{server.url}/#generate&job=forgotten&run={name}")
            page.wait_for_selector(".run-view .verdict")
        # a browser complains of each connection that is refused, and of the 404
        assert all("Failed to load resource" in line for line in live.noise)
        assert live.noise
        live.noise.clear()


def test_hostile_text_stays_text(server: RunningServer, live: Open) -> None:
    page = live(server.url)
    elements = "[...document.querySelectorAll('img, iframe, object, b.bold, [onerror]')].length"
    scripts = page.locator("script").count()
    measure(page, question=ODD, documents=(ODD, f"twice {ODD}"), answer=ODD)
    assert page.locator(".question").text_content() == ODD
    assert page.locator(".document-text").all_text_contents() == [ODD, f"twice {ODD}"]
    assert page.locator(".text").text_content().replace("⚠ unsupported", "") == ODD
    page.locator(".run-head button", has_text="Measure again").click()
    assert page.locator("#answer").input_value() == ODD
    page.locator('.tabs [data-view="runs"]').click()
    page.wait_for_selector(".runs-table")
    generate(page, ODD, max_tokens=5)
    wait_for_end(page)
    assert page.evaluate(elements) == 0
    assert page.locator("script").count() == scripts
    page.goto(f"{server.url}/#run={ODD}")
    page.wait_for_selector("[role=alert]")
    assert page.evaluate(elements) == 0
    live.noise[:] = [line for line in live.noise if "400" not in line and "404" not in line]


def test_hostile_tokens_and_events_stay_text(live: Open, faked: Faked) -> None:
    said = {"monitor": ODD, "position": 1, "words": ODD, "values": {ODD: 1.0}, "stops": False}
    events = [("step", step(j, t)) for j, t in enumerate(("A ", ODD, ""))]
    events += [("event", said), ("failed", {"kind": "X", "message": ODD})]
    page = live(faked(FakeServer(events)))
    scripts = page.locator("script").count()
    generate(page, "Why?")
    wait_for_words(page, "It failed")
    assert page.locator(".live-words").text_content() == f"It failed: {ODD}"
    assert live_text(page) == f"A {ODD}"
    assert ODD in page.locator(".said").text_content()
    assert ODD in page.locator(".latest").text_content()
    assert page.locator("script").count() == scripts
    assert page.locator("img, iframe, [onerror]").count() == 0


def test_a_broken_stream_comes_back_without_doubling(live: Open, faked: Faked) -> None:
    said = {"monitor": "loop", "position": 3, "words": "Again.", "values": {}, "stops": False}
    events: list[tuple[str, Any]] = [("step", step(j, f"w{j} ")) for j in range(12)]
    events.insert(5, ("event", said))
    events.append(("failed", {"kind": "X", "message": "the end"}))
    fake = FakeServer(events, cut=(4, 3, 5), again=3)
    page = live(faked(fake))
    generate(page, "Why?")
    wait_for_words(page, "It failed")
    assert live_text(page) == "".join(f"w{j} " for j in range(12))
    assert page.locator(".said").count() == page.locator(".event-flag").count() == 1
    assert fake.asked == [None, "4", "4", "6"]
    assert len(fake.posted) == 1


def test_what_is_asked_is_what_the_form_says(live: Open, faked: Faked) -> None:
    fake = FakeServer([("failed", {"kind": "X", "message": "no"})])
    page = live(faked(fake), "#generate")
    page.locator('[data-monitor="loop"]').uncheck()
    page.locator("details.field summary").click()
    page.locator("#instruction").fill("Be brief.")
    give(page, question="Why?", documents=("a", "", "b"))
    numbers = {"temperature": 0.5, "top_p": 0.9, "top_k": 7, "min_p": 0.02}
    generate(page, "Why?", **numbers, repetition_penalty=1.1, max_tokens=33, seed=5)
    wait_for_words(page, "It failed")
    assert fake.posted == [
        {
            "question": "Why?",
            "documents": ["a", "b"],
            "instruction": "Be brief.",
            "sampling": {**numbers, "repetition_penalty": 1.1},
            "max_tokens": 33,
            "seed": 5,
            "monitors": [{"name": "grounded", "alpha": 0.01, "action": "note"}],
            "law": "sampling",
        }
    ]


def test_a_measurement_can_be_cancelled(live: Open, faked: Faked) -> None:
    fake = FakeServer([("progress", {"done": 1, "total": 4})])
    page = live(faked(fake))
    give(page, question="Why?", answer="So.")
    page.locator("#go").click()
    page.wait_for_selector("progress[value='1']")
    assert page.locator("progress").get_attribute("max") == "4"
    page.locator(".stop-button").click()
    wait_for_words(page, "Cancelled. Nothing was saved.")
    assert fake.cancelled == 1
    assert page.locator("progress").is_hidden()
    assert page.locator("#speaker").inner_text() == "Cancelled. Nothing was saved."


def test_infinite_numbers_are_shown_and_drawn(live: Open, faked: Faked) -> None:
    inf = {"density_nats": "-Infinity", "flow_nats": "-Infinity", "log_p_nats": "-Infinity"}
    odd = {**inf, "drift_nats": "Infinity", "compensator_nats": "Infinity", "variance_nats2": None}
    events: list[tuple[str, Any]] = [("step", step(j, f"w{j} ")) for j in range(5)]
    events += [("step", step(5, "x", **odd)), ("step", step(6, "y", **{**odd, "flow_nats": None}))]
    events += [("failed", {"kind": "X", "message": "the end"})]
    page = live(faked(FakeServer(events)))
    generate(page, "Why?")
    wait_for_words(page, "It failed")
    token(page, 5).focus()
    assert number(page, "density_nats", ".panel") == "−∞"
    assert number(page, "compensator_nats", ".panel") == "∞"
    drawn = "[...document.querySelectorAll('.plot path, .plot rect')].map(e => e.outerHTML).join()"
    assert "NaN" not in page.evaluate(drawn)
    assert "Infinity" not in page.evaluate(drawn)


def test_a_long_text_is_drawn_on_and_not_anew(live: Open, faked: Faked) -> None:
    """2,000 tokens in pieces of 100: a late piece makes no more nodes than an early one."""
    n, size = 2000, 100
    events: list[tuple[str, Any]] = [("step", step(j, "word ")) for j in range(n)]
    events.append(("failed", {"kind": "X", "message": "the end"}))
    fake = FakeServer(events, cut=(size,) * (n // size))
    page = live(faked(fake))
    page.evaluate("""() => {
        window.made = [];
        let before = 0, made = 0;
        for (const name of ['createElement', 'createElementNS']) {
            const own = document[name].bind(document);
            document[name] = (...what) => { made += 1; return own(...what); };
        }
        window.count = () => {
            const tokens = document.querySelectorAll('.live-text .token').length;
            if (tokens > before) { window.made.push([tokens, made]); before = tokens; }
            requestAnimationFrame(window.count);
        };
        window.count();
    }""")
    generate(page, "Why?")
    page.wait_for_selector('.token[data-token="0"]')
    page.evaluate("document.querySelector('.live-text .token').kept = true")
    wait_for_words(page, "It failed")
    assert page.locator(".live-text .token").count() == n
    assert page.evaluate("document.querySelector('.live-text .token').kept") is True
    made = page.evaluate("window.made")
    assert len(made) >= 5
    per_token = [(m1 - m0) / (t1 - t0) for (t0, m0), (t1, m1) in itertools.pairwise(made)]
    # a token, its bar, at most 64 bars drawn again, panel and scales: far from all 2,000 anew
    late = sorted(per_token[len(per_token) // 2 :])
    assert late[len(late) // 2] < 6
    assert made[-1][1] < 12 * n


def test_errors_come_in_words(server: RunningServer, live: Open) -> None:
    page = live(server.url)
    page.locator("#go").click()
    assert "Write a question" in page.locator("[role=alert]").inner_text()
    page.locator("#question").fill("Why?")
    page.locator("#go").click()
    assert "answer that is to be measured" in page.locator("[role=alert]").inner_text()
    assert page.evaluate("document.activeElement.id") == "answer"
    page.locator("#answer").fill("word " * 3000)  # the model's context is 512 tokens
    page.locator("#go").click()
    wait_for_words(page, "It failed")
    words = page.locator(".live-words").inner_text()
    assert "512" in words
    assert "token" in words
    page.goto(f"{server.url}/#run=nowhere")
    page.wait_for_selector("[role=alert]")
    assert "there is no run nowhere" in page.locator("[role=alert]").inner_text()
    assert live.noise == [line for line in live.noise if "404" in line]
    live.noise.clear()


def test_the_keyboard_alone_is_enough(server: RunningServer, live: Open) -> None:
    page = live(server.url)

    def tab_to(selector: str) -> None:
        for _ in range(60):
            if page.evaluate("s => document.activeElement.matches(s)", selector):
                outline = "getComputedStyle(document.activeElement).outlineStyle"
                assert page.evaluate(outline) == "solid"  # what has the focus shows it
                return
            page.keyboard.press("Tab")
        raise AssertionError(f"the tab key never reaches {selector}")

    tab_to("#question")
    page.keyboard.type(PROMPT)
    tab_to("#document-box-0")
    page.keyboard.type("Lily has a red ball.")
    tab_to("#add-document")
    page.keyboard.press("Enter")
    page.keyboard.type("Tom has a dog.")
    tab_to("#answer")
    page.keyboard.type(STORY)
    tab_to("#go")
    page.keyboard.press("Enter")
    page.wait_for_selector(".run-view .verdict")
    tab_to(".text .token")
    at = int(page.evaluate("document.activeElement.dataset.token"))
    page.keyboard.press("ArrowRight")
    assert page.evaluate("+document.activeElement.dataset.token") == at + 1
    assert page.locator(".document-text").count() == 2
    page.locator("body").press("Home")
    page.evaluate("document.activeElement.blur()")
    tab_to('.tabs [data-view="generate"]')
    page.keyboard.press("Enter")
    tab_to("#go")
    page.keyboard.press("Enter")
    page.wait_for_selector('.token[data-token="5"]')
    tab_to(".live-text .token")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("+document.activeElement.dataset.token") == 1
    assert "position 1 of" in page.locator(".panel").inner_text()


def test_an_example_can_be_tried(server: RunningServer, live: Open) -> None:
    page = live(server.url)
    page.locator("#example").click()
    first = page.locator("#answer").input_value()
    assert first
    page.locator("#example").click()
    assert page.locator("#answer").input_value() != first
    page.locator("#clear").click()
    assert page.locator("#answer").input_value() == page.locator("#question").input_value() == ""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_every_view_fits_and_has_contrast(
    server: RunningServer, live: Open, low_contrast: Contrast, width: int, scheme: str
) -> None:
    page = live(server.url, width=width, color_scheme=scheme)

    def check(view: str) -> None:
        assert page.evaluate("document.documentElement.scrollWidth") <= width, view
        wide = page.evaluate(
            """(width) => [...document.querySelectorAll('main *, .tabs *')].filter((e) => {
                const box = e.getBoundingClientRect();
                return box.width > 1 && box.right > width + 1 && !e.closest('svg');
            }).map((e) => e.outerHTML.slice(0, 80))""",
            width,
        )
        assert wide == [], view
        assert low_contrast(page) == [], view

    check("empty")
    name = measure(page, question=PROMPT, documents=(*DOCUMENTS, "x" * 300), answer=STORY)
    check("measured")
    generate(page, PROMPT, max_tokens=60, seed=0)
    wait_for_end(page)
    page.locator("#ask > summary").click()
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    check("generated")
    other = run_in_address(page)
    page.goto(f"{server.url}/#compare={name}:response,{other}:response")
    page.wait_for_selector(".differences")
    check("compared")
    page.locator('.tabs [data-view="runs"]').click()
    page.wait_for_selector(".runs-table")
    check("runs")


def test_a_fault_of_the_page_is_noticed(chromium: "Browser", server: RunningServer) -> None:
    with pages(chromium) as live:
        page = live(server.url)
        page.evaluate("console.error('planted')")
        page.wait_for_timeout(50)
        assert live.noise == ["planted"]
        live.noise.clear()
