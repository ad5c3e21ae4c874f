// What the model is given: question, documents, instruction, and the answer or how to write one. The
// form is kept while the page is open in this tab, so a reload loses nothing.

const SAMPLING = [
  { name: "temperature", words: "Temperature", value: 1, min: 0, step: 0.05, hint: "0 is greedy" },
  { name: "top_p", words: "Top-p", value: 1, min: 0.01, max: 1, step: 0.01, hint: "1 keeps all" },
  { name: "top_k", words: "Top-k", value: 0, min: 0, step: 1, hint: "0 keeps all" },
  { name: "min_p", words: "Min-p", value: 0, min: 0, max: 1, step: 0.01, hint: "0 keeps all" },
  { name: "repetition_penalty", words: "Repetition penalty", value: 1, min: 0.05, step: 0.05, hint: "1 is none" },
];
const LENGTHS = [
  { name: "max_tokens", words: "Most tokens", value: 128, min: 1, step: 1, hint: "ends there" },
  { name: "seed", words: "Seed", value: 0, min: 0, step: 1, hint: "same seed, same text" },
];

function numberField({ name, words, value, min, max, step, hint }) {
  const id = `set-${name}`;
  return el("div", { class: "number-field" },
    el("label", { for: id }, words),
    el("input", { id, type: "number", value, min, max, step: step ?? "any", required: true, inputmode: "decimal", "aria-describedby": hint ? `${id}-hint` : null }),
    hint ? el("span", { class: "quiet small", id: `${id}-hint` }, hint) : null);
}

function drawSettings(about) {
  const most = about.limits && about.limits.max_tokens;
  byId("sampling").replaceChildren(...[...SAMPLING, ...LENGTHS].map((field) =>
    numberField(field.name === "max_tokens" && most ? { ...field, max: most } : field)));
  byId("monitor-choices").replaceChildren(...about.monitors.map(drawMonitorChoice));
}

function documentBoxes() {
  return [...byId("boxes").querySelectorAll("textarea")];
}

function addDocument(text = "", focus = false) {
  const box = el("textarea", { rows: 3, dir: "auto" });
  box.value = text;
  const remove = el("button", { type: "button", class: "button remove" }, "Remove");
  const label = el("label");
  const item = el("li", { class: "box" }, el("div", { class: "box-head" }, label, remove), box);
  remove.addEventListener("click", () => {
    const next = item.nextElementSibling || item.previousElementSibling;
    item.remove();
    nameDocuments();
    keepForm();
    (next ? next.querySelector("textarea") : byId("add-document")).focus();
  });
  byId("boxes").append(item);
  nameDocuments();
  if (focus) box.focus();
}

function nameDocuments() {
  documentBoxes().forEach((box, k) => {
    box.id = `document-box-${k}`;
    const item = box.closest("li");
    item.querySelector("label").textContent = `Document ${k}`;
    item.querySelector("label").htmlFor = box.id;
    item.querySelector(".remove").setAttribute("aria-label", `Remove document ${k}`);
  });
}

function setDocuments(texts) {
  byId("boxes").replaceChildren();
  for (const text of texts) addDocument(text);
}

// Empty boxes are no documents; without any document the whole prompt is the source.
function given() {
  const documents = documentBoxes().map((box) => box.value).filter((text) => text.trim());
  const instruction = byId("instruction").value;
  return {
    question: byId("question").value,
    documents: documents.length ? documents : null,
    ...(instruction.trim() ? { instruction } : {}),
  };
}

function giveForm({ question = "", documents = [], instruction = "", response }) {
  byId("question").value = question;
  byId("instruction").value = instruction;
  byId("instruction").closest("details").open = Boolean(instruction);
  if (response !== undefined) byId("answer").value = response;
  setDocuments(documents || []);
  keepForm();
}

function samplingOf(fields) {
  return Object.fromEntries(fields.map(({ name }) => [name, Number(byId(`set-${name}`).value)]));
}

function keepForm() {
  try {
    const numbers = Object.fromEntries([...byId("sampling").querySelectorAll("input")].map((input) => [input.id, input.value]));
    sessionStorage.setItem("flowgauge-form", JSON.stringify({ ...given(), response: byId("answer").value, numbers }));
  } catch { /* no storage: the form is then lost at a reload */ }
  sayGiven();
}

function restoreForm() {
  try {
    const kept = JSON.parse(sessionStorage.getItem("flowgauge-form"));
    if (!kept) return;
    for (const [id, value] of Object.entries(kept.numbers)) if (byId(id)) byId(id).value = value;
    giveForm(kept);
  } catch { /* as above */ }
}

// The line that stands for the form when it is folded.
function sayGiven() {
  const { question, documents } = given();
  byId("ask-words").textContent = question.trim()
    ? `${cutShort(question, 90)} · ${documents ? count(documents.length, "document", "documents") : "no documents"}` : "";
}

let exampleNumber = -1;

// Real examples, one after the other; the ones with documents first where the model can hold them.
function nextExample(about) {
  const examples = readJson("examples");
  const holds = (about.model.context_length ?? Infinity) >= 1024;
  const order = [...examples].sort((a, b) => (holds ? 1 : -1) * (Boolean(b.documents) - Boolean(a.documents)));
  exampleNumber = (exampleNumber + 1) % order.length;
  giveForm(order[exampleNumber]);
  byId("question").focus({ preventScroll: true });
}

function startForm(about) {
  drawSettings(about);
  addDocument();
  restoreForm();
  byId("form").addEventListener("input", keepForm);
  byId("add-document").addEventListener("click", () => addDocument("", true));
  byId("example").addEventListener("click", () => nextExample(about));
  byId("clear").addEventListener("click", () => { giveForm({ documents: [""], response: "" }); byId("question").focus(); });
}
