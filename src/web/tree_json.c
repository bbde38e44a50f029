/* SPDX-License-Identifier: Apache-2.0
 * JSON from YAML as its core schema has it: a plain scalar is null, a boolean or a number where it
 * looks like one, a quoted one always a string. */
#include "web/tree.h"

#include "mete.h"

enum { DEPTH_MAX = 64 };

static int write_string(struct buffer *to, struct slice text)
{
    int rc = buffer_text(to, "\"");
    for (size_t i = 0; !rc && i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c == '"' || c == '\\')
            rc = buffer_format(to, "\\%c", c);
        else if (c < 0x20)
            rc = buffer_format(to, "\\u%04x", c);
        else
            rc = buffer_append(to, slice_part(text, i, 1));
    }
    return rc ? rc : buffer_text(to, "\"");
}

static size_t digits_at(struct slice text, size_t at)
{
    size_t end = at;
    while (end < text.len && text.data[end] >= '0' && text.data[end] <= '9')
        end++;
    return end - at;
}

/* As JSON writes them: 007 is none, and neither is ".5". */
static bool is_number(struct slice text)
{
    size_t at = text.len && text.data[0] == '-', whole = digits_at(text, at);
    if (!whole || (whole > 1 && text.data[at] == '0'))
        return false;
    at += whole;
    if (at < text.len && text.data[at] == '.') {
        size_t places = digits_at(text, at + 1);
        if (!places)
            return false;
        at += 1 + places;
    }
    if (at < text.len && (text.data[at] == 'e' || text.data[at] == 'E')) {
        at++;
        at += at < text.len && (text.data[at] == '-' || text.data[at] == '+');
        size_t power = digits_at(text, at);
        if (!power)
            return false;
        at += power;
    }
    return at == text.len;
}

static int write_scalar(struct buffer *to, const yaml_node_t *node)
{
    struct slice text = tree_text(node);
    bool is_plain = node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (is_plain && (!text.len || slice_is(text, "null") || slice_is(text, "~")))
        return buffer_text(to, "null");
    if (is_plain && (slice_is(text, "true") || slice_is(text, "false") || is_number(text)))
        return buffer_append(to, text);
    return write_string(to, text);
}

static int write_node(struct tree *tree, yaml_node_t *node, struct buffer *to, int depth);

static int write_parts(struct tree *tree, yaml_node_t *node, struct buffer *to, int depth)
{
    yaml_node_t *key, *value;
    int rc = 0;
    for (size_t i = 0; !rc && tree_next(tree, node, i, &key, &value); i++) {
        if (i)
            rc = buffer_text(to, ",");
        if (!rc && key)
            rc = write_string(to, tree_text(key));
        if (!rc && key)
            rc = buffer_text(to, ":");
        if (!rc)
            rc = write_node(tree, value, to, depth + 1);
    }
    return rc;
}

static int write_node(struct tree *tree, yaml_node_t *node, struct buffer *to, int depth)
{
    if (depth > DEPTH_MAX) /* an anchor may hold itself */
        return METE_E_SYNTAX;
    if (node->type == YAML_SCALAR_NODE)
        return write_scalar(to, node);
    bool is_mapping = node->type == YAML_MAPPING_NODE;
    int rc = buffer_text(to, is_mapping ? "{" : "[");
    if (!rc)
        rc = write_parts(tree, node, to, depth);
    return rc ? rc : buffer_text(to, is_mapping ? "}" : "]");
}

int tree_json(struct tree *tree, yaml_node_t *node, struct buffer *to)
{
    return write_node(tree, node, to, 0);
}
