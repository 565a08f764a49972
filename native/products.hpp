// Products of bits and floats: sums of the rows of a dense matrix that bits select. Three ways, equal but for rounding:
//
// subsets  the sums of all subsets of six rows are put into a table of 64; six bits then are one look-up ("four Russians").
//          Eight tables of 16 columns, 32 KiB, stay in the first cache. The cost does not depend on the density.
// events   the indices of the ones are listed, and each one is one addition: cheap where spikes are rare.
// tiles    whole numbers of 24 bits, in tiles that the processor multiplies at once, where it can.
//
// Threads split the output, by columns or by rows: no atomics, no partial sums, and the same result for any number of
// threads.
#pragma once

#include <atomic>
#include <vector>

#include "events.hpp"
#include "subsets.hpp"
#include "threads.hpp"
#include "tiles.hpp"

namespace spikeledger::SPIKELEDGER_SET {

inline int64_t blocks_of(const Product& p) { return (p.columns + kWide - 1) / kWide; }

// The bits of a product, ready for the kernel of its method. A thread keeps its buffers for the next product.
struct Selection {
  int64_t passes = 0, chunks = 0;
  Buffer<uint64_t> stream;
  std::vector<Chunk> lists;
  Tiles tiles;

  // Fills in the product's parts, of a stretch of `splittable` rows. Its method may change to one for any weights. A dense
  // matrix that is null comes later, block by block: see Tiles::digest.
  void prepare(Product& p, int64_t splittable) {
    if (p.levels > 1) p.method = kEvents;
    if (p.inner == 0) p.method = kSubsets;
    if (p.method == kTiles) {
      if (tiles.reserve(p) && (p.dense == nullptr || digest(p))) {
        p.parts = tile_parts(p, splittable);
        return;
      }
      p.method = kSubsets;
    }
    p.parts = parts_for(blocks_of(p), splittable, p.rows, p.threads);
    if (p.method == kSubsets) {
      passes = (p.inner + kPass - 1) / kPass;
      make_stream(p, passes, stream.at_least(passes * p.rows));
      return;
    }
    const int64_t width = words_of(p.inner);
    chunks = (width + kChunkWords - 1) / kChunkWords;
    if (static_cast<int64_t>(lists.size()) < p.parts * chunks) lists.resize(static_cast<size_t>(p.parts * chunks));
    parallel(p.parts * chunks, p.threads, [&](int64_t task) {
      Chunk& chunk = lists[static_cast<size_t>(task)];
      const int64_t index = task % chunks;
      chunk.first_word = index * width / chunks;
      chunk.words = (index + 1) * width / chunks - chunk.first_word;
      list_events(p, part_of(p, task / chunks), chunk);
    });
  }

  // Calls work(from, index of the part, sums) for each block of 32 columns and each part of the rows, summed; the sums' rows
  // lie 32 floats apart, the first of all rows at `sums`.
  template <typename Work>
  void sum_blocks(const Product& p, const Work& work) {
    const auto room = [&] {
      static thread_local Buffer<float> buffer;
      return buffer.at_least(p.rows * kWide);
    };
    const int64_t blocks = blocks_of(p);
    if (p.method != kTiles) {
      parallel(blocks * p.parts, p.threads, [&](int64_t task) {
        float* sums = room();
        sum_block(p, task / p.parts * kWide, task % p.parts, sums);
        work(task / p.parts * kWide, task % p.parts, sums);
      });
      return;
    }
    parallel(p.parts, p.threads, [&](int64_t part) {
      static thread_local Expanded expanded;
      float* sums = room();
      expanded.open(p, part_of(p, part));
      for (int64_t from = 0; from < p.columns; from += kWide) {
        expanded.sum_block(p, tiles, from, {bias_of(p, from), bias_of(p, from + kLanes)}, sums);
        work(from, part, sums);
      }
    });
  }

  // The same of one block and part, by subsets or events
  void sum_block(const Product& p, int64_t from, int64_t index_of_part, float* sums) {
    static thread_local Buffer<float> panel_buffer, table_buffer;
    const Part part = part_of(p, index_of_part);
    const Lanes start[2] = {bias_of(p, from), bias_of(p, from + kLanes)};
    if (p.inner == 0)
      return over_stretches(p, part, [&](int64_t first, int64_t rows) {
        for (int64_t row = first; row < first + rows; ++row)
          store(sums + row * kWide, start[0]), store(sums + row * kWide + kLanes, start[1]);
      });
    if (p.method == kSubsets) {
      float* tables = table_buffer.at_least(kGroups * kSums * kLanes);
      float* panel = panel_buffer.at_least(kPass * kWide);
      for (int64_t pass = 0; pass < passes; ++pass) {
        const int64_t begin = pass * kPass, inputs = std::min<int64_t>(kPass, p.inner - begin);
        gather_panel(p, begin, inputs, from, kWide, panel);
        std::memset(panel + inputs * kWide, 0, static_cast<size_t>((kPass - inputs) * kWide) * sizeof(float));
        const auto add = pass == 0 ? add_subsets<true> : add_subsets<false>;
        for (int64_t lane = 0; lane < kWide && from + lane < p.columns; lane += kLanes) {
          make_tables(panel + lane, kWide, tables);
          over_stretches(p, part, [&](int64_t first, int64_t rows) {
            add(stream.at_least(0) + pass * p.rows + first, rows, tables, start[lane / kLanes], sums + first * kWide + lane);
          });
        }
      }
      return;
    }
    float* panel = panel_buffer.at_least((kChunkWords * 64 + 1) * kWide);
    for (int64_t index = 0; index < chunks; ++index) {
      const Chunk& chunk = lists[static_cast<size_t>(index_of_part * chunks + index)];
      const int64_t begin = chunk.first_word * 64, inputs = std::min(chunk.words * 64, p.inner - begin);
      gather_panel(p, begin, inputs, from, kWide, panel);
      std::memset(panel + chunk.words * 64 * kWide, 0, kWide * sizeof(float));
      const auto add = index == 0 ? add_events<true> : add_events<false>;
      add(chunk, panel, start[0], start[1], sums);
    }
  }

 private:
  // A weight whose column is dominated by a few would lose its small ones' bits; a gradient is as exact as its largest.
  bool digest(const Product& p) {
    std::atomic<bool> even{true};
    parallel(blocks_of(p), p.threads, [&](int64_t block) {
      static thread_local Buffer<float> buffer;
      float* panel = buffer.at_least(p.inner * kWide);
      gather_panel(p, 0, p.inner, block * kWide, kWide, panel);
      const bool fine = p.dense_transposed ? tiles.digest<true>(p, block * kWide, panel) : tiles.digest<false>(p, block * kWide, panel);
      if (!fine) even.store(false, std::memory_order_relaxed);
    });
    return even || !p.dense_transposed;
  }
};

inline void multiply(Product p) {
  if (p.rows == 0 || p.columns == 0) return;
  static thread_local Selection held;
  Selection& bits = held;
  p.threads = worth(p.rows * p.inner / 4 * p.columns, p.threads);
  bits.prepare(p, p.rows);
  bits.sum_blocks(p, [&](int64_t from, int64_t index, float* sums) {
    const Part part = part_of(p, index);
    put_block(p, sums + part.first * kWide, part.first, part.count, from);
  });
}

}  // namespace spikeledger::SPIKELEDGER_SET
