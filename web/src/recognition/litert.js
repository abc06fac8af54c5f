// LiteRT.js: runs a .tflite file in WebAssembly, in this page.

import { loadAndCompile, loadLiteRt, Tensor } from "@litertjs/core";
import { withShapes } from "./tflite_shapes.js";

// The variant for every browser: it needs neither threads, whose headers a static host may not send, nor relaxed SIMD.
const RUNTIME = "litert/litert_wasm_compat_internal.js";

export function startRuntime() {
  self.Module = { printErr: () => {} }; // it reports its start; errors are exceptions
  return loadLiteRt(new URL(RUNTIME, document.baseURI).href);
}

export class Model {
  #model;
  #shape;

  constructor(model, shape) {
    this.#model = model;
    this.#shape = shape;
  }

  // file: the bytes of the .tflite file; input, outputs: see withShapes.
  static async compiled(file, input, outputs) {
    const model = await loadAndCompile(withShapes(file, input, outputs), { accelerator: "wasm" });
    return new Model(model, [...model.getInputDetails()[0].shape]);
  }

  get shape() {
    return this.#shape;
  }

  // The outputs, each a Float32Array, of one input.
  async run(values) {
    const input = new Tensor(values, this.#shape), outputs = await this.#model.run(input);
    const arrays = outputs.map((output) => output.toTypedArray());
    for (const tensor of [input, ...outputs]) tensor.delete();
    return arrays;
  }

  close() {
    this.#model.delete();
  }
}
