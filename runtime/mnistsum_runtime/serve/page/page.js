// The page: draw a digit, ask, show what was read. What ties the parts together.
//
// `paper.js` is what is drawn on, `showing.js` what is shown. Who answers is in the script before this one, here
// `server.js`, and elsewhere one that answers by itself. It declares
//
// - `begin()`: called once, before anything is asked;
// - `connect()`: finds out which networks answer, and sets `page.models` and `page.model`;
// - `ask(picture, number, model, signal)`: the line of `mnistsum-run --json` for what stands on the paper, with details;
// - `handle(error)`: says what `ask` has thrown.
"use strict";

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
  if (camera) return lookAtCamera(signal);
  showWaiting();
  try {
    const line = await ask(picture, number, model, signal);
    if (signal.aborted) return;
    showAnswer(line, model);
    performance.clearMeasures("answer");
    performance.measure("answer", { start: acted, end: performance.now() });
  } catch (error) {
    if (!signal.aborted) await handle(error);
  }
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

function pressKey(event) {
  const { key, ctrlKey, metaKey, altKey, target } = event;
  if (document.querySelector("dialog[open]") || altKey || target.matches("input[type=password]")) return;
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
  for (const input of document.querySelectorAll("input[type=file]")) input.addEventListener("change", openChosen);
  addEventListener("dragover", dragOver);
  addEventListener("dragleave", (event) => event.relatedTarget === null && dragEnd());
  addEventListener("drop", drop);
  addEventListener("paste", paste);
  addEventListener("keydown", pressKey);
  begin();
  showTools();
  showNothing();
  connect();
}

start();
