// The columns of a response as the page's functions want them: numbers as numbers, the text as code points.

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

// A response as the payload writes it, its documents aside.
function readRecord(record) {
  readNumbers(record.tokens);
  readNumbers(record.sentences);
  for (const name of Object.keys(record))
    if (/_nats2?$|_fraction$|^residual$|_value$/.test(name) && typeof record[name] === "string")
      record[name] = Number(record[name]);
  record.characters = Array.from(record.response || "");
  return record;
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
