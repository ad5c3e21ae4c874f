// Support and its parts: numbers and words for a token, its sentence and the response.

const UNSUPPORTED = "⚠ unsupported";

function unsupportedTag(kind) {
  return el("span", { class: `unsupported-word ${kind || ""}` }, UNSUPPORTED);
}

function isUnsupported(record, i) {
  return Boolean(record.sentences.unsupported && record.sentences.unsupported[i]);
}

function hasPointers(record) {
  return Boolean(record.tokens.pointer);
}

// Place of the sentence that token j begins in, null where it has none.
function sentenceOf(record, j) {
  const i = j === null ? -1 : record.sentences.sentence.indexOf(record.tokens.sentence[j]);
  return i < 0 ? null : i;
}

function supportWords(record) {
  const settings = record.support_settings;
  if (settings.missing) return `None in this run: ${settings.missing}`;
  if (record.support === null || record.support === undefined)
    return (record.documents || []).length ? "None for this response; the notes on its row say why." : "None: this response has no documents.";
  const low = record.is_unsupported;
  return el("span", null, `${nats(record.support)}, ${low ? "below" : "not below"} the threshold ${settings.threshold_text}: `,
    low ? unsupportedTag() : "supported", ". ", settings.calibration);
}

const SUPPORT_ROWS = [
  { name: "support", token: "support", whole: "support", show: nats, range: "0…1",
    words: "how well the text stands on its sources, as this observer sees it" },
  { name: "pointer", token: "pointer", whole: "pointer", show: nats, range: "0…1",
    words: "attention on the same token in the prompt; mean over the tokens" },
  { name: "local fraction", token: "local_fraction", whole: "flow_fraction", show: share, range: "",
    words: "share of the surprise that the source explains: around the token, in the sentence, in all" },
  { name: "copied words", token: "copied_words", whole: "copied_words", show: (n) => String(n ?? "–"), range: "",
    words: "longest run of words around it that stands in a document as written, at most 8" },
];

// Support and its parts for token j, of its sentence and of the response; null where the run has none.
function supportTable(record, j) {
  const at = (column, k) => (column && k !== null ? column[k] : null);
  const i = sentenceOf(record, j);
  const rows = SUPPORT_ROWS.filter((row) => record.tokens[row.token] || record.sentences[row.token] || typeof record[row.token] === "number")
    .map((row) => {
      const cell = (of, value) => el("td", { "data-number": `${of}-${row.name.replace(" ", "-")}` }, row.show(value));
      return [
        el("tr", null,
          el("th", { scope: "row" }, row.name, " ", el("span", { class: "unit" }, row.range)),
          cell("token", at(record.tokens[row.token], j)),
          cell("sentence", at(record.sentences[row.whole], i)),
          cell("response", record[row.whole])),
        el("tr", { class: "row-words" }, el("td", { colspan: 4 }, row.words)),
      ];
    });
  if (!rows.length) return null;
  return el("table", { class: "support-table" },
    el("caption", { class: "visually-hidden" }, "Support of the token, its sentence and the response"),
    el("thead", null, el("tr", null, el("td", null),
      ...["token", "sentence", "response"].map((name) => el("th", { scope: "col" }, name)))),
    el("tbody", null, ...rows.flat()));
}

// Where the token points, in words.
function pointerWords(record, j) {
  if (!hasPointers(record)) return null;
  const place = pointerOf(record, j);
  if (!place) return el("p", { class: "panel-points quiet" }, "Points at no document.");
  return el("p", { class: "panel-points" }, place.strength ? "Points at " : "Points weakly at ",
    el("q", { class: "wrap" }, cutShort(placeText(record.documents[place.document], place), 40)),
    ` in document ${place.document}, characters ${record.tokens.pointer_start[j]} to ${record.tokens.pointer_end[j]}.`);
}

function cutShort(text, length) {
  const words = Array.from(text.trim().replace(/\s+/g, " "));
  return words.length <= length ? words.join("") : `${words.slice(0, length - 1).join("")}…`;
}
