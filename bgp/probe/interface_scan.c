/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bgp/probe/interface_scan.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#define ALIGN(len) (((len) + NLMSG_ALIGNTO - 1) & ~((size_t)NLMSG_ALIGNTO - 1))

/* The message at the front of `*bytes`, which moves behind it; its body, or NULL at the end. */
static const uint8_t *message_next(const uint8_t **bytes, size_t *len, struct nlmsghdr *ret_header,
                                   size_t *ret_body_len)
{
    const uint8_t *body = *bytes + sizeof(*ret_header);
    size_t step;

    if (*len < sizeof(*ret_header)) {
        return NULL;
    }
    memcpy(ret_header, *bytes, sizeof(*ret_header));
    if (ret_header->nlmsg_len < sizeof(*ret_header) || ret_header->nlmsg_len > *len) {
        return NULL;
    }
    *ret_body_len = ret_header->nlmsg_len - sizeof(*ret_header);
    step = ALIGN(ret_header->nlmsg_len);
    step = step < *len ? step : *len;
    *bytes += step;
    *len -= step;
    return body;
}

struct entry {
    unsigned index;
    uint32_t flags;
    bool has_local;
    struct address address; /* IFA_ADDRESS: the other end's where there is an IFA_LOCAL */
    struct address local;
};

static void entry_attribute(struct entry *entry, uint16_t type, const uint8_t *data, size_t len)
{
    const size_t address_len = entry->address.family == ADDRESS_IPV4 ? 4 : 16;

    if (type == IFA_FLAGS && len == sizeof(entry->flags)) {
        memcpy(&entry->flags, data, len);
    } else if (type == IFA_ADDRESS && len == address_len) {
        memcpy(entry->address.bytes, data, len);
    } else if (type == IFA_LOCAL && len == address_len) {
        memcpy(entry->local.bytes, data, len);
        entry->has_local = true;
    }
}

static bool entry_read(struct entry *entry, const uint8_t *body, size_t len)
{
    struct ifaddrmsg head;

    if (len < sizeof(head)) {
        return false;
    }
    memcpy(&head, body, sizeof(head));
    if (head.ifa_family != AF_INET && head.ifa_family != AF_INET6) {
        return false;
    }
    *entry = (struct entry){.index = head.ifa_index, .flags = head.ifa_flags};
    entry->address.family = head.ifa_family == AF_INET ? ADDRESS_IPV4 : ADDRESS_IPV6;
    entry->local.family = entry->address.family;
    for (size_t at = sizeof(head); at < len && len - at >= sizeof(struct rtattr);) {
        struct rtattr attribute;

        memcpy(&attribute, body + at, sizeof(attribute));
        if (attribute.rta_len < sizeof(attribute) || attribute.rta_len > len - at) {
            return false;
        }
        entry_attribute(entry, attribute.rta_type, body + at + sizeof(attribute),
                        attribute.rta_len - sizeof(attribute));
        at += ALIGN((size_t)attribute.rta_len);
    }
    return true;
}

static bool entry_is(const struct entry *entry, const struct address *address)
{
    return address_compare(entry->has_local ? &entry->local : &entry->address, address) == 0;
}

static void scan_entry(struct interface_scan *scan, const uint8_t *body, size_t len)
{
    struct entry entry;

    if (entry_read(&entry, body, len) && entry_is(&entry, &scan->address) &&
        scan->places_n < INTERFACE_PLACES_MAX) {
        /* an optimistic one is answered already (RFC 4429) */
        scan->places[scan->places_n++] = (struct interface_place){
            .index = entry.index,
            .usable = !(entry.flags & IFA_F_DADFAILED) &&
                      (!(entry.flags & IFA_F_TENTATIVE) || entry.flags & IFA_F_OPTIMISTIC)};
    }
}

void interface_scan_add(struct interface_scan *scan, const uint8_t *bytes, size_t len)
{
    struct nlmsghdr header;
    const uint8_t *body;
    size_t body_len;

    while (!scan->ended && (body = message_next(&bytes, &len, &header, &body_len))) {
        scan->interrupted = scan->interrupted || header.nlmsg_flags & NLM_F_DUMP_INTR;
        if (header.nlmsg_type == NLMSG_DONE) {
            scan->ended = true;
        } else if (header.nlmsg_type == NLMSG_ERROR) {
            int error = 0;

            if (body_len >= sizeof(error)) {
                memcpy(&error, body, sizeof(error));
            }
            scan->error = error < 0 && error > -4096 ? -error : EIO;
            scan->ended = true;
        } else if (header.nlmsg_type == RTM_NEWADDR) {
            scan_entry(scan, body, body_len);
        }
    }
}

bool interface_scan_concerns(const struct address *address, const uint8_t *bytes, size_t len)
{
    struct nlmsghdr header;
    const uint8_t *body;
    size_t body_len;

    while ((body = message_next(&bytes, &len, &header, &body_len))) {
        struct entry entry;

        if (header.nlmsg_type == RTM_NEWLINK || header.nlmsg_type == RTM_DELLINK ||
            ((header.nlmsg_type == RTM_NEWADDR || header.nlmsg_type == RTM_DELADDR) &&
             entry_read(&entry, body, body_len) && entry_is(&entry, address))) {
            return true;
        }
    }
    return false;
}
