/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * isochronectl: asks a running isochrone-edge (or, for `vip`, isochrone-bgp) over its control
 * socket. One line of JSON out, one line back; what the reply means is the server's business, so
 * this program knows no more than how to print it. `compare` talks DNS to two servers instead:
 * edge/compare.
 */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "edge/compare/command.h"
#include "edge/compare/tap_command.h"

#define EDGE_SOCKET "/run/isochrone/edge.sock"
#define BGP_SOCKET "/run/isochrone/bgp.sock"
#define REPLY_MAX ((size_t)256 << 20)

struct command {
    const char *socket;
    json_t *options;
    bool json;
};

static const struct {
    const char *verb;
    int argument_min;
    int argument_max;
} verbs[] = {
    {"status", 0, 0},  {"health", 0, 0}, {"reload", 0, 0}, {"stats", 0, 0},
    {"explain", 2, 3}, {"pop", 2, 3},    {"vip", 1, 2},    {"xdp", 0, 1},
};

static void usage(FILE *to)
{
    fputs(
        "Usage: isochronectl [--socket PATH] [--json] VERB ...\n"
        "\n"
        "  status                          what is served, from which files, who says what about "
        "PoPs\n"
        "  health                          its age, what is missing, what was answered: short\n"
        "  reload                          read everything again; returns when it is served\n"
        "  stats                           counters\n"
        "  explain CLIENT NAME [TYPE]      which PoP an address or prefix gets, and why\n"
        "      --resolver                  CLIENT is a resolver that sends no client subnet\n"
        "      --from ADDRESS              who sends the query with CLIENT's subnet\n"
        "  pop NAME[/SERVICE] STATE        up, down, drain, shed N (percent), auto (take it "
        "back);\n"
        "                                  NAME and SERVICE may be globs\n"
        "      --for TIME                  until then only, as 30m, 2h, 1d\n"
        "      --reason TEXT, --owner NAME\n"
        "      --force                     even if it leaves a service with nobody\n"
        "  xdp                             what the kernel answers, and why it passes the rest up\n"
        "  xdp off|on                      it answers nothing, or again; until the server ends\n"
        "  xdp tap                         packets it has seen, one in --rate, until interrupted\n"
        "      --rate N, --count N         (100, no end)\n"
        "      --pcap FILE                 as a capture\n"
        "  vip status [VIPS]               isochrone-bgp: how VIPs stand, their checks, sessions\n"
        "  vip why VIP                     why it is announced, or not\n"
        "  vip history [VIPS]              the last changes, with --count N of them (40)\n"
        "  vip drain|withdraw|announce|auto VIPS\n"
        "                                  empty it first, or at once; announce it; leave it to\n"
        "                                  its checks again. VIPS is a prefix, a glob, or all\n"
        "      --for TIME, --reason TEXT, --owner NAME as above\n"
        "      --force                     even if too few other PoPs stay; announce: even if it\n"
        "                                  does not answer\n"
        "      --with-services             edge's services of this PoP too: pop drain, or auto\n",
        to);
    fputs(compare_usage, to);
    fputs("\n"
          "  --socket PATH   default " EDGE_SOCKET ", for vip " BGP_SOCKET "\n"
          "  --json          print the data, not the text\n"
          "  --version, --help\n"
          "\n"
          "Exit status: 0 done, 1 refused, failed, nobody there or a difference, 2 usage.\n",
          to);
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd;

    if (strlen(path) >= sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path));
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        fd_close(&fd);
    }
    return fd;
}

/* One line; the caller frees. NULL with errno set. */
static char *read_line(int fd)
{
    size_t len = 0;
    size_t size = 65536;
    char *line = malloc(size);

    while (line) {
        ssize_t got = read(fd, line + len, size - len - 1);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            errno = got < 0 ? errno : ECONNRESET;
            break;
        }
        len += (size_t)got;
        if (line[len - 1] == '\n') {
            line[len] = '\0';
            return line;
        }
        if (len + 1 == size) {
            char *larger = size < REPLY_MAX ? realloc(line, size * 2) : NULL;

            if (!larger) {
                errno = EMSGSIZE;
                break;
            }
            line = larger;
            size *= 2;
        }
    }
    free(line);
    return NULL;
}

/* Borrows the request. NULL after saying why on stderr. */
static json_t *ask(const char *path, json_t *request)
{
    char *text = json_dumps(request, JSON_COMPACT);
    int fd = connect_to(path);
    char *line = NULL;
    json_t *reply = NULL;
    json_error_t error;

    if (fd < 0 || !text || fd_write_all(fd, text, strlen(text)) < 0 ||
        fd_write_all(fd, "\n", 1) < 0 || !(line = read_line(fd))) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
    } else {
        reply = json_loads(line, 0, &error);
        if (!reply) {
            fprintf(stderr, "%s: not a reply: %s\n", path, error.text);
        }
    }
    free(line);
    free(text);
    fd_close(&fd);
    return reply;
}

static void print_lines(FILE *to, const json_t *list, const char *suffix)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        fprintf(to, "%s%s\n", json_string_value(json_array_get(list, i)), suffix);
    }
}

static int print_reply(const json_t *reply, bool as_json)
{
    const json_t *data = json_object_get(reply, "data");
    const char *text = json_string_value(json_object_get(reply, "text"));

    print_lines(stderr, json_object_get(reply, "warnings"), " (warning)");
    print_lines(stderr, json_object_get(reply, "errors"), "");
    if (as_json || (!text && data)) {
        if (data) {
            json_dumpf(data, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));
            fputs("\n", stdout);
        }
    } else if (text) {
        fputs(text, stdout);
    }
    return json_is_true(json_object_get(reply, "ok")) ? 0 : 1;
}

/* The services of the PoP whose VIP is drained are edge's business. isochrone-bgp says which PoP it
 * is and where its edge listens; what is asked there is ours alone. */
static int services_tell(const struct command *command, const json_t *reply)
{
    const json_t *services = json_object_get(json_object_get(reply, "data"), "services");
    const char *control = json_string_value(json_object_get(services, "control"));
    const char *pop = json_string_value(json_object_get(services, "pop"));
    const char *state = json_string_value(json_object_get(services, "state"));
    json_t *options, *request, *answer;
    int status;

    if (!json_is_true(json_object_get(command->options, "with-services"))) {
        return 0;
    }
    if (!control || !pop || !state) {
        fputs("isochrone-bgp does not say whom to tell about services\n", stderr);
        return 1;
    }
    options = json_copy(command->options);
    if (strcmp(state, "auto") == 0) {
        json_object_del(options, "for");
    }
    request = json_pack("{s:s, s:[s, s], s:o}", "verb", "pop", "arguments", pop, state, "options",
                        options);
    answer = request ? ask(control, request) : NULL;
    status = answer ? print_reply(answer, command->json) : 1;
    if (status != 0) {
        fputs("the VIP is changed, the services are not\n", stderr);
    }
    json_decref(answer);
    json_decref(request);
    return status;
}

static int run(const struct command *command, int argc, char **argv)
{
    const char *verb = argc > 0 ? argv[0] : "";
    const char *socket_path = command->socket;
    json_t *arguments = json_array();
    json_t *request;
    json_t *reply;
    int status = 2;

    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (strcmp(verb, verbs[i].verb) == 0 && argc - 1 >= verbs[i].argument_min &&
            argc - 1 <= verbs[i].argument_max) {
            status = 0;
        }
    }
    if (status) {
        usage(stderr);
        json_decref(arguments);
        return status;
    }
    if (!strcmp(verb, "xdp") && argc == 2 && !strcmp(argv[1], "tap")) {
        json_decref(arguments);
        return tap_command(ask, socket_path ? socket_path : EDGE_SOCKET, command->options,
                           command->json);
    }
    for (int i = 1; i < argc; i++) {
        json_array_append_new(arguments, json_string(argv[i]));
    }
    request = json_pack("{s:s, s:o, s:O}", "verb", verb, "arguments", arguments, "options",
                        command->options);
    if (!request) {
        fputs("arguments are not UTF-8\n", stderr);
        return 2;
    }
    if (!socket_path) {
        socket_path = strcmp(verb, "vip") == 0 ? BGP_SOCKET : EDGE_SOCKET;
    }
    reply = ask(socket_path, request);
    status = reply ? print_reply(reply, command->json) : 1;
    if (status == 0 && strcmp(verb, "vip") == 0) {
        status = services_tell(command, reply);
    }
    json_decref(reply);
    json_decref(request);
    return status;
}

/* Who is asking, unless told: behind sudo the person, not root. */
static void default_owner(json_t *options)
{
    const char *owner = getenv("SUDO_USER");

    if (!owner || !*owner) {
        owner = getenv("USER");
    }
    if (owner && *owner && strlen(owner) < 64) {
        json_object_set_new(options, "owner", json_string(owner));
    }
}

/* Where the verb stands: behind options and their values. */
static int verb_index(int argc, char **argv)
{
    int index = 1;

    while (index < argc && argv[index][0] == '-') {
        index += !strcmp(argv[index], "-s") || !strcmp(argv[index], "--socket") ? 2 : 1;
    }
    return index;
}

/* `compare` has options of its own; of those before it only --json means something to it. */
static int compare(int argc, char **argv, int verb)
{
    for (int i = verb; i > 1 && (!strcmp(argv[i - 1], "--json") || !strcmp(argv[i - 1], "-j"));) {
        char *option = argv[--i];

        argv[i] = argv[verb];
        argv[verb] = option;
        verb = i;
    }
    return compare_command(argc - verb, argv + verb);
}

int main(int argc, char **argv)
{
    enum option_id {
        OPTION_TEXT = 256, /* goes into the request under its own name */
        OPTION_FLAG,
        OPTION_VERSION,
        OPTION_HELP,
    };
    static const struct option options[] = {
        {"socket", required_argument, NULL, 's'},
        {"json", no_argument, NULL, 'j'},
        {"for", required_argument, NULL, OPTION_TEXT},
        {"reason", required_argument, NULL, OPTION_TEXT},
        {"owner", required_argument, NULL, OPTION_TEXT},
        {"from", required_argument, NULL, OPTION_TEXT},
        {"rate", required_argument, NULL, OPTION_TEXT},
        {"count", required_argument, NULL, OPTION_TEXT},
        {"pcap", required_argument, NULL, OPTION_TEXT},
        {"force", no_argument, NULL, OPTION_FLAG},
        {"resolver", no_argument, NULL, OPTION_FLAG},
        {"with-services", no_argument, NULL, OPTION_FLAG},
        {"version", no_argument, NULL, OPTION_VERSION},
        {"help", no_argument, NULL, OPTION_HELP},
        {NULL, 0, NULL, 0},
    };
    struct command command = {.options = json_object()};
    int option;
    int index = 0;
    int status;

    index = verb_index(argc, argv);
    if (index < argc && !strcmp(argv[index], "compare")) {
        json_decref(command.options);
        return compare(argc, argv, index);
    }
    default_owner(command.options);
    while ((option = getopt_long(argc, argv, "s:j", options, &index)) != -1) {
        switch (option) {
        case 's':
            command.socket = optarg;
            break;
        case 'j':
            command.json = true;
            break;
        case OPTION_TEXT:
            json_object_set_new(command.options, options[index].name, json_string(optarg));
            break;
        case OPTION_FLAG:
            json_object_set_new(command.options, options[index].name, json_true());
            break;
        case OPTION_VERSION:
            puts("isochronectl " ISOCHRONE_VERSION);
            json_decref(command.options);
            return 0;
        case OPTION_HELP:
            usage(stdout);
            json_decref(command.options);
            return 0;
        default:
            usage(stderr);
            json_decref(command.options);
            return 2;
        }
    }
    status = run(&command, argc - optind, argv + optind);
    json_decref(command.options);
    return status;
}
