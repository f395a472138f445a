/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Any bytes on a control socket, in pieces: the first byte says how long they are. Each complete
 * line gets one line of JSON back, in order, until a line is too long or the client is gone.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/control.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* Says what it was asked, as a handler that quotes the operator does. */
static json_t *handle(void *context, const json_t *request)
{
    const char *verb = json_string_value(json_object_get(request, "verb"));
    const json_t *arguments = json_object_get(request, "arguments");
    unsigned *handled = context;

    ++*handled;
    require(json_is_object(request));
    if (!verb) {
        return control_refuse("no verb, and %zu arguments", json_array_size(arguments));
    }
    return json_pack("{s:b, s:o, s:O}", "ok", 1, "text", control_text(verb), "data", request);
}

/* What has come so far: whole lines, each of them JSON. Returns how many. */
static unsigned read_replies(int fd)
{
    static char replies[1 << 20];
    size_t len = 0;
    unsigned count = 0;
    ssize_t got;

    while ((got = recv(fd, replies + len, sizeof(replies) - len, MSG_DONTWAIT)) > 0) {
        len += (size_t)got;
    }
    for (size_t at = 0; at < len; count++) {
        const char *end = memchr(replies + at, '\n', len - at);
        json_t *reply;

        require(end != NULL);
        reply =
            json_loadb(replies + at, (size_t)(end - replies) - at, JSON_REJECT_DUPLICATES, NULL);
        require(json_is_object(reply) && json_is_boolean(json_object_get(reply, "ok")));
        json_decref(reply);
        at = (size_t)(end - replies) + 1;
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t address_len = sizeof(address);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct control *control;
    struct failure failure = {{0}};
    unsigned handled = 0, replied = 0, lines = 0;
    size_t step = len ? 1 + (size_t)bytes[0] * 17 + len / 64 : 1; /* 64 pieces are enough */

    /* a name that the kernel chooses, in no folder */
    require(bind(listener, (struct sockaddr *)&address, sizeof(address.sun_family)) == 0);
    require(listen(listener, 1) == 0);
    require(getsockname(listener, (struct sockaddr *)&address, &address_len) == 0);
    require(connect(client, (struct sockaddr *)&address, address_len) == 0);
    require(control_adopt("/nowhere", listener, handle, &handled, &control, &failure) == 0);
    control_run(control, 1);
    for (size_t at = 1; at < len; at += step) {
        size_t piece = len - at < step ? len - at : step;

        if (send(client, bytes + at, piece, MSG_NOSIGNAL) != (ssize_t)piece) {
            break; /* a line was too long */
        }
        for (size_t i = 0; i < piece; i++) {
            lines += bytes[at + i] == '\n';
        }
        for (unsigned i = 0; i < 4; i++) { /* read, and write in turn */
            control_run(control, 1);
            replied += read_replies(client);
        }
        require(replied <= lines && handled <= replied);
    }
    control_run(control, 1 + CONTROL_IDLE_NS); /* who says nothing more is gone */
    require(control_deadline_ns(control) == INT64_MAX);
    control_close(control);
    close(client);
    return 0;
}
