// The responses to choose from: search, filter by outcome, sort; one stop of the tab key.

const LIST_ORDERS = [
  { name: "least driven first", key: (i) => index.flow_fraction[i], rising: true },
  { name: "most driven first", key: (i) => index.flow_fraction[i], rising: false },
  { name: "largest flow first", key: (i) => index.flow_nats[i], rising: false },
  { name: "order of the input", key: (i) => index.row[i], rising: true },
  { name: "by id", key: (i) => index.id[i], rising: true },
];

const SUPPORT_ORDERS = [
  { name: "least supported first", key: (i) => index.support[i], rising: true },
  { name: "most supported first", key: (i) => index.support[i], rising: false },
];

function drawList(nav) {
  const orders = index.support.some((v) => v !== null) ? [...SUPPORT_ORDERS, ...LIST_ORDERS] : LIST_ORDERS;
  const search = el("input", { type: "search", id: "search", placeholder: "Search id or question", "aria-label": "Search id or question", autocomplete: "off", spellcheck: "false" });
  const sort = el("select", { id: "list-sort", "aria-label": "Sort the list" },
    ...orders.map((order, k) => el("option", { value: k }, order.name)));
  const items = index.row.map((_, i) => listItem(i));
  const list = el("ul", { class: "items" });
  const found = el("p", { class: "found quiet small", role: "status" });
  const filters = listFilters(() => update());
  const view = { shown: [] };

  function update() {
    const words = search.value.trim().toLowerCase();
    const kept = index.row.map((_, i) => i).filter((i) => filters.accepts(i)
      && (!words || `${index.id[i]}\n${index.title[i]}`.toLowerCase().includes(words)));
    const order = orders[Number(sort.value)];
    view.shown = sortedBy(kept, order.key, order.rising);
    list.replaceChildren(...view.shown.map((i) => items[i]));
    found.textContent = kept.length === index.row.length
      ? count(kept.length, "response", "responses")
      : `${kept.length.toLocaleString("en")} of ${count(index.row.length, "response", "responses")}`;
    rove();
  }

  function rove() {
    const links = view.shown.map((i) => items[i].firstChild);
    const stop = view.shown.includes(state.response) ? items[state.response].firstChild : links[0];
    links.forEach((link) => { link.tabIndex = link === stop ? 0 : -1; });
  }

  view.mark = (i) => {
    items.forEach((item, k) => item.firstChild.toggleAttribute("aria-current", k === i));
    items[i].firstChild.setAttribute("aria-current", "true");
    rove();
    keepInSight(list, items[i]);
  };
  search.addEventListener("input", update);
  sort.addEventListener("change", update);
  list.addEventListener("keydown", (event) => walkList(event, list));
  nav.append(el("h2", { class: "list-title" }, "Responses"), search, filters.node,
    el("div", { class: "list-line" }, found, sort), list);
  update();
  return view;
}

function listItem(i) {
  const outcome = outcomeOf(index.outcome[i]);
  return el("li", null, el("a", { class: "item", href: linkTo(index.id[i]), tabindex: -1 },
    el("bdi", { class: "item-title" }, index.title[i] || "(empty)"),
    el("span", { class: "item-line" },
      el("span", { class: `item-outcome tone-${outcome.mark}` }, markIcon(outcome.mark), outcome.short),
      el("bdi", { class: "item-id" }, index.id[i])),
    el("span", { class: "item-line item-numbers" },
      el("span", null, el("b", { "data-number": "flow_fraction" }, share(index.flow_fraction[i])), shareBar(index.flow_fraction[i])),
      el("span", null, el("span", { "data-number": "flow_nats" }, nats(index.flow_nats[i])), " nats")),
    index.support[i] === null ? null : el("span", { class: "item-line item-numbers" },
      el("span", null, "support ", el("b", { "data-number": "support" }, nats(index.support[i]))),
      index.unsupported[i] ? unsupportedTag() : null)));
}

function listFilters(changed) {
  const node = el("div", { class: "filters", role: "group", "aria-label": "Filter by outcome" });
  const names = [...Object.keys(OUTCOMES), ...new Set(index.outcome.filter((o) => !(o in OUTCOMES)))]
    .filter((name) => index.outcome.includes(name));
  const choices = [{ name: "all", accepts: () => true, n: index.row.length }]
    .concat(names.map((name) => ({
      name: outcomeOf(name).short, mark: outcomeOf(name).mark,
      accepts: (i) => index.outcome[i] === name, n: index.outcome.filter((o) => o === name).length,
    })));
  const labelledRows = index.n_labels.filter((n) => n > 0).length;
  if (labelledRows) choices.push({ name: "human labels", accepts: (i) => index.n_labels[i] > 0, n: labelledRows });
  const low = index.unsupported.filter(Boolean).length;
  if (low) choices.push({ name: UNSUPPORTED, accepts: (i) => index.unsupported[i], n: low });
  let chosen = choices[0];
  const buttons = choices.map((choice) => {
    const button = el("button", { type: "button", class: "chip", "aria-pressed": String(choice === chosen) },
      choice.mark ? markIcon(choice.mark) : null, `${choice.name} `, el("span", { class: "chip-count" }, choice.n.toLocaleString("en")));
    button.addEventListener("click", () => {
      chosen = choice;
      buttons.forEach((b, k) => b.setAttribute("aria-pressed", String(choices[k] === chosen)));
      changed();
    });
    return button;
  });
  node.append(...buttons);
  return { node, accepts: (i) => chosen.accepts(i) };
}

function walkList(event, list) {
  const links = [...list.querySelectorAll("a")];
  const at = links.indexOf(document.activeElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: links.length - 1 }[event.key];
  if (to === undefined || !links[to]) return;
  event.preventDefault();
  links.forEach((link, k) => { link.tabIndex = k === to ? 0 : -1; });
  links[to].focus();
}

// Scrolls the list alone, never the page.
function keepInSight(list, item) {
  if (!item.isConnected) return;
  const [box, frame] = [item.getBoundingClientRect(), list.getBoundingClientRect()];
  if (box.top < frame.top) list.scrollTop -= frame.top - box.top;
  else if (box.bottom > frame.bottom) list.scrollTop += box.bottom - frame.bottom;
}
