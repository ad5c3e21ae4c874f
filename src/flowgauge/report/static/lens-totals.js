// Totals by document, and the overview: sentences of the source × sentences of the response.

function drawTotals(record, choose) {
  const groups = record.rows.group.at(-1) + 1;
  const lines = [...Array(groups).keys()].map((g) => {
    const name = el("button", { type: "button", class: "group-name" }, groupName(record, g));
    name.addEventListener("click", () => choose(`group ${g}`));
    const number = el("td", { class: "numeric", "data-group": g });
    const bar = g < record.documents || !record.documents ? el("i") : null;
    const fall = g < record.documents && record.falls ? signed(record.falls[g]) : null;
    const row = el("tr", { class: g < record.documents ? null : "other" }, el("th", { scope: "row" }, name),
      el("td", { class: "bar-cell" }, bar && el("span", { class: "two-sided" }, bar)), number,
      record.falls ? el("td", { class: "numeric", "data-fall": g }, fall ?? "") : null);
    return { row, number, bar };
  });
  const say = () => {
    const sums = chosenSums(record, "totals");
    const most = Math.max(...sums.slice(0, record.documents || groups).map(Math.abs), 1e-9);
    lines.forEach(({ number, bar }, g) => {
      number.textContent = signed(sums[g]);
      if (!bar) return;
      bar.className = sums[g] < 0 ? "minus" : "plus";
      bar.style.setProperty("--share", `${(50 * Math.abs(sums[g])) / most}%`);
    });
  };
  layerWatchers.add(say);
  const head = (text, more) => el("th", { scope: "col", ...more }, text);
  return { say, node: el("section", { class: "card lens-totals", "aria-labelledby": "totals-title" },
    el("h3", { id: "totals-title" }, record.documents ? "Document totals" : "Totals"),
    el("table", { class: "totals-table" },
      el("thead", null, el("tr", null, head("Source"), head(el("span", { class: "visually-hidden" }, "Bar")), head("effect [nats]", { class: "numeric" }),
        record.falls ? head("left out [nats]", { class: "numeric" }) : null)),
      el("tbody", null, ...lines.map((line) => line.row))),
    el("p", { class: "quiet small" }, "Summed over the whole response. A name takes its tokens to the map below.",
      record.falls ? " “Left out” is by how much log P of the response falls when the prompt is composed without the document; it is a cause, the effect is not, and the two are on different scales." : null)) };
}

function drawOverview(record, choose) {
  if (!record.overview) return null;
  const array = record.overview;
  const narrow = innerWidth < 640;
  const first = (text, fallback) => text.trim().replace(/\s+/g, " ") || fallback;
  const label = (i) => {
    const group = record.rows.group[i];
    return group < record.documents ? `${group}.${i - record.rows.group.indexOf(group)} ${first(record.rows.text[i], "(empty)")}` : groupName(record, group);
  };
  const words = el("p", { class: "overview-words", role: "status", id: "overview-words" });
  const spec = {
    rows: array.rows, columns: array.columns, steps: SENTENCE_STEPS, sign: "both", numbers: true,
    value: (i, j) => chosenSums(record, "overview")[i * array.columns + j],
    rowLabel: label, columnLabel: (j) => `${j} ${first(record.columns[j], "")}`,
    rowBreaks: record.rows.group.map((g, i) => (i && g !== record.rows.group[i - 1] ? i : 0)).filter(Boolean), columnBreaks: [],
    cell: { w: narrow ? 48 : Math.max(56, Math.min(110, Math.floor(370 / array.columns))), h: 26 }, head: { w: narrow ? 124 : 300, h: narrow ? 92 : 132 },
    label: "Heat map of sentences: rows are sentences of the source, columns those of the response", hint: "overview-hint",
    say: (i, j) => {
      const value = spec.value(i, j);
      words.replaceChildren(el("b", { "data-number": "overview" }, signed(value)), " nats · ", el("b", null, rowName(record, i)),
        record.rows.text[i] ? el("q", { class: "wrap" }, cut(record.rows.text[i])) : null, " → ", el("b", null, `sentence ${j}`), el("q", { class: "wrap" }, cut(record.columns[j])));
    },
    choose: (i, j) => choose(`row ${i}`, `column ${j}`),
  };
  const grid = makeGrid(spec);
  layerWatchers.add(() => { grid.redraw(); spec.say(grid.at.row, grid.at.column); });
  return { grid, say: () => spec.say(grid.at.row, grid.at.column), node: el("section", { class: "card lens-overview", "aria-labelledby": "overview-title" },
    el("h3", { id: "overview-title" }, "Sentences"),
    el("p", { class: "quiet small", id: "overview-hint" }, "Rows: sentences of the source (document.sentence). Columns: sentences of the response. Arrow keys move; Enter or a click takes the pair to the tokens below."),
    drawScale(SENTENCE_STEPS), grid.node, words,
    el("p", { class: "quiet small" }, `Rounded: every sum is within ${array.step} nats.`)) };
}

function cut(text, most = 110) {
  const line = text.trim().replace(/\s+/g, " ");
  return line.length <= most ? line : `${line.slice(0, most - 1)}…`;
}
