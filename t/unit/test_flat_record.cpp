// Flat byte strings for shared memory.

#include <cstdint>
#include <string>

#include "flat_record.h"

#include "tap_main.h"

namespace {

using hls::FlatReader;
using hls::FlatWriter;

std::string number(std::uint64_t n) {
  FlatWriter to;
  to.number(n);
  return to.take();
}

void check_numbers() {
  // LEB128: seven bits a byte, the low ones first.
  tap::equal("0", number(0), std::string(1, '\0'));
  tap::equal("127", number(127), "\x7F");
  tap::equal("128", number(128), "\x80\x01");
  tap::equal("300", number(300), "\xAC\x02");
  tap::equal("the largest", number(UINT64_MAX), "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01");
  for (std::uint64_t n : {std::uint64_t{0}, std::uint64_t{1} << 35, UINT64_MAX - 1, UINT64_MAX}) {
    const std::string bytes = number(n);
    FlatReader from(bytes);
    tap::check(from.number() == n && from.at_end(), "read again");
  }
  for (std::string bad : {std::string(), std::string("\x80"), std::string("\x80\0", 2),
                          std::string("\xFF\x80\0", 3),
                          std::string("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x02"), std::string(10, '\xFF')}) {
    FlatReader from(bad);
    tap::check(from.number() == 0 && !from.ok(), "refused: " + tap::quoted(bad));
  }
  for (std::int64_t n : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{63}, INT64_MAX, INT64_MIN}) {
    FlatWriter to;
    to.signed_number(n);
    const std::string bytes = to.take();
    FlatReader from(bytes);
    tap::check(from.signed_number() == n && from.at_end(), "signed " + std::to_string(n));
    if (n >= -64 && n < 64) tap::equal("short", static_cast<long long>(bytes.size()), 1);
  }
}

void check_rest() {
  FlatWriter to;
  to.fixed(0x0123456789ABCDEF);
  to.text("ab");
  to.number(3);
  const std::string bytes = to.take();
  tap::equal("little endian, lengths", bytes, std::string("\xEF\xCD\xAB\x89\x67\x45\x23\x01\x02" "ab\x03"));
  FlatReader from(bytes);
  tap::check(from.fixed() == 0x0123456789ABCDEF, "fixed");
  tap::equal("text", from.text(), "ab");
  tap::check(!from.at_end() && from.number(2) == 0 && !from.ok(), "over the limit");
  tap::check(from.number() == 0 && from.text().empty() && from.fixed() == 0 && !from.at_end(),
             "nothing after that");

  FlatReader cut(std::string_view("\x03" "ab", 3));
  tap::check(cut.text().empty() && !cut.ok(), "a text that is cut off");
  FlatReader short_number(std::string_view("1234567"));
  tap::check(short_number.fixed() == 0 && !short_number.ok(), "a fixed one that is cut off");
  FlatReader many(std::string_view("\x05" "1234", 5));
  tap::check(many.count(10) == 0 && !many.ok(), "more elements than bytes");
  FlatReader enough(std::string_view("\x04" "1234", 5));
  tap::check(enough.count(10) == 4 && enough.ok(), "as many elements as bytes");
  FlatReader limited(std::string_view("\x04" "1234", 5));
  tap::check(limited.count(3) == 0 && !limited.ok(), "more elements than the limit");
}

void test_numbers(void **) {
  check_numbers();
  TAP_FINISH();
}

void test_rest(void **) {
  check_rest();
  TAP_FINISH();
}

}  // namespace

TAP_MAIN(cmocka_unit_test(test_numbers), cmocka_unit_test(test_rest))
