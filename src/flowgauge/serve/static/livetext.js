// A text that is being written, as a record that grows: the report's own functions draw its tokens.

const STEP_COLUMNS = ["density_nats", "flow_nats", "drift_nats", "compensator_nats", "variance_nats2", "log_p_nats", "log_q_nats", "entropy_p_nats"];

function growingRecord() {
  const columns = ["position", "token_id", "start", "end", "sentence", ...STEP_COLUMNS];
  return {
    id: "live", documents: null, alpha: null, flow_nats: 0, compensator_nats: 0,
    tokens: Object.fromEntries(columns.map((name) => [name, []])),
    sentences: { sentence: [] }, labels: { start: [], end: [], kind: [] }, characters: [], variance_sums: [],
  };
}

function stepNumber(value) {
  const number = value === null || value === undefined ? NaN : Number(value);
  return Number.isNaN(number) ? null : number;
}

// Takes a step in; false when it is there already.
function growRecord(record, step) {
  const t = record.tokens;
  if (step.position < t.position.length) return false;
  const start = record.characters.length;
  for (const character of step.text || "") record.characters.push(character);
  t.position.push(step.position);
  t.token_id.push(step.token);
  t.start.push(start);
  t.end.push(record.characters.length);
  t.sentence.push(null);
  for (const name of STEP_COLUMNS) t[name].push(stepNumber(step[name]));
  const before = record.variance_sums.length ? record.variance_sums[record.variance_sums.length - 1] : 0;
  const variance = stepNumber(step.variance_nats2);
  record.variance_sums.push(before === null || variance === null ? null : before + variance);
  record.flow_nats = stepNumber(step.flow_nats);
  record.compensator_nats = stepNumber(step.compensator_nats);
  return true;
}

function drawLiveText(record) {
  const text = el("div", {
    class: "text live-text", role: "listbox", dir: "auto", "aria-orientation": "horizontal",
    "aria-label": "Text being written; arrow keys move from token to token",
  });
  const nodes = [];
  const flags = new Map();
  walkTokens(record, text, nodes);
  const caret = el("span", { class: "caret", "aria-hidden": "true", role: "presentation" });
  text.append(caret);
  const view = { text, nodes };
  // Appends the nodes of the tokens that have none yet.
  view.grow = () => {
    const added = document.createDocumentFragment();
    for (let j = nodes.length; j < record.tokens.position.length; j += 1) {
      const piece = { token: j, start: record.tokens.start[j], end: record.tokens.end[j], shares: null };
      nodes[j] = drawToken(record, piece, false);
      if (j === 0) nodes[j].tabIndex = 0;
      added.append(nodes[j]);
      for (const flag of flags.get(j) || []) added.append(markEvent(nodes[j], flag));
      flags.delete(j);
    }
    caret.before(added);
  };
  view.mark = (event, number) => {
    const node = nodes[event.position];
    if (node) node.after(markEvent(node, { event, number }));
    else flags.set(event.position, [...(flags.get(event.position) || []), { event, number }]);
  };
  view.end = () => caret.remove();
  return view;
}

// The sign of a monitor at its token; to the ear it is said by the token's label.
function markEvent(node, { event, number }) {
  node.classList.add("flagged");
  node.setAttribute("aria-label", `${node.getAttribute("aria-label")}; ${plainName(event.monitor)}: ${event.words}`);
  return el("span", { class: "event-flag", "aria-hidden": "true", role: "presentation", title: plainName(event.monitor) }, `⚑${number}`);
}
