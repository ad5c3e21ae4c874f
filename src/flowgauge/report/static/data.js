// The page's data: an index of all responses, and one block per response, read when it is chosen.

function readJson(id) {
  return JSON.parse(byId(id).textContent);
}

// JSON has no infinities: they come as text.
function readNumbers(columns) {
  for (const [name, values] of Object.entries(columns)) {
    if (/_nats2?$|_fraction$/.test(name) && Array.isArray(values))
      columns[name] = values.map((v) => (typeof v === "string" ? Number(v) : v));
  }
  return columns;
}

const index = readNumbers(readJson("index"));
const blocks = new Map();
const documentTexts = new Map();

// Documents stand once in the page, however many responses share them.
function readDocument(number) {
  if (!documentTexts.has(number)) documentTexts.set(number, makeDocument(readJson(`document-${number}`)));
  return documentTexts.get(number);
}

function readResponse(i) {
  const row = index.row[i];
  if (!blocks.has(row)) {
    const record = readJson(`response-${row}`);
    readNumbers(record.tokens);
    readNumbers(record.sentences);
    for (const name of Object.keys(record))
      if (/_nats2?$|_fraction$|^residual$|_value$/.test(name) && typeof record[name] === "string")
        record[name] = Number(record[name]);
    if (record.documents) record.documents = record.documents.map(readDocument);
    record.characters = Array.from(record.response || "");
    blocks.set(row, record);
  }
  return blocks.get(row);
}

// Alternatives of one token: flat pairs of a word's place and its log-probability.
function alternatives(record, law, j) {
  const flat = record.tokens[`alternatives_${law}`][j];
  const { words, word_ids: ids } = record.tokens;
  const result = [];
  for (let k = 0; k < flat.length; k += 2)
    result.push({ id: ids[flat[k]], text: words[flat[k]], logP: flat[k + 1] === null ? null : Number(flat[k + 1]) });
  return result;
}

function tokenText(record, j) {
  return record.characters.slice(record.tokens.start[j], record.tokens.end[j]).join("");
}

function parseOr(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function linkTo(id, position) {
  const place = position === undefined ? "" : `&position=${position}`;
  return `#id=${encodeURIComponent(id)}${place}`;
}
