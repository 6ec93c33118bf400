/* The one line of JSON. */
#include "run.h"

#include <stdio.h>
#include <stdlib.h>

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
    printf(",\"%s\":{\"median\":%.2f,\"p99\":%.2f,\"max\":%.2f}", name, values[count / 2],
           values[count * 99 / 100], values[count - 1]);
    free(values);
}

static void print_cpu_time(const struct run *run)
{
    double used = (run->cpu_after_us - run->cpu_before_us) / (double)run->options.invocations;
    if (run->cpu_before_us < 0 || run->cpu_after_us < 0)
        printf(",\"cpu_us\":null");
    else
        printf(",\"cpu_us\":%.2f", used);
}

static long peak_memory_kib(const struct run *run)
{
#ifdef __APPLE__
    return run->usage.ru_maxrss / 1024;
#else
    return run->usage.ru_maxrss;
#endif
}

static void print_invocations(const struct run *run)
{
    const struct invocation *first = &run->invocations[run->options.warmup];
    const struct invocation *last = &run->invocations[run->total - 1];
    long long bytes = 0;
    for (long i = run->options.warmup; i < run->total; i++)
        bytes += run->invocations[i].bytes;
    printf(",\"start_to_first_byte_ms\":%.3f",
           (run->invocations[0].first_byte_at - run->started_at) / 1e3);
    printf(",\"invocations\":%ld,\"bytes\":%lld,\"seconds\":%.6f", run->options.invocations, bytes,
           (last->next_at - first->answered_at) / 1e6);
    print_cpu_time(run);
    print_spread(run, "first_byte_us", first_byte_us);
    print_spread(run, "body_us", body_us);
    print_spread(run, "cycle_us", cycle_us);
}

void print_result(const struct run *run)
{
    if (run->error[0]) {
        printf("{\"ok\":false,\"error\":\"%s\",\"invocations_given\":%ld}\n", run->error,
               run->given);
        return;
    }
    printf("{\"ok\":true,\"start_to_next_ms\":%.3f,\"peak_memory_kib\":%ld",
           (run->first_next_at - run->started_at) / 1e3, peak_memory_kib(run));
    if (run->options.invocations > 0)
        print_invocations(run);
    printf("}\n");
}
