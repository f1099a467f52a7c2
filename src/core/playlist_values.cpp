#include "playlist_values.h"

#include <algorithm>

#include <openssl/sha.h>

#include "attribute_list.h"
#include "playlist_line.h"

namespace hls {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Exactly `digits` digits off the front; -1: there are none such.
int take_digits(std::string_view &text, std::size_t digits) {
  if (text.size() < digits) return -1;
  int n = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    if (!is_digit(text[i])) return -1;
    n = n * 10 + (text[i] - '0');
  }
  text.remove_prefix(digits);
  return n;
}

bool take_char(std::string_view &text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

// Days since the epoch of a date in the proleptic Gregorian calendar.
std::int64_t days_of(int year, int month, int day) {
  // Years begin in March here, so that the leap day is their last.
  std::int64_t y = month > 2 ? year : year - 1;
  std::int64_t month_index = (month + 9) % 12;
  return y * 365 + y / 4 - y / 100 + y / 400 + (month_index * 153 + 2) / 5 + day - 1 - 719468;
}

// What stands behind the time of day: Z, +hh:mm, +hhmm, +hh; nothing is taken for UTC. Minutes.
std::optional<std::int64_t> read_zone(std::string_view text) {
  if (text.empty() || text == "Z" || text == "z") return 0;
  int sign = text.front() == '+' ? 1 : text.front() == '-' ? -1 : 0;
  if (sign == 0) return std::nullopt;
  text.remove_prefix(1);
  int hours = take_digits(text, 2);
  take_char(text, ':');
  int minutes = text.empty() ? 0 : take_digits(text, 2);
  if (hours < 0 || minutes < 0 || !text.empty()) return std::nullopt;
  return sign * (hours * 60 + minutes);
}

}  // namespace

std::uint64_t read_microseconds(std::string_view text) {
  text = trim_blanks(text);
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  std::uint64_t n = 0;
  std::size_t i = 0;
  for (; i < text.size() && is_digit(text[i]); ++i) {
    n = std::min(n * 10 + static_cast<std::uint64_t>(text[i] - '0'), kMaxDuration);
  }
  n *= 1000000;
  if (i < text.size() && text[i] == '.') {
    std::uint64_t unit = 100000;
    for (++i; i < text.size() && is_digit(text[i]); ++i, unit /= 10) {
      n += unit * static_cast<std::uint64_t>(text[i] - '0');
    }
  }
  return std::min(n, kMaxDuration);
}

std::optional<std::int64_t> read_date(std::string_view text) {
  text = trim_blanks(text);
  int year = take_digits(text, 4);
  if (year < 0 || !take_char(text, '-')) return std::nullopt;
  int month = take_digits(text, 2);
  if (month < 1 || month > 12 || !take_char(text, '-')) return std::nullopt;
  int day = take_digits(text, 2);
  if (day < 1 || day > 31 || (!take_char(text, 'T') && !take_char(text, 't'))) return std::nullopt;
  int hour = take_digits(text, 2);
  if (hour < 0 || !take_char(text, ':')) return std::nullopt;
  int minute = take_digits(text, 2);
  if (minute < 0 || !take_char(text, ':')) return std::nullopt;
  int second = take_digits(text, 2);
  if (second < 0) return std::nullopt;
  std::int64_t fraction = 0;
  if (take_char(text, '.')) {
    for (std::int64_t unit = 100000; !text.empty() && is_digit(text.front()); unit /= 10) {
      fraction += unit * (text.front() - '0');
      text.remove_prefix(1);
    }
  }
  std::optional<std::int64_t> zone = read_zone(text);
  if (!zone) return std::nullopt;
  std::int64_t minutes = (days_of(year, month, day) * 24 + hour) * 60 + minute - *zone;
  return (minutes * 60 + second) * 1000000 + fraction;
}

bool is_positive(std::string_view duration) {
  duration = trim_blanks(duration);
  if (!duration.empty() && duration.front() == '+') duration.remove_prefix(1);
  for (char c : duration) {
    if (c >= '1' && c <= '9') return true;
    if (c != '0' && c != '.') return false;
  }
  return false;
}

RangeText read_range(std::string_view text) {
  std::size_t at = text.find('@');
  RangeText range{read_decimal(text.substr(0, at)), std::nullopt};
  if (at != text.npos) range.offset = read_decimal(text.substr(at + 1));
  return range;
}

std::string plain_hex(std::string_view text) {
  if (text.substr(0, 2) == "0x" || text.substr(0, 2) == "0X") text.remove_prefix(2);
  while (text.size() > 1 && text.front() == '0') text.remove_prefix(1);
  std::string hex(text);
  for (char &c : hex) {
    if (c >= 'A' && c <= 'F') c = static_cast<char>(c | 0x20);
  }
  return hex;
}

std::uint64_t hash_bytes(std::string_view bytes) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char *>(bytes.data()), bytes.size(), digest);
  std::uint64_t n = 0;
  for (int i = 0; i < 8; ++i) n = n << 8 | digest[i];
  return n;
}

std::string plain_decimal(std::string_view text) {
  if (text.find('.') == text.npos) return std::string(text);
  while (!text.empty() && text.back() == '0') text.remove_suffix(1);
  if (!text.empty() && text.back() == '.') text.remove_suffix(1);
  return std::string(text);
}

}  // namespace hls
