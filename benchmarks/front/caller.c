/*
 * A caller under which fronts are compared: one connection, one request after the other.
 *
 *     caller PORT REQUEST WARMUP CALLS BYTES
 *
 * It sends the bytes of the file REQUEST, reads the whole answer, and does so WARMUP times
 * unmeasured and CALLS times measured. Every answer must be a 200 with at least BYTES bytes
 * of body. Two moments are noted for each call:
 *
 *     request sent ........ first body byte ........ end of the answer
 *        |<--- first byte --->|                           |
 *        |<------------------- total -------------------->|
 *
 * One line of JSON goes to standard output. Exit code: 0 measured, 1 not (standard error
 * says why), 2 wrong usage.
 *
 * Build: cc -O2 -Wall -Wextra -I../server -o caller caller.c ../server/http.c
 */
#define _GNU_SOURCE
#include "http.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { READ_SIZE = 262144, REQUEST_LIMIT = 65536, PATIENCE_SECONDS = 30 };

__attribute__((noreturn, format(printf, 1, 2))) static void give_up(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int connect_to(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct timeval patience = {PATIENCE_SECONDS, 0};
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address))
        give_up("nobody listens on port %d", port);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return fd;
}

struct answer {
    double first_byte_us, total_us;
    long long bytes;
};

static struct answer call(int fd, const char *request, size_t request_length)
{
    static char buffer[READ_SIZE];
    static struct http_reader reader;
    struct answer answer = {0, 0, 0};
    double began = now_us();
    if (send(fd, request, request_length, MSG_NOSIGNAL) != (ssize_t)request_length)
        give_up("the request could not be sent");
    for (;;) {
        ssize_t got = recv(fd, buffer, sizeof buffer, 0);
        double at = now_us();
        if (got <= 0)
            give_up("the answer was cut after %lld bytes, or did not come", answer.bytes);
        const char *bytes = buffer;
        size_t length = (size_t)got;
        enum http_event event;
        while ((event = http_next(&reader, &bytes, &length)) != HTTP_NEEDS_MORE) {
            if (event == HTTP_BROKEN)
                give_up("%s: %s", reader.complaint, reader.line);
            if (event == HTTP_REQUEST_LINE && strncmp(reader.line, "HTTP/1.1 200", 12))
                give_up("the answer was %s", reader.line);
            if (event == HTTP_BODY && reader.data_length > 0) {
                if (answer.bytes == 0)
                    answer.first_byte_us = at - began;
                answer.bytes += (long long)reader.data_length;
            }
            if (event == HTTP_ENDED) {
                answer.total_us = at - began;
                return answer;
            }
        }
    }
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double at_share(double *sorted, long count, double share)
{
    return sorted[(long)((double)(count - 1) * share + 0.5)];
}

int main(int count, char **arguments)
{
    if (count != 6) {
        fprintf(stderr, "usage: caller PORT REQUEST WARMUP CALLS BYTES\n");
        return 2;
    }
    static char request[REQUEST_LIMIT];
    long warmup = atol(arguments[3]), calls = atol(arguments[4]);
    long long expected = atoll(arguments[5]), bytes = 0;
    FILE *file = fopen(arguments[2], "rb");
    if (!file || calls < 1)
        give_up("cannot read %s, or nothing to do", arguments[2]);
    size_t request_length = fread(request, 1, sizeof request, file);
    double *first = calloc((size_t)calls, sizeof *first);
    double *total = calloc((size_t)calls, sizeof *total), began = 0;
    if (!first || !total)
        give_up("out of memory");
    int fd = connect_to(atoi(arguments[1]));
    for (long i = -warmup; i < calls; i++) {
        if (i == 0)
            began = now_us();
        struct answer answer = call(fd, request, request_length);
        if (answer.bytes < expected)
            give_up("an answer had %lld bytes, not %lld", answer.bytes, expected);
        if (i >= 0) {
            first[i] = answer.first_byte_us;
            total[i] = answer.total_us;
            bytes += answer.bytes;
        }
    }
    double seconds = (now_us() - began) / 1e6;
    qsort(first, (size_t)calls, sizeof *first, compare);
    qsort(total, (size_t)calls, sizeof *total, compare);
    printf("{\"calls\": %ld, \"seconds\": %.6f, \"bytes\": %lld, \"first_byte_us\": %.1f, "
           "\"first_byte_p99_us\": %.1f, \"total_us\": %.1f}\n",
           calls, seconds, bytes, at_share(first, calls, 0.5), at_share(first, calls, 0.99),
           at_share(total, calls, 0.5));
    return 0;
}
