// The documents beside the response. Marks are <mark> elements around the words, so that they are
// seen in print and in forced colours too; a document without marks is one text node.

function drawDocuments(record) {
  if (record.documents === null || record.documents === undefined) return null;
  const views = record.documents.map((doc, number) => drawDocument(record, doc, number));
  const scroller = el("div", { class: "document-scroll", role: "group", "aria-label": "Texts of the documents", "aria-describedby": "documents-hint", tabindex: views.length ? 0 : null },
    ...views.map((view) => view.node));
  const node = el("section", { class: "documents", "aria-label": "Documents" },
    el("h3", null, views.length ? count(views.length, "document", "documents") : "No documents"),
    el("p", { class: "quiet small", id: "documents-hint" }, documentsHint(record)), scroller);
  const marks = { token: null, sentence: [] };
  const paint = () => views.forEach((view, number) => paintDocument(view, rangesIn(number, marks)));
  let waiting = 0;
  const showToken = (j, by) => {
    marks.token = pointerOf(record, j);
    paint();
    clearTimeout(waiting);
    // A pointer that sweeps over the text must not make the documents jump, nor a weak pointer.
    if (!marks.token || by === null || (by === "pointer" && !marks.token.strength)) return;
    waiting = setTimeout(() => bringIntoSight(scroller, ".pointed"), by === "pointer" ? 120 : 0);
  };
  const showSentence = (i) => {
    marks.sentence = sourcesOf(record, i);
    paint();
    clearTimeout(waiting);
    if (marks.sentence.length) bringIntoSight(scroller, ".best");
  };
  const showDocument = () => views.forEach((view, number) => {
    if (view.button) view.button.setAttribute("aria-pressed", String(state.document === number));
    view.node.classList.toggle("shown-document", shownDocument() === number);
  });
  tokenWatchers.add(showToken);
  sentenceWatchers.add(showSentence);
  documentWatchers.add(showDocument);
  return { node, scroller };
}

function documentsHint(record) {
  if (!record.documents.length) return "Retrieval brought nothing, so the source is empty.";
  if (hasPointers(record)) return "Choose a word of the response to see where it comes from, or a document to see what it fed.";
  const { missing } = record.support_settings;
  return missing ? `No source pointers in this run: ${missing}` : "No source pointers for this response: none of its words is tied to a place.";
}

function drawDocument(record, doc, number) {
  const fed = fedBy(record, number).length;
  const n = record.tokens.position.length;
  const name = `Document ${number}`;
  const words = el("span", { class: "fed-words", id: `fed-${number}` },
    "fed ", el("b", { "data-number": "fed_tokens" }, count(fed, "token", "tokens")), " · ",
    el("b", { "data-number": "fed_share" }, share(n ? fed / n : null)));
  const body = el("div", { class: "document-text source-text", dir: "auto" }, doc.text);
  const pointers = hasPointers(record);
  const button = pointers ? el("button", { type: "button", class: "document-name", "aria-pressed": "false", "aria-describedby": `fed-${number}`, title: "Shade the tokens this document fed" }, name) : null;
  const head = el("h4", { class: "document-head" }, button || name, pointers ? words : null);
  const node = el("article", { class: "document", "data-document": number, "aria-label": name }, head, body);
  if (button) {
    const look = (on) => () => changeDocument({ lookedAt: on ? number : null });
    head.addEventListener("pointerenter", (event) => event.pointerType !== "touch" && look(true)());
    head.addEventListener("pointerleave", (event) => event.pointerType !== "touch" && look(false)());
    button.addEventListener("focus", () => button.matches(":focus-visible") && look(true)());
    button.addEventListener("blur", look(false));
    button.addEventListener("click", () => changeDocument({ document: state.document === number ? null : number }));
  }
  return { node, body, button, doc, painted: "" };
}

function rangesIn(number, marks) {
  const ranges = marks.sentence.map((place, rank) => ({ ...place, rank, kind: `source-sentence${rank ? "" : " best"}` }));
  if (marks.token) ranges.push({ ...marks.token, kind: `pointed strength-${marks.token.strength}` });
  return ranges.filter((range) => range.document === number);
}

function paintDocument(view, ranges) {
  const key = JSON.stringify(ranges);
  if (key === (view.painted || "[]")) return;
  view.painted = key;
  const { text } = view.doc;
  view.body.replaceChildren(...cutByRanges(text.length, ranges).map((piece) => {
    const words = text.slice(piece.start, piece.end);
    if (!piece.ranges.length) return words;
    const begins = piece.ranges.filter((range) => range.rank !== undefined && range.start === piece.start);
    return el("mark", {
      class: piece.ranges.map((range) => range.kind).join(" "),
      "data-rank": begins.length ? begins.map((range) => range.rank + 1).join(" ") : null,
    }, words);
  }));
}

// Scrolls the documents alone, never the page; a mark in sight stays where it is.
function bringIntoSight(scroller, selector) {
  const marks = [...scroller.querySelectorAll(`mark${selector}`)];
  if (!marks.length) return;
  const frame = frameOf(scroller);
  const top = marks[0].getBoundingClientRect().top;
  const bottom = marks[marks.length - 1].getBoundingClientRect().bottom;
  if (top >= frame.top && bottom <= frame.bottom) {
    scroller.scrollTo({ top: scroller.scrollTop }); // ends a scroll that is under way
    return;
  }
  const room = Math.max(0, frame.bottom - frame.top - (bottom - top));
  scroller.scrollTo({ top: scroller.scrollTop + top - frame.top - Math.min(room / 2, 120), behavior: calmly() });
}

// What can be seen of the documents: the box below the heading that stays on top.
function frameOf(scroller) {
  const box = scroller.getBoundingClientRect();
  const head = scroller.querySelector(".document-head");
  return { top: box.top + (head ? head.offsetHeight : 0), bottom: box.bottom, left: box.left, right: box.right };
}
