// A wrapper as an app in a browser has it: bilinear between pixel middles, a frame around it, mean and std. It records what it did.
// node cause_device.mjs FOLDER < {"photos": [{"name", "width", "height", "file"}], "size": [h, w], ...}
import * as fs from "node:fs";
import { Recorder, save } from "../../recorders/javascript/edgecheck-recorder.js";

const wanted = JSON.parse(fs.readFileSync(0, "utf8"));
const [h, w] = wanted.size;

function resized(pixels, height, width, nh, nw) {
  const made = new Float32Array(nh * nw * 3);
  for (let i = 0; i < nh; i++) {
    const y = wanted.legacy ? i * height / nh : Math.max((i + 0.5) * height / nh - 0.5, 0);
    const top = Math.min(Math.floor(y), height - 1), bottom = Math.min(top + 1, height - 1), dy = y - top;
    for (let j = 0; j < nw; j++) {
      const x = wanted.legacy ? j * width / nw : Math.max((j + 0.5) * width / nw - 0.5, 0);
      const left = Math.min(Math.floor(x), width - 1), right = Math.min(left + 1, width - 1), dx = x - left;
      for (let c = 0; c < 3; c++) {
        const at = (a, b) => pixels[(a * width + b) * 3 + c];
        const upper = at(top, left) * (1 - dx) + at(top, right) * dx, lower = at(bottom, left) * (1 - dx) + at(bottom, right) * dx;
        made[(i * nw + j) * 3 + c] = upper * (1 - dy) + lower * dy;
      }
    }
  }
  return made;
}

function preprocessed(pixels, height, width) {
  const scale = Math.min(h / height, w / width);
  const nh = wanted.stretch ? h : Math.round(height * scale), nw = wanted.stretch ? w : Math.round(width * scale);
  const top = wanted.topLeft ? 0 : (h - nh) >> 1, left = wanted.topLeft ? 0 : (w - nw) >> 1;
  const small = resized(pixels, height, width, nh, nw), made = new Float32Array(h * w * 3);
  for (let i = 0; i < h; i++) for (let j = 0; j < w; j++) for (let c = 0; c < 3; c++) {
    const inside = i >= top && i < top + nh && j >= left && j < left + nw;
    const pixel = inside ? small[((i - top) * nw + j - left) * 3 + (wanted.bgr ? 2 - c : c)] : wanted.pad;
    const place = wanted.planes ? (c * h + i) * w + j : (i * w + j) * 3 + c;
    made[place] = (pixel - wanted.mean[c]) / wanted.std[c];
  }
  return made;
}

const recorder = new Recorder("wrapper", ["preprocess"], { wrapper: { language: "JavaScript", version: process.version } });
for (const photo of wanted.photos) {
  recorder.case(photo.name);
  const made = preprocessed(fs.readFileSync(photo.file), photo.height, photo.width);
  recorder.tensor("preprocess", "input", "float32", wanted.chw ? [1, 3, h, w] : [1, h, w, 3], made);
}
const problem = save(fs, process.argv[2], recorder.finish()) || recorder.error;
if (problem) throw new Error(problem);
