// A heat map that scrolls in its frame: one stop of the tab key, arrow keys inside, a pointer looks.

// spec: {rows, columns, value(i, j), steps, sign, rowLabel, columnLabel, rowBreaks, columnBreaks, cell, head,
//        label, hint, say(i, j, by): a cell is looked at, choose(i, j): it is chosen}
function makeGrid(spec) {
  const canvas = el("canvas", { class: "grid-canvas" });
  const space = el("div", { class: "grid-space" }, canvas);
  const frame = el("div", { class: "grid", tabindex: "0", role: "application", "aria-label": spec.label, "aria-describedby": spec.hint }, space);
  const at = { row: spec.row || 0, column: spec.column || 0, under: null, focused: false };
  let paint = null;
  let asked = 0;

  spec.font = "ui-monospace, Menlo, monospace";
  spec.fontSize = spec.fontSize || 12;
  space.style.width = `${spec.head.w + spec.columns * spec.cell.w + 4}px`;
  space.style.height = `${spec.head.h + spec.rows * spec.cell.h + 4}px`;

  function view() {
    const { scrollLeft: left, scrollTop: top, clientWidth: width, clientHeight: height } = frame;
    const { cell, head } = spec;
    const first = (scroll, size) => Math.floor(scroll / size);
    const last = (scroll, room, size, most) => Math.min(most, Math.ceil((scroll + room) / size));
    return { cell, head, width, height, shown: at.under || at,
      rows: [first(top, cell.h), last(top, height - head.h, cell.h, spec.rows)],
      cols: [first(left, cell.w), last(left, width - head.w, cell.w, spec.columns)],
      x: (j) => head.w + j * cell.w - left, y: (i) => head.h + i * cell.h - top };
  }

  function draw() {
    asked = 0;
    if (!frame.isConnected || !frame.clientWidth) return;
    paint = paint || paints();
    const v = view();
    const scale = devicePixelRatio || 1;
    canvas.width = Math.round(v.width * scale);
    canvas.height = Math.round(v.height * scale);
    canvas.style.width = `${v.width}px`;
    canvas.style.height = `${v.height}px`;
    const context = canvas.getContext("2d");
    context.scale(scale, scale);
    drawCells(context, spec, v, paint);
    drawBreaks(context, spec, v, paint);
    if (at.under) drawHere(context, v, paint, at.under, false);
    drawHere(context, v, paint, at, at.focused);
    drawNames(context, spec, v, paint, at.under || at);
  }

  const redraw = () => { asked = asked || requestAnimationFrame(draw); };

  function cellAt(event) {
    const box = frame.getBoundingClientRect();
    const x = event.clientX - box.left - frame.clientLeft;
    const y = event.clientY - box.top - frame.clientTop;
    if (x < spec.head.w || y < spec.head.h || x >= frame.clientWidth || y >= frame.clientHeight) return null;
    const row = Math.floor((y - spec.head.h + frame.scrollTop) / spec.cell.h);
    const column = Math.floor((x - spec.head.w + frame.scrollLeft) / spec.cell.w);
    return row < spec.rows && column < spec.columns ? { row, column } : null;
  }

  function keepInSight() {
    const reach = (place, size, scroll, room) => Math.max((place + 1) * size - room, Math.min(scroll, place * size));
    frame.scrollTop = reach(at.row, spec.cell.h, frame.scrollTop, frame.clientHeight - spec.head.h - 4);
    frame.scrollLeft = reach(at.column, spec.cell.w, frame.scrollLeft, frame.clientWidth - spec.head.w - 4);
  }

  // From afar the cell comes to the middle, by a step it comes just in.
  function keepInMiddle() {
    frame.scrollTop = (at.row + 0.5) * spec.cell.h - (frame.clientHeight - spec.head.h) / 2;
    frame.scrollLeft = (at.column + 0.5) * spec.cell.w - (frame.clientWidth - spec.head.w) / 2;
  }

  function goTo(row, column, by) {
    at.row = Math.max(0, Math.min(spec.rows - 1, row));
    at.column = Math.max(0, Math.min(spec.columns - 1, column));
    at.under = null;
    if (by === "keys" || by === "click") keepInSight();
    else keepInMiddle();
    spec.say(at.row, at.column, by);
    redraw();
  }

  function look(cell) {
    if (cell?.row === at.under?.row && cell?.column === at.under?.column) return;
    at.under = cell;
    const shown = cell || at;
    spec.say(shown.row, shown.column, cell ? "pointer" : null);
    redraw();
  }

  const page = () => Math.max(1, Math.floor((frame.clientHeight - spec.head.h) / spec.cell.h) - 1);
  const KEYS = {
    ArrowUp: () => goTo(at.row - 1, at.column, "keys"), ArrowDown: () => goTo(at.row + 1, at.column, "keys"),
    ArrowLeft: () => goTo(at.row, at.column - 1, "keys"), ArrowRight: () => goTo(at.row, at.column + 1, "keys"),
    PageUp: () => goTo(at.row - page(), at.column, "keys"), PageDown: () => goTo(at.row + page(), at.column, "keys"),
    Home: (far) => goTo(far ? 0 : at.row, 0, "keys"), End: (far) => goTo(far ? spec.rows : at.row, spec.columns, "keys"),
    Enter: () => spec.choose && spec.choose(at.row, at.column),
  };
  frame.addEventListener("keydown", (event) => {
    if (!(event.key in KEYS) || event.altKey || event.metaKey) return;
    event.preventDefault();
    KEYS[event.key](event.ctrlKey);
  });
  frame.addEventListener("pointermove", (event) => event.pointerType !== "touch" && look(cellAt(event)));
  frame.addEventListener("pointerleave", () => look(null));
  frame.addEventListener("click", (event) => {
    const cell = cellAt(event);
    if (!cell) return;
    goTo(cell.row, cell.column, "click");
    if (spec.choose) spec.choose(cell.row, cell.column);
  });
  frame.addEventListener("focus", () => { at.focused = true; redraw(); spec.say(at.row, at.column, "focus"); });
  frame.addEventListener("blur", () => { at.focused = false; redraw(); });
  frame.addEventListener("scroll", redraw);
  const watch = new ResizeObserver(redraw);
  watch.observe(frame);
  const repaint = () => { paint = null; redraw(); };
  gridsDrawn.add(repaint);
  return { node: frame, at, goTo, redraw, end() { watch.disconnect(); gridsDrawn.delete(repaint); } };
}

// Grids on the page: told when the colours change.
const gridsDrawn = new Set();

function watchColours() {
  const tell = () => gridsDrawn.forEach((repaint) => repaint());
  new MutationObserver(tell).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", tell);
}
