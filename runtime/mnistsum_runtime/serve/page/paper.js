// The paper: what is drawn on it, and pictures that are laid there instead.
//
// When the picture is another, `showTools` and `readAgain` are told.
"use strict";

const element = (id) => document.getElementById(id);

/** What the page stands at. Pictures are values: undo goes back to an earlier one. */
const page = {
  picture: { strokes: [], photo: null },
  earlier: [],
  camera: false, // whether the camera's frames are shown instead of the picture
  number: 4,
  numberChosen: false, // until then the camera's frames bring the server's own
  models: [],
  model: null,
  tokenNeeded: false,
};

/** Side of the paper in its own units; a picture that is sent has as many pixels. */
const PAPER = 280;

/** Width of the pen: digits of half to the whole paper come out with strokes as thick as those of MNIST. */
const PEN = 17;

/** Points nearer than this to the one before are the hand's trembling. */
const TREMBLE = 1.2;

/** The stroke under the pen, not yet part of the picture. */
let stroke = null;

function isBlank(picture) {
  return picture.strokes.length === 0 && picture.photo === null;
}

/** Draw strokes as curves through the middles between their points, so that corners of slow sampling disappear. */
function drawStrokes(context, strokes) {
  context.lineWidth = PEN;
  context.lineCap = context.lineJoin = "round";
  for (const points of strokes) {
    let [x, y] = points[0];
    context.beginPath();
    context.moveTo(x, y);
    for (const [nextX, nextY] of points.slice(1)) {
      context.quadraticCurveTo(x, y, (x + nextX) / 2, (y + nextY) / 2);
      [x, y] = [nextX, nextY];
    }
    context.lineTo(points.length > 1 ? x : x + 0.01, y); // a single point becomes a dot; a line without length is none
    context.stroke();
  }
}

/** Draw an image into a square, whole and in the middle. */
function drawWhole(context, image, side) {
  const scale = side / Math.max(image.width, image.height);
  const [width, height] = [image.width * scale, image.height * scale];
  context.drawImage(image, (side - width) / 2, (side - height) / 2, width, height);
}

/** Show the picture, sharp on every screen. `frame` is the camera's image, where that is shown. */
function drawPaper(frame = null) {
  const canvas = element("canvas");
  const side = Math.max(1, Math.round(canvas.clientWidth * devicePixelRatio));
  if (canvas.width !== side) canvas.width = canvas.height = side;
  const context = canvas.getContext("2d");
  const { strokes, photo } = page.picture;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, side, side);
  const image = page.camera ? frame : photo?.image;
  if (image) drawWhole(context, image, side);
  if (page.camera) return;
  context.scale(side / PAPER, side / PAPER);
  context.strokeStyle = getComputedStyle(canvas).getPropertyValue("--ink");
  drawStrokes(context, stroke ? [...strokes, stroke] : strokes);
}

/** Redraw at the next frame of the screen, however many points a pen sends until then. */
let redraw = 0;
function drawPaperSoon() {
  redraw ||= requestAnimationFrame(() => {
    redraw = 0;
    drawPaper();
  });
}

/** The strokes black on white, as many pixels as the paper is long: what the network is asked about. */
function strokesOnWhite(strokes) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = PAPER;
  const context = canvas.getContext("2d", { willReadFrequently: true }); // in memory: nothing waits for the GPU
  context.fillStyle = "#fff";
  context.fillRect(0, 0, PAPER, PAPER);
  drawStrokes(context, strokes);
  return canvas;
}

function pointOf(event) {
  const box = element("canvas").getBoundingClientRect();
  return [((event.clientX - box.left) / box.width) * PAPER, ((event.clientY - box.top) / box.height) * PAPER];
}

function beginStroke(event) {
  if (!event.isPrimary || event.button !== 0) return; // a second finger, another button
  if (page.camera) chooseSource("paper");
  element("canvas").setPointerCapture(event.pointerId);
  stroke = [pointOf(event)];
  drawPaperSoon();
}

function continueStroke(event) {
  if (!stroke || !event.isPrimary) return;
  // A screen has 60 frames a second, a pen up to 240 points: the ones between are here.
  const events = event.getCoalescedEvents?.() ?? [];
  for (const each of events.length ? events : [event]) {
    const [x, y] = pointOf(each);
    const [lastX, lastY] = stroke.at(-1);
    if (Math.hypot(x - lastX, y - lastY) >= TREMBLE) stroke.push([x, y]);
  }
  drawPaperSoon();
}

function endStroke(event) {
  if (!stroke || !event.isPrimary) return;
  const strokes = page.picture.photo ? [stroke] : [...page.picture.strokes, stroke]; // a photo makes room
  stroke = null;
  setPicture({ strokes, photo: null });
}

/** Put another picture in the place of this one, which undo brings back; and ask about it. */
function setPicture(picture) {
  page.earlier.push(page.picture);
  page.picture = picture;
  pictureChanged();
}

function undo() {
  if (page.camera || page.earlier.length === 0) return;
  page.picture = page.earlier.pop();
  pictureChanged();
}

function clear() {
  stroke = null;
  if (page.camera || isBlank(page.picture)) drawPaperSoon();
  else setPicture({ strokes: [], photo: null });
}

function pictureChanged() {
  drawPaper();
  showTools();
  readAgain();
}

// Other pictures --------------------------------------------------------------------------------------------------

/** Files above this are made smaller before they are sent: a phone's photo is 12 million pixels of which few matter. */
const LARGE_FILE = 4e6;
const LARGE_SIDE = 2000;

async function openFile(file) {
  if (!file) return;
  if (page.camera) chooseSource("paper");
  // Of a format that the browser does not know there is nothing to show; the server may know it.
  const image = await createImageBitmap(file).catch(() => null);
  const content = image && file.size > LARGE_FILE ? await shrink(image) : file;
  setPicture({ strokes: [], photo: { name: file.name || "picture", content, image } });
}

function shrink(image) {
  const scale = Math.min(1, LARGE_SIDE / Math.max(image.width, image.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(image.width * scale);
  canvas.height = Math.round(image.height * scale);
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92));
}

function openChosen(event) {
  openFile(event.target.files[0]);
  event.target.value = ""; // the same file may be chosen again
}

function dragOver(event) {
  if (!event.dataTransfer.types.includes("Files")) return;
  event.preventDefault();
  element("paper").classList.add("dropping");
}

function dragEnd() {
  element("paper").classList.remove("dropping");
}

function drop(event) {
  event.preventDefault();
  dragEnd();
  openFile(event.dataTransfer.files[0]);
}

function paste(event) {
  openFile(event.clipboardData.files[0]);
}
