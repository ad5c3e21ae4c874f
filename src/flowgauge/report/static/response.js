// The response as text, each token shaded by its density, walked by arrow keys.

function drawResponse(record) {
  const text = el("div", {
    class: "text", role: "listbox", dir: "auto", "aria-orientation": "horizontal", "aria-describedby": "choice-words",
    "aria-label": `Response, ${count(record.tokens.position.length, "token", "tokens")}; arrow keys move from token to token`,
  });
  const nodes = [];
  const beginnings = unsupportedBeginnings(record);
  for (const piece of pieces(record)) {
    if (piece.token === null) {
      text.append(el("span", { class: "unscored", role: "presentation" },
        ...labelled(record, piece.start, piece.end)));
      continue;
    }
    const flagged = beginnings.get(piece.token);
    const node = drawToken(record, piece, flagged !== undefined);
    nodes[piece.token] = node;
    text.append(flagged === undefined ? node : flagBefore(node, flagged));
  }
  walkTokens(record, text, nodes);
  return { text, nodes };
}

// The sign of an unsupported sentence; to the ear it is said by the label of the first token.
// A short token stays on the line of its flag.
function flagBefore(node, i) {
  const flag = el("span", { class: "flag", "aria-hidden": "true", "data-sentence": i }, unsupportedTag());
  return el("span", { class: node.textContent.length < 20 ? "together" : null, role: "presentation" }, flag, node);
}

function drawToken(record, piece, begins) {
  const { token: j } = piece;
  const density = record.tokens.density_nats[j];
  const empty = piece.start === piece.end;
  const breaks = record.characters.slice(piece.start, piece.end).includes("\n");
  return el("span", {
    class: `token ${shade(density)}${empty ? " part" : ""}${breaks ? " breaks" : ""}${isUnsupported(record, sentenceOf(record, j)) ? " unsupported" : ""}`,
    role: "option", tabindex: -1, "data-token": j, "aria-selected": "false",
    "aria-label": `${begins ? "unsupported sentence begins: " : ""}${tokenLabel(record, piece, density)}`,
  }, ...labelled(record, piece.start, piece.end));
}

function tokenLabel(record, piece, density) {
  const text = tokenText(record, piece.token).replace(/\n/g, " line break ");
  const name = piece.shares !== null ? `further token of the character ${text}` : text.trim() || "blank";
  const labels = record.labels.kind.filter((_, i) =>
    record.labels.start[i] < record.tokens.end[piece.token] && record.tokens.start[piece.token] < record.labels.end[i]);
  const human = labels.length ? `; human label: ${labels.join(", ")}` : "";
  return `${name}: ${direction(density)}, density ${signed(density)} nats${pointerLabel(record, piece.token)}${human}`;
}

function pointerLabel(record, j) {
  const place = pointerOf(record, j);
  if (!place) return "";
  return `; points at ${placeText(record.documents[place.document], place).trim()} in document ${place.document}, pointer ${nats(record.tokens.pointer[j])}`;
}

function labelled(record, start, end) {
  return cutByLabels(record, start, end).filter((cut) => cut.end > cut.start).map((cut) => {
    const text = record.characters.slice(cut.start, cut.end).join("");
    if (!cut.labels.length) return text;
    const begins = cut.labels.filter((i) => record.labels.start[i] === cut.start).map((i) => i + 1);
    return el("span", { class: "label", "data-begins": begins.length ? begins.join(" ") : null }, text);
  });
}

function walkTokens(record, text, nodes) {
  const of = (event) => {
    const node = event.target.closest(".token");
    return node ? Number(node.dataset.token) : null;
  };
  text.addEventListener("pointerover", (event) => event.pointerType !== "touch" && previewToken(of(event)));
  text.addEventListener("pointerleave", () => previewToken(null));
  text.addEventListener("click", (event) => {
    const flag = event.target.closest(".flag");
    if (flag) return chooseSentence(Number(flag.dataset.sentence));
    if (of(event) === null) return undefined;
    focusToken(nodes, of(event), true);
    return chooseSentence(sentenceOf(record, of(event)));
  });
  text.addEventListener("focusin", (event) => of(event) !== null && chooseToken(of(event), "focus"));
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && of(event) !== null) {
      const i = sentenceOf(record, of(event));
      chooseSentence(state.sentence === i ? null : i);
    }
    const next = nextToken(nodes, state.token, event);
    if (next === null) return;
    event.preventDefault();
    focusToken(nodes, next, false);
  });
}

// The chosen or previewed token is outlined; the chosen one is the text's stop of the tab key.
function markToken(nodes) {
  let marked = null;
  let stop = null;
  return (j) => {
    if (marked) marked.classList.remove("here");
    marked = j === null ? null : nodes[j];
    if (marked) marked.classList.add("here");
    if (state.token === null || nodes[state.token] === stop) return;
    if (stop) { stop.tabIndex = -1; stop.setAttribute("aria-selected", "false"); }
    stop = nodes[state.token];
    stop.tabIndex = 0;
    stop.setAttribute("aria-selected", "true");
  };
}

// Keys bring the token into sight; a pointer is where the reader looks already.
function focusToken(nodes, j, byPointer) {
  nodes[j].focus({ preventScroll: byPointer });
}

function nextToken(nodes, j, event) {
  if (event.ctrlKey || event.metaKey || event.altKey || j === null) return null;
  const last = nodes.length - 1;
  switch (event.key) {
    case "ArrowRight": return Math.min(j + 1, last);
    case "ArrowLeft": return Math.max(j - 1, 0);
    case "Home": return 0;
    case "End": return last;
    case "ArrowDown": return lineAway(nodes, j, 1);
    case "ArrowUp": return lineAway(nodes, j, -1);
    default: return null;
  }
}

// The nearest token on the next line in that direction; j itself where there is none.
function lineAway(nodes, j, step) {
  const box = (k) => nodes[k].getClientRects()[0] || nodes[k].getBoundingClientRect();
  const from = box(j);
  let line = null;
  let best = j;
  for (let k = j + step; k >= 0 && k < nodes.length; k += step) {
    const at = box(k);
    if (Math.abs(at.top - from.top) < from.height / 2) continue;
    if (line === null) line = at.top;
    if (Math.abs(at.top - line) > from.height / 2) break;
    if (best === j || Math.abs(at.left - from.left) < Math.abs(box(best).left - from.left)) best = k;
  }
  return best;
}

function drawLegend(record) {
  const names = [...STEPS].reverse().map((s) => `−${s}`).concat(["0"], STEPS.map((s) => `+${s}`));
  const swatches = names.map((name, k) => {
    const n = k - STEPS.length;
    const kind = n === 0 ? "shade-0" : n < 0 ? `shade-minus-${-n}` : `shade-plus-${n}`;
    return el("span", { class: `swatch ${kind}` }, name);
  });
  return el("div", { class: "legend" },
    el("div", { class: "scale", role: "img", "aria-label": "Scale of the shading, density in nats: from 4 or more against the source (orange, underlined) over neutral to 4 or more source-driven (blue)" },
      el("span", { class: "swatches" }, ...swatches),
      el("span", null, "← against the source"),
      el("span", null, "source-driven →")),
    el("p", { class: "scale-note" }, "Density of a token, that many nats or more; against the source it is also underlined",
      record.labels.start.length ? el("span", null, "; ", el("span", { class: "label sample" }, "overlined"), " is labelled by people") : null, ".",
      record.sentences.unsupported && record.sentences.unsupported.some(Boolean)
        ? el("span", null, " ", unsupportedTag(), ` and a line below: a sentence with support below ${record.support_settings.sentence_threshold_text}.`) : null));
}

function drawLabels(record) {
  const { labels } = record;
  if (!labels.start.length) return null;
  const items = labels.start.map((start, i) => el("li", null,
    el("q", { class: "label-text" }, record.characters.slice(start, labels.end[i]).join("")),
    el("span", { class: "label-kind" }, labels.kind[i] || "labelled")));
  return el("section", { class: "human" },
    el("h4", null, "Human labels"),
    el("p", { class: "quiet" }, "Given by people with the data; no score has seen them."),
    el("ol", null, ...items));
}
