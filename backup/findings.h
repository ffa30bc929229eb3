// What a backup could not keep, or not as it was. Thread-safe.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "backup/progress.h"
#include "backup/repository/snapshot.h"

namespace qcbak {

class Findings {
 public:
  explicit Findings(Progress& progress) : progress_(progress) {}

  void add(const std::string& path, const std::string& what) {
    found_.lock()->push_back({path, what});
    ++progress_.problems;
  }
  // All of them, by path.
  std::vector<repository::Finding> sorted() {
    auto found = found_.lock();
    std::stable_sort(found->begin(), found->end(),
                     [](const repository::Finding& a, const repository::Finding& b) { return a.path < b.path; });
    return *found;
  }

 private:
  Progress& progress_;
  Guarded<std::vector<repository::Finding>> found_;
};

}  // namespace qcbak
