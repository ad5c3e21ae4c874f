// Two responses side by side: shaded texts, flow curves on one scale, numbers with their differences.

const COMPARED = [
  { key: "n_tokens", name: "Tokens scored", show: (v) => (v === null ? NONE : fixed(v, 0)) },
  { key: "flow_nats", name: "Flow [nats]", show: nats },
  { key: "flow_fraction", name: "Flow fraction", show: share },
  { key: "compensator_nats", name: "Compensator [nats]", show: nats },
  { key: "residual", name: "Residual z", show: nats },
  { key: "surprisal_p_nats", name: "−log P [nats]", show: nats },
  { key: "surprisal_q_nats", name: "−log Q [nats]", show: nats },
  { key: "log_e_value_nats", name: "log e for the source [nats]", show: nats },
  { key: "support", name: "Support, 0…1", show: nats },
  { key: "pointer", name: "Pointer, 0…1", show: nats },
];
const SIDES = ["A", "B"];

async function drawCompare(node, wanted) {
  const sides = [wanted[0] || null, wanted[1] || null];
  const runs = (await readRuns()).filter((run) => !run.damaged);
  const pickers = SIDES.map((name, k) => drawSidePicker(name, runs, sides[k], (side) => {
    const next = [...sides];
    next[k] = side;
    location.hash = compareAddress(next);
  }));
  const body = el("div", { class: "compared" });
  node.replaceChildren(el("section", { class: "card pickers", "aria-label": "Responses to compare" }, ...pickers), body);
  if (!runs.length) return body.replaceChildren(el("p", { class: "quiet" }, "No run is saved yet; measure or generate two answers first."));
  if (!sides[0] || !sides[1]) return body.replaceChildren(el("p", { class: "quiet" }, "Choose a response for A and one for B."));
  const found = await Promise.all(sides.map(async (side) => {
    const run = await readRun(side.run);
    return { run, record: await readSavedRecord(run, side.id) };
  }));
  return body.replaceChildren(...drawCompared(found));
}

function drawSidePicker(name, runs, side, choose) {
  const [runId, responseId] = [`run-${name}`, `response-${name}`];
  const unknown = side && !runs.some((run) => run.name === side.run) ? [{ name: side.run }] : [];
  const runSelect = el("select", { id: runId }, el("option", { value: "" }, "choose a run"),
    ...[...unknown, ...runs].map((run) => el("option", { value: run.name, selected: Boolean(side) && side.run === run.name },
      run.title ? `${run.name} · ${cutShort(run.title, 48)}` : run.name)));
  const response = el("select", { id: responseId, disabled: !side });
  const fillResponses = async (runName) => {
    const run = await readRun(runName);
    response.replaceChildren(...run.records.slice(0, MOST_LISTED).map(({ id }) => el("option", { value: id, selected: Boolean(side) && side.id === id }, id)));
    response.disabled = false;
    return run.records;
  };
  runSelect.addEventListener("change", async () => {
    if (!runSelect.value) return choose(null);
    try {
      const records = await fillResponses(runSelect.value);
      if (records.length) return choose({ run: runSelect.value, id: records[0].id });
      throw new Error(`The run ${runSelect.value} holds no measured response.`);
    } catch (error) {
      return showNotice(error.message);
    }
  });
  response.addEventListener("change", () => choose({ run: runSelect.value, id: response.value }));
  if (side) fillResponses(side.run).catch((error) => showNotice(error.message));
  return el("fieldset", { class: "side-picker" }, el("legend", null, el("b", { class: "side-name" }, name)),
    el("div", null, el("label", { for: runId }, "Run"), runSelect),
    el("div", null, el("label", { for: responseId }, "Response"), response));
}

function drawCompared(found) {
  const records = found.map(({ record }) => record);
  return [drawDifferences(records), el("div", { class: "two-sides" }, ...found.map(({ run, record }, k) => drawSide(SIDES[k], run, record, records)))];
}

function drawSide(name, run, record, shared) {
  const stage = makeStage();
  enterStage(stage);
  const { text, nodes } = drawResponse(record);
  text.removeAttribute("aria-describedby");
  const { panel, show } = drawPanel(record);
  const curve = drawCurve(record, nodes, shared);
  tokenWatchers.add(show).add(curve.show).add(markToken(nodes));
  const { mark, plural } = outcomeOf(record.outcome);
  const node = el("section", { class: "card one-side", "aria-label": `Response ${name}` },
    el("header", null,
      el("h2", { class: "side-title" }, el("b", { class: "side-name" }, name), " ", el("bdi", { class: "wrap" }, record.id)),
      el("p", { class: "quiet small wrap" }, el("a", { href: runAddress(run.name, record.id) }, el("bdi", null, run.name))),
      el("p", { class: "side-question wrap", dir: "auto" }, cutShort(record.question || record.instruction || "", 160)),
      el("p", { class: "item-outcome" }, markIcon(mark), plural)),
    text, curve.figure, panel);
  chooseToken(firstToken(record));
  return onStage(node, stage);
}

function difference(a, b, show) {
  const value = a === null || b === null ? null : stepNumber(b - a);
  if (show === nats) return signed(value);
  const text = show === share ? `${fixed(value === null ? null : 100 * value, 1)} points` : show(value);
  return value > 0 ? `+${text}` : text;
}

function drawDifferences(records) {
  const value = (record, key) => (typeof record[key] === "number" ? record[key] : null);
  const rows = COMPARED.filter(({ key }) => records.some((record) => value(record, key) !== null)).map(({ key, name, show }) => {
    const [a, b] = records.map((record) => value(record, key));
    return el("tr", null, el("th", { scope: "row" }, name),
      el("td", { "data-number": `A-${key}` }, show(a)), el("td", { "data-number": `B-${key}` }, show(b)),
      el("td", { "data-number": `difference-${key}` }, difference(a, b, show)));
  });
  return el("section", { class: "card", "aria-labelledby": "differences-title" },
    el("h2", { id: "differences-title" }, "Numbers"),
    el("table", { class: "differences" },
      el("thead", null, el("tr", null, el("td", null), ...["A", "B", "B − A"].map((name) => el("th", { scope: "col" }, name)))),
      el("tbody", null, ...rows)));
}
