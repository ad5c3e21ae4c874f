// Places in documents. Offsets count code points, as Python does; strings count UTF-16 units.

const GRAPHEMES = typeof Intl.Segmenter === "function"
  ? new Intl.Segmenter(undefined, { granularity: "grapheme" }) : null;

// A document's text with what turns its offsets into places; made when a response first shows it.
function makeDocument(text) {
  let units = null; // units[k]: where code point k begins; null where both counts agree
  if (/[\ud800-\udfff]/.test(text)) {
    units = [0];
    for (const character of text) units.push(units[units.length - 1] + character.length);
  }
  return { text, units, segments: GRAPHEMES && GRAPHEMES.segment(text) };
}

function unitAt(doc, offset) {
  const last = doc.units ? doc.units.length - 1 : doc.text.length;
  const k = Math.max(0, Math.min(offset, last));
  return doc.units ? doc.units[k] : k;
}

// {start, end} in the document's string, widened to whole visible characters; null for no text.
function placeIn(doc, start, end) {
  if (!doc || start === null || end === null || start === undefined || end === undefined) return null;
  let [first, last] = [unitAt(doc, start), unitAt(doc, end)];
  if (last <= first) return null;
  if (doc.segments) {
    first = doc.segments.containing(first).index;
    const { index: at, segment } = doc.segments.containing(last - 1);
    last = at + segment.length;
  }
  return { start: first, end: last };
}

function placeText(doc, place) {
  return doc.text.slice(place.start, place.end);
}

// Cuts [0, length) where a range begins or ends: [{start, end, ranges}], in reading order.
function cutByRanges(length, ranges) {
  const cuts = [...new Set([0, length, ...ranges.flatMap((range) => [range.start, range.end])])].sort((a, b) => a - b);
  return cuts.slice(1).map((end, k) => ({
    start: cuts[k], end, ranges: ranges.filter((range) => range.start <= cuts[k] && end <= range.end),
  }));
}

// Where a token points: {document, start, end, strength} in its string, or null.
function pointerOf(record, j) {
  const { pointer_document: documents, pointer_start: start, pointer_end: end, pointer } = record.tokens;
  const number = documents && j !== null ? documents[j] : null;
  if (number === null || number === undefined) return null;
  const place = placeIn((record.documents || [])[number], start[j], end[j]);
  return place && { document: number, ...place, strength: strength(pointer ? pointer[j] : null) };
}

// The source sentences a sentence points at, best first.
function sourcesOf(record, i) {
  const sources = i !== null && record.sentences.sources ? record.sentences.sources[i] : [];
  return sources.map(([number, start, end, weight]) => {
    const place = placeIn((record.documents || [])[number], start, end);
    return place && { document: number, ...place, weight };
  }).filter(Boolean);
}

// Steps of the pointer's shading; above the first one a document is said to have fed the token.
const POINTER_STEPS = [0.2, 0.4, 0.6, 0.8];

function strength(pointer) {
  return pointer === null || pointer === undefined ? 0 : POINTER_STEPS.filter((step) => pointer > step).length;
}

// Tokens that a document fed.
function fedBy(record, number) {
  const { pointer_document: documents, pointer } = record.tokens;
  if (!documents || !pointer) return [];
  return documents.map((_, j) => j).filter((j) => documents[j] === number && pointer[j] > POINTER_STEPS[0]);
}
