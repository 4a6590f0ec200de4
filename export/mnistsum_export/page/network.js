// The network: its bytes are in the page, and so is onnxruntime, which runs them here.
"use strict";

/** The bytes that the page carries under a name. */
async function unpack(name) {
  const text = atob(element(name).textContent);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return inflate(bytes, "gzip");
}

async function inflate(bytes, format) {
  const inflated = new Blob([bytes]).stream().pipeThrough(new DecompressionStream(format));
  return new Uint8Array(await new Response(inflated).arrayBuffer());
}

/** onnxruntime's session of the model: one thread, no worker, and nothing to fetch. */
async function openSession(model) {
  const glue = new Blob([await unpack("onnxruntime-glue")], { type: "text/javascript" });
  ort.env.logLevel = "error"; // of warnings, browsers get one about the processor that they do not name
  Object.assign(ort.env.wasm, {
    numThreads: 1,
    proxy: false,
    wasmBinary: await unpack("onnxruntime-wasm"),
    wasmPaths: { mjs: URL.createObjectURL(glue) },
  });
  const session = await ort.InferenceSession.create(model, { executionProviders: ["wasm"] });
  for (const name of ["onnxruntime-glue", "onnxruntime-wasm"]) element(name).remove(); // megabytes of text
  return session;
}

/** The logits of one picture and one number: by output, a Float32Array. */
async function logitsOf(session, field, number) {
  const oneHot = new Float32Array(10);
  oneHot[number] = 1;
  const found = await session.run({
    image: new ort.Tensor("float32", field, [1, 1, FIELD, FIELD]),
    number: new ort.Tensor("float32", oneHot, [1, 10]),
  });
  return Object.fromEntries(Object.entries(found).map(([name, tensor]) => [name, tensor.data]));
}
