// Records a golden run from a C++17 app (Android NDK, iOS, boards): one header, no dependency but the standard library.
//
//   edgecheck::Recorder recorder("run-1", "face", {"decode", "preprocess", "model", "postprocess"});
//   recorder.fact("device", "model", "Pixel 8");
//   recorder.begin_case("img_001");
//   recorder.tensor("decode", "image", "uint8", {480, 640, 3}, pixels, 480 * 640 * 3);
//   recorder.sample("end_to_end", 12345678);  // nanoseconds
//   recorder.finish();
//
// No exception leaves it: what went wrong stands in error(), and then nothing is written. Switched off, a call returns at
// once. Tensors are copied when they are recorded; beyond `most` bytes recording stops, with error() set. One thread at a
// time. The format is docs/golden-run.md; recorders in other languages write the same bytes for the same calls.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace edgecheck {

// SHA-256 (FIPS 180-4) of a buffer, as 64 hexadecimal digits.
inline std::string sha256(const void* data, std::size_t size) {
  static const std::array<std::uint32_t, 64> k = {
      0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01,
      0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc,
      0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
      0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
      0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08,
      0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
      0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
  std::array<std::uint32_t, 8> h = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  const auto turn = [](std::uint32_t x, int n) { return (x >> n) | (x << (32 - n)); };
  const auto block = [&](const unsigned char* p) {
    std::uint32_t w[64];
    for (int i = 0; i < 16; ++i) w[i] = std::uint32_t(p[4 * i]) << 24 | std::uint32_t(p[4 * i + 1]) << 16 | std::uint32_t(p[4 * i + 2]) << 8 | p[4 * i + 3];
    for (int i = 16; i < 64; ++i) {
      const std::uint32_t a = turn(w[i - 15], 7) ^ turn(w[i - 15], 18) ^ (w[i - 15] >> 3);
      const std::uint32_t b = turn(w[i - 2], 17) ^ turn(w[i - 2], 19) ^ (w[i - 2] >> 10);
      w[i] = w[i - 16] + a + w[i - 7] + b;
    }
    auto v = h;
    for (int i = 0; i < 64; ++i) {
      const std::uint32_t s1 = turn(v[4], 6) ^ turn(v[4], 11) ^ turn(v[4], 25);
      const std::uint32_t t1 = v[7] + s1 + ((v[4] & v[5]) ^ (~v[4] & v[6])) + k[i] + w[i];
      const std::uint32_t s0 = turn(v[0], 2) ^ turn(v[0], 13) ^ turn(v[0], 22);
      const std::uint32_t t2 = s0 + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
      v = {t1 + t2, v[0], v[1], v[2], v[3] + t1, v[4], v[5], v[6]};
    }
    for (int i = 0; i < 8; ++i) h[i] += v[i];
  };
  const auto* bytes = static_cast<const unsigned char*>(data);
  std::size_t at = 0;
  for (; at + 64 <= size; at += 64) block(bytes + at);
  unsigned char last[128] = {};
  const std::size_t rest = size - at, padded = rest < 56 ? 64 : 128;
  if (rest) std::memcpy(last, bytes + at, rest);
  last[rest] = 0x80;
  for (int i = 0; i < 8; ++i) last[padded - 1 - i] = static_cast<unsigned char>(std::uint64_t(size) * 8 >> (8 * i));
  for (std::size_t i = 0; i < padded; i += 64) block(last + i);
  std::string text;
  char digits[9];
  for (const auto one : h) {
    std::snprintf(digits, sizeof digits, "%08x", one);
    text += digits;
  }
  return text;
}

class Recorder {
 public:
  bool on = true;  // switch it off and every call returns at once

  Recorder(std::string folder, std::string pipeline, std::vector<std::string> stages, std::size_t most = std::size_t(256) << 20)
      : folder_(std::move(folder)), pipeline_(std::move(pipeline)), stages_(std::move(stages)), most_(most) {}

  const std::string& error() const { return error_; }
  void time(const std::string& text) { time_ = text; }

  // A fact of "model", "wrapper", "device", "runtime", "conditions" or "recorder".
  void fact(const std::string& section, const std::string& key, const std::string& text) { facts_[section][key] = quoted(text); }
  void fact(const std::string& section, const std::string& key, long long number) { facts_[section][key] = std::to_string(number); }

  // The samples that follow belong to this start of the process.
  void launch(const std::string& name, int warmup = 0) {
    if (!ready()) return;
    if (!named_) launches_.clear();
    named_ = true;
    launches_.emplace_back(name, warmup);
  }

  void sample(const std::string& span, std::int64_t nanoseconds) {
    if (ready()) samples_[span][launches_.back().first].push_back(nanoseconds);
  }

  void begin_case(const std::string& name) {
    if (ready()) cases_.push_back({name, {}});
  }

  // Values in row order, little endian; int4 and uint4 packed, the first in the low bits. withhold: "", "hash", "omitted".
  void tensor(const std::string& stage, const std::string& name, const std::string& dtype, const std::vector<std::int64_t>& shape,
              const void* data, std::size_t size, const std::string& withhold = "") {
    if (!ready()) return;
    try {
      const std::string kind = stored(dtype);
      std::size_t count = 1;
      for (const auto one : shape) count *= static_cast<std::size_t>(one);
      const bool half = dtype == "int4" || dtype == "uint4";
      const std::size_t need = half ? (count + 1) / 2 : count * width(kind);
      if (kind.empty() || dtype == "string" || size != need) return fail(stage, name, "its type, shape and bytes do not agree");
      if (!declare(stage, name, dtype, shape, data, size, withhold)) return;
      keep(full(stage, name), kind, half ? std::vector<std::int64_t>{static_cast<std::int64_t>(size)} : shape, data, size);
    } catch (const std::exception& error) {
      fail(stage, name, error.what());
    }
  }

  void strings(const std::string& stage, const std::string& name, const std::vector<std::string>& texts,
               std::vector<std::int64_t> shape = {}, const std::string& withhold = "") {
    if (!ready()) return;
    try {
      if (shape.empty()) shape = {static_cast<std::int64_t>(texts.size())};
      std::string bytes;
      std::vector<std::int64_t> ends;
      for (const auto& one : texts) {
        bytes += one;
        ends.push_back(static_cast<std::int64_t>(bytes.size()));
      }
      if (!declare(stage, name, "string", shape, bytes.data(), bytes.size(), withhold)) return;
      keep(full(stage, name), "U8", {static_cast<std::int64_t>(bytes.size())}, bytes.data(), bytes.size());
      keep(full(stage, name) + "#offsets", "I64", {static_cast<std::int64_t>(ends.size())}, ends.data(), ends.size() * 8);
    } catch (const std::exception& error) {
      fail(stage, name, error.what());
    }
  }

  // Writes the folder, whole or not at all; false where error() says why not.
  bool finish() {
    if (!on) return false;
    if (!error_.empty()) return false;
    try {
      write();
    } catch (const std::exception& error) {
      error_ = folder_ + " was not written: " + error.what();
    }
    return error_.empty();
  }

 private:
  struct Kept {
    std::string name, dtype;
    std::vector<std::int64_t> shape;
    std::string data;
  };
  struct Case {
    std::string name;
    std::vector<std::string> tensors;
  };

  bool ready() const { return on && error_.empty(); }
  void fail(const std::string& stage, const std::string& name, const std::string& why) { error_ = stage + "/" + name + " was not recorded: " + why; }
  std::string full(const std::string& stage, const std::string& name) const { return cases_.back().name + "/" + stage + "/" + name; }

  bool declare(const std::string& stage, const std::string& name, const std::string& dtype, const std::vector<std::int64_t>& shape,
               const void* data, std::size_t size, const std::string& withhold) {
    if (cases_.empty()) {
      fail(stage, name, "no case was begun");
      return false;
    }
    std::string entry = "{\"stage\":" + quoted(stage) + ",\"name\":" + quoted(name) + ",\"dtype\":\"" + dtype + "\",\"shape\":" + list(shape);
    if (withhold == "hash") entry += ",\"withheld\":\"hash\",\"sha256\":\"" + sha256(data, size) + "\"";
    else if (!withhold.empty()) entry += ",\"withheld\":" + quoted(withhold);
    cases_.back().tensors.push_back(entry + "}");
    if (!withhold.empty()) return false;
    held_ += size;
    if (held_ > most_) {
      fail(stage, name, "more than " + std::to_string(most_) + " bytes; raise `most`, or record fewer tensors");
      return false;
    }
    return true;
  }

  void keep(std::string name, std::string dtype, std::vector<std::int64_t> shape, const void* data, std::size_t size) {
    kept_.push_back({std::move(name), std::move(dtype), std::move(shape), std::string(static_cast<const char*>(data), size)});
  }

  void write() {
    auto tensors = kept_;
    std::string spans, launches;
    for (const auto& [span, by_launch] : samples_) {
      spans += (spans.empty() ? "" : ",") + quoted(span);
      for (const auto& [name, warmup] : launches_) {
        const auto found = by_launch.find(name);
        const std::vector<std::int64_t> none, &values = found == by_launch.end() ? none : found->second;
        tensors.push_back({"latency/" + span + "/" + name, "I64", {static_cast<std::int64_t>(values.size())},
                           std::string(reinterpret_cast<const char*>(values.data()), values.size() * 8)});
      }
    }
    for (const auto& [name, warmup] : launches_)
      launches += (launches.empty() ? "" : ",") + ("{\"name\":" + quoted(name) + ",\"warmup\":" + std::to_string(warmup) + "}");
    std::sort(tensors.begin(), tensors.end(), [](const Kept& a, const Kept& b) {
      const auto wa = width(a.dtype), wb = width(b.dtype);
      return wa != wb ? wa > wb : a.name < b.name;
    });
    namespace fs = std::filesystem;
    const fs::path target(folder_), temporary(folder_ + ".part");
    fs::remove_all(temporary);
    fs::create_directories(temporary);
    {
      std::ofstream file(temporary / "tensors.safetensors", std::ios::binary);
      file << header(tensors);
      for (const auto& one : tensors) file.write(one.data.data(), static_cast<std::streamsize>(one.data.size()));
      std::ofstream run(temporary / "run.json", std::ios::binary);
      run << json(spans, launches);
      file.flush();
      run.flush();
      if (!file || !run) throw std::runtime_error("the disk is full or not writable");
    }
    fs::rename(temporary, target);
  }

  std::string json(const std::string& spans, const std::string& launches) const {
    std::string text = "{\"schema\":\"edgecheck.golden/1\",\"pipeline\":" + quoted(pipeline_);
    for (const char* section : {"model", "wrapper", "device", "runtime", "conditions"}) text += std::string(",\"") + section + "\":" + facts(section);
    std::string stages, cases;
    for (const auto& one : stages_) stages += (stages.empty() ? "" : ",") + quoted(one);
    for (const auto& one : cases_) {
      std::string tensors;
      for (const auto& tensor : one.tensors) tensors += (tensors.empty() ? "" : ",") + tensor;
      cases += (cases.empty() ? "" : ",") + ("{\"name\":" + quoted(one.name) + ",\"tensors\":[" + tensors + "]}");
    }
    text += ",\"stages\":[" + stages + "],\"cases\":[" + cases + "],\"latency\":{\"spans\":[" + spans + "],\"launches\":[" + launches + "]}";
    return text + ",\"recorder\":" + facts("recorder") + ",\"time\":" + quoted(time_) + "}\n";
  }

  std::string facts(const std::string& section) const {
    const auto found = facts_.find(section);
    if (found == facts_.end()) return section == "recorder" ? "{\"name\":\"edgecheck\",\"version\":\"1\"}" : "{}";
    std::string text;
    for (const auto& [key, value] : found->second) text += (text.empty() ? "" : ",") + quoted(key) + ":" + value;
    return "{" + text + "}";
  }

  static std::string header(const std::vector<Kept>& tensors) {
    std::string text;
    std::size_t at = 0;
    for (const auto& one : tensors) {
      text += (text.empty() ? "" : ",") + quoted(one.name) + ":{\"dtype\":\"" + one.dtype + "\",\"shape\":" + list(one.shape) +
              ",\"data_offsets\":[" + std::to_string(at) + "," + std::to_string(at + one.data.size()) + "]}";
      at += one.data.size();
    }
    text = "{" + text + "}";
    text.append((8 - text.size() % 8) % 8, ' ');
    std::string length(8, '\0');
    for (int i = 0; i < 8; ++i) length[i] = static_cast<char>(std::uint64_t(text.size()) >> (8 * i));
    return length + text;
  }

  static std::string stored(const std::string& dtype) {
    static const std::map<std::string, std::string> names = {
        {"bool", "BOOL"}, {"int8", "I8"}, {"uint8", "U8"}, {"int16", "I16"}, {"uint16", "U16"}, {"int32", "I32"}, {"uint32", "U32"},
        {"int64", "I64"}, {"uint64", "U64"}, {"float16", "F16"}, {"bfloat16", "BF16"}, {"float32", "F32"}, {"float64", "F64"},
        {"int4", "U8"}, {"uint4", "U8"}, {"string", "U8"}};
    const auto found = names.find(dtype);
    return found == names.end() ? "" : found->second;
  }

  static std::size_t width(const std::string& kind) {
    if (kind == "I64" || kind == "U64" || kind == "F64") return 8;
    if (kind == "I32" || kind == "U32" || kind == "F32") return 4;
    if (kind == "I16" || kind == "U16" || kind == "F16" || kind == "BF16") return 2;
    return 1;
  }

  static std::string list(const std::vector<std::int64_t>& sizes) {
    std::string text;
    for (const auto one : sizes) text += (text.empty() ? "" : ",") + std::to_string(one);
    return "[" + text + "]";
  }

  static std::string quoted(const std::string& text) {
    std::string made = "\"";
    char escape[8];
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      if (c == '"') made += "\\\"";
      else if (c == '\\') made += "\\\\";
      else if (c == '\n') made += "\\n";
      else if (c == '\r') made += "\\r";
      else if (c == '\t') made += "\\t";
      else if (byte < 32) {
        std::snprintf(escape, sizeof escape, "\\u%04x", byte);
        made += escape;
      } else made += c;
    }
    return made + "\"";
  }

  std::string folder_, pipeline_, error_, time_;
  std::vector<std::string> stages_;
  std::size_t most_, held_ = 0;
  bool named_ = false;
  std::map<std::string, std::map<std::string, std::string>> facts_;
  std::vector<Case> cases_;
  std::vector<Kept> kept_;
  std::vector<std::pair<std::string, int>> launches_ = {{"0", 0}};
  std::map<std::string, std::map<std::string, std::vector<std::int64_t>>> samples_;
};

}  // namespace edgecheck
