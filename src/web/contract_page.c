/* SPDX-License-Identifier: Apache-2.0
 * The contract as a page: what it is about, then the operations by their tags in the order of the
 * paths, each with its parameters, body, replies and an example, then the schemas, each with its
 * members. A name of a schema links to it. Descriptions keep what little of Markdown they use:
 * paragraphs, lists, `code`, **bold**. */
#include "web/contract.h"
#include "web/html.h"
#include "web/tree.h"

#include <string.h>

struct page {
    struct tree tree;
    struct html html;
};

static const char *const methods[] = {"get", "post", "put", "delete"};
enum { METHODS = sizeof methods / sizeof methods[0], EXAMPLE_MAX = 64 * 1024 };

static void write_schema(struct page *page, yaml_node_t *schema);

/* ---- A type in a few words ------------------------------------------------------------------- */

static void write_any(struct page *page, yaml_node_t *list)
{
    yaml_node_t *key, *value;
    for (size_t i = 0; tree_next(&page->tree, list, i, &key, &value); i++) {
        if (i)
            html_raw(&page->html, " or ");
        write_schema(page, value);
    }
}

static void write_words(struct page *page, yaml_node_t *list)
{
    yaml_node_t *key, *value;
    for (size_t i = 0; tree_next(&page->tree, list, i, &key, &value); i++) {
        html_raw(&page->html, i ? ", <code>" : "<code>");
        html_text(&page->html, tree_text(value));
        html_raw(&page->html, "</code>");
    }
}

static void write_bound(struct page *page, yaml_node_t *schema, const char *name, const char *shown)
{
    struct slice bound = tree_text(tree_member(&page->tree, schema, name));
    if (!bound.len)
        return;
    html_raw(&page->html, shown);
    html_text(&page->html, bound);
}

static void write_plain(struct page *page, yaml_node_t *schema)
{
    struct tree *tree = &page->tree;
    yaml_node_t *type = tree_member(tree, schema, "type"), *key, *value;
    if (type && type->type == YAML_SEQUENCE_NODE)
        for (size_t i = 0; tree_next(tree, type, i, &key, &value); i++) {
            html_raw(&page->html, i ? " or " : "");
            html_text(&page->html, tree_text(value));
        }
    else
        html_text(&page->html, tree_text(type));
    if (tree_member(tree, schema, "items")) {
        html_raw(&page->html, " of ");
        write_schema(page, tree_member(tree, schema, "items"));
    }
    if (tree_member(tree, schema, "enum")) {
        html_raw(&page->html, ": ");
        write_words(page, tree_member(tree, schema, "enum"));
    }
    write_bound(page, schema, "minimum", ", from ");
    write_bound(page, schema, "maximum", ", to ");
    write_bound(page, schema, "minLength", ", length from ");
    write_bound(page, schema, "maxLength", ", length to ");
    write_bound(page, schema, "default", ", else ");
}

static void write_schema(struct page *page, yaml_node_t *schema)
{
    struct tree *tree = &page->tree;
    struct slice ref = tree_ref(tree, schema);
    if (ref.len) {
        html_link(&page->html, "schema-", ref);
        return;
    }
    if (tree_member(tree, schema, "oneOf"))
        write_any(page, tree_member(tree, schema, "oneOf"));
    else if (tree_member(tree, schema, "anyOf"))
        write_any(page, tree_member(tree, schema, "anyOf"));
    else if (tree_member(tree, schema, "allOf"))
        write_any(page, tree_member(tree, schema, "allOf"));
    else
        write_plain(page, schema);
}

/* ---- Members ----------------------------------------------------------------------------------
 */

static bool is_required(struct page *page, yaml_node_t *schema, struct slice name)
{
    yaml_node_t *list = tree_member(&page->tree, schema, "required"), *key, *value;
    for (size_t i = 0; tree_next(&page->tree, list, i, &key, &value); i++)
        if (slice_equal(tree_text(value), name))
            return true;
    return false;
}

static void write_row(struct page *page, struct slice name, bool required, yaml_node_t *schema,
                      yaml_node_t *said)
{
    struct html *html = &page->html;
    html_raw(html, "<tr><td><code>");
    html_text(html, name);
    html_raw(html, required ? "</code> <b>must</b></td><td>" : "</code></td><td>");
    write_schema(page, schema);
    html_raw(html, "</td><td>");
    html_prose(html, tree_text(tree_member(&page->tree, said, "description")));
    html_raw(html, "</td></tr>\n");
}

static void write_members(struct page *page, yaml_node_t *schema)
{
    yaml_node_t *members = tree_member(&page->tree, schema, "properties"), *key, *value;
    if (!members)
        return;
    html_raw(&page->html, "<table>\n");
    for (size_t i = 0; tree_next(&page->tree, members, i, &key, &value); i++)
        write_row(page, tree_text(key), is_required(page, schema, tree_text(key)), value, value);
    html_raw(&page->html, "</table>\n");
}

/* ---- Operations -------------------------------------------------------------------------------
 */

static void write_parameters(struct page *page, yaml_node_t *list)
{
    yaml_node_t *key, *value;
    for (size_t i = 0; tree_next(&page->tree, list, i, &key, &value); i++) {
        yaml_node_t *parameter = tree_follow(&page->tree, value);
        write_row(page, tree_text(tree_member(&page->tree, parameter, "name")),
                  tree_is_true(tree_member(&page->tree, parameter, "required")),
                  tree_member(&page->tree, parameter, "schema"), parameter);
    }
}

static void write_example(struct page *page, yaml_node_t *example)
{
    struct buffer json;
    buffer_init(&json, EXAMPLE_MAX);
    int rc = tree_json(&page->tree, example, &json);
    html_raw(&page->html, "<pre>");
    html_text(&page->html, buffer_slice(&json));
    html_raw(&page->html, "</pre>");
    buffer_done(&json);
    page->html.error = page->html.error ? page->html.error : rc;
}

/* The schema of each type of content, and its example. */
static void write_content(struct page *page, yaml_node_t *content)
{
    struct html *html = &page->html;
    yaml_node_t *type, *value;
    for (size_t i = 0; tree_next(&page->tree, content, i, &type, &value); i++) {
        html_raw(html, " <code>");
        html_text(html, tree_text(type));
        html_raw(html, "</code> ");
        write_schema(page, tree_member(&page->tree, value, "schema"));
        yaml_node_t *example = tree_member(&page->tree, value, "example");
        if (example)
            write_example(page, example);
    }
}

static void write_replies(struct page *page, yaml_node_t *replies)
{
    struct html *html = &page->html;
    yaml_node_t *status, *value;
    html_raw(html, "<dl>\n");
    for (size_t i = 0; tree_next(&page->tree, replies, i, &status, &value); i++) {
        yaml_node_t *reply = tree_follow(&page->tree, value);
        html_raw(html, "<dt>");
        html_text(html, tree_text(status));
        html_raw(html, "</dt><dd>");
        html_prose(html, tree_text(tree_member(&page->tree, reply, "description")));
        write_content(page, tree_member(&page->tree, reply, "content"));
        html_raw(html, "</dd>\n");
    }
    html_raw(html, "</dl>\n");
}

static void write_operation(struct page *page, struct slice path, const char *method,
                            yaml_node_t *item, yaml_node_t *operation)
{
    struct html *html = &page->html;
    struct tree *tree = &page->tree;
    html_raw(html, "<article><h3 id=\"");
    html_text(html, tree_text(tree_member(tree, operation, "operationId")));
    html_raw(html, "\"><b>");
    html_raw(html, method);
    html_raw(html, "</b> <code>");
    html_text(html, path);
    html_raw(html, "</code></h3>\n");
    html_prose(html, tree_text(tree_member(tree, operation, "description")));
    html_raw(html, "<table>\n");
    write_parameters(page, tree_member(tree, item, "parameters"));
    write_parameters(page, tree_member(tree, operation, "parameters"));
    html_raw(html, "</table>\n");
    yaml_node_t *body = tree_at(tree, operation, "requestBody");
    if (body) {
        html_raw(html, "<p>Body:");
        write_content(page, tree_member(tree, body, "content"));
        html_raw(html, "</p>\n");
    }
    write_replies(page, tree_member(tree, operation, "responses"));
    html_raw(html, "</article>\n");
}

static bool has_tag(struct page *page, yaml_node_t *operation, struct slice tag)
{
    yaml_node_t *key, *first;
    yaml_node_t *tags = tree_member(&page->tree, operation, "tags");
    return tree_next(&page->tree, tags, 0, &key, &first) && slice_equal(tree_text(first), tag);
}

/* The paths of a tag: whole, or as lines of the contents. */
static void write_tag(struct page *page, struct slice tag, bool is_contents)
{
    struct tree *tree = &page->tree;
    yaml_node_t *paths = tree_member(tree, tree_root(tree), "paths"), *path, *item;
    for (size_t i = 0; tree_next(tree, paths, i, &path, &item); i++)
        for (size_t m = 0; m < METHODS; m++) {
            yaml_node_t *operation = tree_member(tree, item, methods[m]);
            if (!operation || !has_tag(page, operation, tag))
                continue;
            if (!is_contents) {
                write_operation(page, tree_text(path), methods[m], item, operation);
                continue;
            }
            html_raw(&page->html, "<li><a href=\"#");
            html_text(&page->html, tree_text(tree_member(tree, operation, "operationId")));
            html_raw(&page->html, "\"><b>");
            html_raw(&page->html, methods[m]);
            html_raw(&page->html, "</b> ");
            html_text(&page->html, tree_text(path));
            html_raw(&page->html, "</a></li>\n");
        }
}

static void write_tags(struct page *page, bool is_contents)
{
    struct tree *tree = &page->tree;
    yaml_node_t *tags = tree_member(tree, tree_root(tree), "tags"), *key, *tag;
    for (size_t i = 0; tree_next(tree, tags, i, &key, &tag); i++) {
        struct slice name = tree_text(tree_member(tree, tag, "name"));
        html_raw(&page->html, is_contents ? "<li>" : "<section><h2>");
        html_text(&page->html, name);
        html_raw(&page->html, is_contents ? "<ul>\n" : "</h2>\n");
        if (!is_contents)
            html_prose(&page->html, tree_text(tree_member(tree, tag, "description")));
        write_tag(page, name, is_contents);
        html_raw(&page->html, is_contents ? "</ul></li>\n" : "</section>\n");
    }
}

static void write_schemas(struct page *page)
{
    struct tree *tree = &page->tree;
    struct html *html = &page->html;
    yaml_node_t *schemas =
        tree_member(tree, tree_at(tree, tree_root(tree), "components"), "schemas");
    yaml_node_t *name, *schema;
    html_raw(html, "<section><h2>Schemas</h2>\n");
    for (size_t i = 0; tree_next(tree, schemas, i, &name, &schema); i++) {
        html_raw(html, "<article><h3 id=\"schema-");
        html_text(html, tree_text(name));
        html_raw(html, "\">");
        html_text(html, tree_text(name));
        html_raw(html, "</h3>\n<p>");
        write_schema(page, schema);
        html_raw(html, "</p>\n");
        html_prose(html, tree_text(tree_member(tree, schema, "description")));
        write_members(page, schema);
        html_raw(html, "</article>\n");
    }
    html_raw(html, "</section>\n");
}

int contract_page(struct buffer *to)
{
    struct page page = {.html = {.to = to}};
    int rc = tree_load(&page.tree, contract_yaml());
    if (rc)
        return rc;
    yaml_node_t *info = tree_member(&page.tree, tree_root(&page.tree), "info");
    html_raw(&page.html, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                         "<title>mete: the HTTP door</title>"
                         "<meta name=\"viewport\" content=\"width=device-width\">"
                         "<link rel=\"stylesheet\" href=\"/docs/page.css\"></head><body>\n"
                         "<nav><ul>\n");
    write_tags(&page, true);
    html_raw(&page.html, "</ul></nav>\n<main><h1>mete: the HTTP door</h1>\n<p>As a file: "
                         "<a href=\"/docs/openapi.yaml\">YAML</a>, "
                         "<a href=\"/docs/openapi.json\">JSON</a>.</p>\n");
    html_prose(&page.html, tree_text(tree_member(&page.tree, info, "description")));
    write_tags(&page, false);
    write_schemas(&page);
    html_raw(&page.html, "</main></body></html>\n");
    tree_done(&page.tree);
    return page.html.error;
}
