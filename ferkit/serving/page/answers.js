// Where this page's answers come from: the server. The page that runs in the browser alone has another file of this name.

const LONGEST_SENT = 2400; // pixels of the longer side of a photo above the server's limits
const GONE = "The server does not answer. Is it still running?";
export const FRAME_PAUSE = 120; // milliseconds between two frames of the camera
let limits = { bytes: 10_000_000, pixels: 40_000_000 };

// What is known of the model, as in /v1/models. Raises an error with a text for the user.
export async function knownModel() {
  document.getElementById("host").textContent = location.host;
  const known = await fetch("/v1/models").then((response) => response.json()).catch(() => {
    throw new Error(GONE);
  });
  limits = known.limits;
  return known.models[0];
}

// The file as it is, or a smaller copy where the server would refuse it. picture: null where the browser cannot show it.
export async function photoFromFile(file, picture) {
  if (!picture || (file.size <= limits.bytes && picture.width * picture.height <= limits.pixels)) return file;
  const scale = Math.min(1, LONGEST_SENT / Math.max(picture.width, picture.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(picture.width * scale);
  canvas.height = Math.round(picture.height * scale);
  canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
  return photoFromCanvas(canvas, 0.92);
}

export function photoFromCanvas(canvas, quality = 0.85) {
  return new Promise((done) => canvas.toBlob(done, "image/jpeg", quality));
}

// { answer }, or { problem } for the user, with { busy } where it may pass. why: with maps; whole: no face is looked for.
export async function answerTo(photo, { why = false, whole = false }) {
  const address = `/v1/${why ? "explain" : "predict"}${whole ? "?detector=none" : ""}`;
  try {
    const type = photo.type.startsWith("image/") ? photo.type : "application/octet-stream";
    const response = await fetch(address, { method: "POST", body: photo, headers: { "Content-Type": type } });
    const answer = await response.json();
    if (response.ok) return { answer };
    const problem = `Not possible: ${answer.error.replace("the photo: ", "")}`;
    return [429, 503].includes(response.status) ? { problem, busy: "The server is busy; the camera waits a moment." } : { problem };
  } catch {
    return { problem: GONE, busy: GONE };
  }
}
