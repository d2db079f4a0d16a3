// The image worker as promises.

let worker = null;
let lastCall = 0;
const waiting = new Map();

function start() {
  worker = new Worker("/page/js/images/worker.js", { type: "module" });
  worker.onmessage = ({ data: { call, result, error } }) => {
    const { resolve, reject } = waiting.get(call);
    waiting.delete(call);
    if (error) reject(Object.assign(new Error(error.message), { name: error.name }));
    else resolve(result);
  };
  worker.onerror = () => {
    for (const { reject } of waiting.values()) reject(new Error("the image reader stopped; reload the page"));
    waiting.clear();
    worker = null;
  };
}

function call(method, ...args) {
  if (!worker) start();
  const number = (lastCall += 1);
  worker.postMessage({ call: number, method, args });
  return new Promise((resolve, reject) => waiting.set(number, { resolve, reject }));
}

/** An image, opened; `info` is what its file says. */
export class ImageDocument {
  constructor(info) {
    this.info = info;
  }

  /** Raises WrongFileError by name for a file that no model runs on, others for one not shown. */
  static async open(blob, name) {
    return new ImageDocument(await call("open", blob, name));
  }

  async interpret(axes) {
    this.info = await call("interpret", this.info.id, axes);
  }

  contrast(position) { return call("contrast", this.info.id, position); }
  picture(request) { return call("picture", this.info.id, request); }
  labels(request) { return call("labels", this.info.id, request); }
  values(place) { return call("values", this.info.id, place); }
  close() { return call("close", this.info.id); }
}
