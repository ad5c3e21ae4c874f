// Which token shows which characters. Offsets count code points, as Python does. A character that
// the eye sees as one (an emoji, a letter with its accent) is shown once, by the token in which it
// begins; the other tokens that share it have no characters left and are shown as small marks.

// ends[i]: one past the last code point of the visible character that code point i belongs to.
function visibleEnds(characters) {
  const ends = new Uint32Array(characters.length);
  if (typeof Intl.Segmenter !== "function") return ends.map((_, i) => i + 1);
  let first = 0;
  for (const { segment } of new Intl.Segmenter(undefined, { granularity: "grapheme" }).segment(characters.join(""))) {
    const last = first + Array.from(segment).length;
    ends.fill(last, first, last);
    first = last;
  }
  return ends;
}

// Pieces in reading order: {token: number or null, start, end, shares: first token of the character}.
function pieces(record) {
  const { start, end } = record.tokens;
  const ends = visibleEnds(record.characters);
  const result = [];
  let shown = 0;
  let owner = null;
  for (let j = 0; j < start.length; j += 1) {
    if (start[j] > shown) {
      result.push({ token: null, start: shown, end: start[j], shares: null });
      shown = start[j];
    }
    const last = end[j] > start[j] ? ends[end[j] - 1] : shown;
    const piece = { token: j, start: shown, end: Math.max(shown, last), shares: null };
    if (piece.end > piece.start) owner = j;
    else if (end[j] > start[j]) piece.shares = owner;
    shown = piece.end;
    result.push(piece);
  }
  if (shown < record.characters.length)
    result.push({ token: null, start: shown, end: record.characters.length, shares: null });
  return result;
}

// Cuts [start, end) where a label begins or ends: [{start, end, labels: [numbers]}].
function cutByLabels(record, start, end) {
  const { labels } = record;
  const cuts = new Set([start, end]);
  for (const place of [...labels.start, ...labels.end]) if (place > start && place < end) cuts.add(place);
  const places = [...cuts].sort((a, b) => a - b);
  const result = [];
  for (let k = 0; k + 1 < places.length; k += 1) {
    const inside = labels.start.map((_, i) => i)
      .filter((i) => labels.start[i] <= places[k] && places[k + 1] <= labels.end[i]);
    result.push({ start: places[k], end: places[k + 1], labels: inside });
  }
  return result;
}
