// A resolver's answer in shared memory.

#include <string>

#include "generation.h"

#include "tap_main.h"

namespace {

using hls::Generation;

Generation sample() {
  Generation g;
  g.number = 300;
  g.resolved = 1800000000;
  hls::parse_url("https://u:p@a.example:8443/d/x.m3u8?t=1", g.answer.url);
  g.answer.expires = 1800000600;
  g.answer.provider = "p";
  g.answer.headers = {{"Referer", "https://b/"}, {"X", ""}};
  return g;
}

void check_serialise() {
  const std::string bytes = sample().serialise();
  Generation read;
  tap::check(Generation::deserialise(bytes, read), "reads what it wrote");
  tap::equal("number", static_cast<long long>(read.number), 300);
  tap::equal("resolved", static_cast<long long>(read.resolved), 1800000000);
  tap::equal("url", read.answer.url.text(), "https://u:p@a.example:8443/d/x.m3u8?t=1");
  tap::equal("provider", read.answer.provider, "p");
  tap::check(read.answer.headers == sample().answer.headers, "headers");
  tap::equal("the same again", read.serialise(), bytes);

  Generation kept;
  kept.number = 7;
  for (std::size_t size = 0; size < bytes.size(); size++) {
    if (Generation::deserialise(bytes.substr(0, size), kept)) tap::check(false,
                                                                         "cut at " + std::to_string(size));
  }
  tap::check(!Generation::deserialise(bytes + '\0', kept), "bytes behind");
  tap::equal("nothing set", static_cast<long long>(kept.number), 7);
  // Every byte that is changed is seen, or is the content itself: what is read is written back alike.
  for (std::size_t i = 0; i < bytes.size(); i++) {
    for (int bit = 0; bit < 8; bit++) {
      std::string other = bytes;
      other[i] = static_cast<char>(other[i] ^ 1 << bit);
      Generation g;
      if (Generation::deserialise(other, g) && g.serialise() != other) {
        tap::check(false, "byte " + std::to_string(i));
      }
    }
  }
}

void check_times() {
  Generation g = sample();
  tap::check(g.is_fresh(1800000000, 300) && g.is_fresh(1800000299, 300), "within ttl");
  tap::check(!g.is_fresh(1800000300, 300), "after ttl");
  tap::check(g.is_fresh(1799999999, 300), "a clock that went back");
  tap::check(g.is_fresh(1800000599, 3600) && !g.is_fresh(1800000600, 3600), "its own expiry");
  tap::check(!g.is_due(1800000539, 60) && g.is_due(1800000540, 60) && g.is_due(1800000700, 60), "due");
  tap::check(!g.is_due(1800000700, 0), "not wanted");
  g.answer.expires = 0;
  tap::check(!g.is_due(1800000700, 60) && g.is_fresh(1800000599, 3600), "nobody says when");
}

void test_serialise(void **) {
  check_serialise();
  TAP_FINISH();
}

void test_times(void **) {
  check_times();
  TAP_FINISH();
}

}  // namespace

TAP_MAIN(cmocka_unit_test(test_serialise), cmocka_unit_test(test_times))
