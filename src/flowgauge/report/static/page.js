// Joins the parts: the chosen response follows the address (#id=…&position=…), the theme its button.

function start() {
  startTheme();
  addEventListener("beforeprint", () => document.querySelectorAll("#chosen details").forEach((d) => { d.open = true; }));
  if (!index.row.length) return;
  byId("workbench").hidden = false;
  byId("overview").hidden = false;
  addEventListener("keydown", (event) => event.key === "Escape" && !event.target.closest("input, select") && letGo());
  const list = drawList(byId("list"));
  const overview = drawOverview(byId("overview"));
  const parts = { list, overview, byName: new Map(index.id.map((id, i) => [id, i])), showLink: startLinks() };
  addEventListener("hashchange", () => follow(parts, true));
  follow(parts, false);
}

function addressed() {
  const match = /^#id=([^&]*)(?:&position=(\d+))?/.exec(location.hash);
  if (!match) return null;
  try {
    return { id: decodeURIComponent(match[1]), position: match[2] === undefined ? null : Number(match[2]) };
  } catch {
    return { id: match[1], position: null };
  }
}

function follow(parts, moved) {
  const wanted = addressed();
  if (wanted === null && moved) return;
  const failed = wanted && [...document.querySelectorAll("#failed tr[data-id]")].find((tr) => tr.dataset.id === wanted.id);
  const found = wanted ? parts.byName.get(wanted.id) : undefined;
  const i = found ?? state.response ?? parts.list.shown[0];
  if (i !== state.response) choose(parts, i);
  const notice = wanted && found === undefined
    ? el("p", { class: "card notice", role: "alert" }, failed ? "This row could not be measured; its reason stands among the failed rows: " : "This run has no response with the id ", el("bdi", null, wanted.id))
    : null;
  document.querySelectorAll("#chosen > .notice").forEach((node) => node.remove());
  if (notice) byId("chosen").prepend(notice);
  if (failed) failed.focus();
  else if (found !== undefined) goTo(wanted, moved);
}

function goTo(wanted, moved) {
  const j = wanted.position === null ? -1 : readResponse(state.response).tokens.position.indexOf(wanted.position);
  if (j >= 0) document.querySelector(`#chosen [data-token="${j}"]`).focus();
  else if (moved && innerWidth < 1180) byId("chosen").scrollIntoView({ behavior: calmly() });
}

function choose(parts, i) {
  const record = readResponse(i);
  forgetResponse();
  state.response = i;
  const { text, nodes } = drawResponse(record);
  const { panel, show } = drawPanel(record);
  const curve = drawCurve(record, nodes);
  tokenWatchers.add(show).add(curve.show).add(markToken(nodes));
  const words = drawChoices(record, text, nodes);
  const documents = drawDocuments(record);
  const link = documents && documents.scroller ? drawLink(nodes, documents.scroller) : null;
  const step = (way) => {
    const { shown } = parts.list;
    const next = shown[(shown.indexOf(i) + way + shown.length) % shown.length];
    if (next !== undefined) location.hash = linkTo(index.id[next]);
  };
  byId("chosen").replaceChildren(
    drawHead(record, step),
    drawVerdict(record),
    el("section", { class: `card reading${documents ? " with-documents" : ""}`, "aria-label": "Response, documents and flow" },
      el("div", { class: "reading-main" },
        el("h3", null, "Response"), drawLegend(record), words, text, drawLabels(record)),
      el("div", { class: "side" }, documents && documents.node, panel),
      el("div", { class: "reading-curve" }, el("h3", null, "Flow along the response"), curve.figure),
      link && link.root),
    drawSentences(record, nodes),
    drawDetails(record));
  parts.showLink(link);
  parts.list.mark(i);
  parts.overview.mark(i);
  chooseToken(firstToken(record));
}

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

function startTheme() {
  const button = byId("theme");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const current = () => document.documentElement.dataset.theme || (dark.matches ? "dark" : "light");
  const say = () => {
    const other = current() === "dark" ? "Light" : "Dark";
    button.textContent = `◐ ${other}`;
    button.setAttribute("aria-label", `${other} theme`);
  };
  try {
    const kept = localStorage.getItem("flowgauge-theme");
    if (kept === "dark" || kept === "light") document.documentElement.dataset.theme = kept;
  } catch { /* a page from a file may have no storage */ }
  button.hidden = false;
  button.addEventListener("click", () => {
    const next = current() === "dark" ? "light" : "dark";
    document.documentElement.dataset.theme = next;
    try { localStorage.setItem("flowgauge-theme", next); } catch { /* as above */ }
    say();
  });
  dark.addEventListener("change", say);
  say();
}

start();
