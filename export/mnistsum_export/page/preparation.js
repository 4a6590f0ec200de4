// From a drawing, dark on white, to the 28x28 ink that the network reads: the runtime's short way for clean scans.
//
// mnistsum_runtime/preparation/scan.py is the same in Python, with the reasons. What the runtime looks at more closely is
// prepared here all the same, and has a doubt: an answer without one was prepared as the runtime prepares it.
// One pen of one colour has no faint parts, so that these are not looked for.
"use strict";

const LEAST_CONTRAST = 48;
const LARGEST_SPREAD = 0.06;
const LARGEST_SHARE = 0.6;
const LEAST_LENGTH = 16;
const LARGEST_CONTACT = 0.3;

const STRANGERS = "more than one thing in the picture";
const OVER_THE_EDGE = "the ink runs over the picture's edge";
const NOT_PLAIN = "not a digit in plain strokes";

/**
 * Prepare a drawing: {field, doubt}.
 *
 * `levels` is {height, width, data}, 0 black to 255 white, with something on it. `field` has 28 x 28 numbers, ink 0..1;
 * `doubt` says what speaks against any answer, null where nothing does.
 */
function prepareDrawing(levels) {
  const histogram = levelHistogram(levels);
  const threshold = otsuThreshold(histogram);
  const { paper, pen, isPlain } = twoClasses(histogram, threshold);
  const mask = darkOf(levels, threshold);
  const found = findDigit(mask);
  const { box, isolated } = found;
  const inBox = cutOut(levels, box);
  let ink = { ...inBox, data: new Float32Array(inBox.data).map((level) => clamp((level - paper) / (pen - paper), 0, 1)) };
  if (isolated) {
    const near = cutOut(found.mask, box);
    const wide = changeWidth({ ...near, data: new Float32Array(near.data) }, 3).data;
    ink = { ...ink, data: ink.data.map((value, i) => value * wide[i]) };
  }
  const { boxed, stroke } = inTheBox(ink);
  let { doubt } = found;
  if (isCut(found.mask, box, stroke)) doubt ??= OVER_THE_EDGE;
  if (!isPlain || levels.data[0] <= threshold || mayBeSheet(found.mask, box)) doubt ??= NOT_PLAIN;
  return { field: placeByMass(boxed), doubt };
}

/** The mask of what is at most so light. */
function darkOf({ height, width, data }, threshold) {
  const dark = new Uint8Array(data.length);
  for (let i = 0; i < data.length; i++) dark[i] = data[i] <= threshold;
  return { height, width, data: dark };
}

/** The ink in its box of 20x20, its strokes as wide as MNIST's; and how wide they were. */
function inTheBox(ink) {
  const scale = Math.max(ink.height, ink.width) / BOX;
  const boxed = fitIntoBox(ink);
  const stroke = strokeWidth(boxed) * scale;
  if (stroke >= THINNEST * scale && stroke <= THICKEST * scale) return { boxed, stroke };
  const near = bringNearMnist(ink);
  return { boxed: fitIntoBox(near.ink), stroke: near.stroke };
}

/** How often each level stands in a picture, counted over about 100 rows and columns. */
function levelHistogram({ height, width, data }) {
  const step = Math.max(1, Math.floor(Math.min(height, width) / 100));
  const histogram = new Array(256).fill(0);
  for (let row = 0; row < height; row += step) {
    for (let column = 0; column < width; column += step) histogram[data[row * width + column]] += 1;
  }
  return histogram;
}

/** Running sums. */
function accumulate(values) {
  let sum = 0;
  return values.map((value) => (sum += value));
}

/** The level t that best parts a histogram into levels <= t and levels > t; of a flat maximum, the middle (Otsu). */
function otsuThreshold(histogram) {
  const below = accumulate(histogram);
  const moment = accumulate(histogram.map((times, level) => times * level));
  const [all, allMoment] = [below[255], moment[255]];
  const variance = below.map(
    (sum, level) => (allMoment * sum - all * moment[level]) ** 2 / Math.max(sum * (all - sum), 1),
  );
  const best = variance.indexOf(Math.max(...variance));
  const flat = below.findIndex((sum) => sum > below[best]);
  return Math.floor((best + flat - 1) / 2);
}

/** The levels of paper and pen, their medians, and whether the two are apart as in a plain drawing. */
function twoClasses(histogram, threshold) {
  const below = accumulate([...histogram].reverse());
  const [lower, all] = [below[254 - threshold], below[255]];
  const reach = (place) => below.findIndex((sum) => sum >= place);
  const [paper, pen] = [255 - reach(0.5 * lower), 255 - reach(0.5 * (lower + all))];
  const spread = (reach(0.9 * lower) - reach(0.1 * lower)) / 2.56;
  const contrast = Math.abs(pen - paper);
  const isPlain =
    contrast >= LEAST_CONTRAST && spread <= LARGEST_SPREAD * contrast && (all - lower) / all <= LARGEST_SHARE;
  return { paper, pen, isPlain };
}

/**
 * The digit in a mask: {mask, box, isolated, doubt}.
 *
 * `isolated` says that something else stood beside it, which is to be kept out. Only where there is a gap, or something
 * runs along the sides, is it worth a look which parts there are.
 */
function findDigit(mask) {
  const { rows, columns } = occupied(mask);
  const box = boxAround(mask);
  const sides = [box.top === 0, box.left === 0, box.bottom === mask.height, box.right === mask.width].filter(Boolean);
  const gap = count({ data: rows }) < box.bottom - box.top || count({ data: columns }) < box.right - box.left;
  const boxed = isBoxed(cutOut(mask, box));
  const doubt = sides.length > 1 ? OVER_THE_EDGE : null;
  const found = gap || boxed || sides.length ? digitAmongParts(mask, boxed) : { mask, box, isolated: false, doubt: null };
  const tooShort = Math.max(found.box.bottom - found.box.top, found.box.right - found.box.left) < LEAST_LENGTH;
  return { ...found, doubt: found.doubt ?? doubt ?? (tooShort ? NOT_PLAIN : null) };
}

function digitAmongParts(mask, boxed) {
  const { labels, parts } = label(mask);
  const { chosen, specks } = chooseParts(parts);
  const digit = parts.filter((_, i) => chosen[i]);
  const strangers = parts.some((_, i) => !chosen[i] && !specks[i]);
  const own = { ...mask, data: mask.data.map((value, i) => value && chosen[labels[i]]) };
  const box = boxAround(own);
  const contact = digit.reduce((sum, part) => sum + part.contact, 0);
  let doubt = null;
  if (strangers) doubt = STRANGERS;
  else if (contact > LARGEST_CONTACT * Math.max(box.bottom - box.top, box.right - box.left)) doubt = OVER_THE_EDGE;
  else if (boxed && digit.length > 1) doubt = NOT_PLAIN;
  return { mask: own, box, isolated: strangers || specks.some(Boolean), doubt };
}
