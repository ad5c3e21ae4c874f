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
  const reading = drawReading(record);
  const step = (way) => {
    const { shown } = parts.list;
    const next = shown[(shown.indexOf(i) + way + shown.length) % shown.length];
    if (next !== undefined) location.hash = linkTo(index.id[next]);
  };
  byId("chosen").replaceChildren(drawHead(record, step), ...reading.parts);
  parts.showLink(reading.link);
  parts.list.mark(i);
  parts.overview.mark(i);
  chooseToken(firstToken(record));
}

start();
