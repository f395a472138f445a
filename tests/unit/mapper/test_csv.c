/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mapper/csv.h"

#include <errno.h>
#include <string.h>

#include <criterion/criterion.h>

Test(csv, rows)
{
    static const struct {
        const char *line;
        int n;
        const char *joined; /* with '|' */
    } cases[] = {
        {"", 1, ""},
        {"a", 1, "a"},
        {"a,b,c", 3, "a|b|c"},
        {"a,,c,", 4, "a||c|"},
        {" a\t, b ", 2, "a|b"},
        {"\"a,b\",c", 2, "a,b|c"},
        {"\"say \"\"hi\"\"\",x", 2, "say \"hi\"|x"},
        {"\"\",\"\"", 2, "|"},
        {"x,\" kept \"", 2, "x| kept "},
        {"\"a\",", 2, "a|"},
        {"\"never closed", -EINVAL, ""},
        {"\"a\"b,c", -EINVAL, ""},
        {"a,\"", -EINVAL, ""},
        {"mid\"quote,b", 2, "mid\"quote|b"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct csv_field fields[CSV_MAX_FIELDS];
        char line[64];
        char joined[64] = "";
        int n;

        strcpy(line, cases[i].line);
        n = csv_split(line, strlen(line), fields);
        cr_assert_eq(n, cases[i].n, "%s: %d", cases[i].line, n);
        for (int k = 0; k < n; k++) {
            cr_assert_eq(strlen(fields[k].text), fields[k].len);
            strcat(joined, k ? "|" : "");
            strcat(joined, fields[k].text);
        }
        cr_assert_str_eq(joined, cases[i].joined);
    }
}

Test(csv, too_many_fields)
{
    struct csv_field fields[CSV_MAX_FIELDS];
    char line[CSV_MAX_FIELDS + 2];

    memset(line, ',', sizeof(line));
    line[CSV_MAX_FIELDS - 1] = '\0';
    cr_assert_eq(csv_split(line, CSV_MAX_FIELDS - 1, fields), (int)CSV_MAX_FIELDS);
    memset(line, ',', sizeof(line));
    line[CSV_MAX_FIELDS] = '\0';
    cr_assert_eq(csv_split(line, CSV_MAX_FIELDS, fields), -EINVAL);
}

Test(csv, columns_are_found_by_exact_name)
{
    struct csv_field fields[CSV_MAX_FIELDS];
    char line[] = "time,client,pop";
    int n = csv_split(line, strlen(line), fields);

    cr_assert_eq(csv_find(fields, (size_t)n, "client"), 1);
    cr_assert_eq(csv_find(fields, (size_t)n, "clien"), -1);
}

Test(csv, a_byte_order_mark_is_no_part_of_the_first_column)
{
    char line[] = "\xef\xbb\xbftime";
    char *text = line;
    size_t len = strlen(line);

    csv_skip_mark(&text, &len);
    cr_assert_str_eq(text, "time");
    cr_assert_eq(len, 4);
}
