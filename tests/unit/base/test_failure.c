/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/failure.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

Test(failure, set_formats_and_returns_its_code)
{
    struct failure failure;

    cr_assert_eq(failure_set(&failure, -EINVAL, "%s:%d: bad", "a.csv", 7), -EINVAL);
    cr_assert_str_eq(failure.text, "a.csv:7: bad");
}

Test(failure, nobody_has_to_listen)
{
    cr_assert_eq(failure_set(NULL, -EIO, "lost %d", 1), -EIO);
    cr_assert_eq(failure_wrap(NULL, -EIO, "lost %d", 1), -EIO);
}

Test(failure, errno_is_kept)
{
    struct failure failure;

    errno = ENOTTY;
    failure_set(&failure, -EIO, "%m %s", "x");
    failure_wrap(&failure, -EIO, "context");
    cr_assert_eq(errno, ENOTTY);
    cr_assert_eq(failure_set(&failure, -errno, "lost"), -ENOTTY);
}

Test(failure, the_old_text_may_be_an_argument)
{
    struct failure failure;

    failure_set(&failure, -EINVAL, "inner");
    failure_set(&failure, -EINVAL, "<%s> and <%s>", failure.text, failure.text);
    cr_assert_str_eq(failure.text, "<inner> and <inner>");
    failure_wrap(&failure, -EINVAL, "[%s]", failure.text);
    cr_assert_str_eq(failure.text, "[<inner> and <inner>]: <inner> and <inner>");
}

Test(failure, wrap_puts_context_in_front)
{
    struct failure failure;

    failure_set(&failure, -ENOENT, "gone");
    cr_assert_eq(failure_wrap(&failure, -EIO, "zone %s", "example."), -EIO);
    cr_assert_str_eq(failure.text, "zone example.: gone");
}

Test(failure, long_texts_are_cut_and_terminated)
{
    struct failure failure;
    char longer[3 * sizeof(failure.text)];

    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    failure_set(&failure, -EINVAL, "%s", longer);
    cr_assert_eq(strlen(failure.text), sizeof(failure.text) - 1);

    /* a full text makes room for the context, which names the place */
    failure_wrap(&failure, -EINVAL, "context");
    cr_assert_eq(strlen(failure.text), sizeof(failure.text) - 1);
    cr_assert_eq(strncmp(failure.text, "context: xxx", 12), 0);

    failure_set(&failure, -EINVAL, "reason");
    failure_wrap(&failure, -EINVAL, "%s", longer);
    cr_assert_eq(strlen(failure.text), sizeof(failure.text) - 1);
}
