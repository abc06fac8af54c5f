// Builds dist/: a folder for any static host. `npm ci && npx vite build`, or `make web`.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import { sharedPage } from "./shared_page.js";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const RUNTIME = "node_modules/@litertjs/core/wasm/litert_wasm_compat_internal";
const RECOGNITION = "../ferkit/recognition/face_detection_yunet_2023mar";
// Name in dist/ -> file. `python main.py export --format web` replaces the first two.
const COPIED = {
  "model.tflite": "../deep_emotion/weights/deep_emotion-fer2013.tflite",
  "model.json": "model.json",
  "face_detection_yunet_2023mar.tflite": `${RECOGNITION}.tflite`,
  "face_detection_yunet_2023mar.LICENSE": `${RECOGNITION}.LICENSE`,
  "licenses.txt": "licenses.txt",
  "litert/litert_wasm_compat_internal.js": `${RUNTIME}.js`,
  "litert/litert_wasm_compat_internal.wasm": `${RUNTIME}.wasm`,
};

const page = {
  name: "page of serve",
  transformIndexHtml: { order: "pre", handler: sharedPage },
};

const copies = {
  name: "copied files and the service worker",
  generateBundle(_, bundle) {
    for (const [fileName, source] of Object.entries(COPIED)) {
      this.emitFile({ type: "asset", fileName, source: readFileSync(here(source)) });
    }
    const files = ["./", ...Object.keys(bundle).filter((name) => name !== "index.html"), ...Object.keys(COPIED)];
    const worker = readFileSync(here("src/service_worker.js"), "utf8");
    const source = worker.replace("FILES_OF_THE_BUILD", () => JSON.stringify([...new Set(files)].sort()));
    this.emitFile({ type: "asset", fileName: "service_worker.js", source });
  },
};

export default defineConfig({
  base: "./", // any folder of any host
  plugins: [page, copies],
  resolve: { alias: [{ find: "./answers.js", replacement: here("src/answers.js") }] },
  build: { assetsInlineLimit: 0, modulePreload: { polyfill: false }, target: "es2023" },
});
