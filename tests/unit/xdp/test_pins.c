/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "xdp/pins.h"
#include "xdp/xdp_publish.h"

Test(pins, names_of_links_have_nothing_a_bpf_file_system_refuses)
{
    static const struct {
        const char *interface;
        const char *name;
    } cases[] = {
        {"eth0", "link_eth0"},
        {"eth0.100", "link_eth0%2E100"},
        {"eth0_new", "link_eth0%5Fnew"}, /* "_new" is how a fresh pin is called */
        {"a%2Eb", "link_a%252Eb"},       /* two interfaces, two names */
        {"...............", "link_%2E%2E%2E%2E%2E%2E%2E%2E%2E%2E%2E%2E%2E%2E%2E"},
    };
    char name[PINS_NAME_MAX];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        pins_link_name(cases[i].interface, name);
        cr_assert_str_eq(name, cases[i].name);
    }
}

Test(pins, a_folder_outside_of_a_bpf_file_system_is_refused_and_not_left)
{
    char folder[] = "/tmp/isochrone-pins-XXXXXX";
    char inside[64];
    struct failure failure = {{0}};

    cr_assert_not_null(mkdtemp(folder));
    snprintf(inside, sizeof(inside), "%s/edge", folder);
    cr_assert_eq(pins_open(inside, &failure), -ENOTSUP);
    cr_assert_not_null(strstr(failure.text, "mount -t bpf"), "%s", failure.text);
    cr_assert_eq(access(inside, F_OK), -1);
    cr_assert_eq(rmdir(folder), 0);
    cr_assert_eq(pins_open(inside, &failure), -ENOENT, "its parent is missing");
}

Test(path, settings_that_cannot_be_are_refused_before_anything_is_loaded)
{
    const char *interface = "lo";
    struct xdp_settings settings = {&interface, 1, XDP_MODE_AUTO, "/nowhere/at/all", 1, 1, 1};
    struct xdp_path *path = NULL;
    struct failure failure = {{0}};

    cr_assert_eq(xdp_path_open(&settings, &path, &failure), -ENOENT);
    settings.services = 0;
    cr_assert_eq(xdp_path_open(&settings, &path, &failure), -EINVAL);
    cr_assert_null(path);
    xdp_path_close(NULL, true);
}
