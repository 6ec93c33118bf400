/*
 * A neutral Runtime API server for measuring runtime clients.
 *
 * It plays the part of the Lambda platform towards one runtime: it starts the
 * runtime's command, hands out invocations one after the other, reads what comes
 * back and notes the time of four moments per invocation:
 *
 *     /next answered ........ first body byte ........ last body byte ........ next /next
 *        |<--- first byte --->|                              |<--- turn-around --->|
 *        |<------------------- whole body ------------------>|
 *        |<-------------------------------- cycle -------------------------------->|
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
 * Build: cc -O2 -Wall -Wextra -o neutral_server neutral_server.c
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sched.h>
#include <sys/prctl.h>
#endif

enum {
    MAX_CONNECTIONS = 64,    /* a runtime uses a handful; more is a leak */
    MAX_INVOCATIONS = 1000000,
    LINE_LIMIT = 8192,       /* of a longer line only the beginning is kept */
    HEAD_LIMIT = 1024,
    TICK_MS = 200,           /* how often the time limit is looked at while idle */
    SEND_TIMEOUT_SECONDS = 5 /* our answers are small: a runtime that does not read them is stuck */
};

/* What a runtime can ask of us. */
enum request { ASKS_NEXT, SENDS_RESPONSE, SENDS_ERROR, ASKS_SOMETHING_ELSE };

/* Where a connection is in its current HTTP request. All states but the two
 * *_DATA ones collect a line. */
enum state {
    AT_REQUEST_LINE,
    AT_HEADER,
    AT_SIZED_DATA,
    AT_CHUNK_SIZE,
    AT_CHUNK_DATA,
    AT_CHUNK_END,
    AT_TRAILER
};

struct connection {
    int fd;
    enum state state;
    enum request request;
    long long remaining; /* bytes left of the body (sized) or of the chunk */
    bool is_chunked;
    bool closes;
    bool awaits_continue;
    char line[LINE_LIMIT];
    size_t line_length;
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
    const char *event;
    long read_size;
    long read_pause_us;
    long receive_buffer;
    long limit_seconds;
    bool busy;
    int server_cpu;
    int runtime_cpu;
};

struct run {
    struct options options;
    int listener;
    struct connection *connections[MAX_CONNECTIONS];
    int connection_count;
    long connections_seen;
    struct connection *waiting; /* has asked for /next and has no answer yet */
    struct invocation *invocations;
    long total;
    long given;           /* invocations handed out so far */
    bool is_open;         /* the last one handed out has not been answered in full */
    double started_at;    /* just before the runtime was started */
    double first_next_at;
    pid_t runtime;        /* 0 once it has been reaped */
    struct rusage usage;
    bool over;
    char error[512];
};

static volatile sig_atomic_t stop_signal;
static volatile sig_atomic_t runtime_changed;

static void note_signal(int number)
{
    if (number == SIGCHLD)
        runtime_changed = 1;
    else
        stop_signal = number;
}

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void sleep_us(long us)
{
    struct timespec t = {us / 1000000, (us % 1000000) * 1000};
    nanosleep(&t, NULL);
}

/* Ends the run as failed. The first reason is the one that is told. */
__attribute__((format(printf, 2, 3))) static void fail(struct run *run, const char *format, ...)
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

/* ---------------------------------------------------------------- answers */

static void send_all(struct run *run, struct connection *c, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(c->fd, bytes, length, 0);
        if (sent < 0 && errno == EINTR && !stop_signal)
            continue;
        if (sent < 0) {
            fail(run, "cannot answer the runtime: %s", strerror(errno));
            return;
        }
        bytes += sent;
        length -= (size_t)sent;
    }
}

static void invocation_id(char *id, size_t size, long number)
{
    snprintf(id, size, "00000000-0000-4000-8000-%012ld", number);
}

static void hand_out_invocation(struct run *run, struct connection *c)
{
    static char *message;
    const char *event = run->options.event;
    size_t event_length = strlen(event);
    if (!message)
        message = malloc(HEAD_LIMIT + event_length);
    if (!message) {
        fail(run, "out of memory");
        return;
    }

    char id[64];
    invocation_id(id, sizeof id, run->given);
    int head = snprintf(message, HEAD_LIMIT,
                        "HTTP/1.1 200 OK\r\n"
                        "Content-Type: application/json\r\n"
                        "Lambda-Runtime-Aws-Request-Id: %s\r\n"
                        "Lambda-Runtime-Deadline-Ms: %lld\r\n"
                        "Lambda-Runtime-Invoked-Function-Arn: "
                        "arn:aws:lambda:us-east-1:123456789012:function:benchmark\r\n"
                        "Lambda-Runtime-Trace-Id: "
                        "Root=1-00000000-000000000000000000000000;Sampled=0\r\n"
                        "Content-Length: %zu\r\n"
                        "\r\n",
                        id, ((long long)time(NULL) + 900) * 1000, event_length);
    memcpy(message + head, event, event_length);

    struct invocation *invocation = &run->invocations[run->given++];
    run->is_open = true;
    run->waiting = NULL;
    invocation->answered_at = now_us();
    send_all(run, c, message, (size_t)head + event_length);
}

static void answer_waiting_next(struct run *run)
{
    if (!run->waiting || run->is_open || run->over)
        return;
    if (run->given == run->total)
        run->over = true; /* the runtime keeps waiting; it is ended with us */
    else
        hand_out_invocation(run, run->waiting);
}

static void answer_accepted(struct run *run, struct connection *c)
{
    static const char accepted[] = "HTTP/1.1 202 Accepted\r\n"
                                   "Content-Type: application/json\r\n"
                                   "Content-Length: 16\r\n"
                                   "\r\n"
                                   "{\"status\":\"OK\"}\n";
    send_all(run, c, accepted, sizeof accepted - 1);
    if (c->closes)
        shutdown(c->fd, SHUT_WR);
}

/* --------------------------------------------------------------- requests */

static void next_asked(struct run *run, struct connection *c, double at)
{
    if (run->first_next_at == 0)
        run->first_next_at = at;
    if (run->given > 0)
        run->invocations[run->given - 1].next_at = at;
    if (run->waiting) {
        fail(run, "the runtime asked for two invocations at once");
        return;
    }
    run->waiting = c;
    answer_waiting_next(run);
}

static void response_ended(struct run *run, struct connection *c, double at)
{
    long number = run->given - 1;
    struct invocation *invocation = &run->invocations[number];
    long long expected = run->options.expected_bytes;
    invocation->last_byte_at = at;
    if (invocation->bytes == 0)
        invocation->first_byte_at = at; /* an empty body: its end is all there is */
    run->is_open = false;
    if (expected >= 0 && invocation->bytes != expected) {
        fail(run, "invocation %ld carried %lld bytes, expected %lld", number, invocation->bytes,
             expected);
        return;
    }
    answer_accepted(run, c);
    answer_waiting_next(run);
}

static void request_ended(struct run *run, struct connection *c, double at)
{
    c->state = AT_REQUEST_LINE;
    switch (c->request) {
    case ASKS_NEXT:
        next_asked(run, c, at);
        break;
    case SENDS_RESPONSE:
        response_ended(run, c, at);
        break;
    case SENDS_ERROR:
        fputc('\n', stderr);
        fail(run, "the runtime reported an error, see its standard error");
        break;
    case ASKS_SOMETHING_ELSE:
        break; /* failed when its request line was read */
    }
}

static void body_bytes(struct run *run, struct connection *c, const char *bytes, size_t length,
                       double at)
{
    if (c->request == SENDS_ERROR) {
        fwrite(bytes, 1, length, stderr);
    } else if (c->request == SENDS_RESPONSE) {
        struct invocation *invocation = &run->invocations[run->given - 1];
        if (invocation->bytes == 0)
            invocation->first_byte_at = at;
        invocation->bytes += (long long)length;
    }
}

static bool starts_with(const char *text, const char *beginning)
{
    return strncmp(text, beginning, strlen(beginning)) == 0;
}

/* The value of a header line if it has this name, else NULL. */
static const char *header_value(const char *line, const char *name)
{
    size_t length = strlen(name);
    if (strncasecmp(line, name, length) != 0 || line[length] != ':')
        return NULL;
    line += length + 1;
    return line + strspn(line, " \t");
}

static void read_request_line(struct run *run, struct connection *c)
{
    char invocation[128], id[64];

    c->remaining = 0;
    c->is_chunked = c->closes = c->awaits_continue = false;
    c->state = AT_HEADER;

    if (starts_with(c->line, "GET /2018-06-01/runtime/invocation/next ")) {
        c->request = ASKS_NEXT;
        return;
    }
    if (starts_with(c->line, "POST /2018-06-01/runtime/init/error ")) {
        c->request = SENDS_ERROR;
        return;
    }
    invocation_id(id, sizeof id, run->given - 1);
    snprintf(invocation, sizeof invocation, "POST /2018-06-01/runtime/invocation/%s/", id);
    bool is_ours = run->is_open && starts_with(c->line, invocation);
    const char *action = c->line + (is_ours ? strlen(invocation) : 0);
    if (is_ours && starts_with(action, "response ")) {
        c->request = SENDS_RESPONSE;
    } else if (is_ours && starts_with(action, "error ")) {
        c->request = SENDS_ERROR;
    } else {
        c->request = ASKS_SOMETHING_ELSE;
        fail(run, "a request that does not fit: %.200s", c->line);
    }
}

static void read_header(struct run *run, struct connection *c)
{
    const char *value;
    if ((value = header_value(c->line, "Content-Length"))) {
        char *end;
        errno = 0;
        c->remaining = strtoll(value, &end, 10);
        if (end == value || errno || c->remaining < 0)
            fail(run, "not a content length: %.200s", value);
    } else if ((value = header_value(c->line, "Transfer-Encoding"))) {
        c->is_chunked = strcasecmp(value, "chunked") == 0;
    } else if ((value = header_value(c->line, "Connection"))) {
        c->closes = strcasecmp(value, "close") == 0;
    } else if ((value = header_value(c->line, "Expect"))) {
        c->awaits_continue = strcasecmp(value, "100-continue") == 0;
    }
}

static void headers_ended(struct run *run, struct connection *c, double at)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    if (c->awaits_continue)
        send_all(run, c, go_on, sizeof go_on - 1);
    if (c->is_chunked)
        c->state = AT_CHUNK_SIZE;
    else if (c->remaining > 0)
        c->state = AT_SIZED_DATA;
    else
        request_ended(run, c, at);
}

static void read_chunk_size(struct run *run, struct connection *c)
{
    char *end;
    errno = 0;
    c->remaining = strtoll(c->line, &end, 16);
    if (end == c->line || (*end && *end != ';') || errno || c->remaining < 0)
        fail(run, "not a chunk size: %.200s", c->line);
    c->state = c->remaining > 0 ? AT_CHUNK_DATA : AT_TRAILER;
}

static void read_trailer(struct run *run, struct connection *c)
{
    const char *type = header_value(c->line, "Lambda-Runtime-Function-Error-Type");
    if (type)
        fail(run, "the response ended in an error: %.200s", type);
}

/* ----------------------------------------------------------------- parsing */

static void take_line(struct run *run, struct connection *c, double at)
{
    bool is_empty = c->line_length == 0;
    switch (c->state) {
    case AT_REQUEST_LINE:
        if (!is_empty) /* an empty line before a request is allowed */
            read_request_line(run, c);
        break;
    case AT_HEADER:
        if (is_empty)
            headers_ended(run, c, at);
        else
            read_header(run, c);
        break;
    case AT_CHUNK_SIZE:
        read_chunk_size(run, c);
        break;
    case AT_CHUNK_END:
        if (!is_empty)
            fail(run, "a chunk is longer than its size says");
        c->state = AT_CHUNK_SIZE;
        break;
    case AT_TRAILER:
        if (is_empty)
            request_ended(run, c, at);
        else
            read_trailer(run, c);
        break;
    case AT_SIZED_DATA:
    case AT_CHUNK_DATA:
        break;
    }
}

/* Takes bytes up to and including the end of a line; returns how many. */
static size_t feed_line(struct run *run, struct connection *c, const char *bytes, size_t length,
                        double at)
{
    const char *newline = memchr(bytes, '\n', length);
    size_t taken = newline ? (size_t)(newline - bytes) + 1 : length;
    size_t text = newline ? taken - 1 : taken;
    size_t room = LINE_LIMIT - 1 - c->line_length;
    size_t kept = text < room ? text : room;
    memcpy(c->line + c->line_length, bytes, kept);
    c->line_length += kept;
    if (newline) {
        if (c->line_length > 0 && c->line[c->line_length - 1] == '\r')
            c->line_length--;
        c->line[c->line_length] = '\0';
        take_line(run, c, at);
        c->line_length = 0;
    }
    return taken;
}

/* Takes bytes of the body; returns how many. */
static size_t feed_data(struct run *run, struct connection *c, const char *bytes, size_t length,
                        double at)
{
    size_t taken = (long long)length < c->remaining ? length : (size_t)c->remaining;
    body_bytes(run, c, bytes, taken, at);
    c->remaining -= (long long)taken;
    if (c->remaining == 0) {
        if (c->state == AT_CHUNK_DATA)
            c->state = AT_CHUNK_END;
        else
            request_ended(run, c, at);
    }
    return taken;
}

static void feed(struct run *run, struct connection *c, const char *bytes, size_t length,
                 double at)
{
    while (length > 0 && !run->over) {
        bool is_data = c->state == AT_SIZED_DATA || c->state == AT_CHUNK_DATA;
        size_t taken = is_data ? feed_data(run, c, bytes, length, at)
                               : feed_line(run, c, bytes, length, at);
        bytes += taken;
        length -= taken;
    }
}

/* ------------------------------------------------------------- connections */

static void accept_connection(struct run *run)
{
    int fd = accept(run->listener, NULL, NULL);
    if (fd < 0)
        return; /* gone again, or a signal: poll will tell */
    struct connection *c = NULL;
    if (run->connection_count < MAX_CONNECTIONS)
        c = calloc(1, sizeof *c);
    if (!c) {
        close(fd);
        fail(run, "more than %d connections at once", MAX_CONNECTIONS);
        return;
    }
    int on = 1;
    struct timeval timeout = {SEND_TIMEOUT_SECONDS, 0};
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    c->fd = fd;
    run->connections[run->connection_count++] = c;
    run->connections_seen++;
}

static void drop_connection(struct run *run, int index)
{
    struct connection *c = run->connections[index];
    if (c->state != AT_REQUEST_LINE || c->line_length > 0)
        fail(run, "the runtime closed a connection in mid-request");
    if (run->waiting == c)
        run->waiting = NULL;
    close(c->fd);
    free(c);
    run->connections[index] = run->connections[--run->connection_count];
}

static void read_connection(struct run *run, int index, char *buffer)
{
    struct connection *c = run->connections[index];
    ssize_t length = recv(c->fd, buffer, (size_t)run->options.read_size, MSG_DONTWAIT);
    double at = now_us();
    if (length > 0) {
        feed(run, c, buffer, (size_t)length, at);
        if (run->options.read_pause_us)
            sleep_us(run->options.read_pause_us);
    } else if (length == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
        drop_connection(run, index);
    }
}

static int open_listener(struct run *run)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int buffer = (int)run->options.receive_buffer;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0)
        return -1;
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    if (buffer) /* accepted connections inherit it */
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, MAX_CONNECTIONS) ||
        getsockname(fd, (struct sockaddr *)&address, &size)) {
        close(fd);
        return -1;
    }
    char host[64];
    snprintf(host, sizeof host, "127.0.0.1:%d", ntohs(address.sin_port));
    setenv("AWS_LAMBDA_RUNTIME_API", host, 1);
    run->listener = fd;
    return 0;
}

/* ------------------------------------------------------------- the runtime */

static void stay_on_cpu(int cpu)
{
#ifdef __linux__
    if (cpu >= 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET((size_t)cpu, &set);
        if (sched_setaffinity(0, sizeof set, &set))
            perror("sched_setaffinity");
    }
#else
    if (cpu >= 0)
        fprintf(stderr, "--cpus does nothing on this system\n");
#endif
}

static void become_runtime(struct run *run, pid_t server, char **command)
{
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* also when we are killed with SIGKILL */
#endif
    if (getppid() != server)
        _exit(127);
    setpgid(0, 0);
    signal(SIGPIPE, SIG_DFL);
    dup2(STDERR_FILENO, STDOUT_FILENO); /* standard output is for our one line */
    stay_on_cpu(run->options.runtime_cpu);
    execvp(command[0], command);
    fprintf(stderr, "cannot start %s: %s\n", command[0], strerror(errno));
    _exit(127);
}

static void start_runtime(struct run *run, char **command)
{
    pid_t server = getpid();
    run->started_at = now_us();
    run->runtime = fork();
    if (run->runtime == 0)
        become_runtime(run, server, command);
    if (run->runtime < 0) {
        run->runtime = 0;
        fail(run, "cannot fork: %s", strerror(errno));
        return;
    }
    setpgid(run->runtime, run->runtime); /* whoever is first; the other's call does nothing */
    stay_on_cpu(run->options.server_cpu);
}

/* Ends the runtime and what it may have started. It must not have been reaped yet:
 * until then nobody else can get its process id. Returns whether it is gone. */
static bool end_runtime(struct run *run, int *status)
{
    kill(-run->runtime, SIGKILL);
    kill(run->runtime, SIGKILL);
    for (int tries = 0; tries < 5000; tries++) {
        if (wait4(run->runtime, status, WNOHANG, &run->usage) == run->runtime) {
            run->runtime = 0;
            return true;
        }
        sleep_us(1000);
    }
    fail(run, "the runtime does not end");
    return false;
}

static void notice_runtime_end(struct run *run)
{
    siginfo_t info = {0};
    int status;
    runtime_changed = 0;
    if (waitid(P_PID, (id_t)run->runtime, &info, WEXITED | WNOHANG | WNOWAIT) || !info.si_pid)
        return;
    if (!end_runtime(run, &status))
        return;
    if (WIFSIGNALED(status))
        fail(run, "the runtime was ended by signal %d", WTERMSIG(status));
    else
        fail(run, "the runtime ended with exit code %d", WEXITSTATUS(status));
}

/* ---------------------------------------------------------------- the loop */

static int poll_connections(struct run *run, struct pollfd *polled)
{
    polled[0] = (struct pollfd){.fd = run->listener, .events = POLLIN};
    for (int i = 0; i < run->connection_count; i++)
        polled[i + 1] = (struct pollfd){.fd = run->connections[i]->fd, .events = POLLIN};
    return poll(polled, (nfds_t)run->connection_count + 1, run->options.busy ? 0 : TICK_MS);
}

static void serve_once(struct run *run, char *buffer)
{
    struct pollfd polled[MAX_CONNECTIONS + 1];
    int count = run->connection_count;
    int ready = poll_connections(run, polled);
    if (ready > 0) {
        /* From the end, because dropping one moves the last into its place. */
        for (int i = count - 1; i >= 0 && !run->over; i--)
            if (polled[i + 1].revents)
                read_connection(run, i, buffer);
        if (polled[0].revents && !run->over)
            accept_connection(run);
    } else if (runtime_changed) {
        notice_runtime_end(run); /* only when nothing is left to read */
    }
}

static void serve(struct run *run)
{
    double limit = run->started_at + (double)run->options.limit_seconds * 1e6;
    char *buffer = malloc((size_t)run->options.read_size);
    if (!buffer)
        fail(run, "out of memory");
    while (!run->over) {
        serve_once(run, buffer);
        if (run->over)
            break;
        if (stop_signal)
            fail(run, "stopped by signal %d", (int)stop_signal);
        else if (now_us() > limit)
            fail(run, "time limit of %ld s after %ld invocations", run->options.limit_seconds,
                 run->given);
    }
    free(buffer);
}

/* --------------------------------------------------------------- the result */

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double first_byte_us(const struct invocation *i)
{
    return i->first_byte_at - i->answered_at;
}

static double body_us(const struct invocation *i)
{
    return i->last_byte_at - i->answered_at;
}

static double turnaround_us(const struct invocation *i)
{
    return i->next_at - i->last_byte_at;
}

static double cycle_us(const struct invocation *i)
{
    return i->next_at - i->answered_at;
}

static void print_spread(const struct run *run, const char *name,
                         double (*measure)(const struct invocation *))
{
    long count = run->options.invocations;
    double *values = calloc((size_t)count, sizeof *values);
    if (!values)
        return;
    for (long i = 0; i < count; i++)
        values[i] = measure(&run->invocations[run->options.warmup + i]);
    qsort(values, (size_t)count, sizeof *values, compare_doubles);
    printf(",\"%s\":{\"median\":%.2f,\"p90\":%.2f,\"p99\":%.2f,\"max\":%.2f}", name,
           values[count / 2], values[count * 9 / 10], values[count * 99 / 100],
           values[count - 1]);
    free(values);
}

static long peak_memory_kib(const struct run *run)
{
#ifdef __APPLE__
    return run->usage.ru_maxrss / 1024;
#else
    return run->usage.ru_maxrss;
#endif
}

static void print_result(const struct run *run)
{
    if (run->error[0]) {
        printf("{\"ok\":false,\"error\":\"%s\",\"invocations_given\":%ld}\n", run->error,
               run->given);
        return;
    }
    printf("{\"ok\":true,\"start_to_next_ms\":%.3f,\"peak_memory_kib\":%ld,\"connections\":%ld",
           (run->first_next_at - run->started_at) / 1e3, peak_memory_kib(run),
           run->connections_seen);
    if (run->options.invocations > 0) {
        const struct invocation *first = &run->invocations[run->options.warmup];
        const struct invocation *last = &run->invocations[run->total - 1];
        double first_answer = run->invocations[0].first_byte_at - run->started_at;
        long long bytes = 0;
        for (long i = run->options.warmup; i < run->total; i++)
            bytes += run->invocations[i].bytes;
        printf(",\"start_to_first_byte_ms\":%.3f,\"invocations\":%ld,\"bytes\":%lld,"
               "\"seconds\":%.6f",
               first_answer / 1e3, run->options.invocations, bytes,
               (last->next_at - first->answered_at) / 1e6);
        print_spread(run, "first_byte_us", first_byte_us);
        print_spread(run, "body_us", body_us);
        print_spread(run, "turnaround_us", turnaround_us);
        print_spread(run, "cycle_us", cycle_us);
    }
    printf("}\n");
}

/* ------------------------------------------------------------ command line */

static const char usage[] =
    "usage: neutral_server [options] -- command [argument ...]\n"
    "\n"
    "Starts the command as a Lambda runtime, gives it invocations, prints one JSON line.\n"
    "\n"
    "  -n, --invocations N      measured invocations (default 100; 0: only the start)\n"
    "  -w, --warmup N           invocations before them that are not measured (default 10)\n"
    "  -x, --expect-bytes N     body bytes each answer must have (default: any)\n"
    "  -e, --event JSON         the event (default {})\n"
    "  -r, --read-size N        bytes read at once (default 262144)\n"
    "  -p, --read-pause-us N    pause after each read: a slow reader (default 0)\n"
    "  -R, --receive-buffer N   SO_RCVBUF of the connections (default: the system's)\n"
    "  -b, --busy               never sleep while waiting (needs a CPU of its own)\n"
    "  -c, --cpus S,R           CPU for the server and CPU for the runtime\n"
    "  -t, --limit-seconds N    give up after this time (default 60)\n"
    "  -h, --help\n"
    "\n"
    "example:\n"
    "  neutral_server -n 1000 -x 16 -- python -m penstock.runtime module.handler\n";

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
        {"event", required_argument, NULL, 'e'},
        {"read-size", required_argument, NULL, 'r'},
        {"read-pause-us", required_argument, NULL, 'p'},
        {"receive-buffer", required_argument, NULL, 'R'},
        {"busy", no_argument, NULL, 'b'},
        {"cpus", required_argument, NULL, 'c'},
        {"limit-seconds", required_argument, NULL, 't'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int letter;
    while ((letter = getopt_long(count, arguments, "+n:w:x:e:r:p:R:bc:t:h", names, NULL)) != -1) {
        switch (letter) {
        case 'n': options->invocations = number_between(optarg, 0, MAX_INVOCATIONS); break;
        case 'w': options->warmup = number_between(optarg, 0, MAX_INVOCATIONS); break;
        case 'x': options->expected_bytes = number_between(optarg, 0, 1L << 40); break;
        case 'e': options->event = optarg; break;
        case 'r': options->read_size = number_between(optarg, 1, 1L << 26); break;
        case 'p': options->read_pause_us = number_between(optarg, 0, 1000000); break;
        case 'R': options->receive_buffer = number_between(optarg, 1024, 1L << 26); break;
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

int main(int count, char **arguments)
{
    static struct run run = {
        .options = {.invocations = 100,
                    .warmup = 10,
                    .expected_bytes = -1,
                    .event = "{}",
                    .read_size = 262144,
                    .limit_seconds = 60,
                    .server_cpu = -1,
                    .runtime_cpu = -1},
    };
    char **command = read_options(&run.options, count, arguments);

    run.total = run.options.invocations ? run.options.warmup + run.options.invocations : 0;
    run.invocations = calloc((size_t)run.total + 1, sizeof *run.invocations);
    if (!run.invocations || open_listener(&run)) {
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
