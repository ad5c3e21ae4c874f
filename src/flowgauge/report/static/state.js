// What is chosen: a response, a token in it (focused) and perhaps another one under the pointer; a
// sentence whose sources are marked; a document whose tokens are shaded (pinned, or looked at).

const state = { response: null, token: null, under: null, sentence: null, document: null, lookedAt: null };
const tokenWatchers = new Set();
const sentenceWatchers = new Set();
const documentWatchers = new Set();

function forgetResponse() {
  Object.assign(state, { token: null, under: null, sentence: null, document: null, lookedAt: null });
  for (const watchers of [tokenWatchers, sentenceWatchers, documentWatchers]) watchers.clear();
}

function shownToken() {
  return state.under === null ? state.token : state.under;
}

// by: what asks ("focus", "pointer", or null for the page itself), so that parts may scroll or not.
function tellTokenWatchers(by) {
  for (const watcher of tokenWatchers) watcher(shownToken(), by);
}

function chooseToken(j, by = null) {
  state.token = j;
  state.under = null;
  tellTokenWatchers(by);
}

function previewToken(j) {
  if (state.under === j) return;
  state.under = j;
  tellTokenWatchers(j === null ? null : "pointer");
}

function chooseSentence(i) {
  if (state.sentence === i) return;
  state.sentence = i;
  for (const watcher of sentenceWatchers) watcher(i);
}

function shownDocument() {
  return state.lookedAt === null ? state.document : state.lookedAt;
}

function changeDocument(change) {
  Object.assign(state, change);
  for (const watcher of documentWatchers) watcher(shownDocument());
}

// Escape lets go of what was chosen; the focus stays where it is.
function letGo() {
  chooseSentence(null);
  changeDocument({ document: null, lookedAt: null });
}

// The token to show first: the one of the largest density, either way.
function firstToken(record) {
  const { tokens } = record;
  let best = tokens.position.length ? 0 : null;
  tokens.density_nats.forEach((d, j) => {
    if (Math.abs(d ?? 0) > Math.abs(tokens.density_nats[best] ?? 0)) best = j;
  });
  return best;
}
