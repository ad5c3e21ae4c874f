// Elements and SVG shapes. Text goes in as text nodes alone; no markup is ever parsed.

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    node.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children) if (child !== null && child !== undefined) node.append(child);
  return node;
}

function el(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function svg(tag, attributes, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function byId(id) {
  return document.getElementById(id);
}

// The text with signs for what cannot be seen.
function visible(text) {
  const signs = { " ": "␣", "\n": "↵", "\r": "␍", "\t": "⇥" };
  const node = el("bdi", { class: "shown" });
  for (const part of text.split(/([ \n\r\t])/)) {
    if (part in signs) node.append(el("span", { class: "sign" }, signs[part]));
    else if (part) node.append(part);
  }
  return node;
}

function calmly() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth";
}
