// Photos in, faces with probabilities out; see ferkit/recognition/recognizer.py.

import { cutFace } from "./alignment.js";
import { Detector } from "./detector.js";
import { Model, startRuntime } from "./litert.js";
import { asInput } from "./pixels.js";
import { Network } from "./yunet.js";

const MODEL = "model.tflite", DETECTOR = "face_detection_yunet_2023mar.tflite";
const MOST_FACES = 100; // of a photo; the others are counted

export class Recognizer {
  #detector;
  #model;
  #about;
  #last = Promise.resolve();

  constructor(detector, model, about) {
    this.#detector = detector;
    this.#model = model;
    this.#about = about;
  }

  // coming: a promise of the content of model.json.
  static async loaded(coming) {
    const [about, detector, file] = await Promise.all([coming, content(DETECTOR), content(MODEL), startRuntime()]);
    const recognizer = new Recognizer(new Detector(new Network(detector)), await Model.compiled(file), about);
    await recognizer.#warmUp();
    return recognizer;
  }

  // The first run of each part takes longest: it is over before a photo comes.
  async #warmUp() {
    const black = { width: 64, height: 64, rgba: new Uint8ClampedArray(64 * 64 * 4) };
    for (const whole of [false, true]) await this.predict(black, whole);
  }

  // photo: { width, height, rgba }; whole: no face is searched, the photo is one. One photo at a time.
  predict(photo, whole = false) {
    const answer = this.#last.then(() => this.#predict(photo, whole));
    this.#last = answer.catch(() => {});
    return answer;
  }

  async #predict(photo, whole) {
    const found = whole ? [completePhoto(photo)] : await this.#detector.faces(photo), faces = [];
    for (const face of found.slice(0, MOST_FACES)) faces.push(await this.#expression(photo, face));
    const { width, height } = photo;
    return { width, height, faces_found: found.length, faces_left_out: found.length - faces.length, faces };
  }

  async #expression(photo, face) {
    const [, size, , channels] = this.#model.shape, { class_names: names, unsure_below: limit } = this.#about;
    const [probabilities] = await this.#model.run(asInput(cutFace(photo, face, size), channels));
    const best = probabilities.indexOf(Math.max(...probabilities)), confidence = probabilities[best];
    const named = Object.fromEntries(names.map((name, i) => [name, probabilities[i]]));
    return { ...face, label: names[best], confidence, unsure: confidence < limit, probabilities: named };
  }
}

function completePhoto({ width, height }) {
  const side = Math.max(width, height), left = (width - side) / 2, top = (height - side) / 2;
  return { box: [left, top, left + side, top + side], score: 1, landmarks: null };
}

async function content(name) {
  const response = await fetch(name);
  if (!response.ok) throw new Error(`${name}: ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}
