// The page: photos come by button, drop, paste or camera, go to the server, and the answer is shown and said.

import { Camera } from "./camera.js";
import { clear, inWords, percent, show } from "./view.js";

const $ = (id) => document.getElementById(id);
const LONGEST_SHOWN = 1600, LEAST_SHOWN = 480, LONGEST_SENT = 2400; // pixels of the longer side
const SAY_EVERY = 3000; // milliseconds between announcements while the camera runs
let about = null, limits = { bytes: 10_000_000, pixels: 40_000_000 };
let photo = null, answered = null, question = 0, lastSaid = 0;

const camera = new Camera($("video"), $("canvas"), (frame) => ask(frame, { live: true }));

// ---- photos come -------------------------------------------------------------------------------------------------

$("file").addEventListener("change", (event) => {
  if (event.target.files.length) take(event.target.files[0]);
  event.target.value = "";
});
for (const kind of ["dragenter", "dragover"]) document.addEventListener(kind, (event) => {
  event.preventDefault();
  $("stage").classList.add("over");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) $("stage").classList.remove("over");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  $("stage").classList.remove("over");
  if (event.dataTransfer.files.length) take(event.dataTransfer.files[0]);
  else say("That was not a file. Save the picture first, then drop the file.", "bad");
});
document.addEventListener("paste", (event) => {
  const file = [...event.clipboardData.files].find((one) => one.type.startsWith("image/"));
  if (file) take(file);
  else say("There is no picture in the clipboard.", "bad");
});
$("camera").addEventListener("click", () => (camera.running ? stopCamera() : startCamera()));
$("why").addEventListener("change", () => {
  if (!camera.running && photo) ask(photo, { whole: answered?.whole });
});
$("whole").addEventListener("click", () => ask(photo, { whole: true }));

async function take(file) {
  if (camera.running) stopCamera();
  forget();
  say("Analyzing…", "busy");
  const picture = await createImageBitmap(file).catch(() => null);
  if (picture) draw(picture);
  photo = await small(file, picture);
  ask(photo);
}

function forget() {
  clear();
  photo = answered = null;
  $("offer").hidden = true;
  $("picture").hidden = true;
  $("stage").classList.add("empty");
}

// picture: an ImageBitmap, or just a width and height where the browser cannot show the format.
function draw(picture) {
  const canvas = $("canvas"), { width, height } = picture, longest = Math.max(width, height);
  const scale = Math.max(Math.min(1, LONGEST_SHOWN / longest), LEAST_SHOWN / longest);
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  if (picture instanceof ImageBitmap) canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
  present(canvas);
}

function present(medium) {
  $("stage").classList.remove("empty");
  $("picture").hidden = false;
  $("canvas").hidden = medium !== $("canvas");
  $("video").hidden = medium !== $("video");
}

// The file as it is, or a smaller copy where the server would refuse it.
async function small(file, picture) {
  if (!picture || (file.size <= limits.bytes && picture.width * picture.height <= limits.pixels)) return file;
  const scale = Math.min(1, LONGEST_SENT / Math.max(picture.width, picture.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(picture.width * scale);
  canvas.height = Math.round(picture.height * scale);
  canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.92));
}

// ---- the camera --------------------------------------------------------------------------------------------------

async function startCamera() {
  if (!navigator.mediaDevices) {
    say("Browsers allow the camera only on https pages and localhost. Choose a photo instead; a phone offers to take one.", "bad");
    return;
  }
  forget();
  say("Asking for the camera…", "busy");
  try {
    await camera.start();
    present($("video"));
    $("camera").textContent = "Stop the camera";
  } catch (error) {
    camera.stop();
    const why = { NotAllowedError: "The browser does not allow it.", NotFoundError: "None was found." }[error.name];
    say(`No camera. ${why ?? "Another program may be using it."}`, "bad");
  }
}

// The last frame stays, as a photo.
function stopCamera() {
  camera.stop();
  question += 1;
  $("camera").textContent = "Use the camera";
  present($("canvas"));
  $("canvas").toBlob((blob) => { photo = blob; }, "image/jpeg", 0.92);
  if (answered) say(summary(answered));
  else say("Camera stopped.");
}

// ---- the server is asked -----------------------------------------------------------------------------------------

// Whether the server had time for it. live: a frame of the camera; whole: no face is looked for.
async function ask(content, { live = false, whole = false } = {}) {
  const mine = (question += 1), why = $("why").checked;
  if (!live) say("Analyzing…", "busy");
  $("legend").hidden = !why;
  const address = `/v1/${why ? "explain" : "predict"}${whole ? "?detector=none" : ""}`;
  try {
    const type = content.type.startsWith("image/") ? content.type : "application/octet-stream";
    const response = await fetch(address, { method: "POST", body: content, headers: { "Content-Type": type } });
    const answer = await response.json();
    if (mine !== question || (live && !camera.running)) return true;
    if (response.ok) tell({ ...answer, whole }, live);
    else refused(response.status, answer.error, live);
    return ![429, 503].includes(response.status);
  } catch {
    if (mine === question) say("The server does not answer. Is it still running?", "bad");
    return false;
  }
}

function tell(answer, live) {
  answered = answer;
  if ($("picture").hidden) draw(answer);
  show(answer, $("canvas"), about);
  $("offer").hidden = live || answer.faces_found > 0;
  $("canvas").setAttribute("aria-label", `Your photo. ${summary(answer)}`);
  if (!live || performance.now() - lastSaid > SAY_EVERY) {
    say(summary(answer, live));
    lastSaid = performance.now();
  }
}

function refused(status, words, live) {
  if (live && [429, 503].includes(status)) say("The server is busy; the camera waits a moment.");
  else {
    clear();
    say(`Not possible: ${words.replace("the photo: ", "")}`, "bad");
  }
}

// changing: the percentages would be old before they are read.
function summary(answer, changing = false) {
  const count = answer.faces_found;
  if (!count) return "No face found.";
  const all = answer.faces.map((face) => inWords(face) + (changing ? "" : `, ${percent(face.confidence)}`));
  const left = answer.faces_left_out ? ` Only the ${answer.faces.length} clearest were looked at.` : "";
  if (count === 1) return `${answer.whole ? "The complete photo as one face" : "One face"}: ${all[0]}.`;
  return `${count} faces.${count <= 4 ? ` ${all.map((words, i) => `${i + 1}: ${words}`).join("; ")}.` : ""}${left}`;
}

function say(words, kind = "") {
  const status = $("status");
  status.className = `status ${kind}`;
  if (status.textContent !== words) status.textContent = words;
}

// ---- what is known of the model ----------------------------------------------------------------------------------

$("host").textContent = location.host;
fetch("/v1/models").then((response) => response.json()).then((known) => {
  limits = known.limits;
  about = known.models[0];
  const numbers = ["none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];
  $("count").textContent = numbers[about.class_names.length] ?? about.class_names.length;
  $("model").textContent = `${about.name}, a neural network of ${about.parameters.toLocaleString("en")} weights`;
  if (about.measured) $("measured").textContent = measured(about.measured);
}).catch(() => say("The server does not answer. Is it still running?", "bad"));

function measured({ images, accuracy, accuracy_without_copies: clean, recall }) {
  const sorted = Object.entries(recall).sort((a, b) => b[1] - a[1]);
  const [best, worst] = [sorted[0], sorted.at(-1)];
  const without = clean === null ? "" : ` (${Math.round(clean * 100)} without duplicates of training photos)`;
  return `On ${images.toLocaleString("en")} labeled web photos, the predicted word was right ${Math.round(accuracy * 100)} times out of 100${without}: ` +
    `${best[0]} ${Math.round(best[1] * 100)}, ${worst[0]} only ${Math.round(worst[1] * 100)}. Your photos may be harder. Its accuracy by age and ` +
    "skin color has not been measured.";
}
