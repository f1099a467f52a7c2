#include "base64url.h"

#include <openssl/evp.h>

#include <string>
#include <string_view>

#include "tap_main.h"

namespace {

using std::string;
using std::string_view;

string decode(string_view text) {
  string bytes = "before:";
  if (!hls::base64url_decode(text, bytes)) {
    tap::equal("nothing is appended by what fails", bytes, "before:");
    return "<no>";
  }
  return bytes.substr(7);
}

// RFC 4648 section 10, and section 5's two own characters; without padding.
void check_vectors() {
  static constexpr struct { string_view bytes, text; } kVectors[] = {
      {"", ""}, {"f", "Zg"}, {"fo", "Zm8"}, {"foo", "Zm9v"}, {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"},
      {"foobar", "Zm9vYmFy"}, {"\xFB\xFF\xFE", "-__-"}, {"\xFF\xFF", "__8"}, {"\xFF", "_w"},
  };
  for (const auto &v : kVectors) {
    tap::equal("encode", hls::base64url_encode(v.bytes), v.text);
    tap::equal("decode", decode(v.text), v.bytes);
  }
}
void test_vectors(void **) { check_vectors(); TAP_FINISH(); }

/// OpenSSL's base64, in the URL-safe alphabet, unpadded.
string oracle(string_view bytes) {
  string text(bytes.size() / 3 * 4 + 5, '\0');
  auto from = reinterpret_cast<const unsigned char *>(bytes.data());
  auto to = reinterpret_cast<unsigned char *>(text.data());
  text.resize(static_cast<std::size_t>(EVP_EncodeBlock(to, from, static_cast<int>(bytes.size()))));
  while (!text.empty() && text.back() == '=') text.pop_back();
  for (char &c : text) c = c == '+' ? '-' : c == '/' ? '_' : c;
  return text;
}

void check_against_openssl() {
  string bytes;
  unsigned state = 1;
  for (std::size_t size = 0; size < 600; size++) {
    string text = hls::base64url_encode(bytes);
    tap::equal("encode", text, oracle(bytes));
    tap::check(hls::base64url_length(size) == text.size(), "length of " + std::to_string(size));
    tap::equal("decode", decode(text), bytes);

    string buffer(text.size() + 1, '!');
    char *end = hls::base64url_encode(buffer.data(), bytes);
    tap::check(end == buffer.data() + text.size() && *end == '!', "writes its length and no more");

    state = state * 1103515245 + 12345;
    bytes += static_cast<char>(state >> 16);
  }
}
void test_against_openssl(void **) { check_against_openssl(); TAP_FINISH(); }

// All texts of two and three characters: what decodes is exactly what encodes to the same text again, so one
// byte string has one text. 64 * 4 = 256 and 64 * 64 * 16 = 65536: as many texts as byte strings.
void check_canonical() {
  unsigned two = 0, three = 0;
  for (int a = 0; a < 256; a++) {
    for (int b = 0; b < 256; b++) {
      string text{static_cast<char>(a), static_cast<char>(b)}, bytes;
      if (!hls::base64url_decode(text, bytes)) continue;
      two++;
      if (hls::base64url_encode(bytes) != text) tap::check(false, "not canonical: " + text);
    }
  }
  static constexpr string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  for (char a : kAlphabet) {
    for (char b : kAlphabet) {
      for (int c = 0; c < 256; c++) {
        string text{a, b, static_cast<char>(c)}, bytes;
        if (!hls::base64url_decode(text, bytes)) continue;
        three++;
        if (hls::base64url_encode(bytes) != text) tap::check(false, "not canonical: " + text);
      }
    }
  }
  tap::equal("texts of one byte", static_cast<long long>(two), 256);
  tap::equal("texts of two bytes", static_cast<long long>(three), 65536);
}
void test_canonical(void **) { check_canonical(); TAP_FINISH(); }

void check_refused() {
  using namespace std::literals;
  static constexpr string_view kBad[] = {
      "A",    "AAAAA",                                    // no byte string is that long
      "Zg==", "Zm8=", "Zm9v====", "=",                    // padding
      "Zh",   "Zm9",                                      // unused bits set
      "+A",   "/A",   "AA+A", "AAA/", "A AA", "AAAA\n", "AA\nAA", "\xFF\xFF\xFF\xFF", "A\0AA"sv, "AAA\x80",
  };
  for (string_view text : kBad) tap::equal(tap::quoted(text), decode(text), "<no>");

  // Each position of a longer text, each foreign byte.
  const string good = hls::base64url_encode("eight bytes and more");
  for (std::size_t i = 0; i < good.size(); i++) {
    for (char c : {'+', '/', '=', '\0', ' ', '\x80', '\xFF', '.', '@', '[', '`', '{'}) {
      string text = good;
      text[i] = c;
      tap::equal(tap::quoted(text), decode(text), "<no>");
    }
  }
}
void test_refused(void **) { check_refused(); TAP_FINISH(); }

}  // namespace

TAP_MAIN(cmocka_unit_test(test_vectors), cmocka_unit_test(test_against_openssl),
         cmocka_unit_test(test_canonical), cmocka_unit_test(test_refused))
