/* Packs against the outputs of other engines: a network of the reference data is imported, every
 * case runs through the engine, and each output is compared with the one that BVLC Caffe (where it
 * runs the network) or OpenCV computed. Stands on the public API alone. */
#ifndef SLUICE_TESTS_REFERENCE_CHECK_H
#define SLUICE_TESTS_REFERENCE_CHECK_H

#include <stdbool.h>

#include "runtime/base/error.h"

/* Where structure and weights come from. */
enum reference_source {
    REFERENCE_TRAINED,   /* prototxt that the reference was computed with, trained weights */
    REFERENCE_PUBLISHED, /* the prototxt as it was published, trained weights */
    REFERENCE_PROTOTXT,  /* published prototxt, synthetic weights */
    REFERENCE_TOPOLOGY,  /* our topology, synthetic weights */
    REFERENCE_SOURCES,
};

/* One line of the list of references. */
struct reference_network {
    const char *name;     /* folder of its references, as it is named in the models */
    const char *topology; /* NULL: trained weights */
    bool changed;         /* the reference was computed with a changed prototxt */
};

/* Ends with a NULL name. */
extern const struct reference_network reference_networks[];

/* One output of one case. */
struct reference_row {
    const char *network, *input, *output; /* input: the case's name */
    const char *engine;                   /* "caffe" or "opencv" */
    enum reference_source source;
    bool folded;
    double greatest;   /* magnitude in the reference */
    double difference; /* greatest one; infinite when a value is not a number */
    double tolerance;
};

/* Called for every output; strings live for the call. */
typedef void reference_visit(void *context, const struct reference_row *row);

/* A network has references for this source. */
bool reference_has(const struct reference_network *network, enum reference_source source);

/* Folder of the models: SLUICE_MODELS, or ../shared/models. */
const char *reference_models(void);

/* Imports a network into a pack in folder `work` (removed again), and runs all its cases under
 * policy. -ENOENT when the models are not there. Returns the number of outputs compared. */
int reference_check(const struct reference_network *network, enum reference_source source,
                    bool folded, const char *policy, const char *work, reference_visit *visit,
                    void *context, struct sl_error *error);

#endif
