// How numbers look, and the scale of the shading. Forms as in digits.py: a number is cut once.

const NONE = "–";
const MINUS = "\u2212";

function fixed(value, digits) {
  if (value === null || value === undefined) return NONE;
  if (!Number.isFinite(value)) return value > 0 ? "∞" : MINUS + "∞";
  const text = value.toFixed(digits);
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", MINUS);
}

function nats(value) {
  return fixed(value, 3);
}

function signed(value) {
  const text = nats(value);
  return value > 0 && (text === "∞" || Number(text) > 0) ? "+" + text : text;
}

function share(value) {
  return value === null || value === undefined ? NONE : fixed(100 * value, 1) + " %";
}

function probability(logP) {
  if (logP === null || logP === undefined) return NONE;
  const p = Math.exp(Math.min(logP, 0));
  if (p >= 0.001) return p.toFixed(3);
  if (p === 0) return "0";
  const [digits, power] = p.toExponential(1).split("e-");
  const raised = [...power].map((d) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[d]).join("");
  return `${digits}×10⁻${raised}`;
}

function count(n, one, many) {
  return `${n.toLocaleString("en")} ${n === 1 ? one : many}`;
}

// Shades of the density [nats]; the same for every response, so that pages compare.
const STEPS = [0.1, 0.5, 1, 2, 4];

function level(density) {
  if (density === null) return 0;
  const size = STEPS.filter((step) => Math.abs(density) >= step).length;
  return density < 0 ? -size : size;
}

function shade(density) {
  const n = level(density);
  return n === 0 ? "shade-0" : n > 0 ? `shade-plus-${n}` : `shade-minus-${-n}`;
}

function direction(density) {
  const n = level(density);
  const weak = Math.abs(n) === 1 ? "slightly " : "";
  return n === 0 ? "neutral" : weak + (n > 0 ? "source-driven" : "against the source");
}

// What each outcome is called in short, its colour and the shape that tells it without colour.
const OUTCOMES = {
  "driven by the source": { short: "driven", plural: "driven by the source", mark: "driven" },
  "neither": { short: "not settled", plural: "not settled", mark: "open" },
  "not from this source": { short: "not from source", plural: "not from the source", mark: "against" },
  "both": { short: "fits neither law", plural: "fits neither law", mark: "both" },
};

function outcomeOf(name) {
  return OUTCOMES[name] || { short: name || "no verdict", plural: name || "no verdict", mark: "open" };
}

function markShape(mark, x, y, r) {
  const paths = {
    open: `M${x} ${y - 1.3 * r}L${x + 1.3 * r} ${y}L${x} ${y + 1.3 * r}L${x - 1.3 * r} ${y}Z`,
    against: `M${x - 1.15 * r} ${y - r}H${x + 1.15 * r}L${x} ${y + 1.1 * r}Z`,
    both: `M${x - r} ${y - r}H${x + r}V${y + r}H${x - r}Z`,
  };
  return mark === "driven"
    ? svg("circle", { cx: x, cy: y, r, class: "mark-driven" })
    : svg("path", { d: paths[mark], class: `mark-${mark}` });
}

function markIcon(mark) {
  return svg("svg", { viewBox: "0 0 14 14", width: 14, height: 14, class: "icon", "aria-hidden": "true" },
    markShape(mark, 7, 7, 5));
}
