// What the fuzz targets share.

#ifndef HLS_FUZZ_H
#define HLS_FUZZ_H

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "link.h"
#include "output.h"

namespace fuzz {

/// A property that does not hold is a crash, which libFuzzer keeps the input of.
#define FUZZ_REQUIRE(property)                                                       \
  do {                                                                               \
    if (!(property)) fuzz::fail(__FILE__, __LINE__, #property);                      \
  } while (0)

[[noreturn]] inline void fail(const char *file, int line, const char *property) {
  std::fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, property);
  std::abort();
}

// No input is expected to hold it: what begins with it in the output is a link of ours.
constexpr std::string_view kBase = "/~relay~";
constexpr std::string_view kPublicBase = "https://relay.example/~relay~";
constexpr std::uint64_t kNow = 1800000000;
constexpr std::uint64_t kExpires = 1800086400;

/// Keys and a scope as a location would have them; made once.
struct Fixture {
  hls::LinkKeys keys;
  hls::LinkScope scope;

  Fixture() {
    keys.emplace_back("a secret of sixteen bytes or more");
    keys.emplace_back("another one, as after a rotation");
    hls::StreamKey stream;
    stream.source = "anime";
    stream.values = {std::string("slug"), std::nullopt, std::string("1")};
    scope.base = kBase;
    scope.public_base = kPublicBase;
    scope.stream = stream.encode();
    scope.bind = "192.0.2.1";
    scope.key = &keys.front();
    scope.playlist_exp = kExpires;
    scope.media_exp = kExpires;
  }
};

inline const Fixture &fixture() {
  static const Fixture f;
  return f;
}

/// Collects what is written. `tight`: says that it is full in every window, as one with a limit does.
class Collector : public hls::Output {
public:
  explicit Collector(bool tight = false) { low_water_ = tight ? kMaxReserve / 2 : 0; }

  std::string take() {
    flush();
    return std::move(text_);
  }

  /// What the owner does before it calls again, where full().
  void make_room() { next_window(kMaxReserve); }

private:
  void flush() {
    if (pos_) text_.append(window_.data(), static_cast<std::size_t>(pos_ - window_.data()));
    pos_ = window_.data();
  }

  void next_window(std::size_t n) override {
    if (n > kMaxReserve) fail(__FILE__, __LINE__, "no reserve() beyond kMaxReserve");
    flush();
    window_.assign(kMaxReserve, '\0');   // of its exact size, so that a sanitizer sees what runs over
    pos_ = window_.data();
    end_ = pos_ + kMaxReserve;
  }

  std::string text_, window_;
};

/// Takes the bytes up to the next LF off the front of `input`.
inline std::string_view take_line(std::string_view &input) {
  std::size_t end = input.find('\n');
  std::string_view line = input.substr(0, end);
  input.remove_prefix(end == input.npos ? input.size() : end + 1);
  return line;
}

/// Safe in an attribute's quotes, outside of them and as a line.
inline bool is_link_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("-._~/?&=%").find(c) != std::string_view::npos;
}

inline std::string_view view(const std::uint8_t *data, std::size_t size) {
  return {reinterpret_cast<const char *>(data), size};
}

}  // namespace fuzz

#endif
