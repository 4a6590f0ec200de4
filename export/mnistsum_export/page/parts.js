// Masks: their connected parts, and what a part cannot be if it is a digit.
//
// A mask is {height, width, data}: data has height x width numbers, 1 where there is ink. The same in Python, with the
// reasons: mnistsum_runtime/preparation/components.py, boxes.py, edge.py, scan.py and sheet.py.
"use strict";

/** How many there are; loops over all pixels are plain ones, since a stroke's answer waits for them. */
function count({ data }) {
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += data[i];
  return sum;
}

/** Whether each row, and each column, has something in it. */
function occupied({ height, width, data }) {
  const [rows, columns] = [new Uint8Array(height), new Uint8Array(width)];
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      if (data[row * width + column]) rows[row] = columns[column] = 1;
    }
  }
  return { rows, columns };
}

/** The box around what a mask has: {top, bottom, left, right}, the ends exclusive. */
function boxAround(mask) {
  const { rows, columns } = occupied(mask);
  const end = (line) => line.lastIndexOf(1) + 1;
  return { top: rows.indexOf(1), bottom: end(rows), left: columns.indexOf(1), right: end(columns) };
}

/** The 8-connected parts: {labels, parts}; a label is the part's place in the list, -1 where there is none. */
function label(mask) {
  const labels = new Int32Array(mask.data.length).fill(-1);
  const parts = [];
  for (let i = 0; i < labels.length; i++) {
    if (mask.data[i] && labels[i] < 0) parts.push(fill(mask, labels, i, parts.length));
  }
  return { labels, parts };
}

function fill({ height, width, data }, labels, first, name) {
  const part = { area: 0, contact: 0, top: height, bottom: 0, left: width, right: 0 };
  const waiting = [first];
  labels[first] = name;
  while (waiting.length) {
    const i = waiting.pop();
    const [row, column] = [Math.floor(i / width), i % width];
    part.area += 1;
    part.contact += row === 0 || column === 0 || row === height - 1 || column === width - 1;
    Object.assign(part, {
      top: Math.min(part.top, row),
      bottom: Math.max(part.bottom, row + 1),
      left: Math.min(part.left, column),
      right: Math.max(part.right, column + 1),
    });
    for (let y = Math.max(0, row - 1); y <= Math.min(height - 1, row + 1); y++) {
      for (let x = Math.max(0, column - 1); x <= Math.min(width - 1, column + 1); x++) {
        const next = y * width + x;
        if (!data[next] || labels[next] >= 0) continue;
        labels[next] = name;
        waiting.push(next);
      }
    }
  }
  return part;
}

/** Which parts are the digit, and which are specks: two lists of truths. */
function chooseParts(parts) {
  const main = parts.reduce((best, part) => (part.area > best.area ? part : best));
  const longest = ({ top, bottom, left, right }) => Math.max(bottom - top, right - left);
  const size = longest(main);
  const isNear = ({ top, bottom, left, right }) =>
    Math.hypot(Math.max(top - main.bottom, main.top - bottom, 0), Math.max(left - main.right, main.left - right, 0)) <
    0.4 * size;
  const isKeptOut = (part) => (main.contact === 0 ? part.contact > 0 : 2 * part.contact >= longest(part));
  const isSpeck = (part) => longest(part) < 0.15 * size || part.area < 0.02 * main.area;
  const isDigit = (part) => part === main || (isNear(part) && !isSpeck(part) && !isKeptOut(part));
  return { chosen: parts.map(isDigit), specks: parts.map((part) => isSpeck(part) && !isDigit(part)) };
}

/** Whether there is ink along three or all of a mask's four sides, as a printed box has it. */
function isBoxed(mask) {
  const { height, width } = mask;
  const band = Math.max(1, roundEven(0.1 * Math.max(height, width)));
  const [down, across] = [Math.min(band, height), Math.min(band, width)];
  const whole = { top: 0, bottom: height, left: 0, right: width };
  const along = (box, axis) => count({ data: occupied(cutOut(mask, { ...whole, ...box }))[axis] });
  const open = [
    along({ bottom: down }, "columns") < 0.8 * width,
    along({ top: height - down }, "columns") < 0.8 * width,
    along({ right: across }, "rows") < 0.8 * height,
    along({ left: width - across }, "rows") < 0.8 * height,
  ];
  return open.filter(Boolean).length < 2;
}

/** Whether a part of a digit is likely to be missing beyond one of the paper's sides. */
function isCut(mask, box, stroke) {
  const { height, width } = mask;
  const crossing = stroke >= 4 ? 0.5 * stroke : 0;
  const whole = { top: 0, bottom: height, left: 0, right: width };
  const crosses = (side) => count(cutOut(mask, { ...whole, ...side })) > crossing;
  return (
    ((box.bottom - box.top) / height < 0.95 && (crosses({ bottom: 1 }) || crosses({ top: height - 1 }))) ||
    ((box.right - box.left) / width < 0.95 && (crosses({ right: 1 }) || crosses({ left: width - 1 })))
  );
}

/** Whether what was found may be a sheet instead of strokes: large, and it fills its outline. */
function mayBeSheet(mask, { top, bottom, left, right }) {
  const [height, width] = [bottom - top, right - left];
  if (height * width <= 0.15 * mask.data.length) return false;
  const ink = count(mask);
  if (ink > 0.7 * height * width) {
    return Math.min(height, width) > 0.5 * Math.max(height, width) || ink > 0.2 * mask.data.length;
  }
  return ink > 0.42 * height * width && fillsOutline(mask);
}

function fillsOutline(mask) {
  const step = Math.max(1, Math.floor(Math.min(mask.height, mask.width) / 40));
  const coarse = everyPixel(mask, step);
  const [narrow, long] = smallestRectangle(coarse);
  const ink = count(coarse);
  if (ink <= 0.75 * 0.88 * narrow * long) return false;
  const around = outline(coarse);
  const [shorter, longer] = smallestRectangle(around);
  return ink > 0.75 * count(around) && count(around) > 0.88 * shorter * longer && shorter > 0.5 * longer;
}

/** Every `step`-th row and column. */
function everyPixel({ height, width, data }, step) {
  const coarse = { height: Math.ceil(height / step), width: Math.ceil(width / step) };
  const pick = (_, i) => data[Math.floor(i / coarse.width) * step * width + (i % coarse.width) * step];
  return { ...coarse, data: Uint8Array.from({ length: coarse.height * coarse.width }, pick) };
}

/** A part and what it encloses, seen along the rows and along the columns. */
function outline({ height, width, data }) {
  const row = (y) => Array.from({ length: width }, (_, x) => data[y * width + x]);
  const column = (x) => Array.from({ length: height }, (_, y) => data[y * width + x]);
  const ends = (line) => [line.indexOf(1), line.lastIndexOf(1)];
  const rows = Array.from({ length: height }, (_, y) => ends(row(y)));
  const columns = Array.from({ length: width }, (_, x) => ends(column(x)));
  const isBetween = (place, [first, last]) => first >= 0 && place >= first && place <= last;
  const inside = (_, i) => {
    const [y, x] = [Math.floor(i / width), i % width];
    return Number(isBetween(x, rows[y]) && isBetween(y, columns[x]));
  };
  return { height, width, data: Uint8Array.from(data, inside) };
}

/** The shorter and the longer side of the smallest rectangle around a mask, turned in steps of 3 degrees. */
function smallestRectangle({ width, data }) {
  const points = [];
  data.forEach((value, i) => value && points.push([i % width, Math.floor(i / width)]));
  const extent = (x, y) => {
    const along = points.map(([column, row]) => x * column + y * row);
    return Math.max(...along) - Math.min(...along) + 1;
  };
  const sides = Array.from({ length: 30 }, (_, i) => {
    const [cos, sin] = [Math.cos((i * Math.PI) / 60), Math.sin((i * Math.PI) / 60)];
    return [extent(cos, sin), extent(-sin, cos)];
  });
  const smallest = sides.reduce((best, side) => (side[0] * side[1] < best[0] * best[1] ? side : best));
  return smallest.sort((one, other) => one - other);
}
