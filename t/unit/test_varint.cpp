#include "varint.h"

#include <vector>

#include "tap_main.h"

using namespace std::string_literals;
using hls::put_text;
using hls::put_varint;
using hls::take_text;
using hls::take_varint;

namespace {

std::string varint(std::uint32_t n) {
  std::string text;
  put_varint(text, n);
  return text;
}

struct Number {
  std::uint32_t n;
  std::string bytes;
};

// By hand: seven bits a byte, the low ones first, the top bit on all but the last.
const Number kNumbers[] = {
    {0, "\x00"s},         {1, "\x01"},          {127, "\x7F"},        {128, "\x80\x01"},
    {129, "\x81\x01"},    {300, "\xAC\x02"},    {16383, "\xFF\x7F"},  {16384, "\x80\x80\x01"},
    {(1u << 21) - 1, "\xFF\xFF\x7F"},           {1u << 21, "\x80\x80\x80\x01"},
    {(1u << 28) - 1, "\xFF\xFF\xFF\x7F"},
};

void check_numbers() {
  for (const Number &c : kNumbers) {
    const std::string what = std::to_string(c.n);
    tap::equal("put " + what, varint(c.n), c.bytes);
    const std::string followed = c.bytes + "\x80rest";
    std::string_view from = followed;
    std::uint32_t n = 77;
    tap::check(take_varint(from, n) && n == c.n, "take " + what);
    tap::equal("what follows " + what, from, "\x80rest");
  }
}

void check_refused_numbers() {
  const std::string refused[] = {
      "", "\x80", "\xFF\xFF", "\x80\x80\x80",                // cut off
      "\x80\x00"s, "\xFF\x00"s, "\x81\x80\x00"s,             // padded: 0, 127 and 1 with one byte too many
      "\x80\x80\x80\x80", "\x80\x80\x80\x80\x01", "\xFF\xFF\xFF\xFF\x0F",   // 28 bits are all there is
  };
  for (const std::string &bytes : refused) {
    std::string_view from = bytes;
    std::uint32_t n;
    tap::check(!take_varint(from, n), "refused: " + tap::quoted(bytes));
  }
}

// All strings of up to two bytes, and a third: what is taken is what would have been put.
void check_one_form() {
  unsigned wrong = 0, taken = 0;
  for (unsigned bits = 0; bits < 1u << 16; bits++) {
    for (const char third : {'\x00', '\x01', '\x7F'}) {
      const std::string bytes = {static_cast<char>(bits), static_cast<char>(bits >> 8), third};
      std::string_view from = bytes;
      std::uint32_t n;
      if (!take_varint(from, n)) continue;
      taken++;
      wrong += varint(n) != bytes.substr(0, bytes.size() - from.size());
    }
  }
  tap::equal("numbers in another form than put_varint()'s", wrong, 0);
  // One byte: 128 * 256 * 3. Two: 128 * 127 * 3, no padding. Three: 128 * 128 * 2, the third is not 0.
  tap::equal("numbers that were taken", taken, 128 * 256 * 3 + 128 * 127 * 3 + 128 * 128 * 2);
}

void check_texts() {
  std::string record;
  const std::vector<std::string> texts = {"", "a", "a\0b"s, std::string(127, 'x'), std::string(128, 'y'),
                                          std::string(20000, 'z')};
  for (const std::string &text : texts) put_text(record, text);
  tap::equal("the first bytes", record.substr(0, 7), "\x00\x01""a\x03""a\0b"s);

  std::string_view from = record, text;
  for (const std::string &wanted : texts) {
    tap::check(take_text(from, text) && text == wanted,
               "text of " + std::to_string(wanted.size()) + " bytes");
  }
  tap::check(from.empty() && !take_text(from, text), "nothing is left");

  for (const std::string &bytes : {"\x02""a"s, "\x80\x01"s + std::string(127, 'x'), "\x80\x00"s, "\x80"s,
                                   "\xFF\xFF\xFF\x7F""abc"s}) {
    from = bytes;
    tap::check(!take_text(from, text), "refused: " + tap::quoted(bytes.substr(0, 8)));
  }
}

void test_numbers(void **) { check_numbers(); TAP_FINISH(); }
void test_refused_numbers(void **) { check_refused_numbers(); TAP_FINISH(); }
void test_one_form(void **) { check_one_form(); TAP_FINISH(); }
void test_texts(void **) { check_texts(); TAP_FINISH(); }

}  // namespace

TAP_MAIN(cmocka_unit_test(test_numbers), cmocka_unit_test(test_refused_numbers),
         cmocka_unit_test(test_one_form), cmocka_unit_test(test_texts))
