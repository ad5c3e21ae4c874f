// The flow F along the response, with its compensator A, A's band, the threshold of the evidence and
// the first crossing; under it the density of each token. Drawn as SVG at the width it is given.

const PLOT = { height: 250, left: 46, right: 14, top: 24, bars: 64, gap: 44, foot: 40 };

function drawCurve(record, nodes) {
  const holder = el("div", { class: "plot" });
  const figure = el("figure", { class: "curve" }, curveLegend(record), holder);
  let plot = null;
  const show = (j) => plot && moveCursor(record, plot, j);
  const draw = () => {
    const width = Math.floor(holder.clientWidth);
    if (width < 40 || (plot && plot.width === width)) return;
    plot = plotCurve(record, width);
    holder.replaceChildren(plot.root);
    show(shownToken());
  };
  const under = (event) => {
    const n = record.tokens.position.length;
    const x = event.clientX - plot.root.getBoundingClientRect().left - PLOT.left;
    return Math.max(0, Math.min(n - 1, Math.floor((x / (plot.width - PLOT.left - PLOT.right)) * n)));
  };
  if (nodes.length) {
    holder.addEventListener("pointermove", (event) => event.pointerType !== "touch" && previewToken(under(event)));
    holder.addEventListener("pointerleave", () => previewToken(null));
    holder.addEventListener("click", (event) => focusToken(nodes, under(event), true));
  }
  new ResizeObserver(draw).observe(holder);
  return { figure, show };
}

function curveLegend(record) {
  const key = (name, kind, text) => el("span", { class: "key" },
    svg("svg", { viewBox: "0 0 26 12", width: 26, height: 12, "aria-hidden": "true" },
      kind === "band" ? svg("rect", { x: 0, y: 1, width: 26, height: 10, class: "band" })
        : svg("path", { d: "M0 6H26", class: kind })),
    el("b", null, name), ` ${text}`);
  const hasDrift = record.tokens.compensator_nats.some((v) => v !== null);
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

function runningSum(values) {
  let sum = 0;
  return values.map((v) => (v === null || sum === null ? (sum = null) : (sum += v)));
}

function plotCurve(record, width) {
  const t = record.tokens;
  const n = t.position.length;
  const inner = width - PLOT.left - PLOT.right;
  const bottom = PLOT.top + PLOT.height;
  const x = (j) => PLOT.left + ((j + 0.5) / Math.max(n, 1)) * inner;
  const y = scaleOf([...t.flow_nats, ...t.compensator_nats, 0, threshold(record)], bottom, PLOT.top);
  const barTop = bottom + PLOT.gap;
  const bar = scaleOf([...t.density_nats, -0.5, 0.5], barTop + PLOT.bars, barTop);
  const height = barTop + PLOT.bars + PLOT.foot;
  const root = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": curveWords(record) });
  const plot = { root, width, x, y, cursor: svg("g", { class: "cursor" }) };
  fill(root, null, [
    svg("defs", null, svg("clipPath", { id: "plot-area" },
      svg("rect", { x: PLOT.left, y: PLOT.top, width: inner, height: PLOT.height }))),
    axes(y, width, PLOT.top, bottom, "flow [nats]", 5),
    bandOf(record, x, y), lineOf(t.compensator_nats, x, y, "compensator"),
    thresholdLine(record, y, width), lineOf(t.flow_nats, x, y, "flow"),
    axes(bar, width, barTop, barTop + PLOT.bars, "density [nats]", 3),
    bars(t.density_nats, x, bar, inner / Math.max(n, 1)), humanMarks(record, x, barTop + PLOT.bars + 3, inner / Math.max(n, 1)),
    positionAxis(n, x, barTop + PLOT.bars, width),
    crossing(record, record.first_crossing, plot, "crossing", "evidence crosses"),
    crossing(record, record.first_crossing_against, plot, "crossing-against", "evidence against P"),
    plot.cursor]);
  return plot;
}

function scaleOf(values, from, to) {
  const finite = values.filter((v) => v !== null && Number.isFinite(v));
  const low = Math.min(...finite);
  const high = Math.max(...finite);
  const pad = (high - low || 1) * 0.06;
  const [a, b] = [low < 0 ? low - pad : low, high + pad];
  const scale = (v) => from + ((Math.max(a, Math.min(b, v)) - a) / (b - a)) * (to - from);
  scale.domain = [a, b];
  return scale;
}

function ticks([low, high], wanted) {
  const rough = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((k) => k * power).find((s) => s >= rough);
  const result = [];
  for (let k = Math.ceil(low / step); k * step <= high; k += 1) result.push(k * step);
  return { values: result, digits: Math.max(0, -Math.floor(Math.log10(step) + 1e-9)) };
}

function axes(scale, width, top, bottom, name, wanted) {
  const { values, digits } = ticks(scale.domain, wanted);
  const g = svg("g", { class: "axis" },
    svg("text", { x: 0, y: top - 12, class: "axis-name" }, name));
  for (const v of values) {
    g.append(svg("line", { x1: PLOT.left, x2: width - PLOT.right, y1: scale(v), y2: scale(v), class: v === 0 ? "zero" : "grid" }),
      svg("text", { x: PLOT.left - 8, y: scale(v) + 4, "text-anchor": "end" }, fixed(v, digits)));
  }
  return g;
}

function positionAxis(n, x, top, width) {
  const g = svg("g", { class: "axis" },
    svg("text", { x: width - PLOT.right, y: top + 36, "text-anchor": "end", class: "axis-name" }, "position in the response [tokens]"));
  if (n === 0) return g;
  for (const v of ticks([0, Math.max(n - 1, 1)], Math.max(2, Math.min(8, width / 90))).values)
    if (Number.isInteger(v) && v < n) g.append(svg("text", { x: x(v), y: top + 20, "text-anchor": "middle" }, String(v)));
  return g;
}

function lineOf(values, x, y, kind) {
  let path = `M${PLOT.left} ${y(0).toFixed(1)}`;
  let broken = false;
  values.forEach((v, j) => {
    if (v === null) { broken = true; return; }
    path += `${broken ? "M" : "L"}${x(j).toFixed(1)} ${y(v).toFixed(1)}`;
    broken = false;
  });
  return svg("path", { d: path, class: kind, "clip-path": "url(#plot-area)" });
}

function bandOf(record, x, y) {
  const { compensator_nats: a, variance_nats2: v } = record.tokens;
  const [low, high] = y.domain;
  const clip = (value) => y(Math.max(low, Math.min(high, value))).toFixed(1);
  const upper = [`${PLOT.left} ${clip(0)}`];
  const lower = [`${PLOT.left} ${clip(0)}`];
  runningSum(v).forEach((sum, j) => {
    if (sum === null || a[j] === null) return;
    const half = 1.96 * Math.sqrt(Math.max(sum, 0));
    upper.push(`${x(j).toFixed(1)} ${clip(a[j] + half)}`);
    lower.push(`${x(j).toFixed(1)} ${clip(a[j] - half)}`);
  });
  return svg("path", { d: `M${upper.concat(lower.reverse()).join("L")}Z`, class: "band" });
}

function thresholdLine(record, y, width) {
  const c = threshold(record);
  return c === null ? null : svg("line", { x1: PLOT.left, x2: width - PLOT.right, y1: y(c), y2: y(c), class: "threshold" });
}

function bars(density, x, y, step) {
  const g = svg("g", { class: "bars" });
  const wide = Math.max(step * 0.72, 0.8);
  density.forEach((d, j) => {
    if (d === null) return;
    const kind = level(d) === 0 ? "neutral" : d > 0 ? "plus" : "minus";
    const [top, foot] = [y(Math.max(d, 0)), y(Math.min(d, 0))];
    g.append(svg("rect", { x: (x(j) - wide / 2).toFixed(1), y: top.toFixed(1), width: wide.toFixed(1), height: Math.max(foot - top, 1).toFixed(1), class: kind }));
  });
  return g;
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
  const at = record.first_crossing;
  const crossed = at === null ? "it never reaches" : `at position ${at} the evidence reaches`;
  return `Flow along the response: ${nats(record.flow_nats)} nats after ${count(n, "token", "tokens")}, `
    + `compensator ${nats(record.compensator_nats)} nats; ${crossed} the threshold log 1/α = ${nats(threshold(record))} nats.`;
}
