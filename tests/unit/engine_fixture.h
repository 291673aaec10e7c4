/* What the tests of the engine share: a small network's pack, and engines that run it. */
#ifndef SLUICE_TESTS_ENGINE_FIXTURE_H
#define SLUICE_TESTS_ENGINE_FIXTURE_H

#include "models/pack.h"
#include "runtime/engine/engine.h"

/* For the suite: a directory for the pack, removed with it. */
void engine_set_up(void);
void engine_tear_down(void);

/* Writes the pack (anew, when there is one) and opens it. It lies at engine_pack_path(). */
struct sl_pack *make_pack(uint64_t shard_bytes);
const char *engine_pack_path(void);

/* An engine with so many networks of that pack, all with the same input. */
struct sl_engine *make_engine(const struct sl_engine_options *options, const struct sl_pack *pack,
                              int networks);

/* Runs `batches` batches of `networks` requests and returns their one digest. */
uint64_t run_digest(const struct sl_engine_options *options, const struct sl_pack *pack,
                    int networks, int batches);

#endif
