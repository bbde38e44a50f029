/* SPDX-License-Identifier: Apache-2.0 */
#include "web/tree.h"

#include "base/assert.h"
#include "mete.h"

#include <string.h>

int tree_load(struct tree *tree, struct slice yaml)
{
    if (!yaml_parser_initialize(&tree->parser))
        return METE_E_MEMORY;
    yaml_parser_set_input_string(&tree->parser, (const unsigned char *)yaml.data, yaml.len);
    if (yaml_parser_load(&tree->parser, &tree->document))
        return 0;
    bool no_memory = tree->parser.error == YAML_MEMORY_ERROR;
    yaml_parser_delete(&tree->parser);
    return no_memory ? METE_E_MEMORY : METE_E_SYNTAX;
}

void tree_done(struct tree *tree)
{
    yaml_document_delete(&tree->document);
    yaml_parser_delete(&tree->parser);
}

yaml_node_t *tree_root(struct tree *tree)
{
    return yaml_document_get_root_node(&tree->document);
}

struct slice tree_text(const yaml_node_t *node)
{
    if (!node || node->type != YAML_SCALAR_NODE)
        return (struct slice){0};
    return (struct slice){(const char *)node->data.scalar.value, node->data.scalar.length};
}

bool tree_is_true(const yaml_node_t *node)
{
    return slice_is(tree_text(node), "true");
}

static yaml_node_t *node_of(struct tree *tree, int number)
{
    return yaml_document_get_node(&tree->document, number);
}

bool tree_next(struct tree *tree, yaml_node_t *node, size_t i, yaml_node_t **ret_key,
               yaml_node_t **ret_value)
{
    if (node && node->type == YAML_MAPPING_NODE) {
        yaml_node_pair_t *at = node->data.mapping.pairs.start + i;
        if (at >= node->data.mapping.pairs.top)
            return false;
        *ret_key = node_of(tree, at->key);
        *ret_value = node_of(tree, at->value);
        return true;
    }
    if (!node || node->type != YAML_SEQUENCE_NODE)
        return false;
    yaml_node_item_t *at = node->data.sequence.items.start + i;
    if (at >= node->data.sequence.items.top)
        return false;
    *ret_key = NULL;
    *ret_value = node_of(tree, *at);
    return true;
}

static yaml_node_t *member(struct tree *tree, yaml_node_t *node, struct slice name)
{
    yaml_node_t *key, *value;
    for (size_t i = 0;
         node && node->type == YAML_MAPPING_NODE && tree_next(tree, node, i, &key, &value); i++)
        if (slice_equal(tree_text(key), name))
            return value;
    return NULL;
}

yaml_node_t *tree_member(struct tree *tree, yaml_node_t *node, const char *name)
{
    return member(tree, node, slice_of(name));
}

struct slice tree_ref(struct tree *tree, yaml_node_t *node)
{
    struct slice ref = tree_text(tree_member(tree, node, "$ref"));
    for (size_t i = ref.len; i > 0; i--)
        if (ref.data[i - 1] == '/')
            return slice_from(ref, i);
    return ref;
}

/* "#/components/schemas/Id" */
yaml_node_t *tree_follow(struct tree *tree, yaml_node_t *node)
{
    struct slice ref = tree_text(tree_member(tree, node, "$ref"));
    if (!ref.len)
        return node;
    ASSERT(ref.data[0] == '#');
    yaml_node_t *at = tree_root(tree);
    ref = slice_from(ref, 1);
    while (at && ref.len) {
        ref = slice_from(ref, 1);
        const char *end = memchr(ref.data, '/', ref.len);
        size_t len = end ? (size_t)(end - ref.data) : ref.len;
        at = member(tree, at, slice_part(ref, 0, len));
        ref = slice_from(ref, len);
    }
    return at;
}

yaml_node_t *tree_at(struct tree *tree, yaml_node_t *node, const char *name)
{
    return tree_follow(tree, tree_member(tree, node, name));
}
