// Records a golden run from a C++17 app (Android NDK, iOS, boards): one header, no dependency but the standard library.
//
//   edgecheck::Recorder recorder("run-1", "face", {"decode", "preprocess", "model", "postprocess"});
//   recorder.fact("device", "model", "Pixel 8");
//   recorder.begin_case("img_001");
//   recorder.tensor("decode", "image", "uint8", {480, 640, 3}, pixels, 480 * 640 * 3);
//   recorder.sample("end_to_end", 12345678);  // nanoseconds
//   recorder.finish();
//
// No exception leaves it, and it builds with -fno-exceptions: what went wrong stands in error(), and then nothing is
// written. Switched off, a call returns at once. Tensors are copied when they are recorded; beyond `most` bytes recording
// stops with error() set, or, with keep_last, forgets its oldest cases. One thread at a time; not with -ffast-math, which
// changes sums. Where there is no file system, define EDGECHECK_RECORDER_NO_FILES and send what finish_to() gives.
// The format is docs/golden-run.md; recorders in other languages write the same bytes for the same calls.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <initializer_list>
#include <map>
#include <memory>
#include <new>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>
#ifndef EDGECHECK_RECORDER_NO_FILES
#include <filesystem>
#endif
#if defined(__cpp_exceptions) || defined(_CPPUNWIND)
#include <exception>
#define EDGECHECK_TRY try
#define EDGECHECK_CATCH(failed)                                                                 \
  catch (const std::bad_alloc&) { error_ = "out of memory"; } /* short: takes none itself */    \
  catch (const std::exception& error) { fail(failed, error.what()); }
#else
#define EDGECHECK_TRY
#define EDGECHECK_CATCH(failed)
#endif
#if defined(__BYTE_ORDER__) && defined(__ORDER_LITTLE_ENDIAN__)
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the recorder writes memory as it is: little endian");
#endif

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

// A text that a caller has, without a copy; a null pointer is an empty one.
struct Text : std::string_view {
  Text(const char* text) : std::string_view(text ? text : "") {}
  Text(const std::string& text) : std::string_view(text) {}
  Text(std::string_view text) : std::string_view(text) {}
};

// Sizes, without a copy.
struct Shape {
  Shape(std::initializer_list<std::int64_t> sizes) : count(sizes.size()) { data = sizes.begin(); }  // lives as long as the call
  Shape(const std::vector<std::int64_t>& sizes) : data(sizes.data()), count(sizes.size()) {}
  const std::int64_t* data = nullptr;
  std::size_t count;
};

class Recorder {
 public:
  bool on = true;          // switch it off and every call returns at once
  bool keep_last = false;  // beyond `most` bytes forget the oldest cases instead of stopping

  Recorder(Text folder, Text pipeline, const std::vector<std::string>& stages, std::size_t most = std::size_t(256) << 20) : most_(most) {
    EDGECHECK_TRY {
      folder_ = folder;
      pipeline_ = name(pipeline);
      for (const auto& one : stages) {
        stages_.push_back(name(one));
        if (std::count(stages_.begin(), stages_.end(), stages_.back()) > 1 || stages_.size() > 256) fail("the run was not begun", "stages are at most 256, each named once");
      }
    }
    EDGECHECK_CATCH("the run was not begun")
  }

  const std::string& error() const { return error_; }

  void time(Text text) {
    if (!ready()) return;
    EDGECHECK_TRY { time_ = checked(text, 2000); }
    EDGECHECK_CATCH("the time was not recorded")
  }

  // A fact of "model", "wrapper", "device", "runtime", "conditions" or "recorder"; numbers in "runtime" and "conditions".
  void fact(Text section, Text key, Text text) {
    if (!ready()) return;
    EDGECHECK_TRY { put(section, key, quoted(checked(text, 2000))); }
    EDGECHECK_CATCH("a fact was not recorded")
  }
  void fact(Text section, Text key, long long number) {
    if (!ready()) return;
    EDGECHECK_TRY {
      if ((section != "runtime" && section != "conditions") || number >= (1LL << 53) || number <= -(1LL << 53)) return fail("a fact was not recorded", "numbers below 2^53, in runtime and conditions");
      put(section, key, std::to_string(number));
    }
    EDGECHECK_CATCH("a fact was not recorded")
  }

  // The samples that follow belong to this start of the process, after `warmup` runs that were not kept.
  void launch(Text text, int warmup = 0) {
    if (!ready()) return;
    EDGECHECK_TRY {
      std::string one = name(text);
      if (default_) launches_.clear();
      default_ = false;
      for (const auto& known : launches_)
        if (known.first == one) return fail("a launch was not recorded", "its name is taken");
      if (warmup < 0 || launches_.size() >= 4096) return fail("a launch was not recorded", "its warm-up is no count, or there are more than 4096");
      launches_.emplace_back(std::move(one), warmup);
    }
    EDGECHECK_CATCH("a launch was not recorded")
  }

  void sample(Text span, std::int64_t nanoseconds) {
    if (!ready()) return;
    EDGECHECK_TRY {
      if (nanoseconds < 0 || nanoseconds >= (std::int64_t(1) << 53)) return fail("a sample was not recorded", "it is no count of nanoseconds");
      auto found = samples_.find(span);
      if (found == samples_.end()) {
        std::string one = name(span);
        if (!error_.empty()) return;
        if (samples_.size() >= 64 && !samples_.count(one)) return fail("a sample was not recorded", "there are more than 64 spans");
        found = samples_.emplace(std::move(one), std::map<std::string, std::vector<std::int64_t>>()).first;
      }
      found->second[launches_.back().first].push_back(nanoseconds);
      default_ = false;
      held_ += 8;
      if (held_ > most_) hold("a sample was not recorded", 0, 0);
    }
    EDGECHECK_CATCH("a sample was not recorded")
  }

  // The tensors that follow belong to this input.
  void begin_case(Text text) {
    if (!ready()) return;
    EDGECHECK_TRY {
      std::string one = name(text);
      if (!error_.empty()) return;
      if (one == "latency" || !names_.insert(one).second) return fail("a case was not recorded", "its name is taken");
      cases_.emplace_back();
      cases_.back().name = std::move(one);
      hold("a case was not recorded", 256, 1);
    }
    EDGECHECK_CATCH("a case was not recorded")
  }

  // Values in row order, little endian; int4 and uint4 packed, the first in the low bits. withhold: "", "hash" (only the
  // SHA-256 of the bytes is kept) or "omitted" (only type and shape). With aggregates the count, least, mean, … are kept.
  void tensor(Text stage, Text name, Text dtype, Shape shape, const void* data, std::size_t size, Text withhold = "", bool aggregates = false) {
    if (!ready()) return;
    EDGECHECK_TRY {
      std::uint64_t count = 1;
      if (!product(shape, count)) return fail(stage, name, "its shape is none of at most 32 sizes");
      const Type* type = nullptr;
      for (const auto& one : types())
        if (dtype == one.name) type = &one;
      if (!type || (!data && size)) return fail(stage, name, "there is no such dtype, or no data");
      const std::uint64_t need = type->width ? count * type->width : (count + 1) / 2;
      if (size != need) return fail(stage, name, std::to_string(size) + " bytes for a type and shape of " + std::to_string(need));
      const char* bytes = static_cast<const char*>(data);
      std::vector<Kept> kept;
      if (withhold.empty() && !keep(kept, "", type->stored, type->width ? vector(shape) : std::vector<std::int64_t>{static_cast<std::int64_t>(size)}, bytes, size)) return;
      if (aggregates && !summary(kept, type->kind, bytes, static_cast<std::size_t>(count))) return;
      declare(stage, name, type->name, shape, bytes, size, withhold, aggregates, std::move(kept));
    }
    EDGECHECK_CATCH("a tensor was not recorded")
  }

  // Texts; without a shape, a list of them.
  void strings(Text stage, Text name, const std::vector<std::string>& texts, std::vector<std::int64_t> shape = {-1}, Text withhold = "", bool aggregates = false) {
    if (!ready()) return;
    EDGECHECK_TRY {
      if (shape.size() == 1 && shape[0] == -1) shape = {static_cast<std::int64_t>(texts.size())};
      std::uint64_t count = 1;
      if (!product(shape, count) || count != texts.size()) return fail(stage, name, std::to_string(texts.size()) + " texts for another shape");
      std::string bytes;
      std::vector<std::int64_t> ends, lengths;
      for (const auto& one : texts) {
        const std::string made = utf8(one);
        bytes += made;
        ends.push_back(static_cast<std::int64_t>(bytes.size()));
        lengths.push_back(static_cast<std::int64_t>(made.size()));
      }
      std::vector<Kept> kept;
      if (withhold.empty() && (!keep(kept, "", "U8", {static_cast<std::int64_t>(bytes.size())}, bytes.data(), bytes.size()) ||
                               !keep(kept, "#offsets", "I64", {static_cast<std::int64_t>(ends.size())}, ends.data(), ends.size() * 8)))
        return;
      if (aggregates && !summary(kept, Kind::i64, reinterpret_cast<const char*>(lengths.data()), lengths.size())) return;
      declare(stage, name, "string", shape, bytes.data(), bytes.size(), withhold, aggregates, std::move(kept));
    }
    EDGECHECK_CATCH("a tensor was not recorded")
  }

#ifndef EDGECHECK_RECORDER_NO_FILES
  // Writes the folder, whole or not at all; false where error() says why not, or recording was off.
  bool finish() {
    if (!ready()) return false;
    EDGECHECK_TRY { write_folder(); }
    EDGECHECK_CATCH("the run was not written")
    return closed();
  }
#endif

  // Gives the two files to `write(file name, bytes, size) -> bool`, piece by piece in order; false as finish().
  template <class Write>
  bool finish_to(Write&& write) {
    if (!ready()) return false;
    EDGECHECK_TRY {
      if (!stream(write) && error_.empty()) fail("the run was not written", "the disk is full or not writable");
    }
    EDGECHECK_CATCH("the run was not written")
    return closed();
  }

 private:
  enum class Kind { boolean, i4, u4, i8, u8, i16, u16, i32, u32, i64, u64, f16, bf16, f32, f64 };
  struct Type {
    const char *name, *stored;
    std::size_t width;  // 0: two values a byte
    Kind kind;
  };
  struct Kept {
    std::string name;  // first only what follows the tensor's name
    const char* stored;
    std::vector<std::int64_t> shape;
    std::unique_ptr<char[]> data;
    std::size_t size;
  };
  struct Case {
    std::string name;
    std::vector<std::string> entries;
    std::vector<Kept> kept;
    std::set<std::string> seen;
    std::size_t size = 0, pieces = 0;
  };

  static const std::array<Type, 15>& types() {
    static const std::array<Type, 15> all = {{
        {"bool", "BOOL", 1, Kind::boolean}, {"int4", "U8", 0, Kind::i4},      {"uint4", "U8", 0, Kind::u4},    {"int8", "I8", 1, Kind::i8},
        {"uint8", "U8", 1, Kind::u8},       {"int16", "I16", 2, Kind::i16},   {"uint16", "U16", 2, Kind::u16}, {"int32", "I32", 4, Kind::i32},
        {"uint32", "U32", 4, Kind::u32},    {"int64", "I64", 8, Kind::i64},   {"uint64", "U64", 8, Kind::u64}, {"float16", "F16", 2, Kind::f16},
        {"bfloat16", "BF16", 2, Kind::bf16}, {"float32", "F32", 4, Kind::f32}, {"float64", "F64", 8, Kind::f64},
    }};
    return all;
  }

  bool ready() {
    if (on && error_.empty() && finished_) fail("nothing was recorded", "finish() was called before");
    return on && error_.empty();
  }
  bool closed() {
    finished_ = true;
    cases_.clear();
    samples_.clear();
    return error_.empty();
  }
  void fail(std::string_view what, std::string_view why) {
    if (error_.empty()) error_ = std::string(what) + ": " + std::string(why);
  }
  void fail(std::string_view stage, std::string_view name, std::string_view why) { fail(std::string(stage) + "/" + std::string(name) + " was not recorded", why); }

  void put(Text section, Text key, std::string value) {
    static const std::set<std::string_view> sections = {"model", "wrapper", "device", "runtime", "conditions", "recorder"};
    auto& facts = facts_[std::string(section)];
    facts[checked(key, 200)] = std::move(value);
    if (!sections.count(section) || facts.size() > 199) fail("a fact was not recorded", "there is no such section, or it has more than 199 facts");
  }

  void declare(Text stage_given, Text name_given, const char* dtype, Shape shape, const char* data, std::size_t size, Text withhold, bool aggregates, std::vector<Kept> kept) {
    const std::string stage = checked(stage_given, 200), name_made = name(name_given);
    if (!error_.empty()) return;
    if (cases_.empty()) return fail(stage, name_made, "no case was begun");
    Case& into = cases_.back();
    if (std::find(stages_.begin(), stages_.end(), stage) == stages_.end() || into.seen.size() >= 4096 || !into.seen.insert(stage + "/" + name_made).second)
      return fail(stage, name_made, "there is no such stage, or it has this tensor, or its case more than 4096");
    if (!withhold.empty() && withhold != "hash" && withhold != "omitted") return fail(stage, name_made, "withhold is neither 'hash' nor 'omitted'");
    std::string entry = "{\"stage\":" + quoted(stage) + ",\"name\":" + quoted(name_made) + ",\"dtype\":\"" + dtype + "\",\"shape\":" + list(shape);
    if (withhold == "hash") entry += ",\"withheld\":\"hash\",\"sha256\":\"" + sha256(data, size) + "\"";
    else if (!withhold.empty()) entry += ",\"withheld\":\"omitted\"";
    entry += aggregates ? ",\"aggregates\":true}" : "}";
    std::size_t stored = 256 + entry.size();
    const std::size_t pieces = 1 + kept.size();
    for (auto& one : kept) {
      one.name = into.name + "/" + stage + "/" + name_made + one.name;
      stored += one.size;
      into.kept.push_back(std::move(one));
    }
    into.entries.push_back(std::move(entry));
    hold("a tensor was not recorded", stored, pieces);
  }

  // Counts what the newest case grew by; forgets the oldest cases, or stops, where it is too much.
  void hold(const char* what, std::size_t size, std::size_t pieces) {
    held_ += size;
    pieces_ += pieces;
    if (!cases_.empty()) {
      cases_.back().size += size;
      cases_.back().pieces += pieces;
    }
    while (held_ > most_ || pieces_ > 20000) {
      if (!keep_last || cases_.size() < 2) return fail(what, "more than " + std::to_string(most_) + " bytes or 20000 tensors; raise `most`, or record fewer");
      held_ -= cases_.front().size;
      pieces_ -= cases_.front().pieces;
      names_.erase(cases_.front().name);
      cases_.pop_front();
      ++dropped_;
    }
  }

  bool keep(std::vector<Kept>& kept, const char* suffix, const char* stored, std::vector<std::int64_t> shape, const void* data, std::size_t size) {
    if (size > most_) return fail("a tensor was not recorded", "more than " + std::to_string(most_) + " bytes; raise `most`, or record fewer"), false;
    std::unique_ptr<char[]> copy(new (std::nothrow) char[size ? size : 1]);
    if (!copy) return error_ = "out of memory", false;
    if (size) std::memcpy(copy.get(), data, size);
    kept.push_back({suffix, stored, std::move(shape), std::move(copy), size});
    return true;
  }

  // Count, NaN, infinite, zero, least, greatest, mean, deviation and 16 bins: one value after the other, in two passes. A
  // volatile product keeps a compiler from fusing it with a sum, which would round once less.
  bool summary(std::vector<Kept>& kept, Kind kind, const char* data, std::size_t count) {
    std::size_t nan = 0, infinite = 0, zeros = 0, finite = 0;
    double low = 0, high = 0, total = 0, squares = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const double value = number(kind, data, i);
      if (!is_finite(value)) {
        ++(bits_of(value) << 12 ? nan : infinite);
        continue;
      }
      zeros += value == 0;
      low = finite == 0 || value < low ? value : low;
      high = finite == 0 || value > high ? value : high;
      total += value;
      ++finite;
    }
    const double mean = finite ? total / static_cast<double>(finite) : 0;
    const volatile double half_low = low * 0.5, half_high = high * 0.5;
    const double base = half_low, width = half_high - half_low;
    std::array<std::int64_t, 16> bins = {};
    for (std::size_t i = 0; i < count; ++i) {
      const double value = number(kind, data, i);
      if (!is_finite(value)) continue;
      const double away = value - mean;
      const volatile double square = away * away, half = value * 0.5;
      squares += square;
      const int bin = width > 0 ? static_cast<int>((half - base) / width * 16) : 0;
      ++bins[static_cast<std::size_t>(std::min(bin, 15))];
    }
    const double none = from_bits(0x7ff8000000000000u);
    const auto known = [&](double value) { return finite && is_finite(value) ? value : none; };
    const double deviation = finite && is_finite(squares) ? std::sqrt(squares / static_cast<double>(finite)) : none;
    const std::array<double, 8> figures = {double(count), double(nan), double(infinite), double(zeros), known(low + 0.0), known(high + 0.0), known(mean), known(deviation)};
    return keep(kept, "#aggregates", "F64", {8}, figures.data(), 64) && keep(kept, "#histogram", "I64", {16}, bins.data(), 128);
  }

  template <class T>
  static T at(const char* data, std::size_t i) {
    T value;
    std::memcpy(&value, data + i * sizeof(T), sizeof(T));
    return value;
  }
  static std::uint64_t bits_of(double value) { return at<std::uint64_t>(reinterpret_cast<const char*>(&value), 0); }
  static double from_bits(std::uint64_t bits) { return at<double>(reinterpret_cast<const char*>(&bits), 0); }
  static double from_float_bits(std::uint32_t bits) { return static_cast<double>(at<float>(reinterpret_cast<const char*>(&bits), 0)); }
  static bool is_finite(double value) { return (bits_of(value) >> 52 & 0x7ff) != 0x7ff; }

  static double number(Kind kind, const char* data, std::size_t i) {
    switch (kind) {
      case Kind::boolean: return data[i] != 0;
      case Kind::i4: return ((data[i / 2] >> (i % 2 * 4) & 15) ^ 8) - 8;
      case Kind::u4: return data[i / 2] >> (i % 2 * 4) & 15;
      case Kind::i8: return at<std::int8_t>(data, i);
      case Kind::u8: return at<std::uint8_t>(data, i);
      case Kind::i16: return at<std::int16_t>(data, i);
      case Kind::u16: return at<std::uint16_t>(data, i);
      case Kind::i32: return at<std::int32_t>(data, i);
      case Kind::u32: return at<std::uint32_t>(data, i);
      case Kind::i64: return static_cast<double>(at<std::int64_t>(data, i));
      case Kind::u64: return static_cast<double>(at<std::uint64_t>(data, i));
      case Kind::f16: return half(at<std::uint16_t>(data, i));
      case Kind::bf16: return from_float_bits(std::uint32_t(at<std::uint16_t>(data, i)) << 16);
      case Kind::f32: return static_cast<double>(at<float>(data, i));
      case Kind::f64: return at<double>(data, i);
    }
    return 0;
  }

  static double half(std::uint32_t bits) {
    const std::uint32_t sign = (bits & 0x8000u) << 16, exponent = bits >> 10 & 31, fraction = bits & 0x3ff;
    if (exponent == 31) return from_float_bits(sign | 0x7f800000u | fraction << 13);
    if (exponent) return from_float_bits(sign | (exponent + 112) << 23 | fraction << 13);
    const double small = fraction * 5.9604644775390625e-8;  // 2^-24
    return sign ? -small : small;
  }

  template <class Write>
  bool stream(Write& write) {
    std::deque<Kept> latencies;
    std::vector<const Kept*> tensors;
    std::string spans, launches;
    for (const auto& one : cases_)
      for (const auto& kept : one.kept) tensors.push_back(&kept);
    for (const auto& [span, by_launch] : samples_) {
      spans += (spans.empty() ? "" : ",") + quoted(span);
      for (const auto& launch : launches_) {
        const auto found = by_launch.find(launch.first);
        const std::size_t size = found == by_launch.end() ? 0 : found->second.size() * 8;
        std::vector<Kept> kept;
        if (!keep(kept, "", "I64", {static_cast<std::int64_t>(size / 8)}, size ? found->second.data() : nullptr, size)) return false;
        latencies.push_back(std::move(kept[0]));
        latencies.back().name = "latency/" + span + "/" + launch.first;
        tensors.push_back(&latencies.back());
      }
    }
    for (const auto& [launch, warmup] : launches_)
      launches += (launches.empty() ? "" : ",") + ("{\"name\":" + quoted(launch) + ",\"warmup\":" + std::to_string(warmup) + "}");
    std::sort(tensors.begin(), tensors.end(), [](const Kept* a, const Kept* b) {
      const auto wa = width(a->stored), wb = width(b->stored);
      return wa != wb ? wa > wb : a->name < b->name;
    });
    const std::string first = header(tensors), text = json(spans, launches);
    if (first.size() > (8u << 20) || text.size() > (16u << 20) || signs(first) > 400000 || signs(text) > 400000)
      return fail("the run was not written", "a reader takes no run with as many names and shapes"), false;
    bool good = write("tensors.safetensors", first.data(), first.size());
    for (const auto* one : tensors) good = good && (!one->size || write("tensors.safetensors", one->data.get(), one->size));
    return good && write("run.json", text.data(), text.size());
  }

#ifndef EDGECHECK_RECORDER_NO_FILES
  void write_folder() {
    namespace fs = std::filesystem;
    std::error_code wrong;
    const fs::path target(folder_), temporary(folder_ + ".part");
    if (fs::exists(fs::symlink_status(target, wrong))) return fail("the run was not written", folder_ + " is there already");
    fs::remove_all(temporary, wrong);
    if (!fs::create_directories(temporary, wrong)) return fail("the run was not written", "a folder cannot be made there: " + wrong.message());
    std::map<std::string, std::FILE*> files;
    const auto write = [&](const char* file, const char* data, std::size_t size) {
      auto& into = files[file];
      if (!into) into = std::fopen((temporary / file).string().c_str(), "wb");
      return into && std::fwrite(data, 1, size, into) == size;
    };
    bool good = stream(write);
    for (const auto& one : files) good = (one.second && std::fclose(one.second) == 0) && good;
    if (!good) fail("the run was not written", "the disk is full or not writable");
    if (error_.empty()) {
      fs::rename(temporary, target, wrong);
      if (wrong) fail("the run was not written", wrong.message());
    }
    if (!error_.empty()) fs::remove_all(temporary, wrong);
  }
#endif

  std::string json(const std::string& spans, const std::string& launches) const {
    std::string text = "{\"schema\":\"edgecheck.golden/1\",\"pipeline\":" + quoted(pipeline_);
    for (const char* section : {"model", "wrapper", "device", "runtime", "conditions"}) text += std::string(",\"") + section + "\":" + facts(section);
    std::string stages, cases;
    for (const auto& one : stages_) stages += (stages.empty() ? "" : ",") + quoted(one);
    for (const auto& one : cases_) {
      std::string tensors;
      for (const auto& tensor : one.entries) tensors += (tensors.empty() ? "" : ",") + tensor;
      cases += (cases.empty() ? "" : ",") + ("{\"name\":" + quoted(one.name) + ",\"tensors\":[" + tensors + "]}");
    }
    text += ",\"stages\":[" + stages + "],\"cases\":[" + cases + "],\"latency\":{\"spans\":[" + spans + "],\"launches\":[" + launches + "]}";
    return text + ",\"recorder\":" + facts("recorder") + ",\"time\":" + quoted(time_) + "}\n";
  }

  std::string facts(const std::string& section) const {
    std::map<std::string, std::string> all;
    const auto found = facts_.find(section);
    if (found != facts_.end()) all = found->second;
    else if (section == "recorder") all = {{"name", "\"edgecheck\""}, {"version", "\"1\""}};
    if (section == "recorder" && dropped_) all["dropped"] = "\"" + std::to_string(dropped_) + "\"";
    std::string text;
    for (const auto& [key, value] : all) text += (text.empty() ? "" : ",") + quoted(key) + ":" + value;
    return "{" + text + "}";
  }

  static std::string header(const std::vector<const Kept*>& tensors) {
    std::string text;
    std::size_t from = 0;
    for (const auto* one : tensors) {
      text += (text.empty() ? "" : ",") + quoted(one->name) + ":{\"dtype\":\"" + one->stored + "\",\"shape\":" + list(one->shape) +
              ",\"data_offsets\":[" + std::to_string(from) + "," + std::to_string(from + one->size) + "]}";
      from += one->size;
    }
    text = "{" + text + "}";
    text.append((8 - text.size() % 8) % 8, ' ');
    std::string length(8, '\0');
    for (std::size_t i = 0; i < 8; ++i) length[i] = static_cast<char>(std::uint64_t(text.size()) >> (8 * i));
    return length + text;
  }

  static std::size_t width(std::string_view stored) {
    for (const auto& one : types())
      if (stored == one.stored) return one.width ? one.width : 1;
    return 1;
  }
  static std::ptrdiff_t signs(const std::string& text) {
    return std::count_if(text.begin(), text.end(), [](char c) { return c == '{' || c == '[' || c == ',' || c == ':'; });
  }

  static bool product(Shape shape, std::uint64_t& count) {
    constexpr std::uint64_t most = std::uint64_t(1) << 53;
    bool empty = false;
    for (std::size_t i = 0; i < shape.count; ++i) {
      if (shape.data[i] < 0 || std::uint64_t(shape.data[i]) >= most) return false;
      empty = empty || shape.data[i] == 0;
    }
    for (std::size_t i = 0; i < shape.count && !empty; ++i) {
      if (std::uint64_t(shape.data[i]) > (most - 1) / count) return false;
      count *= std::uint64_t(shape.data[i]);
    }
    if (empty) count = 0;
    return shape.count <= 32;
  }
  static std::vector<std::int64_t> vector(Shape shape) { return std::vector<std::int64_t>(shape.data, shape.data + shape.count); }
  static std::string list(Shape shape) {
    std::string text;
    for (std::size_t i = 0; i < shape.count; ++i) text += (i ? "," : "") + std::to_string(shape.data[i]);
    return "[" + text + "]";
  }

  // A name becomes a path and a key; sets error() where it cannot.
  std::string name(std::string_view given) {
    std::string text = checked(given, 200);
    bool bad = text.empty() || text == "." || text == ".." || text.front() == ' ' || text.back() == ' ';
    for (const char c : text) bad = bad || static_cast<unsigned char>(c) < 32 || c == '/' || c == '\\' || c == '#';
    if (bad) fail("nothing was recorded", "'" + text.substr(0, 60) + "' is no name: no slash, no '#', no space at its ends");
    return text;
  }
  std::string checked(std::string_view given, std::ptrdiff_t most) {
    std::string text = utf8(given);
    if (std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }) > most) fail("nothing was recorded", "a text has more than " + std::to_string(most) + " signs");
    return text;
  }

  // What is no UTF-8 becomes U+FFFD, one for every longest beginning of a sign.
  static std::string utf8(std::string_view text) {
    std::string made;
    for (std::size_t from = 0, end; from < text.size(); from = end) {
      const auto c = static_cast<unsigned char>(text[from]);
      const int more = c < 0x80 ? 0 : c >= 0xc2 && c <= 0xdf ? 1 : c >= 0xe0 && c <= 0xef ? 2 : c >= 0xf0 && c <= 0xf4 ? 3 : -1;
      unsigned char least = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80, most = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
      bool good = more >= 0;
      end = from + 1;
      for (int i = 0; good && i < more; ++i, least = 0x80, most = 0xbf) {
        good = end < text.size() && static_cast<unsigned char>(text[end]) >= least && static_cast<unsigned char>(text[end]) <= most;
        if (good) ++end;
      }
      if (good) made += text.substr(from, end - from);
      else made += "\xef\xbf\xbd";
    }
    return made;
  }

  static std::string quoted(std::string_view text) {
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
  std::size_t most_, held_ = 0, pieces_ = 0, dropped_ = 0;
  bool default_ = true;  // the launch "0" that nobody named and nothing was sampled in
  bool finished_ = false;
  std::map<std::string, std::map<std::string, std::string>> facts_;
  std::deque<Case> cases_;
  std::set<std::string> names_;
  std::vector<std::pair<std::string, int>> launches_ = {{"0", 0}};
  std::map<std::string, std::map<std::string, std::vector<std::int64_t>>, std::less<>> samples_;
};

#undef EDGECHECK_TRY
#undef EDGECHECK_CATCH

}  // namespace edgecheck
