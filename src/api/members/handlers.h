/* SPDX-License-Identifier: Apache-2.0
 * The first step of each route of this room (routes.c). */
#ifndef API_MEMBERS_HANDLERS_H
#define API_MEMBERS_HANDLERS_H

#include "api/request.h"

void members_create(struct request *request);
void members_list(struct request *request);
void members_show(struct request *request);
void members_update(struct request *request);
void members_remove(struct request *request);
void service_tokens_create(struct request *request);
void service_tokens_list(struct request *request);
void service_tokens_show(struct request *request);
void service_tokens_revoke(struct request *request);
void login_begin(struct request *request);
void logout(struct request *request);
void session_show(struct request *request);
void session_password(struct request *request);

#endif
