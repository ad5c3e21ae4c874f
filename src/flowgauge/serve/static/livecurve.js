// The flow curve of a text that is being written. It is drawn on in stretches of tokens; only when a
// value leaves the scales is everything drawn anew, and the scales then double, so that this is rare.

const STRETCH = 64;

function drawLiveCurve(record, nodes) {
  const holder = el("div", { class: "plot" });
  const figure = el("figure", { class: "curve" }, curveLegend(record, true), holder);
  let plot = null;
  let width = 0;
  const marks = [];
  let ended = false;
  const show = (j) => plot && moveCursor(record, plot, j);
  const grow = () => {
    const n = record.tokens.position.length;
    if (width < 40 || !figure.isConnected) return;
    if (!plot || plot.width !== width || !holdsAll(plot, record)) {
      plot = plotLive(record, width, ended ? null : plot, ended ? n : 0);
      holder.replaceChildren(plot.root);
    }
    drawOn(plot, record, n);
    plot.marks.replaceChildren(...marks.filter(({ position }) => position < n).map((mark) => drawMark(plot, record, mark)));
    show(shownToken());
  };
  const under = (event) => {
    const x = event.clientX - plot.root.getBoundingClientRect().left - PLOT.left;
    return Math.max(0, Math.min(nodes.length - 1, Math.floor((x / plot.inner) * plot.room)));
  };
  holder.addEventListener("pointermove", (event) => plot && nodes.length && event.pointerType !== "touch" && previewToken(under(event)));
  holder.addEventListener("pointerleave", () => previewToken(null));
  holder.addEventListener("click", (event) => plot && nodes.length && focusToken(nodes, under(event), true));
  const mark = (position, number) => { marks.push({ position, number }); };
  // Nothing more will come: the scales close around what is there.
  const end = () => { ended = true; plot = null; grow(); };
  new ResizeObserver(() => { width = Math.floor(holder.clientWidth); grow(); }).observe(holder);
  return { figure, grow, show, mark, end };
}


function holdsAll(plot, record) {
  const t = record.tokens;
  if (t.position.length > plot.room) return false;
  const holds = (scale, v) => !Number.isFinite(v) || (v >= scale.domain[0] && v <= scale.domain[1]);
  for (let j = plot.checked; j < t.position.length; j += 1) {
    if (![t.flow_nats[j], t.compensator_nats[j]].every((v) => v === null || holds(plot.y, v))) return false;
    if (t.density_nats[j] !== null && !holds(plot.bar, t.density_nats[j])) return false;
  }
  plot.checked = t.position.length;
  return true;
}

// A scale that holds the values, with room to grow on the sides where they leave the old one.
function roomyScale(values, old, from, to) {
  let [low, high] = [Infinity, -Infinity];
  for (const v of values) if (v !== null && Number.isFinite(v)) { low = Math.min(low, v); high = Math.max(high, v); }
  if (old) {
    const [a, b] = old.domain;
    low = low < a ? low - (b - a) / 2 : a;
    high = high > b ? high + (b - a) / 2 : b;
  }
  return scaleOf([low, high], from, to);
}

// A monitor's sign on the flow.
function drawMark(plot, record, { position, number }) {
  const [x, y] = [plot.x(position), plot.y(record.tokens.flow_nats[position] ?? 0)];
  return svg("g", { class: "curve-mark" }, svg("circle", { cx: x, cy: y, r: 4 }), svg("text", { x, y: y - 9, "text-anchor": "middle" }, `⚑${number}`));
}

// exactly: the number of tokens, once it is known.
function plotLive(record, width, old, exactly) {
  const t = record.tokens;
  let room = exactly || (old ? old.room : STRETCH);
  while (room < t.position.length) room *= 2;
  const inner = width - PLOT.left - PLOT.right;
  const bottom = PLOT.top + PLOT.height;
  const barTop = bottom + PLOT.gap;
  const height = barTop + PLOT.bars + PLOT.foot;
  const x = (j) => PLOT.left + ((j + 0.5) / room) * inner;
  const y = roomyScale([0, 2, ...t.flow_nats, ...t.compensator_nats], old && old.y, bottom, PLOT.top);
  const bar = roomyScale([-0.5, 0.5, ...t.density_nats], old && old.bar, barTop + PLOT.bars, barTop);
  const root = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "Flow along the text so far, with its compensator" });
  const plot = { root, width, inner, room, x, y, bar, checked: 0, drawn: 0, stretches: [], marks: svg("g"), cursor: svg("g", { class: "cursor" }) };
  plot.lines = svg("g", { class: "live-lines" });
  fill(root, null, [
    axes(y, width, PLOT.top, bottom, "flow [nats]", 5), axes(bar, width, barTop, barTop + PLOT.bars, "density [nats]", 3),
    plot.lines, plot.marks, positionAxis(room, x, barTop + PLOT.bars, width), plot.cursor]);
  return plot;
}

function drawOn(plot, record, n) {
  const t = record.tokens;
  for (let from = STRETCH * Math.max(0, Math.ceil(plot.drawn / STRETCH) - 1); from < n; from += STRETCH) {
    if (from + STRETCH <= plot.drawn) continue;
    const to = Math.min(from + STRETCH, n);
    const g = svg("g", null,
      bandOf(t.compensator_nats, record.variance_sums, plot.x, plot.y, from, to),
      lineOf(t.compensator_nats, plot.x, plot.y, "compensator", from, to),
      lineOf(t.flow_nats, plot.x, plot.y, "flow", from, to),
      bars(t.density_nats, plot.x, plot.bar, plot.inner / plot.room, from, to));
    const k = from / STRETCH;
    if (plot.stretches[k]) plot.stretches[k].replaceWith(g);
    else plot.lines.append(g);
    plot.stretches[k] = g;
  }
  plot.drawn = n;
}
