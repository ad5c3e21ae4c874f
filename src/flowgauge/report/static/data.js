// The page's data: an index of all responses, and one block per response, read when it is chosen.

const index = readNumbers(readJson("index"));
const supportSettings = readJson("support");
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
    const record = readRecord(readJson(`response-${row}`));
    if (record.documents) record.documents = record.documents.map(readDocument);
    record.support_settings = supportSettings;
    record.is_unsupported = index.unsupported[i];
    blocks.set(row, record);
  }
  return blocks.get(row);
}

function linkTo(id, position) {
  const place = position === undefined ? "" : `&position=${position}`;
  return `#id=${encodeURIComponent(id)}${place}`;
}
