// Pixels that lie uncompressed in a file: only the bytes that a picture needs are read.

const BAND_BYTES = 4 << 20;
const LONE_ROW_BYTES = 64 << 10;
const WHOLE_PX = 2048;

const READERS = {
  u1: Uint8Array, i1: Int8Array, u2: Uint16Array, i2: Int16Array, u4: Uint32Array, i4: Int32Array,
  f4: Float32Array, f8: Float64Array, f2: globalThis.Float16Array,
  u8: BigUint64Array, i8: BigInt64Array,
};

export const DTYPE_NAMES = {
  u1: "uint8", i1: "int8", u2: "uint16", i2: "int16", u4: "uint32", i4: "int32",
  f4: "float32", f8: "float64", f2: "float16", u8: "uint64", i8: "int64",
};

export function canRead(dtype) {
  return Boolean(READERS[dtype]);
}

/** An array for `count` pixels; 64 bit integers become floats, which show well enough. */
export function arrayFor(dtype, count) {
  const Kind = dtype === "u8" || dtype === "i8" ? Float64Array : READERS[dtype];
  return new Kind(count);
}

/** Size at which a plane is read to be seen whole; large ones are sampled. */
export function wholeSize(width, height) {
  const shrink = Math.min(1, WHOLE_PX / Math.max(width, height));
  return { shrink, width: Math.max(1, Math.round(width * shrink)), height: Math.max(1, Math.round(height * shrink)) };
}

/** Indices of `count` pixels, evenly over [start, stop): the centres of what they stand for. */
export function sampleIndices(start, stop, count) {
  const step = (stop - start) / count;
  return Int32Array.from({ length: count }, (_, i) =>
    Math.min(stop - 1, Math.floor(start + (i + 0.5) * step)));
}

/**
 * Sample a plane of an uncompressed file.
 * `layout`: {blob, offset (bytes), dtype, littleEndian, xStride, yStride (pixels)}
 * `region`: {x0, y0, x1, y1} in pixels of the plane; gives `width` by `height` pixels of it.
 */
export async function readPlane(layout, region, width, height) {
  const xs = sampleIndices(region.x0, region.x1, width);
  const ys = sampleIndices(region.y0, region.y1, height);
  const out = arrayFor(layout.dtype, width * height);
  if (layout.xStride <= layout.yStride) {
    await readLines(layout, ys, layout.yStride, xs, layout.xStride, out, width, 1);
  } else {
    await readLines(layout, xs, layout.xStride, ys, layout.yStride, out, 1, width);
  }
  return out;
}

async function readLines(layout, lines, lineStride, along, stride, out, outLine, outAlong) {
  const itemBytes = Number(layout.dtype[1]);
  const first = along[0] * stride;
  const lineItems = (along[along.length - 1] - along[0]) * stride + 1;
  for (const [begin, end] of bands(lines, lineStride * itemBytes)) {
    const from = lines[begin] * lineStride + first;
    const items = (lines[end - 1] - lines[begin]) * lineStride + lineItems;
    const values = await readItems(layout, from, items);
    for (let line = begin; line < end; line += 1) {
      const base = (lines[line] - lines[begin]) * lineStride - first;
      for (let i = 0; i < along.length; i += 1) {
        out[line * outLine + i * outAlong] = Number(values[base + along[i] * stride]);
      }
    }
  }
}

/** Runs of lines that are read in one go: those far apart alone, others a few megabytes at once. */
function* bands(lines, lineBytes) {
  let begin = 0;
  for (let end = 1; end <= lines.length; end += 1) {
    const apart = end < lines.length ? (lines[end] - lines[end - 1]) * lineBytes : 0;
    const span = end < lines.length ? (lines[end] - lines[begin]) * lineBytes : Infinity;
    const skips = end < lines.length && lines[end] - lines[end - 1] > 1;
    if (span > BAND_BYTES || (skips && apart > LONE_ROW_BYTES)) {
      yield [begin, end];
      begin = end;
    }
  }
}

async function readItems({ blob, offset, dtype, littleEndian }, first, count) {
  const itemBytes = Number(dtype[1]);
  const start = offset + first * itemBytes;
  const buffer = await blob.slice(start, start + count * itemBytes).arrayBuffer();
  if (buffer.byteLength < count * itemBytes) throw new Error("the file ends before its pixels do");
  if (!littleEndian && itemBytes > 1) swapBytes(new Uint8Array(buffer), itemBytes);
  return new READERS[dtype](buffer);
}

function swapBytes(bytes, size) {
  for (let i = 0; i < bytes.length; i += size) bytes.subarray(i, i + size).reverse();
}
