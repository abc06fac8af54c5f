// Where this page's answers come from: the model, in this browser. It stands in for ferkit/serving/page/answers.js.

import { Recognizer } from "./recognition/recognizer.js";

const MOST_PIXELS = 16_000_000; // of a photo; larger ones are reduced, because phones refuse larger canvases
const NOT_LOADED = "The model could not be loaded. Reload the page; the first visit needs a connection.";
const OFFLINE_AFTER = 1500; // milliseconds: a photo that was chosen meanwhile comes first
export const FRAME_PAUSE = 4; // milliseconds between two frames of the camera

const about = fetch("model.json").then((response) => response.json());
const recognizer = Recognizer.loaded(about);
recognizer.then(() => setTimeout(keepForOffline, OFFLINE_AFTER), (error) => console.error(error));

export function knownModel() {
  return Promise.all([about, recognizer]).then(([known]) => known).catch(() => {
    throw new Error(NOT_LOADED);
  });
}

// The pixels of a file, upright, with colors as they are stored; null if the browser cannot read it.
export async function photoFromFile(file) {
  const picture = await createImageBitmap(file, { colorSpaceConversion: "none" }).catch(() => null);
  if (!picture) return null;
  const scale = Math.min(1, Math.sqrt(MOST_PIXELS / (picture.width * picture.height)));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.floor(picture.width * scale));
  canvas.height = Math.max(1, Math.floor(picture.height * scale));
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.fillStyle = "rgb(127 127 127)"; // behind transparent pixels, as in Python
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
  picture.close();
  return photoFromCanvas(canvas);
}

export async function photoFromCanvas(canvas) {
  const { width, height } = canvas, { data } = canvas.getContext("2d", { willReadFrequently: true }).getImageData(0, 0, width, height);
  return { width, height, rgba: data };
}

// { answer }, or { problem } for the user. whole: no face is looked for.
export async function answerTo(photo, { whole = false }) {
  if (!photo) return { problem: "Not possible: not a photo in a format that this browser can read. Save it as JPEG or PNG." };
  const model = await recognizer.catch(() => null);
  if (!model) return { problem: NOT_LOADED };
  try {
    return { answer: await model.predict(photo, whole) };
  } catch (error) {
    console.error(error);
    return { problem: `Not possible: the model failed on this photo (${error.message}).` };
  }
}

async function keepForOffline() {
  if (!navigator.serviceWorker) return; // only on https pages and localhost
  await navigator.serviceWorker.register("service_worker.js");
  await navigator.serviceWorker.ready;
  document.getElementById("offline").textContent = "The model runs in this browser, and this page also works offline.";
}
