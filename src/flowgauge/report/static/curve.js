// The flow F along the response, with its compensator A, A's band, the threshold of the evidence and
// the first crossing; under it the density of each token. Drawn as SVG at the width it is given.

// shared: records that the scales hold too, so that curves side by side compare.
function drawCurve(record, nodes, shared = [record]) {
  const holder = el("div", { class: "plot" });
  const figure = el("figure", { class: "curve" }, curveLegend(record), holder);
  let plot = null;
  const show = (j) => plot && moveCursor(record, plot, j);
  const draw = () => {
    const width = Math.floor(holder.clientWidth);
    if (width < 40 || (plot && plot.width === width)) return;
    plot = plotCurve(record, width, shared);
    holder.replaceChildren(plot.root);
    show(shownToken());
  };
  const under = (event) => {
    const x = event.clientX - plot.root.getBoundingClientRect().left - PLOT.left;
    const j = Math.floor((x / (plot.width - PLOT.left - PLOT.right)) * longest(shared));
    return Math.max(0, Math.min(record.tokens.position.length - 1, j));
  };
  if (nodes.length) {
    holder.addEventListener("pointermove", (event) => event.pointerType !== "touch" && previewToken(under(event)));
    holder.addEventListener("pointerleave", () => previewToken(null));
    holder.addEventListener("click", (event) => focusToken(nodes, under(event), true));
  }
  new ResizeObserver(draw).observe(holder);
  return { figure, show };
}

function longest(records) {
  return Math.max(...records.map((record) => record.tokens.position.length));
}

function curveLegend(record, hasDrift = record.tokens.compensator_nats.some((v) => v !== null)) {
  const key = (name, kind, text) => el("span", { class: "key" },
    svg("svg", { viewBox: "0 0 26 12", width: 26, height: 12, "aria-hidden": "true" },
      kind === "band" ? svg("rect", { x: 0, y: 1, width: 26, height: 10, class: "band" })
        : svg("path", { d: "M0 6H26", class: kind })),
    el("b", null, name), ` ${text}`);
  return el("figcaption", { class: "keys" },
    key("F", "flow", "flow"),
    hasDrift ? key("A", "compensator", "compensator") : null,
    hasDrift ? key("", "band", "A ± 1.96 √Σ variance") : null,
    threshold(record) === null ? null : key("log 1/α", "threshold", `${nats(threshold(record))} nats`),
    hasDrift ? null : el("span", { class: "quiet" }, "This model gives no drift, so there is no compensator."));
}

function threshold(record) {
  return record.alpha > 0 ? -Math.log(record.alpha) : null;
}

function plotCurve(record, width, shared) {
  const t = record.tokens;
  const n = longest(shared);
  const inner = width - PLOT.left - PLOT.right;
  const bottom = PLOT.top + PLOT.height;
  const x = (j) => PLOT.left + ((j + 0.5) / Math.max(n, 1)) * inner;
  const all = (name) => shared.flatMap((other) => other.tokens[name]);
  const y = scaleOf([...all("flow_nats"), ...all("compensator_nats"), 0, ...shared.map(threshold)], bottom, PLOT.top);
  const barTop = bottom + PLOT.gap;
  const bar = scaleOf([...all("density_nats"), -0.5, 0.5], barTop + PLOT.bars, barTop);
  const height = barTop + PLOT.bars + PLOT.foot;
  const root = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": curveWords(record) });
  const plot = { root, width, x, y, cursor: svg("g", { class: "cursor" }) };
  fill(root, null, [
    axes(y, width, PLOT.top, bottom, "flow [nats]", 5),
    bandOf(t.compensator_nats, runningSum(t.variance_nats2), x, y), lineOf(t.compensator_nats, x, y, "compensator"),
    thresholdLine(record, y, width), lineOf(t.flow_nats, x, y, "flow"),
    axes(bar, width, barTop, barTop + PLOT.bars, "density [nats]", 3),
    bars(t.density_nats, x, bar, inner / Math.max(n, 1)), humanMarks(record, x, barTop + PLOT.bars + 3, inner / Math.max(n, 1)),
    positionAxis(n, x, barTop + PLOT.bars, width),
    crossing(record, record.first_crossing, plot, "crossing", "evidence crosses"),
    crossing(record, record.first_crossing_against, plot, "crossing-against", "evidence against P"),
    plot.cursor]);
  return plot;
}

function thresholdLine(record, y, width) {
  const c = threshold(record);
  return c === null ? null : svg("line", { x1: PLOT.left, x2: width - PLOT.right, y1: y(c), y2: y(c), class: "threshold" });
}

function humanMarks(record, x, y, step) {
  const { labels, tokens } = record;
  const g = svg("g", { class: "human-marks" });
  labels.start.forEach((start, i) => {
    const inside = tokens.start.map((_, j) => j).filter((j) => tokens.start[j] < labels.end[i] && start < tokens.end[j]);
    if (!inside.length) return;
    const [first, last] = [x(inside[0]) - step / 2, x(inside[inside.length - 1]) + step / 2];
    g.append(svg("line", { x1: first, x2: last, y1: y, y2: y }));
  });
  return g;
}

function crossing(record, position, plot, kind, words) {
  const j = position === null ? -1 : record.tokens.position.indexOf(position);
  if (j < 0) return null;
  const [x, y] = [plot.x(j), plot.y(record.tokens.flow_nats[j] ?? 0)];
  const left = x > plot.width * 0.6;
  const below = kind === "crossing" && y < PLOT.top + PLOT.height - 46;
  return svg("g", { class: kind },
    markShape(kind === "crossing" ? "driven" : "against", x, y, 5.5),
    svg("text", { x: x + (left ? -12 : 12), y: y + (below ? 20 : -10), "text-anchor": left ? "end" : "start" }, `${words} at ${position}`));
}

function moveCursor(record, plot, j) {
  if (j === null) return plot.cursor.replaceChildren();
  const flow = record.tokens.flow_nats[j];
  const x = plot.x(j);
  return plot.cursor.replaceChildren(
    svg("line", { x1: x, x2: x, y1: PLOT.top, y2: PLOT.top + PLOT.height + PLOT.gap + PLOT.bars }),
    svg("circle", { cx: x, cy: plot.y(flow ?? 0), r: 4.5 }));
}

function curveWords(record) {
  const n = record.tokens.position.length;
  if (n === 0) return "No token of this response was scored.";
  if (threshold(record) === null) return `Flow along the response: ${nats(record.flow_nats)} nats after ${count(n, "token", "tokens")}, compensator ${nats(record.compensator_nats)} nats.`;
  const at = record.first_crossing;
  const crossed = at === null ? "it never reaches" : `at position ${at} the evidence reaches`;
  return `Flow along the response: ${nats(record.flow_nats)} nats after ${count(n, "token", "tokens")}, `
    + `compensator ${nats(record.compensator_nats)} nats; ${crossed} the threshold log 1/α = ${nats(threshold(record))} nats.`;
}
