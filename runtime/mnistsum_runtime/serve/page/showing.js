// Showing: the answer, how sure it is, what the network saw, and what can be done next.
"use strict";

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

/** What an empty paper invites to; as it stands in the page. */
const INVITATION = element("why").textContent;

function showNothing(why = INVITATION) {
  showEquation(null, page.number, "=", null);
  showWords("blank", "Nothing there yet", why);
  showDetails(null, page.model);
}

function showNoAnswer(why) {
  showEquation(null, page.number, "=", null);
  showWords("none", "No answer", why);
  showDetails(null, page.model);
}

/** Show the line for a picture: that of `mnistsum-run --json`, with details. */
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

function showNotice(text) {
  setText("notice-text", text);
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

/** Show which networks answer: names to choose from, if there are several. */
function showAbout({ version, models }) {
  const several = models.length > 1;
  element("models-choice").hidden = !several;
  const textOf = ({ name, symbol, precision }) => `${SIGNS[symbol] ?? symbol}  ${name}${precision ? ` (${precision})` : ""}`;
  element("models").replaceChildren(
    ...models.map((model) => radio("model", model.name, textOf(model), model === page.model, () => chooseModel(model))),
  );
  showModel();
  setText("about", `mnistsum ${version}, ${models.map(({ name, sha256 }) => `${name} ${sha256.slice(0, 12)}`).join(", ")}.`);
}

function showModel() {
  setText("number-legend", signOf(page.model) === "×" ? "Number to multiply with" : "Number to add");
  setText("symbol", signOf(page.model));
}
