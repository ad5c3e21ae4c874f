// The numbers of one token, and what each law would rather have written. On a narrow screen the panel
// is a sheet at the lower edge that shows the density and unfolds to all numbers.

function drawPanel(record) {
  const body = el("div", { class: "panel-body" });
  const more = el("button", { type: "button", class: "button panel-more", "aria-expanded": "false" }, "All numbers");
  const panel = el("aside", { class: "panel", "aria-label": "Numbers of the token" }, body, more);
  more.addEventListener("click", () => {
    const open = panel.classList.toggle("open");
    more.setAttribute("aria-expanded", String(open));
    more.textContent = open ? "Fewer numbers" : "All numbers";
  });
  const show = (j) => body.replaceChildren(...(j === null ? emptyPanel() : tokenPanel(record, j)));
  return { panel, show };
}

function emptyPanel() {
  return [el("p", { class: "quiet" }, "No token of this response was scored.")];
}

function tokenPanel(record, j) {
  const t = record.tokens;
  const at = (name) => (t[name] ? t[name][j] : null);
  const density = at("density_nats");
  return [
    el("div", { class: "panel-head" },
      el("p", { class: "panel-token" }, panelText(record, j)),
      el("p", { class: "panel-place" }, `position ${t.position[j]} of ${count(t.position.length, "token", "tokens")} · id ${t.token_id[j]}`)),
    el("p", { class: `panel-density ${shade(density)}` },
      el("span", { class: "big", "data-number": "density_nats" }, signed(density)), " nats ",
      el("span", { class: "panel-direction" }, direction(density))),
    pointerWords(record, j),
    supportTable(record, j),
    el("dl", { class: "numbers" },
      number("log P", "log_p_nats", at("log_p_nats"), `P ${probability(at("log_p_nats"))}`),
      number("log Q", "log_q_nats", at("log_q_nats"), `Q ${probability(at("log_q_nats"))}`),
      number("drift", "drift_nats", at("drift_nats")),
      number("variance", "variance_nats2", at("variance_nats2"), "nats²"),
      number("entropy of P", "entropy_p_nats", at("entropy_p_nats")),
      t.entropy_q_nats ? number("entropy of Q", "entropy_q_nats", at("entropy_q_nats")) : null,
      number("flow so far", "flow_nats", at("flow_nats")),
      number("compensator so far", "compensator_nats", at("compensator_nats"))),
    t.alternatives_p ? el("div", { class: "laws" },
      lawTable(record, j, "p", "With the source, P"),
      lawTable(record, j, "q", "Without it, Q")) : null,
  ].filter(Boolean);
}

function panelText(record, j) {
  const text = tokenText(record, j);
  const { start, end } = record.tokens;
  if (!text) return el("span", { class: "quiet" }, "(no character)");
  const sharing = start.map((_, k) => k).filter((k) => start[k] < end[j] && start[j] < end[k]);
  if (sharing.length < 2) return visible(text);
  return el("span", null, visible(text),
    el("span", { class: "quiet small" }, ` token ${sharing.indexOf(j) + 1} of ${sharing.length} of this character`));
}

function number(name, column, value, note) {
  return el("div", null,
    el("dt", null, name),
    el("dd", null, el("span", { "data-number": column }, nats(value)), " ",
      el("span", { class: "unit" }, note === undefined ? "nats" : note)));
}

function lawTable(record, j, law, caption) {
  const rows = alternatives(record, law, j).map(({ id, text, logP }) => {
    const written = id === record.tokens.token_id[j];
    const bar = el("span", { class: `bar bar-${law}` });
    bar.style.setProperty("--width", `${logP === null ? 0 : 100 * Math.exp(Math.min(logP, 0))}%`);
    return el("tr", { class: written ? "written" : null },
      el("th", { scope: "row" }, text ? visible(text) : el("span", { class: "quiet" }, `id ${id}`),
        written ? el("span", { class: "visually-hidden" }, " (written)") : null, bar),
      el("td", null, probability(logP), el("span", { class: "log" }, nats(logP))));
  });
  const body = rows.length ? rows : [el("tr", null, el("td", { colspan: 2, class: "quiet" }, "not given by this model"))];
  return el("table", { class: "law" },
    el("caption", null, caption),
    el("thead", null, el("tr", null, el("th", { scope: "col" }, "token"),
      el("th", { scope: "col" }, "prob.", el("span", { class: "log" }, "nats")))),
    el("tbody", null, ...body));
}
