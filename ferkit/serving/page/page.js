// The page: photos come by button, drop, paste or camera, and the answer is shown and said.

import { answerTo, knownModel, photoFromCanvas, photoFromFile } from "./answers.js";
import { Camera } from "./camera.js";
import { clear, inWords, percent, show } from "./view.js";

const $ = (id) => document.getElementById(id);
const LONGEST_SHOWN = 1600, LEAST_SHOWN = 480; // pixels of the longer side
const SAY_EVERY = 3000; // milliseconds between announcements while the camera runs
let about = null, photo = null, answered = null, question = 0, lastSaid = 0;

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
$("why")?.addEventListener("change", () => { // without a server there are no maps
  if (!camera.running && photo) ask(photo, { whole: answered?.whole });
});
$("whole").addEventListener("click", () => ask(photo, { whole: true }));

async function take(file) {
  if (camera.running) stopCamera();
  forget();
  say("Analyzing…", "busy");
  const picture = await createImageBitmap(file).catch(() => null);
  if (picture) draw(picture);
  photo = await photoFromFile(file, picture);
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
  photoFromCanvas($("canvas")).then((last) => { photo = last; });
  if (answered) say(summary(answered));
  else say("Camera stopped.");
}

// ---- the answer --------------------------------------------------------------------------------------------------

// Whether there was time for it. live: a frame of the camera; whole: no face is looked for.
async function ask(content, { live = false, whole = false } = {}) {
  const mine = (question += 1), why = Boolean($("why")?.checked);
  if (!live) say("Analyzing…", "busy");
  $("legend").hidden = !why;
  const { answer, problem, busy } = await answerTo(content, { why, whole });
  if (mine !== question || (live && !camera.running)) return true;
  if (answer) tell({ ...answer, whole }, live);
  else if (live && busy) say(busy);
  else {
    clear();
    say(problem, "bad");
  }
  return !busy;
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

knownModel().then((known) => {
  about = known;
  const numbers = ["none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];
  $("count").textContent = numbers[about.class_names.length] ?? about.class_names.length;
  const size = about.parameters ? `a neural network of ${about.parameters.toLocaleString("en")} weights` : "a neural network";
  $("model").textContent = `${about.name}, ${size}`;
  if (about.measured) $("measured").textContent = measured(about.measured);
}).catch((error) => say(error.message, "bad"));

function measured({ images, accuracy, accuracy_without_copies: clean, recall }) {
  const sorted = Object.entries(recall).sort((a, b) => b[1] - a[1]);
  const [best, worst] = [sorted[0], sorted.at(-1)];
  const without = clean === null ? "" : ` (${Math.round(clean * 100)} without duplicates of training photos)`;
  return `On ${images.toLocaleString("en")} labeled web photos, the predicted word was right ${Math.round(accuracy * 100)} times out of 100${without}: ` +
    `${best[0]} ${Math.round(best[1] * 100)}, ${worst[0]} only ${Math.round(worst[1] * 100)}. Your photos may be harder. Its accuracy by age and ` +
    "skin color has not been measured.";
}
