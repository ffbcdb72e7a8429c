// Records a golden run from JavaScript (browser, Node, React Native): one ES module, no dependency.
//
//   const recorder = new Recorder("face", ["decode", "preprocess", "model", "postprocess"], { device: { model: "Pixel 8" } });
//   recorder.case("img_001");
//   recorder.tensor("decode", "image", "uint8", [480, 640, 3], pixels);   // a typed array, DataView or ArrayBuffer
//   recorder.sample("end_to_end", 12345678);                              // nanoseconds
//   const files = recorder.finish();                                      // {"run.json": Uint8Array, "tensors.safetensors": Uint8Array}
//
// It never throws into the app: what went wrong stands in `error`, and then finish() gives null. Switched off, a call returns
// at once. Tensors are copied when they are recorded; beyond `most` bytes recording stops with `error` set, or, with
// `keepLast`, forgets its oldest cases. In a browser offer the two files for download or POST them; in Node save() writes
// them. The format is docs/golden-run.md; recorders in other languages write the same bytes for the same calls.

const STORED = {
  bool: "BOOL", int8: "I8", uint8: "U8", int16: "I16", uint16: "U16", int32: "I32", uint32: "U32", int64: "I64", uint64: "U64",
  float16: "F16", bfloat16: "BF16", float32: "F32", float64: "F64", int4: "U8", uint4: "U8",
};
const WIDTH = { BOOL: 1, I8: 1, U8: 1, I16: 2, U16: 2, F16: 2, BF16: 2, I32: 4, U32: 4, F32: 4, I64: 8, U64: 8, F64: 8 };
const SECTIONS = ["model", "wrapper", "device", "runtime", "conditions", "recorder"];
const MOST_PIECES = 20000; // cases, tensors and what belongs to them: a reader takes no more
const BINS = 16;

export class Recorder {
  #pipeline = ""; #stages = []; #facts = {}; #time = "";
  #cases = new Map(); #newest = null; #held = 0; #pieces = 0; #dropped = 0;
  #launches = [["0", 0]]; #default = true; #samples = new Map(); #finished = false;

  /** facts: model, wrapper, device, runtime, conditions: texts, and whole numbers for the last two. */
  constructor(pipeline, stages, options) {
    this.error = "";
    this.on = true;
    this.most = 256 * 1024 * 1024;
    this.keepLast = false;
    this.#guard("the run was not begun", () => {
      const { on = true, most = this.most, keepLast = false, time = "", ...facts } = options || {};
      Object.assign(this, { on, most, keepLast });
      if (!on) return;
      this.#pipeline = nameOf(pipeline);
      this.#stages = Array.from(stages, nameOf);
      this.#time = textOf(time, 2000);
      if (new Set(this.#stages).size !== this.#stages.length || this.#stages.length > 256) throw new Error("stages are at most 256, each named once");
      for (const section of Object.keys(facts)) for (const key of Object.keys(facts[section])) this.#fact(section, key, facts[section][key]);
    });
  }

  /** A fact of model, wrapper, device, runtime, conditions; where it is known only later. */
  fact(section, key, value) {
    if (this.on) this.#guard("a fact was not recorded", () => this.#fact(section, key, value));
  }

  /** When the run was made, as 2026-11-21T07:40:00Z. */
  time(text) {
    if (this.on) this.#guard("the time was not recorded", () => { this.#time = textOf(text, 2000); });
  }

  /** The samples that follow belong to this start of the process, after `warmup` runs that were not kept. */
  launch(name, warmup = 0) {
    if (!this.on) return;
    this.#guard("a launch was not recorded", () => {
      const one = nameOf(name), launches = this.#default ? [] : this.#launches;
      if (launches.some(([known]) => known === one) || launches.length >= 4096) throw new Error("its name is taken, or there are more than 4096");
      if (!Number.isInteger(warmup) || warmup < 0 || warmup >= 2 ** 31) throw new Error("its warm-up is no count");
      this.#launches = [...launches, [one, warmup]];
      this.#default = false;
    });
  }

  /** One latency of this launch, in nanoseconds: a number or a BigInt. */
  sample(span, nanoseconds) {
    if (!this.on) return;
    this.#guard("a sample was not recorded", () => {
      const value = Math.round(Number(nanoseconds));
      if (!Number.isSafeInteger(value) || value < 0) throw new Error("it is no count of nanoseconds");
      const name = this.#samples.has(span) ? span : nameOf(span);
      if (!this.#samples.has(name)) {
        if (this.#samples.size >= 64) throw new Error("there are more than 64 spans");
        this.#samples.set(name, new Map());
      }
      const launch = this.#launches[this.#launches.length - 1][0], held = this.#samples.get(name);
      if (!held.has(launch)) held.set(launch, new Growing());
      held.get(launch).push(value);
      this.#default = false;
      this.#held += 8;
      if (this.#held > this.most) this.#hold(0, 0);
    });
  }

  /** The tensors that follow belong to this input. */
  case(name) {
    if (!this.on) return;
    this.#guard("a case was not recorded", () => {
      const one = nameOf(name);
      if (one === "latency" || this.#cases.has(one)) throw new Error("its name is taken");
      this.#newest = { name: one, entries: [], kept: [], seen: new Set(), size: 0, pieces: 0 };
      this.#cases.set(one, this.#newest);
      this.#hold(256, 1);
    });
  }

  /**
   * Values in row order, little endian; int4 and uint4 packed, the first in the low bits. withhold: "", "hash" (only the SHA-256
   * of the bytes is kept) or "omitted" (only type and shape). With aggregates the count, least, mean, … of the values are kept.
   */
  tensor(stage, name, dtype, shape, values, withhold = "", aggregates = false) {
    if (!this.on) return;
    this.#guard([stage, name], () => {
      const bytes = bytesOf(values), sizes = sizesOf(shape), half = dtype === "int4" || dtype === "uint4";
      const count = sizes.reduce((a, b) => a * b, 1), kind = Object.hasOwn(STORED, dtype) ? STORED[dtype] : "";
      if (!kind) throw new Error("there is no such dtype");
      const need = half ? Math.ceil(count / 2) : count * WIDTH[kind];
      if (bytes.length !== need) throw new Error(`${bytes.length} bytes for a type and shape of ${need}`);
      const kept = withhold ? [] : [this.#keep("", kind, half ? [bytes.length] : sizes, bytes)];
      this.#declare(stage, name, dtype, sizes, bytes, withhold, aggregates ? [...kept, ...summary(dtype, bytes, count)] : kept, aggregates);
    });
  }

  /** Texts, stored as UTF-8. */
  strings(stage, name, texts, shape = undefined, withhold = "", aggregates = false) {
    if (!this.on) return;
    this.#guard([stage, name], () => {
      const pieces = Array.from(texts, utf8), sizes = shape === undefined ? [pieces.length] : sizesOf(shape);
      if (sizes.reduce((a, b) => a * b, 1) !== pieces.length) throw new Error(`${pieces.length} texts for another shape`);
      const bytes = joined(pieces), ends = new Growing(), lengths = new Growing();
      let at = 0;
      for (const piece of pieces) {
        at += piece.length;
        ends.push(at);
        lengths.push(piece.length);
      }
      const kept = withhold ? [] : [this.#keep("", "U8", [bytes.length], bytes), this.#keep("#offsets", "I64", [pieces.length], ends.bytes())];
      if (aggregates) kept.push(...summary("int64", lengths.bytes(), pieces.length));
      this.#declare(stage, name, "string", sizes, bytes, withhold, kept, aggregates);
    });
  }

  /** Both files as bytes; null where recording was off or `error` says why. */
  finish() {
    if (!this.on) return null;
    let files = null;
    this.#guard("the run was not made", () => { files = this.#files(); });
    this.#finished = true;
    this.#cases = new Map();
    this.#samples = new Map();
    return files;
  }

  #guard(what, act) {
    if (!this.on || this.error) return;
    try {
      if (this.#finished) throw new Error("finish() was called before");
      act();
    } catch (error) {
      let said = "a tensor was not recorded: what was given cannot be shown";
      try { said = `${Array.isArray(what) ? `${what.join("/")} was not recorded` : what}: ${(error && error.message) || error}`; } catch { /* an app's own object */ }
      this.error = said;
    }
  }

  #fact(section, key, value) {
    const number = typeof value === "number" && (section === "runtime" || section === "conditions");
    if (!SECTIONS.includes(section)) throw new Error("there is no such section");
    if (number ? !Number.isSafeInteger(value) : typeof value !== "string") throw new Error("a fact is a text, or in runtime and conditions a whole number");
    const facts = (this.#facts[section] ||= new Map());
    facts.set(textOf(key, 200), number ? String(value) : quoted(textOf(value, 2000)));
    if (facts.size > 199) throw new Error("a section has at most 199 facts");
  }

  /** Count what the newest case grew by; forget the oldest cases, or refuse, where it is too much. */
  #hold(size, pieces) {
    this.#held += size;
    this.#pieces += pieces;
    if (this.#newest) {
      this.#newest.size += size;
      this.#newest.pieces += pieces;
    }
    while (this.#held > this.most || this.#pieces > MOST_PIECES) {
      if (!this.keepLast || this.#cases.size < 2) throw new Error(`more than ${this.most} bytes or ${MOST_PIECES} tensors; raise \`most\`, or record fewer`);
      const [name, oldest] = this.#cases.entries().next().value;
      this.#cases.delete(name);
      this.#held -= oldest.size;
      this.#pieces -= oldest.pieces;
      this.#dropped += 1;
    }
  }

  #keep(suffix, dtype, shape, bytes) {
    if (bytes.length > this.most) throw new Error(`more than ${this.most} bytes; raise \`most\`, or record fewer`);
    return { name: suffix, dtype, shape, bytes: bytes.slice() };
  }

  #declare(stage, name, dtype, shape, bytes, withhold, kept, aggregates) {
    const into = this.#newest, [one, two] = [textOf(stage, 200), nameOf(name)];
    if (!into) throw new Error("no case was begun");
    const key = `${one}/${two}`;
    if (!this.#stages.includes(one) || into.seen.has(key) || into.seen.size >= 4096) throw new Error("there is no such stage, or it has this tensor, or its case more than 4096");
    if (!["", "hash", "omitted"].includes(withhold)) throw new Error("withhold is neither 'hash' nor 'omitted'");
    let entry = `{"stage":${quoted(one)},"name":${quoted(two)},"dtype":"${dtype}","shape":${list(shape)}`;
    if (withhold === "hash") entry += `,"withheld":"hash","sha256":"${sha256(bytes)}"`;
    else if (withhold) entry += ',"withheld":"omitted"';
    entry += aggregates ? ',"aggregates":true}' : "}";
    into.seen.add(key);
    into.entries.push(entry);
    for (const piece of kept) into.kept.push({ ...piece, name: `${into.name}/${key}${piece.name}` });
    this.#hold(256 + utf8(entry).length + kept.reduce((sum, piece) => sum + piece.bytes.length, 0), 1 + kept.length);
  }

  #files() {
    const spans = sortedByBytes([...this.#samples.keys()]);
    const tensors = [...this.#cases.values()].flatMap((one) => one.kept);
    for (const span of spans) {
      for (const [launch] of this.#launches) {
        const bytes = (this.#samples.get(span).get(launch) || new Growing()).bytes();
        tensors.push({ name: `latency/${span}/${launch}`, dtype: "I64", shape: [bytes.length / 8], bytes });
      }
    }
    const keys = new Map(tensors.map((one) => [one, utf8(one.name)]));
    tensors.sort((a, b) => WIDTH[b.dtype] - WIDTH[a.dtype] || byBytes(keys.get(a), keys.get(b)));
    const first = header(tensors), run = utf8(this.#json(spans));
    for (const [most, made] of [[8 << 20, first], [16 << 20, run]]) {
      if (made.length > most || signs(made) > 400000) throw new Error("a reader takes no run with as many names and shapes");
    }
    return { "run.json": run, "tensors.safetensors": joined([first, ...tensors.map((one) => one.bytes)]) };
  }

  #json(spans) {
    const parts = ['"schema":"edgecheck.golden/1"', `"pipeline":${quoted(this.#pipeline)}`];
    for (const section of SECTIONS.slice(0, -1)) parts.push(`"${section}":${factsOf(this.#facts[section] || new Map())}`);
    parts.push(`"stages":[${this.#stages.map(quoted).join(",")}]`);
    const cases = [...this.#cases.values()].map((one) => `{"name":${quoted(one.name)},"tensors":[${one.entries.join(",")}]}`);
    parts.push(`"cases":[${cases.join(",")}]`);
    const launches = this.#launches.map(([name, warmup]) => `{"name":${quoted(name)},"warmup":${warmup}}`);
    parts.push(`"latency":{"spans":[${spans.map(quoted).join(",")}],"launches":[${launches.join(",")}]}`);
    const recorder = new Map(this.#facts.recorder || [["name", '"edgecheck"'], ["version", '"1"']]);
    if (this.#dropped) recorder.set("dropped", `"${this.#dropped}"`);
    parts.push(`"recorder":${factsOf(recorder)}`);
    parts.push(`"time":${quoted(this.#time)}`);
    return `{${parts.join(",")}}\n`;
  }
}

/** Writes what finish() gave into a new folder, whole or not at all, with Node's `fs` module; "" or what went wrong. */
export function save(fs, folder, files) {
  const temporary = `${folder}.part`;
  try {
    if (!files) return "the run was not written: there is nothing to save";
    if (fs.existsSync(folder)) return `the run was not written: ${folder} is there already`;
    fs.rmSync(temporary, { recursive: true, force: true });
    fs.mkdirSync(temporary);
    for (const name of Object.keys(files)) fs.writeFileSync(`${temporary}/${name}`, files[name]);
    fs.renameSync(temporary, folder);
    return "";
  } catch (error) {
    try { fs.rmSync(temporary, { recursive: true, force: true }); } catch { /* it is told below */ }
    return `the run was not written: ${error && error.message}`;
  }
}

/** Whole numbers below 2^53 as int64, in a buffer that grows. */
class Growing {
  #view = new DataView(new ArrayBuffer(64));
  #size = 0;
  push(value) {
    if (this.#size + 8 > this.#view.byteLength) {
      const larger = new Uint8Array(this.#view.byteLength * 2);
      larger.set(new Uint8Array(this.#view.buffer));
      this.#view = new DataView(larger.buffer);
    }
    this.#view.setUint32(this.#size, value % 2 ** 32, true);
    this.#view.setUint32(this.#size + 4, Math.floor(value / 2 ** 32), true);
    this.#size += 8;
  }
  bytes() {
    return new Uint8Array(this.#view.buffer, 0, this.#size);
  }
}

/**
 * Count, NaN, infinite, zero, least, greatest, mean, deviation and 16 bins, as what is stored: in double precision, one value after
 * the other, in two passes, so that every language gets the same bits.
 */
function summary(dtype, bytes, count) {
  const at = reader(dtype, new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  let nan = 0, infinite = 0, zeros = 0, finite = 0, low = Infinity, high = -Infinity, total = 0, squares = 0;
  for (let i = 0; i < count; i++) {
    const value = at(i);
    if (!Number.isFinite(value)) {
      if (value !== value) nan++; else infinite++;
      continue;
    }
    if (value === 0) zeros++;
    if (value < low) low = value;
    if (value > high) high = value;
    total += value;
    finite++;
  }
  const mean = total / finite, base = low * 0.5, width = high * 0.5 - base;
  const bins = new Array(BINS).fill(0);
  for (let i = 0; i < count; i++) {
    const value = at(i);
    if (!Number.isFinite(value)) continue;
    squares += (value - mean) * (value - mean);
    bins[width > 0 ? Math.min(BINS - 1, Math.floor((value * 0.5 - base) / width * BINS)) : 0]++;
  }
  const deviation = Number.isFinite(squares) ? Math.sqrt(squares / finite) : NaN;
  const figures = new DataView(new ArrayBuffer(64)), histogram = new Growing();
  [count, nan, infinite, zeros, low + 0, high + 0, mean, deviation].forEach((value, i) => {
    if (Number.isFinite(value)) figures.setFloat64(8 * i, value, true);
    else figures.setUint32(8 * i + 4, 0x7ff80000, true); // one NaN only: a processor's has the sign it likes
  });
  bins.forEach((value) => histogram.push(value));
  return [
    { name: "#aggregates", dtype: "F64", shape: [8], bytes: new Uint8Array(figures.buffer) },
    { name: "#histogram", dtype: "I64", shape: [BINS], bytes: histogram.bytes().slice() },
  ];
}

/** The i-th value as a number. */
function reader(dtype, view) {
  const float = new DataView(new ArrayBuffer(4));
  const bits = (value) => { float.setUint32(0, value); return float.getFloat32(0); };
  const nibble = (i) => (view.getUint8(i >> 1) >> (4 * (i & 1))) & 15;
  return {
    bool: (i) => (view.getUint8(i) ? 1 : 0),
    int4: (i) => (nibble(i) ^ 8) - 8,
    uint4: nibble,
    int8: (i) => view.getInt8(i),
    uint8: (i) => view.getUint8(i),
    int16: (i) => view.getInt16(2 * i, true),
    uint16: (i) => view.getUint16(2 * i, true),
    int32: (i) => view.getInt32(4 * i, true),
    uint32: (i) => view.getUint32(4 * i, true),
    int64: (i) => view.getInt32(8 * i + 4, true) * 2 ** 32 + view.getUint32(8 * i, true), // rounded once, in the sum
    uint64: (i) => view.getUint32(8 * i + 4, true) * 2 ** 32 + view.getUint32(8 * i, true),
    float16: (i) => {
      const half = view.getUint16(2 * i, true), sign = (half & 0x8000) * 65536, exponent = (half >> 10) & 31, fraction = half & 0x3ff;
      if (exponent === 31) return bits(sign + 0x7f800000 + fraction * 8192);
      if (exponent) return bits(sign + (exponent + 112) * 8388608 + fraction * 8192);
      return (sign ? -1 : 1) * fraction * 5.9604644775390625e-8; // 2^-24
    },
    bfloat16: (i) => bits(view.getUint16(2 * i, true) * 65536),
    float32: (i) => view.getFloat32(4 * i, true),
    float64: (i) => view.getFloat64(8 * i, true),
  }[dtype];
}

const list = (sizes) => `[${sizes.join(",")}]`;

function sizesOf(shape) {
  const sizes = Array.from(shape);
  const whole = sizes.every((one) => Number.isSafeInteger(one) && one >= 0);
  if (!whole || sizes.length > 32 || (!sizes.includes(0) && sizes.reduce((a, b) => a * b, 1) >= 2 ** 53)) throw new Error("its shape is none of at most 32 sizes");
  return sizes.map((one) => one + 0);
}

function bytesOf(values) {
  if (ArrayBuffer.isView(values)) return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  if (values instanceof ArrayBuffer) return new Uint8Array(values);
  throw new Error("its values are no typed array, DataView or ArrayBuffer");
}

function joined(pieces) {
  const whole = new Uint8Array(pieces.reduce((size, piece) => size + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

function byBytes(one, two) {
  for (let i = 0; i < Math.min(one.length, two.length); i++) if (one[i] !== two[i]) return one[i] - two[i];
  return one.length - two.length;
}

const sortedByBytes = (texts) => texts.map((text) => [utf8(text), text]).sort((a, b) => byBytes(a[0], b[0])).map((one) => one[1]);

function signs(bytes) {
  let count = 0;
  for (const one of bytes) if (one === 123 || one === 91 || one === 44 || one === 58) count++; // { [ , :
  return count;
}

/** A name becomes a path and a key. */
function nameOf(name) {
  const text = textOf(name, 200);
  // eslint-disable-next-line no-control-regex
  if (!text || text === "." || text === ".." || text.startsWith(" ") || text.endsWith(" ") || /[\u0000-\u001f/\\#]/.test(text)) {
    throw new Error(`'${text.slice(0, 60)}' is no name: no slash, no '#', no space at its ends`);
  }
  return text;
}

function textOf(text, most) {
  if (typeof text !== "string") throw new Error("what should be a text is none");
  const whole = Array.from(text, (sign) => (sign.length === 1 && sign >= "\ud800" && sign <= "\udfff" ? "\ufffd" : sign));
  if (whole.length > most) throw new Error(`a text has more than ${most} signs`);
  return whole.join("");
}

/** UTF-8; half a pair of UTF-16 that stands alone becomes U+FFFD. (Not every engine has a TextEncoder.) */
function utf8(text) {
  if (typeof text !== "string") throw new Error("what should be a text is none");
  const bytes = new Uint8Array(text.length * 3);
  let at = 0;
  for (let i = 0; i < text.length; i++) {
    let code = text.charCodeAt(i);
    if (code >= 0xd800 && code <= 0xdfff) {
      const next = i + 1 < text.length ? text.charCodeAt(i + 1) : 0;
      if (code < 0xdc00 && next >= 0xdc00 && next <= 0xdfff) {
        code = 0x10000 + ((code - 0xd800) << 10) + (next - 0xdc00);
        i++;
      } else code = 0xfffd;
    }
    if (code < 0x80) bytes[at++] = code;
    else {
      const more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
      bytes[at++] = [0, 0xc0, 0xe0, 0xf0][more] | (code >> (6 * more));
      for (let j = more - 1; j >= 0; j--) bytes[at++] = 0x80 | ((code >> (6 * j)) & 63);
    }
  }
  return bytes.slice(0, at);
}

function quoted(text) {
  const short = { '"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" };
  // eslint-disable-next-line no-control-regex
  return `"${text.replace(/["\\\u0000-\u001f]/g, (c) => short[c] || `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`)}"`;
}

/** Of (key, value as JSON). */
function factsOf(facts) {
  return `{${sortedByBytes([...facts.keys()]).map((key) => `${quoted(key)}:${facts.get(key)}`).join(",")}}`;
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
  new DataView(whole.buffer).setUint32(0, padded, true);
  whole.fill(0, 4, 8);
  whole.set(bytes, 8);
  return whole;
}

// The first 32 bits of the fractions of the cube roots of the first 64 primes.
const K = Uint32Array.of(
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01,
  0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc,
  0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
  0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08,
  0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
  0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2
);

/** SHA-256 (FIPS 180-4), 64 hexadecimal digits; crypto.subtle would make every call asynchronous. */
export function sha256(bytes) {
  const h = Uint32Array.of(0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19);
  const whole = bytes.length - (bytes.length % 64), rest = bytes.length - whole;
  const last = new Uint8Array(rest < 56 ? 64 : 128);
  last.set(bytes.subarray(whole));
  last[rest] = 0x80;
  const end = new DataView(last.buffer), w = new Uint32Array(64);
  end.setUint32(last.length - 8, Math.floor(bytes.length / 2 ** 29));
  end.setUint32(last.length - 4, (bytes.length * 8) % 2 ** 32);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < whole; at += 64) block(view, at, h, w);
  for (let at = 0; at < last.length; at += 64) block(end, at, h, w);
  return Array.from(h, (one) => one.toString(16).padStart(8, "0")).join("");
}

function block(view, at, h, w) {
  for (let i = 0; i < 16; i++) w[i] = view.getUint32(at + 4 * i);
  for (let i = 16; i < 64; i++) {
    const x = w[i - 15], y = w[i - 2];
    const one = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    w[i] = w[i - 16] + one + w[i - 7] + (((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10));
  }
  let [a, b, c, d, e, f, g, last] = h;
  for (let i = 0; i < 64; i++) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const t1 = (last + s1 + ((e & f) ^ (~e & g)) + K[i] + w[i]) | 0;
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    last = g; g = f; f = e; e = (d + t1) | 0; d = c; c = b; b = a;
    a = (t1 + s0 + ((b & c) ^ (b & d) ^ (c & d))) | 0;
  }
  [a, b, c, d, e, f, g, last].forEach((one, i) => { h[i] += one; });
}
