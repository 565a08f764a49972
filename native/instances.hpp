// One instruction set's table of functions; each of set_*.cpp is compiled with its own flags and includes this.
#include "adam.hpp"
#include "backward.hpp"
#include "codes.hpp"
#include "convolution.hpp"
#include "counts.hpp"
#include "family.hpp"
#include "floats.hpp"
#include "layers.hpp"
#include "neurons.hpp"
#include "planes.hpp"
#include "products.hpp"

#define SPIKELEDGER_TEXT_OF(name) #name
#define SPIKELEDGER_TEXT(name) SPIKELEDGER_TEXT_OF(name)
#define SPIKELEDGER_TABLE                                                                             \
  {                                                                                                   \
    SPIKELEDGER_TEXT(SPIKELEDGER_SET), SPIKELEDGER_SET::fire, SPIKELEDGER_SET::learn,                  \
        SPIKELEDGER_SET::pack, SPIKELEDGER_SET::unpack, SPIKELEDGER_SET::rates, SPIKELEDGER_SET::transpose, \
        SPIKELEDGER_SET::population_count, SPIKELEDGER_SET::column_counts, SPIKELEDGER_SET::census,    \
        SPIKELEDGER_SET::multiply, SPIKELEDGER_SET::multiply_floats,                                   \
        SPIKELEDGER_SET::layer, SPIKELEDGER_SET::layer_back, SPIKELEDGER_SET::convolve,                \
        SPIKELEDGER_SET::convolve_fire, SPIKELEDGER_SET::convolve_back,                                \
        SPIKELEDGER_SET::max_pool, SPIKELEDGER_SET::max_pool_back,                                     \
        SPIKELEDGER_SET::average_pool, SPIKELEDGER_SET::pool_levels,                                   \
        SPIKELEDGER_SET::rate_code, SPIKELEDGER_SET::fire_cells, SPIKELEDGER_SET::learn_cells,         \
        SPIKELEDGER_SET::adam                                                                          \
  }
