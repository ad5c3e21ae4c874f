// Shades of effects [nats]: the same steps for every record and choice of layers, so that pages compare.

const TOKEN_STEPS = [0.03, 0.1, 0.3, 1, 3];
const SENTENCE_STEPS = [0.1, 0.3, 1, 3, 10];

function effectLevel(value, steps) {
  const size = Math.abs(value);
  let n = 0;
  while (n < steps.length && size >= steps[n]) n += 1;
  return value < 0 ? -n : n;
}

function shadeClass(n) {
  return n === 0 ? "shade-0" : n > 0 ? `shade-plus-${n}` : `shade-minus-${-n}`;
}

function effectWords(value, steps) {
  if (effectLevel(value, steps) === 0) return "hardly any";
  return value > 0 ? "raises log P" : "lowers log P";
}

// The colours of the style sheet as [r, g, b, a] by level −5…5, and those of lines and text, for canvases.
function paints() {
  const probe = el("span", { hidden: true });
  document.body.append(probe);
  const rgb = (text) => {
    const n = text.match(/[\d.]+/g).map(Number);
    return [n[0], n[1], n[2], n.length > 3 ? Math.round(255 * n[3]) : 255];
  };
  const levels = [];
  for (let n = -5; n <= 5; n += 1) {
    probe.className = shadeClass(n);
    levels.push(rgb(getComputedStyle(probe).backgroundColor));
  }
  const ink = {};
  for (const name of ["ink", "quiet", "line", "strong-line", "blue", "card", "band", "minus-mark"]) {
    probe.className = `paint-${name}`;
    ink[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  return { levels, ink };
}

function drawScale(steps) {
  const step = (n) => el("span", { class: "lens-step" },
    el("i", { class: `${shadeClass(n)}${n < 0 ? " struck" : ""}` }),
    el("span", null, n === 0 ? "0" : `${n > 0 ? "+" : MINUS}${String(steps[Math.abs(n) - 1]).replace("0.", ".")}`));
  return el("div", { class: "lens-scale", role: "group", "aria-label": "Shades, each from this many nats on" },
    el("span", null, "lowers log P"), el("span", null, "raises log P"),
    el("div", { class: "lens-steps" }, ...[-5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5].map(step)));
}
