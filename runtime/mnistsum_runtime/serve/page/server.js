// The server that answers: asking it, its camera, its token, and waiting for it while it is away.
"use strict";

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

const TOKEN_FIRST = "The server wants its token first.";

function tokenIsMissing() {
  return page.tokenNeeded && token === null;
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

/** Ask what stands on the paper; the line of `mnistsum-run --json` with details. Throws what `request` throws. */
async function ask({ photo, strokes }, number, model, signal) {
  if (tokenIsMissing()) throw failure("token_first", TOKEN_FIRST);
  clearTimeout(retry);
  const line = await send(photo?.content ?? exportStrokes(strokes), number, model, signal);
  if (!signal.aborted) backAgain();
  return line;
}

/** The strokes as a PNG. Small, so that it is made and sent within a few milliseconds. */
function exportStrokes(strokes) {
  // Not toBlob: it waits until the browser has nothing else to do, 15 milliseconds where this takes 2.
  const bytes = atob(strokesOnWhite(strokes).toDataURL("image/png").split(",")[1]);
  return new Blob([Uint8Array.from(bytes, (byte) => byte.charCodeAt(0))], { type: "image/png" });
}

async function send(picture, number, model, signal) {
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

// A camera --------------------------------------------------------------------------------------------------------

const CAMERA_MILLISECONDS = 330;

/** The next look at the camera, and the newest frame that was shown. */
let cameraTimer = 0;
let frameShown = 0;

function lookAtCamera(signal) {
  if (tokenIsMissing()) return showNoAnswer(TOKEN_FIRST);
  frameShown = 0;
  return watchCamera(signal);
}

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
  return send(await shrink(frame), page.number, page.model, signal);
}

function chooseSource(source) {
  page.camera = source === "camera";
  document.querySelector(`[name=source][value=${source}]`).checked = true;
  drawPaper();
  showTools();
  readAgain();
}

// Here and away ---------------------------------------------------------------------------------------------------

/** When to try again: the wait doubles while the server is away. */
let retry = 0;
let wait = 0;
const FIRST_WAIT = 500;
const LONGEST_WAIT = 8000;

function backAgain() {
  wait = 0;
  showNews("");
}

/** A notice, with the button that asks for the token or without. */
function showNews(text, button = false) {
  element("notice-button").hidden = !button;
  showNotice(text);
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
    showNoAnswer(TOKEN_FIRST);
    askForToken(given ? "The server does not take this token." : "");
  } else if (error.kind === "no_model") {
    await connect(); // another server has taken its place
  } else {
    showNoAnswer(sentence(error.message));
  }
}

function showAway(text, least = 0) {
  showNews(text);
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
  element("sources").hidden = !about.frames;
  element("docs").hidden = about.token; // a link carries no token
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

// The token's dialog ----------------------------------------------------------------------------------------------

function askForToken(error = "") {
  showNews("This server answers those who have its token.", true);
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

/** What the page has only because there is a server. */
function begin() {
  for (const input of document.querySelectorAll("[name=source]")) {
    input.addEventListener("change", () => chooseSource(input.value));
  }
  addEventListener("online", lookAgain);
  document.addEventListener("visibilitychange", lookAgain);
  element("notice-button").addEventListener("click", () => askForToken());
  element("token-form").addEventListener("submit", useToken);
  element("token-cancel").addEventListener("click", () => element("token-dialog").close());
  recallToken();
}
