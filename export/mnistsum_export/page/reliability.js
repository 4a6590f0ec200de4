// From logits to the line of `mnistsum-run --json`: calibrated confidence, and when an answer is not to be relied on.
//
// The same in Python, with the reasons: mnistsum_runtime/inference.py and reliability.py.
"use strict";

const TWO_CANDIDATES = 0.6;
const FUNCTIONS = { sum: (digit, number) => digit + number, product: (digit, number) => digit * number };

/** Which is the largest. */
function bestOf(values) {
  return values.indexOf(Math.max(...values));
}

function softmax(logits, temperature) {
  const most = Math.max(...logits);
  const shares = Array.from(logits, (logit) => Math.exp((logit - most) / temperature));
  const sum = shares.reduce((found, share) => found + share, 0);
  return shares.map((share) => share / sum);
}

/**
 * The answer to one drawing.
 *
 * `model` has the operation, its classes and the calibration; `prepared` is what `prepareDrawing` gave, `logits` what the
 * network did.
 */
function lineOf(model, prepared, number, logits) {
  const { operation, symbol, classes, calibration } = model;
  const digits = softmax(logits.digit, calibration.digit_temperature);
  const values = softmax(logits[operation], calibration.value_temperature);
  const digit = bestOf(digits);
  const value = classes[bestOf(values)];
  const expected = FUNCTIONS[operation](digit, number);
  const disagreement = value === expected ? null : `the two outputs disagree, ${digit} ${symbol} ${number} = ${expected}`;
  const doubt = reasonForDoubt(digits, Math.max(...values), disagreement, calibration.least_confidence);
  const reason = doubt ?? prepared.doubt;
  return {
    number,
    digit,
    [operation]: value,
    digit_confidence: Math.max(...digits),
    [`${operation}_confidence`]: Math.max(...values),
    consistent: value === expected,
    reliable: reason === null,
    reason,
    error: null,
    digit_probabilities: digits,
    value_probabilities: values,
    classes,
    field: Array.from(prepared.field, (ink) => Math.round(255 * clamp(ink, 0, 1))),
  };
}

/** Why an answer is not to be relied on; null where it is. `least` is null for a model without a calibration. */
function reasonForDoubt(digits, valueConfidence, disagreement, least) {
  if (least === null) return disagreement ?? "the model is not calibrated";
  const isSure = Math.max(...digits) >= least;
  if (isSure && valueConfidence >= least) return disagreement;
  if (isSure && disagreement === null) return "the second output is not sure";
  const [first, second] = [...digits.keys()].sort((a, b) => digits[b] - digits[a]);
  if (digits[first] + digits[second] < TWO_CANDIDATES) return "looks like no digit";
  return disagreement ?? `could be ${first} or ${second}`;
}

/** The line of a picture that gives no answer. */
function lineWithout(kind, message) {
  return { error: { kind, message } };
}
