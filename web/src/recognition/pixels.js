// Pictures as { width, height, rgba }, and OpenCV's ways of changing their size, so that the pixels are those of Python.

// Rounds as Python does: halves to the even number.
export function rounded(x) {
  const up = Math.round(x);
  return up - x === 0.5 && up % 2 ? up - 1 : up;
}

export function part({ width, rgba }, left, top, right, bottom) {
  const cut = new Uint8ClampedArray((right - left) * (bottom - top) * 4);
  for (let y = top; y < bottom; y += 1) {
    cut.set(rgba.subarray((y * width + left) * 4, (y * width + right) * 4), (y - top) * (right - left) * 4);
  }
  return { width: right - left, height: bottom - top, rgba: cut };
}

// The picture turned counterclockwise by 90 degrees, for a square one.
export function turned({ width: side, rgba }) {
  const from = new Uint32Array(rgba.buffer, rgba.byteOffset, side * side), to = new Uint32Array(side * side);
  for (let y = 0; y < side; y += 1) for (let x = 0; x < side; x += 1) to[(side - 1 - x) * side + y] = from[y * side + x];
  return { width: side, height: side, rgba: new Uint8ClampedArray(to.buffer) };
}

// A smaller picture whose pixels are means of areas: OpenCV's INTER_AREA.
export function reduced(picture, width, height) {
  const across = shares(picture.width, width), down = shares(picture.height, height);
  const rgba = new Uint8ClampedArray(width * height * 4), row = new Float32Array(width * 3), sum = new Float32Array(width * 3);
  for (let y = 0; y < height; y += 1) {
    sum.fill(0);
    for (const [sourceY, weight] of down[y]) {
      addUp(picture, sourceY, across, row);
      for (let i = 0; i < sum.length; i += 1) sum[i] += weight * row[i];
    }
    for (let x = 0; x < width; x += 1) {
      for (let c = 0; c < 3; c += 1) rgba[(y * width + x) * 4 + c] = Math.floor(sum[x * 3 + c] + 0.5);
      rgba[(y * width + x) * 4 + 3] = 255;
    }
  }
  return { width, height, rgba };
}

// For each of `count` cells along `length` pixels: which pixels it covers, and their weights.
function shares(length, count) {
  const scale = length / count;
  return Array.from({ length: count }, (_, i) => {
    const low = i * scale, high = Math.min(low + scale, length), cell = [];
    for (let pixel = Math.floor(low + 1e-3); pixel < high - 1e-3; pixel += 1) {
      cell.push([pixel, (Math.min(pixel + 1, high) - Math.max(pixel, low)) / (high - low)]);
    }
    return cell;
  });
}

function addUp({ width, rgba }, y, across, row) {
  for (let x = 0; x < across.length; x += 1) {
    let red = 0, green = 0, blue = 0;
    for (const [pixel, weight] of across[x]) {
      const at = (y * width + pixel) * 4;
      red += weight * rgba[at];
      green += weight * rgba[at + 1];
      blue += weight * rgba[at + 2];
    }
    row[x * 3] = red;
    row[x * 3 + 1] = green;
    row[x * 3 + 2] = blue;
  }
}

// A square of `size` pixels whose pixel (x, y) is that of the picture at `inverse`; beyond the edge, it is repeated.
export function warped({ width, height, rgba }, [[a, b, c], [d, e, f]], size) {
  const square = new Uint8ClampedArray(size * size * 4).fill(255);
  const inside = (value, length) => Math.min(Math.max(value, 0), length - 1);
  for (let y = 0; y < size; y += 1) for (let x = 0; x < size; x += 1) {
    const sourceX = a * x + b * y + c, sourceY = d * x + e * y + f, left = Math.floor(sourceX), top = Math.floor(sourceY);
    const toRight = sourceX - left, toBottom = sourceY - top;
    const x0 = inside(left, width), x1 = inside(left + 1, width);
    const y0 = inside(top, height) * width, y1 = inside(top + 1, height) * width;
    for (let channel = 0; channel < 3; channel += 1) {
      const above = rgba[(y0 + x0) * 4 + channel] * (1 - toRight) + rgba[(y0 + x1) * 4 + channel] * toRight;
      const below = rgba[(y1 + x0) * 4 + channel] * (1 - toRight) + rgba[(y1 + x1) * 4 + channel] * toRight;
      square[(y * size + x) * 4 + channel] = Math.floor(above * (1 - toBottom) + below * toBottom + 0.5);
    }
  }
  return { width: size, height: size, rgba: square };
}

// The pixels in [0, 255] as a model gets them, gray with OpenCV's weights for one channel.
export function asInput({ rgba }, channels) {
  const input = new Float32Array((rgba.length / 4) * channels);
  for (let i = 0; i < rgba.length / 4; i += 1) {
    const [red, green, blue] = [rgba[i * 4], rgba[i * 4 + 1], rgba[i * 4 + 2]];
    if (channels === 1) input[i] = (red * 9798 + green * 19235 + blue * 3735 + 16384) >> 15;
    else input.set([red, green, blue], i * 3);
  }
  return input;
}
