/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/import/tinydns.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "mapper/import/tinydns_line.h"
#include "mapper/key.h"

#define DATA_FILE_MAX ((size_t)1 << 30)
#define ANSWER_MAX 8u /* addresses tinydns answers at most */
#define ELSEWHERE "elsewhere"
#define LOCATIONS_MAX 200u /* PoPs, with room for ELSEWHERE */

struct record {
    struct domain owner;
    struct address address;
    const char *type;
    const char *rdata;
    uint32_t ttl_s;
    uint32_t line;
    uint32_t zone; /* MODEL_NONE none */
    size_t number; /* in the file */
    char location[3];
    bool is_extra;
    bool is_taken; /* by a service */
};

struct importer {
    const char *file;
    struct model *model;
    struct record *record;
    size_t n;
    size_t capacity;
    struct tinydns_location location[4096];
    size_t location_n;
    struct domain *origin; /* of the model's zones */
    uint32_t map;
    uint32_t pop_of[LOCATIONS_MAX]; /* by number of the location's name */
    char name[LOCATIONS_MAX][3];    /* the names, each once */
    size_t name_n;
    uint32_t elsewhere; /* PoP */
    int everywhere;     /* number of the location that all others are carved out of, or -ENOENT */
};

/* --- taking the lines --- */

static int record_take(void *context, const struct tinydns_record *given)
{
    struct importer *importer = context;
    struct record *record;

    if (importer->n == importer->capacity) {
        size_t capacity = importer->capacity ? importer->capacity * 2 : 256;
        struct record *grown = realloc(importer->record, capacity * sizeof(*grown));

        if (!grown) {
            return -ENOMEM;
        }
        importer->record = grown;
        importer->capacity = capacity;
    }
    record = &importer->record[importer->n];
    *record = (struct record){
        .owner = given->owner,
        .address = given->address,
        .type = arena_copy(importer->model->arena, given->type, strlen(given->type)),
        .rdata = arena_copy(importer->model->arena, given->rdata, strlen(given->rdata)),
        .ttl_s = given->ttl_s,
        .line = given->line,
        .zone = MODEL_NONE,
        .number = importer->n,
        .is_extra = given->is_extra};
    memcpy(record->location, given->location, sizeof(record->location));
    importer->n++;
    return record->type && record->rdata ? 0 : -ENOMEM;
}

static int location_take(void *context, const struct tinydns_location *location)
{
    struct importer *importer = context;

    if (importer->location_n == sizeof(importer->location) / sizeof(importer->location[0])) {
        return notes_add(&importer->model->notes, NOTE_LEFT_OUT, importer->file, location->line,
                         "too many locations: the line is skipped");
    }
    importer->location[importer->location_n++] = *location;
    return 0;
}

/* --- zones --- */

static bool is_type(const struct record *record, const char *type)
{
    return strcmp(record->type, type) == 0;
}

static bool domains_equal(const struct domain *a, const struct domain *b)
{
    return a->len == b->len && domain_within(a, b);
}

static int zone_make(struct importer *importer, const struct record *soa)
{
    struct model *model = importer->model;
    struct model_zone *zone;
    struct domain *origin;
    char text[DOMAIN_TEXT_MAX];
    char file[DOMAIN_TEXT_MAX + 16];
    size_t n;

    for (size_t i = 0; i < model->zone_n; i++) {
        if (domains_equal(&importer->origin[i], &soa->owner)) {
            return 0;
        }
    }
    origin = realloc(importer->origin, (model->zone_n + 1) * sizeof(*origin));
    if (!origin) {
        return -ENOMEM;
    }
    importer->origin = origin;
    origin[model->zone_n] = soa->owner;
    (void)domain_format(&soa->owner, text);
    n = (size_t)snprintf(file, sizeof(file), "zones/%zu-%szone", model->zone_n + 1, text);
    for (size_t i = 6; i < n; i++) {
        bool kept = isalnum((unsigned char)file[i]) || strchr("._-", file[i]);

        file[i] = kept ? file[i] : '@';
    }
    if (n > 200) {
        (void)snprintf(file, sizeof(file), "zones/%zu.zone", model->zone_n + 1);
    }
    return model_zone_add(model, text, file, &zone);
}

/* The nearest zone at or above a name. */
static uint32_t zone_find(const struct importer *importer, const struct domain *name)
{
    uint32_t best = MODEL_NONE;

    for (size_t i = 0; i < importer->model->zone_n; i++) {
        if (domain_within(name, &importer->origin[i]) &&
            (best == MODEL_NONE || importer->origin[i].len > importer->origin[best].len)) {
            best = (uint32_t)i;
        }
    }
    return best;
}

static int zones_make(struct importer *importer)
{
    int err = 0;

    for (size_t i = 0; i < importer->n && !err; i++) {
        if (is_type(&importer->record[i], "SOA")) {
            err = zone_make(importer, &importer->record[i]);
        }
    }
    for (size_t i = 0; i < importer->n && !err; i++) {
        struct record *record = &importer->record[i];

        record->zone = zone_find(importer, &record->owner);
        if (record->zone == MODEL_NONE) {
            err =
                notes_add(&importer->model->notes, record->is_extra ? NOTE_IGNORED : NOTE_LEFT_OUT,
                          importer->file, record->line,
                          "%s record outside of all names with an SOA record", record->type);
        }
    }
    return err;
}

static int record_compare(const void *a, const void *b)
{
    const struct record *left = a;
    const struct record *right = b;
    size_t len = left->owner.len < right->owner.len ? left->owner.len : right->owner.len;
    int order = 0;

    for (size_t i = 0; i < len && !order; i++) {
        order = tolower(left->owner.wire[i]) - tolower(right->owner.wire[i]);
    }
    order = order ? order : (int)left->owner.len - (int)right->owner.len;
    order = order ? order : strcmp(left->type, right->type);
    return order ? order : (left->number > right->number) - (left->number < right->number);
}

/* --- locations --- */

static int name_number(const struct importer *importer, const char *name)
{
    for (size_t i = 0; i < importer->name_n; i++) {
        if (strcmp(importer->name[i], name) == 0) {
            return (int)i;
        }
    }
    return -ENOENT;
}

static int names_collect(struct importer *importer)
{
    struct model *model = importer->model;
    int err = model_pop(model, ELSEWHERE, &importer->elsewhere);

    for (size_t i = 0; i < importer->location_n && !err; i++) {
        const char *name = importer->location[i].name;
        char source[16];

        if (name_number(importer, name) >= 0) {
            continue;
        }
        if (importer->name_n == LOCATIONS_MAX) {
            return notes_add(&model->notes, NOTE_LEFT_OUT, importer->file,
                             importer->location[i].line, "more than %u locations", LOCATIONS_MAX);
        }
        memcpy(importer->name[importer->name_n], name, 3);
        (void)snprintf(source, sizeof(source), "in-%s", name);
        err = model_pop(model, source, &importer->pop_of[importer->name_n]);
        importer->name_n++;
    }
    importer->everywhere = -ENOENT;
    for (size_t i = 0; i < importer->location_n; i++) {
        if (importer->location[i].prefix.len == 0) {
            importer->everywhere = name_number(importer, importer->location[i].name);
        }
    }
    return err;
}

/* One map for all services: a location's networks have its PoP first. */
static int map_make(struct importer *importer)
{
    struct model *model = importer->model;
    struct steps_prefix *prefixes = calloc(importer->location_n + 1, sizeof(*prefixes));
    uint8_t pops[LOCATIONS_MAX + 2];
    uint32_t order;
    size_t pop_n = 0;
    size_t n = 0;
    int err = prefixes ? 0 : -ENOMEM;

    if (importer->everywhere >= 0) {
        pops[pop_n++] = (uint8_t)importer->pop_of[importer->everywhere];
    }
    pops[pop_n++] = (uint8_t)importer->elsewhere;
    for (size_t i = 0; i < importer->name_n; i++) {
        pops[pop_n++] = (uint8_t)importer->pop_of[i];
    }
    err = err ? err : model_list(model, pops, pop_n, &order);
    err = err ? err : model_map_add(model, "location", order, &importer->map);
    for (size_t i = 0; i < importer->location_n && !err; i++) {
        const struct tinydns_location *location = &importer->location[i];
        int number = name_number(importer, location->name);
        uint8_t pair[2];
        uint32_t list;

        if (number < 0) {
            continue;
        }
        pair[0] = (uint8_t)importer->pop_of[number];
        pair[1] = (uint8_t)importer->elsewhere;
        list = order;
        err = number == importer->everywhere ? 0 : model_list(model, pair, 2, &list);
        prefixes[n++] = (struct steps_prefix){.first = key_from_address(&location->prefix.address),
                                              .len = location->prefix.len,
                                              .value = list};
    }
    err =
        err ? err
            : steps_from_prefixes(prefixes, n, &model->map[importer->map].ranking[MAP_FAMILY_IPV4]);
    free(prefixes);
    return err;
}

/* --- services --- */

/* The A and AAAA records of one name, all of them side by side. */
struct group {
    struct record *record;
    size_t n;
};

static bool has_locations(const struct group *group)
{
    for (size_t i = 0; i < group->n; i++) {
        if (group->record[i].location[0] && !group->record[i].is_taken) {
            return true;
        }
    }
    return false;
}

/* The addresses that clients of a location see; "" elsewhere. */
static size_t addresses_collect(const struct group *group, const char *location,
                                struct address *ret_addresses)
{
    size_t n = 0;

    for (size_t i = 0; i < group->n; i++) {
        const struct record *record = &group->record[i];
        bool known = false;

        if (record->location[0] && strcmp(record->location, location) != 0) {
            continue;
        }
        for (size_t k = 0; k < n; k++) {
            known = known || address_compare(&ret_addresses[k], &record->address) == 0;
        }
        if (!known) {
            ret_addresses[n++] = record->address;
        }
    }
    return n;
}

static int service_fill(struct importer *importer, const struct group *group,
                        struct model_site *sites, size_t *ret_n)
{
    struct model *model = importer->model;
    int err = 0;

    *ret_n = 0;
    for (size_t i = 0; i <= importer->name_n && !err; i++) {
        const char *location = i ? importer->name[i - 1] : "";
        struct address *addresses = arena_alloc(model->arena, (group->n + 1) * sizeof(*addresses));
        size_t n = addresses ? addresses_collect(group, location, addresses) : 0;

        if (!addresses) {
            return -ENOMEM;
        }
        if (n) {
            sites[(*ret_n)++] =
                (struct model_site){.pop = i ? importer->pop_of[i - 1] : importer->elsewhere,
                                    .address = addresses,
                                    .address_n = n};
        } else if (i || importer->everywhere < 0) {
            err = notes_add(&model->notes, NOTE_LEFT_OUT, importer->file, group->record[0].line,
                            "clients %s%s get no address from tinydns; a name must have the same "
                            "types for everybody, so they get another location's",
                            i ? "in location " : "outside of all locations", location);
        }
    }
    return err;
}

static int service_make(struct importer *importer, const struct group *group)
{
    struct model *model = importer->model;
    struct model_site sites[LOCATIONS_MAX + 1];
    struct model_service service = {.map = importer->map, .site = sites, .pops_per_answer = 1};
    char owner[DOMAIN_TEXT_MAX];
    uint32_t number;
    int err = service_fill(importer, group, sites, &service.site_n);

    service.ttl_s = group->record[0].ttl_s;
    for (size_t i = 1; i < group->n; i++) {
        service.ttl_s =
            group->record[i].ttl_s < service.ttl_s ? group->record[i].ttl_s : service.ttl_s;
    }
    service.ttl_s = service.ttl_s > 604800 ? 604800 : service.ttl_s ? service.ttl_s : 1;
    service.ttl_min_s = service.ttl_s;
    (void)domain_format(&group->record[0].owner, owner);
    service.name = model_text(model, "location-%zu", model->service_n + 1);
    err = err || service.name ? err : -ENOMEM;
    err = err ? err : model_service_add(model, &service, &number);
    return err ? err : model_name_add(model, owner, number);
}

/* What stays in the zone of a name with locations: the answer elsewhere, or of the first. */
static void fallback_mark(const struct group *group)
{
    const char *kept = NULL;

    for (size_t i = 0; i < group->n; i++) {
        if (!group->record[i].is_taken && (!kept || !group->record[i].location[0])) {
            kept = group->record[i].location;
        }
    }
    for (size_t i = 0; kept && i < group->n; i++) {
        if (group->record[i].location[0] && strcmp(group->record[i].location, kept) != 0) {
            group->record[i].is_taken = true;
        }
    }
}

/* Records of a location that no %-line defines are seen by nobody. */
static int unseen_drop(struct importer *importer, const struct group *group)
{
    int err = 0;

    for (size_t i = 0; i < group->n && !err; i++) {
        struct record *record = &group->record[i];

        if (record->location[0] && name_number(importer, record->location) < 0) {
            record->is_taken = true;
            err = notes_add(&importer->model->notes, NOTE_IGNORED, importer->file, record->line,
                            "no line puts a client into location %s: the address is dropped",
                            record->location);
        }
    }
    return err;
}

static int group_take(struct importer *importer, const struct group *group)
{
    const struct record *first = &group->record[0];
    int err = unseen_drop(importer, group);

    if (!err && has_locations(group)) {
        err = service_make(importer, group);
        fallback_mark(group);
    }
    if (!err && group->n > ANSWER_MAX) {
        err = notes_add(&importer->model->notes, NOTE_DIFFERS, importer->file, first->line,
                        "tinydns answers %u of %zu addresses at random, isochrone-edge all",
                        ANSWER_MAX, group->n);
    }
    return err;
}

static bool is_address(const struct record *record)
{
    return record->address.family != ADDRESS_NONE;
}

/* Records are sorted: A and AAAA of a name stand side by side. */
static int services_make(struct importer *importer)
{
    size_t at = 0;
    int err = 0;

    while (at < importer->n && !err) {
        struct group group = {.record = &importer->record[at], .n = 1};

        while (at + group.n < importer->n && is_address(&group.record[group.n]) &&
               domains_equal(&group.record[0].owner, &group.record[group.n].owner)) {
            group.n++;
        }
        if (is_address(&group.record[0]) && group.record[0].zone != MODEL_NONE) {
            err = group_take(importer, &group);
        } else {
            group.n = 1;
        }
        at += group.n;
    }
    return err;
}

/* --- records --- */

static bool is_repeated(const struct importer *importer, size_t index)
{
    const struct record *record = &importer->record[index];
    const struct record *last = index ? &importer->record[index - 1] : NULL;

    return last && domains_equal(&last->owner, &record->owner) && is_type(last, record->type) &&
           (is_type(record, "SOA") || strcmp(last->rdata, record->rdata) == 0);
}

static int records_write(struct importer *importer)
{
    struct model *model = importer->model;
    bool wildcard = false;
    int err = 0;

    for (size_t i = 0; i < importer->n && !err; i++) {
        const struct record *record = &importer->record[i];
        struct model_zone *zone;
        char owner[DOMAIN_TEXT_MAX];

        if (record->zone == MODEL_NONE || record->is_taken || is_repeated(importer, i)) {
            continue; /* tinydns answers one SOA record, and no record twice */
        }
        if (record->location[0] && !is_address(record)) {
            err = notes_add(&model->notes, NOTE_LEFT_OUT, importer->file, record->line,
                            "a %s record for location %s only: everybody gets it, unless you "
                            "remove it",
                            record->type, record->location);
        }
        if (!err && !wildcard && record->owner.wire[0] == 1 && record->owner.wire[1] == '*') {
            wildcard = true;
            err = notes_add(&model->notes, NOTE_DIFFERS, importer->file, record->line,
                            "wildcards follow RFC 4592: an existing name, also one without "
                            "records of its own, hides them from all names below it");
        }
        zone = &model->zone[record->zone];
        text_string(&zone->text, domain_format(&record->owner, owner));
        text_format(&zone->text, "\t%u\tIN\t%s\t", record->ttl_s, record->type);
        text_string(&zone->text, record->rdata);
        text_string(&zone->text, "\n");
        err = zone->text.failed ? -ENOMEM : err;
    }
    return err;
}

static int model_make(struct importer *importer)
{
    static const char *listen[] = {"0.0.0.0@53"};
    int err = zones_make(importer);

    if (!err && importer->n) {
        qsort(importer->record, importer->n, sizeof(*importer->record), record_compare);
    }
    if (!err && importer->location_n) {
        err = names_collect(importer);
        err = err ? err : map_make(importer);
        err = err ? err
                  : notes_add(&importer->model->notes, NOTE_DIFFERS, importer->file,
                              importer->location[0].line,
                              "tinydns takes the location of the resolver; isochrone-edge that of "
                              "the client where the resolver tells it (RFC 7871)");
    }
    err = err ? err : services_make(importer);
    err = err ? err : records_write(importer);
    importer->model->edge.listen = listen;
    importer->model->edge.listen_n = 1;
    return err;
}

int tinydns_import_bytes(const char *name, const uint8_t *bytes, size_t len, uint32_t serial,
                         int64_t now_s, struct model *model, struct failure *failure)
{
    const struct tinydns_source source = {.name = name, .serial = serial, .now_s = now_s};
    struct importer *importer = calloc(1, sizeof(*importer));
    int err = importer ? 0 : -ENOMEM;

    if (!err) {
        const struct tinydns_sink sink = {
            .record = record_take, .location = location_take, .context = importer};

        importer->file = name;
        importer->model = model;
        err = tinydns_lines_read(&source, bytes, len, &sink, &model->notes);
        err = err ? err : model_make(importer);
        free(importer->record);
        free(importer->origin);
    }
    free(importer);
    return err ? failure_set(failure, err, "%s",
                             err == -ENOMEM ? "out of memory" : "too many locations")
               : 0;
}

int tinydns_import(const char *path, int64_t now_s, struct model *model, struct failure *failure)
{
    struct stat status;
    uint8_t *bytes = NULL;
    size_t len;
    int err = fd_read_file(path, DATA_FILE_MAX, &bytes, &len, failure);

    if (!err && stat(path, &status) != 0) {
        err = failure_set(failure, -errno, "%s: %s", path, strerror(errno));
    }
    err = err ? err
              : tinydns_import_bytes(path, bytes, len, (uint32_t)status.st_mtime, now_s, model,
                                     failure);
    free(bytes);
    return err;
}
