// The view stands in the address, so that a reload and a bookmark keep it:
//   #measure  #measure&job=J  #generate&job=J&run=NAME  #runs  #run=NAME&id=ID  #compare=NAME:ID,NAME:ID

const VIEWS = ["measure", "generate", "runs", "run", "compare"];

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function readAddress() {
  const parts = location.hash.slice(1).split("&").map((part) => {
    const [, name, value] = /^([^=]*)=?(.*)$/.exec(part);
    return [name, value];
  });
  const [[view, value]] = parts;
  const rest = Object.fromEntries(parts.slice(1).map(([name, text]) => [name, decoded(text)]));
  if (view === "run") return { view, run: decoded(value), id: rest.id ?? null };
  if (view === "compare") return { view, sides: value.split(",").map(readSide) };
  return { view: VIEWS.includes(view) ? view : "measure", job: rest.job ?? null, run: rest.run ?? null };
}

function readSide(text) {
  const at = text.indexOf(":");
  if (at < 0) return null;
  return { run: decoded(text.slice(0, at)), id: decoded(text.slice(at + 1)) };
}

function runAddress(run, id) {
  return `#run=${encodeURIComponent(run)}${id === undefined ? "" : `&id=${encodeURIComponent(id)}`}`;
}

function compareAddress(sides) {
  return `#compare=${sides.map((side) => (side ? `${encodeURIComponent(side.run)}:${encodeURIComponent(side.id)}` : "")).join(",")}`;
}

function jobAddress(view, { job, run }) {
  return `#${view}${job ? `&job=${encodeURIComponent(job)}` : ""}${run ? `&run=${encodeURIComponent(run)}` : ""}`;
}

// Changes the address without a new view.
function noteAddress(address) {
  history.replaceState(null, "", address);
}
