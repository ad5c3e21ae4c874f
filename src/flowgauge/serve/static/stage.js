// Several responses can stand on one page. Each has a stage that keeps its choice and its watchers; the
// one last touched is the one that `state` speaks of.

let currentStage = null;

function makeStage() {
  const { response, ...nothing } = state;
  for (const name of Object.keys(nothing)) nothing[name] = null;
  return { choice: nothing, watchers: [[], [], []] };
}

function enterStage(stage) {
  if (currentStage === stage) return;
  const sets = [tokenWatchers, sentenceWatchers, documentWatchers];
  if (currentStage) {
    if (state.under !== null) previewToken(null);
    const { response, ...choice } = state;
    Object.assign(currentStage, { choice, watchers: sets.map((set) => [...set]) });
  }
  forgetResponse();
  Object.assign(state, stage.choice);
  stage.watchers.forEach((watchers, k) => watchers.forEach((watcher) => sets[k].add(watcher)));
  currentStage = stage;
}

// Whatever reaches into the node makes its response the current one, before its own listeners hear of it.
function onStage(node, stage) {
  for (const kind of ["pointerover", "pointermove", "focusin", "click", "keydown"])
    node.addEventListener(kind, () => enterStage(stage), { capture: true });
  return node;
}
