// Joins the parts: the view follows the address; a job goes on while another view is looked at.

const HEADS = {
  measure: ["Measure an answer", "Where does each word of an answer come from: from what the model was given, or from what it remembers?"],
  generate: ["Generate live", "Watch a text being written: each token with its flow, monitors that read along."],
  runs: ["Saved runs", "Everything that this server has measured or written."],
  run: ["Saved run", ""],
  compare: ["Compare two responses", "Shaded texts, flow curves on one scale, numbers and their differences."],
};

const results = { measure: null, generate: null };
let showLink = null;

function speak(words) {
  byId("speaker").textContent = words;
}

function notice(words) {
  return el("p", { class: "card notice", role: "alert" }, words);
}

function showNotice(words) {
  byId("notices").replaceChildren(...(words ? [notice(words)] : []));
}

function noteJob(view, { job, run }) {
  if (readAddress().view === view) noteAddress(jobAddress(view, { job, run }));
}

// The next visit to the view begins with an open form; what still runs there is cancelled.
function leaveResult(view) {
  const result = results[view];
  results[view] = null;
  if (!result) return;
  result.close();
  if (!result.over) cancelJob(result.job).catch(() => {}); // over meanwhile, or nobody there to be asked
}

function unfoldForm(view, open) {
  byId("ask").hidden = view !== "measure" && view !== "generate";
  byId("ask").open = open;
  document.querySelectorAll("[data-only]").forEach((node) => { node.hidden = node.dataset.only !== view; });
  byId("go").textContent = view === "generate" ? "Generate" : "Measure";
}

async function go(about) {
  const address = readAddress();
  const { view } = address;
  showNotice("");
  showLink(null);
  document.querySelectorAll(".tabs a").forEach((link) => {
    if (link.dataset.view === (view === "run" ? "runs" : view)) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  });
  [byId("title").textContent, byId("lead").textContent] = HEADS[view];
  document.title = `${HEADS[view][0]} · flowgauge`;
  const place = el("div", { class: "place" });
  byId("result").replaceChildren(place);
  if (view === "measure" || view === "generate") return goToWork(place, address, about);
  unfoldForm(view, false);
  try {
    if (view === "runs") await drawRunList(place);
    else if (view === "run") await showRun(place, address.run, address.id);
    else await drawCompare(place, address.sides);
  } catch (error) {
    place.append(notice(error.message));
  }
  return undefined;
}

function goToWork(place, { view, job, run }, about) {
  const known = results[view];
  if (job && !(known && known.job === job))
    results[view] = view === "measure" ? openMeasuring({ job, run }) : openLive({ job, run }, about);
  const result = results[view];
  unfoldForm(view, !result);
  if (!result) {
    place.append(el("p", { class: "quiet hint" }, view === "measure"
      ? "The result will stand here: the answer shaded word by word, its flow, its verdict and where in the documents its words stand."
      : "The text will stand here, token by token, as the model writes it."));
    return;
  }
  place.append(result.node);
  if (result.job) noteAddress(jobAddress(view, result));
}

async function submit(about) {
  const { view } = readAddress();
  const go = byId("go");
  showNotice("");
  if (!given().question.trim() && !given().documents) {
    showNotice("Write a question or a prompt first, or try an example.");
    return byId("question").focus();
  }
  if (view === "measure" && !byId("answer").value.trim()) {
    showNotice("Write or paste the answer that is to be measured.");
    return byId("answer").focus();
  }
  go.disabled = true;
  try {
    leaveResult(view);
    results[view] = view === "generate" ? await startGenerating(about) : await startMeasuring();
    const place = el("div", { class: "place" });
    byId("result").replaceChildren(place);
    goToWork(place, { view, ...results[view] }, about);
    byId("result").focus({ preventScroll: true });
    byId("ask").scrollIntoView({ behavior: calmly() });
  } catch (error) {
    showNotice(error.message);
    byId("notices").scrollIntoView({ block: "nearest" });
  } finally {
    go.disabled = false;
  }
  return undefined;
}

async function startApp() {
  startTheme();
  showLink = startLinks();
  addEventListener("keydown", (event) => event.key === "Escape" && !event.target.closest("input, select, textarea") && letGo());
  byId("skip").addEventListener("click", (event) => { event.preventDefault(); byId("main").focus(); });
  let about;
  try {
    about = await ask("/api/about");
  } catch (error) {
    return showNotice(error.message);
  }
  byId("model").replaceChildren(el("span", { class: "long" }, "observer "), el("bdi", null, about.model.name));
  startForm(about);
  byId("form").addEventListener("submit", (event) => { event.preventDefault(); submit(about); });
  addEventListener("hashchange", () => go(about));
  return go(about);
}

startApp();
