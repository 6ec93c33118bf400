/* What the parts of the server share: one run of one runtime. */
#ifndef RUN_H
#define RUN_H

#include "http.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/types.h>

enum {
    MAX_CONNECTIONS = 64, /* a runtime uses a handful; more is a leak */
    MAX_INVOCATIONS = 1000000
};

/* What a runtime can ask of us. */
enum request { ASKS_NEXT, SENDS_RESPONSE, SENDS_ERROR, ASKS_SOMETHING_ELSE };

struct connection {
    int fd;
    struct http_reader reader;
    enum request request;
};

/* Moments are microseconds of CLOCK_MONOTONIC; 0 means "not yet". */
struct invocation {
    double answered_at;
    double first_byte_at;
    double last_byte_at;
    double next_at;
    long long bytes;
};

struct options {
    long invocations;
    long warmup;
    long long expected_bytes; /* per invocation; -1: any */
    long read_pause_us;
    long limit_seconds;
    bool busy;
    int server_cpu; /* -1: any */
    int runtime_cpu;
};

struct run {
    struct options options;
    int listener;
    struct connection *connections[MAX_CONNECTIONS];
    int connection_count;
    struct connection *waiting; /* has asked for /next and has no answer yet */
    struct invocation *invocations;
    long total;
    long given;        /* invocations handed out so far */
    bool is_open;      /* the last one handed out has not been answered in full */
    double started_at; /* just before the runtime was started */
    double first_next_at;
    double cpu_before_us; /* the runtime's CPU time when the first measured invocation began */
    double cpu_after_us;  /* and when the last one had ended; -1: unknown */
    pid_t runtime;        /* 0 once it has been reaped */
    struct rusage usage;
    bool over;
    char error[512];
};

extern volatile sig_atomic_t stop_signal;
extern volatile sig_atomic_t runtime_changed;

/* neutral_server.c */

/* Ends the run as failed. The first reason is the one that is told. */
__attribute__((format(printf, 2, 3))) void fail(struct run *run, const char *format, ...);
double now_us(void);
void sleep_us(long us);

/* runtime_api.c */

/* Takes bytes that came on a connection at that moment, and answers them. */
void take_input(struct run *run, struct connection *c, const char *bytes, size_t length,
                double at);

/* runtime_process.c */
void start_runtime(struct run *run, char **command);
void notice_runtime_end(struct run *run);
/* Ends the runtime and what it may have started. Returns whether it is gone. */
bool end_runtime(struct run *run, int *status);
/* CPU time of the runtime's process so far, all threads; -1 where the system does not say. */
double runtime_cpu_us(const struct run *run);

/* connections.c */

/* Listens on a free port of the loopback interface; returns the port, or -1. */
int open_listener(struct run *run);
/* Serves the runtime until the run is over. */
void serve(struct run *run);

/* result.c */
void print_result(const struct run *run);

#endif
