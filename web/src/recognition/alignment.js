// Crops a face so that it is placed like the faces of the training images; see ferkit/recognition/alignment.py.

import { part, reduced, rounded, warped } from "./pixels.js";

const TRAINING_LANDMARKS = [[0.323, 0.39], [0.677, 0.39], [0.5, 0.6], [0.357, 0.748], [0.643, 0.748]];

// An affine map is [[a, b, c], [d, e, f]]: x' = a x + b y + c, y' = d x + e y + f.

// The face as a square of `size` pixels, upright if it has landmarks.
export function cutFace(photo, face, size, margin = 0) {
  const matrix = cropMatrix(face, size, margin);
  // OpenCV counts from pixel centers, boxes and landmarks from corners: half a pixel each.
  for (const row of matrix) row[2] += (row[0] + row[1]) * 0.5 - 0.5;
  return averagedAndWarped(photo, matrix, size);
}

export function cropMatrix({ box: [left, top, right, bottom], landmarks }, size, margin = 0) {
  if (landmarks) return similarity(landmarks, TRAINING_LANDMARKS.map((point) => point.map((share) => (0.5 + (share - 0.5) / (1 + margin)) * size)));
  const scale = size / Math.max((bottom - top) * (1 + margin), 1e-6);
  return [[scale, 0, size / 2 - ((left + right) / 2) * scale], [0, scale, size / 2 - ((top + bottom) / 2) * scale]];
}

// The rotation, scale and shift that map points to targets (least squares).
function similarity(points, targets) {
  const center = mean(points), goal = mean(targets);
  let real = 0, imaginary = 0, square = 0;
  points.forEach(([x, y], i) => {
    const [ax, ay, bx, by] = [x - center[0], y - center[1], targets[i][0] - goal[0], targets[i][1] - goal[1]];
    real += ax * bx + ay * by;
    imaginary += ax * by - ay * bx;
    square += ax * ax + ay * ay;
  });
  const [c, s] = [real / Math.max(square, 1e-12), imaginary / Math.max(square, 1e-12)];
  return [[c, -s, goal[0] - c * center[0] + s * center[1]], [s, c, goal[1] - s * center[0] - c * center[1]]];
}

const mean = (points) => [0, 1].map((axis) => points.reduce((sum, point) => sum + point[axis], 0) / points.length);

function inverse([[a, b, c], [d, e, f]]) {
  const determinant = a * e - b * d;
  const [p, q, r, s] = [e / determinant, -b / determinant, -d / determinant, a / determinant];
  return [[p, q, -p * c - q * f], [r, s, -r * c - s * f]];
}

const at = (matrix, x, y) => matrix.map(([a, b, c]) => a * x + b * y + c);

// Before a reduction the part that the crop shows is averaged, which avoids aliasing.
function averagedAndWarped(photo, matrix, size) {
  const scale = Math.hypot(matrix[0][0], matrix[1][0]), back = inverse(matrix);
  const corners = [[0, 0], [size, 0], [0, size], [size, size]].map(([x, y]) => at(back, x - 0.5, y - 0.5));
  const clipped = (value, low, high) => Math.min(Math.max(value, low), high);
  const [left, right, top, bottom] = [photo.width, photo.height].flatMap((length, axis) => {
    const reached = corners.map((corner) => corner[axis]);
    const low = clipped(Math.floor(Math.min(...reached)) - 2, 0, length - 1);
    return [low, Math.max(clipped(Math.ceil(Math.max(...reached)) + 3, 1, length), low + 1)];
  });
  let shown = part(photo, left, top, right, bottom);
  const [originX, originY] = at(matrix, left, top);
  let [[a, b], [d, e]] = matrix, [c, f] = [originX, originY];
  const steps = scale < 0.5 ? Math.floor(Math.log2(1 / scale)) : 0;
  if (steps) {
    const [width, height] = [shown.width, shown.height].map((length) => Math.max(1, rounded(length / 2 ** steps)));
    const [shrinkX, shrinkY] = [width / shown.width, height / shown.height];
    shown = reduced(shown, width, height);
    // From center to center: x_small = (x + 0.5) * shrink - 0.5.
    const [shiftX, shiftY] = [0.5 / shrinkX - 0.5, 0.5 / shrinkY - 0.5];
    [c, f] = [c + a * shiftX + b * shiftY, f + d * shiftX + e * shiftY];
    [a, b, d, e] = [a / shrinkX, b / shrinkY, d / shrinkX, e / shrinkY];
  }
  return warped(shown, inverse([[a, b, c], [d, e, f]]), size);
}
