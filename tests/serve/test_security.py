"""Who may ask: hosts, origins, tokens; names that would leave the folder; headers of answers."""

import re
from urllib.parse import quote

import pytest
from serve.asked import MEASURE
from serve.server import thread_server

from flowgauge.serve.security import allowed_names

TOKEN = "a-token-of-more-than-16-characters"


@pytest.fixture(scope="module")
def guarded(stories, tmp_path_factory):
    runs = tmp_path_factory.mktemp("guarded") / "runs"
    with thread_server(stories, runs=runs, token=TOKEN) as found:
        yield found


# -- the Host header -----------------------------------------------------------------------------


def test_this_server_answers_to_its_own_names_only(server):
    port = server.address[1]
    for host in ("127.0.0.1", "localhost", "[::1]", "LOCALHOST"):
        assert server.get("/api/about", Host=f"{host}:{port}").status == 200, host
    for host in (
        "evil.example", f"evil.example:{port}", f"127.0.0.1:{port + 1}", "127.0.0.1", "localhost",
        f"127.0.0.1.evil.example:{port}", f"localhost.:{port}", f"192.168.0.1:{port}",
        f"0.0.0.0:{port}", f"[::2]:{port}",
    ):  # fmt: skip
        answer = server.get("/api/about", Host=host)
        assert (answer.status, answer.kind) == (421, "HostError"), host
        assert f"127.0.0.1:{port}" in answer.message
    for host in ("", f"a@127.0.0.1:{port}", f"127.0.0.1:{port}/x", "127.0.0.1:x", "a,b"):
        answer = server.get("/api/about", Host=host)
        assert (answer.status, answer.kind) == (400, "HostError"), host


def test_names_of_a_server_that_others_reach():
    assert allowed_names("192.168.1.7") >= {"192.168.1.7", "localhost"}
    assert "[fe80::1]" in allowed_names("fe80::1")
    assert "0.0.0.0" not in allowed_names("0.0.0.0")


def test_a_server_for_others_answers_to_addresses_but_not_to_other_names(stories, tmp_path):
    with thread_server(stories, runs=tmp_path, host="0.0.0.0", token=TOKEN) as server:
        assert server.url.startswith("http://127.0.0.1:")
        port = server.address[1]
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        for host in ("127.0.0.1", "10.1.2.3", "[fe80::1]"):
            assert server.get("/api/about", Host=f"{host}:{port}", **bearer).status == 200
        for host in ("evil.example", "10.1.2.3.evil.example", "10.1.2"):
            assert server.get("/api/about", Host=f"{host}:{port}", **bearer).status == 421


# -- where a request comes from ------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "https://{host}"},
        {"Origin": "http://{host}.evil.example"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://localhost"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://{host}", "Sec-Fetch-Site": "cross-site"},
    ],
)
def test_other_sites_cannot_change_anything(server, headers):
    sent = {k: v.format(host=server.host) for k, v in headers.items()}
    for method, path in (("POST", "/api/measure"), ("DELETE", "/api/jobs/x"), ("PATCH", "/")):
        answer = server.ask(method, path, MEASURE if method == "POST" else None, **sent)
        assert (answer.status, answer.kind) == (403, "OriginError")
        assert f"http://{server.host}" in answer.message


def test_this_site_and_programs_can(server):
    for headers in (
        {},
        {"Origin": f"http://{server.host}"},
        {"Origin": f"http://{server.host}", "Sec-Fetch-Site": "same-origin"},
    ):
        answer = server.ask("DELETE", "/api/jobs/nobody", **headers)
        assert answer.status == 404


def test_other_sites_cannot_use_the_data_but_may_link_to_the_page(server):
    for site in ("cross-site", "same-site"):
        assert server.get("/api/runs", Sec_Fetch_Site=site).status == 403
        assert server.get("/", Sec_Fetch_Site=site).status == 200


def test_no_answer_lets_another_origin_read_it(server):
    for path in ("/", "/api/about", "/api/nothing"):
        headers = server.get(path, Origin="http://evil.example").headers
        assert not [name for name in headers if name.startswith("access-control")]
    preflight = server.ask("OPTIONS", "/api/measure", Origin="http://evil.example")
    assert preflight.status == 405


@pytest.mark.parametrize("path", ["/", "/api/about", "/api/runs/none", "/runs/a%2Fb", "/nothing"])
def test_every_answer_has_the_headers_that_keep_it_at_home(server, path):
    headers = server.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "SAMEORIGIN"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "frame-ancestors 'self'" in headers["content-security-policy"]
    assert ("default-src 'none'" in headers["content-security-policy"]) == (path != "/")
    assert "server" not in headers


def test_refusals_have_them_too(server):
    answer = server.get("/api/about", Host="evil.example")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-type"] == "application/json"


# -- the token -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong-wrong-wrong-wrong"},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": f"Bearer {TOKEN[:-1]}"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": TOKEN},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer \xe4\xf6"},
        {"Cookie": f"flowgauge={TOKEN}"},
        {"Cookie": "{cookie}=" + TOKEN},  # the cookie holds no token
        {"Cookie": "{cookie}="},
    ],
)
def test_without_the_token_nothing_is_told(guarded, headers):
    cookie = f"flowgauge-{guarded.address[1]}"
    sent = {k: v.replace("{cookie}", cookie) for k, v in headers.items()}
    for method, path in (("GET", "/"), ("GET", "/api/about"), ("POST", "/api/measure")):
        answer = guarded.ask(method, path, MEASURE if method == "POST" else None, **sent)
        assert (answer.status, answer.kind) == (401, "TokenError")
        assert answer.headers["www-authenticate"] == "Bearer"
        assert b"flowgauge-" not in answer.body
        assert TOKEN not in answer.message


def test_the_token_as_a_header_or_once_in_the_address(guarded):
    assert guarded.get("/api/about", Authorization=f"Bearer {TOKEN}").status == 200
    assert guarded.get("/api/about", Authorization=f"bearer  {TOKEN}").status == 200
    greeting = guarded.get(f"/runs/x?a=1&token={TOKEN}&b=%26")
    assert greeting.status == 303
    assert greeting.headers["location"] == "/runs/x?a=1&b=%26"
    cookie = greeting.headers["set-cookie"]
    assert re.search("; HttpOnly", cookie, re.I)
    assert re.search("; SameSite=strict", cookie, re.I)
    assert re.search("; Path=/", cookie, re.I)
    assert TOKEN not in cookie
    pair = cookie.split(";")[0]
    assert pair.startswith(f"flowgauge-{guarded.address[1]}=")
    assert guarded.get("/api/about", Cookie=f"other=1; {pair}; more=2").status == 200
    assert guarded.get("/api/about", Cookie=pair + "x").status == 401
    assert guarded.get("/?token=wrong-wrong-wrong-wrong").status == 401
    assert guarded.post(f"/api/measure?token={TOKEN}", MEASURE).status == 401


def test_the_greeting_leads_nowhere_else(guarded):
    for path in ("//evil.example/", "/\\evil.example", "///evil.example"):
        greeting = guarded.get(f"{path}?token={TOKEN}")
        assert greeting.status == 303
        assert re.match(r"/[^/\\]", greeting.headers["location"])


def test_a_cookie_does_not_help_another_site(guarded):
    pair = guarded.get(f"/?token={TOKEN}").headers["set-cookie"].split(";")[0]
    forged = guarded.ask("DELETE", "/api/jobs/x", Cookie=pair, Origin="http://evil.example")
    assert forged.status == 403
    own = guarded.ask("DELETE", "/api/jobs/x", Cookie=pair, Origin=f"http://{guarded.host}")
    assert own.status == 404


# -- names that would leave the folder -----------------------------------------------------------

AWAY = [
    "..",
    ".",
    "../secret",
    "..\\secret",
    "/etc",
    "....//",
    ".hidden",
    "a\x00b",
    "a b",
    "é",
    "C:\\",
]


@pytest.mark.parametrize("name", AWAY)
@pytest.mark.parametrize("path", ["/runs/{}", "/api/runs/{}", "/api/runs/{}/records/response"])
def test_no_address_leads_out_of_the_folder(stories, tmp_path_factory, name, path, server):
    for form in (quote(name, safe=""), quote(quote(name, safe=""), safe="")):
        answer = server.get(path.format(form))
        assert answer.status in (400, 404), answer.body
        assert answer.kind in ("SettingsError", "NotFoundError")


def test_a_run_beside_the_folder_and_a_link_to_it_are_not_read(stories, tmp_path):
    with thread_server(stories, runs=tmp_path / "secret") as server:
        server.job("/api/measure", {**MEASURE, "name": "inner"})
    runs = tmp_path / "runs"
    runs.mkdir()
    (runs / "link").symlink_to(tmp_path / "secret" / "inner")
    with thread_server(stories, runs=runs) as server:
        for path in (
            "/runs/..%2Fsecret%2Finner",
            "/runs/../secret/inner",
            "/runs/link",
            "/api/runs/link",
        ):
            answer = server.get(path)
            assert answer.status in (400, 404)
            assert answer.kind in ("SettingsError", "NotFoundError")
        assert server.get("/api/runs").json == {"runs": []}
