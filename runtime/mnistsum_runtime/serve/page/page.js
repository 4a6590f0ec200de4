// The page of mnistsum-serve: draw a digit, ask, show what was read.
//
// Five parts: the paper, other pictures, asking, showing, and what ties them together. The parts know each other by few
// functions. `describe` and `ask` alone reach a server: a page that answers by itself declares its own in a script after
// this one, and they take the place of these before the page starts (DOMContentLoaded).
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

// The paper -------------------------------------------------------------------------------------------------------

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
    context.lineTo(x, y); // also of a single point, which becomes a dot
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

/** The strokes as a PNG, black on white. Small, so that it is made and sent within a few milliseconds. */
function exportStrokes(strokes) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = PAPER;
  const context = canvas.getContext("2d", { willReadFrequently: true }); // in memory: nothing waits for the GPU
  context.fillStyle = "#fff";
  context.fillRect(0, 0, PAPER, PAPER);
  drawStrokes(context, strokes);
  // Not toBlob: it waits until the browser has nothing else to do, 15 milliseconds where this takes 2.
  const bytes = atob(canvas.toDataURL("image/png").split(",")[1]);
  return new Blob([Uint8Array.from(bytes, (byte) => byte.charCodeAt(0))], { type: "image/png" });
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

const CAMERA_MILLISECONDS = 330;

/** The next look at the camera, and the newest frame that was shown. */
let cameraTimer = 0;
let frameShown = 0;

/** Show the camera's newest frame and what was read of it; again and again, while somebody looks. */
async function watchCamera(signal) {
  clearTimeout(cameraTimer);
  if (document.hidden) return;
  try {
    const { sequence, answer, trouble } = await (await request("frame", { signal })).json();
    if (sequence !== frameShown && sequence > 0) {
      const frame = await createImageBitmap(await (await request(`frame.jpg?sequence=${sequence}`, { signal })).blob());
      const line = await frameAnswer(frame, answer, signal);
      if (signal.aborted) return;
      frameShown = sequence;
      drawPaper(frame);
      if (line) showAnswer(line, page.model);
    } else if (trouble || sequence === 0) {
      showNothing(trouble ? `The camera gives no picture: ${trouble}` : "The camera has sent no picture yet.");
    }
    backAgain();
  } catch (error) {
    if (signal.aborted) return;
    await handle(error);
    if (["away", "busy", "token"].includes(error.kind)) return; // these look at the camera again when they are over
  }
  if (!signal.aborted) cameraTimer = setTimeout(watchCamera, CAMERA_MILLISECONDS, signal);
}

/** The server reads frames with its own number and first network; with others it is asked. */
async function frameAnswer(frame, answer, signal) {
  if (!answer) return null;
  if (!page.numberChosen) showNumber(answer.number);
  if (answer.number === page.number && page.model === page.models[0]) return answer;
  return ask(await shrink(frame), page.number, page.model, signal);
}

function chooseSource(source) {
  page.camera = source === "camera";
  document.querySelector(`[name=source][value=${source}]`).checked = true;
  drawPaper();
  showTools();
  readAgain();
}

// Asking ----------------------------------------------------------------------------------------------------------

/** A server that has not answered by then is taken to be gone. */
const PATIENCE_MILLISECONDS = 15_000;

/** The token that the server asks for; a browser that keeps nothing for pages asks again in the next tab. */
let token = null;

function keepToken(value) {
  token = value;
  try {
    if (value === null) sessionStorage.removeItem("token");
    else sessionStorage.setItem("token", value);
  } catch {
    // The browser keeps nothing: this page still knows it.
  }
}

function recallToken() {
  try {
    token = sessionStorage.getItem("token");
  } catch {
    token = null;
  }
}

/** What is served: {version, token, frames, models}. */
async function describe() {
  return (await request("about")).json();
}

/** Ask what a picture shows; the line of `mnistsum-run --json` with details. Throws what `request` throws. */
async function ask(picture, number, model, signal) {
  const query = new URLSearchParams({ number, model: model.name, detail: 1 });
  const headers = { "Content-Type": picture.type || "application/octet-stream" };
  return (await request(`read?${query}`, { method: "POST", body: picture, headers, signal })).json();
}

/**
 * Send a request with the token. A picture without an answer (422) is an answer too.
 *
 * What it throws has a `kind`: "aborted"; "away" for no answer at all; "busy"; "token"; or the server's own.
 */
async function request(path, { signal, headers, ...options } = {}) {
  const patience = new AbortController();
  const abort = () => patience.abort();
  const timer = setTimeout(abort, PATIENCE_MILLISECONDS);
  signal?.addEventListener("abort", abort);
  const authorization = token ? { Authorization: `Bearer ${token}` } : {};
  let response;
  try {
    response = await fetch(path, { ...options, headers: { ...headers, ...authorization }, signal: patience.signal });
  } catch (error) {
    throw failure(signal?.aborted ? "aborted" : "away", error.message);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
  }
  if (response.ok || response.status === 422) return response;
  const { kind, message } = (await response.json().catch(() => ({}))).error ?? {};
  if (response.status === 401) throw failure("token", message);
  if ([429, 502, 503, 504].includes(response.status)) {
    throw failure("busy", message, Number(response.headers.get("Retry-After")) || 1);
  }
  throw failure(kind ?? "refused", message ?? `status ${response.status}`);
}

function failure(kind, message, seconds = 0) {
  return Object.assign(new Error(message), { kind, seconds });
}

// Showing ---------------------------------------------------------------------------------------------------------

const SIGNS = { x: "×", "*": "×" };
const SPOKEN_SIGNS = { "+": "plus", "×": "times" };

/** What helps, by how a reason for doubt, or the kind of a picture without an answer, begins. */
const ADVICE = {
  "more than one thing": "Show one digit alone.",
  "the ink runs over": "Leave some paper around it.",
  "looks like no digit": "Draw it larger, or in another way.",
  "could be": "Draw what tells them apart more clearly.",
  "the two outputs": "Draw it again, more clearly.",
  "the second output": "Draw it again, more clearly.",
  no_digit: "Is the ink dark enough, and is it all in the picture?",
};

function adviceFor(text) {
  const start = Object.keys(ADVICE).find((each) => text.startsWith(each));
  return start ? ` ${ADVICE[start]}` : "";
}

/** Change a text only if it is another: a live region is read out at each change. */
function setText(id, text) {
  const target = element(id);
  if (target.textContent !== text) target.textContent = text;
}

function signOf(model) {
  return SIGNS[model.symbol] ?? model.symbol;
}

function percent(probability) {
  const text = probability >= 0.9995 ? "over 99.9 %" : `${(100 * probability).toFixed(1)} %`;
  return text.replaceAll(" ", "\u00a0"); // never broken between lines
}

function showEquation(digit, number, relation, value) {
  setText("digit", `${digit ?? ""}`);
  setText("number", `${number}`);
  setText("equals", relation);
  setText("value", `${value ?? ""}`);
  if (page.model) setText("symbol", signOf(page.model));
}

/** Say how it stands. `state`: "blank", "sure", "unsure", or "none" for a picture without an answer. */
function showWords(state, verdict, why, spoken = "") {
  clearTimeout(slow);
  delete element("answer").dataset.slow;
  element("answer").dataset.state = state;
  setText("spoken", spoken);
  setText("verdict", verdict);
  setText("why", why);
}

function showNothing(why = "Draw one digit with mouse, finger or pen, or open a photo.") {
  showEquation(null, page.number, "=", null);
  showWords("blank", "Nothing there yet", why);
  showDetails(null, page.model);
}

function showNoAnswer(why) {
  showEquation(null, page.number, "=", null);
  showWords("none", "No answer", why);
  showDetails(null, page.model);
}

/** Show the server's line for a picture. */
function showAnswer(line, model) {
  const { digit, number, reason, consistent, error } = line;
  if (error) {
    const message = error.message.replace(/^the picture: /, "");
    return showNoAnswer(`${sentence(message)}${adviceFor(error.kind)}`);
  }
  const { operation } = model;
  const value = line[operation];
  showEquation(digit, number, consistent ? "=" : "≠", value);
  const sign = SPOKEN_SIGNS[signOf(model)] ?? signOf(model);
  const spoken = consistent ? `${digit} ${sign} ${number} is ${value}.` : `Digit ${digit}, ${operation} ${value}.`;
  const digitShare = percent(line.digit_confidence);
  const valueShare = percent(line[`${operation}_confidence`]);
  if (line.reliable) {
    showWords("sure", "Sure", `Digit ${digitShare}, ${operation} ${valueShare}.`, spoken);
  } else {
    const shares = `Digit ${digitShare}, ${operation} ${valueShare}.`;
    showWords("unsure", "Unsure", `${sentence(reason)}${adviceFor(reason)} ${shares}`, spoken);
  }
  showDetails(line, model);
}

function sentence(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.?!)]$/.test(text) ? "" : "."}`;
}

/** Both outputs' bars and the field; of no line, empty ones. */
function showDetails(line, model) {
  const name = model?.operation ?? "sum";
  setText("value-caption", sentence(name).slice(0, -1));
  showBars("digit-bars", "Digit", [...Array(10).keys()], line?.digit_probabilities);
  showBars("value-bars", sentence(name).slice(0, -1), line?.classes ?? classesOf(name), line?.value_probabilities);
  showField(line?.field);
}

/** What the second output can say, before it has said anything. */
function classesOf(operation) {
  const values = [...Array(100).keys()].map((i) => (operation === "product" ? (i % 10) * Math.floor(i / 10) : i % 19));
  return [...new Set(values)].sort((a, b) => a - b);
}

function showBars(id, name, classes, probabilities = []) {
  const bars = element(id);
  if (bars.childElementCount !== classes.length) {
    bars.style.setProperty("--columns", Math.min(classes.length, 19)); // 37 products stand in two rows
    bars.replaceChildren(...classes.map(() => Object.assign(document.createElement("div"), { className: "bar" })));
  }
  const best = Math.max(...probabilities);
  classes.forEach((value, i) => {
    const bar = bars.children[i];
    const share = probabilities[i] ?? 0;
    if (bar.textContent !== `${value}`) bar.textContent = value;
    bar.style.setProperty("--share", share);
    bar.classList.toggle("best", share > 0 && share === best);
    bar.title = probabilities.length ? `${value}: ${(100 * share).toFixed(2)} %` : "";
  });
  const order = [...probabilities.keys()].sort((a, b) => probabilities[b] - probabilities[a]).slice(0, 3);
  const said = order.filter((i) => probabilities[i] >= 0.001).map((i) => `${classes[i]} ${percent(probabilities[i])}`);
  bars.setAttribute("aria-label", `${name}: ${said.join(", ") || "nothing yet"}`);
}

function showField(values) {
  const canvas = element("field");
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(28, 28);
  (values ?? Array(784).fill(0)).forEach((value, i) => pixels.data.set([value, value, value, 255], 4 * i));
  context.putImageData(pixels, 0, 0);
  const label = values ? "The digit as the network saw it, light on black" : "The network has seen nothing yet";
  canvas.setAttribute("aria-label", label);
}

/** An answer that takes long leaves the old one standing, but pale. */
let slow = 0;
function showWaiting() {
  clearTimeout(slow);
  slow = setTimeout(() => {
    element("answer").dataset.slow = "";
    setText("verdict", "Reading");
    setText("why", "…");
    setText("spoken", "");
  }, 400);
}

function showTools() {
  const { picture, earlier, camera } = page;
  element("undo").disabled = camera || earlier.length === 0;
  element("clear").disabled = camera || isBlank(picture);
  const name = element("photo-name");
  name.hidden = camera || picture.photo === null;
  const unseen = picture.photo?.image === null ? " (this browser cannot show it)" : "";
  name.textContent = `${picture.photo?.name ?? ""}${unseen}`;
  const { length } = picture.strokes;
  let what = length ? `${length} ${length === 1 ? "stroke" : "strokes"}` : "empty";
  if (picture.photo) what = `picture ${picture.photo.name}`;
  element("canvas").setAttribute("aria-label", camera ? "Live camera" : `Paper to draw one digit on; ${what}`);
}

function showNotice(text, button = false) {
  setText("notice-text", text);
  element("notice-button").hidden = !button;
  element("notice").hidden = text === "";
}

function radio(name, value, text, checked, choose) {
  const label = document.createElement("label");
  const input = Object.assign(document.createElement("input"), { type: "radio", name, value, checked });
  const span = Object.assign(document.createElement("span"), { textContent: text });
  input.addEventListener("change", choose);
  label.append(input, span);
  return label;
}

/** Show what is served: names to choose from, if there are several, and the camera, if there is one. */
function showAbout({ version, frames, token, models }) {
  const several = models.length > 1;
  element("models-choice").hidden = !several;
  const textOf = ({ name, symbol, precision }) => `${SIGNS[symbol] ?? symbol}  ${name}${precision ? ` (${precision})` : ""}`;
  element("models").replaceChildren(
    ...models.map((model) => radio("model", model.name, textOf(model), model === page.model, () => chooseModel(model))),
  );
  element("sources").hidden = !frames;
  element("docs").hidden = token; // a link carries no token
  showModel();
  setText("about", `mnistsum ${version}, ${models.map(({ name, sha256 }) => `${name} ${sha256.slice(0, 12)}`).join(", ")}.`);
}

function showModel() {
  setText("number-legend", signOf(page.model) === "×" ? "Number to multiply with" : "Number to add");
  setText("symbol", signOf(page.model));
}

// What ties them together -----------------------------------------------------------------------------------------

/** The request under way. The newest wins: it ends the one before, so that no two are ever sent at once. */
let asking = new AbortController();

/** When the hand did what is answered next, for the measure "answer". */
let acted = 0;

/** Ask about what stands there, with the number and the network that are chosen. */
async function readAgain() {
  asking.abort();
  const { signal } = (asking = new AbortController());
  const { picture, number, model, camera } = page;
  if (!camera && isBlank(picture)) return showNothing();
  if (!model) return; // not connected yet: `connect` asks
  if (page.tokenNeeded && token === null) return showNoAnswer("The server wants its token first.");
  if (camera) {
    frameShown = 0;
    return watchCamera(signal);
  }
  clearTimeout(retry);
  showWaiting();
  try {
    const content = picture.photo?.content ?? exportStrokes(picture.strokes);
    const line = await ask(content, number, model, signal);
    if (signal.aborted) return;
    showAnswer(line, model);
    performance.clearMeasures("answer");
    performance.measure("answer", { start: acted, end: performance.now() });
    backAgain();
  } catch (error) {
    if (!signal.aborted) await handle(error);
  }
}

/** When to try again: the wait doubles while the server is away. */
let retry = 0;
let wait = 0;
const FIRST_WAIT = 500;
const LONGEST_WAIT = 8000;

function backAgain() {
  wait = 0;
  showNotice("");
}

/** Say what went wrong, and try again where that can help. */
async function handle(error) {
  clearTimeout(slow);
  if (error.kind === "away") {
    showAway("The server does not answer. Trying again until it does; what you drew stays.");
  } else if (error.kind === "busy") {
    showAway("The server has too much to do. Trying again.", 1000 * error.seconds);
  } else if (error.kind === "token") {
    const given = token !== null;
    keepToken(null);
    page.tokenNeeded = true;
    showNoAnswer("The server wants its token first.");
    askForToken(given ? "The server does not take this token." : "");
  } else if (error.kind === "no_model") {
    await connect(); // another server has taken its place
  } else {
    showNoAnswer(sentence(error.message));
  }
}

function showAway(text, least = 0) {
  showNotice(text);
  showNoAnswer("It comes as soon as the server is there.");
  wait = Math.min(Math.max(FIRST_WAIT, 2 * wait), LONGEST_WAIT);
  clearTimeout(retry);
  retry = setTimeout(connect, Math.max(wait, least));
}

/** Learn what is served, at the start and whenever the server comes back; then ask about what stands there. */
async function connect() {
  clearTimeout(retry);
  let about;
  try {
    about = await describe();
  } catch (error) {
    return handle(error);
  }
  const first = page.model === null;
  page.models = about.models;
  page.model = about.models.find(({ name }) => name === page.model?.name) ?? about.models[0];
  page.tokenNeeded = about.token;
  showAbout(about);
  if (first ? about.frames : page.camera) chooseSource(about.frames ? "camera" : "paper");
  else readAgain();
  if (about.token && token === null) askForToken();
  else if (!page.camera && isBlank(page.picture)) backAgain(); // with a picture, its answer says so
}

/** Somebody looks again, or the network is there again: no reason to wait out the wait. */
function lookAgain() {
  if (document.hidden) return;
  if (wait > 0) connect();
  else if (page.camera) readAgain();
}

function chooseNumber(number) {
  page.numberChosen = true;
  showNumber(number);
  readAgain();
}

function showNumber(number) {
  page.number = number;
  document.querySelector(`[name=number][value="${number}"]`).checked = true;
}

function chooseModel(model) {
  page.model = model;
  showModel();
  readAgain();
}

function askForToken(error = "") {
  showNotice("This server answers those who have its token.", true);
  setText("token-error", error);
  const dialog = element("token-dialog");
  if (!dialog.open) dialog.showModal();
  element("token").select();
}

/** Try a token before it is kept: a wrong one is told at once, not at the first digit. */
async function useToken(event) {
  event.preventDefault();
  keepToken(element("token").value.trim());
  try {
    await request("v2");
  } catch (error) {
    if (error.kind !== "token") element("token-dialog").close();
    return handle(error);
  }
  element("token").value = "";
  element("token-dialog").close();
  return connect();
}

function pressKey(event) {
  const { key, ctrlKey, metaKey, altKey, target } = event;
  if (element("token-dialog").open || altKey || target.matches("input[type=password]")) return;
  if (ctrlKey || metaKey) {
    if (key.toLowerCase() !== "z" || event.shiftKey) return;
    undo();
  } else if (/^[0-9]$/.test(key)) {
    chooseNumber(Number(key));
  } else if (key === "Escape") {
    clear();
  } else if (key === "u" || key === "U") {
    undo();
  } else {
    return;
  }
  event.preventDefault();
}

/** The moment of what the hand does, before anything is done with it. */
function remember(event) {
  acted = event.timeStamp;
}

function start() {
  const numbers = [...Array(10).keys()];
  element("numbers").append(
    ...numbers.map((number) => radio("number", number, number, number === page.number, () => chooseNumber(number))),
  );
  for (const type of ["pointerup", "click", "change", "keydown", "drop", "paste"]) {
    addEventListener(type, remember, { capture: true });
  }
  const canvas = element("canvas");
  canvas.addEventListener("pointerdown", beginStroke);
  canvas.addEventListener("pointermove", continueStroke);
  canvas.addEventListener("pointerup", endStroke);
  canvas.addEventListener("pointercancel", endStroke);
  canvas.addEventListener("contextmenu", (event) => event.preventDefault()); // a finger that rests is a dot
  new ResizeObserver(() => drawPaper()).observe(canvas);
  element("undo").addEventListener("click", undo);
  element("clear").addEventListener("click", clear);
  element("file").addEventListener("change", openChosen);
  element("capture").addEventListener("change", openChosen);
  for (const input of document.querySelectorAll("[name=source]")) {
    input.addEventListener("change", () => chooseSource(input.value));
  }
  addEventListener("dragover", dragOver);
  addEventListener("dragleave", (event) => event.relatedTarget === null && dragEnd());
  addEventListener("drop", drop);
  addEventListener("paste", paste);
  addEventListener("keydown", pressKey);
  addEventListener("online", lookAgain);
  document.addEventListener("visibilitychange", lookAgain);
  element("notice-button").addEventListener("click", () => askForToken());
  element("token-form").addEventListener("submit", useToken);
  element("token-cancel").addEventListener("click", () => element("token-dialog").close());
  recallToken();
  showTools();
  showNothing();
  connect();
}

document.addEventListener("DOMContentLoaded", start);
