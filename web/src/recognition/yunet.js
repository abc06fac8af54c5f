// The network YuNet: a picture in, rows of faces out; see ferkit/recognition/yunet_litert.py.

import { Model } from "./litert.js";

const STEP = 32; // height and width of the network's input are multiples; the rest is black
const OVERLAP = 0.3; // of two faces with a larger intersection over union, the lower score is dropped
const SIZES = 3; // compiled models that are kept, each for one size of picture
const STRIDES = [16, 32, 8]; // of the outputs, in the file's order

export class Network {
  #file;
  #bySize = new Map();

  constructor(file) {
    this.#file = file;
  }

  // The faces of a picture with at least this score, highest score first.
  async find(picture, minScore) {
    const height = Math.ceil(picture.height / STEP) * STEP, width = Math.ceil(picture.width / STEP) * STEP;
    const { model, input } = await this.#prepared(height, width);
    fill(input, picture, width);
    const outputs = await model.run(input);
    const rows = outputs.flatMap((cells, i) => decoded(cells, width / STRIDES[i], STRIDES[i], minScore));
    return withoutOverlaps(rows);
  }

  // The model of that size, and its input, which is used again.
  async #prepared(height, width) {
    const size = `${width} x ${height}`;
    let prepared = this.#bySize.get(size);
    this.#bySize.delete(size);
    if (!prepared) {
      if (this.#bySize.size === SIZES) this.#drop(this.#bySize.keys().next().value);
      const outputs = STRIDES.map((stride) => [1, height / stride, width / stride, 16]);
      const model = await Model.compiled(this.#file, [1, height + 1, width + 1, 3], outputs);
      prepared = { model, input: new Float32Array((height + 1) * (width + 1) * 3) };
    }
    this.#bySize.set(size, prepared); // the last one of the map: the first was not used for longest
    return prepared;
  }

  #drop(size) {
    this.#bySize.get(size).model.close();
    this.#bySize.delete(size);
  }
}

// The picture in black. One more row above and column on the left are the padding of the first layer.
function fill(input, { width, height, rgba }, paddedWidth) {
  input.fill(0);
  for (let y = 0, from = 0; y < height; y += 1) {
    for (let to = ((y + 1) * (paddedWidth + 1) + 1) * 3, x = 0; x < width; x += 1, from += 4, to += 3) {
      input[to] = rgba[from];
      input[to + 1] = rgba[from + 1];
      input[to + 2] = rgba[from + 2];
    }
  }
}

const probability = (logit) => 1 / (1 + Math.exp(-logit));

// The score is the geometric mean of class and objectness.
function decoded(cells, columns, stride, minScore) {
  const rows = [], least = Math.min(Math.max(minScore ** 2, 1e-6), 1 - 1e-6), leastLogit = Math.log(least / (1 - least)) - 1e-3;
  for (let i = 0; i < cells.length; i += 16) {
    if (cells[i] < leastLogit || cells[i + 1] < leastLogit) continue;
    const score = Math.sqrt(probability(cells[i]) * probability(cells[i + 1]));
    if (score < minScore) continue;
    const x = (i / 16) % columns, y = Math.floor(i / 16 / columns);
    const width = Math.exp(cells[i + 4]) * stride, height = Math.exp(cells[i + 5]) * stride;
    const box = [(x + cells[i + 2]) * stride - width / 2, (y + cells[i + 3]) * stride - height / 2, width, height];
    const marks = Array.from({ length: 10 }, (_, k) => (cells[i + 6 + k] + (k % 2 ? y : x)) * stride);
    rows.push([...box, ...marks, score]);
  }
  return rows;
}

// The rows whose boxes do not overlap one with a higher score. As in OpenCV, boxes are compared in whole pixels.
function withoutOverlaps(rows) {
  const kept = [];
  for (const row of rows.toSorted((one, other) => other[14] - one[14])) {
    if (!kept.some((other) => overlap(row, other) > OVERLAP)) kept.push(row);
  }
  return kept;
}

// Intersection over union.
function overlap(one, other) {
  const [left, top, width, height] = one.slice(0, 4).map(Math.trunc), [left2, top2, width2, height2] = other.slice(0, 4).map(Math.trunc);
  const across = Math.min(left + width, left2 + width2) - Math.max(left, left2);
  const down = Math.min(top + height, top2 + height2) - Math.max(top, top2);
  const both = Math.max(across, 0) * Math.max(down, 0), either = width * height + width2 * height2 - both;
  return either > 0 ? both / either : 1;
}
