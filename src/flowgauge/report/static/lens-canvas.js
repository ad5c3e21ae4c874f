// Draws the part of a heat map that can be seen: cells as one small picture that is scaled up, then the
// marks of negative cells, lines between groups, names of rows and columns, and the chosen cell.

// view: {values, columns, rows: first…last, cols: first…last, cell: {w, h}, head: {w, h}, left, top, …}
function drawCells(context, spec, view, paint) {
  const [r0, r1] = view.rows;
  const [c0, c1] = view.cols;
  if (r1 <= r0 || c1 <= c0) return;
  const picture = new OffscreenCanvas(c1 - c0, r1 - r0);
  const inside = picture.getContext("2d");
  const image = inside.createImageData(c1 - c0, r1 - r0);
  const negative = [];
  for (let i = r0, at = 0; i < r1; i += 1) {
    for (let j = c0; j < c1; j += 1, at += 4) {
      const level = effectLevel(kept(spec, spec.value(i, j)), spec.steps);
      image.data.set(paint.levels[level + 5], at);
      if (level < 0) negative.push([i, j]);
    }
  }
  inside.putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  // Row and column of the cell that is looked at, behind the cells.
  context.fillStyle = paint.ink.band;
  context.fillRect(view.head.w, view.y(view.shown.row), view.width, view.cell.h);
  context.fillRect(view.x(view.shown.column), view.head.h, view.cell.w, view.height);
  context.drawImage(picture, view.x(c0), view.y(r0), (c1 - c0) * view.cell.w, (r1 - r0) * view.cell.h);
  if (spec.numbers) drawNumbers(context, spec, view, paint);
  else if (Math.min(view.cell.w, view.cell.h) >= 8) strike(context, negative, view, paint);
}

// Few and large cells hold their number, sign and all.
function drawNumbers(context, spec, view, paint) {
  context.fillStyle = paint.ink.ink;
  context.font = `${spec.fontSize}px ${spec.font}`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  for (let i = view.rows[0]; i < view.rows[1]; i += 1) {
    for (let j = view.cols[0]; j < view.cols[1]; j += 1) {
      const value = spec.value(i, j);
      const digits = Math.abs(value) < 9.95 ? 2 : 1;
      context.fillText(`${value > 0 ? "+" : ""}${fixed(value, digits)}`, view.x(j) + view.cell.w / 2, view.y(i) + view.cell.h / 2);
    }
  }
  context.textAlign = "start";
}

// The sign by more than a colour: negative cells are struck through from corner to corner.
function strike(context, cells, view, paint) {
  context.strokeStyle = paint.ink["minus-mark"];
  context.lineWidth = 1.2;
  context.beginPath();
  const size = Math.min(view.cell.w, view.cell.h) - 4;
  for (const [i, j] of cells) {
    const x = view.x(j) + view.cell.w / 2;
    const y = view.y(i) + view.cell.h / 2;
    context.moveTo(x - size / 2, y + size / 2);
    context.lineTo(x + size / 2, y - size / 2);
  }
  context.stroke();
}

function kept(spec, value) {
  return spec.sign === "plus" ? Math.max(value, 0) : spec.sign === "minus" ? Math.min(value, 0) : value;
}

function drawBreaks(context, spec, view, paint) {
  context.strokeStyle = paint.ink["strong-line"];
  context.lineWidth = 1;
  context.beginPath();
  for (const i of spec.rowBreaks) {
    if (i <= view.rows[0] || i >= view.rows[1]) continue;
    const y = Math.round(view.y(i)) + 0.5;
    context.moveTo(view.head.w, y);
    context.lineTo(view.x(view.cols[1]), y);
  }
  for (const j of spec.columnBreaks) {
    if (j <= view.cols[0] || j >= view.cols[1]) continue;
    const x = Math.round(view.x(j)) + 0.5;
    context.moveTo(x, view.head.h);
    context.lineTo(x, view.y(view.rows[1]));
  }
  context.stroke();
}

function drawNames(context, spec, view, paint, at) {
  context.fillStyle = paint.ink.card;
  context.fillRect(0, 0, view.width, view.head.h);
  context.fillRect(0, 0, view.head.w, view.height);
  context.textBaseline = "middle";
  const font = (bold) => `${bold ? "700" : "400"} ${spec.fontSize}px ${spec.font}`;
  const name = (text, bold, most) => {
    context.font = font(bold);
    context.fillStyle = bold ? paint.ink.ink : paint.ink.quiet;
    context.fillText(clipText(context, text, most), 0, 0);
  };
  if (view.cell.h >= spec.fontSize - 1) {
    for (let i = view.rows[0]; i < view.rows[1]; i += 1) {
      const y = view.y(i) + view.cell.h / 2;
      if (y < view.head.h + view.cell.h / 4) continue;
      context.save();
      context.translate(4, y);
      name(spec.rowLabel(i), i === at.row, view.head.w - 10);
      context.restore();
    }
  }
  if (view.cell.w >= spec.fontSize - 1) {
    for (let j = view.cols[0]; j < view.cols[1]; j += 1) {
      const x = view.x(j) + view.cell.w / 2;
      if (x < view.head.w + view.cell.w / 4) continue;
      context.save();
      context.translate(x, view.head.h - 5);
      context.rotate(-Math.PI / 2);
      name(spec.columnLabel(j), j === at.column, view.head.h - 10);
      context.restore();
    }
  }
  context.fillStyle = paint.ink.card;
  context.fillRect(0, 0, view.head.w, view.head.h);
  context.strokeStyle = paint.ink.line;
  context.strokeRect(view.head.w - 0.5, view.head.h - 0.5, view.width, view.height);
}

function clipText(context, text, most) {
  if (context.measureText(text).width <= most) return text;
  let low = 0;
  let high = text.length;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (context.measureText(`${text.slice(0, middle)}…`).width <= most) low = middle;
    else high = middle - 1;
  }
  return `${text.slice(0, low)}…`;
}

function drawHere(context, view, paint, { row, column }, strong) {
  const [x, y, w, h] = [view.x(column), view.y(row), view.cell.w, view.cell.h];
  if (x + w < view.head.w + 1 || y + h < view.head.h + 1) return;
  context.lineWidth = strong ? 2.5 : 1.5;
  context.strokeStyle = paint.ink.card;
  context.strokeRect(x - 2.5, y - 2.5, w + 5, h + 5);
  context.strokeStyle = paint.ink.ink;
  context.strokeRect(x - 1, y - 1, w + 2, h + 2);
}
