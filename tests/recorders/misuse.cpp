// Calls that a C++ app can get wrong and a script cannot: null pointers, no memory, values after the end.
#include "edgecheck_recorder.hpp"

#include <cstdint>

#define CHECK(what) \
  if (!(what)) return std::fprintf(stderr, "line %d: %s\n", __LINE__, #what), 1

int main() {
  const auto nowhere = [](const char*, const char*, std::size_t) { return true; };
  const unsigned char pixels[12] = {};
  {
    edgecheck::Recorder off(nullptr, nullptr, {});
    CHECK(!off.error().empty());
    edgecheck::Recorder recorder("run", "p", {"s"});
    recorder.on = false;
    recorder.begin_case(nullptr);
    recorder.tensor(nullptr, nullptr, nullptr, {1}, nullptr, 7);
    recorder.sample(nullptr, -1);
    CHECK(recorder.error().empty() && !recorder.finish_to(nowhere));
  }
  {
    edgecheck::Recorder recorder("run", "p", {"s"});
    recorder.begin_case("c");
    recorder.tensor("s", "t", "uint8", {12}, nullptr, 12);
    CHECK(recorder.error().find("no data") != std::string::npos);
  }
  {
    edgecheck::Recorder recorder("run", "p", {"s"}, SIZE_MAX);
    recorder.begin_case("c");
    recorder.tensor("s", "t", "uint8", {std::int64_t(1) << 46}, pixels, std::size_t(1) << 46);
    CHECK(recorder.error() == "out of memory" && !recorder.finish_to(nowhere));
  }
  {
    edgecheck::Recorder recorder("run", "p", {"s"});
    recorder.begin_case("c");
    recorder.tensor("s", "t", "uint8", {2, 2, 3}, pixels, sizeof pixels, "", true);
    recorder.tensor("s", "empty", "float32", {0}, nullptr, 0, "hash", true);
    recorder.tensor("s", "scalar", "uint8", {}, pixels, 1);
    std::string run;
    std::size_t size = 0;
    const bool good = recorder.finish_to([&](const char* file, const char* data, std::size_t count) {
      if (std::string(file) == "run.json") run.append(data, count);
      else size += count;
      return true;
    });
    CHECK(good && recorder.error().empty() && size > 12 && run.find("\"shape\":[]") != std::string::npos);
    recorder.begin_case("late");
    CHECK(!recorder.error().empty());
  }
  {
    edgecheck::Recorder recorder("run", "p", {"s"});
    CHECK(!recorder.finish_to([](const char*, const char*, std::size_t) { return false; }) && !recorder.error().empty());
  }
  return 0;
}
