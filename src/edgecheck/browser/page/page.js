// The page that runs models: it asks the host for a job, does it, posts the result, and asks again.
// A job is {id, engine, build, package, model, feeds, options, run}; `model` and each feed's `data` are URLs of this host.

const printed = [];
for (const level of ["debug", "log", "info", "warn", "error"]) {
  console[level] = (...parts) => printed.push(parts.map(String).join(" "));
}

const ARRAYS = {
  float32: Float32Array, float64: Float64Array, int8: Int8Array, uint8: Uint8Array, int16: Int16Array,
  uint16: Uint16Array, int32: Int32Array, uint32: Uint32Array, int64: BigInt64Array, uint64: BigUint64Array,
  bool: Uint8Array, float16: globalThis.Float16Array ?? Uint16Array, int4: Uint8Array, uint4: Uint8Array,
};
const here = new URLSearchParams(location.search);

const bytes = async (url) => new Uint8Array(await (await fetch(url)).arrayBuffer());

/** An array of element type `dtype` over a copy of the bytes. */
const array = (dtype, raw) => new ARRAYS[dtype](raw.buffer, raw.byteOffset, raw.byteLength / ARRAYS[dtype].BYTES_PER_ELEMENT);

/** Raw bytes of a typed array as base64. */
function base64(values) {
  const raw = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  let text = "";
  for (let i = 0; i < raw.length; i += 32768) text += String.fromCharCode(...raw.subarray(i, i + 32768));
  return btoa(text);
}

/** ONNX Runtime web: builds `webgpu`, `jsep`, `wasm` are different modules of one package; `webnn` is `jsep`'s. */
const ort = {
  files: {
    webgpu: "ort.webgpu.bundle.min.mjs", jsep: "ort.all.bundle.min.mjs", wasm: "ort.wasm.bundle.min.mjs",
    webnn: "ort.all.bundle.min.mjs",
  },

  async load(name, build) {
    const dist = `/npm/${name}/dist/`;
    this.api = await import(dist + this.files[build]);
    this.api.env.wasm.numThreads = 1;
    this.api.env.wasm.wasmPaths = new URL(dist, location.href).href;
    this.api.env.logLevel = "verbose";
  },

  async tensor({dtype, dims, data, strings}) {
    return new this.api.Tensor(dtype, strings ?? array(dtype, await bytes(data)), dims);
  },

  async run(job) {
    const session = await this.api.InferenceSession.create(await bytes(job.model), job.options);
    const out = {made: true, text: printed.splice(0)};
    if (job.run) Object.assign(out, await attempt(() => this.outputs(session, job)));
    // After a kernel in JavaScript has failed, every later one of the page does.
    if (out.failure && here.get("build") === "jsep") out.fatal = true;
    if (!out.fatal) await session.release();
    return out;
  },

  async outputs(session, job) {
    const feeds = {};
    for (const one of job.feeds) feeds[one.name] = await this.tensor(one);
    const outputs = [];
    for (const [name, value] of Object.entries(await session.run(feeds))) {
      const data = await value.getData();
      const held = value.type === "string" ? {strings: data} : {data: base64(data)};
      outputs.push({name, dtype: value.type, dims: value.dims, ...held});
    }
    return outputs;
  },
};

/**
 * LiteRT.js: `build` is the accelerator, webgpu or wasm; `webgpu-jspi` is the module that may leave operators to the CPU.
 * With the option `interface: "module"` the WebAssembly module is asked, past the types that the package's Tensor knows.
 */
const litert = {
  async load(name, build) {
    const [accelerator, more] = build.split("-");
    this.api = await import(`/npm/${name}/dist/index.js`);
    this.accelerator = accelerator;
    await this.api.loadLiteRt(new URL(`/npm/${name}/wasm/`, location.href).href, {jspi: more === "jspi"});
  },

  async run(job) {
    const {interface: by, ...options} = job.options;
    const asked = {accelerator: this.accelerator, ...options}, content = await bytes(job.model);
    if (by === "module") return await this.compile(content, asked);
    const model = await this.api.loadAndCompile(content, asked);
    const out = {made: true, accelerated: model.isFullyAccelerated, text: printed.splice(0)};
    if (job.run) Object.assign(out, await attempt(() => this.outputs(model, job)));
    if (!out.fatal) model.delete();
    return out;
  },

  async compile(content, options) {
    const {liteRtWasm: wasm} = this.api.getGlobalLiteRt(), {liteRtEnvironment: environment} = this.api.getDefaultEnvironment();
    const place = wasm._malloc(content.byteLength), held = [];
    try {
      wasm.HEAPU8.set(content, place);
      held.push(wasm.loadModel(environment, place, content.byteLength));
      const filled = {cpuOptions: {numThreads: 1}, gpuOptions: {}, webNNOptions: {}, ...options};
      held.push(await wasm.compileModel(environment, held[0], filled));
      return {made: true, accelerated: held[1].isFullyAccelerated(), text: printed.splice(0)};
    } finally {
      while (held.length) held.pop().delete();
      wasm._free(place);
    }
  },

  async outputs(model, job) {
    const feeds = [];
    for (const one of job.feeds) feeds.push(new this.api.Tensor(array(one.dtype, await bytes(one.data)), one.dims));
    const outputs = [];
    for (const value of await model.run(feeds)) {
      const data = await value.data();
      outputs.push({dtype: value.type.dtype, dims: [...value.type.layout.dimensions], data: base64(data)});
    }
    return outputs;
  },
};

const ENGINES = {ort, litert};
const post = (id, result) => fetch(`/result/${id}`, {method: "POST", body: JSON.stringify(result)});

/** A WebAssembly instance that aborted, or a lost device, answers nothing any more: the page must be loaded again. */
const FATAL = /abort|unreachable|memory access out of bounds|table index|device (was )?lost|RuntimeError|out of memory/i;

/** `{outputs}` of a call, or `{failure, fatal}`. */
async function attempt(call) {
  try {
    return {outputs: await call()};
  } catch (error) {
    const failure = String(error?.message ?? error);
    return {failure, fatal: FATAL.test(`${error?.name} ${failure}`)};
  }
}

async function main() {
  const engine = ENGINES[here.get("engine")];
  if (engine) await engine.load(here.get("package"), here.get("build"));
  for (;;) {
    const job = await (await fetch("/job")).json();
    if (job.goto) {
      location.href = job.goto;
      return;
    }
    if (!job.id) continue;
    printed.length = 0;
    const {outputs: done, ...failed} = await attempt(() => engine.run(job));
    const result = {...done, ...failed};
    await post(job.id, {...result, printed});
    if (result.fatal) {
      location.reload();
      return;
    }
  }
}

main().catch((error) => post("page", {failure: `the page cannot start: ${error?.message ?? error}`, fatal: true}));
