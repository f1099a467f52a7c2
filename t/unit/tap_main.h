// What every unit test needs: cmocka with its prerequisites, TAP output, and checks that gather.
// Include it last: cmocka.h defines macros with short names.
//
// cmocka's asserts leave a test by longjmp, past destructors. So a test first computes, using tap::check
// and tap::equal, which only take notes, and ends with TAP_FINISH() while nothing with a destructor lives
// (a helper function's locals are gone by then):
//
//   void check_everything() { std::string s = ...; tap::equal("the case", s, "wanted"); }
//   void test_everything(void **) { check_everything(); TAP_FINISH(); }
//   TAP_MAIN(cmocka_unit_test(test_everything))

#ifndef HLS_TAP_MAIN_H
#define HLS_TAP_MAIN_H

#include <cstdio>
#include <string>
#include <string_view>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
extern "C" {
#include <cmocka.h>
}

namespace tap {

/// Failed and performed checks of the test that runs.
struct Tally {
  unsigned failed = 0;
  unsigned checks = 0;
};

inline Tally &tally() {
  static Tally t;
  return t;
}

/// Printable, on one line: what a TAP diagnostic may hold.
inline std::string quoted(std::string_view bytes) {
  std::string text = "\"";
  for (unsigned char c : bytes) {
    char hex[8];
    if (c == '\n') text += "\\n";
    else if (c == '\r') text += "\\r";
    else if (c == '\t') text += "\\t";
    else if (c == '"' || c == '\\') (text += '\\') += static_cast<char>(c);
    else if (c >= 0x20 && c < 0x7F) text += static_cast<char>(c);
    else std::snprintf(hex, sizeof hex, "\\x%02X", c), text += hex;
  }
  return text += '"';
}

inline bool check(bool ok, std::string_view what) {
  tally().checks++;
  if (!ok) {
    tally().failed++;
    std::fprintf(stderr, "# failed: %.*s\n", static_cast<int>(what.size()), what.data());
  }
  return ok;
}

inline bool equal(std::string_view what, std::string_view got, std::string_view wanted) {
  if (got == wanted) return check(true, what);
  return check(false, std::string(what) + ": got " + quoted(got) + ", wanted " + quoted(wanted));
}

inline bool equal(std::string_view what, long long got, long long wanted) {
  if (got == wanted) return check(true, what);
  return check(false, std::string(what) + ": got " + std::to_string(got) + ", wanted " +
                          std::to_string(wanted));
}

/// The notes since the last call; a test that checked nothing has failed, too.
inline Tally take() {
  Tally t = tally();
  tally() = Tally();
  return t;
}

}  // namespace tap

#define TAP_FINISH()                                                                       \
  do {                                                                                     \
    const tap::Tally tap_tally_ = tap::take();                                             \
    if (tap_tally_.checks == 0) fail_msg("no check was made");                             \
    if (tap_tally_.failed)                                                                 \
      fail_msg("%u of %u checks failed", tap_tally_.failed, tap_tally_.checks);            \
  } while (0)

#define TAP_MAIN(...)                                                                      \
  int main() {                                                                             \
    const struct CMUnitTest tap_tests_[] = {__VA_ARGS__};                                  \
    cmocka_set_message_output(CM_OUTPUT_TAP);                                              \
    return cmocka_run_group_tests(tap_tests_, nullptr, nullptr) ? 1 : 0;                   \
  }

#endif
