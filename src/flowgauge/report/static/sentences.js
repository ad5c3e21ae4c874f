// The sentences of the response, least driven first; a click shows where the sentence stands.

const SENTENCE_COLUMNS = [
  { key: "text", name: "Sentence", of: (r, i) => r.sentences.sentence[i] },
  { key: "flow_fraction", name: "Flow fraction", of: (r, i) => r.sentences.flow_fraction[i], show: share },
  { key: "flow_nats", name: "Flow [nats]", of: (r, i) => r.sentences.flow_nats[i], show: nats },
  { key: "drift_nats", name: "Drift [nats]", of: (r, i) => r.sentences.drift_nats[i], show: nats },
  { key: "n_tokens", name: "Tokens", of: (r, i) => r.sentences.n_tokens[i], show: String },
];

function drawSentences(record, text, nodes) {
  const body = el("tbody", { role: "rowgroup" });
  const buttons = SENTENCE_COLUMNS.map((column) =>
    el("button", { type: "button", class: "sort", "data-key": column.key }, column.name, el("span", { class: "arrow", "aria-hidden": "true" })));
  const heads = buttons.map((button, k) =>
    el("th", { scope: "col", role: "columnheader", class: k ? "numeric" : null }, button));
  const order = { column: SENTENCE_COLUMNS[1], rising: true };
  const rows = record.sentences.sentence.map((_, i) => sentenceRow(record, i));
  const sort = () => {
    const places = sortedBy(rows.map((_, i) => i), (i) => order.column.of(record, i), order.rising);
    body.replaceChildren(...places.map((i) => rows[i]));
    heads.forEach((head, k) => {
      const here = SENTENCE_COLUMNS[k] === order.column;
      head.setAttribute("aria-sort", here ? (order.rising ? "ascending" : "descending") : "none");
    });
  };
  buttons.forEach((button, k) => button.addEventListener("click", () => {
    order.rising = order.column === SENTENCE_COLUMNS[k] ? !order.rising : true;
    order.column = SENTENCE_COLUMNS[k];
    sort();
  }));
  body.addEventListener("click", (event) => {
    const row = event.target.closest("tr");
    if (row) highlightSentence(record, rows, Number(row.dataset.row), text, nodes);
  });
  sort();
  return el("section", { class: "card sentences" },
    el("h3", null, "Sentences"),
    el("p", { class: "quiet" }, "Least driven first. Choose a sentence to see it in the response; choose it again to let it go."),
    el("table", { role: "table", class: "sentence-table" },
      el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, ...heads)), body));
}

// Stable, and values that do not exist stand last either way.
function sortedBy(items, key, rising) {
  return items.map((item) => [key(item), item]).sort(([a], [b]) => {
    const missing = (v) => v === null || v === undefined;
    if (missing(a) || missing(b)) return missing(a) - missing(b);
    const way = typeof a === "string" ? a.localeCompare(b) : a === b ? 0 : a - b;
    return rising ? way : -way;
  }).map(([, item]) => item);
}

function sentenceRow(record, i) {
  const s = record.sentences;
  const words = record.characters.slice(s.start[i], s.end[i]).join("").trim();
  const human = record.labels.start.some((start, k) => start < s.end[i] && s.start[i] < record.labels.end[k]);
  const first = el("td", { role: "cell", class: "sentence-cell" },
    el("button", { type: "button", class: "sentence-button", "aria-pressed": "false" },
      el("span", { class: "ordinal" }, String(s.sentence[i])), el("bdi", null, words || "(blank)")),
    human ? el("span", { class: "tag human-tag" }, "human label") : null);
  const cells = SENTENCE_COLUMNS.slice(1).map((column) => el("td", {
    role: "cell", class: "numeric", "data-name": column.name, "data-number": column.key,
  }, el("span", null, column.show(column.of(record, i))), column.key === "flow_fraction" ? shareBar(s.flow_fraction[i]) : null));
  return el("tr", { role: "row", "data-row": i }, first, ...cells);
}

// A bar from 0 to the right for what the source explains, to the left where it speaks against.
function shareBar(value) {
  const bar = el("span", { class: `share-bar ${value < 0 ? "against" : "driven"}`, "aria-hidden": "true" }, el("i"));
  const size = value === null ? 0 : Math.min(Math.abs(value), 1);
  bar.firstChild.style.setProperty("--share", `${100 * size}%`);
  return bar;
}

function highlightSentence(record, rows, i, text, nodes) {
  const button = (row) => row.querySelector(".sentence-button");
  const on = button(rows[i]).getAttribute("aria-pressed") !== "true";
  rows.forEach((row, k) => {
    button(row).setAttribute("aria-pressed", String(on && k === i));
    row.classList.toggle("chosen-row", on && k === i);
  });
  const wanted = record.sentences.sentence[i];
  const inside = nodes.filter((node, j) => {
    const here = on && record.tokens.sentence[j] === wanted;
    node.classList.toggle("in-sentence", here);
    return here;
  });
  if (inside.length) inside[0].scrollIntoView({ block: "center", behavior: calmly() });
}
