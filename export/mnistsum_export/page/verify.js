// Does the network give here what was recorded where it was made? The table of `mnistsum-verify`, as far as inference goes.
//
// The same in Python: mnistsum_runtime/proof/verification.py and comparison.py.
"use strict";

/** Sizes in which the references go through the network, in turn: no answer may depend on them. */
const BATCHES = [1, 2, 7, 64];

/** Ask every reference and compare: one row for each output. */
async function verifyInference(session, references) {
  const found = await answerAll(session, references);
  const { header, labelled, outputs } = references;
  return Object.entries(outputs).map(([name, expected]) =>
    compareOutput(name, header.outputs[name], found[name], expected, labelled),
  );
}

/** By output, the answers to all references one after the other. */
async function answerAll(session, { inputs, outputs, labelled }) {
  const found = Object.fromEntries(Object.entries(outputs).map(([name, { data }]) => [name, new Float32Array(data.length)]));
  let start = 0;
  for (let turn = 0; start < labelled.length; turn++) {
    const rows = Math.min(BATCHES[turn % BATCHES.length], labelled.length - start);
    const feeds = Object.entries(inputs).map(([name, { shape, data }]) => {
      const length = data.length / shape[0];
      const part = data.slice(start * length, (start + rows) * length);
      return [name, new ort.Tensor("float32", part, [rows, ...shape.slice(1)])];
    });
    const answers = await session.run(Object.fromEntries(feeds));
    for (const [name, { shape }] of Object.entries(outputs)) found[name].set(answers[name].data, start * shape[1]);
    start += rows;
  }
  return found;
}

/** How far one output is from what was expected, and whether that passes. */
function compareOutput(name, { tolerance }, found, { shape: [rows, classes], data: expected }, labelled) {
  let largest = 0;
  let [compared, equal, tied] = [0, 0, 0];
  for (let row = 0; row < rows; row++) {
    const [own, other] = [found, expected].map((logits) => logits.subarray(row * classes, (row + 1) * classes));
    own.forEach((logit, i) => (largest = Math.max(largest, Math.abs(logit - other[i])))); // NaN stays NaN
    if (!labelled[row]) continue;
    compared += 1;
    const [best, second] = [...other].sort((a, b) => b - a);
    if (bestOf(own) === bestOf(other)) equal += 1;
    else if (best - second <= 2 * tolerance) tied += 1;
  }
  const passed = largest <= tolerance && equal + tied === compared;
  return { name, largest, tolerance, compared, equal, passed };
}

async function sha256Of(bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Run the verification and show it. */
async function verify(model, session) {
  const begun = performance.now();
  const references = await readReferences(await unpack("references"));
  const { header } = references;
  const isBound = (await sha256Of(model)) === header.model_sha256;
  const rows = await verifyInference(session, references);
  performance.measure("verify", { start: begun, end: performance.now() });
  const passed = rows.every((row) => row.passed);
  const lines = [
    `here: onnxruntime-web ${ort.env.versions.web}, ${navigator.userAgent}`,
    `references: ${Object.entries(header.made_with).map(([name, version]) => `${name} ${version}`).join(", ")}`,
  ];
  if (!isBound) lines.unshift("The references belong to another model.");
  const which = header.precision === "int8" ? ", labels of the rows that count" : "";
  showVerification({
    lines,
    caption: `inference ${passed ? "passed" : "FAILED"}: ${references.labelled.length} references${which}`,
    rows,
    verdict: passed && isBound ? "verified" : "NOT VERIFIED",
  });
}

/** A number with one figure after the point, as Python writes it: 1.2e-06. */
function scientific(value) {
  return value.toExponential(1).replace(/e([+-])(\d)$/, "e$10$2");
}

function showVerification({ lines, caption, rows, verdict }) {
  const make = (tag, text) => Object.assign(document.createElement(tag), { textContent: text });
  const rowOf = (tag, texts) => {
    const row = document.createElement("tr");
    row.append(...texts.map((text) => make(tag, text)));
    return row;
  };
  const table = document.createElement("table");
  table.append(
    make("caption", caption),
    rowOf("th", ["output", "largest difference", "tolerance", "labels equal", ""]),
    ...rows.map(({ name, largest, tolerance, equal, compared, passed }) =>
      rowOf("td", [name, scientific(largest), `${tolerance}`, `${equal} of ${compared}`, passed ? "ok" : "DIFFERS"]),
    ),
  );
  const told = make("strong", verdict);
  told.className = "verdict";
  element("verification").dataset.verified = verdict === "verified";
  element("verification").replaceChildren(told, table, ...lines.map((line) => make("p", line)));
}
