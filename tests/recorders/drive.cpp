// Plays a script of recorder calls (see tests/test_recorders.py) into the C++ recorder. Text is hexadecimal: UTF-8 behind an x.
// After each run it answers with a line: what went wrong, or nothing.
#include "edgecheck_recorder.hpp"

#include <cstdlib>
#include <iostream>
#include <sstream>

static std::string text(const std::string& token) {
  std::string made;
  for (std::size_t i = 1; i + 1 < token.size(); i += 2) made += static_cast<char>(std::strtol(token.substr(i, 2).c_str(), nullptr, 16));
  return made;
}

static std::vector<std::int64_t> shape(const std::string& token) {
  std::vector<std::int64_t> made;
  std::istringstream parts(token == "-" ? "" : token);
  for (std::string one; std::getline(parts, one, ',');) made.push_back(std::atoll(one.c_str()));
  return made;
}

int main() {
  std::unique_ptr<edgecheck::Recorder> recorder;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::vector<std::string> w;
    for (std::string one; words >> one;) w.push_back(one);
    if (w.empty()) continue;
    if (w[0] == "open") {
      std::vector<std::string> stages;
      for (std::size_t i = 5; i < w.size(); ++i) stages.push_back(text(w[i]));
      recorder = std::make_unique<edgecheck::Recorder>(text(w[1]), text(w[2]), stages, static_cast<std::size_t>(std::atoll(w[3].c_str())));
      recorder->keep_last = w[4] == "1";
    } else if (w[0] == "fact" && w[3] == "n") recorder->fact(w[1], text(w[2]), std::atoll(w[4].c_str()));
    else if (w[0] == "fact") recorder->fact(w[1], text(w[2]), text(w[4]));
    else if (w[0] == "time") recorder->time(text(w[1]));
    else if (w[0] == "launch") recorder->launch(text(w[1]), std::atoi(w[2].c_str()));
    else if (w[0] == "sample") recorder->sample(text(w[1]), std::atoll(w[2].c_str()));
    else if (w[0] == "case") recorder->begin_case(text(w[1]));
    else if (w[0] == "tensor") {
      const std::string data = text(w[5]);
      recorder->tensor(text(w[1]), text(w[2]), w[3], shape(w[4]), data.data(), data.size(), w[6] == "-" ? "" : w[6], w[7] == "1");
    } else if (w[0] == "strings") {
      std::vector<std::string> texts;
      for (std::size_t i = 6; i < w.size(); ++i) texts.push_back(text(w[i]));
      recorder->strings(text(w[1]), text(w[2]), texts, shape(w[3]), w[4] == "-" ? "" : w[4], w[5] == "1");
    } else if (w[0] == "close") {
      recorder->finish();
      std::cout << recorder->error() << std::endl;
      recorder.reset();
    }
  }
}
