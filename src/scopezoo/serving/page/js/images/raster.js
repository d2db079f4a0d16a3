// PNG with all its 16 bits, which a browser's own decoder would drop, and JPEG.

import { arrayDocument } from "./array.js";

const CHANNELS = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
const MAX_PIXELS = 1 << 28;

/** Specification: PNG (W3C), third edition. Interlaced files go through the browser's decoder. */
export async function openPng(blob) {
  const file = new DataView(await blob.arrayBuffer());
  const { header, palette, data } = chunks(file);
  checkSize(header.width, header.height);
  if (header.interlaced) return openBitmap(blob, header.colour === 0 || header.colour === 4 ? 1 : 3);
  const scanlines = await inflate(new Blob(data));
  const rowBytes = Math.ceil((header.width * CHANNELS[header.colour] * header.bits) / 8);
  if (scanlines.length < header.height * (rowBytes + 1)) throw new Error("the file ends before its pixels do");
  const rows = unfilter(scanlines, header, rowBytes);
  const wide = header.bits < 8 ? spread(rows, header, rowBytes) : rows;
  return palette && header.colour === 3
    ? document(paint(wide, palette), header, 3, 3, 8)
    : document(wide, header, CHANNELS[header.colour], header.colour & 2 ? 3 : 1, Math.max(8, header.bits));
}

export async function openJpeg(blob) {
  const bytes = new Uint8Array(await blob.slice(0, 1 << 20).arrayBuffer());
  return openBitmap(blob, jpegComponents(bytes) === 1 ? 1 : 3);
}

function chunks(file) {
  const found = { header: null, palette: null, data: [] };
  let at = 8;
  while (at + 8 <= file.byteLength) {
    const length = file.getUint32(at);
    const type = String.fromCharCode(...new Uint8Array(file.buffer, at + 4, 4));
    const body = at + 8;
    if (type === "IHDR") found.header = readHeader(file, body);
    if (type === "PLTE") found.palette = new Uint8Array(file.buffer, body, length);
    if (type === "IDAT") found.data.push(new Uint8Array(file.buffer, body, Math.min(length, file.byteLength - body)));
    if (type === "IEND") break;
    at = body + length + 4;
  }
  if (!found.header || !found.data.length) throw new Error("it holds no picture");
  return found;
}

function readHeader(file, at) {
  return {
    width: file.getUint32(at),
    height: file.getUint32(at + 4),
    bits: file.getUint8(at + 8),
    colour: file.getUint8(at + 9),
    interlaced: file.getUint8(at + 12) === 1,
  };
}

function checkSize(width, height) {
  if (width * height > MAX_PIXELS) throw new Error(`${width} × ${height} pixels are too many to show`);
}

async function inflate(blob) {
  const stream = blob.stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Undo the filters of PNG 9.2: each byte was stored as a difference to its neighbours. */
function unfilter(lines, { width, height, bits, colour }, rowBytes) {
  const step = Math.max(1, (CHANNELS[colour] * bits) >> 3);
  const out = new Uint8Array(rowBytes * height);
  for (let y = 0; y < height; y += 1) {
    const filter = lines[y * (rowBytes + 1)];
    const from = y * (rowBytes + 1) + 1;
    const to = y * rowBytes;
    for (let i = 0; i < rowBytes; i += 1) {
      const left = i >= step ? out[to + i - step] : 0;
      const up = y ? out[to + i - rowBytes] : 0;
      const corner = y && i >= step ? out[to + i - rowBytes - step] : 0;
      out[to + i] = lines[from + i] + predicted(filter, left, up, corner);
    }
  }
  return out;
}

function predicted(filter, left, up, corner) {
  if (filter === 0) return 0;
  if (filter === 1) return left;
  if (filter === 2) return up;
  if (filter === 3) return (left + up) >> 1;
  const guess = left + up - corner;
  const [a, b, c] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)];
  if (a <= b && a <= c) return left;
  return b <= c ? up : corner;
}

/** One byte per pixel of 1, 2 or 4 bits; grey values fill the range of 8 bits. */
function spread(rows, { width, height, bits, colour }, rowBytes) {
  const scale = colour === 3 ? 1 : 255 / (2 ** bits - 1);
  const out = new Uint8Array(width * height);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const byte = rows[y * rowBytes + ((x * bits) >> 3)];
      out[y * width + x] = ((byte >> (8 - bits - ((x * bits) & 7))) & (2 ** bits - 1)) * scale;
    }
  }
  return out;
}

function paint(indices, palette) {
  const out = new Uint8Array(indices.length * 3);
  indices.forEach((index, i) => out.set(palette.subarray(index * 3, index * 3 + 3), i * 3));
  return out;
}

/** Keep the first `kept` of `channels` interleaved channels: alpha is no signal. */
function document(bytes, { width, height }, channels, kept, bits) {
  const size = bits / 8;
  const pixel = channels * size;
  let pixels = bytes;
  if (kept < channels) {
    pixels = new Uint8Array(width * height * kept * size);
    for (let i = 0; i < width * height; i += 1) {
      pixels.set(bytes.subarray(i * pixel, i * pixel + kept * size), i * kept * size);
    }
  }
  return arrayDocument({
    blob: new Blob([pixels]),
    offset: 0,
    dtype: bits === 16 ? "u2" : "u1",
    littleEndian: false,
    shape: kept === 1 ? [height, width] : [height, width, kept],
    fortran: false,
  });
}

async function openBitmap(blob, kept) {
  const bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  checkSize(bitmap.width, bitmap.height);
  const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
  return document(data, bitmap, 4, kept, 8);
}

/** Colour components that the frame header (SOF) of a JPEG states. */
function jpegComponents(bytes) {
  let at = 2;
  while (at + 9 < bytes.length && bytes[at] === 0xff) {
    const marker = bytes[at + 1];
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame) return bytes[at + 9];
    at += 2 + bytes[at + 2] * 256 + bytes[at + 3];
  }
  return 3;
}
