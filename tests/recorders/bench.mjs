// What a call costs: switched off, on, and with aggregates, beside a copy of the same bytes. See scripts/bench_recorders.py.
import { Recorder } from "../../recorders/javascript/edgecheck-recorder.js";

const image = new Uint8Array(640 * 480 * 3).fill(7);
const shape = [480, 640, 3];
function micros(times, rounds, act) {
  let best = Infinity;
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    for (let i = 0; i < times; i++) act(i);
    best = Math.min(best, ((performance.now() - start) * 1000) / times);
  }
  return best;
}
const off = new Recorder("p", ["s"], { on: false }), on = new Recorder("p", ["s"], { most: 16 << 20, keepLast: true });
let frame = 0;
const kept = [];
const record = (aggregates) => {
  on.case(String(frame++));
  on.tensor("s", "image", "uint8", shape, image, "", aggregates);
  on.sample("model", frame);
};
const figures = {
  off_us: micros(1000000, 5, () => off.tensor("s", "image", "uint8", shape, image)),
  copy_us: micros(200, 5, () => {
    kept.push(image.slice()); // as many copies as the recorder keeps
    if (kept.length > 17) kept.shift();
  }),
  on_us: micros(200, 5, () => record(false)),
  aggregates_us: micros(20, 3, () => record(true)),
};
if (on.error) throw new Error(on.error);
console.log(JSON.stringify(figures));
