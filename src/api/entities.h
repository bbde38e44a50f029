/* SPDX-License-Identifier: Apache-2.0
 * What organizations, departments, users and keys have in common: a scope and its document, made
 * by one change, listed and shown from the records. */
#ifndef API_ENTITIES_H
#define API_ENTITIES_H

#include "api/request.h"

/* Writes one entity as its noun shows it. On a worker. Returns 0 or an error of the records. */
typedef int entities_write(struct request *request, const struct directory_entity *entity);

/* One whose document is what is shown. */
int entities_as_kept(struct request *request, const struct directory_entity *entity);

/* A page of one kind (an enum mete_kind or a document_entity()), of the organization in the path;
 * of all, if the kind is of no organization. */
void entities_list(struct request *request, int kind, entities_write *write);
/* The one with the id of the last path parameter; field names it in the problem. */
void entities_show(struct request *request, int kind, const char *field, entities_write *write);

/* Starts an op that creates a scope with the document in request->out; then entities_created(),
 * which replies with it or says that the id is taken. */
void entities_created(struct request *request);
void entities_create(struct request *request, const struct mete_scope_spec *spec);

/* The document's member if it has one of that type, else the JSON given as fallback ("" leaves it
 * out). */
void entities_member(struct request *request, struct json document, const char *name,
                     enum json_type type, const char *fallback);
/* Opens the object and writes what all of them begin with: id, and name (the id where none was
 * given). Returns the document, for the rest. */
struct json entities_open(struct request *request, const struct directory_entity *entity);
/* On a worker: the time zone of the organization's budgets that name none, in the arena; empty:
 * UTC. NOT_FOUND: there is no such organization. */
METE_MUST_USE int organizations_zone(struct request *request, struct slice id,
                                     struct slice *ret_zone);
/* The document as JSON; of type JSON_NONE if it is none. */
struct json entities_document(struct slice document);

#endif
