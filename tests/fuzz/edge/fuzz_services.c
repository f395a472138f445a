/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A services file against the golden zones and map. What loads must be answerable.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "edge/answer/answer.h"
#include "edge/service/services.h"
#include "edge/service/state_set.h"
#include "edge/wire/name.h"
#include "edge/wire/wire.h"
#include "message.h"
#include "world.h"

static void need(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "broken promise: %s\n", what);
        abort();
    }
}

static void check_service(const struct service *service)
{
    need(service->map_entry != NULL, "a map");
    need(service->ttl_min >= 1 && service->ttl_min <= service->ttl, "TTLs");
    need(service->pops_per_answer >= 1 && service->pops_per_answer <= MAP_PICKS_MAX, "picks");
    need((service->has_family[0] || service->has_family[1]) != service->is_alias,
         "addresses or names");
    need(!service->is_alias || service->pops_per_answer == 1, "one CNAME record");
    need(!service->is_held, "what is held is no service");
}

static void ask(const struct snapshot *snapshot)
{
    static const char *const names[] = {"www.example.com.",     "pair.example.com.",
                                        "x.cdn.example.com.",   "services.example.com.",
                                        "nowhere.example.com.", "byname.example.com.",
                                        "hint.example.com."};
    static const uint16_t types[] = {WIRE_TYPE_A, WIRE_TYPE_AAAA, WIRE_TYPE_HTTPS};
    static uint8_t response[ANSWER_RESPONSE_MAX];
    static struct message message;
    struct answer_scratch *scratch = answer_scratch_new();

    for (unsigned i = 0; i < 21; i++) {
        uint8_t query[WIRE_HEADER_LEN + NAME_LEN_MAX + NAME_SLACK + 5] = {0, 1, 0, 0, 0, 1};
        struct answer_request request = {.query = query, .client = {ADDRESS_IPV4, {127, 0, 0, 1}}};
        struct answer_outcome outcome;
        const char *wrong;
        size_t len;

        name_from_text(names[i / 3], query + WIRE_HEADER_LEN);
        len = WIRE_HEADER_LEN + name_len(query + WIRE_HEADER_LEN);
        wire_put_u16(query + len, types[i % 3]);
        wire_put_u16(query + len + 2, WIRE_CLASS_IN);
        request.query_len = len + 4;
        len = answer(scratch, snapshot, &request, response, sizeof(response), &outcome);
        wrong = message_parse(response, len, &message);
        need(!wrong, wrong ? wrong : "");
    }
    answer_scratch_free(scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const struct snapshot_info info = {.identity = "fuzz"};
    static struct image *image;
    static struct zone_set *zones;
    struct services *services = NULL;
    struct failure failure = {{0}};
    int file = memfd_create("services", 0);
    char path[64];
    int status;

    if (!image) {
        image = world_image();
        zones = world_zones(TEST_SOURCE_DIR "/tests/golden");
    }
    need(file >= 0 && write(file, bytes, len) == (ssize_t)len, "memfd");
    snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
    status = services_load(path, image, zones, &services, &failure);
    need(status == 0 || (status < 0 && failure.text[0]), "a failure has a reason");
    if (status == 0) {
        struct state_set *states = world_states(services);
        struct snapshot *snapshot = snapshot_new(zones, services, image, states, &info);

        for (uint32_t i = 0; i < services_count(services); i++) {
            check_service(services_get(services, i));
        }
        ask(snapshot);
        snapshot_free(snapshot);
        state_set_unref(states);
        services_unref(services);
    }
    close(file);
    return 0;
}
