// Records a golden run from JavaScript (browser, Node, React Native): one ES module, no dependency.
//
//   const recorder = new Recorder("face", ["decode", "preprocess", "model", "postprocess"], { device: { model: "Pixel 8" } });
//   recorder.case("img_001");
//   recorder.tensor("decode", "image", "uint8", [480, 640, 3], pixels);   // a typed array or ArrayBuffer
//   recorder.sample("end_to_end", 12345678n);                             // nanoseconds, number or BigInt
//   const files = recorder.finish();                                      // {"run.json": Uint8Array, "tensors.safetensors": Uint8Array}
//
// It never throws into the app: what went wrong stands in `error`, and then finish() gives null. Switched off, a call returns
// at once. Tensors are copied when they are recorded; beyond `most` bytes recording stops, with `error` set. In a browser
// offer the two files for download or POST them; in Node write them with writeFileSync. The format is docs/golden-run.md;
// recorders in other languages write the same bytes for the same calls.

const STORED = {
  bool: "BOOL", int8: "I8", uint8: "U8", int16: "I16", uint16: "U16", int32: "I32", uint32: "U32", int64: "I64", uint64: "U64",
  float16: "F16", bfloat16: "BF16", float32: "F32", float64: "F64", int4: "U8", uint4: "U8", string: "U8",
};
const WIDTH = { BOOL: 1, I8: 1, U8: 1, I16: 2, U16: 2, F16: 2, BF16: 2, I32: 4, U32: 4, F32: 4, I64: 8, U64: 8, F64: 8 };
const SECTIONS = ["model", "wrapper", "device", "runtime", "conditions"];

export class Recorder {
  constructor(pipeline, stages, { on = true, most = 256 * 1024 * 1024, time = "", ...facts } = {}) {
    Object.assign(this, { on, most, time, facts, pipeline, stages: [...stages], error: "", held: 0, named: false });
    this.cases = [];
    this.kept = [];
    this.launches = [["0", 0]];
    this.samples = new Map();
  }

  /** The samples that follow belong to this start of the process, after `warmup` runs that were not kept. */
  launch(name, warmup = 0) {
    if (!this.on || this.error) return;
    this.launches = [...(this.named ? this.launches : []), [name, warmup]];
    this.named = true;
  }

  /** One latency of this launch, in nanoseconds. */
  sample(span, nanoseconds) {
    if (!this.on || this.error) return;
    try {
      const value = typeof nanoseconds === "bigint" ? nanoseconds : BigInt(Math.round(nanoseconds));
      const launch = this.launches[this.launches.length - 1][0];
      if (!this.samples.has(span)) this.samples.set(span, new Map());
      const held = this.samples.get(span);
      if (!held.has(launch)) held.set(launch, []);
      held.get(launch).push(value);
    } catch (error) {
      this.error = `a sample of ${span} was not recorded: ${error.message}`;
    }
  }

  /** The tensors that follow belong to this input. */
  case(name) {
    if (this.on && !this.error) this.cases.push({ name, tensors: [] });
  }

  /** Values in row order, little endian; int4 and uint4 packed, the first in the low bits. withhold: "", "hash", "omitted". */
  tensor(stage, name, dtype, shape, values, withhold = "") {
    if (!this.on || this.error) return;
    try {
      const bytes = bytesOf(values);
      const half = dtype === "int4" || dtype === "uint4";
      const count = shape.reduce((a, b) => a * b, 1);
      const kind = STORED[dtype];
      if (!kind || dtype === "string" || bytes.length !== (half ? Math.ceil(count / 2) : count * WIDTH[kind])) {
        throw new Error("its type, shape and bytes do not agree");
      }
      if (!this.#declare(stage, name, dtype, shape, bytes, withhold)) return;
      this.#keep(this.#full(stage, name), kind, half ? [bytes.length] : shape, bytes);
    } catch (error) {
      this.error = `${stage}/${name} was not recorded: ${error.message}`;
    }
  }

  /** Texts, stored as UTF-8. */
  strings(stage, name, texts, shape = [texts.length], withhold = "") {
    if (!this.on || this.error) return;
    try {
      const pieces = texts.map(utf8);
      const bytes = joined(pieces);
      const ends = new BigInt64Array(pieces.length);
      pieces.reduce((at, piece, i) => { ends[i] = BigInt(at + piece.length); return at + piece.length; }, 0);
      if (!this.#declare(stage, name, "string", shape, bytes, withhold)) return;
      this.#keep(this.#full(stage, name), "U8", [bytes.length], bytes);
      this.#keep(this.#full(stage, name) + "#offsets", "I64", [ends.length], bytesOf(ends));
    } catch (error) {
      this.error = `${stage}/${name} was not recorded: ${error.message}`;
    }
  }

  /** Both files as bytes; null where recording was off or `error` says why. */
  finish() {
    if (!this.on || this.error) return null;
    try {
      const spans = [...this.samples.keys()].sort(byBytes);
      const tensors = [...this.kept];
      for (const span of spans) {
        for (const [launch] of this.launches) {
          const values = BigInt64Array.from(this.samples.get(span).get(launch) || []);
          tensors.push({ name: `latency/${span}/${launch}`, dtype: "I64", shape: [values.length], bytes: bytesOf(values) });
        }
      }
      tensors.sort((a, b) => WIDTH[b.dtype] - WIDTH[a.dtype] || byBytes(a.name, b.name));
      return {
        "run.json": utf8(this.#json(spans)),
        "tensors.safetensors": joined([header(tensors), ...tensors.map((one) => one.bytes)]),
      };
    } catch (error) {
      this.error = `the run was not made: ${error.message}`;
      return null;
    }
  }

  #full(stage, name) {
    return `${this.cases[this.cases.length - 1].name}/${stage}/${name}`;
  }

  #declare(stage, name, dtype, shape, bytes, withhold) {
    if (!this.cases.length) throw new Error("no case was begun");
    let entry = `{"stage":${quoted(stage)},"name":${quoted(name)},"dtype":"${dtype}","shape":${list(shape)}`;
    if (withhold === "hash") entry += `,"withheld":"hash","sha256":"${sha256(bytes)}"`;
    else if (withhold) entry += `,"withheld":${quoted(withhold)}`;
    this.cases[this.cases.length - 1].tensors.push(entry + "}");
    if (withhold) return false;
    this.held += bytes.length;
    if (this.held > this.most) throw new Error(`more than ${this.most} bytes; raise \`most\`, or record fewer tensors`);
    return true;
  }

  #keep(name, dtype, shape, bytes) {
    this.kept.push({ name, dtype, shape: [...shape], bytes: bytes.slice() });
  }

  #json(spans) {
    const parts = ['"schema":"edgecheck.golden/1"', `"pipeline":${quoted(this.pipeline)}`];
    for (const section of SECTIONS) parts.push(`"${section}":${factsOf(this.facts[section] || {})}`);
    parts.push(`"stages":[${this.stages.map(quoted).join(",")}]`);
    const cases = this.cases.map((one) => `{"name":${quoted(one.name)},"tensors":[${one.tensors.join(",")}]}`);
    parts.push(`"cases":[${cases.join(",")}]`);
    const launches = this.launches.map(([name, warmup]) => `{"name":${quoted(name)},"warmup":${warmup}}`);
    parts.push(`"latency":{"spans":[${spans.map(quoted).join(",")}],"launches":[${launches.join(",")}]}`);
    parts.push(`"recorder":${factsOf(this.facts.recorder || { name: "edgecheck", version: "1" })}`);
    parts.push(`"time":${quoted(this.time)}`);
    return `{${parts.join(",")}}\n`;
  }
}

const utf8 = (text) => new TextEncoder().encode(text);
const list = (sizes) => `[${sizes.join(",")}]`;

function bytesOf(values) {
  if (values instanceof ArrayBuffer) return new Uint8Array(values);
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

function joined(pieces) {
  const whole = new Uint8Array(pieces.reduce((size, piece) => size + piece.length, 0));
  pieces.reduce((at, piece) => { whole.set(piece, at); return at + piece.length; }, 0);
  return whole;
}

function byBytes(a, b) {
  const one = utf8(a), two = utf8(b);
  for (let i = 0; i < Math.min(one.length, two.length); i++) if (one[i] !== two[i]) return one[i] - two[i];
  return one.length - two.length;
}

function quoted(text) {
  const short = { '"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" };
  // eslint-disable-next-line no-control-regex
  return `"${text.replace(/["\\\u0000-\u001f]/g, (c) => short[c] || `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`)}"`;
}

function factsOf(facts) {
  const keys = Object.keys(facts).sort(byBytes);
  return `{${keys.map((key) => `${quoted(key)}:${typeof facts[key] === "string" ? quoted(facts[key]) : String(facts[key])}`).join(",")}}`;
}

function header(tensors) {
  let at = 0;
  const parts = tensors.map((one) => {
    const start = at;
    at += one.bytes.length;
    return `${quoted(one.name)}:{"dtype":"${one.dtype}","shape":${list(one.shape)},"data_offsets":[${start},${at}]}`;
  });
  const bytes = utf8(`{${parts.join(",")}}`);
  const padded = bytes.length + ((8 - (bytes.length % 8)) % 8);
  const whole = new Uint8Array(8 + padded).fill(32);
  new DataView(whole.buffer).setBigUint64(0, BigInt(padded), true);
  whole.set(bytes, 8);
  return whole;
}

/** SHA-256 (FIPS 180-4), 64 hexadecimal digits; crypto.subtle would make every call asynchronous. */
export function sha256(bytes) {
  const k = constants(), h = Uint32Array.from([0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19]);
  const padded = new Uint8Array(((bytes.length + 8) >> 6 << 6) + 64);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setBigUint64(padded.length - 8, BigInt(bytes.length) * 8n);
  const turn = (x, n) => (x >>> n) | (x << (32 - n));
  const w = new Uint32Array(64);
  for (let at = 0; at < padded.length; at += 64) {
    for (let i = 0; i < 16; i++) w[i] = view.getUint32(at + 4 * i);
    for (let i = 16; i < 64; i++) {
      const a = turn(w[i - 15], 7) ^ turn(w[i - 15], 18) ^ (w[i - 15] >>> 3);
      const b = turn(w[i - 2], 17) ^ turn(w[i - 2], 19) ^ (w[i - 2] >>> 10);
      w[i] = w[i - 16] + a + w[i - 7] + b;
    }
    const v = Uint32Array.from(h);
    for (let i = 0; i < 64; i++) {
      const t1 = v[7] + (turn(v[4], 6) ^ turn(v[4], 11) ^ turn(v[4], 25)) + ((v[4] & v[5]) ^ (~v[4] & v[6])) + k[i] + w[i];
      const t2 = (turn(v[0], 2) ^ turn(v[0], 13) ^ turn(v[0], 22)) + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
      v.set([t1 + t2, v[0], v[1], v[2], v[3] + t1, v[4], v[5], v[6]]);
    }
    for (let i = 0; i < 8; i++) h[i] += v[i];
  }
  return [...h].map((one) => one.toString(16).padStart(8, "0")).join("");
}

/** The first 32 bits of the fractions of the cube roots of the first 64 primes. */
function constants() {
  const primes = [];
  for (let n = 2; primes.length < 64; n++) if (primes.every((p) => n % p)) primes.push(n);
  return Uint32Array.from(primes, (p) => Number(fraction(BigInt(p))));
}

function fraction(prime) {
  // floor(2^32 * cbrt(p)) by whole numbers, since a double has too few bits for some.
  const cube = prime << 96n;
  let low = 0n, high = 1n << 40n;
  while (high - low > 1n) {
    const middle = (low + high) >> 1n;
    if (middle * middle * middle <= cube) low = middle; else high = middle;
  }
  return low & 0xffffffffn;
}
