/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a process may hear from the one it replaces, or from the one that replaces it: lines of
 * JSON as they come, read as every kind of message there is. What is taken from them, written and
 * read again, is the same.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "edge/daemon/handover.h"
#include "edge/daemon/inheritance.h"
#include "edge/daemon/states_file.h"

#define INPUT_MAX 60000 /* fits into the socket */

static void need(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "broken promise: %s\n", what);
        abort();
    }
}

static void read_counters(const json_t *from)
{
    struct counters_sum sum = {0};
    struct counters_sum again = {0};
    json_t *text;

    inheritance_read_counters(from, &sum);
    text = inheritance_write_counters(&sum);
    inheritance_read_counters(text, &again);
    need(memcmp(&sum, &again, sizeof(sum)) == 0, "counters survive being written");
    json_decref(text);
}

static void read_states(const json_t *from)
{
    struct states_source source = {0};
    struct states_source again = {0};
    struct failure failure;
    json_t *text;

    if (states_json_read(from, STATES_OPERATOR, &source, &failure) < 0) {
        need(source.entries == NULL, "a failure leaves nothing behind");
        return;
    }
    text = states_json_write(&source);
    need(text && states_json_read(text, STATES_OPERATOR, &again, &failure) == 0 &&
             again.count == source.count,
         "states survive being written");
    json_decref(text);
    states_source_done(&source);
    states_source_done(&again);
}

static void read_bytes(const json_t *from)
{
    uint8_t *bytes = NULL;
    size_t len = 0;

    if (handover_read_bytes(from, &bytes, &len) == 0) {
        json_t *text = handover_bytes(bytes, len);

        need(json_equal(text, from), "bytes survive being written");
        json_decref(text);
        free(bytes);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct handover *handover;
    json_t *message = NULL;
    int fds[2];

    if (size > INPUT_MAX || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0) {
        return 0;
    }
    need(size == 0 || send(fds[0], data, size, MSG_DONTWAIT) == (ssize_t)size, "the input fits");
    close(fds[0]);
    handover = handover_new(fds[1]);
    while (handover && handover_receive(handover, 0, &message) == 0) {
        struct tcp_passed passed;
        size_t worker;

        need(json_is_object(message), "a message is an object");
        (void)handover_step(message);
        need(handover_take_fd(handover) == -1, "no descriptor came");
        read_counters(message);
        read_states(json_object_get(message, "operator"));
        read_bytes(json_object_get(message, "held"));
        need(inheritance_read_connection(message, -1, clock_monotonic_ns(), &passed, &worker) < 0,
             "no connection without a descriptor");
        json_decref(message);
    }
    handover_free(handover);
    return 0;
}
