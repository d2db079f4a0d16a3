// An n-dimensional array in one piece: NPY files, and PNG and JPEG once decoded.

import { guessedLetters, lettersFromShape, sizesOf, stridesOf } from "./axes.js";
import { DTYPE_NAMES, canRead, readPlane } from "./pixels.js";

/** `layout`: {blob, offset, dtype, littleEndian, shape, fortran}. */
export function arrayDocument(layout) {
  const known = lettersFromShape(layout.shape);
  const strides = stridesOf(layout.shape, layout.fortran);
  let axes = known ?? guessedLetters(layout.shape.length);

  const stride = (letter) => (axes.includes(letter) ? strides[axes.indexOf(letter)] : 0);
  return {
    shape: layout.shape,
    asksAxes: known === null,
    dtype: DTYPE_NAMES[layout.dtype],
    channelNames: [],
    pixelSizeUm: {},
    get axes() { return axes; },
    get sizes() { return sizesOf(axes, layout.shape); },
    get isRgb() { return axes === "YXC" && layout.dtype === "u1" && layout.shape[2] >= 3; },
    interpret(letters) { axes = letters; },
    plane({ t, z, c }, region, width, height) {
      const start = t * stride("T") + z * stride("Z") + c * stride("C");
      const offset = layout.offset + start * Number(layout.dtype[1]);
      const steps = { xStride: stride("X"), yStride: stride("Y") };
      return readPlane({ ...layout, ...steps, offset }, region, width, height);
    },
  };
}

/** NumPy's file format, versions 1 to 3 (numpy.lib.format). */
export async function openNpy(blob) {
  const start = new DataView(await blob.slice(0, 12).arrayBuffer());
  const isFirst = start.getUint8(6) === 1;
  const length = isFirst ? start.getUint16(8, true) : start.getUint32(8, true);
  const begin = isFirst ? 10 : 12;
  const header = await blob.slice(begin, begin + length).text();
  const descr = /'descr':\s*'([<>|=])([a-z])(\d+)'/.exec(header);
  const shape = /'shape':\s*\(([^)]*)\)/.exec(header);
  if (!descr || !shape) throw new Error("its header is not one of an array of numbers");
  const dtype = descr[2] === "b" ? "u1" : descr[2] + descr[3];
  if (!canRead(dtype)) throw new Error(`it holds ${descr[2]}${descr[3]} values, not numbers that can be shown`);
  return arrayDocument({
    blob,
    offset: begin + length,
    dtype,
    littleEndian: descr[1] !== ">",
    shape: shape[1].split(",").map((text) => text.trim()).filter(Boolean).map(Number),
    fortran: /'fortran_order':\s*True/.test(header),
  });
}
