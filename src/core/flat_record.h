// Flat byte strings for shared memory: 64-bit varints (LEB128), texts with their lengths. What reads them
// trusts nothing: shared memory outlives a crash, and a new binary may find an old one's records.

#ifndef HLS_FLAT_RECORD_H
#define HLS_FLAT_RECORD_H

#include <cstdint>
#include <string>
#include <string_view>

namespace hls {

class FlatWriter {
public:
  void number(std::uint64_t n) {
    for (; n >= 0x80; n >>= 7) bytes_.push_back(static_cast<char>(0x80 | (n & 0x7f)));
    bytes_.push_back(static_cast<char>(n));
  }

  /// Small ones of either sign stay short.
  void signed_number(std::int64_t n) {
    number(static_cast<std::uint64_t>(n) << 1 ^ static_cast<std::uint64_t>(n >> 63));
  }

  void fixed(std::uint64_t n) {
    for (unsigned shift = 0; shift < 64; shift += 8) bytes_.push_back(static_cast<char>(n >> shift & 0xff));
  }

  void text(std::string_view text) {
    number(text.size());
    bytes_.append(text);
  }

  std::string take() { return std::move(bytes_); }

private:
  std::string bytes_;
};

/// After the first thing that cannot be read all else reads as zero or empty, and ok() is false.
class FlatReader {
public:
  explicit FlatReader(std::string_view bytes) : bytes_(bytes) {}

  std::uint64_t number() {
    std::uint64_t n = 0;
    for (unsigned shift = 0; shift < 64 && !bytes_.empty(); shift += 7) {
      std::uint64_t byte = static_cast<unsigned char>(bytes_.front());
      bytes_.remove_prefix(1);
      if (shift == 63 && byte > 1) break;
      n |= (byte & 0x7f) << shift;
      if (byte & 0x80) continue;
      if (byte == 0 && shift != 0) break;   // one number has one form
      return n;
    }
    return fail();
  }

  std::int64_t signed_number() {
    std::uint64_t n = number();
    return static_cast<std::int64_t>(n >> 1 ^ (~(n & 1) + 1));
  }

  /// A number of at most `limit`.
  std::uint64_t number(std::uint64_t limit) {
    std::uint64_t n = number();
    return n <= limit ? n : fail();
  }

  std::uint64_t fixed() {
    if (bytes_.size() < 8) return fail();
    std::uint64_t n = 0;
    for (unsigned i = 0; i < 8; ++i) {
      n |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes_[i])) << 8 * i;
    }
    bytes_.remove_prefix(8);
    return n;
  }

  std::string_view text() {
    std::uint64_t size = number(bytes_.size());
    if (size > bytes_.size()) return fail(), std::string_view();
    std::string_view text = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return text;
  }

  /// The number of elements to come, each of at least one byte.
  std::size_t count(std::size_t limit) {
    std::uint64_t n = number(limit);
    return n <= bytes_.size() ? static_cast<std::size_t>(n) : static_cast<std::size_t>(fail());
  }

  std::uint64_t fail() {
    ok_ = false;
    bytes_ = {};
    return 0;
  }

  bool ok() const { return ok_; }
  bool at_end() const { return ok_ && bytes_.empty(); }

private:
  std::string_view bytes_;
  bool ok_ = true;
};

}  // namespace hls

#endif
