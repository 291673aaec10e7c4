/* How many threads make sense. */
#ifndef SLUICE_ENGINE_CPUS_H
#define SLUICE_ENGINE_CPUS_H

#define SL_THREADS_MOST 64

/* Processors that this process may run on, 1 to SL_THREADS_MOST. */
int sl_usable_cpus(void);

#endif
