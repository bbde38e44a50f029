/* SPDX-License-Identifier: Apache-2.0 */
#include "api/members/member_json.h"

#include "api/entities.h"

void member_json_write(struct request *request, struct slice id, struct json document)
{
    struct out *out = &request->out;
    out_open(out, '{');
    out_member_text(out, "id", id);
    entities_member(request, document, "name", JSON_STRING, "null");
    entities_member(request, document, "organization", JSON_STRING, "null");
    entities_member(request, document, "role", JSON_STRING, "null");
    entities_member(request, document, "user", JSON_STRING, "null");
    out_member_bool(out, "has_password", json_member(document, "hash").type == JSON_STRING);
    entities_member(request, document, "created_at", JSON_STRING, "null");
    entities_member(request, document, "password_changed_at", JSON_STRING, "null");
    out_close(out, '}');
}
