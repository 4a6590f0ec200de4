// Who answers here: this page itself. Nothing is asked of anybody else.
"use strict";

/** What the page says of its model; the model's bytes, and its session once it is open. */
const facts = JSON.parse(element("facts").textContent);
let model = null;
let session = null;

function begin() {
  element("verify").addEventListener("click", showProof);
}

/** Open the network; then it answers what stands on the paper by then. */
async function connect() {
  try {
    model = await unpack("model");
    session = await openSession(model);
    await logitsOf(session, new Float32Array(FIELD * FIELD), 0); // the first answer takes ten times as long
  } catch (error) {
    return showNotice(`This browser cannot run the network (${error.message}). It needs one of 2023 or later.`);
  }
  page.models = facts.models;
  [page.model] = facts.models;
  showAbout(facts);
  element("verify").disabled = false;
  performance.measure("ready", { start: 0 });
  return readAgain();
}

/** What stands on the paper, read. */
async function ask({ strokes, photo }, number, asked) {
  if (photo) {
    return lineWithout("photo", "A photo needs the runtime: mnistsum-run reads it, or the page of mnistsum-serve. Draw here");
  }
  const levels = levelsOf(strokesOnWhite(strokes));
  if (!levels.data.some((level) => level < 128)) return lineWithout("no_digit", "There is nothing on the paper");
  const prepared = prepareDrawing(levels);
  return lineOf(asked, prepared, number, await logitsOf(session, prepared.field, number));
}

/** The levels of a canvas on which there is nothing but grey. */
function levelsOf(canvas) {
  const { width, height } = canvas;
  const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
  const levels = new Uint8Array(width * height);
  for (let i = 0; i < levels.length; i++) levels[i] = data[4 * i];
  return { height, width, data: levels };
}

function handle(error) {
  showNoAnswer(sentence(error.message));
}

/** The table of the verification; the button waits for it. */
async function showProof() {
  element("verify").disabled = true;
  try {
    await verify(model, session);
  } catch (error) {
    element("verification").textContent = `The verification did not come to its end: ${error.message}`;
  }
  element("verify").disabled = false;
}
