// Plays a script of recorder calls (see tests/test_recorders.py) into the JavaScript recorder. Text is hexadecimal behind an x.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { Recorder } from "../../recorders/javascript/edgecheck-recorder.js";

const bytes = (token) => Uint8Array.from(Buffer.from(token.slice(1), "hex"));
const text = (token) => new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes(token));
const shape = (token) => (token === "-" ? [] : token.split(",").map(Number));
let recorder, folder;
for (const line of readFileSync(0, "utf-8").split("\n")) {
  const w = line.split(" ");
  if (w[0] === "open") {
    folder = text(w[1]);
    recorder = new Recorder(text(w[2]), w.slice(3).map(text));
  } else if (w[0] === "fact") {
    recorder.facts[w[1]] = { ...recorder.facts[w[1]], [text(w[2])]: w[3] === "n" ? Number(w[4]) : text(w[4]) };
  } else if (w[0] === "time") recorder.time = text(w[1]);
  else if (w[0] === "launch") recorder.launch(text(w[1]), Number(w[2]));
  else if (w[0] === "sample") recorder.sample(text(w[1]), BigInt(w[2]));
  else if (w[0] === "case") recorder.case(text(w[1]));
  else if (w[0] === "tensor") recorder.tensor(text(w[1]), text(w[2]), w[3], shape(w[4]), bytes(w[5]), w[6] === "-" ? "" : w[6]);
  else if (w[0] === "strings") recorder.strings(text(w[1]), text(w[2]), w.slice(5).map(text), shape(w[3]), w[4] === "-" ? "" : w[4]);
  else if (w[0] === "close") {
    const files = recorder.finish();
    if (!files) console.error(recorder.error);
    else {
      mkdirSync(folder);
      for (const [name, content] of Object.entries(files)) writeFileSync(`${folder}/${name}`, content);
    }
  }
}
