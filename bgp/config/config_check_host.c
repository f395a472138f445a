/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The keys of checks that look at this host: exec, process, interface.
 */
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "bgp/config/config_parts.h"
#include "bgp/probe/probe_exec.h"
#include "bgp/probe/probe_interface.h"
#include "bgp/probe/probe_process.h"

/* --- exec --- */

/* A program that is named by a path is found from the folder of the file, another one in PATH. */
static int argument_keep(const struct yaml_node *node, bool program, struct arena *arena,
                         char **ret_argument, struct failure *failure)
{
    const char *text;
    char *path = NULL;
    int result = yaml_text(node, &text, failure);

    if (result == 0 && program && !*text) {
        return yaml_fail(node, -EINVAL, failure, "the name of a program is missing");
    }
    if (result == 0 && program && strchr(text, '/')) {
        result = yaml_path(node, &path, failure);
        text = path;
    }
    if (result == 0) {
        *ret_argument = arena_copy(arena, text, strlen(text));
        result = *ret_argument ? 0 : failure_set(failure, -ENOMEM, "out of memory");
    }
    free(path);
    return result;
}

static int exec_read(const struct yaml_node *node, struct arena *arena, struct config_check *check,
                     struct failure *failure)
{
    struct probe_exec_settings *settings = arena_alloc(arena, sizeof(*settings));
    const struct yaml_node *command = yaml_get(node, "command");

    if (!settings) {
        return failure_set(failure, -ENOMEM, "out of memory");
    }
    check->settings = settings;
    if (!command || yaml_kind(command) != YAML_KIND_LIST || yaml_count(command) == 0 ||
        yaml_count(command) > PROBE_EXEC_ARGUMENTS_MAX) {
        return yaml_fail(command ? command : node, -EINVAL, failure,
                         "command is a list: a program and up to %d arguments",
                         PROBE_EXEC_ARGUMENTS_MAX - 1);
    }
    for (size_t i = 0; i < yaml_count(command); i++) {
        const int result =
            argument_keep(yaml_item(command, i), i == 0, arena, &settings->command[i], failure);

        if (result < 0) {
            return result;
        }
    }
    return config_set_subject(arena, check, failure, "command %s", settings->command[0]);
}

static const char *const exec_keys[] = {"command", NULL};

const struct config_check_type config_check_exec = {
    .probe = &probe_exec, .class = CHECK_HARD, .keys = exec_keys, .read = exec_read};

/* --- process --- */

static int process_read(const struct yaml_node *node, struct arena *arena,
                        struct config_check *check, struct failure *failure)
{
    struct probe_process_settings *settings = arena_alloc(arena, sizeof(*settings));
    const struct yaml_node *control = yaml_get(node, "control"),
                           *pidfile = yaml_get(node, "pidfile");
    int result;

    if (!settings) {
        return failure_set(failure, -ENOMEM, "out of memory");
    }
    check->settings = settings;
    if (!control == !pidfile) {
        return yaml_fail(node, -EINVAL, failure,
                         "a process is found by control, its socket, or by pidfile: one of them");
    }
    result = control ? config_keep_socket(arena, node, control, &settings->control, failure)
                     : config_keep_path(arena, pidfile, &settings->pidfile, failure);
    return result ? result
                  : config_set_subject(arena, check, failure, "process of %s",
                                       control ? settings->control : settings->pidfile);
}

static const char *const process_keys[] = {"control", "pidfile", NULL};

const struct config_check_type config_check_process = {
    .probe = &probe_process, .class = CHECK_WATCH, .keys = process_keys, .read = process_read};

/* --- interface --- */

static int interface_read(const struct yaml_node *node, struct arena *arena,
                          struct config_check *check, struct failure *failure)
{
    struct probe_interface_settings *settings = arena_alloc(arena, sizeof(*settings));
    const struct yaml_node *address = yaml_get(node, "address"),
                           *name = yaml_get(node, "interface");
    char text[ADDRESS_TEXT_LEN];
    int result;

    if (!settings) {
        return failure_set(failure, -ENOMEM, "out of memory");
    }
    check->settings = settings;
    if (!address) {
        return yaml_fail(node, -EINVAL, failure, "an interface check needs an address");
    }
    result = yaml_address(address, &settings->address, failure);
    check->family = (enum address_family)settings->address.family;
    if (result == 0 && name) {
        const char *interface;

        result = yaml_text(name, &interface, failure);
        if (result == 0 && (!*interface || strlen(interface) >= IF_NAMESIZE)) {
            return yaml_fail(name, -EINVAL, failure, "no name of an interface");
        }
        result =
            result ? result : config_keep_text(arena, interface, &settings->interface, failure);
    }
    return result ? result
                  : config_set_subject(arena, check, failure, "%s on %s",
                                       address_format(&settings->address, text),
                                       name ? settings->interface : "any interface");
}

static const char *const interface_keys[] = {"address", "interface", NULL};

const struct config_check_type config_check_interface = {
    .probe = &probe_interface, .class = CHECK_HARD, .keys = interface_keys, .read = interface_read};
