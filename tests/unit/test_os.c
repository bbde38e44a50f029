/* SPDX-License-Identifier: Apache-2.0
 * Proves that the real system's clocks move forward and tell the time, that its randomness is not
 * the same twice, that die() ends the process at once, without what runs at exit, and that zone
 * files come whole, from the folder that is asked for, or not at all. */
#include "os/os.h"

#include "unit/temp.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

/* ---- Zone files, in a folder of our own ------------------------------------------------------ */

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    char path[128];
    int rc = temp_make(folder, sizeof folder);
    snprintf(path, sizeof path, "%s/Ten", folder);
    FILE *file = fopen(path, "w");
    if (rc || !file || fputs("0123456789", file) < 0 || fclose(file))
        return -1;
    return setenv("TZDIR", folder, 1);
}

static int remove_folder(void **state)
{
    (void)state;
    unsetenv("TZDIR");
    return temp_remove(folder);
}

static int read_ten(const char *name, size_t max, char *ret_bytes, size_t *ret_len)
{
    return os_read_zone(os_system(), name, ret_bytes, max, ret_len);
}

static void a_zone_file_is_read_whole_from_tzdir(void **state)
{
    (void)state;
    char bytes[16];
    size_t len = 99;
    assert_int_equal(read_ten("Ten", sizeof bytes, bytes, &len), 0);
    assert_int_equal(len, 10);
    assert_memory_equal(bytes, "0123456789", 10);
    assert_int_equal(read_ten("Ten", 10, bytes, &len), 0);
    assert_int_equal(len, 10);
}

static void a_zone_file_that_has_no_room_is_not_cut(void **state)
{
    (void)state;
    char bytes[16];
    size_t len = 99;
    assert_int_equal(read_ten("Ten", 9, bytes, &len), METE_E_TOO_LARGE);
    assert_int_equal(len, 99);
}

static void what_is_no_file_is_not_found(void **state)
{
    (void)state;
    char bytes[16], path[128];
    size_t len = 99;
    assert_int_equal(read_ten("Eleven", sizeof bytes, bytes, &len), METE_E_NOT_FOUND);
    assert_int_equal(read_ten("Ten/Eleven", sizeof bytes, bytes, &len), METE_E_NOT_FOUND);
    assert_int_equal(read_ten(".", sizeof bytes, bytes, &len), METE_E_NOT_FOUND);
    snprintf(path, sizeof path, "%s/Pipe", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(read_ten("Pipe", sizeof bytes, bytes, &len), METE_E_NOT_FOUND);
    assert_int_equal(len, 99);
}

static void a_folder_that_cannot_be_named_is_an_error_of_storage(void **state)
{
    (void)state;
    static char far[PATH_MAX + 1];
    char bytes[16];
    size_t len;
    memset(far, 'x', sizeof far - 1);
    setenv("TZDIR", far, 1);
    assert_int_equal(read_ten("Ten", sizeof bytes, bytes, &len), METE_E_STORAGE);
    setenv("TZDIR", folder, 1);
}

static void without_tzdir_the_systems_zones_are_read(void **state)
{
    (void)state;
    static char bytes[65536];
    size_t len = 0;
    setenv("TZDIR", "", 1);
    assert_int_equal(read_ten("Europe/Berlin", sizeof bytes, bytes, &len), 0);
    assert_memory_equal(bytes, "TZif", 4);
    unsetenv("TZDIR");
    assert_int_equal(read_ten("Europe/Berlin", sizeof bytes, bytes, &len), 0);
    setenv("TZDIR", folder, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clocks_tell_the_time),
        cmocka_unit_test(random_bytes_differ),
        cmocka_unit_test(dying_runs_nothing_on_the_way),
        cmocka_unit_test(a_zone_file_is_read_whole_from_tzdir),
        cmocka_unit_test(a_zone_file_that_has_no_room_is_not_cut),
        cmocka_unit_test(what_is_no_file_is_not_found),
        cmocka_unit_test(a_folder_that_cannot_be_named_is_an_error_of_storage),
        cmocka_unit_test(without_tzdir_the_systems_zones_are_read),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
