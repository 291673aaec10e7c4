/* Every option that one cell takes, declared once: `run` and `sweep` make their option tables of
 * it, cell_options.c the table of readers. To be included with CELL_OPTION defined:
 *
 *     CELL_OPTION(name, letter, value, kind, reader, help, choices)
 *
 * kind: an enum cell_option_kind without its prefix; reader: how cell_options.c takes the text.
 * Options are read in this order, and the first ones vary fastest in a list of cells. */
#ifndef CELL_DEFAULT
/* What holds when the option is not given; empty for a command that tries several values then. */
#define CELL_DEFAULT(text) " (default" text ")"
#endif
#ifndef CELL_SEVERAL
/* What several values of a list are; empty for a command to which they are what it tries. */
#define CELL_SEVERAL "; several: one cell for each"
#endif
CELL_OPTION("device", 0, "NAME|FILE.yaml", DEVICE, read_device, DEVICE_HELP, "@devices")
CELL_OPTION("input", 'i', "[BLOB=]FILE", REPEATED, NULL,
            "a JPEG or PNG image, .npy, or raw float32 (.f32) in the input's shape; repeated for "
            "one network: one request after another; for several networks: one for each; BLOB= "
            "names an input blob (default: fixed pseudo-random values)",
            "@files")
CELL_OPTION("top", 0, "K", SINGLE, read_top, "keep the K likeliest classes (default 5, 0: none)",
            NULL)
CELL_OPTION("labels", 0, "FILE", SINGLE, read_labels,
            "names of the classes, one per line, instead of the pack's", "@files")
CELL_OPTION("policy", 'p', "P[,P...]|all", LISTED, read_policy,
            "what decides the order of loads and runs" CELL_DEFAULT(" auto") CELL_SEVERAL,
            "@policies")
CELL_OPTION("memory", 'm', "SIZE|PCT%|none[,...]", LISTED, read_memory,
            "memory limit of the worker's control group; 25% is of the weights of all "
            "networks" CELL_SEVERAL CELL_DEFAULT(" none"),
            NULL)
CELL_OPTION("swap", 0, "SIZE|0|max", DEVICE, read_swap,
            "swap that the worker may use on top of --memory; for a SIZE a temporary swap file is "
            "made when the machine has less (default max: what the machine has)",
            "0 max")
CELL_OPTION("read-rate", 0, "RATE|none", DEVICE, read_read_rate,
            "bytes per second that the worker may read, e.g. 100M (default none)", "none")
CELL_OPTION("cpus", 0, "X", DEVICE, read_cpus, "processor cores that the worker may use, e.g. 1.5",
            NULL)
CELL_OPTION("write-rate", 0, "RATE|none", DEVICE, read_write_rate,
            "bytes per second that the worker may write, e.g. 20M; under cgroup v1 neither "
            "write-back of the page cache nor swap counts (default none)",
            "none")
CELL_OPTION("cores", 0, "N", DEVICE, read_cores,
            "processor cores that the worker may run on, the first N", NULL)
CELL_OPTION("swap-place", 0, "file|zram", DEVICE, read_swap_place,
            "where the --swap SIZE lies: in a temporary file, or compressed in memory that no "
            "limit counts (default: what the machine has, else a file)",
            "file zram")
CELL_OPTION("timeout", 0, "TIME", SINGLE, read_timeout,
            "end a cell after this long, e.g. 30s (default 0: never)", NULL)
CELL_OPTION("budget", 0, "SIZE|auto", SWEPT, read_budget,
            "memory that policies with a budget allow themselves, at most the limit; auto: the "
            "limit (default auto)",
            "auto")
CELL_OPTION("depth", 0, "N|SIZE", RANGED, read_depth,
            "shards to read ahead, or bytes, e.g. 16M" CELL_DEFAULT(": the policy's choice"), NULL)
CELL_OPTION("queue-depth", 0, "N", RANGED, read_queue_depth,
            "reads in flight in the kernel, 1 to 256", NULL)
CELL_OPTION("loader", 0, "L", SWEPT, read_loader,
            "how weights are read" CELL_DEFAULT(": the best that this system allows"), "@loaders")
CELL_OPTION("hints", 0, "LIST", SINGLE, read_hints,
            "with --loader mmap, what the kernel is told: none, or of random or sequential (the "
            "mapping), willneed and populate (ahead of the run), lock (what stays), cold, pageout "
            "and dontneed (behind it), separated by commas (default "
            "random,willneed,populate,lock,dontneed)",
            "none random sequential willneed populate lock cold pageout dontneed")
CELL_OPTION("threads", 't', "N", RANGED, read_threads,
            "threads that compute (default: the processors at hand)", NULL)
CELL_OPTION("batch", 0, "K", LOAD, read_batch,
            "requests of a network (inputs and further requests, in order) that run together over "
            "each shard while it is in memory; every one keeps its own result (default 1)",
            NULL)
CELL_OPTION("cold", 0, NULL, FLAG, read_cold,
            "drop the packs from the page cache before every request; cells with a limit, and "
            "several cells, start cold anyway",
            NULL)
CELL_OPTION("no-verify", 0, NULL, FLAG, read_no_verify, "do not check the checksum of every shard",
            NULL)
#undef CELL_OPTION
#undef CELL_DEFAULT
#undef CELL_SEVERAL
