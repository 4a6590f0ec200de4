// The form of MNIST's pictures: strokes as wide as theirs, a box of 20x20, the centre of mass in the middle of 28x28.
//
// Ink is {height, width, data}: data has height x width numbers, 0 where there is no ink, 1 where there is full ink. The
// same steps in Python, with their reasons, are in mnistsum_runtime/preparation/mnist_form.py and morphology.py.
"use strict";

const FIELD = 28;
const BOX = 20;
const INK_BEGINS = 0.4;
const THINNEST = 2.1;
const THICKEST = 4.0;
const MOST_THINNED = 2.5;
const FINE = 3;
const TIE = 1e-3;

/** The nearest whole number; of two, the even one. */
function roundEven(value) {
  const below = Math.floor(value);
  if (value - below !== 0.5) return Math.round(value);
  return below % 2 === 0 ? below : below + 1;
}

function clamp(value, least, most) {
  return Math.min(Math.max(value, least), most);
}

function makeInk(height, width) {
  return { height, width, data: new Float32Array(height * width) };
}

function total(ink) {
  return ink.data.reduce((sum, value) => sum + value, 0);
}

/** The part of an image or a mask within a box. */
function cutOut({ width, data }, { top, bottom, left, right }) {
  const part = new data.constructor((bottom - top) * (right - left));
  for (let row = top; row < bottom; row++) {
    part.set(data.subarray(row * width + left, row * width + right), (row - top) * (right - left));
  }
  return { height: bottom - top, width: right - left, data: part };
}

/** Mean width of the strokes, from their area and, by Cauchy and Crofton, their perimeter. */
function strokeWidth({ height, width, data }) {
  const at = (row, column) => (row < 0 || column < 0 || row >= height || column >= width ? 0 : data[row * width + column]);
  let area = 0;
  let variation = 0;
  for (let row = 0; row <= height; row++) {
    for (let column = 0; column <= width; column++) {
      const here = at(row, column);
      area += here;
      variation += Math.abs(here - at(row - 1, column)) + Math.abs(here - at(row, column - 1));
    }
  }
  const half = (Math.PI / 8) * variation;
  return half / 2 - Math.sqrt(Math.max(0, (half * half) / 4 - area));
}

/** Widen strokes by `amount` pixels, or thin them: a pixel a step, by a cross and a square in turn. */
function changeWidth(ink, amount) {
  if (amount < 0) return inverse(changeWidth(inverse(ink), -amount));
  const steps = Math.floor(amount / 2);
  const part = amount / 2 - steps;
  for (let step = 0; step < steps; step++) ink = dilate(ink, step % 2 === 1);
  if (part === 0) return ink;
  const wider = dilate(ink, false).data;
  return { ...ink, data: ink.data.map((value, i) => value + part * (wider[i] - value)) };
}

function inverse(ink) {
  return { ...ink, data: ink.data.map((value) => 1 - value) };
}

/** The lightest of each pixel and its neighbours: four of them, or with the corners eight. */
function dilate({ height, width, data }, corners) {
  const down = data.slice();
  for (let i = width; i < data.length; i++) {
    if (data[i - width] > down[i]) down[i] = data[i - width];
    if (data[i] > down[i - width]) down[i - width] = data[i];
  }
  const beside = corners ? down : data;
  const around = down.slice();
  for (let i = 1; i < data.length; i++) {
    if (i % width === 0) continue;
    if (beside[i - 1] > around[i]) around[i] = beside[i - 1];
    if (beside[i] > around[i - 1]) around[i - 1] = beside[i];
  }
  return { height, width, data: around };
}

/** Means over squares of `factor` pixels; at the far sides, over what there is of them. */
function reduce(ink, factor) {
  const reduced = makeInk(Math.ceil(ink.height / factor), Math.ceil(ink.width / factor));
  for (let row = 0; row < reduced.height; row++) {
    for (let column = 0; column < reduced.width; column++) {
      const [top, left] = [row * factor, column * factor];
      const [bottom, right] = [Math.min(top + factor, ink.height), Math.min(left + factor, ink.width)];
      const sum = total(cutOut(ink, { top, bottom, left, right }));
      reduced.data[row * reduced.width + column] = sum / ((bottom - top) * (right - left));
    }
  }
  return reduced;
}

/** Widen or thin the strokes where they would be out of MNIST's range in the box, and cut to the ink again. */
function bringNearMnist(ink) {
  const factor = Math.max(1, Math.floor(Math.max(ink.height, ink.width) / (FINE * BOX)));
  if (factor > 1) ink = reduce(ink, factor);
  const scale = Math.max(ink.height, ink.width) / BOX;
  const width = strokeWidth(ink);
  const change = Math.max(clamp(width, THINNEST * scale, THICKEST * scale) - width, -MOST_THINNED * scale);
  if (Math.abs(change) >= 0.1 * scale) {
    const changed = changeWidth(withMargin(ink, Math.floor(Math.abs(change)) + 2), change);
    if (total(changed) > 0.5 * total(ink)) ink = changed; // a blot has no strokes to thin
  }
  const most = ink.data.reduce((one, other) => Math.max(one, other), 0);
  const least = Math.fround(Math.fround(INK_BEGINS) * most);
  const box = boxAround({ ...ink, data: Uint8Array.from(ink.data, (value) => value > least) });
  return { ink: cutOut(ink, box), stroke: width * factor };
}

function withMargin(ink, margin) {
  const room = makeInk(ink.height + 2 * margin, ink.width + 2 * margin);
  for (let row = 0; row < ink.height; row++) {
    const line = ink.data.subarray(row * ink.width, (row + 1) * ink.width);
    room.data.set(line, (row + margin) * room.width + margin);
  }
  return room;
}

/** Resize by area so that the longer side is `BOX`; the shorter one has at least one pixel. */
function fitIntoBox(ink) {
  const scale = BOX / Math.max(ink.height, ink.width);
  const rows = areaWeights(ink.height, Math.max(1, roundEven(ink.height * scale)));
  const columns = areaWeights(ink.width, Math.max(1, roundEven(ink.width * scale)));
  const boxed = makeInk(rows.length, columns.length);
  rows.forEach((row, y) => {
    const line = new Float64Array(ink.width);
    row.weights.forEach((weight, i) => {
      const start = (row.start + i) * ink.width;
      for (let x = 0; x < ink.width; x++) line[x] += weight * ink.data[start + x];
    });
    columns.forEach((column, x) => {
      const sum = column.weights.reduce((found, weight, i) => found + weight * line[column.start + i], 0);
      boxed.data[y * boxed.width + x] = clamp(sum, 0, 1);
    });
  });
  return boxed;
}

/** For each target pixel the source pixels that it is the mean of: {start, weights}, the weights summing to 1. */
function areaWeights(source, target) {
  const scale = source / target;
  const half = Math.max(scale, 1) / 2;
  return Array.from({ length: target }, (_, i) => {
    const [from, to] = [(i + 0.5) * scale - half, (i + 0.5) * scale + half];
    const start = Math.max(0, Math.floor(from));
    const weights = [];
    for (let pixel = start; pixel < Math.min(source, to); pixel++) {
      weights.push(Math.max(0, Math.min(to, pixel + 1) - Math.max(from, pixel)));
    }
    const sum = weights.reduce((found, weight) => found + weight, 0);
    return { start, weights: weights.map((weight) => weight / sum) };
  });
}

/** Put the box into an empty field, its centre of mass at the middle of pixel (14, 14), all of it inside. */
function placeByMass(ink) {
  let [down, across] = [0, 0];
  ink.data.forEach((value, i) => {
    down += value * (Math.floor(i / ink.width) + 0.5);
    across += value * ((i % ink.width) + 0.5);
  });
  const place = (moment, length) => clamp(roundEven(FIELD / 2 + 0.5 - moment / total(ink) - TIE), 0, FIELD - length);
  const [top, left] = [place(down, ink.height), place(across, ink.width)];
  const field = new Float32Array(FIELD * FIELD);
  for (let row = 0; row < ink.height; row++) {
    field.set(ink.data.subarray(row * ink.width, (row + 1) * ink.width), (top + row) * FIELD + left);
  }
  return field;
}
