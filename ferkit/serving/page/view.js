// What is seen of an answer: boxes and maps over the photo, and a card for each face.

const overlay = document.getElementById("overlay");
const list = document.getElementById("faces");
const SURE = 0.7; // from here on a label is named without "perhaps"
const OPEN_CARDS = 3; // more faces than these: their bars are folded away
let cards = [];

export const percent = (share) => (share < 0.005 ? "< 1 %" : `${Math.round(share * 100)} %`);

// The label in words: how firmly depends on its probability.
export function inWords(face) {
  if (face.unsure) return `unclear, perhaps ${face.label}`;
  return face.confidence < SURE ? `rather ${face.label}` : face.label;
}

function howLikely(face) {
  if (face.unsure) return "no word stands out";
  return face.confidence < SURE ? "more likely than the others" : face.confidence < 0.9 ? "likely" : "very likely";
}

export function clear() {
  overlay.replaceChildren();
  list.replaceChildren();
  cards = [];
}

// answer: of /v1/predict or /v1/explain; source: canvas with the photo; about: of /v1/models, or null.
export function show(answer, source, about) {
  overlay.replaceChildren(...answer.faces.flatMap((face, i) => marks(face, i, answer)));
  if (cards.length !== answer.faces.length) {
    cards = answer.faces.map((_, i) => makeCard(i, answer.faces.length <= OPEN_CARDS, Object.keys(answer.faces[i].probabilities)));
    list.replaceChildren(...cards.map((card) => card.item));
  }
  answer.faces.forEach((face, i) => fillCard(cards[i], face, i, answer, source, about));
}

// ---- over the photo ----------------------------------------------------------------------------------------------

function marks(face, i, answer) {
  const [left, top, right, bottom] = face.box;
  const box = element("div", "box");
  place(box, (left / answer.width), top / answer.height, (right - left) / answer.width, (bottom - top) / answer.height);
  const many = answer.faces.length > 8;
  box.append(element("span", "", many ? `${i + 1}` : `${answer.faces.length > 1 ? `${i + 1}  ` : ""}${inWords(face)}`));
  box.classList.toggle("high", top / answer.height < 0.1);
  box.classList.toggle("right", left / answer.width > 0.6);
  return face.map ? [mapOf(face, answer), box] : [box];
}

function mapOf(face, answer) {
  const picture = element("img", "map");
  picture.alt = "";
  picture.src = face.map;
  const [a, b, c] = face.crop; // upper left, upper right, lower right
  const side = Math.hypot(b[0] - a[0], b[1] - a[1]);
  const x = (a[0] + c[0]) / 2 - side / 2, y = (a[1] + c[1]) / 2 - side / 2;
  place(picture, x / answer.width, y / answer.height, side / answer.width, side / answer.height);
  picture.style.transform = `rotate(${Math.atan2(b[1] - a[1], b[0] - a[0])}rad)`;
  return picture;
}

function place(item, left, top, width, height) {
  for (const [name, share] of Object.entries({ left, top, width, height })) item.style[name] = `${share * 100}%`;
}

// ---- cards -------------------------------------------------------------------------------------------------------

function makeCard(number, open, names) {
  const item = element("li"), details = element("details", "face"), summary = element("summary");
  const thumb = element("span", "thumb"), small = element("canvas");
  small.width = small.height = 136;
  thumb.setAttribute("aria-hidden", "true");
  thumb.append(small);
  const words = element("span"), said = element("span", "said"), how = element("span", "how");
  words.append(said, how);
  summary.append(thumb, words);
  const bars = element("ul", "bars");
  bars.setAttribute("aria-label", "Probability of each word");
  const rows = Object.fromEntries(names.map((name) => [name, makeBar(bars, name)]));
  const doubt = element("p", "note doubt"), note = element("p", "note");
  details.append(summary, doubt, bars, note);
  details.open = open;
  item.append(details);
  const choose = (on) => overlay.querySelectorAll(".box")[number]?.classList.toggle("chosen", on);
  for (const [event, on] of [["mouseenter", true], ["mouseleave", false], ["focusin", true], ["focusout", false]]) {
    item.addEventListener(event, () => choose(on));
  }
  return { item, thumb, small, said, how, bars, rows, doubt, note };
}

function makeBar(bars, name) {
  const row = element("li"), bar = element("span", "bar"), fill = element("i"), share = element("span", "percent");
  bar.setAttribute("aria-hidden", "true");
  bar.append(fill);
  row.append(element("span", "", name), bar, share);
  bars.append(row);
  return { row, fill, share };
}

function fillCard(card, face, i, answer, source, about) {
  card.said.textContent = inWords(face);
  const which = answer.faces.length > 1 ? `face ${i + 1}: ` : "";
  card.how.textContent = `${which}${howLikely(face)}, ${percent(face.confidence)}`;
  for (const [name, share] of Object.entries(face.probabilities)) {
    const { row, fill, share: text } = card.rows[name];
    row.classList.toggle("first", name === face.label);
    fill.style.width = `${share * 100}%`;
    text.textContent = percent(share);
  }
  const doubts = doubtsOf(face, answer, about);
  card.doubt.hidden = !doubts.length;
  card.doubt.textContent = doubts.join(" ");
  card.note.textContent = recallOf(face, about);
  drawThumb(card, face, answer, source);
}

function doubtsOf(face, answer, about) {
  const doubts = [], high = Math.round(face.box[3] - face.box[1]), seen = about?.input[0] ?? 48;
  if (face.unsure) doubts.push("No word stands out: treat this as “unclear”.");
  if (high < seen) doubts.push(`The face is only ${high} pixels high, and the model looks at ${seen}: too little to see much.`);
  const [left, top, right, bottom] = face.box;
  if (face.landmarks && (left < 0 || top < 0 || right > answer.width || bottom > answer.height)) {
    doubts.push("The face is cut off by the photo’s edge.");
  }
  return doubts;
}

function recallOf(face, about) {
  const recall = about?.measured?.recall?.[face.label];
  if (recall === undefined) return "";
  return `Of 100 photos that people called ${face.label}, it calls ${Math.round(recall * 100)} ${face.label}.`;
}

function drawThumb(card, face, answer, source) {
  const pen = card.small.getContext("2d"), scale = source.width / answer.width;
  card.thumb.querySelectorAll("img").forEach((old) => old.remove());
  if (face.map) {
    for (const address of [face.seen, face.map]) {
      const layer = element("img");
      layer.alt = "";
      layer.src = address;
      card.thumb.append(layer);
    }
    return;
  }
  const [left, top, right, bottom] = face.box.map((edge) => edge * scale);
  const side = Math.max(right - left, bottom - top) * 1.15, x = (left + right - side) / 2, y = (top + bottom - side) / 2;
  pen.clearRect(0, 0, card.small.width, card.small.height);
  pen.drawImage(source, x, y, side, side, 0, 0, card.small.width, card.small.height);
}

function element(kind, className = "", text = "") {
  const made = document.createElement(kind);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}
