/* Six symbols that tensorflow-data-validation and ml-metadata 1.21 expect from glibc 2.38 and
 * libstdc++ 13. The object has no symbol versions of its own, so the dynamic linker accepts it for
 * references whose version was marked weak (infra/host/glibc_repair.py).
 *
 * __isoc23_strto*: C23 adds the 0b prefix in base 0 and 2; the two libraries parse decimal text
 * only, so the plain functions give the same result.
 * ios_base_library_init: a marker symbol; the initialisation it stands for happens in libstdc++'s
 * own static initialiser (gcc, libstdc++-v3/src/c++98/ios_init.cc).
 * __cxa_call_terminate: reached only when an exception leaves a noexcept function.
 */
#include <stdlib.h>

long __isoc23_strtol(const char *text, char **end, int base) { return strtol(text, end, base); }
unsigned long __isoc23_strtoul(const char *text, char **end, int base) { return strtoul(text, end, base); }
long long __isoc23_strtoll(const char *text, char **end, int base) { return strtoll(text, end, base); }
unsigned long long __isoc23_strtoull(const char *text, char **end, int base) { return strtoull(text, end, base); }
void _ZSt21ios_base_library_initv(void) {}
void __cxa_call_terminate(void *exception) { (void)exception; abort(); }
