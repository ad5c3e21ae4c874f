// One cell in words: the two tokens where they stand, the sum over the chosen layers, each layer.

const CONTEXT_TOKENS = 9;

// The token among those around it.
function inContext(texts, at, first, last) {
  const from = Math.max(first, at - CONTEXT_TOKENS);
  const to = Math.min(last, at + CONTEXT_TOKENS + 1);
  const text = (a, b) => texts.slice(a, b).join("").replace(/\s+/g, " ");
  return el("bdi", { class: "context wrap" }, from > first ? "…" : null, text(from, at),
    el("mark", null, texts[at].trim() ? texts[at].replace(/\s+/g, " ") : visible(texts[at])), text(at + 1, to), to < last ? "…" : null);
}

function drawCellPanel(record) {
  const node = el("div", { class: "panel lens-panel", id: "cell", role: "status", "aria-label": "Chosen cell" });
  const show = (j, i) => {
    const value = chosenSums(record, "tokens")[j * record.tokens.columns + i];
    const values = byLayer(record.tokens, j, i);
    const source = record.source.text;
    const group = record.rows.group[record.source.row[j]];
    const prompt = source.length - record.response.text.length + 1;
    const bounds = j < prompt ? [0, prompt] : [prompt, source.length];
    node.replaceChildren(
      el("div", { class: "panel-body" },
        el("p", { class: "panel-token" }, visible(source[j] || "(no text)"), el("span", { class: "arrow-to", "aria-label": "to" }, " → "), visible(record.response.text[i] || "(no text)")),
        el("p", { class: `panel-density ${shadeClass(effectLevel(value, TOKEN_STEPS))}` },
          el("span", { class: "big", "data-number": "effect" }, signed(value)), el("span", { class: "unit-ink" }, "nats"),
          el("span", { class: "panel-direction" }, effectWords(value, TOKEN_STEPS))),
        el("p", { class: "panel-place" }, `${layerWords(record)[0].toUpperCase()}${layerWords(record).slice(1)}`),
        drawProfile(record, values),
        el("dl", { class: "lens-places" },
          el("div", null, el("dt", null, `${groupName(record, group)}, token ${j}`), el("dd", null, inContext(source, j, ...bounds))),
          el("div", null, el("dt", null, `Response, token ${i}`), el("dd", null, inContext(record.response.text, i, 0, record.response.text.length))))));
  };
  return { node, show };
}

// The cell in each layer: bars, and the largest in words.
function drawProfile(record, values) {
  const most = Math.max(...values.map(Math.abs));
  const best = values.findIndex((v) => Math.abs(v) === most);
  const [high, wide] = [44, 10];
  const root = svg("svg", { viewBox: `0 0 ${wide * values.length} ${high}`, preserveAspectRatio: "none", "aria-hidden": "true", class: "profile" },
    svg("line", { x1: 0, x2: wide * values.length, y1: high / 2, y2: high / 2, class: "zero" }));
  values.forEach((v, l) => {
    const length = most ? (Math.abs(v) / most) * (high / 2 - 2) : 0;
    const out = l < lensState.from || l > lensState.to;
    root.append(svg("rect", { x: l * wide + 1.5, y: v < 0 ? high / 2 : high / 2 - length, width: wide - 3, height: Math.max(length, 0.5), class: `${v < 0 ? "minus" : "plus"}${out ? " out" : ""}` }));
  });
  return el("div", { class: "profile-box" }, root, el("p", { class: "quiet small" },
    most === 0 ? "Rounded to 0 in every layer." : `Most in layer ${record.layers[best]}: ${signed(values[best])} nats.`));
}
