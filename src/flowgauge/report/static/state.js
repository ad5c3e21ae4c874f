// What is chosen: a response, a token in it (focused) and perhaps another one under the pointer.

const state = { response: null, token: null, under: null };
const tokenWatchers = new Set();

function shownToken() {
  return state.under === null ? state.token : state.under;
}

function tellTokenWatchers() {
  for (const watcher of tokenWatchers) watcher(shownToken());
}

function chooseToken(j) {
  state.token = j;
  state.under = null;
  tellTokenWatchers();
}

function previewToken(j) {
  if (state.under === j) return;
  state.under = j;
  tellTokenWatchers();
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
