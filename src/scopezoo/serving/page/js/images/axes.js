// Which letter each axis of a file has, and where a plane lies. As the server reads them.

const LETTERS = "TCZYX";

/** Letters for axes of unknown meaning, or null where only the user can tell. */
export function lettersFromShape(shape) {
  if (shape.length === 2) return "YX";
  if (shape.length === 3 && (shape[2] === 3 || shape[2] === 4)) return "YXC";
  return null;
}

/** Something to look at before the user has said what the axes are. */
export function guessedLetters(rank) {
  return { 1: "X", 3: "ZYX", 4: "TZYX", 5: "TCZYX" }[rank] ?? "YX";
}

/** What is wrong with `axes` for `rank` axes, or "" where nothing is. */
export function axesProblem(axes, rank) {
  const letters = [...axes];
  const strange = letters.some((letter) => !LETTERS.includes(letter));
  const twice = new Set(letters).size !== letters.length;
  if (strange || twice || !axes.includes("Y") || !axes.includes("X")) {
    return "Use different letters of T, C, Z, Y and X, with Y and X among them.";
  }
  if (letters.length !== rank) return `The image has ${rank} axes: give ${rank} letters.`;
  return "";
}

/** What an image of this shape may be, to choose from. */
export function axesChoices(shape) {
  const inColour = [3, 4].includes(shape[shape.length - 1]);
  const choices = {
    3: ["ZYX", "TYX", "CYX"],
    4: [...(inColour ? ["ZYXC", "TYXC"] : []), "CZYX", "ZCYX", "TZYX", "TCYX"],
    5: [...(inColour ? ["TZYXC"] : []), "TCZYX", "TZCYX"],
  };
  return choices[shape.length] ?? [];
}

/** Sizes of all five axes, 1 for those that the image does not have. */
export function sizesOf(axes, shape) {
  const sizes = { t: 1, c: 1, z: 1, y: 1, x: 1 };
  [...axes].forEach((letter, i) => { sizes[letter.toLowerCase()] = shape[i]; });
  return sizes;
}

/** Strides in pixels of an array in C or Fortran order. */
export function stridesOf(shape, fortran = false) {
  const strides = new Array(shape.length);
  let step = 1;
  const order = [...shape.keys()];
  if (!fortran) order.reverse();
  for (const i of order) {
    strides[i] = step;
    step *= shape[i];
  }
  return strides;
}
