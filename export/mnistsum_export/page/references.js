// The references that the export wrote beside the model: a .npz, that is a ZIP of NumPy arrays, one of them JSON.
//
// mnistsum_runtime/proof/references.py says what is in it.
"use strict";

const ARRAYS = { "<f4": Float32Array, "|b1": Uint8Array, "|u1": Uint8Array };

/** What is recorded: {header, labelled, inputs, outputs}; the last two by name, each {shape, data}. */
async function readReferences(bytes) {
  const members = membersOf(bytes);
  const arrayOf = async (name) => parseArray(await contentOf(bytes, members[`${name}.npy`]));
  const header = JSON.parse(new TextDecoder().decode((await arrayOf("header")).data));
  const group = async (prefix, names) => {
    const arrays = await Promise.all(names.map((_, i) => arrayOf(`${prefix}${i}`)));
    return Object.fromEntries(names.map((name, i) => [name, arrays[i]]));
  };
  return {
    header,
    labelled: (await arrayOf("labelled")).data,
    inputs: await group("input_", header.inputs),
    outputs: await group("output_", Object.keys(header.outputs)),
  };
}

/** The members of a ZIP, by name: where each begins, how long it is, and whether it is deflated. */
function membersOf(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = bytes.length - 22; // the last record of a ZIP without a comment
  if (view.getUint32(end, true) !== 0x06054b50) throw new Error("the references are damaged");
  const members = {};
  let at = view.getUint32(end + 16, true);
  for (let left = view.getUint16(end + 10, true); left > 0; left--) {
    const nameLength = view.getUint16(at + 28, true);
    const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameLength));
    const local = view.getUint32(at + 42, true);
    members[name] = {
      deflated: view.getUint16(at + 10, true) === 8,
      start: local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true),
      length: view.getUint32(at + 20, true),
    };
    at += 46 + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  return members;
}

async function contentOf(bytes, { deflated, start, length }) {
  const content = bytes.slice(start, start + length);
  return deflated ? inflate(content, "deflate-raw") : content;
}

/** An array from the bytes of a .npy. */
function parseArray(bytes) {
  const start = 10 + new DataView(bytes.buffer).getUint16(8, true);
  const told = new TextDecoder().decode(bytes.subarray(10, start));
  const shape = /'shape': \(([^)]*)\)/.exec(told)[1].split(",").filter((side) => side.trim()).map(Number);
  const Kind = ARRAYS[/'descr': '([^']*)'/.exec(told)[1]];
  return { shape, data: new Kind(bytes.slice(start).buffer) };
}
