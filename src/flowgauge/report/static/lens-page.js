// Joins the parts: the chosen response follows the address (#id=…); layers stay as chosen where they can.

const lensChosen = { number: null, record: null, end: [] };

function startLens() {
  startTheme();
  watchColours();
  if (!lensIndex.id.length) return;
  byId("workbench").hidden = false;
  if (typeof DecompressionStream !== "function") {
    byId("chosen").append(el("p", { class: "card notice", role: "alert" }, "This browser cannot unpack the page's numbers (DecompressionStream); one from 2023 or later can."));
    return;
  }
  const select = drawChoice(byId("choice"));
  const follow = () => {
    const match = /^#id=(.*)$/.exec(location.hash);
    const wanted = match ? lensIndex.id.indexOf(decoded(match[1])) : -1;
    const number = wanted >= 0 ? wanted : lensChosen.number ?? 0;
    select.value = String(number);
    if (number !== lensChosen.number) showLens(number);
  };
  addEventListener("hashchange", follow);
  follow();
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function drawChoice(nav) {
  const select = el("select", { id: "record", "aria-label": "Response" }, ...lensIndex.id.map((id, n) => el("option", { value: n }, id)));
  const go = (n) => { location.hash = `#id=${encodeURIComponent(lensIndex.id[n])}`; };
  const step = (way, sign, label) => {
    const button = el("button", { type: "button", class: "button", "aria-label": label }, sign);
    button.addEventListener("click", () => go((Number(select.value) + way + lensIndex.id.length) % lensIndex.id.length));
    return button;
  };
  select.addEventListener("change", () => go(Number(select.value)));
  nav.append(el("label", { class: "lens-field" }, "Response ", select));
  if (lensIndex.id.length > 1) nav.append(el("span", { class: "steps" }, step(-1, "‹", "Response before"), step(1, "›", "Next response")));
  else nav.hidden = true;
  return select;
}

async function showLens(number) {
  lensChosen.number = number;
  const chosen = byId("chosen");
  const record = await readLens(number);
  if (lensChosen.number !== number) return; // another was chosen meanwhile
  lensChosen.end.forEach((end) => end());
  layerWatchers.clear();
  const last = record.layers.length - 1;
  const before = lensChosen.record;
  if (!before || String(before.layers) !== String(record.layers)) Object.assign(lensState, { from: 0, to: last });
  lensChosen.record = record;
  const layers = drawLayers(record);
  const tokens = drawTokens(record);
  const totals = drawTotals(record, tokens.take);
  const overview = drawOverviewOr(record, tokens.take);
  chosen.replaceChildren(drawLensHead(record), layers.node,
    el("div", { class: "lens-sums" }, totals.node, overview.node), tokens.node);
  lensChosen.end = [tokens.end, overview.end];
  layers.say();
  totals.say();
  overview.say();
  tokens.rebuild();
  chosen.dataset.ready = String(number);
}

function drawOverviewOr(record, choose) {
  const found = drawOverview(record, choose);
  return found ? { ...found, end: found.grid.end } : { node: null, say() {}, end() {} };
}

function drawLensHead(record) {
  const head = el("header", { class: "chosen-head" },
    el("p", { class: "eyebrow" }, el("bdi", { class: "wrap" }, record.id)),
    record.question ? el("h2", { class: "question" }, record.question) : null,
    el("p", { class: "lens-response" }, el("bdi", null, record.text.trim())),
    el("p", { class: "quiet small" }, `${count(record.source.text.length - record.response.text.length + 1, "prompt token", "prompt tokens")}, ${count(record.response.text.length, "response token", "response tokens")}, ${count(record.layers.length, "layer", "layers")} read.`));
  if (record.notes.length) head.append(el("ul", { class: "notes" }, ...record.notes.map((note) => el("li", null, note))));
  return head;
}

startLens();
