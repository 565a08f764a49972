// Fresh memory that is about to be filled, in large pages where the system gives them: they cost half of what small ones do.
#pragma once

#include <cstddef>
#include <cstdint>
#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace spikeledger {

// Of so many bytes at an address; what is there already stays as it is, and a system that has none is not told.
inline void large_pages([[maybe_unused]] uintptr_t address, [[maybe_unused]] size_t bytes) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  constexpr uintptr_t page = uintptr_t{2} << 20;
  const uintptr_t first = (address + page - 1) / page * page, last = (address + bytes) / page * page;
  if (address != 0 && last > first) madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
#endif
}

}  // namespace spikeledger
