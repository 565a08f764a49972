// What the control groups and the affinity of this process leave it: `processors()`.
#include "cpu_count.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#endif

namespace spikeledger {
namespace {

int allowed() {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
#endif
  return std::max(1u, std::thread::hardware_concurrency());
}

double quota(const std::string& folder, bool second) {
  double time = -1, period = 0;
  if (second) {  // "max 100000" is no quota: it does not read as a number
    std::ifstream(folder + "/cpu.max") >> time >> period;
  } else {
    std::ifstream(folder + "/cpu.cfs_quota_us") >> time;
    std::ifstream(folder + "/cpu.cfs_period_us") >> period;
  }
  return time > 0 && period > 0 ? time / period : INFINITY;
}

// A group's quota holds for all groups below it. In a container the mount may begin at the group itself, whatever its path
// is called outside: folders that are not there say nothing.
double quota(const std::string& mount, std::string path, bool second) {
  double least = quota(mount, second);
  for (; path.size() > 1; path.resize(path.rfind('/'))) least = std::min(least, quota(mount + path, second));
  return least;
}

}  // namespace

// Lines of /proc/self/cgroup are "number:controllers:path"; the second version's has no controllers (man 7 cgroups).
int processors(const std::string& root) {
  double least = allowed();
  std::ifstream groups(root + "/proc/self/cgroup");
  const std::string mounts = root + "/sys/fs/cgroup";
  for (std::string line; std::getline(groups, line);) {
    const size_t one = line.find(':'), two = line.find(':', one + 1);
    if (one == std::string::npos || two == std::string::npos || line.compare(two + 1, 1, "/") != 0) continue;
    const std::string names = line.substr(one + 1, two - one - 1), path = line.substr(two + 1);
    if (names.empty()) {
      least = std::min({least, quota(mounts, path, true), quota(mounts + "/unified", path, true)});
      continue;
    }
    std::istringstream each(names);
    for (std::string name; std::getline(each, name, ',');)
      if (name == "cpu") least = std::min({least, quota(mounts + "/" + names, path, false), quota(mounts + "/cpu", path, false)});
  }
  return std::max(1, static_cast<int>(std::ceil(least)));
}

}  // namespace spikeledger
