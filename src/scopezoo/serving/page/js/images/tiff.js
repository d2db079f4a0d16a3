// TIFF for the screen: only the strips, tiles and pyramid levels that a picture needs are decoded.

import "../../vendor/geotiff.js";
import { sizesOf } from "./axes.js";
import { DTYPE_NAMES, canRead, readPlane, sampleIndices } from "./pixels.js";
import { readMetadata } from "./tiff-metadata.js";

const BAND_PIXELS = 4 << 20;
const MAX_BLOCK_BYTES = 1 << 29;
const UNCOMPRESSED = 1;
const YCBCR = 6;

/** What is decoded without WebAssembly, by the value of the tag Compression. */
const READABLE = [UNCOMPRESSED, 5, 7, 8, 32773, 32946];
const UNREADABLE = { 6: "old JPEG", 34712: "JPEG 2000", 33003: "JPEG 2000", 33005: "JPEG 2000", 34887: "LERC", 34925: "LZMA", 50000: "Zstandard", 50002: "JPEG XL" };

export async function openTiff(blob) {
  const tiff = await globalThis.GeoTIFF.fromBlob(blob);
  const first = await tiff.getImage(0);
  const info = await describe(tiff, first);
  const pages = new Map();
  const pageAt = (index) => {
    if (!pages.has(index)) pages.set(index, openPage(blob, tiff, info, index));
    return pages.get(index);
  };
  await pageAt(info.firstPage);
  return tiffDocument(info, pageAt);
}

function tiffDocument(info, pageAt) {
  let axes = info.axes;
  return {
    shape: info.shape,
    asksAxes: info.asksAxes,
    dtype: DTYPE_NAMES[info.dtype],
    channelNames: info.channelNames,
    pixelSizeUm: info.pixelSizeUm,
    isRgb: info.samples >= 3 && info.dtype === "u1",
    get axes() { return axes; },
    get sizes() { return sizesOf(axes, info.shape); },
    interpret(letters) { axes = letters; },
    async plane(position, region, width, height) {
      let index = 0;
      let sample = 0;
      [...axes].forEach((letter, i) => {
        const at = { T: position.t, Z: position.z, C: position.c }[letter];
        if (at === undefined) return;
        if (i < info.pageAxes) index = index * info.shape[i] + at;
        else sample = at;
      });
      const page = await pageAt(info.firstPage + index);
      return page(sample, region, width, height);
    },
  };
}

/** Shape (pages' axes, Y, X, samples), its letters, and what is known of pixels and channels. */
async function describe(tiff, first) {
  const text = String((await first.fileDirectory.loadValue("ImageDescription")) ?? "");
  const [width, height] = [first.getWidth(), first.getHeight()];
  const samples = colourSamples(first);
  const dtype = dtypeOf(first);
  const compression = first.fileDirectory.getValue("Compression") ?? UNCOMPRESSED;
  if (!READABLE.includes(compression)) {
    throw new Error(`it is compressed with ${UNREADABLE[compression] ?? `method ${compression}`}, which this page does not decode`);
  }
  if (!canRead(dtype)) throw new Error(`its pixels are of a kind (${dtype}) that cannot be shown`);
  const said = await readMetadata(tiff, first, text, samples);
  const outer = said.outer.filter(({ size }) => size > 1);
  const asksAxes = outer.some(({ letter }) => letter === "?");
  const guess = (samples > 1 ? "TZ" : "TCZ").slice(-outer.length);
  const letters = asksAxes ? guess : outer.map(({ letter }) => letter).join("");
  const sizes = outer.map(({ size }) => size);
  const isPlanar = samples > 1 && first.planarConfiguration === 2;
  return {
    shape: [...sizes, ...(isPlanar ? [samples] : []), height, width, ...(samples > 1 && !isPlanar ? [samples] : [])],
    axes: letters + (samples === 1 ? "YX" : isPlanar ? "CYX" : "YXC"),
    pageAxes: outer.length,
    asksAxes,
    dtype,
    samples,
    littleEndian: tiff.littleEndian,
    channelNames: said.channelNames,
    pixelSizeUm: said.pixelSizeUm,
    firstPage: said.firstPage,
    isOnePiece: said.isOnePiece,
  };
}

function dtypeOf(image) {
  const kind = { 1: "u", 2: "i", 3: "f" }[image.getSampleFormat(0)] ?? "u";
  const bits = image.getBitsPerSample(0) || 1;
  return kind + (bits <= 8 ? 1 : bits <= 16 ? 2 : bits <= 32 ? 4 : 8);
}

/** Samples that are colours or channels; alpha is none. */
function colourSamples(image) {
  const extra = image.fileDirectory.hasTag("ExtraSamples") ? 1 : 0;
  const count = image.getSamplesPerPixel();
  return count === 4 && extra ? 3 : count;
}

/** A function that reads pixels of page `index`. */
async function openPage(blob, tiff, info, index) {
  const image = await tiff.getImage(info.isOnePiece ? 0 : index);
  const offset = await pixelsOffset(image);
  if (offset !== null) {
    const samples = image.getSamplesPerPixel();
    const itemBytes = Number(info.dtype[1]);
    const plane = image.getWidth() * image.getHeight() * samples * itemBytes;
    const start = offset + (info.isOnePiece ? index * plane : 0);
    const layout = {
      blob, dtype: info.dtype, littleEndian: info.littleEndian,
      xStride: samples, yStride: samples * image.getWidth(),
    };
    return (sample, region, width, height) =>
      readPlane({ ...layout, offset: start + sample * itemBytes }, region, width, height);
  }
  const levels = await pyramid(tiff, image);
  return (sample, region, width, height) => decode(levels, sample, region, width, height);
}

/** Where a page's pixels begin if they lie there in one piece as they are, else null. */
async function pixelsOffset(image) {
  const directory = image.fileDirectory;
  const bits = image.getBitsPerSample(0);
  const isPlain = (directory.getValue("Compression") ?? UNCOMPRESSED) === UNCOMPRESSED
    && directory.hasTag("StripOffsets") && [8, 16, 32, 64].includes(bits)
    && (image.planarConfiguration === 1 || image.getSamplesPerPixel() === 1);
  if (!isPlain) return null;
  const offsets = await directory.loadValue("StripOffsets");
  const counts = await directory.loadValue("StripByteCounts");
  for (let i = 1; i < offsets.length; i += 1) {
    if (Number(offsets[i]) !== Number(offsets[i - 1]) + Number(counts[i - 1])) return null;
  }
  return Number(offsets[0]);
}

/** The page and its reduced copies, largest first: those in SubIFDs, as OME-TIFF keeps them. */
async function pyramid(tiff, image) {
  const levels = [image];
  if (!image.fileDirectory.hasTag("SubIFDs")) return levels;
  const offsets = await image.fileDirectory.loadValue("SubIFDs");
  for (const offset of typeof offsets === "object" ? offsets : [offsets]) {
    const directory = await tiff.parser.parseFileDirectoryAt(Number(offset));
    levels.push(new image.constructor(directory, tiff.littleEndian, false, tiff.source));
  }
  return levels.sort((a, b) => b.getWidth() - a.getWidth());
}

/** Decode in bands of whole blocks, so that memory does not grow with the image. */
async function decode(levels, sample, region, width, height) {
  const full = levels[0];
  const needed = (width / (region.x1 - region.x0)) * full.getWidth();
  const level = levels.findLast((one) => one.getWidth() >= needed) ?? full;
  const scale = [level.getWidth() / full.getWidth(), level.getHeight() / full.getHeight()];
  const xs = sampleIndices(region.x0 * scale[0], region.x1 * scale[0], width);
  const ys = sampleIndices(region.y0 * scale[1], region.y1 * scale[1], height);
  const [left, right] = [xs[0], xs[width - 1] + 1];
  const rows = bandRows(level, right - left);
  let out = null;
  for (let begin = 0; begin < height;) {
    const limit = (Math.floor(ys[begin] / rows) + 1) * rows;
    let end = begin + 1;
    while (end < height && ys[end] < limit) end += 1;
    const [top, bottom] = [ys[begin], ys[end - 1] + 1];
    const pixels = await readBlock(level, sample, [left, top, right, bottom]);
    out ??= new pixels.constructor(width * height);
    for (let y = begin; y < end; y += 1) {
      const row = (ys[y] - top) * (right - left) - left;
      for (let x = 0; x < width; x += 1) out[y * width + x] = pixels[row + xs[x]];
    }
    begin = end;
  }
  return out;
}

function bandRows(image, width) {
  const block = Math.min(image.getTileHeight(), image.getHeight());
  const bytes = block * image.getTileWidth() * image.getBytesPerPixel();
  if (bytes > MAX_BLOCK_BYTES) throw new Error("it is compressed in pieces too large for a browser");
  return Math.max(1, Math.floor(BAND_PIXELS / width / block)) * block;
}

async function readBlock(image, sample, window) {
  if (image.fileDirectory.getValue("PhotometricInterpretation") === YCBCR) {
    const rgb = await image.readRGB({ window, interleave: false });
    return rgb[sample];
  }
  const [pixels] = await image.readRasters({ window, samples: [sample] });
  return pixels;
}
