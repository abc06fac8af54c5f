// Makes the page of ferkit/serving/page, which both pages share, the page that needs no server.

import { readFileSync } from "node:fs";

const SERVED = "../ferkit/serving/page";
const POLICY = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data: blob:; " +
  "connect-src 'self'; media-src 'self' blob:; worker-src 'self'; base-uri 'none'; form-action 'none'";
const EARLY = ["litert/litert_wasm_compat_internal.wasm", "face_detection_yunet_2023mar.tflite", "model.tflite"]; // the large files
const HEAD = [
  "<meta charset=\"utf-8\">",
  `<meta http-equiv="Content-Security-Policy" content="${POLICY}">`,
  ...EARLY.map((name) => `<link rel="preload" as="fetch" crossorigin href="./${name}">`),
];
const CHANGES = [
  [HEAD[0], HEAD.join("\n")],
  ["\"/icon.svg\"", `"${SERVED}/icon.svg"`],
  ["\"/theme.css\"", "\"../ferkit/reporting/templates/theme.css\""],
  ["\"/style.css\"", `"${SERVED}/style.css"`],
  ["\"/page.js\"", `"${SERVED}/page.js"`],
  [/ *<label class="switch">.*\n/, ""],
  [/(<p id="privacy" class="small">)[^]*?<\/p>/, "$1Photos and camera images stay on this device; nothing is sent. " +
    "<span id=\"offline\">The model runs in this browser.</span></p>"],
  [/The same results are available as JSON: [^]*?<\/a>\./, "A server with the same results as JSON is part of the same project: " +
    "<code>python main.py serve</code>."],
  [/<noscript>.*<\/noscript>/, "<noscript><p class=\"noscript\">This page needs JavaScript: the model runs in your browser.</p></noscript>"],
];

// The HTML. Raises an error if a part that must change is not there once.
export function sharedPage() {
  let page = readFileSync(new URL(`${SERVED}/index.html`, import.meta.url), "utf8");
  for (const [part, replacement] of CHANGES) {
    const count = page.split(part instanceof RegExp ? new RegExp(part.source.replace("(", "(?:"), "g") : part).length - 1;
    if (count !== 1) throw new Error(`${SERVED}/index.html: ${part} is there ${count} times, expected once`);
    page = page.replace(part, replacement);
  }
  return page;
}
