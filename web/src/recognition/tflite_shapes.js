// Writes fixed shapes into a TensorFlow Lite file: LiteRT.js runs no model whose input has an open size.
// The file is a FlatBuffer: https://github.com/tensorflow/tensorflow/blob/master/tensorflow/compiler/mlir/lite/schema/schema.fbs

const SUBGRAPHS = 2; // field of Model
const TENSORS = 0, INPUTS = 1, OUTPUTS = 2; // fields of SubGraph
const SHAPE = 0, SHAPE_SIGNATURE = 7; // fields of Tensor; the second one has -1 for an open size

// A copy of the file. input, outputs: shapes, or nothing for those that the file has for a batch of one.
export function withShapes(file, input, outputs) {
  const copy = file.slice(), data = new DataView(copy.buffer);
  const graph = tableAt(data, vectorOf(data, tableAt(data, 0), SUBGRAPHS).start);
  const tensors = vectorOf(data, graph, TENSORS);
  const fix = (number, shape) => {
    const tensor = tableAt(data, tensors.start + 4 * number), known = vectorOf(data, tensor, SHAPE), open = vectorOf(data, tensor, SHAPE_SIGNATURE);
    for (let i = 0; i < known.length; i += 1) {
      const size = shape ? shape[i] : data.getInt32(known.start + 4 * i, true);
      data.setInt32(known.start + 4 * i, size, true);
      if (open) data.setInt32(open.start + 4 * i, size, true);
    }
  };
  numbers(data, vectorOf(data, graph, INPUTS)).forEach((number) => fix(number, input));
  numbers(data, vectorOf(data, graph, OUTPUTS)).forEach((number, i) => fix(number, outputs?.[i]));
  return copy;
}

const tableAt = (data, offset) => offset + data.getUint32(offset, true);

// A field that is a vector, as the place of its first element and its length; nothing if it is absent.
function vectorOf(data, table, field) {
  const fields = table - data.getInt32(table, true), place = 4 + 2 * field;
  const offset = place < data.getUint16(fields, true) ? data.getUint16(fields + place, true) : 0;
  if (!offset) return null;
  const vector = tableAt(data, table + offset);
  return { start: vector + 4, length: data.getUint32(vector, true) };
}

const numbers = (data, { start, length }) => Array.from({ length }, (_, i) => data.getInt32(start + 4 * i, true));
