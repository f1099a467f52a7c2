#include "link_mac.h"

#include <random>
#include <set>
#include <vector>

#include "link_oracle.h"

#include "tap_main.h"

using namespace std::string_literals;
using oracle::Parts;

namespace {

const std::string kSecret = "0123456789abcdef";

hls::LinkKey &key() {
  static hls::LinkKey k(kSecret);
  return k;
}

std::string mac(const Parts &p) {
  const std::string origin = (p.https ? "https://" : "http://") + p.authority;
  const std::string directory = origin + p.directory;
  const auto kind = p.media ? hls::LinkKind::media : hls::LinkKind::playlist;
  const SHA256_CTX state =
      hls::mac_shared(key(), {kind, p.exp, p.end, p.bind, p.stream, directory, origin.size()});

  std::string_view true_name, query;
  if (p.true_name) true_name = *p.true_name;
  if (p.query) query = *p.query;
  hls::Position at;
  if (p.at) at = {p.at->parent, p.at->sequence, p.at->part};
  char text[hls::kMacChars + 1] = {};
  text[hls::kMacChars] = '!';
  hls::mac_finish(key(), state,
                  {p.name, p.true_name ? &true_name : nullptr, p.query.has_value(), query,
                   p.at ? &at : nullptr, p.variables},
                  text);
  return text[hls::kMacChars] == '!' ? std::string(text, hls::kMacChars) : "wrote too much";
}

Parts usual() {
  Parts p;
  p.stream = "AQVhbmltZQ";
  p.name = "a.ts";
  p.authority = "up.example";
  p.directory = "/live/";
  p.exp = 1'000'043'200;
  return p;
}

void expect(const std::string &what, const Parts &p) { tap::equal(what, mac(p), oracle::mac(kSecret, p)); }

// Lengths around the ends of SHA-256's blocks, 64 bytes, and of the buffer that mac_finish() fills.
void check_lengths() {
  for (std::size_t n = 0; n <= 200; n++) {
    const std::string text(n, 'x'), what = " of " + std::to_string(n);
    Parts p = usual();
    p.bind = text, expect("bind" + what, p);
    p = usual(), p.stream = text, expect("stream" + what, p);
    p = usual(), p.directory = '/' + text, expect("directory" + what, p);
    p = usual(), p.name = text, expect("name" + what, p);
    p = usual(), p.query = text, expect("query" + what, p);
    p = usual(), p.true_name = text, expect("true name" + what, p);
    p = usual(), p.variables = text, expect("variables" + what, p);
  }
  for (std::size_t n : {203u, 204u, 223u, 224u, 225u, 235u, 236u, 255u, 256u, 257u, 6144u}) {
    Parts p = usual();
    p.name = std::string(n, 'n'), p.at = {1, 2, 3}, p.query = "q";
    expect("long name of " + std::to_string(n), p);
    p = usual(), p.query = std::string(n, 'q'), p.true_name = std::string(n, 't');
    p.variables = std::string(n, 'v'), p.bind = std::string(n, 'b');
    expect("all of " + std::to_string(n), p);
  }
}

void check_values() {
  const std::uint64_t numbers[] = {0, 1, 255, 256, 0x0102030405060708, UINT64_MAX};
  for (std::uint64_t n : numbers) {
    Parts p = usual();
    p.exp = n, expect("exp", p);
    p.end = ~n, expect("end", p);
    p.at = {0xABCDEF, n, -1}, expect("segment", p);
    p.at = {0, n, 0}, expect("first part", p);
    p.at = {1, n, INT32_MAX}, expect("last part", p);
  }
  for (bool media : {false, true}) {
    for (bool https : {false, true}) {
      Parts p = usual();
      p.media = media, p.https = https, expect("kind and scheme", p);
      p.query = "", expect("empty query", p);
      p.true_name = "", expect("empty true name", p);
      p.bind = "\0\xFF"s, p.name = "\0"s, p.query = "\0\0"s, expect("binary", p);
    }
  }
}

// Python 3, with text(b) = struct.pack(">I", len(b)) + b and key = HKDF as in test_link_keys.cpp:
//   shared = struct.pack(">BBQQ", 1, 1, 1000043200, 0) + text(b"") + text(b"AQ")
//   shared += text(b"https://up.example") + text(b"/live/")
//   shared += bytes(-len(shared) % 64)
//   own = struct.pack(">BHH", 0, 4, 0) + b"a.ts"
//   base64.urlsafe_b64encode(hmac(key, shared + own)[:16])
// and for the second one
//   shared = struct.pack(">BBQQ", 1, 0, 2**40, 2**33) + text(b"203.0.113.7") + text(b"AQVhbmltZQ")
//   shared += text(b"http://user:pw@[2001:db8::1]:8080") + text(b"/")
//   own = struct.pack(">BHH", 1 + 2 + 4 + 8, 10, 0) + bytes.fromhex("abcdef") + struct.pack(">Qi", 2**63, 7)
//   own += b"index.m3u8" + text(b"") + text(b"AQ")
void check_vectors() {
  Parts p = usual();
  p.stream = "AQ";
  tap::equal("few fields", mac(p), "BVAugftI2twS_wfBP4HMoA");
  p = Parts();
  p.media = p.https = false;
  p.exp = 1ull << 40, p.end = 1ull << 33, p.bind = "203.0.113.7", p.stream = "AQVhbmltZQ";
  p.authority = "user:pw@[2001:db8::1]:8080", p.directory = "/", p.name = "index.m3u8";
  p.query = "", p.true_name = "", p.at = {0xABCDEF, 1ull << 63, 7}, p.variables = "AQ";
  tap::equal("all fields", mac(p), "x9vzdyvBWChQah4RA-EnMA");
}

// What has the same bytes one after the other, in other fields, has another MAC.
void check_neighbours() {
  std::vector<Parts> all;
  auto add = [&](auto &&change) {
    Parts p = usual();
    change(p);
    all.push_back(p);
  };
  add([](Parts &) {});
  add([](Parts &p) { p.bind = "AQVhbmltZQ", p.stream = ""; });
  add([](Parts &p) { p.bind = "AQVhb", p.stream = "mltZQ"; });
  add([](Parts &p) { p.authority = "up.example/live", p.directory = "/"; });
  add([](Parts &p) { p.authority = "up.example/live/", p.directory = ""; });
  add([](Parts &p) { p.https = false; });
  add([](Parts &p) { p.media = false; });
  add([](Parts &p) { std::swap(p.exp, p.end); });
  add([](Parts &p) { p.directory = "/live/a", p.name = ".ts"; });
  add([](Parts &p) { p.directory = "/live/\0"s; });   // against the zeros of the padding
  add([](Parts &p) { p.directory = "/live/\0\0"s; });
  add([](Parts &p) { p.query = ""; });
  add([](Parts &p) { p.true_name = ""; });
  add([](Parts &p) { p.name = "a.t", p.query = "s"; });
  add([](Parts &p) { p.name = "a", p.query = ".ts"; });
  add([](Parts &p) { p.name = "a", p.true_name = ".ts"; });
  add([](Parts &p) { p.name = "a", p.variables = ".ts"; });
  add([](Parts &p) { p.query = "x", p.true_name = "y"; });
  add([](Parts &p) { p.query = "xy", p.true_name = ""; });
  add([](Parts &p) { p.query = "", p.true_name = "xy"; });
  add([](Parts &p) { p.true_name = "x", p.variables = "y"; });
  add([](Parts &p) { p.true_name = "xy"; });
  add([](Parts &p) { p.variables = "xy"; });
  add([](Parts &p) { p.query = "\0\0\0\2xy"s; });
  add([](Parts &p) { p.at = {0, 0, 0}; });
  add([](Parts &p) { p.at = {0, 0, -1}; });
  add([](Parts &p) { p.at = {0, 1, 0}; });
  add([](Parts &p) { p.at = {1, 0, 0}; });
  add([](Parts &p) { p.name = std::string(15, '\0') + "a.ts"; });   // as a position would stand there
  std::set<std::string> macs;
  for (const Parts &p : all) macs.insert(mac(p));
  tap::equal("distinct MACs", static_cast<long long>(macs.size()), static_cast<long long>(all.size()));
}

// Fields from a tiny alphabet, so that many meet: two sets of fields have one MAC only if they are equal.
void check_injective() {
  std::mt19937 random(2);
  auto text = [&] {
    std::string t(random() % 4, '\0');
    for (char &c : t) c = static_cast<char>(random() % 2);
    return t;
  };
  std::set<std::string> said, macs;
  for (int i = 0; i < 20'000; i++) {
    Parts p;
    p.media = random() % 2, p.exp = random() % 2, p.end = random() % 2;
    p.bind = text(), p.stream = text(), p.directory = text(), p.name = text(), p.variables = text();
    if (random() % 2) p.query = text();
    if (random() % 2) p.true_name = text();
    if (random() % 2) p.at = {static_cast<std::uint32_t>(random() % 2), random() % 2, 0};
    std::string all = std::to_string(p.media) + std::to_string(p.exp) + std::to_string(p.end);
    for (const std::string &field : {p.bind, p.stream, p.directory, p.name, p.variables,
                                     p.query.value_or("none"), p.true_name.value_or("none")}) {
      all += std::to_string(field.size()) + field;
    }
    all += p.at ? std::to_string(p.at->parent) + std::to_string(p.at->sequence) : "-";
    said.insert(all);
    macs.insert(mac(p));
  }
  tap::check(said.size() > 15'000, "many sets of fields");
  tap::equal("as many MACs", static_cast<long long>(macs.size()), static_cast<long long>(said.size()));
}

void test_lengths(void **) { check_lengths(); TAP_FINISH(); }
void test_values(void **) { check_values(); TAP_FINISH(); }
void test_vectors(void **) { check_vectors(); TAP_FINISH(); }
void test_neighbours(void **) { check_neighbours(); TAP_FINISH(); }
void test_injective(void **) { check_injective(); TAP_FINISH(); }

}  // namespace

TAP_MAIN(cmocka_unit_test(test_lengths), cmocka_unit_test(test_values), cmocka_unit_test(test_vectors),
         cmocka_unit_test(test_neighbours), cmocka_unit_test(test_injective))
