#include "host_patterns.h"

#include <initializer_list>

#include "tap_main.h"

using namespace std::string_view_literals;
using hls::HostPatterns;

namespace {

HostPatterns list(std::initializer_list<std::string_view> patterns) {
  HostPatterns hosts;
  for (std::string_view pattern : patterns) {
    std::string reason;
    bool added = hosts.add(pattern, reason);
    tap::check(added && reason.empty(), "add " + tap::quoted(pattern) + ": " + reason);
  }
  return hosts;
}

struct MatchCase {
  std::string_view pattern, host;
  unsigned port;
  bool wanted;
};

void check_matches() {
  const MatchCase cases[] = {
      {"cdn.example", "cdn.example", 443, true},
      {"cdn.example", "cdn.example", 8080, true},
      {"cdn.example", "cdn.example.", 443, true},
      {"cdn.example", "a.cdn.example", 443, false},
      {"cdn.example", "xcdn.example", 443, false},
      {"cdn.example", "cdn.example.evil", 443, false},
      {"cdn.example", "cdn.exampl", 443, false},
      {"cdn.example", "example", 443, false},
      {"cdn.example", "", 443, false},
      {"cdn.example", ".", 443, false},
      {"CDN.Example.", "cdn.example", 443, true},
      {"*.cdn.example", "a.cdn.example", 443, true},
      {"*.cdn.example", "a.cdn.example.", 443, true},
      {"*.cdn.example", "a.b.c.cdn.example", 443, true},
      {"*.cdn.example", "cdn.example", 443, false},
      {"*.cdn.example", ".cdn.example", 443, false},
      {"*.cdn.example", "evilcdn.example", 443, false},
      {"*.cdn.example", "a.cdn.example.evil", 443, false},
      {".cdn.example", "cdn.example", 443, true},
      {".cdn.example", "a.b.cdn.example", 443, true},
      {".cdn.example", "evilcdn.example", 443, false},
      {".cdn.example", "example", 443, false},
      {"cdn.example:8443", "cdn.example", 8443, true},
      {"cdn.example:8443", "cdn.example", 443, false},
      {"*.cdn.example:8443", "a.cdn.example", 8443, true},
      {"*.cdn.example:8443", "a.cdn.example", 443, false},
      {".cdn.example:1", "cdn.example", 1, true},
      {"cdn.example:65535", "cdn.example", 65535, true},
      {"localhost", "localhost", 80, true},
      {"my_host-1", "my_host-1", 80, true},
      {"xn--mnchen-3ya.example", "xn--mnchen-3ya.example", 80, true},
      {"10.0.0.1", "10.0.0.1", 80, true},
      {"10.0.0.1:80", "10.0.0.1", 81, false},
      {"10.0.0.1", "110.0.0.1", 80, false},
      {"10.0.0.1", "10.0.0.11", 80, false},
      {"[2001:db8::1]", "2001:db8::1", 80, true},
      {"[2001:db8::1]", "2001:db8:0:0:0:0:0:1", 80, true},
      {"[2001:DB8:0::0001]:81", "2001:db8::1", 81, true},
      {"[2001:db8::1]:81", "2001:db8::1", 80, false},
      {"[2001:db8::1]", "2001:db8::2", 80, false},
      {"[2001:db8::1]", "[2001:db8::1]", 80, false},   // brackets are not part of a host
      {"[::ffff:1.2.3.4]", "::ffff:102:304", 80, true},
      {"[::ffff:1.2.3.4]", "1.2.3.4", 80, false},
      {"1.2.3.4", "::ffff:1.2.3.4", 80, false},
      {"[::1]", "::1\0"sv, 80, false},
      {"[::1]", "::1%lo", 80, false},
      {"[::1]", ":", 80, false},
      // The 16 bytes of this address are the text "abcd.cdn.example": an address is no name.
      {".cdn.example", "6162:6364:2e63:646e:2e65:7861:6d70:6c65", 80, false},
  };
  for (const MatchCase &c : cases) {
    HostPatterns hosts = list({c.pattern});
    tap::equal(tap::quoted(c.pattern) + " and " + tap::quoted(c.host) + ":" + std::to_string(c.port),
               hosts.match(c.host, c.port), c.wanted);
  }
}

void check_lists() {
  HostPatterns hosts;
  tap::check(hosts.empty(), "empty at first");
  tap::check(hosts.match("any.example", 1) && hosts.match("", 0) && hosts.match("::1", 80),
             "empty: any host");

  hosts = list({"a.example:80", "*.b.example", "[::1]"});
  tap::check(!hosts.empty(), "not empty");
  tap::check(hosts.match("a.example", 80), "the first");
  tap::check(hosts.match("x.b.example", 9), "the second");
  tap::check(hosts.match("::1", 9), "the third");
  tap::check(!hosts.match("a.example", 81) && !hosts.match("b.example", 9), "none");

  // One that was refused leaves the list as it was, and so closed.
  std::string reason;
  tap::check(!hosts.add("*", reason) && !hosts.match("other.example", 80), "a bad pattern opens nothing");
}

void check_refusals() {
  std::string label63(63, 'a'), label64(64, 'a');
  std::string host253 = label63 + '.' + label63 + '.' + label63 + '.' + label63.substr(2);
  struct { std::string_view pattern, about; } cases[] = {
      {"", "no host name"},
      {".", "empty label"},
      {"*", "leave the list out"},
      {"*:443", "leave the list out"},
      {"*.", "no host name"},
      {"..cdn.example", "empty label"},
      {"*..cdn.example", "empty label"},
      {"cdn..example", "empty label"},
      {"cdn.example..", "empty label"},
      {"*.*.example", "'*'"},
      {"*cdn.example", "'*'"},
      {"cdn.*", "'*'"},
      {"c*n.example", "'*'"},
      {"https://cdn.example", "URL"},
      {"https://cdn.example/", "URL"},
      {"cdn.example/live", "URL"},
      {"cdn example", "character"},
      {"user@cdn.example", "character"},
      {"cdn.example\0"sv, "character"},
      {"b\xc3\xbc" "cher.example", "xn--"},
      {"cdn.example:", "port"},
      {"cdn.example:0", "port"},
      {"cdn.example:65536", "port"},
      {"cdn.example:100000", "port"},
      {"cdn.example:http", "port"},
      {"cdn.example:-1", "port"},
      {"cdn.example:80/x", "port"},
      {":80", "no host name"},
      {"::1", "brackets"},
      {"2001:db8::1", "brackets"},
      {"[::1", "']'"},
      {"[::1]80", "port"},
      {"[::1]:", "port"},
      {"[::1]:x", "port"},
      {"[]", "IPv6"},
      {"[::g]", "IPv6"},
      {"[fe80::1%eth0]", "IPv6"},
      {"[1.2.3.4]", "IPv6"},
      {"*.[::1]", "brackets"},
      {"*.1", "below"},
      {".0.0.1", "below"},
      {"*.10.0.0.1", "below"},
      {"1.2.3", "IPv4"},
      {"1.2.3.256", "IPv4"},
      {"1.2.3.4.5", "IPv4"},
      {"2130706433", "IPv4"},
      {label64, "63"},
  };
  for (const auto &c : cases) {
    HostPatterns hosts;
    std::string reason;
    bool added = hosts.add(c.pattern, reason);
    tap::check(!added && hosts.empty(), "refuses " + tap::quoted(c.pattern));
    tap::check(reason.find(c.about) != reason.npos,
               tap::quoted(c.pattern) + ": the reason names " + std::string(c.about) + ": " + reason);
    tap::check(reason.find(c.pattern) != reason.npos, tap::quoted(c.pattern) + ": the reason quotes it");
  }
  HostPatterns hosts;
  std::string reason;
  tap::check(hosts.add(host253, reason), "a name of 253 characters");
  tap::check(!hosts.add(host253 + "a", reason), "none of 254");
}

void test_matches(void **) { check_matches(); TAP_FINISH(); }
void test_lists(void **) { check_lists(); TAP_FINISH(); }
void test_refusals(void **) { check_refusals(); TAP_FINISH(); }

}  // namespace

TAP_MAIN(cmocka_unit_test(test_matches), cmocka_unit_test(test_lists), cmocka_unit_test(test_refusals))
