// A line from the chosen sentence to its best source sentence, where both can be seen. It is drawn
// over the card and follows scrolling and resizing.

let currentLink = null;

function startLinks() {
  let asked = false;
  const ask = () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => { asked = false; if (currentLink) currentLink.draw(); });
  };
  addEventListener("scroll", ask, { capture: true, passive: true });
  addEventListener("resize", ask, { passive: true });
  const observer = new ResizeObserver(ask);
  return (link) => {
    observer.disconnect();
    currentLink = link;
    if (!link) return;
    observer.observe(link.root.parentNode);
    observer.observe(link.scroller);
    for (const watchers of [tokenWatchers, sentenceWatchers]) watchers.add(ask);
  };
}

const GAP = 4; // the line ends beside the words, not on a letter
const WIDE = matchMedia("(min-width: 1000px)");

function drawLink(nodes, scroller) {
  const line = svg("path", { class: "link-line" });
  const ends = [svg("circle", { r: 3.5 }), svg("circle", { r: 3.5 })];
  const root = svg("svg", { class: "link", "aria-hidden": "true" }, line, ...ends);
  root.style.display = "none";
  const draw = () => {
    const from = state.sentence === null || !WIDE.matches ? null : sentenceEnd(nodes);
    const to = from && sourceEnd(scroller, from);
    root.style.display = to ? "" : "none";
    if (!to) return;
    const origin = root.getBoundingClientRect();
    const [x1, y1, x2, y2] = [from.x - origin.left, from.y - origin.top, to.x - origin.left, to.y - origin.top];
    const bend = Math.max(16, (x2 - x1) / 2);
    line.setAttribute("d", `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`);
    fill(ends[0], { cx: x1, cy: y1 }, []);
    fill(ends[1], { cx: x2, cy: y2 }, []);
  };
  return { root, scroller, draw };
}

// The point furthest to the right of the sentence's visible lines.
function sentenceEnd(nodes) {
  const boxes = nodes.filter((node) => node.classList.contains("in-sentence") && node.textContent.trim())
    .flatMap((node) => [...node.getClientRects()])
    .filter((box) => box.width > 0 && inWindow(middle(box)));
  if (!boxes.length) return null;
  const right = Math.max(...boxes.map((box) => box.right));
  const box = boxes.find((b) => b.right >= right - 0.5);
  return { x: box.right + GAP, y: middle(box) };
}

// The beginning of the nearest visible line of the best source sentence.
function sourceEnd(scroller, from) {
  const frame = frameOf(scroller);
  const boxes = [...scroller.querySelectorAll("mark.best")].flatMap((mark) => [...mark.getClientRects()])
    .filter((box) => box.width > 0 && middle(box) > frame.top && middle(box) < frame.bottom && inWindow(middle(box)));
  if (!boxes.length) return null;
  const left = Math.min(...boxes.map((box) => box.left));
  const first = boxes.filter((box) => box.left <= left + 4);
  const box = first.reduce((a, b) => (Math.abs(middle(b) - from.y) < Math.abs(middle(a) - from.y) ? b : a));
  return { x: box.left - GAP, y: middle(box) };
}

function middle(box) {
  return (box.top + box.bottom) / 2;
}

function inWindow(y) {
  return y > 0 && y < innerHeight;
}
