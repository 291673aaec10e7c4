/* What the simulator says of a cell. */
#ifndef SLUICE_CLI_CELL_PLAN_H
#define SLUICE_CLI_CELL_PLAN_H

#include "runtime/cli/cell_options.h"

/* Where cells run. */
struct cell_ground {
    struct sl_model *const *models; /* their packs, opened */
    struct sl_device_info device;   /* the storage under them */
    uint64_t process_bytes;         /* of a worker, as in struct sl_plan_request */
};

/* Errors of sl_plan. */
int cell_plan(const struct cell_request *request, const struct cell_ground *ground,
              struct sl_plan_result *plan, struct sl_error *error);
/* What running the cell once costs, its worker and all its requests; plan: of the cell. */
double cell_cost_ns(const struct cell_request *request, const struct sl_plan_result *plan);

#endif
