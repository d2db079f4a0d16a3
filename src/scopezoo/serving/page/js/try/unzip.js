// The files of a zip that stores them as they are, which is what the server sends.

const END_BYTES = 22;
const ENTRY = 0x02014b50;
const STORED = 0;

/** [{name, blob}]; specification: PKWARE APPNOTE 4.3.12 and 4.3.16. */
export async function unzip(zip) {
  const end = await view(zip, zip.size - END_BYTES, END_BYTES);
  const directory = await view(zip, end.getUint32(16, true), end.getUint32(12, true));
  const files = [];
  for (let at = 0; at + 46 <= directory.byteLength && directory.getUint32(at, true) === ENTRY;) {
    const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((place) => directory.getUint16(at + place, true));
    const name = new TextDecoder().decode(new Uint8Array(directory.buffer, at + 46, nameBytes));
    if (directory.getUint16(at + 10, true) !== STORED) throw new Error(`${name} is compressed in the answer`);
    const [size, offset] = [24, 42].map((place) => directory.getUint32(at + place, true));
    const local = await view(zip, offset, 30);
    const start = offset + 30 + local.getUint16(26, true) + local.getUint16(28, true);
    files.push({ name, blob: zip.slice(start, start + size) });
    at += 46 + nameBytes + extraBytes + commentBytes;
  }
  return files;
}

async function view(blob, start, size) {
  return new DataView(await blob.slice(start, start + size).arrayBuffer());
}
