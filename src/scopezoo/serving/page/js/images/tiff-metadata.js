// What a TIFF says about its axes, channels and pixel size: ImageJ, OME-XML, tifffile, or nothing.

const TO_UM = {
  "µm": 1, "μm": 1, um: 1, micron: 1, microns: 1, micrometer: 1, micrometre: 1, "\\u00b5m": 1,
  nm: 1e-3, mm: 1e3, cm: 1e4, m: 1e6, pm: 1e-6,
};

/** {outer: [{letter, size}] slowest first ("?" unknown), channelNames, pixelSizeUm, firstPage, isOnePiece} */
export async function readMetadata(tiff, first, text, samples) {
  if (text.startsWith("ImageJ=")) return fromImageJ(tiff, first, text);
  if (/<OME[\s>]/.test(text)) return fromOme(text, samples);
  return fromPages(tiff, text, samples);
}

const NOTHING = { channelNames: [], pixelSizeUm: {}, firstPage: 0, isOnePiece: false };

async function fromImageJ(tiff, first, text) {
  const said = Object.fromEntries(text.split("\n").map((line) => line.trim().split(/=(.*)/s).slice(0, 2)));
  const images = Number(said.images) || 1;
  const counts = { T: said.frames, Z: said.slices, C: said.channels };
  let outer = Object.entries(counts).map(([letter, size]) => ({ letter, size: Number(size) || 1 }));
  const named = outer.reduce((product, { size }) => product * size, 1);
  if (named !== images) outer = [{ letter: "Z", size: images }];
  return {
    ...NOTHING,
    outer,
    channelNames: said.channel_names ? JSON.parse(said.channel_names) : [],
    pixelSizeUm: await resolution(first, said),
    // files beyond 4 GB have one directory for all planes
    isOnePiece: images > 1 && first.fileDirectory.nextIFDByteOffset === 0,
  };
}

async function resolution(first, said) {
  const scale = TO_UM[(said.unit ?? "").toLowerCase()];
  if (!scale) return {};
  const sizes = {};
  for (const [axis, tag] of [["x", "XResolution"], ["y", "YResolution"]]) {
    const ratio = await first.fileDirectory.loadValue(tag);
    if (ratio?.[0] && ratio[1]) sizes[axis] = (scale * ratio[1]) / ratio[0];
  }
  if (Number(said.spacing)) sizes.z = scale * Number(said.spacing);
  return sizes;
}

/** Of several images in one file the largest is shown, the first of those that are equal. */
function fromOme(text, samples) {
  const found = [...text.matchAll(/<Pixels\b([^>]*)>([\s\S]*?)(?=<\/Pixels>|<Pixels\b|$)/g)]
    .map(([, attributes, inside]) => ({ said: attributesOf(attributes), inside }));
  if (!found.length) throw new Error("its OME-XML describes no pixels");
  const area = ({ said }) => ["X", "Y", "Z", "C", "T"].reduce((n, a) => n * (Number(said[`Size${a}`]) || 1), 1);
  const { said, inside } = found.reduce((best, one) => (area(one) > area(best) ? one : best));
  const order = said.DimensionOrder.slice(2).split("").reverse();
  const size = (letter) => Math.max(1, (Number(said[`Size${letter}`]) || 1) / (letter === "C" ? samples : 1));
  const names = [...inside.matchAll(/<Channel\b([^>]*)>/g)].map(([, part]) => attributesOf(part).Name ?? "");
  return {
    ...NOTHING,
    outer: order.map((letter) => ({ letter, size: size(letter) })),
    channelNames: names.some(Boolean) ? names.map((name, i) => name || `channel ${i}`) : [],
    pixelSizeUm: omeSizes(said),
    firstPage: Number(/<TiffData\b[^>]*\bIFD="(\d+)"/.exec(inside)?.[1] ?? 0),
  };
}

function omeSizes(said) {
  const sizes = {};
  for (const axis of ["X", "Y", "Z"]) {
    const unit = said[`PhysicalSize${axis}Unit`];
    const size = Number(said[`PhysicalSize${axis}`]) * (TO_UM[unit ?? "µm"] ?? NaN);
    // without a unit, 1 is what programs write that do not know
    if (size > 0 && !(unit === undefined && size === 1)) sizes[axis.toLowerCase()] = size;
  }
  return sizes;
}

function attributesOf(text) {
  const plain = (value) => value.replace(/&#(\d+);/g, (_, code) => String.fromCodePoint(Number(code)))
    .replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&quot;", '"').replaceAll("&amp;", "&");
  return Object.fromEntries([...text.matchAll(/([\w:]+)="([^"]*)"/g)].map(([, name, value]) => [name, plain(value)]));
}

/** Pages of the first one's size are a stack whose axis nobody named, unless tifffile did. */
async function fromPages(tiff, text, samples) {
  const shaped = tifffileShape(text);
  if (shaped?.axes) {
    const inner = shaped.shape.length - (samples > 1 ? 3 : 2);
    const outer = [...shaped.axes.slice(0, inner)].map((letter, i) =>
      ({ letter: "TCZ".includes(letter) ? letter : "?", size: shaped.shape[i] }));
    return { ...NOTHING, outer };
  }
  const first = await tiff.getImage(0);
  let count = 0;
  const pages = await tiff.getImageCount();
  for (let i = 0; i < pages; i += 1) {
    const page = await tiff.getImage(i);
    if (page.getWidth() === first.getWidth() && page.getHeight() === first.getHeight()) count += 1;
  }
  const sizes = shaped?.shape.slice(0, samples > 1 ? -3 : -2) ?? [count];
  const product = sizes.reduce((a, b) => a * b, 1);
  return { ...NOTHING, outer: (product === count ? sizes : [count]).map((size) => ({ letter: "?", size })) };
}

function tifffileShape(text) {
  if (!text.startsWith("{")) return null;
  try {
    const said = JSON.parse(text);
    return Array.isArray(said.shape) ? said : null;
  } catch {
    return null;
  }
}
