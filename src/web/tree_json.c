/* SPDX-License-Identifier: Apache-2.0
 * JSON from YAML as its core schema has it: a plain scalar is null, a boolean or a number where it
 * looks like one, a quoted one always a string. */
#include "web/tree.h"

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

static bool is_number(struct slice text)
{
    size_t i = text.len && text.data[0] == '-', digits = 0, points = 0;
    for (; i < text.len; i++) {
        digits += text.data[i] >= '0' && text.data[i] <= '9';
        points += text.data[i] == '.';
        if ((text.data[i] < '0' || text.data[i] > '9') && text.data[i] != '.')
            return false;
    }
    return digits && points <= 1 && text.data[text.len - 1] != '.';
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

static int write_parts(struct tree *tree, yaml_node_t *node, struct buffer *to)
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
            rc = tree_json(tree, value, to);
    }
    return rc;
}

/* As deep as the contract, which is ours. */
int tree_json(struct tree *tree, yaml_node_t *node, struct buffer *to)
{
    if (node->type == YAML_SCALAR_NODE)
        return write_scalar(to, node);
    bool is_mapping = node->type == YAML_MAPPING_NODE;
    int rc = buffer_text(to, is_mapping ? "{" : "[");
    if (!rc)
        rc = write_parts(tree, node, to);
    return rc ? rc : buffer_text(to, is_mapping ? "}" : "]");
}
