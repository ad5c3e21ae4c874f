// What the choices light up in the response: the tokens of the chosen sentence, the tokens that a
// document fed, and a line of words that says the same to the ear.

function drawChoices(record, text, nodes) {
  const words = el("p", { class: "choice-words quiet", id: "choice-words", role: "status" });
  const say = () => words.replaceChildren(...choiceWords(record));
  sentenceWatchers.add((i) => {
    const wanted = i === null ? null : record.sentences.sentence[i];
    nodes.forEach((node, j) => node.classList.toggle("in-sentence", i !== null && record.tokens.sentence[j] === wanted));
    say();
  });
  documentWatchers.add((number) => {
    const fed = new Set(number === null ? [] : fedBy(record, number));
    text.classList.toggle("by-document", number !== null);
    nodes.forEach((node, j) => {
      node.classList.toggle("fed", fed.has(j));
      if (fed.has(j)) node.dataset.strength = strength(record.tokens.pointer[j]);
      else delete node.dataset.strength;
    });
    say();
  });
  say();
  return words;
}

function choiceWords(record) {
  const number = shownDocument();
  if (number !== null) {
    const fed = fedBy(record, number).length;
    return [`Shaded now: ${count(fed, "token", "tokens")} that point at document ${number} with a pointer above ${POINTER_STEPS[0]}. Escape lets go.`];
  }
  if (state.sentence !== null) return sentenceWords(record, state.sentence);
  return [hasPointers(record)
    ? "Shaded by density. A click or Enter on a word chooses its sentence and marks its sources."
    : "Shaded by density."];
}

function sentenceWords(record, i) {
  const s = record.sentences;
  const support = s.support && s.support[i] !== null ? `, support ${nats(s.support[i])}` : "";
  const name = el("span", null, `Sentence ${s.sentence[i]}`, isUnsupported(record, i) ? ", " : null,
    isUnsupported(record, i) ? unsupportedTag() : null, support);
  const sources = sourcesOf(record, i);
  if (!s.sources || !hasPointers(record)) return [name, "."];
  if (!sources.length) return [name, " points at no source sentence. Escape lets go."];
  const [best] = sources;
  return [name, ` points most at document ${best.document}: `,
    el("q", { class: "wrap" }, cutShort(placeText(record.documents[best.document], best), 70))];
}

// Tokens by which an unsupported sentence begins, with the sentence's place.
function unsupportedBeginnings(record) {
  const result = new Map();
  const seen = new Set();
  record.tokens.sentence.forEach((_, j) => {
    const i = sentenceOf(record, j);
    if (i === null || seen.has(i) || !isUnsupported(record, i) || !tokenText(record, j).trim()) return;
    seen.add(i);
    result.set(j, i);
  });
  return result;
}
