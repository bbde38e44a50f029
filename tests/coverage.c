/* SPDX-License-Identifier: Apache-2.0
 * In builds that count branches: what a process has counted is written also when it ends by
 * _exit(), as the engine's own end is (INV-15), and that of forked lives. */
void __gcov_dump(void);
_Noreturn void __real__exit(int status);
_Noreturn void __wrap__exit(int status);

_Noreturn void __wrap__exit(int status)
{
    __gcov_dump();
    __real__exit(status);
}
