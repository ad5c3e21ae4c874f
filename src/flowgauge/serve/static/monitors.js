// Monitors: which read along, what each promises, what it sees now, and what it found where.

// Settings come as {name: value} or as {name: {default, …}}.
function defaultOf(setting) {
  return setting !== null && typeof setting === "object" && !Array.isArray(setting) ? setting.default ?? null : setting;
}

function plainName(name) {
  return name.replace(/_nats2$/, " [nats²]").replace(/_nats$/, " [nats]").replace(/_/g, " ");
}

function drawMonitorChoice(monitor, k) {
  const id = `monitor-${k}`;
  const box = el("input", { type: "checkbox", id, "data-monitor": monitor.name, checked: true, "aria-describedby": `${id}-promise` });
  const fields = Object.entries(monitor.settings || {}).map(([name, setting]) => drawSetting(`${id}-${name}`, name, setting));
  const action = el("select", { id: `${id}-action`, "data-action": "" },
    el("option", { value: "note" }, "note it and go on"), el("option", { value: "stop" }, "end the text"));
  return el("li", { class: "monitor-choice" },
    el("p", { class: "choice-line" }, box, el("label", { for: id }, plainName(monitor.name))),
    el("p", { class: "quiet small", id: `${id}-promise` }, monitor.promise),
    el("details", { class: "more" }, el("summary", { class: "small" }, "Settings", el("span", { class: "visually-hidden" }, ` of ${plainName(monitor.name)}`)),
      el("div", { class: "settings-grid" }, ...fields,
        el("div", { class: "number-field" }, el("label", { for: `${id}-action` }, "When it speaks"), action))));
}

function drawSetting(id, name, setting) {
  const value = defaultOf(setting);
  const kind = typeof value === "boolean" ? "checkbox" : typeof value === "number" ? "number" : "text";
  const input = el("input", { id, type: kind, "data-setting": name, step: kind === "number" ? "any" : null, checked: value === true });
  if (kind !== "checkbox") input.value = value === null ? "" : String(value);
  return el("div", { class: "number-field" }, el("label", { for: id }, plainName(name)), input,
    setting && setting.words ? el("span", { class: "quiet small" }, setting.words) : null);
}

// The chosen monitors as the server wants them.
function chosenMonitors() {
  return [...byId("monitor-choices").children].filter((item) => item.querySelector("[data-monitor]").checked)
    .map((item) => {
      const settings = [...item.querySelectorAll("[data-setting]")].map((input) => [input.dataset.setting, settingValue(input)]);
      return {
        name: item.querySelector("[data-monitor]").dataset.monitor,
        ...Object.fromEntries(settings.filter(([, value]) => value !== null)),
        action: item.querySelector("[data-action]").value,
      };
    });
}

function settingValue(input) {
  if (input.type === "checkbox") return input.checked;
  if (input.value.trim() === "") return null;
  return input.type === "number" || Number.isFinite(Number(input.value)) ? Number(input.value) : input.value;
}

// The list beside a text that is being written. see(state) takes the numbers of a step in, tell(event)
// a finding; draw() writes down what is new.
function drawMonitors(chosen, promises) {
  const views = new Map(chosen.map(({ name, action }) => [name, drawMonitor(name, promises.get(name) || "", action)]));
  const list = el("ul", { class: "monitors" }, ...[...views.values()].map((view) => view.node));
  const events = el("ol", { class: "events" });
  const none = el("p", { class: "quiet", id: "no-events" }, chosen.length ? "No monitor has spoken yet." : "No monitor reads along.");
  const node = el("section", { class: "card monitors-card", "aria-labelledby": "monitors-title" },
    el("h3", { id: "monitors-title" }, "Monitors"), list, el("h4", null, "What they said"), none, events);
  const view = { node, list, events };
  view.see = (state) => {
    for (const [name, numbers] of Object.entries(state || {}))
      if (views.has(name)) views.get(name).numbers = numbers;
  };
  view.draw = () => views.forEach((one) => one.draw());
  view.tell = (event, number, goTo) => {
    none.hidden = true;
    events.append(drawEvent(event, number, goTo));
    if (views.has(event.monitor)) views.get(event.monitor).speaks();
  };
  return view;
}

function drawMonitor(name, promise, action) {
  const numbers = el("dl", { class: "monitor-numbers" });
  const mark = el("span", { class: "monitor-mark quiet" }, "quiet so far");
  const bar = el("span", { class: "evidence", hidden: true, "aria-hidden": "true" }, el("i"));
  const node = el("li", { class: "monitor", "data-monitor": name },
    el("p", { class: "monitor-head" }, el("b", null, plainName(name)), mark),
    el("p", { class: "quiet small" }, promise, action === "stop" ? " It ends the text when it speaks." : null),
    bar, numbers);
  const cells = new Map();
  let spoken = 0;
  const view = { node, numbers: null };
  view.draw = () => {
    if (!view.numbers) return;
    for (const [key, value] of Object.entries(view.numbers)) {
      if (!cells.has(key)) {
        cells.set(key, el("dd", { "data-state": key }));
        numbers.append(el("div", null, el("dt", null, plainName(key)), cells.get(key)));
      }
      const text = stateText(value);
      if (cells.get(key).textContent !== text) cells.get(key).textContent = text;
    }
    drawEvidence(bar, view.numbers);
    view.numbers = null;
  };
  view.speaks = () => {
    spoken += 1;
    mark.textContent = `⚑ spoke ${spoken === 1 ? "once" : `${spoken} times`}`;
    node.classList.add("spoken");
  };
  return view;
}

function stateText(value) {
  if (value === null || value === undefined) return NONE;
  if (typeof value === "boolean") return value ? "yes" : "no";
  const number = Number(value);
  if (Number.isNaN(number)) return String(value);
  return Number.isInteger(number) ? fixed(number, 0) : nats(number);
}

// A bar of the evidence or the flow against the threshold that it has to reach, where the state holds both.
function drawEvidence(bar, numbers) {
  const at = (pattern) => Object.entries(numbers).find(([name]) => pattern.test(name));
  const [evidence, limit] = [at(/^(log_e|log_r|flow)_nats$/), at(/^threshold_nats$/)];
  if (!evidence || !limit || !(Number(limit[1]) > 0)) return;
  bar.hidden = false;
  const size = Math.max(0, Math.min(1, Number(evidence[1]) / Number(limit[1])));
  bar.firstChild.style.setProperty("--share", `${100 * size}%`);
}

function drawEvent(event, number, goTo) {
  const place = el("button", { type: "button", class: "event-place" }, `⚑${number} token ${event.position}`);
  place.addEventListener("click", () => goTo(event.position));
  const values = Object.entries(event.values || {}).map(([name, value]) => `${plainName(name)} ${stateText(value)}`).join(", ");
  return el("li", { class: "said", "data-position": event.position },
    el("p", null, place, " ", el("b", null, plainName(event.monitor)), event.stops ? " ended the text" : null),
    el("p", { class: "wrap" }, event.words),
    values ? el("p", { class: "quiet small wrap" }, values) : null);
}
