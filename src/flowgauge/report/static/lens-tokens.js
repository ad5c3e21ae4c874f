// The map of tokens: which part of the source against which sentence of the response, how large, which sign.

const CELL_SIZES = [3, 5, 8, 12, 17, 22, 28];
const MOST_LINKS = 8;

// Choices of rows: {key, name, takes(source token)}; of columns alike.
function rowChoices(record) {
  const group = (j) => record.rows.group[record.source.row[j]];
  const last = record.documents + 1;
  const found = [];
  if (record.documents) found.push({ key: "documents", name: "All documents", takes: (j) => group(j) < record.documents });
  found.push({ key: "prompt", name: "Whole prompt", takes: (j) => group(j) < last });
  found.push({ key: "everything", name: "Everything before each token", takes: () => true });
  for (let g = 0; g <= last; g += 1) found.push({ key: `group ${g}`, name: groupName(record, g), takes: (j) => group(j) === g });
  record.rows.group.forEach((g, i) => g < record.documents
    && found.push({ key: `row ${i}`, name: `${rowName(record, i)}: ${cut(record.rows.text[i], 40)}`, takes: (j) => record.source.row[j] === i }));
  return found;
}

function columnChoices(record) {
  return [{ key: "all", name: "Whole response", takes: () => true },
    ...record.columns.map((text, k) => ({ key: `column ${k}`, name: `Sentence ${k}: ${cut(text, 40)}`, takes: (i) => record.response.column[i] === k }))];
}

function picker(id, label, choices) {
  const node = el("select", { id, "aria-label": label }, ...choices.map((c) => el("option", { value: c.key }, c.name)));
  return { node, get: () => choices.find((c) => c.key === node.value), set: (key) => { if (choices.some((c) => c.key === key)) node.value = key; } };
}

function drawTokens(record) {
  if (!record.tokens) return leftOut();
  const rows = picker("rows", "Source tokens", rowChoices(record));
  const columns = picker("columns", "Response tokens", columnChoices(record));
  const signs = picker("sign", "Which effects", [{ key: "both", name: "both signs" }, { key: "plus", name: "raising only" }, { key: "minus", name: "lowering only" }]);
  const panel = drawCellPanel(record);
  const links = el("div", { class: "lens-links" });
  const frame = el("div", { class: "grid-box" });
  const state = { size: 4, grid: null, taken: null };
  signs.set(lensState.sign);

  function rebuild() {
    if (state.grid) state.grid.end();
    const taken = { rows: places(record.source.text, rows.get()), columns: places(record.response.text, columns.get()) };
    state.taken = taken;
    if (!taken.rows.length || !taken.columns.length) {
      frame.replaceChildren(el("p", { class: "quiet" }, "No token stands there."));
      state.grid = null;
      return links.replaceChildren();
    }
    state.grid = makeGrid(tokenSpec(record, taken, CELL_SIZES[state.size], panel));
    frame.replaceChildren(state.grid.node);
    toStrongest();
  }

  function toStrongest() {
    const found = strongest(record, state.taken);
    links.replaceChildren(...drawLinks(record, found, (j, i) => {
      state.grid.goTo(state.taken.rows.indexOf(j), state.taken.columns.indexOf(i), "link");
      state.grid.node.scrollIntoView({ block: "nearest", behavior: calmly() });
    }));
    const [best] = found;
    if (best) state.grid.goTo(state.taken.rows.indexOf(best.source), state.taken.columns.indexOf(best.response), null);
    else state.grid.goTo(0, 0, null);
  }

  const zoom = (way) => {
    const { row, column } = state.grid ? state.grid.at : { row: 0, column: 0 };
    state.size = Math.max(0, Math.min(CELL_SIZES.length - 1, state.size + way));
    rebuild();
    if (state.grid) state.grid.goTo(row, column, null);
    smaller.disabled = state.size === 0;
    larger.disabled = state.size === CELL_SIZES.length - 1;
  };
  const smaller = el("button", { type: "button", class: "button", "aria-label": "Smaller cells" }, MINUS);
  const larger = el("button", { type: "button", class: "button", "aria-label": "Larger cells" }, "+");
  smaller.addEventListener("click", () => zoom(-1));
  larger.addEventListener("click", () => zoom(1));
  rows.node.addEventListener("change", rebuild);
  columns.node.addEventListener("change", rebuild);
  signs.node.addEventListener("change", () => { lensState.sign = signs.node.value; rebuild(); });
  layerWatchers.add(() => {
    if (!state.grid) return;
    links.replaceChildren();
    const { row, column } = state.grid.at;
    toStrongest();
    state.grid.goTo(row, column, null);
  });
  const node = el("section", { class: "card lens-tokens", id: "tokens", "aria-labelledby": "tokens-title" },
    el("h3", { id: "tokens-title" }, "Tokens"),
    el("div", { class: "lens-line" },
      el("label", { class: "lens-field" }, "rows ", rows.node), el("label", { class: "lens-field" }, "columns ", columns.node), signs.node,
      el("span", { class: "steps", role: "group", "aria-label": "Size of the cells" }, smaller, larger)),
    el("p", { class: "quiet small", id: "tokens-hint" }, "Rows: source tokens. Columns: response tokens. Arrow keys move by a token, Page Up and Page Down by a screen, Home and End along a row. Effects that lower log P are struck through; where cells are too small for that, choose one sign."),
    drawScale(TOKEN_STEPS),
    el("div", { class: "lens-map" }, frame, el("div", { class: "lens-side" }, panel.node, links)),
    el("p", { class: "quiet small" }, `Rounded: every cell, for any choice of layers, is within ${record.tokens.step} nats; sums by sentence and document are not made of the rounded cells.`));
  return { node, rebuild, end: () => state.grid && state.grid.end(),
    take(rowKey, columnKey) {
      rows.set(rowKey);
      if (columnKey) columns.set(columnKey);
      rebuild();
      node.scrollIntoView({ block: "start", behavior: calmly() });
      if (state.grid) state.grid.node.focus({ preventScroll: true });
    } };
}

function leftOut() {
  return { rebuild() {}, end() {}, take() {}, node: el("section", { class: "card lens-tokens", id: "tokens" }, el("h3", null, "Tokens"),
    el("p", { class: "notice" }, "The tokens of this response were left out to keep the page small. Read it alone (--id) or with fewer layers (--layers) to see them.")) };
}

function places(texts, choice) {
  return texts.map((_, k) => k).filter((k) => choice.takes(k));
}

function tokenSpec(record, taken, size, panel) {
  const { columns: width } = record.tokens;
  const breaks = (list, of) => list.map((k, n) => (n && of[k] !== of[list[n - 1]] ? n : 0)).filter(Boolean);
  const narrow = innerWidth < 640;
  const named = size >= 12;
  return {
    rows: taken.rows.length, columns: taken.columns.length, steps: TOKEN_STEPS, sign: lensState.sign,
    value: (r, c) => chosenSums(record, "tokens")[taken.rows[r] * width + taken.columns[c]],
    rowLabel: (r) => shownToken(record.source.text[taken.rows[r]]), columnLabel: (c) => shownToken(record.response.text[taken.columns[c]]),
    rowBreaks: breaks(taken.rows, record.source.row), columnBreaks: breaks(taken.columns, record.response.column),
    cell: { w: size, h: size }, head: named ? { w: narrow ? 92 : 128, h: 96 } : { w: 6, h: 6 },
    label: "Heat map of tokens: rows are source tokens, columns response tokens", hint: "tokens-hint",
    say: (r, c) => panel.show(taken.rows[r], taken.columns[c]),
  };
}

function shownToken(text) {
  if (!text) return "(no text)";
  return text.trim() ? text.replace(/\s+/g, " ").trim() : text.replace(/ /g, "␣").replace(/\n/g, "↵").replace(/\t/g, "⇥");
}

// The cells with the largest effects among those taken, largest first.
function strongest(record, taken) {
  const sums = chosenSums(record, "tokens");
  const found = [];
  for (const j of taken.rows) {
    for (const i of taken.columns) {
      const value = kept(lensState, sums[j * record.tokens.columns + i]);
      const size = Math.abs(value);
      if (size === 0 || (found.length === MOST_LINKS && size <= Math.abs(found[MOST_LINKS - 1].value))) continue;
      const place = found.findIndex((link) => Math.abs(link.value) < size);
      found.splice(place < 0 ? found.length : place, 0, { source: j, response: i, value });
      found.length = Math.min(found.length, MOST_LINKS);
    }
  }
  return found;
}

function drawLinks(record, found, go) {
  return [el("h4", null, "Strongest links here"), el("ol", { class: "link-list" }, ...found.map(({ source, response, value }) => {
    const button = el("button", { type: "button", class: "link-button" },
      el("span", { class: `link-value ${shadeClass(effectLevel(value, TOKEN_STEPS))}` }, signed(value)),
      el("span", { class: "link-tokens" }, visible(record.source.text[source] || "(no text)"), " → ", visible(record.response.text[response] || "(no text)")));
    button.addEventListener("click", () => go(source, response));
    return el("li", null, button);
  }))];
}
