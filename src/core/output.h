// Where rewritten bytes go.

#ifndef HLS_OUTPUT_H
#define HLS_OUTPUT_H

#include <cstddef>
#include <cstring>
#include <new>
#include <string_view>

namespace hls {

/// A contiguous window of writable bytes that its owner replaces when it is used up, so that a
/// playlist of any length is rewritten into a few large buffers with no allocation per URI.
class Output {
public:
  /// The most that one reserve() may ask for; every window is at least this large.
  static constexpr std::size_t kMaxReserve = 16384;

  virtual ~Output() = default;

  /// At least `n` (<= kMaxReserve) writable bytes; commit what was used with advance_to().
  char *reserve(std::size_t n) {
    if (static_cast<std::size_t>(end_ - pos_) < n) next_window(n);
    return pos_;
  }

  void advance_to(char *p) { pos_ = p; }

  /// Copies `bytes`, of any length, over as many windows as it takes.
  void append(std::string_view bytes) {
    while (bytes.size() > static_cast<std::size_t>(end_ - pos_)) {
      std::size_t part = static_cast<std::size_t>(end_ - pos_);
      if (part) std::memcpy(pos_, bytes.data(), part);
      pos_ += part;
      bytes.remove_prefix(part);
      next_window(1);
    }
    if (!bytes.empty()) std::memcpy(pos_, bytes.data(), bytes.size());
    pos_ += bytes.size();
  }

  /// The owner has no further window to spare: the writer stops at the next line boundary.
  bool full() const { return static_cast<std::size_t>(end_ - pos_) < low_water_; }

protected:
  /// Puts a window of at least `n` bytes in place. May throw std::bad_alloc.
  virtual void next_window(std::size_t n) = 0;

  char *pos_ = nullptr;
  char *end_ = nullptr;
  /// 0 while there are windows to spare; in the last one, how much a line usually takes.
  std::size_t low_water_ = 0;
};

/// For one link outside of a playlist: room for the longest there is, and std::bad_alloc beyond.
class SingleWindow : public Output {
public:
  SingleWindow() {
    pos_ = buffer_;
    end_ = buffer_ + sizeof(buffer_);
  }

  std::string_view text() const { return {buffer_, static_cast<std::size_t>(pos_ - buffer_)}; }

protected:
  void next_window(std::size_t) override { throw std::bad_alloc(); }

private:
  char buffer_[kMaxReserve + 1024];
};

}  // namespace hls

#endif
