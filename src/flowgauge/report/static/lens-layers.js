// Which layers are summed: all, one or a range. A bar a layer shows where the documents' effects are made.

const lensState = { from: 0, to: 0, sign: "both" };
const layerWatchers = new Set();

function chooseLayers(from, to) {
  Object.assign(lensState, { from: Math.min(from, to), to: Math.max(from, to) });
  layerWatchers.forEach((watcher) => watcher());
}

function drawLayers(record) {
  const { layers } = record;
  const last = layers.length - 1;
  const words = el("p", { class: "quiet small", role: "status", id: "layer-words" });
  const all = el("button", { type: "button", class: "chip", id: "layers-all" }, "All layers");
  const choice = (id, label) => el("select", { id, "aria-label": label }, ...layers.map((n, k) => el("option", { value: k }, `layer ${n}`)));
  const [from, to] = [choice("layer-from", "From layer"), choice("layer-to", "To layer")];
  const bars = drawLayerBars(record, words);
  all.addEventListener("click", () => chooseLayers(0, last));
  from.addEventListener("change", () => chooseLayers(Number(from.value), Math.max(Number(from.value), lensState.to)));
  to.addEventListener("change", () => chooseLayers(Math.min(Number(to.value), lensState.from), Number(to.value)));
  const say = () => {
    from.value = String(lensState.from);
    to.value = String(lensState.to);
    all.setAttribute("aria-pressed", String(lensState.from === 0 && lensState.to === last));
    bars.mark();
    words.replaceChildren(`Summed: ${layerWords(record)}.`);
  };
  layerWatchers.add(say);
  const node = el("section", { class: "card lens-layers", "aria-labelledby": "layers-title" },
    el("div", { class: "lens-line" },
      el("h3", { id: "layers-title" }, "Layers"), all,
      el("span", { class: "lens-pair" },
        el("label", { class: "lens-field" }, "from ", from), el("label", { class: "lens-field" }, "to ", to))),
    bars.node,
    el("div", { class: "lens-line between" }, words,
      el("p", { class: "quiet small" }, `Bars: ${bars.what}, by layer. A click takes one layer, with Shift a range.`)));
  return { node, say };
}

// Documents' total of each layer over the whole response; the prompt's where there are no documents.
function layerTotals(record) {
  const groups = record.documents ? [...Array(record.documents).keys()] : [0];
  const each = groups.map((g) => byLayer(record.totals, g, 0));
  return record.layers.map((_, l) => each.reduce((sum, values) => sum + values[l], 0));
}

function drawLayerBars(record, words) {
  const totals = layerTotals(record);
  const most = Math.max(...totals.map(Math.abs), 1e-9);
  const [high, wide] = [72, 12];
  const y = (v) => high / 2 - (v / most) * (high / 2 - 3);
  const root = svg("svg", { viewBox: `0 0 ${wide * totals.length} ${high}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("line", { x1: 0, x2: wide * totals.length, y1: high / 2, y2: high / 2, class: "zero" }));
  const columns = totals.map((v, l) => {
    const column = svg("g", { class: "layer-bar" },
      svg("rect", { x: l * wide, y: 0, width: wide, height: high, class: "room" }),
      svg("rect", { x: l * wide + 2, y: Math.min(y(0), y(v)), width: wide - 4, height: Math.max(1, Math.abs(y(v) - y(0))), class: v < 0 ? "minus" : "plus" }));
    column.addEventListener("click", (event) => (event.shiftKey
      ? chooseLayers(Math.min(l, lensState.from), Math.max(l, lensState.to)) : chooseLayers(l, l)));
    column.addEventListener("pointerenter", () => words.replaceChildren(`Layer ${record.layers[l]}: ${signed(v)} nats.`));
    column.addEventListener("pointerleave", () => words.replaceChildren(`Summed: ${layerWords(record)}.`));
    root.append(column);
    return column;
  });
  const mark = () => columns.forEach((column, l) => column.classList.toggle("out", l < lensState.from || l > lensState.to));
  const what = record.documents ? "what all documents add over the whole response" : "what the prompt adds over the whole response";
  return { node: el("div", { class: "layer-bars" }, root), mark, what };
}
