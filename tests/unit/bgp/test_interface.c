/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Lists of addresses as the kernel writes them, and the addresses of this host.
 */
#include "bgp/probe/interface_scan.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "bgp/probe/probe_interface.h"
#include "probe_play.h"

#define MS CLOCK_NS_PER_MS

/* --- lists --- */

struct list {
    size_t len;
    uint8_t bytes[1024];
};

static void list_put(struct list *list, const void *bytes, size_t len)
{
    memcpy(list->bytes + list->len, bytes, len);
    list->len += (len + 3) & ~(size_t)3;
}

static void list_attribute(struct list *list, uint16_t type, const void *data, size_t len)
{
    const struct rtattr attribute = {.rta_len = (unsigned short)(sizeof(attribute) + len),
                                     .rta_type = type};

    list_put(list, &attribute, sizeof(attribute));
    list_put(list, data, len);
}

static void list_address(struct list *list, uint16_t type, const char *text, const char *local,
                         uint32_t flags, unsigned index)
{
    const size_t at = list->len;
    struct nlmsghdr header = {.nlmsg_type = type};
    struct ifaddrmsg body = {.ifa_index = index, .ifa_flags = (uint8_t)flags};
    struct address address, own;
    size_t len;

    cr_assert_eq(address_parse(text, &address), 0);
    cr_assert_eq(address_parse(local ? local : text, &own), 0);
    len = address.family == ADDRESS_IPV4 ? 4 : 16;
    body.ifa_family = address.family == ADDRESS_IPV4 ? AF_INET : AF_INET6;
    list_put(list, &header, sizeof(header));
    list_put(list, &body, sizeof(body));
    list_attribute(list, IFA_ADDRESS, address.bytes, len);
    if (local) {
        list_attribute(list, IFA_LOCAL, own.bytes, len);
    }
    list_attribute(list, IFA_FLAGS, &flags, sizeof(flags));
    header.nlmsg_len = (uint32_t)(list->len - at);
    memcpy(list->bytes + at, &header, sizeof(header));
}

static void list_end(struct list *list, uint16_t type, int error)
{
    const struct {
        struct nlmsghdr header;
        int error;
    } end = {{.nlmsg_len = sizeof(end), .nlmsg_type = type}, error};

    list_put(list, &end, sizeof(end));
}

static struct interface_scan scan(const char *address, const struct list *list)
{
    struct interface_scan result = {0};

    cr_assert_eq(address_parse(address, &result.address), 0);
    interface_scan_add(&result, list->bytes, list->len);
    return result;
}

Test(interface, addresses_in_a_list)
{
    struct list list = {0};
    struct interface_scan found;

    list_address(&list, RTM_NEWADDR, "192.0.2.1", NULL, 0, 1);
    list_address(&list, RTM_NEWADDR, "192.0.2.9", "192.0.2.2", 0, 2); /* the other end is .9 */
    list_address(&list, RTM_NEWADDR, "2001:db8::1", NULL, IFA_F_TENTATIVE, 3);
    list_address(&list, RTM_NEWADDR, "2001:db8::1", NULL, IFA_F_DADFAILED, 4);
    list_address(&list, RTM_NEWADDR, "2001:db8::1", NULL, IFA_F_TENTATIVE | IFA_F_OPTIMISTIC, 5);
    list_address(&list, RTM_NEWADDR, "2001:db8::1", NULL, IFA_F_NOPREFIXROUTE, 6);
    list_end(&list, NLMSG_DONE, 0);
    list_address(&list, RTM_NEWADDR, "192.0.2.3", NULL, 0, 1);
    found = scan("192.0.2.1", &list);
    cr_assert(found.ended && !found.error && !found.interrupted);
    cr_assert(found.places_n == 1 && found.places[0].index == 1 && found.places[0].usable);
    found = scan("192.0.2.2", &list);
    cr_assert(found.places_n == 1 && found.places[0].index == 2);
    cr_assert_eq(scan("192.0.2.9", &list).places_n, 0);
    cr_assert_eq(scan("192.0.2.3", &list).places_n, 0, "behind the end");
    cr_assert_eq(scan("192.0.2.4", &list).places_n, 0);
    found = scan("2001:db8::1", &list);
    cr_assert_eq(found.places_n, 4);
    for (size_t i = 0; i < 4; i++) {
        cr_expect_eq(found.places[i].index, 3 + i);
        cr_expect_eq(found.places[i].usable, i >= 2);
    }
}

Test(interface, lists_that_are_cut_or_refused)
{
    struct list list = {0}, refused = {0}, many = {0};
    struct interface_scan found;

    list_address(&list, RTM_NEWADDR, "192.0.2.1", NULL, 0, 1);
    for (size_t len = 0; len < list.len; len++) {
        const struct list cut = {.len = len};

        cr_expect_not(scan("192.0.2.1", &cut).ended);
    }
    list.bytes[6] |= NLM_F_DUMP_INTR;
    cr_assert(scan("192.0.2.1", &list).interrupted);
    list_end(&refused, NLMSG_ERROR, -EPERM);
    found = scan("192.0.2.1", &refused);
    cr_assert(found.ended && found.error == EPERM);
    for (unsigned i = 0; i < 2 * INTERFACE_PLACES_MAX; i++) {
        list_address(&many, RTM_NEWADDR, "192.0.2.1", NULL, 0, i);
    }
    cr_assert_eq(scan("192.0.2.1", &many).places_n, INTERFACE_PLACES_MAX);
}

static bool concerns(const char *text, const struct list *list)
{
    struct address address;

    cr_assert_eq(address_parse(text, &address), 0);
    return interface_scan_concerns(&address, list->bytes, list->len);
}

Test(interface, notices)
{
    struct list gone = {0}, link = {0};

    list_address(&gone, RTM_DELADDR, "192.0.2.1", NULL, 0, 1);
    cr_assert(concerns("192.0.2.1", &gone));
    cr_assert_not(concerns("192.0.2.2", &gone));
    list_end(&link, RTM_NEWLINK, 0);
    cr_assert(concerns("192.0.2.2", &link));
}

/* --- this host --- */

static struct probe_outcome probed(const char *address, const char *interface)
{
    struct probe_interface_settings settings = {.interface = interface};
    const unsigned before = probe_play_descriptors();
    struct probe_play play;

    cr_assert_eq(address_parse(address, &settings.address), 0);
    probe_play_open(&play, &probe_interface, &settings, 500 * MS);
    cr_assert(probe_play_start(&play, 0));
    probe_play_close(&play);
    cr_assert_eq(probe_play_descriptors(), before);
    return play.outcome;
}

Test(interface, loopback_is_there)
{
    struct probe_outcome outcome = probed("127.0.0.1", NULL);

    cr_assert_eq(outcome.observation, HEALTH_PASS, "%s", outcome.evidence);
    cr_assert_str_eq(outcome.evidence, "127.0.0.1 is on lo");
    outcome = probed("127.0.0.1", "lo");
    cr_assert_eq(outcome.observation, HEALTH_PASS);
    outcome = probed("127.0.0.1", "eth9x");
    cr_assert_eq(outcome.cause, PROBE_CAUSE_DEAD);
    cr_assert_str_eq(outcome.evidence, "127.0.0.1 is elsewhere: on lo");
    outcome = probed("198.51.100.77", NULL);
    cr_assert_eq(outcome.cause, PROBE_CAUSE_DEAD);
    cr_assert_str_eq(outcome.evidence, "198.51.100.77 is not on this host");
    outcome = probed("2001:db8::77", NULL);
    cr_assert_str_eq(outcome.evidence, "2001:db8::77 is not on this host");
}
