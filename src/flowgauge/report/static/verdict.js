// What is known of the chosen response besides its tokens: question, sources, verdict, notes.

function drawHead(record, step) {
  const question = record.question || record.instruction || "Response without a question";
  const move = (way, name) => {
    const button = el("button", { type: "button", class: "button", "aria-label": `${name} response in the list` }, way < 0 ? "‹" : "›");
    button.addEventListener("click", () => step(way));
    return button;
  };
  return el("header", { class: "chosen-head" },
    el("div", { class: "chosen-line" },
      el("p", { class: "eyebrow" }, el("a", { href: linkTo(record.id), title: "Link to this response" }, el("bdi", { class: "wrap" }, record.id)),
        ` · row ${record.row}`),
      el("div", { class: "steps" }, move(-1, "Previous"), move(1, "Next"))),
    el("h2", { class: "question", dir: "auto" }, question),
    drawSources(record));
}

function drawSources(record) {
  const parts = [];
  const block = (name, text) => el("details", { class: "source" },
    el("summary", null, name), el("div", { class: "source-text", dir: "auto" }, text));
  if (record.question && record.instruction) parts.push(block("Instruction", record.instruction));
  const turns = record.turns ? parseOr(record.turns) : [];
  if (Array.isArray(turns)) turns.forEach((turn) => parts.push(block(`Earlier turn: ${turn.role}`, String(turn.content ?? ""))));
  else parts.push(block("Earlier turns", String(turns)));
  if (record.reasoning) parts.push(block("Reasoning", record.reasoning));
  return parts.length ? el("div", { class: "sources" }, ...parts) : null;
}

function drawVerdict(record) {
  const { mark, plural } = outcomeOf(record.outcome);
  return el("section", { class: `card verdict verdict-${mark}`, "aria-label": "Verdict" },
    el("div", { class: "verdict-main" },
      el("p", { class: "verdict-name" }, markIcon(mark), plural.charAt(0).toUpperCase() + plural.slice(1)),
      record.verdict ? el("p", { class: "verdict-words" }, record.verdict) : null,
      el("dl", { class: "plain" },
        line("Null", record.null),
        line("Level", record.alpha === null ? null : `α = ${record.alpha}, ${exactness(record)}`),
        line("Pool test", poolWords(record)),
        line("Support", supportWords(record)))),
    el("dl", { class: "figures large" },
      figure("Flow fraction", "flow_fraction", share(record.flow_fraction)),
      figure("Flow", "flow_nats", nats(record.flow_nats), "nats"),
      ...supportFigures(record)),
    drawNotes(record));
}

function figure(name, column, text, unit) {
  return el("div", null, el("dt", null, name),
    el("dd", null, el("span", { "data-number": column }, text), unit ? el("span", { class: "unit" }, ` ${unit}`) : null));
}

function supportFigures(record) {
  const figures = [["Support, 0…1", "support"], ["Pointer, 0…1", "pointer"]]
    .filter(([, name]) => typeof record[name] === "number")
    .map(([title, name]) => figure(title, name, nats(record[name])));
  if (record.is_unsupported) figures[0].append(unsupportedTag());
  return figures;
}

function line(name, text) {
  return text ? el("div", null, el("dt", null, name), el("dd", null, text)) : null;
}

function drawDetails(record) {
  const at = (position, what) => (position === null ? `${what} never` : `${what} at position ${position}`);
  const sampling = record.sampling ? parseOr(record.sampling) : null;
  const drawn = sampling && typeof sampling === "object"
    ? Object.entries(sampling).map(([k, v]) => `${k.replace(/_/g, " ")} ${v}`).join(", ") : sampling;
  return el("section", { class: "card details" },
    el("h3", null, "This response in numbers"),
    el("dl", { class: "figures" },
      figure("Surprise with it, −log P", "surprisal_p_nats", nats(record.surprisal_p_nats), "nats"),
      figure("Surprise without it, −log Q", "surprisal_q_nats", nats(record.surprisal_q_nats), "nats"),
      figure("Compensator A", "compensator_nats", nats(record.compensator_nats), "nats"),
      figure("Variance of F − A", "variance_nats2", nats(record.variance_nats2), "nats²"),
      figure("Residual z", "residual", nats(record.residual)),
      figure("log e for the source", "log_e_value_nats", nats(record.log_e_value_nats), "nats"),
      figure("log e against P", "log_e_value_against_nats", nats(record.log_e_value_against_nats), "nats"),
      figure("Tokens scored", "n_tokens", String(record.n_tokens))),
    el("dl", { class: "plain" },
      line("Reached", `${at(record.first_crossing, "“driven by the source”")}; ${at(record.first_crossing_against, "“not from this source”")}`),
      line("Residual", "(F − A) / √Σ variance; about N(0, 1) for a text drawn from P"),
      line("Written by", [record.author, drawn ? `drawn with ${drawn}` : null].filter(Boolean).join(", ")),
      line("Compared", `with the ${record.source || "source"} (${count(record.prompt_tokens ?? 0, "token", "tokens")} before the response) against without (${(record.reference_tokens ?? 0).toLocaleString("en")})`),
      line("Also given", record.meta && record.meta !== "{}" ? el("bdi", null, record.meta) : null)));
}

function exactness(record) {
  return record.is_exact ? "exact for this response" : "not exact: evidence relative to the observer";
}

function poolWords(record) {
  if (record.pool_size === null)
    return record.is_exact ? null : "not run; exact whoever wrote the text, it needs at least 19 counter-sources";
  const { pool_size: k } = record;
  return el("span", null, "e = ", el("span", { "data-number": "pool_e_value" }, nats(record.pool_e_value)),
    ", p = ", el("span", { "data-number": "pool_p_value" }, fixed(record.pool_p_value, 4)),
    ` against ${count(k, "counter-source", "counter-sources")}. Null: the response was written without regard to which of these ${k + 1} sources is its own. Exact whoever wrote it.`);
}

function drawNotes(record) {
  const notes = [...(record.notes || [])];
  if (record.left_out > 0)
    notes.unshift(`${count(record.left_out, "token", "tokens")} at the start left out of both laws, for want of a context`);
  if (!notes.length) return null;
  return el("div", { class: "notes" }, el("h3", null, "Notes on this row"), el("ul", null, ...notes.map((note) => el("li", null, note))));
}
