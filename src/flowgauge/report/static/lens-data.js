// The page's data: a block a record, read when it is chosen. Arrays (layer, row, column) come as packed
// whole steps of nats; their sums over layers side by side are within one step of the true ones.

const lensIndex = readJson("index");

async function unpack(packed) {
  const bytes = Uint8Array.from(atob(packed.data), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const raw = await new Response(stream).arrayBuffer();
  const [layers, rows, columns] = packed.shape;
  return { layers, rows, columns, step: packed.step, steps: packed.bits === 16 ? new Int16Array(raw) : new Int32Array(raw) };
}

async function readLens(number) {
  const block = readJson(`lens-${number}`);
  const names = ["totals", "overview", "tokens"];
  const arrays = await Promise.all(names.map((name) => block[name] && unpack(block[name])));
  names.forEach((name, k) => { block[name] = arrays[k]; });
  block.cache = new Map();
  return block;
}

// (row, column) summed over the layers with places from…to [nats].
function sumLayers(array, from, to) {
  const size = array.rows * array.columns;
  const whole = new Int32Array(size);
  for (let l = from; l <= to; l += 1) {
    const start = l * size;
    for (let k = 0; k < size; k += 1) whole[k] += array.steps[start + k];
  }
  return Float64Array.from(whole, (v) => v * array.step);
}

// One cell in each layer [nats].
function byLayer(array, row, column) {
  const size = array.rows * array.columns;
  return Array.from({ length: array.layers }, (_, l) => array.steps[l * size + row * array.columns + column] * array.step);
}

function chosenSums(record, name) {
  const { from, to } = lensState;
  const key = `${name} ${from} ${to}`;
  if (!record.cache.has(key)) {
    for (const old of record.cache.keys()) if (old.startsWith(`${name} `)) record.cache.delete(old);
    record.cache.set(key, sumLayers(record[name], from, to));
  }
  return record.cache.get(key);
}

function groupName(record, group) {
  if (group < record.documents) return `Document ${group}`;
  if (group > record.documents) return "The response so far";
  return record.documents ? "Rest of the prompt" : "The prompt";
}

function rowName(record, row) {
  const group = record.rows.group[row];
  return group < record.documents ? `Document ${group}, sentence ${row - record.rows.group.indexOf(group)}` : groupName(record, group);
}

function layerWords(record, from = lensState.from, to = lensState.to) {
  const { layers } = record;
  if (from === to) return `layer ${layers[from]}`;
  if (from === 0 && to === layers.length - 1) return layers.length === 1 ? `layer ${layers[0]}` : `all ${layers.length} layers read`;
  return `layers ${layers[from]} to ${layers[to]}`;
}
