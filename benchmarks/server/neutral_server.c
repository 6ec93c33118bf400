/*
 * A neutral Runtime API server for measuring runtime clients.
 *
 * It plays the part of the Lambda platform towards one runtime: it starts the
 * runtime's command, hands out invocations one after the other, reads what comes
 * back and notes the time of four moments per invocation:
 *
 *     /next answered ........ first body byte ........ last body byte ........ next /next
 *        |<--- first byte --->|                              |                    |
 *        |<--------------------- body ---------------------->|                    |
 *        |<-------------------------------- cycle ------------------------------->|
 *
 * A runtime's figures contain this server's own share (a few microseconds per
 * invocation). It is the same for every runtime, so differences are the runtime's.
 *
 * It assumes nothing about connections: a runtime may ask for its next invocation
 * on one connection and answer on another, open a new one each time, or send
 * /next before the server has seen the end of the previous answer (that /next then
 * waits). What it does insist on: every answer carries the expected number of
 * bytes, for the invocation that is open, without an error report.
 *
 * It always ends: by itself when all invocations are done, at its time limit, on a
 * signal, or when the runtime dies. The runtime and its process group end with it.
 *
 * One line of JSON goes to standard output. Exit code: 0 measured, 1 the run failed
 * (the line says why), 2 wrong usage.
 *
 *     neutral_server.c   the command line
 *     connections.c      sockets and the loop: one thread, poll
 *     http.c             requests out of bytes
 *     runtime_api.c      what the requests mean, the answers, the moments
 *     runtime_process.c  the runtime, as a process
 *     result.c           the line of JSON
 *
 * Build: cc -O2 -Wall -Wextra -o neutral_server *.c
 */
#define _GNU_SOURCE
#include "run.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

volatile sig_atomic_t stop_signal;
volatile sig_atomic_t runtime_changed;

static void note_signal(int number)
{
    if (number == SIGCHLD)
        runtime_changed = 1;
    else
        stop_signal = number;
}

double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

void sleep_us(long us)
{
    struct timespec t = {us / 1000000, (us % 1000000) * 1000};
    nanosleep(&t, NULL);
}

void fail(struct run *run, const char *format, ...)
{
    run->over = true;
    if (run->error[0])
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(run->error, sizeof run->error, format, arguments);
    va_end(arguments);
    for (char *c = run->error; *c; c++) /* it goes into JSON as it is */
        if (*c == '"' || *c == '\\' || (unsigned char)*c < 0x20 || (unsigned char)*c > 0x7e)
            *c = '?';
}

static const char usage[] =
    "usage: neutral_server [options] -- command [argument ...]\n"
    "\n"
    "Starts the command as a Lambda runtime, gives it invocations, prints one JSON line.\n"
    "\n"
    "  --invocations N    measured invocations (default 100; 0: only the start)\n"
    "  --warmup N         invocations before them that are not measured (default 10)\n"
    "  --expect-bytes N   body bytes each answer must have (default: any)\n"
    "  --read-pause-us N  pause after each read of up to 256 KiB: a slow reader (default 0)\n"
    "  --busy             never sleep while waiting (needs a CPU of its own)\n"
    "  --cpus S,R         CPU for the server and CPU for the runtime\n"
    "  --limit-seconds N  give up after this time (default 60)\n"
    "  --help\n"
    "\n"
    "example:\n"
    "  neutral_server --invocations 1000 -- python -m penstock.runtime module.handler\n";

__attribute__((noreturn)) static void refuse(const char *complaint, const char *value)
{
    fprintf(stderr, "%s%s\n\n%s", complaint, value, usage);
    exit(2);
}

static long number_between(const char *text, long lowest, long highest)
{
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (end == text || *end || errno || value < lowest || value > highest)
        refuse("not a number that is possible here: ", text);
    return value;
}

static void read_cpus(struct options *options, const char *text)
{
    int end = 0;
    if (sscanf(text, "%d,%d%n", &options->server_cpu, &options->runtime_cpu, &end) != 2 ||
        text[end] || options->server_cpu < 0 || options->runtime_cpu < 0)
        refuse("--cpus wants two numbers such as 0,1, got ", text);
}

/* Returns the command that stands after the options. */
static char **read_options(struct options *options, int count, char **arguments)
{
    static const struct option names[] = {
        {"invocations", required_argument, NULL, 'n'},
        {"warmup", required_argument, NULL, 'w'},
        {"expect-bytes", required_argument, NULL, 'x'},
        {"read-pause-us", required_argument, NULL, 'p'},
        {"busy", no_argument, NULL, 'b'},
        {"cpus", required_argument, NULL, 'c'},
        {"limit-seconds", required_argument, NULL, 't'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int letter;
    while ((letter = getopt_long(count, arguments, "+", names, NULL)) != -1) {
        switch (letter) {
        case 'n': options->invocations = number_between(optarg, 0, MAX_INVOCATIONS); break;
        case 'w': options->warmup = number_between(optarg, 0, MAX_INVOCATIONS); break;
        case 'x': options->expected_bytes = number_between(optarg, 0, 1L << 40); break;
        case 'p': options->read_pause_us = number_between(optarg, 0, 1000000); break;
        case 'b': options->busy = true; break;
        case 'c': read_cpus(options, optarg); break;
        case 't': options->limit_seconds = number_between(optarg, 1, 3600); break;
        case 'h': fputs(usage, stdout); exit(0);
        default: fprintf(stderr, "\n%s", usage); exit(2);
        }
    }
    if (optind == count)
        refuse("no command to start", "");
    return arguments + optind;
}

static void install_signal_handlers(void)
{
    struct sigaction noted = {.sa_handler = note_signal};
    sigaction(SIGCHLD, &noted, NULL);
    sigaction(SIGINT, &noted, NULL);
    sigaction(SIGTERM, &noted, NULL);
    sigaction(SIGHUP, &noted, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static bool tell_address(int port)
{
    char address[64];
    snprintf(address, sizeof address, "127.0.0.1:%d", port);
    return port > 0 && setenv("AWS_LAMBDA_RUNTIME_API", address, 1) == 0;
}

int main(int count, char **arguments)
{
    static struct run run = {
        .options = {.invocations = 100,
                    .warmup = 10,
                    .expected_bytes = -1,
                    .limit_seconds = 60,
                    .server_cpu = -1,
                    .runtime_cpu = -1},
    };
    char **command = read_options(&run.options, count, arguments);

    run.total = run.options.invocations ? run.options.warmup + run.options.invocations : 0;
    run.invocations = calloc((size_t)run.total + 1, sizeof *run.invocations);
    if (!run.invocations || !tell_address(open_listener(&run))) {
        perror("cannot listen");
        return 2;
    }
    install_signal_handlers();
    start_runtime(&run, command);
    serve(&run);
    if (run.runtime)
        end_runtime(&run, NULL);
    print_result(&run);
    return run.error[0] ? 1 : 0;
}
