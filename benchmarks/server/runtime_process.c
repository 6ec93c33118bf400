/* The runtime under measurement, as a process: started, watched, ended. */
#define _GNU_SOURCE
#include "run.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sched.h>
#include <sys/prctl.h>
#endif

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

void start_runtime(struct run *run, char **command)
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

/* The process must not have been reaped yet: until then nobody else can get its id. */
bool end_runtime(struct run *run, int *status)
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

void notice_runtime_end(struct run *run)
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

double runtime_cpu_us(const struct run *run)
{
#ifdef __linux__
    clockid_t clock;
    struct timespec t;
    if (clock_getcpuclockid(run->runtime, &clock) == 0 && clock_gettime(clock, &t) == 0)
        return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
#else
    (void)run;
#endif
    return -1;
}
