// Where YuNet looks: a view is the photo at one size, cut into overlapping tiles; see ferkit/recognition/views.py.
// A row describes a face as YuNet does: left, top, width, height, five landmarks (x, y), score.

import { reduced, rounded } from "./pixels.js";

const TILE = 640; // side of a tile, without its share of the overlap
const OVERLAP = 160; // pixels that neighboring tiles share; a smaller face is complete in one of them
const LONGEST_VIEW = 30_000; // pixels; bounds the number of tiles of an extremely long picture
const SAME_FACE = 0.6; // boxes that share this fraction of the smaller one are one face
const EDGE = 2; // pixels; a box this close to a tile's inner edge may be cut off by it

// The side that a view is measured by: the longest one, but of a long picture less.
export function longestSide({ width, height }) {
  return Math.min(Math.max(height, width), (Math.min(height, width) * TILE) / OVERLAP);
}

// The photo reduced so that its longestSide is `side`; never enlarged.
export function view(photo, side) {
  const { width, height } = photo, scale = Math.min(1, side / longestSide(photo), LONGEST_VIEW / Math.max(height, width));
  if (scale === 1) return photo;
  return reduced(photo, Math.max(1, rounded(width * scale)), Math.max(1, rounded(height * scale)));
}

// The tiles of a view as [left, top, right, bottom]; all have the same size.
export function tiles({ width, height }) {
  return parts(height).flatMap(([top, bottom]) => parts(width).map(([left, right]) => [left, top, right, bottom]));
}

function parts(length) {
  const count = Math.ceil(length / TILE), size = Math.ceil((length + (count - 1) * OVERLAP) / count);
  return Array.from({ length: count }, (_, i) => {
    const start = count > 1 ? rounded(((length - size) * i) / (count - 1)) : 0;
    return [start, start + size];
  });
}

// The rows that a tile's inner edges do not cut off, moved from the tile into its view.
export function completeRows(rows, [left, top, right, bottom], { width, height }) {
  const isComplete = (low, high, start, end, length) =>
    (low > EDGE || start === 0) && (high < end - start - EDGE || end === length);
  return rows
    .filter(([x, y, w, h]) => isComplete(x, x + w, left, right, width) && isComplete(y, y + h, top, bottom, height))
    .map((row) => row.map((value, i) => (i === 2 || i === 3 || i === 14 ? value : value + (i % 2 ? top : left))));
}

// The rows of several views or tiles without repeated faces, highest score first.
export function distinct(rows) {
  const kept = [];
  for (const row of rows.toSorted((one, other) => other[14] - one[14])) {
    if (!kept.some((other) => sharedArea(row, other) > SAME_FACE)) kept.push(row);
  }
  return kept;
}

// The area that two boxes share, as a fraction of the smaller one.
function sharedArea([left, top, width, height], [left2, top2, width2, height2]) {
  const across = Math.min(left + width, left2 + width2) - Math.max(left, left2);
  const down = Math.min(top + height, top2 + height2) - Math.max(top, top2);
  return (Math.max(across, 0) * Math.max(down, 0)) / Math.max(Math.min(width * height, width2 * height2), 1e-9);
}
