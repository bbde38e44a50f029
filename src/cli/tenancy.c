/* SPDX-License-Identifier: Apache-2.0
 * mete org, department, user, member and token: who there is, and who may administer. */
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/entity.h"
#include "cli/markup.h"

#include <string.h>

#define EACH                                                                                       \
    "Each takes --json, --data DIR, --server URL and --token T. With a server running on the\n"    \
    "data directory the command asks it; with none it opens the data itself.\n"
#define LEN(table) (sizeof(table) / sizeof(table)[0])

static const struct entity_verb usual[] = {{"create", ENTITY_MAKE},   {"list", ENTITY_LIST},
                                           {"show", ENTITY_SHOW},     {"set", ENTITY_SET},
                                           {"delete", ENTITY_DELETE}, {NULL, 0}};

/* ---- Organizations, departments, users --------------------------------------------------------
 */

static const char org_usage[] =
    "usage: mete org create ID --name N [--time-zone Z] [--currency C]\n"
    "       mete org list\n"
    "       mete org show ID\n"
    "       mete org set ID [--name N] [--time-zone Z]\n"
    "       mete org delete ID [--yes]\n"
    "       mete org markup ID [--percent P [--model PATTERN]... [--effective T]]\n"
    "       mete org markup ID --end [--yes]\n" EACH
    "What is in it goes first: keys, users, departments.\n"
    "markup: the organization pays P percent more than the price list says (less, below 0), of "
    "all\n"
    "models or of those that a PATTERN names (a whole name, or its beginning and *), from T on "
    "(an\n"
    "instant such as 2030-01-31T00:00:00Z; now if absent). Without --percent it is shown.\n";

int cli_org(int argc, char **argv)
{
    static const struct client_column columns[] = {{"id", "id"},
                                                   {"name", "name"},
                                                   {"currency", "currency"},
                                                   {"time zone", "time_zone"},
                                                   {"made", "created_at"}};
    static const struct entity_command command = {
        .name = "org",
        .usage = org_usage,
        .makes_of = "id",
        .verbs = usual,
        .fields = {{"--name", "name"}, {"--time-zone", "time_zone"}, {"--currency", "currency"}},
        .columns = columns,
        .columns_len = LEN(columns),
        .list_len = LEN(columns)};
    if (argc > 1 && !strcmp(argv[1], "markup") && !client_wants_help(argc, argv))
        return cli_org_markup(argc, argv, org_usage);
    return entity_run(&command, argc, argv);
}

static const char department_usage[] =
    "usage: mete department create ID --organization O --name N [--parent D]\n"
    "       mete department list --organization O\n"
    "       mete department show ID --organization O\n"
    "       mete department set ID --organization O [--name N] [--parent D]\n"
    "       mete department delete ID --organization O [--yes]\n" EACH
    "A department stands in the organization, or in another one D, three deep at most; --parent "
    "''\n"
    "takes it out. What moves takes all that stands in it along.\n";

int cli_department(int argc, char **argv)
{
    static const struct client_column columns[] = {
        {"id", "id"}, {"name", "name"}, {"parent", "parent"}, {"made", "created_at"}};
    static const struct entity_command command = {
        .name = "department",
        .usage = department_usage,
        .path = "/departments",
        .makes_of = "id",
        .verbs = usual,
        .fields = {{"--name", "name"}, {"--parent", "parent"}},
        .columns = columns,
        .columns_len = LEN(columns),
        .list_len = LEN(columns)};
    return entity_run(&command, argc, argv);
}

static const char user_usage[] =
    "usage: mete user create ID --organization O --name N [--department D]\n"
    "       mete user list --organization O\n"
    "       mete user show ID --organization O\n"
    "       mete user set ID --organization O [--name N] [--department D]\n"
    "       mete user delete ID --organization O [--yes]\n" EACH
    "A user moves with its keys; --department '' takes it out of any.\n";

int cli_user(int argc, char **argv)
{
    static const struct client_column columns[] = {
        {"id", "id"}, {"name", "name"}, {"department", "department"}, {"made", "created_at"}};
    static const struct entity_command command = {
        .name = "user",
        .usage = user_usage,
        .path = "/users",
        .makes_of = "id",
        .verbs = usual,
        .fields = {{"--name", "name"}, {"--department", "department"}},
        .columns = columns,
        .columns_len = LEN(columns),
        .list_len = LEN(columns)};
    return entity_run(&command, argc, argv);
}

/* ---- Members and service tokens ---------------------------------------------------------------
 */

static const char member_usage[] =
    "usage: mete member add ID --organization O --role owner|admin|finance|developer|viewer\n"
    "                          [--name N] [--user U]\n"
    "       mete member list --organization O\n"
    "       mete member show ID --organization O\n"
    "       mete member set ID --organization O [--role R] [--name N] [--user U]\n"
    "       mete member passwd ID --organization O [--file F]\n"
    "       mete member remove ID --organization O [--yes]\n" EACH
    "A member administers the organization; with a password, which passwd reads from the "
    "terminal,\n"
    "standard input or F, it can log in. The last owner stays.\n";

int cli_member(int argc, char **argv)
{
    static const struct entity_verb verbs[] = {{"add", ENTITY_MAKE},
                                               {"list", ENTITY_LIST},
                                               {"show", ENTITY_SHOW},
                                               {"set", ENTITY_SET},
                                               {"passwd", ENTITY_SECRET},
                                               {"remove", ENTITY_DELETE},
                                               {NULL, 0}};
    static const struct client_column columns[] = {{"id", "id"},
                                                   {"name", "name"},
                                                   {"role", "role"},
                                                   {"user", "user"},
                                                   {"password", "has_password"},
                                                   {"made", "created_at"}};
    static const struct entity_command command = {
        .name = "member",
        .usage = member_usage,
        .path = "/members",
        .makes_of = "id",
        .verbs = verbs,
        .fields = {{"--role", "role"}, {"--name", "name"}, {"--user", "user"}},
        .columns = columns,
        .columns_len = LEN(columns),
        .list_len = LEN(columns)};
    return entity_run(&command, argc, argv);
}

static const char token_usage[] =
    "usage: mete token create NAME --organization O --permission P... [--expires-at T]\n"
    "       mete token list --organization O\n"
    "       mete token show ID --organization O\n"
    "       mete token revoke ID --organization O [--yes]\n" EACH
    "A program administers with a service token, whose text is shown once. P is a word such as\n"
    "usage.read (docs/reference/permissions.md), T an instant such as 2030-01-31T00:00:00Z.\n";

int cli_token(int argc, char **argv)
{
    static const struct entity_verb verbs[] = {{"create", ENTITY_MAKE},
                                               {"list", ENTITY_LIST},
                                               {"show", ENTITY_SHOW},
                                               {"revoke", ENTITY_DELETE},
                                               {NULL, 0}};
    static const struct client_column columns[] = {
        {"token", "token"},        {"id", "id"},
        {"name", "name"},          {"permissions", "permissions"},
        {"expires", "expires_at"}, {"last used", "last_used_at"},
        {"made by", "created_by"}, {"made", "created_at"}};
    static const struct entity_command command = {.name = "token",
                                                  .usage = token_usage,
                                                  .path = "/service-tokens",
                                                  .makes_of = "name",
                                                  .verbs = verbs,
                                                  .fields = {{"--expires-at", "expires_at"}},
                                                  .repeated = "--permission",
                                                  .repeated_member = "permissions",
                                                  .columns = columns,
                                                  .columns_len = LEN(columns),
                                                  .list_from = 1,
                                                  .list_len = LEN(columns) - 1};
    return entity_run(&command, argc, argv);
}
