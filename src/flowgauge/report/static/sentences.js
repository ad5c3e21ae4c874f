// The sentences of the response, least supported (or least driven) first; a click shows where the sentence stands.

const SENTENCE_COLUMNS = [
  { key: "text", name: "Sentence", of: (r, i) => r.sentences.sentence[i] },
  { key: "flow_fraction", name: "Flow fraction", of: (r, i) => r.sentences.flow_fraction[i], show: share },
  { key: "flow_nats", name: "Flow [nats]", of: (r, i) => r.sentences.flow_nats[i], show: nats },
  { key: "drift_nats", name: "Drift [nats]", of: (r, i) => r.sentences.drift_nats[i], show: nats },
  { key: "n_tokens", name: "Tokens", of: (r, i) => r.sentences.n_tokens[i], show: String },
];

const SUPPORT_COLUMNS = [
  { key: "support", name: "Support", of: (r, i) => r.sentences.support[i], show: nats },
  { key: "pointer", name: "Pointer", of: (r, i) => r.sentences.pointer[i], show: nats },
];

function drawSentences(record, nodes) {
  const known = SUPPORT_COLUMNS.filter((column) => record.sentences[column.key]);
  const columns = [SENTENCE_COLUMNS[0], ...known, ...SENTENCE_COLUMNS.slice(1)];
  const body = el("tbody", { role: "rowgroup" });
  const buttons = columns.map((column) =>
    el("button", { type: "button", class: "sort", "data-key": column.key }, column.name, el("span", { class: "arrow", "aria-hidden": "true" })));
  const heads = buttons.map((button, k) =>
    el("th", { scope: "col", role: "columnheader", class: k ? "numeric" : null }, button));
  const first = columns.find((column) => column.key === "support") || SENTENCE_COLUMNS[1];
  const order = { column: first, rising: true };
  const rows = record.sentences.sentence.map((_, i) => sentenceRow(record, i, columns));
  const sort = () => {
    const places = sortedBy(rows.map((_, i) => i), (i) => order.column.of(record, i), order.rising);
    body.replaceChildren(...places.map((i) => rows[i]));
    heads.forEach((head, k) => {
      const here = columns[k] === order.column;
      head.setAttribute("aria-sort", here ? (order.rising ? "ascending" : "descending") : "none");
    });
  };
  buttons.forEach((button, k) => button.addEventListener("click", () => {
    order.rising = order.column === columns[k] ? !order.rising : true;
    order.column = columns[k];
    sort();
  }));
  body.addEventListener("click", (event) => {
    const row = event.target.closest("tr");
    if (row) toggleSentence(record, Number(row.dataset.row), nodes);
  });
  sentenceWatchers.add((chosen) => rows.forEach((row, i) => {
    row.querySelector(".sentence-button").setAttribute("aria-pressed", String(i === chosen));
    row.classList.toggle("chosen-row", i === chosen);
  }));
  sort();
  return el("section", { class: "card sentences" },
    el("h3", null, "Sentences"),
    el("p", { class: "quiet" }, `${first.key === "support" ? "Least supported" : "Least driven"} first. Choose a sentence to see it in the response${record.sentences.sources ? " and its sources in the documents" : ""}; choose it again to let it go.`),
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

function sentenceRow(record, i, columns) {
  const s = record.sentences;
  const words = record.characters.slice(s.start[i], s.end[i]).join("").trim();
  const human = record.labels.start.some((start, k) => start < s.end[i] && s.start[i] < record.labels.end[k]);
  const first = el("td", { role: "cell", class: "sentence-cell" },
    el("button", { type: "button", class: "sentence-button", "aria-pressed": "false" },
      el("span", { class: "ordinal" }, String(s.sentence[i])), el("bdi", null, words || "(blank)")),
    isUnsupported(record, i) ? unsupportedTag("tag") : null,
    human ? el("span", { class: "tag human-tag" }, "human label") : null);
  const cells = columns.slice(1).map((column) => el("td", {
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

function toggleSentence(record, i, nodes) {
  chooseSentence(state.sentence === i ? null : i);
  const first = nodes.find((_, j) => state.sentence === i && sentenceOf(record, j) === i);
  if (first) first.scrollIntoView({ block: "center", behavior: calmly() });
}
