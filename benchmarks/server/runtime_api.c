/* The Lambda Runtime API, as far as one runtime under measurement needs it. */
#define _GNU_SOURCE
#include "run.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define ROOT "/2018-06-01/runtime"

static const char event[] = "{}";

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
    char id[64], message[1024];
    invocation_id(id, sizeof id, run->given);
    int length = snprintf(message, sizeof message,
                          "HTTP/1.1 200 OK\r\n"
                          "Content-Type: application/json\r\n"
                          "Lambda-Runtime-Aws-Request-Id: %s\r\n"
                          "Lambda-Runtime-Deadline-Ms: %lld\r\n"
                          "Lambda-Runtime-Invoked-Function-Arn: "
                          "arn:aws:lambda:us-east-1:123456789012:function:benchmark\r\n"
                          "Lambda-Runtime-Trace-Id: "
                          "Root=1-00000000-000000000000000000000000;Sampled=0\r\n"
                          "Content-Length: %zu\r\n"
                          "\r\n%s",
                          id, ((long long)time(NULL) + 900) * 1000, sizeof event - 1, event);

    if (run->given == run->options.warmup)
        run->cpu_before_us = runtime_cpu_us(run);
    struct invocation *invocation = &run->invocations[run->given++];
    run->is_open = true;
    run->waiting = NULL;
    invocation->answered_at = now_us();
    send_all(run, c, message, (size_t)length);
}

static void answer_waiting_next(struct run *run)
{
    if (!run->waiting || run->is_open || run->over)
        return;
    if (run->given < run->total) {
        hand_out_invocation(run, run->waiting);
    } else {
        run->cpu_after_us = runtime_cpu_us(run);
        run->over = true; /* the runtime keeps waiting; it is ended with us */
    }
}

static void answer_accepted(struct run *run, struct connection *c)
{
    static const char accepted[] = "HTTP/1.1 202 Accepted\r\n"
                                   "Content-Type: application/json\r\n"
                                   "Content-Length: 16\r\n"
                                   "\r\n"
                                   "{\"status\":\"OK\"}\n";
    send_all(run, c, accepted, sizeof accepted - 1);
    if (c->reader.closes)
        shutdown(c->fd, SHUT_WR);
}

/* --------------------------------------------------------------- requests */

static bool starts_with(const char *text, const char *beginning)
{
    return strncmp(text, beginning, strlen(beginning)) == 0;
}

static void begin_request(struct run *run, struct connection *c)
{
    const char *line = c->reader.line;
    char invocation[128], id[64];
    if (starts_with(line, "GET " ROOT "/invocation/next ")) {
        c->request = ASKS_NEXT;
        return;
    }
    if (starts_with(line, "POST " ROOT "/init/error ")) {
        c->request = SENDS_ERROR;
        return;
    }
    invocation_id(id, sizeof id, run->given - 1);
    snprintf(invocation, sizeof invocation, "POST " ROOT "/invocation/%s/", id);
    bool is_ours = run->is_open && starts_with(line, invocation);
    const char *action = line + (is_ours ? strlen(invocation) : 0);
    if (is_ours && starts_with(action, "response ")) {
        c->request = SENDS_RESPONSE;
    } else if (is_ours && starts_with(action, "error ")) {
        c->request = SENDS_ERROR;
    } else {
        c->request = ASKS_SOMETHING_ELSE;
        fail(run, "a request that does not fit: %.200s", line);
    }
}

static void end_head(struct run *run, struct connection *c)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    if (c->reader.awaits_continue)
        send_all(run, c, go_on, sizeof go_on - 1);
}

static void take_body(struct run *run, struct connection *c, double at)
{
    if (c->request == SENDS_ERROR) {
        fwrite(c->reader.data, 1, c->reader.data_length, stderr);
    } else if (c->request == SENDS_RESPONSE) {
        struct invocation *invocation = &run->invocations[run->given - 1];
        if (invocation->bytes == 0)
            invocation->first_byte_at = at;
        invocation->bytes += (long long)c->reader.data_length;
    }
}

static void take_trailer(struct run *run, const char *line)
{
    const char *type = http_header_value(line, "Lambda-Runtime-Function-Error-Type");
    if (type)
        fail(run, "the response ended in an error: %.200s", type);
}

static void end_next(struct run *run, struct connection *c, double at)
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

static void end_response(struct run *run, struct connection *c, double at)
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

static void end_request(struct run *run, struct connection *c, double at)
{
    switch (c->request) {
    case ASKS_NEXT:
        end_next(run, c, at);
        break;
    case SENDS_RESPONSE:
        end_response(run, c, at);
        break;
    case SENDS_ERROR:
        fputc('\n', stderr);
        fail(run, "the runtime reported an error, see its standard error");
        break;
    case ASKS_SOMETHING_ELSE:
        break; /* failed when its request line was read */
    }
}

void take_input(struct run *run, struct connection *c, const char *bytes, size_t length,
                double at)
{
    while (!run->over) {
        switch (http_next(&c->reader, &bytes, &length)) {
        case HTTP_NEEDS_MORE:
            return;
        case HTTP_REQUEST_LINE:
            begin_request(run, c);
            break;
        case HTTP_HEAD_ENDED:
            end_head(run, c);
            break;
        case HTTP_BODY:
            take_body(run, c, at);
            break;
        case HTTP_TRAILER:
            take_trailer(run, c->reader.line);
            break;
        case HTTP_ENDED:
            end_request(run, c, at);
            break;
        case HTTP_BROKEN:
            fail(run, "%s: %.200s", c->reader.complaint, c->reader.line);
            break;
        }
    }
}
