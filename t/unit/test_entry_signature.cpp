#include "entry_signature.h"

#include <algorithm>

#include "tap_main.h"

using namespace std::string_literals;
using hls::Arguments;
using hls::check_entry;
using hls::entry_signature;
using hls::entry_until;
using hls::EntryState;
using hls::parse_arguments;

namespace {

const std::string kSecret = "0123456789abcdef";

struct Vector {
  const char *what;
  Arguments args;
  std::string secret, signature;
};

// Python 3, args as a list of pairs, secret as bytes:
//   hmac.new(secret, urllib.parse.urlencode(sorted(args)).encode(), hashlib.sha256).hexdigest()
const Vector kVectors[] = {
    {"plain",
     {{"site", "aniworld.to"}, {"slug", "show"}, {"s", "1"}, {"e", "2"}, {"lang", "de"}},
     kSecret,
     "af75b43c771f5742fe14835e5a9ae0b7db007153c0a7ef66ca90c26610abc273"},
    {"unicode and spaces",
     {{"slug", "Märchen für Anfänger"}, {"lang", "日本語"}, {"x", "😀"}},
     kSecret,
     "ca48663f2d0992e50abd22d5aa93cf431a193879780d527dffe8e0f48136212a"},
    {"plus, tilde, reserved characters",
     {{"q", "a b+c~d"}, {"p", "!*'();:@&=+$,/?#[]-_.~%"}},
     kSecret,
     "05b32a3520a4c2625759871664e95cb9f181c8f8ea69a5f083bf630e5ea71e5f"},
    {"empty values and names",
     {{"a", ""}, {"", "b"}, {"c", ""}},
     kSecret,
     "f8458b3da9c5923e64d574b43f3d3ab97ca9f78cf2a06ca9530caad0cab8076d"},
    {"no arguments", {}, kSecret, "496dc93fa2d26eae500ec0bc37a122706b88f8963cebf0899d0245fae313e241"},
    {"duplicate names",
     {{"s", "2"}, {"s", "10"}, {"s", "1"}, {"a", "z"}},
     kSecret,
     "2f362a8a198e40e8267060932a936b70e1bd1e61907f06857fa3689cbc04253b"},
    {"order by code point",
     {{"b", "1"}, {"a", "1"}, {"B", "1"}, {"a-", "1"}, {"aa", "1"}, {"é", "1"}, {"～", "1"}, {"😀", "1"}},
     kSecret,
     "310f6a35ca44e1af91a7c6ec97bcb8b4ded6c2481748f60765bbbedd5ae852d4"},
    {"control characters",
     {{"n", "a\0b\r\n\x7f"s}},
     kSecret,
     "b30b6b3cba5ea901fa1ed89dd2c3daa1987d5b4d9cc2f875f0cd08105b4710d4"},
    {"bytes that are not UTF-8",   // b"\xff\xfe"
     {{"n", "\xff\xfe"}},
     kSecret,
     "dae4e4eaf5ad5199701df6c8eb542fcdf64e8d037a46a42ff68fa888577543fb"},
    {"secret longer than a block",   // b"k" * 100
     {{"a", "1"}},
     std::string(100, 'k'),
     "e68009d1af04c4d9a72f5ae31b4b0d6d3e621fe46e09138e384cd4e1b36e5272"},
    {"binary secret",   // bytes(range(240, 256)) + b"\0"
     {{"a", "1"}},
     "\xf0\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8\xf9\xfa\xfb\xfc\xfd\xfe\xff\0"s,
     "579d91d99d72611c5c21cfc1289c725d319e50e683db351b51329496ee4d371a"},
};

Arguments with(Arguments args, const std::string &name, const std::string &value) {
  args.emplace_back(name, value);
  return args;
}

void expect(const std::string &what, const Arguments &args, const std::vector<std::string> &secrets,
            EntryState wanted, std::uint64_t now = 1000) {
  std::uint64_t until = 77;
  EntryState state = check_entry(args, secrets, now, until);
  tap::equal(what, static_cast<long long>(state), static_cast<long long>(wanted));
  bool verified = state == EntryState::ok || state == EntryState::expired;
  tap::check(verified || until == 0, what + ": until is not taken from what did not verify");
}

void check_vectors() {
  for (const Vector &v : kVectors) {
    tap::equal(v.what, entry_signature(v.args, v.secret), v.signature);
    expect(v.what + " with sig"s, with(v.args, "sig", v.signature), {v.secret}, EntryState::ok);
    expect(v.what + " with token"s, with(v.args, "token", v.signature), {v.secret}, EntryState::ok);

    Arguments reversed = with(v.args, "sig", v.signature);
    std::reverse(reversed.begin(), reversed.end());
    expect(v.what + " reversed"s, reversed, {v.secret}, EntryState::ok);
    // What is signed is not the signature itself.
    tap::equal(v.what + ", signed again"s, entry_signature(reversed, v.secret), v.signature);
  }
}

void check_changes() {
  const Vector &v = kVectors[0];
  Arguments other = v.args;
  other[3].second = "3";
  expect("another value", with(other, "sig", v.signature), {kSecret}, EntryState::bad_signature);
  expect("an argument more", with(with(v.args, "x", ""), "sig", v.signature), {kSecret},
         EntryState::bad_signature);
  expect("until added", with(with(v.args, "until", "9999999999"), "sig", v.signature), {kSecret},
         EntryState::bad_signature);
  Arguments fewer(v.args.begin() + 1, v.args.end());
  expect("an argument less", with(fewer, "sig", v.signature), {kSecret}, EntryState::bad_signature);
  // "a=1&b=2" as one value is not the same as two arguments.
  Arguments joined = {{"a", "1&b=2"}}, two = {{"a", "1"}, {"b", "2"}};
  expect("separators in a value", with(joined, "sig", entry_signature(two, kSecret)), {kSecret},
         EntryState::bad_signature);
  for (std::size_t i = 0; i < v.signature.size(); i++) {
    std::string changed = v.signature;
    changed[i] = changed[i] == '0' ? '1' : '0';
    expect("digit " + std::to_string(i), with(v.args, "sig", changed), {kSecret}, EntryState::bad_signature);
  }
}

void check_secrets() {
  const Vector &v = kVectors[0];
  Arguments args = with(v.args, "sig", v.signature);
  const std::string a(16, 'a'), b(16, 'b');
  expect("first of three", args, {kSecret, a, b}, EntryState::ok);
  expect("second of three", args, {a, kSecret, b}, EntryState::ok);
  expect("last of three", args, {a, b, kSecret}, EntryState::ok);
  expect("none of two", args, {a, b}, EntryState::bad_signature);
  expect("no secret", args, {}, EntryState::bad_signature);
  expect("a secret's beginning", args, {kSecret.substr(0, 15)}, EntryState::bad_signature);
}

void check_signature_forms() {
  const Vector &v = kVectors[0];
  std::string upper = v.signature, mixed = v.signature;
  for (std::size_t i = 0; i < upper.size(); i++) {
    upper[i] = static_cast<char>(std::toupper(upper[i]));
    if (i % 2) mixed[i] = upper[i];
  }
  expect("upper case", with(v.args, "sig", upper), {kSecret}, EntryState::ok);
  expect("mixed case", with(v.args, "token", mixed), {kSecret}, EntryState::ok);

  expect("no signature", v.args, {kSecret}, EntryState::missing);
  expect("none at all", {}, {kSecret}, EntryState::missing);
  expect("the names are in lower case", with(v.args, "Sig", v.signature), {kSecret}, EntryState::missing);

  expect("sig and token", with(with(v.args, "sig", v.signature), "token", v.signature), {kSecret},
         EntryState::malformed);
  expect("sig twice", with(with(v.args, "sig", v.signature), "sig", v.signature), {kSecret},
         EntryState::malformed);
  expect("token and an empty sig", with(with(v.args, "token", v.signature), "sig", ""), {kSecret},
         EntryState::malformed);
  const std::string &s = v.signature;
  for (const std::string &bad :
       {""s, s.substr(1), s + "0", s + s, "0x" + s, " " + s.substr(1), s.substr(1) + "g", s.substr(1) + "\0"s,
        std::string(64, '-'), std::string(100000, 'a')}) {
    expect("sig=" + bad.substr(0, 70), with(v.args, "sig", bad), {kSecret}, EntryState::malformed);
  }
}

void check_until() {
  // The Python line above for [("slug", "show"), ("until", "1700000000")].
  const std::string signature = "6a2844936bff10a9c0d322caf60a8427344a8e5475e7c751857ab2a1c9b66152";
  Arguments args = {{"until", "1700000000"}, {"sig", signature}, {"slug", "show"}};
  expect("long before", args, {kSecret}, EntryState::ok, 0);
  expect("just before", args, {kSecret}, EntryState::ok, 1699999999);
  expect("then", args, {kSecret}, EntryState::expired, 1700000000);
  expect("after", args, {kSecret}, EntryState::expired, 1700000001);
  expect("after, with another secret", args, {std::string(16, 'a')}, EntryState::bad_signature, 1700000001);

  std::uint64_t until = 0;
  check_entry(args, {kSecret}, 5, until);
  tap::equal("until of an entry", static_cast<long long>(until), 1700000000);
  Arguments without = with(kVectors[0].args, "sig", kVectors[0].signature);
  check_entry(without, {kSecret}, 5, until);
  tap::equal("until of an entry without", static_cast<long long>(until), 0);

  Arguments bad = {{"until", "tomorrow"}};
  expect("a bad until that is signed", with(bad, "sig", entry_signature(bad, kSecret)), {kSecret},
         EntryState::malformed);
  expect("a bad until that is not", with(bad, "sig", signature), {kSecret}, EntryState::bad_signature);
}

void check_until_forms() {
  struct { std::string text; bool good; long long wanted; } cases[] = {
      {"1", true, 1},
      {"1700000000", true, 1700000000},
      {"9999999999999999", true, 9999999999999999},
      {"10000000000000000", false, 0},
      {"18446744073709551617", false, 0},   // 2^64 + 1
      {"", false, 0},
      {"0", false, 0},
      {"01", false, 0},
      {"-1", false, 0},
      {"+1", false, 0},
      {" 1", false, 0},
      {"1 ", false, 0},
      {"1.5", false, 0},
      {"1e9", false, 0},
      {"0x10", false, 0},
      {"1\0"s, false, 0},
      {"١", false, 0},
  };
  for (const auto &c : cases) {
    std::uint64_t until = 77;
    bool good = entry_until({{"a", "5"}, {"until", c.text}, {"Until", "x"}}, until);
    tap::equal("until=" + c.text, good, c.good);
    tap::equal("until=" + c.text + ": the number", static_cast<long long>(until), c.wanted);
  }
  std::uint64_t until = 77;
  tap::check(entry_until({{"a", "5"}}, until) && until == 0, "no until");
  tap::check(!entry_until({{"until", "5"}, {"until", "5"}}, until) && until == 0, "until twice");
  tap::check(!entry_until({{"until", "5"}, {"until", ""}}, until), "until and an empty one");
}

std::string in_words(const Arguments &args) {
  std::string text;
  for (const auto &[name, value] : args) text += "[" + name + "|" + value + "]";
  return text;
}

void check_parse_arguments() {
  struct { const char *query, *wanted; } cases[] = {
      {"", ""},
      {"&&", ""},
      {"a=1&b=2", "[a|1][b|2]"},
      {"b=2&a=1&a=0", "[b|2][a|1][a|0]"},
      {"a&b=&=c&=", "[a|][b|][|c][|]"},
      {"a=b=c", "[a|b=c]"},
      {"q=a+b%20c%2Bd", "[q|a b c+d]"},
      {"a%3Db=%26", "[a=b|&]"},
      {"%73ig=1", "[sig|1]"},
      {"m=M%C3%A4rchen%ff", "[m|Märchen\xff]"},
      {"p=100%&q=%zz", "[p|100%][q|%zz]"},
      {"a;b=1", "[a;b|1]"},
  };
  for (const auto &c : cases) tap::equal(c.query, in_words(parse_arguments(c.query)), c.wanted);

  // As Python's urlencode() writes it, and as another client might.
  for (const char *query : {"lang=%E6%97%A5%E6%9C%AC%E8%AA%9E&slug=M%C3%A4rchen+f%C3%BCr+Anf%C3%A4nger"
                            "&x=%F0%9F%98%80&sig=",
                            "x=%f0%9f%98%80&slug=M%c3%a4rchen%20f%c3%bcr%20Anf%C3%A4nger"
                            "&l%61ng=日本語&token="}) {
    expect(query, parse_arguments(query + kVectors[1].signature), {kSecret}, EntryState::ok);
  }
}

void test_vectors(void **) { check_vectors(); TAP_FINISH(); }
void test_changes(void **) { check_changes(); TAP_FINISH(); }
void test_secrets(void **) { check_secrets(); TAP_FINISH(); }
void test_signature_forms(void **) { check_signature_forms(); TAP_FINISH(); }
void test_until(void **) { check_until(); TAP_FINISH(); }
void test_until_forms(void **) { check_until_forms(); TAP_FINISH(); }
void test_parse_arguments(void **) { check_parse_arguments(); TAP_FINISH(); }

}  // namespace

TAP_MAIN(cmocka_unit_test(test_vectors), cmocka_unit_test(test_changes), cmocka_unit_test(test_secrets),
         cmocka_unit_test(test_signature_forms), cmocka_unit_test(test_until),
         cmocka_unit_test(test_until_forms), cmocka_unit_test(test_parse_arguments))
