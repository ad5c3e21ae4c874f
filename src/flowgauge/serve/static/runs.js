// Saved runs: their list, and one run with one of its responses drawn as the report draws it.

const MOST_LISTED = 200;

async function drawRunList(node) {
  const runs = await readRuns();
  if (!runs.length) {
    node.replaceChildren(el("p", { class: "card" }, "No run is saved yet. ", el("a", { href: "#measure" }, "Measure an answer"), " or ", el("a", { href: "#generate" }, "generate one"), "; each becomes a run in the folder of this server."));
    return;
  }
  const heads = ["Run", "Made", "Model", "Responses", "Flow [nats]", "Support"];
  node.replaceChildren(el("section", { class: "card", "aria-label": "Saved runs" },
    el("p", { class: "quiet small" }, `${count(runs.length, "run", "runs")}, newest first.`),
    el("table", { class: "runs-table stacked" },
      el("thead", null, el("tr", null, ...heads.map((name, k) => el("th", { scope: "col", class: k > 2 ? "numeric" : null }, name)), el("th", null, el("span", { class: "visually-hidden" }, "Report")))),
      el("tbody", null, ...runs.map(runRow)))));
}

function runRow(run) {
  if (run.damaged)
    return el("tr", null, el("th", { scope: "row" }, el("bdi", { class: "wrap" }, run.name)), el("td", { colspan: 6, class: "wrap" }, `cannot be read: ${run.damaged}`));
  const made = new Date(run.created);
  const cell = (name, ...content) => el("td", { "data-name": name, class: ["Responses", "Flow [nats]", "Support"].includes(name) ? "numeric" : null }, ...content);
  return el("tr", { "data-run": run.name },
    el("th", { scope: "row" }, el("a", { href: runAddress(run.name) }, el("bdi", { class: "wrap" }, run.name)),
      run.title ? el("bdi", { class: "run-title quiet small wrap" }, run.title) : null),
    cell("Made", Number.isNaN(made.getTime()) ? NONE : el("time", { datetime: run.created }, made.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" }))),
    cell("Model", el("bdi", { class: "wrap" }, run.model || NONE)),
    cell("Responses", String(run.records ?? NONE)),
    cell("Flow [nats]", nats(stepNumber(run.flow_nats))),
    cell("Support", nats(stepNumber(run.support))),
    el("td", null, el("a", { href: `/runs/${encodeURIComponent(run.name)}`, "aria-label": `Full report of ${run.name}` }, "report")));
}

// Draws a run into the node: what it is, its responses to choose from, and the chosen one.
async function showRun(node, name, id = null) {
  const place = el("div", { class: "run-view" }, el("p", { class: "quiet" }, "Reading the run …"));
  node.append(place);
  try {
    const run = await readRun(name);
    const wanted = id === null ? run.records[0] : run.records.find((record) => record.id === id);
    if (!wanted) throw new Error(noResponseWords(run, id));
    const record = await readSavedRecord(run, wanted.id);
    const stage = makeStage();
    enterStage(stage);
    const reading = drawReading(record);
    place.replaceChildren(drawRunHead(run, record), ...reading.parts);
    onStage(place, stage);
    place.dataset.run = name;
    showLink(reading.link);
    chooseToken(firstToken(record));
  } catch (error) {
    place.replaceChildren(notice(error.message));
  }
}

function noResponseWords(run, id) {
  if (id !== null && run.records.length) return `The run ${run.name} has no response with the id ${id}.`;
  if (run.failed.length) return `The response could not be measured: ${run.failed[0].reason}`;
  return `The run ${run.name} holds no response.`;
}

function drawRunHead(run, record) {
  const { model } = run.manifest;
  const name = (model && model.name) || model || "";
  return el("header", { class: "run-head" },
    el("p", { class: "eyebrow wrap" }, el("a", { href: runAddress(run.name) }, el("bdi", null, run.name)), ` · seen by ${name}`),
    el("h2", { class: "question", dir: "auto" }, record.question || record.instruction || "Response without a question"),
    run.records.length > 1 ? drawResponsePicker(run, record) : null,
    runActions(run, record));
}

function drawResponsePicker(run, record) {
  const shown = run.records.slice(0, MOST_LISTED);
  const select = el("select", { id: "response-picker" }, ...shown.map(({ id }) => el("option", { value: id, selected: id === record.id }, id)));
  select.addEventListener("change", () => { location.hash = runAddress(run.name, select.value); });
  return el("p", { class: "picker" }, el("label", { for: "response-picker" }, "Response "), select,
    run.records.length > shown.length ? el("span", { class: "quiet small" }, ` the first ${MOST_LISTED} of ${count(run.records.length, "response", "responses")}; the full report has all`) : null);
}

function runActions(run, record) {
  const again = el("button", { type: "button", class: "button" }, "Measure again");
  again.addEventListener("click", () => {
    giveForm({ question: record.question || "", documents: (record.documents || []).map((doc) => doc.text), instruction: record.instruction || "", response: record.response });
    leaveResult("measure");
    location.hash = "#measure";
  });
  return el("p", { class: "actions" },
    reportLink(run.name), el("a", { class: "button link-button", href: compareAddress([{ run: run.name, id: record.id }, null]) }, "Compare with …"), again);
}
