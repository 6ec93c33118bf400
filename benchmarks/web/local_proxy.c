/*
 * A stand-in for the AWS Lambda Web Adapter: a Runtime API client that passes each
 * invocation on, as a request over HTTP, to a web server on this machine, and streams back
 * what that answers.
 *
 *     local_proxy REQUEST PORT server [argument ...]
 *
 * It starts the server, asks it for "/" every 10 ms until it answers, as the adapter does,
 * and then serves invocations, one at a time, over one connection to the Runtime API and one
 * to the server, which it opens again when the server closes it.
 *
 * It does less than the adapter: it does not look at the event but sends the bytes of the
 * file REQUEST each time, it parses no JSON, has no threads and allocates nothing. What is
 * measured with it is what a second process and a hop cost at least.
 *
 * Build: cc -O2 -Wall -Wextra -o local_proxy local_proxy.c
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define BUFFER 65536

struct reader {
    int fd;
    size_t start, end;
    char buffer[BUFFER];
};

static struct reader api, app;
static char request[BUFFER];
static size_t request_length;
static int app_port;

static void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    exit(1);
}

/* ------------------------------------------------------------------- sockets */

static int try_to_connect(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (struct sockaddr *)&address, sizeof address)) {
        close(fd);
        return -1;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static bool send_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        bytes += sent;
        length -= (size_t)sent;
    }
    return true;
}

/* More bytes behind those that are there; false at the end of the stream. */
static bool read_more(struct reader *r)
{
    if (r->start == r->end)
        r->start = r->end = 0;
    if (r->end == BUFFER) {
        memmove(r->buffer, r->buffer + r->start, r->end - r->start);
        r->end -= r->start;
        r->start = 0;
    }
    if (r->end == BUFFER)
        fail("a head or a line is longer than %d bytes", BUFFER);
    ssize_t got = recv(r->fd, r->buffer + r->end, BUFFER - r->end, 0);
    if (got <= 0)
        return false;
    r->end += (size_t)got;
    return true;
}

/* The next line without its end, as text; NULL at the end of the stream. */
static char *read_line(struct reader *r)
{
    size_t scanned = 0;
    for (;;) {
        char *from = r->buffer + r->start;
        char *end = memchr(from + scanned, '\n', r->end - r->start - scanned);
        if (end) {
            r->start = (size_t)(end + 1 - r->buffer);
            if (end > from && end[-1] == '\r')
                end--;
            *end = '\0';
            return from;
        }
        scanned = r->end - r->start;
        if (!read_more(r))
            return NULL;
    }
}

/* The value if the line is this field, else NULL. */
static const char *value_of(const char *line, const char *name)
{
    size_t length = strlen(name);
    if (strncasecmp(line, name, length) || line[length] != ':')
        return NULL;
    line += length + 1;
    return line + strspn(line, " \t");
}

/* --------------------------------------------------------------- Runtime API */

static void send_chunk(const char *bytes, size_t length)
{
    char size[32];
    int digits = snprintf(size, sizeof size, "%zx\r\n", length);
    struct iovec parts[] = {
        {size, (size_t)digits}, {(void *)bytes, length}, {(void *)"\r\n", 2}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 3};
    size_t left = (size_t)digits + length + 2;
    while (left > 0) {
        ssize_t sent = sendmsg(api.fd, &message, MSG_NOSIGNAL);
        if (sent <= 0)
            fail("the Runtime API has closed its connection");
        left -= (size_t)sent;
        for (int i = 0; i < 3 && sent > 0; i++) {
            size_t taken = (size_t)sent < parts[i].iov_len ? (size_t)sent : parts[i].iov_len;
            parts[i].iov_base = (char *)parts[i].iov_base + taken;
            parts[i].iov_len -= taken;
            sent -= (ssize_t)taken;
        }
    }
}

static void skip_body(struct reader *r, size_t length)
{
    while (r->end - r->start < length) {
        length -= r->end - r->start;
        r->start = r->end = 0;
        if (!read_more(r))
            fail("a body has no end");
    }
    r->start += length;
}

/* Reads an answer of the Runtime API; copies its request id, if it has one. */
static void read_api_answer(char *id, size_t size)
{
    size_t length = 0;
    char *line;
    while ((line = read_line(&api)) && *line) {
        const char *value;
        if ((value = value_of(line, "content-length")))
            length = strtoul(value, NULL, 10);
        else if (id && (value = value_of(line, "lambda-runtime-aws-request-id")))
            snprintf(id, size, "%s", value);
    }
    if (!line)
        exit(0); /* it is over */
    skip_body(&api, length);
}

/* ------------------------------------------------------------------ the server */

static char *append_quoted(char *to, const char *end, const char *text, size_t length)
{
    for (size_t i = 0; i < length && to < end - 8; i++) {
        if (text[i] == '"' || text[i] == '\\')
            *to++ = '\\';
        *to++ = text[i];
    }
    return to;
}

/* The prelude with this status and these fields is begun and ended around them. */
struct head {
    char prelude[16384];
    long length; /* of the body; -1: chunked or up to the end of the connection */
    bool is_chunked, closes;
};

static bool read_head(struct head *head)
{
    char *line = read_line(&app);
    char *to = head->prelude, *end = to + sizeof head->prelude - 64;
    if (!line || strlen(line) < 12)
        return false;
    head->length = -1;
    head->is_chunked = false;
    head->closes = strncmp(line, "HTTP/1.1", 8) != 0;
    to += snprintf(to, 64, "{\"statusCode\":%.3s,\"headers\":{", line + 9);
    bool is_first = true;
    while ((line = read_line(&app)) && *line) {
        const char *value, *colon = strchr(line, ':');
        if (!colon)
            fail("the server sent a field without a colon: %s", line);
        if ((value = value_of(line, "content-length"))) {
            head->length = strtol(value, NULL, 10);
        } else if ((value = value_of(line, "transfer-encoding"))) {
            head->is_chunked = true;
        } else if ((value = value_of(line, "connection"))) {
            head->closes = head->closes || !strcasecmp(value, "close");
        } else {
            value = colon + 1 + strspn(colon + 1, " \t");
            to += snprintf(to, 3, is_first ? "\"" : ",\"");
            to = append_quoted(to, end, line, (size_t)(colon - line));
            to += snprintf(to, 4, "\":\"");
            to = append_quoted(to, end, value, strlen(value));
            to += snprintf(to, 2, "\"");
            is_first = false;
        }
    }
    memcpy(to, "},\"cookies\":[]}", 16);
    return line != NULL;
}

/* Passes on `length` bytes of the body, whatever is there at once; -1: up to the end. */
static void pass_on(long length)
{
    while (length != 0) {
        if (app.start == app.end && !read_more(&app)) {
            if (length < 0)
                return;
            fail("the server's answer is cut");
        }
        size_t there = app.end - app.start;
        if (length > 0 && there > (size_t)length)
            there = (size_t)length;
        send_chunk(app.buffer + app.start, there);
        app.start += there;
        if (length > 0)
            length -= (long)there;
    }
}

static void pass_on_chunks(void)
{
    for (;;) {
        char *line = read_line(&app);
        if (!line)
            fail("the server's answer is cut");
        long size = strtol(line, NULL, 16);
        if (size > 0)
            pass_on(size);
        line = read_line(&app); /* the end of the chunk, or of the body */
        if (!line)
            fail("the server's answer is cut");
        if (size == 0)
            return;
    }
}

static void close_app(void)
{
    if (app.fd >= 0)
        close(app.fd);
    app.fd = -1;
    app.start = app.end = 0;
}

/* Sends the request and reads the head of its answer; on a new connection if need be. */
static void ask_app(struct head *head)
{
    for (int tries = 0; tries < 2; tries++) {
        if (app.fd < 0)
            app.fd = try_to_connect(app_port);
        if (app.fd >= 0 && send_all(app.fd, request, request_length) && read_head(head))
            return;
        close_app();
    }
    fail("the server does not answer");
}

static void serve_one(void)
{
    char text[512], id[128] = "";
    static struct head head;
    int length = snprintf(text, sizeof text,
                          "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n"
                          "Host: runtime\r\n\r\n");
    if (!send_all(api.fd, text, (size_t)length))
        exit(0);
    read_api_answer(id, sizeof id);
    ask_app(&head);
    length = snprintf(text, sizeof text,
                      "POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\n"
                      "Host: runtime\r\n"
                      "Content-Type: application/vnd.awslambda.http-integration-response\r\n"
                      "Lambda-Runtime-Function-Response-Mode: streaming\r\n"
                      "Transfer-Encoding: chunked\r\n\r\n",
                      id);
    if (!send_all(api.fd, text, (size_t)length))
        exit(0);
    size_t prelude = strlen(head.prelude);
    memset(head.prelude + prelude, 0, 8);
    send_chunk(head.prelude, prelude + 8);
    if (head.is_chunked)
        pass_on_chunks();
    else
        pass_on(head.length);
    if (!send_all(api.fd, "0\r\n\r\n", 5))
        exit(0);
    if (head.closes)
        close_app();
    read_api_answer(NULL, 0);
}

static void start_server(char **command)
{
    pid_t us = getpid();
    if (fork() != 0)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != us)
        _exit(127);
    execvp(command[0], command);
    fprintf(stderr, "cannot start %s\n", command[0]);
    _exit(127);
}

static void wait_until_ready(void)
{
    static const char probe[] = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    struct timespec pause = {0, 10 * 1000 * 1000};
    static struct head head;
    for (;;) {
        app.fd = try_to_connect(app_port);
        bool is_ready = app.fd >= 0 && send_all(app.fd, probe, sizeof probe - 1) &&
                        read_head(&head);
        close_app();
        if (is_ready)
            return;
        nanosleep(&pause, NULL);
    }
}

int main(int count, char **arguments)
{
    const char *address = getenv("AWS_LAMBDA_RUNTIME_API");
    if (count < 4 || !address || !strchr(address, ':'))
        fail("usage: local_proxy REQUEST PORT server [argument ...], with AWS_LAMBDA_RUNTIME_API");
    FILE *file = fopen(arguments[1], "rb");
    if (!file)
        fail("cannot read %s", arguments[1]);
    request_length = fread(request, 1, sizeof request, file);
    fclose(file);
    app_port = atoi(arguments[2]);
    app.fd = -1;
    start_server(arguments + 3);
    wait_until_ready();
    api.fd = try_to_connect(atoi(strchr(address, ':') + 1));
    if (api.fd < 0)
        fail("there is no Runtime API at %s", address);
    for (;;)
        serve_one();
}
