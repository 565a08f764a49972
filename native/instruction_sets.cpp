// Which instruction set runs: asked of the processor once, when the core is loaded; the best that it has, until told otherwise.
#include "instruction_sets.hpp"

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include <stdexcept>

namespace spikeledger {
namespace {

// The tiles of AMX are large, so that a process must ask the system for them.
[[maybe_unused]] bool may_use_tiles() {
#if defined(__x86_64__) && defined(__linux__)
  unsigned a = 0, b = 0, c = 0, d = 0;
  constexpr unsigned kNeeded = 1u << 22 | 1u << 24 | 1u << 25;  // bfloat16, tiles, whole numbers
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || (d & kNeeded) != kNeeded) return false;
  constexpr long kRequest = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequest, kTileData) == 0;
#else
  return false;
#endif
}

std::vector<const Kernels*> usable() {
  std::vector<const Kernels*> found{&kPlain};
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2"))
    found.push_back(&kAvx2);
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq"))
    found.push_back(&kAvx512);
  if (found.back() == &kAvx512 && with_tiles() != nullptr && may_use_tiles()) found.push_back(with_tiles());
#endif
  return found;
}

}  // namespace

const Kernels* chosen = usable().back();

const Kernels& kernels_in_use() { return *chosen; }

std::vector<std::string> instruction_sets() {
  std::vector<std::string> names;
  for (const Kernels* kernels : usable()) names.emplace_back(kernels->name);
  return names;
}

void use_instruction_set(const std::string& name) {
  for (const Kernels* kernels : usable())
    if (kernels->name == name) {
      chosen = kernels;
      return;
    }
  throw std::invalid_argument("this processor does not have the instruction set " + name);
}

}  // namespace spikeledger
