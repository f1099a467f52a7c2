#include "base64url.h"

#include <array>
#include <cstdint>
#include <cstring>

namespace hls {
namespace {

constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

// Two characters for twelve bits at a time: half the look-ups, and links are encoded by the thousand.
struct Pairs {
  char text[4096 * 2];
};

constexpr Pairs make_pairs() {
  Pairs p{};
  for (unsigned i = 0; i < 4096; i++) {
    p.text[2 * i] = kAlphabet[i >> 6];
    p.text[2 * i + 1] = kAlphabet[i & 63];
  }
  return p;
}

constexpr Pairs kPairs = make_pairs();

constexpr std::array<std::int8_t, 256> make_values() {
  std::array<std::int8_t, 256> values{};
  for (auto &v : values) v = -1;
  for (int i = 0; i < 64; i++) values[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::int8_t>(i);
  return values;
}

constexpr std::array<std::int8_t, 256> kValues = make_values();

std::int32_t value_of(char c) { return kValues[static_cast<unsigned char>(c)]; }

}  // namespace

char *base64url_encode(char *to, std::string_view bytes) {
  auto from = reinterpret_cast<const unsigned char *>(bytes.data());
  std::size_t left = bytes.size();

  for (; left >= 3; left -= 3, from += 3, to += 4) {
    std::uint32_t bits = std::uint32_t{from[0]} << 16 | std::uint32_t{from[1]} << 8 | from[2];
    std::memcpy(to, kPairs.text + 2 * (bits >> 12), 2);
    std::memcpy(to + 2, kPairs.text + 2 * (bits & 0xFFF), 2);
  }
  if (left == 2) {
    std::uint32_t bits = (std::uint32_t{from[0]} << 8 | from[1]) << 2;
    std::memcpy(to, kPairs.text + 2 * (bits >> 6), 2);
    to[2] = kAlphabet[bits & 63];
    to += 3;
  } else if (left == 1) {
    std::memcpy(to, kPairs.text + 2 * (std::uint32_t{from[0]} << 4), 2);
    to += 2;
  }
  return to;
}

std::string base64url_encode(std::string_view bytes) {
  std::string text(base64url_length(bytes.size()), '\0');
  base64url_encode(text.data(), bytes);
  return text;
}

bool base64url_decode(std::string_view text, std::string &bytes) {
  if (text.size() % 4 == 1) return false;
  const std::size_t before = bytes.size();
  bytes.resize(before + text.size() / 4 * 3 + (text.size() % 4 ? text.size() % 4 - 1 : 0));
  char *to = bytes.data() + before;
  std::int32_t wrong = 0;   // negative once a character was foreign, positive once unused bits were set

  while (text.size() >= 4) {
    std::int32_t a = value_of(text[0]), b = value_of(text[1]), c = value_of(text[2]), d = value_of(text[3]);
    wrong |= (a | b | c | d) & INT32_MIN;
    std::uint32_t bits = static_cast<std::uint32_t>(a) << 18 | static_cast<std::uint32_t>(b) << 12 |
                         static_cast<std::uint32_t>(c) << 6 | static_cast<std::uint32_t>(d);
    *to++ = static_cast<char>(bits >> 16);
    *to++ = static_cast<char>(bits >> 8);
    *to++ = static_cast<char>(bits);
    text.remove_prefix(4);
  }
  if (text.size() >= 2) {
    std::int32_t a = value_of(text[0]), b = value_of(text[1]);
    std::int32_t c = text.size() == 3 ? value_of(text[2]) : 0;
    wrong |= (a | b | c) & INT32_MIN;
    wrong |= text.size() == 3 ? c & 3 : b & 15;
    std::uint32_t bits = static_cast<std::uint32_t>(a) << 18 | static_cast<std::uint32_t>(b) << 12 |
                         static_cast<std::uint32_t>(c) << 6;
    *to++ = static_cast<char>(bits >> 16);
    if (text.size() == 3) *to++ = static_cast<char>(bits >> 8);
  }
  if (wrong) bytes.resize(before);
  return wrong == 0;
}

}  // namespace hls
