// The same result elsewhere: shell, Python, ImageJ, curl.

const PLAIN = /^[A-Za-z0-9_./:@%+=,-]+$/;

/** A word of a POSIX shell. */
export function shellWord(text) {
  return PLAIN.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

export function pythonText(text) {
  return JSON.stringify(text);
}

/** A value of an ImageJ macro's option string; brackets hold spaces. */
export function macroValue(text) {
  return /^[A-Za-z0-9_./:-]+$/.test(text) ? text : `[${text}]`;
}

/** `{model, file, parameters: {axes, channel, tile, rescale, table, rois}, origin, auth}` as texts. */
export function recipes(made) {
  return [
    { id: "shell", title: "Command line", text: commandLine(made) },
    { id: "python", title: "Python", text: python(made) },
    { id: "server", title: "Python, on this server", text: pythonServer(made) },
    { id: "imagej", title: "ImageJ macro", text: macro(made), note: macroNote(made) },
    { id: "curl", title: "curl", text: curl(made) },
  ];
}

function resultName(file) {
  return file.toLowerCase() === "result.tif" ? "result-2.tif" : "result.tif";
}

function commandLine({ model, file, parameters }) {
  const words = ["scopezoo predict", shellWord(model), shellWord(file), "-o", resultName(file)];
  for (const name of ["axes", "channel", "tile"]) {
    if (parameters[name]) words.push(`--${name} ${shellWord(parameters[name])}`);
  }
  for (const name of ["rescale", "table", "rois"]) if (parameters[name]) words.push(`--${name}`);
  return words.join(" ");
}

function keywords({ axes, channel, rescale }) {
  return [
    axes && `axes=${pythonText(axes)}`,
    channel && `channel=${pythonText(channel)}`,
    rescale && "rescale=True",
  ].filter(Boolean);
}

function python({ model, file, parameters }) {
  const { tile, table, rois } = parameters;
  const extras = [table && "table=True", rois && "rois=True"].filter(Boolean).join(", ");
  const call = [pythonText(model), pythonText(file), pythonText(resultName(file)), ...keywords(parameters),
    extras && `extras=Extras(${extras})`, tile && `tile=${tileMapping(tile)}`].filter(Boolean);
  return [
    `from scopezoo.predict import ${extras ? "Extras, " : ""}predict`,
    "",
    `result = predict(\n    ${call.join(",\n    ")},\n)`,
  ].join("\n");
}

/** "512" or "z=32,y=256" as the engine takes it. */
function tileMapping(tile) {
  const pairs = tile.includes("=") ? tile.split(",").map((pair) => pair.split("=")) : [["y", tile], ["x", tile]];
  return `{${pairs.map(([axis, size]) => `"${axis.trim()}": ${Number(size)}`).join(", ")}}`;
}

function pythonServer({ model, file, parameters, origin, auth }) {
  const { tile, table, rois } = parameters;
  const extras = [table && "table=True", rois && "rois=True"].filter(Boolean).join(", ");
  const token = auth ? ', token=os.environ["SCOPEZOO_TOKEN"]' : "";
  const call = [pythonText(model), pythonText(file), pythonText(resultName(file)), ...keywords(parameters),
    extras && `extras=Extras(${extras})`, tile && `tile=${tileMapping(tile)}`].filter(Boolean);
  return [
    auth ? "import os\n" : null,
    "import scopezoo",
    extras ? "from scopezoo.predict import Extras" : null,
    "",
    `server = scopezoo.connect(${pythonText(origin)}${token})`,
    `result = server.predict(\n    ${call.join(",\n    ")},\n)`,
  ].filter((line) => line !== null).join("\n");
}

function macro({ model, file, parameters, origin }) {
  const options = [`server=${macroValue(origin)}`, `model=${macroValue(model)}`,
    `channel=${parameters.channel ? macroValue(parameters.channel) : "[]"}`,
    ...["rescale", "table", "rois"].filter((name) => parameters[name])];
  const quoted = (text) => `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
  return `open(${quoted(file)});\nrun("Predict...", ${quoted(options.join(" "))});`;
}

function macroNote({ parameters, auth }) {
  const unsaid = [parameters.axes && "the axes (set them in Image > Properties)", parameters.tile && "the tile"].filter(Boolean);
  const notes = [];
  if (unsaid.length) notes.push(`The macro does not say ${unsaid.join(" and ")}.`);
  if (auth) notes.push("Give ImageJ the token once, in the dialog.");
  return notes.join(" ");
}

function curl({ model, file, parameters, origin, auth }) {
  const query = new URLSearchParams();
  for (const name of ["axes", "channel", "tile"]) if (parameters[name]) query.set(name, parameters[name]);
  if (parameters.rescale) query.set("rescale", "true");
  const address = `${origin}/api/v1/models/${encodeURIComponent(model)}/predict${query.size ? `?${query}` : ""}`;
  const lines = ["curl --fail-with-body", `-o ${resultName(file)}`];
  if (auth) lines.push('-H "Authorization: Bearer $SCOPEZOO_TOKEN"');
  lines.push('-H "Content-Type: application/octet-stream"', `--data-binary ${shellWord(`@${file}`)}`, shellWord(address));
  return lines.join(" \\\n  ");
}
