#include "runtime/engine/contents.h"

#include <errno.h>
#include <stdlib.h>

#include "runtime/base/cleanup.h"

/* A content that several shards have. */
struct content {
    void *slot;
    int first; /* member */
    int holders;
    bool resident;
};

struct member {
    int network, shard;
    int content; /* -1: this shard alone has it */
    int next;    /* member of the same content, -1: the last one */
    bool waiting;
};

struct sl_contents {
    struct member *members; /* of all networks, in order */
    int *network_first;     /* [network] member of shard 0 */
    struct content *contents;
};

void sl_contents_free(struct sl_contents *contents)
{
    if (!contents)
        return;
    free(contents->members);
    free(contents->network_first);
    free(contents->contents);
    free(contents);
}

static struct member *find(const struct sl_contents *contents, int network, int shard)
{
    return &contents->members[contents->network_first[network] + shard];
}

static struct content *content_of(const struct sl_contents *contents, int network, int shard)
{
    int content = find(contents, network, shard)->content;
    return content < 0 ? NULL : &contents->contents[content];
}

struct sorted {
    uint64_t checksum, bytes;
    int member;
};

static int compare_sorted(const void *left, const void *right)
{
    const struct sorted *a = left, *b = right;
    if (a->checksum != b->checksum)
        return a->checksum < b->checksum ? -1 : 1;
    if (a->bytes != b->bytes)
        return a->bytes < b->bytes ? -1 : 1;
    return a->member - b->member;
}

static bool same_content(const struct sorted *a, const struct sorted *b)
{
    return a->checksum == b->checksum && a->bytes == b->bytes;
}

/* Chains members of the same content; sorted ends with one that is like no other. */
static void chain(struct sl_contents *contents, const struct sorted *sorted, int count)
{
    int used = 0;
    for (int i = 0; i < count; i++) {
        struct member *member = &contents->members[sorted[i].member];
        bool as_before = i > 0 && same_content(&sorted[i - 1], &sorted[i]);
        bool as_after = i + 1 < count && same_content(&sorted[i], &sorted[i + 1]);
        member->content = as_before || as_after ? used : -1;
        member->next = as_after ? sorted[i + 1].member : -1;
        if (as_after && !as_before)
            contents->contents[used].first = sorted[i].member;
        used += as_before && !as_after;
    }
}

int sl_contents_create(struct sl_network_state *const *states, int network_count,
                       struct sl_contents **created, struct sl_error *error)
{
    size_t count = 0;
    for (int n = 0; n < network_count; n++)
        count += (size_t)states[n]->pack->shard_count;
    struct sl_contents *contents = calloc(1, sizeof(*contents));
    SL_AUTO_FREE struct sorted *sorted = calloc(count + 1, sizeof(*sorted));
    if (contents) {
        contents->members = calloc(count + 1, sizeof(*contents->members));
        contents->network_first = calloc((size_t)network_count + 1, sizeof(int));
        contents->contents = calloc(count / 2 + 1, sizeof(*contents->contents));
    }
    if (!sorted || !contents || !contents->members || !contents->network_first ||
        !contents->contents) {
        sl_contents_free(contents);
        return sl_error_set(error, -ENOMEM, "no memory for %zu shards", count);
    }
    int member = 0;
    for (int n = 0; n < network_count; n++) {
        contents->network_first[n] = member;
        for (int s = 0; s < states[n]->pack->shard_count; s++, member++) {
            const struct sl_shard *shard = &states[n]->pack->shards[s];
            contents->members[member] = (struct member){.network = n, .shard = s};
            sorted[member] = (struct sorted){shard->checksum, shard->bytes, member};
        }
    }
    qsort(sorted, count, sizeof(*sorted), compare_sorted);
    chain(contents, sorted, member);
    *created = contents;
    return 0;
}

bool sl_contents_repeats(const struct sl_contents *contents, int network, int shard)
{
    const struct content *content = content_of(contents, network, shard);
    return content && content->first != contents->network_first[network] + shard;
}

bool sl_contents_shared(const struct sl_contents *contents, int network, int shard)
{
    return content_of(contents, network, shard) != NULL;
}

enum sl_content_state sl_contents_join(struct sl_contents *contents, int network, int shard,
                                       void **slot)
{
    struct content *content = content_of(contents, network, shard);
    if (!content || content->holders == 0)
        return SL_CONTENT_ABSENT;
    content->holders++;
    *slot = content->slot;
    find(contents, network, shard)->waiting = !content->resident;
    return content->resident ? SL_CONTENT_RESIDENT : SL_CONTENT_COMING;
}

void sl_contents_begin(struct sl_contents *contents, int network, int shard, void *slot)
{
    struct content *content = content_of(contents, network, shard);
    if (!content)
        return;
    content->slot = slot;
    content->holders = 1;
}

bool sl_contents_arrived(struct sl_contents *contents, int network, int shard, int *waiting_network,
                         int *waiting_shard)
{
    struct content *content = content_of(contents, network, shard);
    if (!content)
        return false;
    content->resident = true;
    for (int m = content->first; m >= 0; m = contents->members[m].next) {
        struct member *member = &contents->members[m];
        if (!member->waiting)
            continue;
        member->waiting = false;
        *waiting_network = member->network;
        *waiting_shard = member->shard;
        return true;
    }
    return false;
}

bool sl_contents_leave(struct sl_contents *contents, int network, int shard)
{
    struct content *content = content_of(contents, network, shard);
    if (!content)
        return true;
    find(contents, network, shard)->waiting = false;
    if (--content->holders > 0)
        return false;
    content->resident = false;
    content->slot = NULL;
    return true;
}
