// What a call costs: switched off, on, and with aggregates, beside a copy of the same bytes. See scripts/bench_recorders.py.
#include "edgecheck_recorder.hpp"

#include <chrono>

static double micros(int times, int rounds, const auto& act) {
  double best = 1e30;
  for (int round = 0; round < rounds; ++round) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < times; ++i) act(i);
    best = std::min(best, std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count() / times);
  }
  return best;
}

int main() {
  std::vector<unsigned char> image(640 * 480 * 3, 7);
  edgecheck::Recorder off("run", "p", {"s"}), on("run", "p", {"s"}, 16 << 20);
  off.on = false;
  on.keep_last = true;
  const double quiet = micros(1000000, 5, [&](int) { off.tensor("s", "image", "uint8", {480, 640, 3}, image.data(), image.size()); });
  std::deque<std::vector<unsigned char>> kept;  // as many copies as the recorder keeps
  const double copied = micros(200, 5, [&](int) {
    kept.emplace_back(image);
    if (kept.size() > 17) kept.pop_front();
  });
  int frame = 0;
  const auto record = [&](bool aggregates) {
    on.begin_case(std::to_string(frame++));
    on.tensor("s", "image", "uint8", {480, 640, 3}, image.data(), image.size(), "", aggregates);
    on.sample("model", frame);
  };
  const double loud = micros(200, 5, [&](int) { record(false); });
  const double summed = micros(20, 3, [&](int) { record(true); });
  if (!on.error().empty()) return std::fprintf(stderr, "%s\n", on.error().c_str()), 1;
  std::printf("{\"off_us\":%g,\"copy_us\":%g,\"on_us\":%g,\"aggregates_us\":%g}\n", quiet, copied, loud, summed);
}
