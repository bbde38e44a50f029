/* SPDX-License-Identifier: Apache-2.0
 * Wiring, and the way down.
 *
 *   open:  home -> engine -> prices, directory -> loop, workers, upstream -> gateway, API ->
 * listeners run:   rounds of the loop, until a signal stop:  quiet (no new connections) -> wait for
 * open calls -> stop_timeout, or a second signal: call off (transfers end as lost, exchanges as
 * gone) -> wait -> close, in reverse
 *
 * A round's stages: listener, upstream, workers, engine: a request read in this round is submitted,
 * applied and on its way to the disk before the loop looks at the sockets again.
 *
 * What does not end even when called off is a bug: the process dies, the journal has everything. */
#include "server/server.h"

#include "api/api.h"
#include "api/catalog/price_documents.h"
#include "base/assert.h"
#include "base/ring.h"
#include "codec/timestamp.h"
#include "directory/directory.h"
#include "os/os.h"
#include "server/call_log.h"
#include "server/catalogue.h"
#include "server/credentials.h"
#include "server/kept.h"
#include "server/lookup.h"
#include "net/loop.h"
#include "server/router.h"
#include "server/scrape.h"
#include "server/switches.h"
#include "net/workers.h"
#include "store/records.h"
#include "web/pages.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    POLL_MAX = 256,
    STOPS_MAX = 16384,
    /* twice what one group of the journal can set off */ CALLED_OFF_US = 10 * 1000000,
    SHUTDOWN_US = 1000000,
    LINGER_US = 500000
};

struct server {
    const struct config *config;
    struct home home;
    struct mete *mete;
    struct mete_port *port;
    struct pricing *pricing; /* built in, and configured */
    struct price_book *prices;
    struct directory *directory;
    struct people *people;
    struct loop *loop;
    struct loop_stage stage;
    struct workers *workers, *counters;
    struct upstream *upstream;
    struct gateway_config gateway_config;
    struct gateway *gateway;
    struct ring stops; /* budgets that were stopped: from the engine's writer to the loop */
    void *stop;        /* the one to be told next; NULL: none */
    struct credentials credentials;
    struct catalogue catalogue;
    struct api *api;
    struct router router;
    struct pages pages;
    struct metrics metrics;
    struct scraper scraper;
    struct listener *listener, *metrics_listener;
    bool hangups_taken;
    char *detail; /* 512, while opening */
};

/* ---- Signals --------------------------------------------------------------------------------- */

static struct loop *signal_loop;
static atomic_int signals;
static atomic_bool hung_up; /* asked to read the certificate again */

static void on_signal(int number)
{
    (void)number;
    atomic_fetch_add(&signals, 1);
    loop_stop(signal_loop);
}

static void on_hangup(int number)
{
    (void)number;
    atomic_store(&hung_up, true);
    loop_wake(signal_loop);
}

/* Only where there is something to read again: else a terminal that closes ends it, as ever. */
static void take_hangups(struct server *server)
{
    server->hangups_taken = true;
    struct sigaction action = {.sa_handler = on_hangup};
    sigemptyset(&action.sa_mask);
    sigaction(SIGHUP, &action, NULL);
}

static void take_signals(struct server *server)
{
    struct sigaction action = {.sa_handler = on_signal};
    signal_loop = server->loop;
    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, NULL);
}

/* Each client may have a connection to a provider beside its own. */
static void raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* A core file would have credentials and prompts in it. What pipes cores away instead of the kernel
 * is told the same limit; systemd-coredump and apport keep to it. */
static void refuse_cores(void)
{
    const struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
}

/* ---- The engine's stage ---------------------------------------------------------------------- */

static struct server *server_of(struct loop_stage *stage)
{
    return (struct server *)((char *)stage - offsetof(struct server, stage));
}

/* What could not be told, for want of room in the port's ring, is told again. */
static void tell_stops(struct server *server)
{
    while (server->gateway && (server->stop || (server->stop = ring_pop(&server->stops)))) {
        const struct mete_budget_id id = {(uint32_t)(uintptr_t)server->stop};
        if (gateway_stop(server->gateway, id))
            return;
        server->stop = NULL;
    }
}

static bool engine_turn(struct loop_stage *stage, int64_t *deadline_us)
{
    struct server *server = server_of(stage);
    struct mete_instant next = {INT64_MAX};
    int64_t api_us = server->api ? api_run(server->api) : INT64_MAX;
    if (atomic_exchange(&hung_up, false))
        listener_reload(server->listener);
    size_t taken = mete_turn(server->mete, &next);
    size_t back = mete_poll(server->port, POLL_MAX);
    next.us = next.us < api_us ? next.us : api_us;
    if (next.us != INT64_MAX) {
        struct timers *timers = loop_timers(server->loop);
        int64_t delay_us = next.us - mete_now(server->mete).us;
        int64_t at_us = timers->now_us(timers) + (delay_us > 0 ? delay_us : 0);
        if (at_us < *deadline_us)
            *deadline_us = at_us;
    }
    tell_stops(server);
    return taken || back;
}

static void port_ready(void *user, uint32_t events)
{
    (void)user;
    (void)events; /* the round's turn polls it */
}

static void engine_wakes(void *user)
{
    loop_wake(user);
}

/* ---- What happened, for log and metrics ------------------------------------------------------ */

static void engine_event(void *user, const struct mete_event *event)
{
    static const enum log_event kinds[METE_EVENTS] = {
        [METE_EVENT_THRESHOLD] = EVENT_THRESHOLD,    [METE_EVENT_OVERRUN] = EVENT_OVERRUN,
        [METE_EVENT_EXPIRED] = EVENT_EXPIRED,        [METE_EVENT_LIMIT_BELOW] = EVENT_LIMIT_BELOW,
        [METE_EVENT_SOFT_LIMIT] = EVENT_SOFT_LIMIT,  [METE_EVENT_THROTTLED] = EVENT_THROTTLED,
        [METE_EVENT_STOPPED] = EVENT_EMERGENCY_STOP, [METE_EVENT_LIFTED] = EVENT_LIFTED,
        [METE_EVENT_CORRECTED] = EVENT_CORRECTED,
    };
    struct server *server = user;
    if (event->kind == METE_EVENT_STOPPED) {
        (void)ring_push(&server->stops, (void *)(uintptr_t)event->budget.n);
        loop_wake(server->loop);
    }
    LOG_WRITE(kinds[event->kind], log_number("seq", (int64_t)event->seq),
              log_number("scope", event->scope.n), log_number("budget", event->budget.n),
              log_number("threshold_ppm", event->threshold_ppm), log_number("limit", event->limit),
              log_number("committed", event->committed), log_number("held", event->held));
}

static void call_done(void *user, const struct gateway_call_done *done)
{
    struct server *server = user;
    metrics_call(&server->metrics, done);
    call_log(done);
}

static void exchange_done(void *user, const struct listener_done *done)
{
    struct server *server = user;
    metrics_request(&server->metrics, done);
    if (!log_wanted(EVENT_REQUEST))
        return;
    LOG_WRITE(EVENT_REQUEST, log_number("exchange", (int64_t)done->exchange),
              log_text("method", done->method), log_text("path", done->path),
              log_number("status", done->status), log_number("gone", done->gone),
              log_number("us", done->duration_us), log_number("body", (int64_t)done->body_len),
              log_number("reply", (int64_t)done->reply_len));
}

/* For the commands of this machine, which trust the key that is named in a directory of ours. */
static int publish(struct server *server)
{
    char address[HOME_ADDRESS];
    const struct tls *tls = listener_tls(server->listener);
    snprintf(address, sizeof address, "%s%s%s%s", tls ? "https://" : "",
             listener_address(server->listener), tls ? "#" : "", tls ? tls_pin(tls) : "");
    return home_publish(&server->home, address);
}

static void certificate_read(void *user, int error, const char *detail)
{
    struct server *server = user;
    const struct config *config = server->config;
    if (error) {
        LOG_WRITE(EVENT_CERTIFICATE_REFUSED, log_text("why", slice_of(detail)));
        return;
    }
    char expires[TIMESTAMP_ROOM];
    timestamp_format(tls_expires_s(listener_tls(server->listener)) * 1000000, expires);
    LOG_WRITE(EVENT_CERTIFICATE, log_text("file", slice_of(config->tls.certificate)),
              log_text("expires", slice_of(expires)));
    if (publish(server)) /* not why calls should end: the commands say that they cannot connect */
        LOG_WRITE(EVENT_CERTIFICATE_REFUSED, log_text("why", SLICE_LITERAL("the file address")));
}

static void price_odd(void *user, const struct config_cost *cost)
{
    (void)user;
    LOG_WRITE(EVENT_PRICE_ODD, log_text("model", slice_of(cost->model)),
              log_number("line", cost->line));
}

static void tell_unused(const struct config *config)
{
    for (size_t i = 0; i < config->later_len; i++)
        LOG_WRITE(EVENT_BLOCK_UNUSED, log_text("block", slice_of(config->later[i])));
}

/* ---- Opening --------------------------------------------------------------------------------- */

static int because(struct server *server, int error, const char *what)
{
    snprintf(server->detail, 512, "%.300s: %s", what, mete_error_text(error));
    return error;
}

/* A part of a day is one more. */
static uint32_t days_of(int64_t ms)
{
    const int64_t day_ms = 86400000;
    return (uint32_t)((ms + day_ms - 1) / day_ms);
}

static int open_engine(struct server *server)
{
    const struct mete_options options = {
        .directory = server->home.path,
        .owner = METE_OWNER_CALLER,
        .no_audit = !server->config->audit,
        .free_reserve = (uint64_t)server->config->free_reserve,
        .wake = engine_wakes,
        .wake_user = server->loop,
        .retention = {.records = days_of(server->config->keep_records_ms),
                      .events = days_of(server->config->keep_alerts_ms),
                      .reports = days_of(server->config->keep_reports_ms)},
    };
    int64_t from_us = os_monotonic_us(os_system());
    int error = mete_open(&options, &server->mete);
    if (!error)
        error = mete_port_open(server->mete, &server->port);
    if (error)
        return because(server, error, server->home.path);
    error = ring_init(&server->stops, STOPS_MAX);
    if (error)
        return because(server, error, "room for what the engine tells");
    mete_on_event(server->mete, engine_event, server);
    static struct mete_answer answer;
    const struct mete_query stats = {.kind = METE_QUERY_STATS};
    bool made = false;
    error = mete_query(server->port, &stats, &answer);
    if (!error)
        LOG_WRITE(EVENT_RECOVERED, log_number("entries", (int64_t)answer.stats.seq),
                  log_number("ms", (os_monotonic_us(os_system()) - from_us) / 1000));
    if (!error)
        error = server_make_example(server->port, &made);
    if (made)
        LOG_WRITE(EVENT_EXAMPLE_MADE, log_text("organization", SLICE_LITERAL("example")));
    return error ? because(server, error, "the first entry") : 0;
}

static int open_directory(struct server *server)
{
    struct records_reader *reader = NULL;
    int error = directory_new(server->home.secret, &server->directory);
    if (!error)
        error = people_new(server->home.secret, &server->people);
    if (!error)
        error = records_reader_open(os_system(), server->home.path, &reader);
    if (!error)
        error = directory_load(server->directory, reader);
    if (!error)
        error = people_load(server->people, reader);
    if (!error)
        error = price_book_new(server->pricing, &server->prices);
    if (!error)
        error = price_documents_load(reader, server->prices);
    if (!error)
        error = catalogue_open(&server->catalogue, server->mete, server->port, reader);
    records_reader_close(reader);
    return error ? because(server, error, "the directory of keys and members, or the prices") : 0;
}

static bool find_answer(void *user, struct gateway_lookup *lookup)
{
    struct server *server = user;
    return lookup_answer(server->workers, server->home.path, lookup);
}

static bool find_documents(void *user, struct gateway_documents *documents)
{
    struct server *server = user;
    return kept_find(server->workers, server->home.path, documents);
}

/* Subscriptions whose month began are granted it before anybody is refused for want of it. */
static bool await_grants(void *user, struct work *work)
{
    struct server *server = user;
    return server->api && api_wait(server->api, work);
}

static void unknown_model(void *user, struct slice model)
{
    struct server *server = user;
    catalogue_unknown(&server->catalogue, model);
}

/* Who was disabled is so again. */
static int use_catalogue(struct server *server)
{
    struct records_reader *reader = NULL;
    int error = records_reader_open(os_system(), server->home.path, &reader);
    if (!error)
        error = catalogue_use(&server->catalogue, server->gateway, reader);
    records_reader_close(reader);
    return error ? because(server, error, "what was said of providers") : 0;
}

static int open_gateway(struct server *server)
{
    config_gateway(server->config, &server->gateway_config);
    if (server->gateway_config.providers_len == 0)
        LOG_WRITE(EVENT_NO_PROVIDER,
                  log_text("try", SLICE_LITERAL("providers, or OPENAI_API_KEY")));
    struct gateway_parts parts = {
        .mete = server->mete,
        .port = server->port,
        .directory = server->directory,
        .prices = server->prices,
        .models = server->catalogue.models,
        .unknown_model = unknown_model,
        .upstream = server->upstream,
        .timers = loop_timers(server->loop),
        .workers = server->workers,
        .counters = server->counters,
        .call_done = call_done,
        .user = server,
        .find_answer = find_answer,
        .find_documents = find_documents,
        .await_grants = await_grants,
    };
    const struct os *os = os_system();
    os->random(os->user, &parts.seed, sizeof parts.seed);
    int error = gateway_new(&parts, &server->gateway_config, &server->gateway);
    if (error)
        return because(server, error, "the gateway");
    server->router.gateway = gateway_handler(server->gateway);
    error = credentials_use(&server->credentials, server->gateway);
    return error ? because(server, error, "the sealed credentials") : use_catalogue(server);
}

static int open_api(struct server *server)
{
    struct api_budget_defaults budgets;
    int error = switches_read(&budgets, server->detail);
    if (error)
        return error;
    const struct api_parts parts = {
        .mete = server->mete,
        .port = server->port,
        .directory = server->directory,
        .people = server->people,
        .prices = server->prices,
        .models = server->catalogue.models,
        .workers = server->workers,
        .data_directory = server->home.path,
        .random = os_system()->random,
        .random_user = os_system()->user,
        .admin_token = server->home.admin_token,
        .credentials = credentials_door(&server->credentials),
        .providers = catalogue_door(&server->catalogue),
        .budgets = budgets,
    };
    error = api_new(&parts, &server->api);
    if (error)
        return because(server, error, "the API");
    server->router.api = api_handler(server->api);
    pages_init(&server->pages);
    server->router.pages = pages_handler(&server->pages);
    return 0;
}

static int open_listeners(struct server *server)
{
    const struct config *config = server->config;
    struct listener_options options = {
        .address = config->listen,
        .handler = router_handler(&server->router),
        .done = exchange_done,
        .user = server,
        .connections_max = (uint32_t)config->max_connections,
        .header_max = (size_t)config->max_header_bytes,
        .body_max = (size_t)config->max_body_bytes,
        .request_timeout_ms = config->request_timeout_ms,
        .idle_timeout_ms = config->keepalive_timeout_ms,
        .address_max = (uint32_t)config->connections_per_address,
        .body_rate = (uint64_t)config->min_body_rate,
        .drain_rate = (uint64_t)config->min_drain_rate,
        .trusted = {config->trusted, config->trusted_len},
        .tls = {.certificate = config->tls.certificate,
                .key = config->tls.key,
                .client_ca = config->tls.client_ca,
                .min_version = (enum tls_version)config->tls.min_version},
        .certificate = certificate_read,
    };
    int error = listener_open(server->loop, &options, &server->listener, server->detail);
    if (!error && listener_tls(server->listener))
        take_hangups(server);
    if (error || !*config->metrics_listen)
        return error;
    server->scraper = (struct scraper){server->port,     &server->metrics, server->listener,
                                       server->upstream, server->gateway,  server->workers};
    options = (struct listener_options){.address = config->metrics_listen,
                                        .handler = scrape_handler(&server->scraper),
                                        .connections_max = 64,
                                        .body_max = 1};
    return listener_open(server->loop, &options, &server->metrics_listener, server->detail);
}

static int open_loop(struct server *server)
{
    int error = loop_new(&server->loop);
    if (error)
        return because(server, error, "the event loop");
    take_signals(server); /* from here on a signal is kept for server_run() */
    return 0;
}

static int open_parts(struct server *server)
{
    int error = open_loop(server);
    if (!error)
        error = home_open(server->config->data, &server->home, server->detail);
    if (!error)
        error = credentials_open(&server->credentials, server->config, server->home.path,
                                 server->detail);
    if (!error)
        error = config_pricing(server->config, &server->pricing, price_odd, server, server->detail);
    if (!error)
        error = open_engine(server);
    if (!error)
        error = open_directory(server);
    return error;
}

/* One core is left to the loop. */
static size_t counters(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return cores > LIMIT_COUNTERS ? LIMIT_COUNTERS : cores > 2 ? (size_t)cores - 1 : 1;
}

/* Stages take their turns in the order in which these are opened; the engine comes last. */
static int open_doors(struct server *server)
{
    int error = workers_open(server->loop, (size_t)server->config->workers, &server->workers);
    if (!error)
        error = workers_open_shared(server->loop, counters(), &server->counters);
    if (!error)
        error = upstream_open(server->loop, server->workers, &server->upstream);
    if (error)
        return because(server, error, "workers and upstream");
    error = open_gateway(server);
    if (!error)
        error = open_api(server);
    if (!error)
        error = open_listeners(server);
    if (error)
        return error;
    server->stage.turn = engine_turn;
    loop_append(server->loop, &server->stage);
    error = loop_watch(server->loop, mete_port_fd(server->port), EPOLLIN, port_ready, server);
    return error ? because(server, error, "the event loop") : 0;
}

int server_open(const struct config *config, struct server **ret_server, char ret_detail[512])
{
    struct server *server = calloc(1, sizeof *server);
    snprintf(ret_detail, 512, "%s", mete_error_text(METE_E_MEMORY));
    if (!server)
        return METE_E_MEMORY;
    server->config = config;
    server->detail = ret_detail;
    server->metrics.started_us = os_wall_us(os_system());
    log_setup((enum log_level)config->log_level, (enum log_format)config->log_format);
    raise_descriptors();
    if (!config->core_files)
        refuse_cores();
    tell_unused(config);
    int error = config_encodings_add(config, ret_detail);
    if (!error)
        error = open_parts(server);
    if (!error)
        error = open_doors(server);
    if (!error && publish(server))
        error = because(server, METE_E_STORAGE, "the file address");
    if (error) {
        server_close(server);
        return error;
    }
    LOG_WRITE(EVENT_STARTED, log_text("address", slice_of(server_address(server))),
              log_text("metrics", slice_of(server_metrics_address(server))),
              log_text("data", slice_of(server->home.path)),
              log_text("version", slice_of(METE_VERSION)));
    *ret_server = server;
    return 0;
}

const struct home *server_home(const struct server *server)
{
    return &server->home;
}

const char *server_address(const struct server *server)
{
    return listener_address(server->listener);
}

bool server_has_tls(const struct server *server)
{
    return listener_tls(server->listener) != NULL;
}

const char *server_metrics_address(const struct server *server)
{
    return server->metrics_listener ? listener_address(server->metrics_listener) : "";
}

/* ---- Running and stopping -------------------------------------------------------------------- */

/* Exchanges and calls that are not over. */
static size_t open_work(const struct server *server)
{
    struct listener_counts doors;
    struct gateway_counts calls;
    size_t scrapes = 0;
    if (server->metrics_listener) {
        listener_counts(server->metrics_listener, &doors);
        scrapes = doors.open;
    }
    listener_counts(server->listener, &doors);
    gateway_counts(server->gateway, &calls);
    return doors.open + scrapes + calls.open + api_running(server->api) +
           catalogue_running(&server->catalogue);
}

static void nothing(struct timer *timer)
{
    (void)timer;
}

/* Rounds until nothing is open, the time is over, or so many signals have come. */
static void run_until_idle(struct server *server, int64_t limit_us, int signals_max)
{
    struct timers *timers = loop_timers(server->loop);
    struct timer alarm = {.fire = nothing};
    int64_t end_us = timers->now_us(timers) + limit_us;
    timers->set(timers, &alarm, limit_us);
    while (open_work(server) && timers->now_us(timers) < end_us &&
           atomic_load(&signals) < signals_max)
        loop_round(server->loop);
    timers->stop(timers, &alarm);
}

/* Replies that are on their way get a moment to get there. */
static void run_until_sent(struct server *server)
{
    struct timers *timers = loop_timers(server->loop);
    struct timer alarm = {.fire = nothing};
    struct listener_counts doors;
    timers->set(timers, &alarm, LINGER_US);
    listener_counts(server->listener, &doors);
    while (alarm.slot && doors.connections > 0) {
        loop_round(server->loop);
        listener_counts(server->listener, &doors);
    }
    timers->stop(timers, &alarm);
}

static void stop(struct server *server)
{
    size_t open = open_work(server);
    LOG_WRITE(EVENT_STOPPING, log_number("open", (int64_t)open));
    server->router.not_ready = "stopping";
    home_unpublish(&server->home);
    listener_quiet(server->listener);
    run_until_idle(server, server->config->stop_timeout_ms * 1000, 2);
    open = open_work(server);
    if (open) {
        LOG_WRITE(EVENT_CALLED_OFF, log_number("open", (int64_t)open));
        gateway_shutdown(server->gateway);
        run_until_idle(server, SHUTDOWN_US, INT32_MAX);
        listener_call_off(server->listener);
        upstream_call_off(server->upstream);
        run_until_idle(server, CALLED_OFF_US, INT32_MAX);
    }
    if (open_work(server)) {
        const struct os *os = os_system();
        os->die(os->user, "calls would not end");
    }
    run_until_sent(server);
}

void server_run(struct server *server)
{
    loop_run(server->loop);
    stop(server);
}

/* Of whatever is open, in reverse. */
void server_close(struct server *server)
{
    if (!server)
        return;
    bool ran = server->listener != NULL;
    if (server->metrics_listener)
        listener_quiet(server->metrics_listener);
    listener_close(server->metrics_listener);
    listener_close(server->listener);
    pages_done(&server->pages);
    api_free(server->api);
    gateway_free(server->gateway);
    credentials_close(&server->credentials);
    upstream_close(server->upstream);
    workers_close(server->workers);
    workers_close(server->counters);
    if (server->port && server->stage.turn)
        loop_unwatch(server->loop, mete_port_fd(server->port));
    mete_port_close(server->port);
    mete_close(server->mete);
    ring_done(&server->stops);
    directory_free(server->directory);
    people_free(server->people);
    price_book_free(server->prices);
    catalogue_close(&server->catalogue);
    pricing_free(server->pricing);
    if (ran)
        LOG_WRITE(EVENT_STOPPED, log_text("data", slice_of(server->home.path)));
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    if (server->hangups_taken)
        signal(SIGHUP, SIG_DFL);
    loop_free(server->loop);
    encodings_forget();
    free(server);
}
