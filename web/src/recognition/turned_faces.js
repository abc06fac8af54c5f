// Corrects faces that are sideways or upside down; see ferkit/recognition/turned_faces.py.

import { cropMatrix, cutFace } from "./alignment.js";
import { turned } from "./pixels.js";

const DOUBT = 0.89; // faces with a higher score are upright
const SIDE = 128; // pixels of the crop that is turned
const MARGIN = 1; // of the crop around the box: the face fills half of it
const GAIN = 0.02; // a turned face needs a score that is higher by this

// The face, or the face at its place that is found when the photo is turned, if that is surer.
export async function upright(photo, face, find) {
  if (face.score > DOUBT) return face;
  const place = { box: face.box }, toCrop = cropMatrix(place, SIDE, MARGIN);
  let crop = cutFace(photo, place, SIDE, MARGIN), best = face;
  for (const quarters of [1, 2, 3]) {
    crop = turned(crop);
    for (const row of await find(crop)) {
      if (row[14] > Math.max(best.score, face.score + GAIN) && isCentral(row)) best = turnedBack(row, quarters, toCrop);
    }
  }
  return best;
}

// Whether a face is the one that the crop was made for, and not a neighbor.
function isCentral([left, top, width, height]) {
  return Math.max(Math.abs(left + width / 2 - SIDE / 2), Math.abs(top + height / 2 - SIDE / 2)) < SIDE / 4;
}

// A face of the crop, turned by 90 degrees `quarters` times, in pixels of the photo.
function turnedBack(row, quarters, [[scale, , shiftX], [, , shiftY]]) {
  const [left, top, width, height] = row;
  let points = [[left, top], [left + width, top + height], ...[4, 6, 8, 10, 12].map((i) => [row[i], row[i + 1]])];
  for (let i = 0; i < quarters; i += 1) points = points.map(([x, y]) => [SIDE - y, x]); // clockwise
  points = points.map(([x, y]) => [(x - shiftX) / scale, (y - shiftY) / scale]);
  const [[x1, y1], [x2, y2]] = points;
  return { box: [Math.min(x1, x2), Math.min(y1, y2), Math.max(x1, x2), Math.max(y1, y2)], score: row[14], landmarks: points.slice(2) };
}
