// The face detector: which views of a photo YuNet searches; see ferkit/recognition/yunet.py.

import { part } from "./pixels.js";
import { upright } from "./turned_faces.js";
import { completeRows, distinct, longestSide, tiles, view } from "./views.js";

const LONGEST_SIDE = 640; // larger photos are reduced for the first view; none are enlarged
const SMALL_SIDE = 320; // second try if no face is found: YuNet misses faces that fill a large picture
const MIN_SIDE = 10; // pixels; YuNet needs faces of 10
const MIN_SCORE = 0.7;
// A larger view follows where the last one shows faces, or hints of them, that are this small.
const SMALL_FACE = 20; // pixels of the view
const HINT_SCORE = 0.3;
const LARGEST_VIEW = 2560;
const MUCH_LARGER = 1.5; // times the last view: the photo has details that the view lacks
const LARGER_MIN_SCORE = 0.75; // in larger views, which show more texture that resembles faces
const VERY_LARGE = 4; // times the first view: small faces are not even hints, so one more view is tried

export class Detector {
  #network;

  constructor(network) {
    this.#network = network;
  }

  // The faces { box, score, landmarks } of a photo, highest score first.
  async faces(photo) {
    const faces = [];
    for (const row of await this.#rows(photo)) faces.push(await upright(photo, faceOf(row), (picture) => this.#find(picture)));
    return faces.sort((one, other) => other.score - one.score);
  }

  #find(picture) {
    return this.#network.find(picture, HINT_SCORE);
  }

  // The faces of all views in pixels of the photo.
  async #rows(photo) {
    const longest = longestSide(photo);
    let side = LONGEST_SIDE, { rows, hasHints } = await this.#seen(photo, side);
    if (!rows.length && Math.min(side, longest) > SMALL_SIDE) ({ rows } = await this.#seen(photo, SMALL_SIDE));
    hasHints ||= !rows.length && longest >= VERY_LARGE * side;
    while (hasHints && longest >= MUCH_LARGER * side && side < LARGEST_VIEW) {
      side = Math.min(2 * side, LARGEST_VIEW);
      const more = await this.#seen(photo, side, true);
      hasHints = more.hasHints;
      rows = distinct([...rows, ...more.rows]);
    }
    return rows;
  }

  // The faces of one view in pixels of the photo, and whether there are hints of small ones.
  // onlySmall: faces that the view of half the size shows well are omitted.
  async #seen(photo, side, onlySmall = false) {
    const seen = view(photo, side);
    if (Math.min(seen.width, seen.height) < MIN_SIDE) return { rows: [], hasHints: false };
    const places = tiles(seen), found = [];
    for (const place of places) {
      const tile = places.length > 1 ? part(seen, ...place) : seen;
      found.push(...completeRows(await this.#find(tile), place, seen));
    }
    const hasHints = found.some((row) => row[2] < SMALL_FACE);
    let rows = found.filter((row) => row[14] >= MIN_SCORE);
    if (onlySmall) rows = rows.filter((row) => row[14] >= LARGER_MIN_SCORE && row[2] < 3 * SMALL_FACE);
    if (places.length > 1) rows = distinct(rows);
    const across = photo.width / seen.width, down = photo.height / seen.height;
    return { rows: rows.map((row) => row.map((value, i) => (i === 14 ? value : value * (i % 2 ? down : across)))), hasHints };
  }
}

function faceOf(row) {
  const [left, top, width, height] = row;
  const landmarks = [4, 6, 8, 10, 12].map((i) => [row[i], row[i + 1]]);
  return { box: [left, top, left + width, top + height], score: row[14], landmarks };
}
