/* SPDX-License-Identifier: Apache-2.0
 * POST /api/v1/backup: mete_backup() on a worker, because it takes as long as the disk needs. The
 * directory is the server's; what is there is never overwritten (EXISTS). */
#include "api/acts.h"
#include "api/upkeep/handlers.h"
#include "api/request.h"

struct backup_in {
    struct slice directory;
};

static const struct field table[] = {{.name = "directory",
                                      .type = FIELD_TEXT,
                                      .flags = FIELD_REQUIRED,
                                      .offset = offsetof(struct backup_in, directory),
                                      .min = 2,
                                      .max = 1024}};

struct backup {
    char directory[1025];
    uint64_t seq;
};

static int run(struct request *request, struct records_reader *reader)
{
    struct backup *backup = request->state;
    (void)reader;
    return mete_backup(request->api->parts.mete, backup->directory, &backup->seq);
}

static void done(struct request *request)
{
    const struct backup *backup = request->state;
    int error = request->work_status;
    if (error == METE_E_EXISTS) {
        request_fail(request, error, "directory", "There is something in it already.");
    } else if (error) {
        request_fail(request, error, error == METE_E_STORAGE ? "directory" : NULL, NULL);
    } else {
        out_open(&request->out, '{');
        out_member_text(&request->out, "directory", slice_of(backup->directory));
        out_member_integer(&request->out, "seq", (int64_t)backup->seq);
        out_close(&request->out, '}');
        request_reply(request, 200);
    }
}

static void written(struct request *request)
{
    if (!acts_failed(request))
        request_work(request, run, done);
}

/* Of the arena, and of the reply's buffer nothing is left. */
static struct slice write_act(struct request *request, const struct backup *backup)
{
    out_open(&request->out, '{');
    out_member_text(&request->out, "directory", slice_of(backup->directory));
    out_close(&request->out, '}');
    struct slice document = arena_copy(&request->arena, buffer_slice(&request->out.bytes));
    out_clear(&request->out);
    return document;
}

void backup_create(struct request *request)
{
    struct backup_in in = {0};
    if (request_read(request, table, 1, &in)) {
        request_problem(request);
        return;
    }
    if (in.directory.data[0] != '/') {
        request_fail(request, METE_E_INVALID, "directory", "It must begin with /.");
        return;
    }
    struct backup *backup = request_take(request, sizeof *backup);
    if (!backup)
        return;
    memcpy(backup->directory, in.directory.data, in.directory.len);
    request->state = backup;
    const struct act act = {
        .kind = DOCUMENT_ACT, .id = {"backup", 6}, .document = write_act(request, backup)};
    if (act.document.len)
        acts_write(request, &act, written);
    else
        request_fail(request, METE_E_MEMORY, NULL, NULL);
}
