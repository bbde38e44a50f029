/* SPDX-License-Identifier: Apache-2.0
 * Proves that the real system's clocks move forward and tell the time, that its randomness is not
 * the same twice, and that die() ends the process at once, without what runs at exit. */
#include "os/os.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

static void clocks_tell_the_time(void **state)
{
    (void)state;
    const struct os *os = os_system();
    int64_t before = os_monotonic_us(os);
    for (int i = 0; i < 1000; i++) {
        int64_t now = os_monotonic_us(os);
        assert_true(now >= before);
        before = now;
    }
    int64_t off_s = os_wall_us(os) / 1000000 - (int64_t)time(NULL);
    assert_true(off_s >= -1 && off_s <= 1);
}

static void random_bytes_differ(void **state)
{
    (void)state;
    const struct os *os = os_system();
    unsigned char a[16] = {0}, b[16] = {0};
    os->random(os->user, a, sizeof a);
    os->random(os->user, b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
}

static void leave_with_99(void)
{
    _exit(99);
}

static void dying_runs_nothing_on_the_way(void **state)
{
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(STDERR_FILENO);
        atexit(leave_with_99);
        os_system()->die(NULL, "a test");
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clocks_tell_the_time),
        cmocka_unit_test(random_bytes_differ),
        cmocka_unit_test(dying_runs_nothing_on_the_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
