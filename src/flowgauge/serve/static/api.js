// Questions to the server and the events of its jobs. Whatever goes wrong becomes a sentence.

async function ask(path, { method = "GET", body } = {}) {
  const headers = body === undefined ? {} : { "Content-Type": "application/json" };
  let answer;
  try {
    answer = await fetch(path, { method, headers, cache: "no-store", body: body === undefined ? undefined : JSON.stringify(body) });
  } catch {
    throw Object.assign(new Error("The server does not answer. Is “flowgauge serve” still running?"), { status: 0 });
  }
  const said = await answer.json().catch(() => null);
  if (answer.ok) return said;
  const words = said && said.error && said.error.message ? said.error.message : `The server answered ${answer.status} ${answer.statusText}.`;
  throw Object.assign(new Error(words), { status: answer.status });
}

// Follows a job: told[kind](data) for each event once, however often the stream breaks and comes back.
// told.lost() and told.back() speak of the connection, told.gone() of a job the server does not know.
function followJob(job, told) {
  const source = new EventSource(`/api/jobs/${encodeURIComponent(job)}/events`);
  const seen = new Set();
  let lost = false;
  const close = () => source.close();
  const once = (kind) => (event) => {
    if (event.lastEventId !== "") {
      if (seen.has(event.lastEventId)) return;
      seen.add(event.lastEventId);
    }
    if (ENDS.includes(kind)) close();
    if (told[kind]) told[kind](JSON.parse(event.data));
  };
  for (const kind of [...ENDS, "step", "event", "progress"]) source.addEventListener(kind, once(kind));
  source.addEventListener("open", () => { if (lost) told.back(); lost = false; });
  source.addEventListener("error", () => {
    if (source.readyState === EventSource.CLOSED) told.gone();
    else if (!lost) { lost = true; told.lost(); }
  });
  return close;
}

const ENDS = ["done", "cancelled", "failed"];

function cancelJob(job) {
  return ask(`/api/jobs/${encodeURIComponent(job)}`, { method: "DELETE" });
}

const JOB_GONE = "The server does not know this job any more; it may have been started anew. Saved runs are kept.";
const JOB_LOST = "The connection to the server is lost; trying again …";

// Newest first.
async function readRuns() {
  const answer = await ask("/api/runs");
  return answer.runs;
}

async function readRun(name) {
  const run = await ask(`/api/runs/${encodeURIComponent(name)}`);
  return { ...run, name };
}

// One response of a saved run, ready to be drawn.
async function readSavedRecord(run, id) {
  const record = readRecord(await ask(`/api/runs/${encodeURIComponent(run.name)}/records/${encodeURIComponent(id)}`));
  // `documents` holds places in the list of texts, or null for no documents.
  if (record.documents) record.documents = record.documents.map((place) => makeDocument(record.document_texts[place]));
  record.support_settings = supportSettingsOf(run.manifest);
  const { threshold } = record.support_settings;
  record.is_unsupported = typeof record.support === "number" && threshold !== null && record.support < threshold;
  return record;
}

function supportSettingsOf({ support, support_missing: missing }) {
  const text = (value) => (typeof value === "number" ? String(Number(value.toPrecision(6))) : "");
  if (!support) return { threshold: null, threshold_text: "", sentence_threshold_text: "", calibration: "", missing: missing || "it was measured without support" };
  return {
    threshold: support.threshold ?? null,
    threshold_text: text(support.threshold),
    sentence_threshold_text: text(support.sentence_threshold ?? support.threshold),
    calibration: (support.calibration && support.calibration.words) || "",
    missing: "",
  };
}

function reportLink(name, words = "Full report") {
  return el("a", { class: "button link-button", href: `/runs/${encodeURIComponent(name)}` }, words);
}
