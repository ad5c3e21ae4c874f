// Scales, axes, lines and bars of a flow curve. Lines can be drawn in stretches of tokens, so that a text
// that is still being written is drawn on and not anew.

const PLOT = { height: 250, left: 46, right: 14, top: 24, bars: 64, gap: 44, foot: 40 };

function runningSum(values) {
  let sum = 0;
  return values.map((v) => (v === null || sum === null ? (sum = null) : (sum += v)));
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

// The line through the tokens of [from, to), joined to what stands before it. Scales hold values inside
// the plot, so nothing needs to be clipped.
function lineOf(values, x, y, kind, from = 0, to = values.length) {
  let path = from === 0 ? `M${PLOT.left} ${y(0).toFixed(1)}` : "";
  let broken = from > 0;
  for (let j = Math.max(from - 1, 0); j < to; j += 1) {
    if (values[j] === null) { broken = true; continue; }
    path += `${broken ? "M" : "L"}${x(j).toFixed(1)} ${y(values[j]).toFixed(1)}`;
    broken = false;
  }
  return svg("path", { d: path || null, class: kind });
}

// sums: running sums of the variance.
function bandOf(compensator, sums, x, y, from = 0, to = sums.length) {
  const upper = from === 0 ? [`${PLOT.left} ${y(0).toFixed(1)}`] : [];
  const lower = [...upper];
  for (let j = Math.max(from - 1, 0); j < to; j += 1) {
    if (sums[j] === null || compensator[j] === null) continue;
    const half = 1.96 * Math.sqrt(Math.max(sums[j], 0));
    upper.push(`${x(j).toFixed(1)} ${y(compensator[j] + half).toFixed(1)}`);
    lower.push(`${x(j).toFixed(1)} ${y(compensator[j] - half).toFixed(1)}`);
  }
  return svg("path", { d: upper.length ? `M${upper.concat(lower.reverse()).join("L")}Z` : null, class: "band" });
}

function bars(density, x, y, step, from = 0, to = density.length) {
  const g = svg("g", { class: "bars" });
  const wide = Math.max(step * 0.72, 0.8);
  for (let j = from; j < to; j += 1) {
    const d = density[j];
    if (d === null) continue;
    const kind = level(d) === 0 ? "neutral" : d > 0 ? "plus" : "minus";
    const [top, foot] = [y(Math.max(d, 0)), y(Math.min(d, 0))];
    g.append(svg("rect", { x: (x(j) - wide / 2).toFixed(1), y: top.toFixed(1), width: wide.toFixed(1), height: Math.max(foot - top, 1).toFixed(1), class: kind }));
  }
  return g;
}
