// Plays a script of recorder calls (see tests/test_recorders.py) into the JavaScript recorder. Text is hexadecimal: UTF-8 behind
// an x, the units of UTF-16 behind a u. After each run it answers with a line: what went wrong, or nothing.
import * as fs from "node:fs";
import { createInterface } from "node:readline";
import { Recorder, save } from "../../recorders/javascript/edgecheck-recorder.js";

const bytes = (token) => Uint8Array.from(Buffer.from(token.slice(1), "hex"));
const units = (token) => String.fromCharCode(...(token.slice(1).match(/..../g) || []).map((one) => parseInt(one, 16)));
const text = (token) => (token[0] === "u" ? units(token) : new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes(token)));
const shape = (token) => (token === "-" ? [] : token.split(",").map(Number));
let recorder, folder;
for await (const line of createInterface({ input: process.stdin })) {
  const w = line.split(" ");
  if (w[0] === "open") {
    folder = text(w[1]);
    recorder = new Recorder(text(w[2]), w.slice(5).map(text), { most: Number(w[3]), keepLast: w[4] === "1" });
  } else if (w[0] === "fact") recorder.fact(w[1], text(w[2]), w[3] === "n" ? Number(w[4]) : text(w[4]));
  else if (w[0] === "time") recorder.time(text(w[1]));
  else if (w[0] === "launch") recorder.launch(text(w[1]), Number(w[2]));
  else if (w[0] === "sample") recorder.sample(text(w[1]), BigInt(w[2]));
  else if (w[0] === "case") recorder.case(text(w[1]));
  else if (w[0] === "tensor") recorder.tensor(text(w[1]), text(w[2]), w[3], shape(w[4]), bytes(w[5]), w[6] === "-" ? "" : w[6], w[7] === "1");
  else if (w[0] === "strings") recorder.strings(text(w[1]), text(w[2]), w.slice(6).map(text), shape(w[3]), w[4] === "-" ? "" : w[4], w[5] === "1");
  else if (w[0] === "close") {
    const files = recorder.finish();
    console.log(files ? save(fs, folder, files) : recorder.error.replaceAll("\n", " "));
  }
}
