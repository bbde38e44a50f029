/* SPDX-License-Identifier: Apache-2.0 */
#include "web/contract.h"

#include "web/tree.h"

extern const unsigned char data_openapi_yaml[];
extern const size_t data_openapi_yaml_len;

struct slice contract_yaml(void)
{
    return (struct slice){(const char *)data_openapi_yaml, data_openapi_yaml_len};
}

int contract_json(struct buffer *to)
{
    struct tree tree;
    int rc = tree_load(&tree, contract_yaml());
    if (rc)
        return rc;
    rc = tree_json(&tree, tree_root(&tree), to);
    tree_done(&tree);
    return rc;
}
