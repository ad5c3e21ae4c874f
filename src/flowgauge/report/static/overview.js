// All responses by their flow fraction, one mark each: the run at a glance.

function drawOverview(figure) {
  const holder = el("div", { class: "plot" });
  const present = Object.entries(OUTCOMES).filter(([name]) => index.outcome.includes(name));
  figure.append(
    el("figcaption", { class: "keys" }, el("b", null, "Flow fraction of each response"),
      ...present.map(([, outcome]) => el("span", { class: "key" }, markIcon(outcome.mark), outcome.plural))),
    holder);
  let width = 0;
  let marks = [];
  const draw = () => {
    if (holder.clientWidth === width || holder.clientWidth < 40) return;
    width = holder.clientWidth;
    const plot = plotOverview(width);
    marks = plot.marks;
    holder.replaceChildren(plot.root);
    mark(state.response);
  };
  const mark = (i) => {
    marks.forEach((node, k) => node && node.classList.toggle("here", k === i));
    if (marks[i]) marks[i].parentNode.append(marks[i]); // on top of its neighbours
  };
  new ResizeObserver(draw).observe(holder);
  return { mark };
}

function plotOverview(width) {
  const n = index.row.length;
  const [left, right, r] = [14, 14, n > 150 ? 3.2 : n > 40 ? 5 : 6.5];
  const values = index.flow_fraction.map((v) => (v === null ? null : Math.max(-1, Math.min(1, v))));
  const known = values.filter((v) => v !== null);
  const low = Math.min(0, Math.floor(Math.min(0, ...known) * 4) / 4);
  const x = (v) => left + ((v - low) / (1 - low)) * (width - left - right);
  const step = 2.6 * r + 1;
  const heights = new Map();
  const places = values.map(() => null);
  const kinds = Object.keys(OUTCOMES);
  const stacked = values.map((_, i) => i).filter((i) => values[i] !== null)
    .sort((i, k) => kinds.indexOf(index.outcome[i]) - kinds.indexOf(index.outcome[k]));
  for (const i of stacked) {
    const bin = Math.round(x(values[i]) / step);
    heights.set(bin, (heights.get(bin) || 0) + 1);
    places[i] = { x: bin * step, floor: heights.get(bin) };
  }
  const tallest = Math.max(1, ...heights.values());
  const rise = Math.min(step, 150 / tallest);
  const base = Math.max(28, tallest * rise + 10);
  const root = svg("svg", { width, height: base + 30, viewBox: `0 0 ${width} ${base + 30}`, role: "img", "aria-label": overviewWords(known) });
  root.append(overviewAxis(x, low, base, width));
  const marks = places.map((place, i) => {
    if (place === null) return null;
    const node = markShape(outcomeOf(index.outcome[i]).mark, place.x, base - (place.floor - 0.5) * rise - 1, r);
    node.append(svg("title", null, `${index.id[i]}: ${share(index.flow_fraction[i])}`));
    node.addEventListener("click", () => { location.hash = linkTo(index.id[i]); });
    root.append(node);
    return node;
  });
  return { root, marks };
}

function overviewAxis(x, low, base, width) {
  const g = svg("g", { class: "axis" }, svg("line", { x1: 0, x2: width, y1: base, y2: base, class: "zero" }));
  const every = width < 480 ? 0.5 : 0.25;
  for (let v = Math.ceil(low / every) * every; v <= 1; v += every) {
    g.append(svg("line", { x1: x(v), x2: x(v), y1: base, y2: base + 5, class: "zero" }),
      svg("text", { x: x(v), y: base + 20, "text-anchor": v >= 1 ? "end" : low === v ? "start" : "middle" }, fixed(100 * v, 0) + " %"));
  }
  if (low < 0) g.append(svg("line", { x1: x(0), x2: x(0), y1: 4, y2: base, class: "grid" }));
  return g;
}

function overviewWords(known) {
  if (!known.length) return "No response has a flow fraction.";
  return `Flow fractions of ${count(known.length, "response", "responses")}, from ${share(Math.min(...known))} to ${share(Math.max(...known))}; values beyond −100 % stand at the edge.`;
}
