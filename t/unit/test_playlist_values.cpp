// Values of tags: durations, dates, ranges, hexadecimal sequences.

#include <string>

#include "playlist_values.h"

#include "tap_main.h"

namespace {

void check_durations() {
  const struct {
    const char *text;
    long long wanted;
  } rows[] = {{"10", 10000000},      {"9.009", 9009000},     {" 9.00900 ", 9009000}, {"0.000001", 1},
              {"0.0000019", 1},      {".5", 500000},         {"6.", 6000000},        {"+4", 4000000},
              {"-1", 0},             {"", 0},                {"x", 0},               {"4s", 4000000},
              {"4,title", 4000000},  {"1.5.5", 1500000},     {"1000000", 1000000000000},
              {"99999999999999999999999", 1000000000000}};
  for (const auto &row : rows) {
    tap::equal(row.text, static_cast<long long>(hls::read_microseconds(row.text)), row.wanted);
  }
}

void check_dates() {
  const struct {
    const char *text;
    long long wanted;   // seconds: of date(1), date -u -d ... +%s
  } rows[] = {{"1970-01-01T00:00:00Z", 0},
              {"2024-02-29T12:34:56Z", 1709210096},
              {"2024-02-29T12:34:56", 1709210096},
              {"2024-02-29T14:34:56+02:00", 1709210096},
              {"2024-02-29T14:34:56+0200", 1709210096},
              {"2024-02-29T14:34:56+02", 1709210096},
              {"2024-02-29T07:04:56-05:30", 1709210096},
              {"2000-03-01t00:00:00z", 951868800},
              {"2099-12-31T23:59:60Z", 4102444800}};
  for (const auto &row : rows) {
    auto date = hls::read_date(row.text);
    tap::equal(row.text, date ? *date : -1, row.wanted * 1000000);
  }
  auto date = hls::read_date("1970-01-01T00:00:01.0405069Z");
  tap::equal("a fraction", date ? *date : -1, 1040506);
  for (const char *bad : {"", "2024", "2024-13-01T00:00:00Z", "2024-00-01T00:00:00Z", "2024-01-32T00:00:00Z",
                          "2024-01-01 00:00:00Z", "2024-01-01T00:00Z", "2024-01-01T00:00:00X",
                          "2024-01-01T00:00:00+1", "2024-01-01T00:00:00+01:0", "20240101T000000Z",
                          "2024-01-01T00:00:00Zx"}) {
    tap::check(!hls::read_date(bad), bad);
  }
}

void check_others() {
  for (const char *yes : {"1", "0.5", "+3", " 10,"}) tap::check(hls::is_positive(yes), yes);
  for (const char *no : {"", "0", "-1", "0.0,1", "x1"}) tap::check(!hls::is_positive(no), no);
  auto range = hls::read_range("100@20");
  tap::check(range.length == 100 && range.offset && *range.offset == 20, "100@20");
  range = hls::read_range("100");
  tap::check(range.length == 100 && !range.offset, "100");
  tap::equal("hexadecimal", hls::plain_hex("0X000aBc"), "abc");
  tap::equal("zero", hls::plain_hex("0x0000"), "0");
  tap::equal("29.970", hls::plain_decimal("29.970"), "29.97");
  tap::equal("30.000", hls::plain_decimal("30.000"), "30");
  tap::equal("30", hls::plain_decimal("30"), "30");
  // FIPS 180-4's example of SHA-256: "abc".
  tap::check(hls::hash_bytes("abc") == 0xba7816bf8f01cfea, "the hash");
}

void test_durations(void **) {
  check_durations();
  TAP_FINISH();
}

void test_dates(void **) {
  check_dates();
  TAP_FINISH();
}

void test_others(void **) {
  check_others();
  TAP_FINISH();
}

}  // namespace

TAP_MAIN(cmocka_unit_test(test_durations), cmocka_unit_test(test_dates), cmocka_unit_test(test_others))
