/* SPDX-License-Identifier: Apache-2.0
 * A YAML document as a tree: members by name, elements in order, `$ref`s followed. What is not
 * there is NULL, and whatever is asked of NULL is NULL or empty. Nodes borrow from the tree. */
#ifndef WEB_TREE_H
#define WEB_TREE_H

#include "base/buffer.h"

#include <yaml.h>

struct tree {
    yaml_parser_t parser;
    yaml_document_t document;
};

/* METE_E_SYNTAX, MEMORY. */
__attribute__((warn_unused_result)) int tree_load(struct tree *tree, struct slice yaml);
void tree_done(struct tree *tree);

yaml_node_t *tree_root(struct tree *tree);
yaml_node_t *tree_member(struct tree *tree, yaml_node_t *node, const char *name);
/* The same, with the $ref of what is found followed. */
yaml_node_t *tree_at(struct tree *tree, yaml_node_t *node, const char *name);
/* Where a $ref leads, or the node itself. */
yaml_node_t *tree_follow(struct tree *tree, yaml_node_t *node);
/* The last part of a $ref, such as a schema's name; empty: it is none. */
struct slice tree_ref(struct tree *tree, yaml_node_t *node);
/* Of a mapping the i-th key and value, of a sequence the i-th element (key NULL). False: no more.
 */
bool tree_next(struct tree *tree, yaml_node_t *node, size_t i, yaml_node_t **ret_key,
               yaml_node_t **ret_value);
struct slice tree_text(const yaml_node_t *node);
bool tree_is_true(const yaml_node_t *node);
/* The node as JSON, behind what is there. SYNTAX: deeper than 64; MEMORY, TOO_LARGE. */
__attribute__((warn_unused_result)) int tree_json(struct tree *tree, yaml_node_t *node,
                                                  struct buffer *to);

#endif
