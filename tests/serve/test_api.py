"""Every address of the API on a real server with the story model; numbers against the library."""

import json
import math
from pathlib import Path

import pytest
from serve.asked import ALL_MONITORS, DOCUMENTS, GENERATE, LONG, MEASURE
from serve.server import thread_server, wait_until

from flowgauge import Record, TabularModel, measure, open_run, render
from flowgauge.live import (
    GenerateSettings,
    SamplingLaw,
    generate,
)
from flowgauge.live.grounded import Grounded
from flowgauge.pipeline.summary import summary
from flowgauge.records import Sampling
from flowgauge.scores import ModelLaw
from flowgauge.serve.stream import jsonable

RECORD = Record(
    id="response",
    question=MEASURE["question"],
    documents=tuple(DOCUMENTS),
    response=MEASURE["response"],
)


def runs_of(server):
    return Path(server.get("/api/about").json["runs_folder"])


def test_about(server, stories):
    about = server.get("/api/about").json
    assert about["model"] == {
        "name": "stories-260k",
        "vocabulary_size": 512,
        "context_length": 512,
        "has_chat_template": False,
    }
    assert about["limits"]["max_tokens"] == 2048
    assert about["limits"]["body_bytes"] == 2_000_000
    assert [m["name"] for m in about["monitors"]] == [m["name"] for m in ALL_MONITORS]
    for monitor in about["monitors"]:
        assert monitor["promise"]
        assert all(isinstance(value, int | float) for value in monitor["settings"].values())


def test_the_page(server):
    page = server.get("/")
    assert page.status == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.body.startswith(b"<!doctype html>")


def test_measure_gives_the_numbers_of_the_library(server, stories):
    [done] = server.job("/api/measure", {**MEASURE, "name": "measured"})
    assert (done.id, done.name, done.data["run"]) == (1, "done", "measured")
    wanted = measure([RECORD], stories)
    saved = open_run(runs_of(server) / "measured")
    for table in ("records", "tokens", "sentences"):
        assert saved.table(table).equals(wanted.table(table)), table
    assert done.data["record"] == jsonable(summary(wanted)["records"][0])
    told = server.get("/api/runs/measured").json
    shown = jsonable(summary(saved))
    assert told.pop("run") == "measured"
    assert shown.pop("run") == str(saved.path)  # where it stands on this machine is not told
    assert told == json.loads(json.dumps(shown))
    record = server.get("/api/runs/measured/records/response").json
    density = wanted["response"].density
    assert record["tokens"]["density_nats"] == pytest.approx(density, rel=1e-5)
    assert record["document_texts"] == DOCUMENTS
    page = server.get("/runs/measured")
    assert page.body.decode() == render(saved)


@pytest.mark.parametrize("law", ["sampling", "model"])
def test_generate_gives_the_steps_of_the_library(server, stories, law):
    sampling = {"temperature": 0.8, "top_k": 40, "top_p": 0.95, "repetition_penalty": 1.1}
    asked = {
        **GENERATE,
        "sampling": sampling,
        "law": law,
        "name": f"written-{law}",
        "monitors": [{"name": "grounded", "alpha": 0.2}],
    }
    *events, done = server.job("/api/generate", asked)
    settings = GenerateSettings(
        law=SamplingLaw() if law == "sampling" else ModelLaw(), max_tokens=12
    )
    text = generate(
        Record(id="response", question=GENERATE["question"], response=""),
        stories,
        sampling=Sampling(**sampling),
        monitors=[Grounded(0.2)],
        seed=3,
        settings=settings,
    )
    wanted = text.finish()
    steps = [e for e in events if e.name == "step"]
    assert len(steps) == len(wanted.steps)
    for got, step in zip(steps, wanted.steps, strict=True):
        assert got.data["text"] == step.text
        assert got.data["token"] == step.token
        pairs = {
            "density_nats": step.density, "flow_nats": step.flow, "drift_nats": step.drift,
            "compensator_nats": step.compensator, "variance_nats2": step.variance,
            "log_p_nats": step.log_p, "log_q_nats": step.log_q,
            "entropy_p_nats": step.entropy_p, "position": step.position,
        }  # fmt: skip
        for name, value in pairs.items():
            assert got.data[name] == jsonable(value), name
        assert set(got.data["state"]) == {"grounded"}
    said = [e for e in events if e.name == "event"]
    assert [e.data["words"] for e in said] == [e.words for e in wanted.events]
    assert [e.id for e in (*events, done)] == list(range(1, len(events) + 2))
    assert done.data["text"] == wanted.record.response
    assert done.data["stopped_by"] == wanted.stopped_by
    assert done.data["n_tokens"] == len(wanted.steps)
    saved = open_run(runs_of(server) / f"written-{law}")
    assert saved["response"].density == pytest.approx([s.density for s in wanted.steps], abs=0)


def test_a_monitor_can_end_a_text(server):
    asked = {**GENERATE, "monitors": [{"name": "grounded", "alpha": 0.5, "action": "stop"}]}
    *_, event, done = server.job("/api/generate", {**asked, "max_tokens": 400})
    assert event.name == "event"
    assert event.data["stops"] is True
    assert event.data["monitor"] == "grounded"
    assert event.data["values"]["log_e_nats"] >= math.log(2)
    assert done.data["stopped_by"] == "the monitor grounded stopped it"
    assert done.data["n_tokens"] == event.data["position"] + 1


def test_infinite_numbers_travel_as_text(stories, tmp_path):
    table = [[[0.5, 0.5], [0.0, 0.0]], [[0.0, 0.0], [0.5, 0.5]]]
    import numpy as np

    with thread_server(
        TabularModel(np.array(table), memory=np.array(table[1])), runs=tmp_path
    ) as s:
        events = s.job("/api/generate", {"question": "0", "max_tokens": 2})
        assert events[0].data["density_nats"] == "Infinity"
        assert events[0].data["log_q_nats"] == "-Infinity"


def test_events_are_replayed_from_anywhere(server):
    job = server.begin("/api/generate", GENERATE)
    every = server.stream(job["events"])
    assert every[-1].name == "done"
    assert server.stream(job["events"]) == every
    last = every[-1].id
    for after in (1, 5, last - 1):
        assert server.stream(job["events"], Last_Event_ID=str(after)) == every[after:]
    over = server.get(job["events"], Last_Event_ID=str(last))
    assert (over.status, over.body) == (204, b"")  # which tells a browser not to ask again
    for wrong in ("x", "-1", "1.5", str(last + 1), "9" * 30, "²"):
        answer = server.get(job["events"], Last_Event_ID=wrong.encode("utf-8").decode("latin-1"))
        assert (answer.status, answer.kind) == (400, "RequestError")
        assert f"0 to {last}" in answer.message


def test_a_stream_begins_with_a_retry_and_is_no_file_to_keep(server):
    job = server.begin("/api/generate", GENERATE)
    answer = server.get(job["events"])
    assert answer.body.startswith(b"retry: 1000\n\nid: 1\nevent: step\ndata: {")
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"


def test_cancel_ends_a_text_and_is_idempotent(server):
    job = server.begin("/api/generate", LONG)
    server.stream(job["events"], most=3)
    path = f"/api/jobs/{job['job']}"
    assert server.ask("DELETE", path).status == 200
    events = server.stream(job["events"])
    assert events[-1].name == "cancelled"
    assert len(events) < 490
    again = server.ask("DELETE", path)
    assert again.json == {"job": job["job"], "state": "cancelled"}
    for method, at in (("DELETE", "/api/jobs/nobody"), ("GET", "/api/jobs/nobody/events")):
        answer = server.ask(method, at)
        assert (answer.status, answer.kind) == (404, "UnknownJobError")


def test_runs_are_listed_newest_first(stories, tmp_path):
    with thread_server(stories, runs=tmp_path / "not" / "yet") as server:
        assert server.get("/api/runs").json == {"runs": []}
        for name in ("b", "a"):
            server.job("/api/measure", {**MEASURE, "name": name})
        folder = tmp_path / "not" / "yet"
        (folder / "unfinished").mkdir()
        (folder / "unfinished" / "plan.json").write_text("{}")
        (folder / "broken").mkdir()
        (folder / "broken" / "run.json").write_text("{")
        (folder / "a file").write_text("x")
        runs = {entry["name"]: entry for entry in server.get("/api/runs").json["runs"]}
        assert [n for n in runs if n != "broken"] == ["a", "b"]
        assert "broken" in runs["broken"]["damaged"]
        row = open_run(folder / "a").table("records").to_pylist()[0]
        assert runs["a"]["flow_nats"] == row["flow_nats"]
        assert runs["a"]["flow_fraction"] == pytest.approx(row["flow_fraction"], rel=1e-12)
        assert runs["a"]["support"] == row["support"]
        assert runs["a"]["model"] == "stories-260k"
        assert runs["a"]["records"] == 1
        assert runs["a"]["tokens"] == row["n_tokens"]
        unfinished = server.get("/api/runs/unfinished")
        assert unfinished.status == 404
        assert "the run unfinished is not finished" in unfinished.message
        broken = server.get("/runs/broken")
        assert (broken.status, broken.kind) == (500, "RunError")


@pytest.mark.parametrize("path", ["/api/runs/gone", "/runs/gone", "/api/runs/gone/records/x"])
def test_a_run_that_is_not_there(server, path):
    answer = server.get(path)
    assert (answer.status, answer.kind) == (404, "RunError")
    assert "there is no run gone" in answer.message


def test_a_record_that_is_not_there(server):
    server.job("/api/measure", {**MEASURE, "name": "one"})
    for path in ("nobody", "a%2Fb", "%F0%9F%98%80"):
        answer = server.get(f"/api/runs/one/records/{path}")
        assert (answer.status, answer.kind) == (404, "RunError")
        assert "has no record" in answer.message


def test_a_name_that_is_taken(server):
    server.job("/api/measure", {**MEASURE, "name": "taken"})
    for path, body in (("/api/measure", MEASURE), ("/api/generate", GENERATE)):
        answer = server.post(path, {**body, "name": "taken"})
        assert (answer.status, answer.kind) == (409, "RunExistsError")
    assert len(open_run(runs_of(server) / "taken")) == 1


def test_two_jobs_that_ask_for_one_name(stories, tmp_path, monkeypatch):
    from flowgauge.serve.shelf import Shelf

    monkeypatch.setattr(Shelf, "has", lambda self, name: False)  # both ask before either is done
    with thread_server(stories, runs=tmp_path) as server:
        jobs = [server.begin("/api/measure", {**MEASURE, "name": "same"}) for _ in range(2)]
        ends = [server.stream(job["events"])[-1] for job in jobs]
        assert [e.name for e in ends] == ["done", "failed"]
        assert ends[1].data["kind"] == "RunExistsError"


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"response": ""}, "RecordError", "the response is empty"),
        ({"response": "a\x00b"}, "RecordError", "control character U+0000"),
        ({"response": 5}, "RequestError", "response: input should be a valid string (5 came)"),
        ({"documents": "one"}, "RequestError", "documents: input should be a valid list"),
        ({"documents": [1]}, "RequestError", "documents.0: input should be a valid string"),
        ({"documents": ["\ud800"]}, "RecordError", "document 0 holds the lone surrogate U+D800"),
        ({"documents": ["x"] * 1001}, "RequestError", "documents: list should have at most 1000"),
        ({"colour": "red"}, "RequestError", "colour: extra inputs are not permitted"),
        ({"name": "../x"}, "SettingsError", "the name '../x' was given"),
        ({"question": None}, "RequestError", "question: input should be a valid string"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_words(server, change, kind, words):
    answer = server.post("/api/measure", {**MEASURE, **change})
    assert (answer.status, answer.kind) == (400, kind)
    assert words in answer.message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"max_tokens": 0}, "max_tokens: input should be greater than or equal to 1 (0 came)"),
        ({"max_tokens": 2049}, "max_tokens is 2049, at most 2048 are written"),
        ({"max_tokens": "5"}, "max_tokens: input should be a valid integer ('5' came)"),
        ({"max_tokens": True}, "max_tokens: input should be a valid integer (True came)"),
        ({"seed": -1}, "seed: input should be greater than or equal to 0"),
        ({"seed": 2**70}, "seed: input should be less than"),
        ({"sampling": {"temperature": -1}}, "temperature=-1.0"),
        ({"sampling": {"top_p": 0}}, "is no way to sample"),
        ({"sampling": {"temperature": math.nan}}, "temperature=nan"),
        ({"sampling": {"heat": 1}}, "sampling.heat: extra inputs are not permitted"),
        ({"law": "other"}, "law: input should be 'sampling' or 'model' ('other' came)"),
        ({"monitors": [{"name": "oracle"}]}, "there are grounded, not_from_source"),
        ({"monitors": [{"name": "grounded", "alpha": 2}]}, "alpha"),
        ({"monitors": [{"name": "grounded", "alpha": "x"}]}, "grounded was asked with alpha = 'x'"),
        ({"monitors": [{"name": "grounded", "beta": 1}]}, "its settings are numbers: alpha"),
        ({"monitors": [{"name": "loop", "window": 1.5}]}, "loop was asked with window = 1.5"),
        ({"monitors": [{"name": "loop", "action": "cry"}]}, "should be 'note' or 'stop'"),
        ({"monitors": [{"name": "loop"}, {"name": "loop"}]}, "the monitor loop was asked twice"),
        ({"monitors": [{"name": "loop"}] * 17}, "monitors: list should have at most 16"),
        ({"question": "\x07"}, "question holds the control character U+0007"),
        ({"response": "x"}, "response: extra inputs are not permitted"),
    ],
)  # fmt: skip
def test_what_cannot_be_written_is_refused_in_words(server, change, words):
    answer = server.post("/api/generate", {**GENERATE, **change})
    assert answer.status == 400, answer.body
    assert words in answer.message


def test_a_prompt_that_does_not_fit_fails_in_words_and_leaves_no_run(server):
    before = server.get("/api/runs").json
    long = {"documents": ["word " * 2000]}
    for path, body in (("/api/measure", MEASURE), ("/api/generate", GENERATE)):
        [failed] = server.job(path, {**body, **long})
        assert failed.name == "failed"
        assert failed.data["kind"] == "ContextLengthError"
        assert "reads at most 512" in failed.data["message"]
    assert server.get("/api/runs").json == before
    runs = runs_of(server).glob("*")  # no folder stands there before the first run
    assert not [f for f in runs if not (f / "run.json").is_file()]


def test_addresses_and_methods_that_are_none(server):
    for path in (
        "/nothing",
        "/api",
        "/api/",
        "/docs",
        "/openapi.json",
        "/static/app.js",
        "//",
        "/runs",
    ):
        answer = server.get(path)
        assert (answer.status, answer.kind) == (404, "NotFoundError"), path
    for method, path in (("POST", "/"), ("GET", "/api/measure"), ("PUT", "/api/generate")):
        answer = server.ask(method, path, {} if method != "GET" else None)
        assert (answer.status, answer.kind) == (405, "MethodError"), path
        assert answer.headers["allow"]


def test_a_fault_of_the_server_is_told_without_its_insides(server, monkeypatch):
    from flowgauge.serve.shelf import Shelf

    monkeypatch.setattr(Shelf, "runs", lambda self: 1 / 0)
    answer = server.get("/api/runs")
    assert (answer.status, answer.kind) == (500, "InternalError")
    assert "division" not in answer.message
    monkeypatch.undo()
    assert server.get("/api/runs").status == 200


def test_hostile_text_comes_back_as_it_went(server):
    hostile = "</script><img src=x onerror=alert(1)> \u2028 \u202e \"' 😀 &amp;"
    asked = {**MEASURE, "question": hostile, "documents": [hostile], "name": "hostile"}
    assert server.job("/api/measure", asked)[-1].name == "done"
    record = server.get("/api/runs/hostile/records/response").json
    assert record["question"] == hostile
    assert record["document_texts"] == [hostile]
    page = server.get("/runs/hostile").body.decode()
    assert "<img src=x" not in page


def test_no_documents_and_empty_documents_differ(server):
    for name, documents, source in (("none", None, "prompt"), ("empty", [], "nothing")):
        asked = {**MEASURE, "documents": documents, "name": f"docs-{name}"}
        assert server.job("/api/measure", asked)[-1].name == "done"
        record = server.get(f"/api/runs/docs-{name}/records/response").json
        assert record["source"] == source
        assert record["document_texts"] == documents


def test_the_server_takes_requests_while_a_step_is_at_work(server):
    job = server.begin("/api/generate", LONG)
    wait_until(lambda: server.stream(job["events"], most=1))
    assert server.get("/api/about").status == 200
    server.ask("DELETE", f"/api/jobs/{job['job']}")
