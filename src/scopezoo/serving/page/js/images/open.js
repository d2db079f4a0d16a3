// Opens an image file by what it starts with, as the server does.

import { openNpy } from "./array.js";
import { openJpeg, openPng } from "./raster.js";
import { openTiff } from "./tiff.js";

/** A file that no part of scopezoo reads: there is no use in sending it. */
export class WrongFileError extends Error {
  name = "WrongFileError";
}

const MAKERS = {
  czi: "Zeiss CZI", lif: "Leica LIF", lof: "Leica LOF", xlef: "Leica XLEF", nd2: "Nikon ND2",
  oib: "Olympus OIB", oif: "Olympus OIF", oir: "Olympus OIR", vsi: "Olympus VSI",
  ims: "Imaris IMS", dv: "DeltaVision DV", zvi: "Zeiss ZVI",
};

const STARTS = [
  ["II*\0", openTiff], ["MM\0*", openTiff], ["II+\0", openTiff], ["MM\0+", openTiff],
  ["\x89PNG\r\n", openPng], ["\xff\xd8\xff", openJpeg], ["\x93NUMPY", openNpy],
];

/** Raises WrongFileError for what no model can be run on, another Error for what cannot be shown. */
export async function openImage(blob, name) {
  if (!blob.size) throw new WrongFileError(`${name} is empty.`);
  const maker = MAKERS[name.split(".").pop().toLowerCase()];
  if (maker) {
    throw new WrongFileError(
      `${name} is ${maker}, which scopezoo does not read. Export it as OME-TIFF, from Fiji (with `
      + "Bio-Formats) or from the microscope's own software, and choose that file.");
  }
  const bytes = new Uint8Array(await blob.slice(0, 8).arrayBuffer());
  const start = String.fromCharCode(...bytes);
  const opener = STARTS.find(([begin]) => start.startsWith(begin));
  if (!opener) {
    throw new WrongFileError(`${name} is no image that scopezoo reads. Choose a TIFF, PNG, JPEG or NPY file.`);
  }
  return opener[1](blob);
}
