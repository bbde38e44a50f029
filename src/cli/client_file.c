/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/client_file.h"

#include "mete.h"
#include "pricing/price_csv.h"
#include "web/tree.h"

#include <stdio.h>

enum { PIECE = 65536 };

int client_file_read(const char *name, struct buffer *to)
{
    FILE *file = strcmp(name, "-") ? fopen(name, "rb") : stdin;
    char *at;
    size_t len = 1;
    int rc = file ? 0 : METE_E_STORAGE;
    while (!rc && len) {
        rc = buffer_reserve(to, PIECE, &at);
        len = rc ? 0 : fread(at, 1, PIECE, file);
        if (!rc)
            buffer_advance(to, len);
    }
    if (file && ferror(file))
        rc = METE_E_STORAGE;
    if (file && file != stdin)
        fclose(file);
    if (rc)
        fprintf(stderr, "mete: %s cannot be read: %s\n", name, mete_error_text(rc));
    return rc ? CLI_FAILED : CLI_DONE;
}

int client_file_yaml(const char *name, struct slice yaml, struct buffer *to)
{
    struct tree tree;
    int rc = tree_load(&tree, yaml);
    if (!rc) {
        yaml_node_t *root = tree_root(&tree);
        rc = root ? tree_json(&tree, root, to) : METE_E_SYNTAX;
        tree_done(&tree);
    }
    if (rc)
        fprintf(stderr, "mete: %s: %s\n", name,
                rc == METE_E_SYNTAX ? "this is no YAML" : mete_error_text(rc));
    return !rc ? CLI_DONE : rc == METE_E_SYNTAX ? CLI_USAGE : CLI_FAILED;
}

static int from_csv(const char *name, struct buffer *text, struct buffer *to)
{
    struct price_csv_fault fault = {0};
    int rc = price_csv_read(text->data, text->len, to, &fault);
    if (rc == METE_E_SYNTAX)
        fprintf(stderr, "mete: %s: line %zu: %s%s%s\n", name, fault.line, fault.field,
                fault.field[0] ? ": " : "", fault.why);
    else if (rc)
        fprintf(stderr, "mete: %s: %s\n", name, mete_error_text(rc));
    return !rc ? CLI_DONE : rc == METE_E_SYNTAX ? CLI_USAGE : CLI_FAILED;
}

static bool ends_in(const char *name, const char *end)
{
    size_t len = strlen(name), end_len = strlen(end);
    return len > end_len && !strcmp(name + len - end_len, end);
}

int client_file_prices(const char *name, struct buffer *to)
{
    bool csv = ends_in(name, ".csv"), yaml = ends_in(name, ".yaml") || ends_in(name, ".yml");
    if (!csv && !yaml)
        return client_file_read(name, to);
    struct buffer text;
    buffer_init(&text, to->max);
    int code = client_file_read(name, &text);
    if (!code)
        code = csv ? from_csv(name, &text, to) : client_file_yaml(name, buffer_slice(&text), to);
    buffer_done(&text);
    return code;
}
