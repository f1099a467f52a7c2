#include "content_decoder.h"

#include <brotli/decode.h>
#include <zlib.h>

#include <algorithm>
#include <climits>
#include <new>

namespace hls {
namespace {

using Status = ContentDecoder::Status;

constexpr int kWindowBits = 15;                  // inflateInit2: zlib
constexpr int kRaw = -kWindowBits;
constexpr int kGzip = kWindowBits + 16;
constexpr std::string_view kGzipMagic = "\x1f\x8b";

bool equals_ignoring_case(std::string_view text, std::string_view lower) {
  return text.size() == lower.size() &&
         std::equal(text.begin(), text.end(), lower.begin(), [](char a, char b) {
           return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
         });
}

// Feeds one stream of zlib, gzip or raw deflate data to zlib.
class Inflater {
public:
  explicit Inflater(int window_bits) {
    if (inflateInit2(&stream_, window_bits) != Z_OK) throw std::bad_alloc();
  }
  ~Inflater() { inflateEnd(&stream_); }
  Inflater(const Inflater &) = delete;
  Inflater &operator=(const Inflater &) = delete;

  bool restart(int window_bits) { return inflateReset2(&stream_, window_bits) == Z_OK; }

  // Advances `in`, `out` and `size`.
  Status run(std::string_view &in, char *&out, std::size_t &size) {
    while (size > 0) {
      uInt offered = static_cast<uInt>(std::min<std::size_t>(in.size(), UINT_MAX));
      uInt room = static_cast<uInt>(std::min<std::size_t>(size, UINT_MAX));
      stream_.next_in = reinterpret_cast<Bytef *>(const_cast<char *>(in.data()));
      stream_.avail_in = offered;
      stream_.next_out = reinterpret_cast<Bytef *>(out);
      stream_.avail_out = room;
      int result = inflate(&stream_, Z_NO_FLUSH);
      uInt consumed = offered - stream_.avail_in, wrote = room - stream_.avail_out;
      in.remove_prefix(consumed);
      out += wrote;
      size -= wrote;
      if (result == Z_STREAM_END) return Status::done;
      // Z_BUF_ERROR says that nothing could be done, which is right when there is no input.
      if (result != Z_OK && result != Z_BUF_ERROR) return Status::error;
      if (size == 0) return Status::output;
      if (in.empty()) return Status::more;
      if (consumed == 0 && wrote == 0) return Status::error;
    }
    return Status::output;
  }

private:
  z_stream stream_{};
};

class GzipDecoder : public ContentDecoder {
public:
  Status decode(std::string_view &in, char *out, std::size_t size, std::size_t &written) override {
    char *begin = out;
    Status status = step(in, out, size);
    written = static_cast<std::size_t>(out - begin);
    return status;
  }

private:
  enum class State { member, between, ignoring, failed };

  Status step(std::string_view &in, char *&out, std::size_t &size) {
    for (;;) {
      switch (state_) {
      case State::member: {
        Status status = inflater_.run(in, out, size);
        if (status == Status::error) state_ = State::failed;
        if (status != Status::done) return status;
        state_ = State::between;
        break;
      }
      case State::between:
        if (!between(in)) return Status::done;
        break;
      case State::ignoring:
        in = {};
        return Status::done;
      case State::failed:
        return Status::error;
      }
    }
  }

  // Another member begins with the magic number, which may be split over two buffers; anything else
  // after a member is padding. False: no more input.
  bool between(std::string_view &in) {
    if (in.empty()) return false;
    if (in.front() != kGzipMagic[magic_]) {
      state_ = State::ignoring;
      return true;
    }
    in.remove_prefix(1);
    if (++magic_ < kGzipMagic.size()) return true;
    magic_ = 0;
    std::string_view magic = kGzipMagic;
    char none;
    char *out = &none;
    std::size_t size = 1;
    bool fed = inflater_.restart(kGzip) && inflater_.run(magic, out, size) == Status::more;
    state_ = fed ? State::member : State::failed;
    return true;
  }

  Inflater inflater_{kGzip};
  State state_ = State::member;
  std::size_t magic_ = 0;
};

// RFC 9110 8.4.1.2 means the zlib format (RFC 1950), some senders mean bare RFC 1951.
class DeflateDecoder : public ContentDecoder {
public:
  Status decode(std::string_view &in, char *out, std::size_t size, std::size_t &written) override {
    char *begin = out;
    if (!finished_) {
      Status status = step(in, out, size);
      if (status == Status::done || status == Status::error) {
        finished_ = true;
        result_ = status;
      } else {
        written = static_cast<std::size_t>(out - begin);
        return status;
      }
    }
    if (result_ == Status::done) in = {};
    written = static_cast<std::size_t>(out - begin);
    return result_;
  }

private:
  Status step(std::string_view &in, char *&out, std::size_t &size) {
    while (head_size_ < sizeof head_) {
      if (in.empty()) return Status::more;
      head_[head_size_++] = in.front();
      in.remove_prefix(1);
      if (head_size_ < sizeof head_) continue;
      if (!inflater_.restart(is_zlib() ? kWindowBits : kRaw)) return Status::error;
      unread_ = std::string_view(head_, sizeof head_);
    }
    if (!unread_.empty()) {
      Status status = inflater_.run(unread_, out, size);
      if (status != Status::more) return status;
    }
    return inflater_.run(in, out, size);
  }

  // RFC 1950 2.2. A raw stream would have to begin with a stored block whose padding is not zero.
  bool is_zlib() const {
    unsigned cmf = static_cast<unsigned char>(head_[0]), flg = static_cast<unsigned char>(head_[1]);
    return (cmf & 15) == Z_DEFLATED && cmf >> 4 <= 7 && (cmf * 256 + flg) % 31 == 0;
  }

  Inflater inflater_{kRaw};
  char head_[2];
  std::size_t head_size_ = 0;
  std::string_view unread_;   // of head_
  bool finished_ = false;
  Status result_ = Status::more;
};

class BrotliDecoder : public ContentDecoder {
public:
  BrotliDecoder() : state_(BrotliDecoderCreateInstance(nullptr, nullptr, nullptr)) {
    if (!state_) throw std::bad_alloc();
  }
  ~BrotliDecoder() override { BrotliDecoderDestroyInstance(state_); }
  BrotliDecoder(const BrotliDecoder &) = delete;
  BrotliDecoder &operator=(const BrotliDecoder &) = delete;

  Status decode(std::string_view &in, char *out, std::size_t size, std::size_t &written) override {
    written = 0;
    if (result_ == BROTLI_DECODER_RESULT_ERROR) return Status::error;
    if (result_ != BROTLI_DECODER_RESULT_SUCCESS) {
      std::size_t available = in.size(), room = size;
      const auto *next_in = reinterpret_cast<const std::uint8_t *>(in.data());
      auto *next_out = reinterpret_cast<std::uint8_t *>(out);
      result_ = BrotliDecoderDecompressStream(state_, &available, &next_in, &room, &next_out, nullptr);
      in.remove_prefix(in.size() - available);
      written = size - room;
    }
    switch (result_) {
    case BROTLI_DECODER_RESULT_SUCCESS:
      in = {};
      return Status::done;
    case BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT:
      return Status::more;
    case BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT:
      return Status::output;
    default:
      return Status::error;
    }
  }

private:
  BrotliDecoderState *state_;
  BrotliDecoderResult result_ = BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT;
};

ContentCoding one_coding(std::string_view name) {
  // No coding, though origins name them as one; players take such bodies as they are, too.
  for (std::string_view none : {"identity", "none", "aws-chunked", "utf-8", "binary"}) {
    if (equals_ignoring_case(name, none)) return ContentCoding::identity;
  }
  // RFC 9110 8.4.1.3: x-gzip is gzip.
  if (equals_ignoring_case(name, "gzip") || equals_ignoring_case(name, "x-gzip")) return ContentCoding::gzip;
  if (equals_ignoring_case(name, "deflate")) return ContentCoding::deflate;
  if (equals_ignoring_case(name, "br")) return ContentCoding::br;
  return ContentCoding::unknown;
}

}  // namespace

ContentCoding parse_content_coding(std::string_view header) {
  ContentCoding coding = ContentCoding::identity;
  while (!header.empty()) {
    std::size_t end = header.find(',');
    std::string_view item = header.substr(0, end);
    header.remove_prefix(end == header.npos ? header.size() : end + 1);
    std::size_t first = item.find_first_not_of(" \t");
    if (first == item.npos) continue;
    ContentCoding one = one_coding(item.substr(first, item.find_last_not_of(" \t") - first + 1));
    if (one == ContentCoding::identity) continue;
    if (coding != ContentCoding::identity) return ContentCoding::unknown;
    coding = one;
  }
  return coding;
}

std::unique_ptr<ContentDecoder> ContentDecoder::create(ContentCoding coding) {
  switch (coding) {
  case ContentCoding::gzip:
    return std::make_unique<GzipDecoder>();
  case ContentCoding::deflate:
    return std::make_unique<DeflateDecoder>();
  case ContentCoding::br:
    return std::make_unique<BrotliDecoder>();
  default:
    return nullptr;
  }
}

}  // namespace hls
