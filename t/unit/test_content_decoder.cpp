#include "content_decoder.h"

#include <brotli/encode.h>
#include <zlib.h>

#include <algorithm>
#include <string>

#include "tap_main.h"

using namespace std::string_view_literals;
using hls::ContentCoding;
using hls::ContentDecoder;
using hls::parse_content_coding;
using Status = ContentDecoder::Status;

namespace {

// Made with Python 3: gzip.compress(kText, mtime=0), zlib.compress(kText), zlib.compressobj(wbits=-15),
// gzip.compress(b"", mtime=0), zlib.compressobj(zdict=b"#EXTM3U\n#EXTINF:").
constexpr auto kText = "#EXTM3U\n#EXTINF:6,\na.ts\n#EXTINF:6,\nb.ts\n"sv;
constexpr auto kGzip =
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\x53\x76\x8d\x08\xf1\x35\x0e\xe5\x52\x06\xd2\x9e\x7e\x6e\x56\x66"
    "\x3a\x5c\x89\x7a\x25\xc5\xc8\xfc\x24\x10\x1f\x00\x38\x59\xbf\xd5\x28\x00\x00\x00"sv;
constexpr auto kZlib =
    "\x78\x9c\x53\x76\x8d\x08\xf1\x35\x0e\xe5\x52\x06\xd2\x9e\x7e\x6e\x56\x66\x3a\x5c\x89\x7a\x25\xc5\xc8\xfc"
    "\x24\x10\x1f\x00\xce\xf5\x0a\x23"sv;
constexpr auto kRaw =
    "\x53\x76\x8d\x08\xf1\x35\x0e\xe5\x52\x06\xd2\x9e\x7e\x6e\x56\x66\x3a\x5c\x89\x7a\x25\xc5\xc8\xfc\x24\x10"
    "\x1f\x00"sv;
constexpr auto kEmptyGzip =
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00"sv;
constexpr auto kDictionaryZlib =
    "\x78\xbb\x22\x5b\x04\x1f\x53\x46\xe3\x9b\xe9\x70\x25\xea\x95\x14\x23\xf3\x93\x40\x7c\x00"
    "\xce\xf5\x0a\x23"sv;
// By hand from RFC 1952 2.3: FHCRC, FEXTRA "abc", FNAME, FCOMMENT; the checksums are Python's. Body "x".
constexpr auto kFullHeaderGzip =
    "\x1f\x8b\x08\x1e\x00\x00\x00\x00\x02\x03\x03\x00\x61\x62\x63\x6e\x61\x6d\x65\x00\x63\x6f\x6d\x6d\x65\x6e"
    "\x74\x00\xf5\x07\xab\x00\x00\x83\x16\xdc\x8c\x01\x00\x00\x00"sv;
// By hand from RFC 7932 9: window of 22 bits, an uncompressed block of 5 bytes, an empty last block.
constexpr auto kBrotli = "\x0b\x02\x80hello\x03"sv;

struct Result {
  Status status = Status::more;
  std::string text;
  bool broken = false;   // the contract of decode() was
};

constexpr std::size_t kWindow = 4096;

// Feeds one buffer, in windows of `window` bytes, until it is used up.
void feed(ContentDecoder &decoder, std::string_view in, std::size_t window, Result &result) {
  char out[kWindow];
  for (;;) {
    std::size_t before = in.size(), written = window + 1;
    result.status = decoder.decode(in, out, window, written);
    if (written > window || in.size() > before) result.broken = true;
    if (result.broken) return;
    result.text.append(out, written);
    if (result.status == Status::output) {
      if (written == 0 && in.size() == before) result.broken = true;
      if (result.broken) return;
      continue;
    }
    if (result.status != Status::error && !in.empty()) result.broken = true;
    return;
  }
}

Result decode(ContentCoding coding, std::string_view input, std::size_t chunk, std::size_t window) {
  auto decoder = ContentDecoder::create(coding);
  Result result;
  do {
    feed(*decoder, input.substr(0, chunk), window, result);
    input.remove_prefix(std::min(chunk, input.size()));
  } while (!input.empty() && result.status != Status::error && !result.broken);
  return result;
}

std::string in_words(const Result &result) {
  if (result.broken) return "contract broken";
  switch (result.status) {
  case Status::done:
    return "done: " + result.text;
  case Status::error:
    return "error";
  case Status::more:
    return "more: " + result.text;
  default:
    return "output: " + result.text;
  }
}

// All ways of cutting in two, and several sizes of input buffers and output windows.
void expect(const std::string &what, ContentCoding coding, std::string_view input, std::string_view wanted) {
  for (std::size_t cut = 0; cut <= input.size(); cut++) {
    auto decoder = ContentDecoder::create(coding);
    Result result;
    feed(*decoder, input.substr(0, cut), 7, result);
    if (result.status != Status::error) feed(*decoder, input.substr(cut), 7, result);
    tap::equal(what + ", cut at " + std::to_string(cut), in_words(result), wanted);
  }
  for (std::size_t chunk : {1, 2, 3, 10, 65536}) {
    for (std::size_t window : {1, 2, 3, 40, 41, 4096}) {
      tap::equal(what + ", by " + std::to_string(chunk) + " into " + std::to_string(window),
                 in_words(decode(coding, input, chunk, window)), wanted);
    }
  }
}

std::string join(std::string_view a, std::string_view b) { return std::string(a).append(b); }

std::string done(std::string_view text) { return join("done: ", text); }

void check_whole_streams() {
  expect("gzip", ContentCoding::gzip, kGzip, done(kText));
  expect("gzip, all header fields", ContentCoding::gzip, kFullHeaderGzip, "done: x");
  expect("gzip of nothing", ContentCoding::gzip, kEmptyGzip, "done: ");
  expect("zlib", ContentCoding::deflate, kZlib, done(kText));
  expect("raw deflate", ContentCoding::deflate, kRaw, done(kText));
  expect("raw deflate of nothing", ContentCoding::deflate, "\x03\x00"sv, "done: ");
  // RFC 1951 3.2.4: a stored block, not the last, then an empty one.
  expect("raw deflate, stored", ContentCoding::deflate, "\x00\x02\x00\xfd\xffhi\x01\x00\x00\xff\xff"sv,
         "done: hi");
  expect("br", ContentCoding::br, kBrotli, "done: hello");
  expect("br of nothing", ContentCoding::br, "\x06"sv, "done: ");
}

void check_members() {
  std::string two = join(kGzip, kFullHeaderGzip);
  expect("two members", ContentCoding::gzip, two, done(join(kText, "x")));
  expect("an empty member between", ContentCoding::gzip,
         join(kFullHeaderGzip, join(kEmptyGzip, kFullHeaderGzip)), "done: xx");
  expect("zeros after the end", ContentCoding::gzip, join(kGzip, std::string(64, '\0')), done(kText));
  expect("text after the end", ContentCoding::gzip, join(kGzip, "<!-- served by -->"), done(kText));
  expect("half a magic number after the end", ContentCoding::gzip, join(kGzip, "\x1f"), done(kText));
  expect("nearly a magic number", ContentCoding::gzip, join(kGzip, "\x1f\x8c\x08"), done(kText));
  expect("a member after garbage", ContentCoding::gzip, join(kGzip, join("\n", kGzip)), done(kText));
  expect("a damaged second member", ContentCoding::gzip, join(kGzip, "\x1f\x8b\x09\x00"sv), "error");
  expect("a truncated second member", ContentCoding::gzip, join(kGzip, kFullHeaderGzip.substr(0, 2)),
         join("more: ", kText));
  expect("after zlib", ContentCoding::deflate, join(kZlib, kZlib), done(kText));
  expect("after raw deflate", ContentCoding::deflate, join(kRaw, "junk"), done(kText));
  expect("after br", ContentCoding::br, join(kBrotli, kBrotli), "done: hello");
}

// No prefix of a stream is done, and none is an error.
void check_truncated() {
  struct { const char *what; ContentCoding coding; std::string_view input; } cases[] = {
      {"gzip", ContentCoding::gzip, kGzip},         {"gzip header", ContentCoding::gzip, kFullHeaderGzip},
      {"zlib", ContentCoding::deflate, kZlib},      {"raw", ContentCoding::deflate, kRaw},
      {"br", ContentCoding::br, kBrotli},
  };
  for (const auto &c : cases) {
    for (std::size_t size = 0; size < c.input.size(); size++) {
      for (std::size_t chunk : {1, 65536}) {
        Result result = decode(c.coding, c.input.substr(0, size), chunk, 5);
        tap::check(!result.broken && result.status == Status::more,
                   std::string(c.what) + ", first " + std::to_string(size) + ": " + in_words(result));
      }
    }
  }
}

// With a checksum, no flipped bit may pass for another text; header bits that mean nothing may flip.
void check_flipped_bits() {
  struct { const char *what; ContentCoding coding; std::string_view input; } cases[] = {
      {"gzip", ContentCoding::gzip, kGzip}, {"zlib", ContentCoding::deflate, kZlib}};
  for (const auto &c : cases) {
    unsigned errors = 0;
    for (std::size_t bit = 0; bit < c.input.size() * 8; bit++) {
      std::string input(c.input);
      input[bit / 8] = static_cast<char>(input[bit / 8] ^ (1 << bit % 8));
      Result result = decode(c.coding, input, 65536, 64);
      errors += result.status == Status::error;
      bool other = result.status == Status::done && result.text != kText;
      tap::check(!result.broken && !other, std::string(c.what) + ", bit " + std::to_string(bit));
    }
    tap::check(errors > c.input.size() * 8 / 2, std::string(c.what) + ": most of them are errors");
  }
}

void check_damaged() {
  expect("not gzip at all", ContentCoding::gzip, "#EXTM3U\n", "error");
  expect("zlib as gzip", ContentCoding::gzip, kZlib, "error");
  expect("gzip with an unknown method", ContentCoding::gzip,
         "\x1f\x8b\x07\x00\x00\x00\x00\x00\x00\x03"sv, "error");
  expect("zlib that wants a dictionary", ContentCoding::deflate, kDictionaryZlib, "error");
  expect("raw deflate, block type 3", ContentCoding::deflate, "\x07\x00"sv, "error");
  expect("raw deflate, bad stored length", ContentCoding::deflate, "\x01\x01\x00\x00\x00z"sv, "error");
  std::string checksum(kGzip);
  checksum[kGzip.size() - 8] ^= 1;
  expect("gzip, wrong CRC", ContentCoding::gzip, checksum, "error");
  std::string size(kGzip);
  size[kGzip.size() - 4] ^= 1;
  expect("gzip, wrong size", ContentCoding::gzip, size, "error");
  // RFC 7932 9.1: 0010001 is reserved (brotli's large windows begin so).
  expect("br, reserved window", ContentCoding::br, "\x11\x00\x00"sv, "error");
  expect("br, reserved bit of a metadata block", ContentCoding::br, "\xeb\x00\x00"sv, "error");
  // RFC 7932 9.2: a length of five nibbles whose last one is zero.
  expect("br, length not the shortest", ContentCoding::br, "\x2b\x00\x00\x00"sv, "error");
}

void check_error_stays() {
  for (auto coding : {ContentCoding::gzip, ContentCoding::deflate, ContentCoding::br}) {
    auto decoder = ContentDecoder::create(coding);
    Result result;
    feed(*decoder, coding == ContentCoding::br ? "\x11\x00"sv : "\x07\x00"sv, 16, result);
    tap::equal("an error", in_words(result), "error");
    std::string_view good = coding == ContentCoding::gzip      ? kGzip
                            : coding == ContentCoding::deflate ? kZlib
                                                               : kBrotli;
    feed(*decoder, good, 16, result);
    tap::equal("stays one", in_words(result), "error");
    tap::equal("and writes nothing", result.text, "");
  }
}

// Bytes of the whole range that compress a little: a linear congruential generator and repetition.
std::string sample(std::size_t size) {
  std::string text;
  unsigned seed = 1;
  while (text.size() < size) {
    seed = seed * 1103515245 + 12345;
    if (seed >> 30 == 0) text += "#EXTINF:6.00000,\nsegment_" + std::to_string(seed % 997) + ".ts\n";
    else text += static_cast<char>(seed >> 16);
  }
  text.resize(size);
  return text;
}

std::string deflated(std::string_view text, int level, int window_bits) {
  z_stream z{};
  if (deflateInit2(&z, level, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY) != Z_OK) return {};
  std::string out(deflateBound(&z, text.size()), '\0');
  z.next_in = reinterpret_cast<Bytef *>(const_cast<char *>(text.data()));
  z.avail_in = static_cast<uInt>(text.size());
  z.next_out = reinterpret_cast<Bytef *>(&out[0]);
  z.avail_out = static_cast<uInt>(out.size());
  bool ended = deflate(&z, Z_FINISH) == Z_STREAM_END;
  out.resize(ended ? z.total_out : 0);
  deflateEnd(&z);
  return out;
}

std::string brotlied(std::string_view text, int quality, int window) {
  std::size_t size = BrotliEncoderMaxCompressedSize(text.size());
  std::string out(size, '\0');
  bool ok = BrotliEncoderCompress(quality, window, BROTLI_MODE_GENERIC, text.size(),
                                  reinterpret_cast<const std::uint8_t *>(text.data()), &size,
                                  reinterpret_cast<std::uint8_t *>(&out[0]));
  out.resize(ok ? size : 0);
  return out;
}

void check_round_trip(const std::string &what, ContentCoding coding, const std::string &input,
                      const std::string &text) {
  struct { std::size_t chunk, window; } cases[] = {
      {1, 4096}, {7, 100}, {1000, 1}, {4096, 4096}, {1 << 24, 333}};
  for (auto c : cases) {
    Result result = decode(coding, input, c.chunk, c.window);
    tap::check(!input.empty() && !result.broken && result.status == Status::done && result.text == text,
               what + " by " + std::to_string(c.chunk) + " into " + std::to_string(c.window));
  }
}

void check_round_trips() {
  for (std::size_t size : {0, 1, 4096, 300000}) {
    std::string text = sample(size), n = std::to_string(size);
    for (int level : {0, 1, 9}) {
      std::string of = n + " bytes at level " + std::to_string(level);
      check_round_trip("gzip of " + of, ContentCoding::gzip, deflated(text, level, 31), text);
      check_round_trip("zlib of " + of, ContentCoding::deflate, deflated(text, level, 15), text);
      check_round_trip("raw deflate of " + of, ContentCoding::deflate, deflated(text, level, -15), text);
      check_round_trip("br of " + of, ContentCoding::br, brotlied(text, level, 24), text);
    }
    check_round_trip("zlib, small window, of " + n, ContentCoding::deflate, deflated(text, 6, 9), text);
    check_round_trip("br, small window, of " + n, ContentCoding::br, brotlied(text, 5, 10), text);
  }
}

// What a bomb makes of one buffer comes window by window: the caller may stop at any time.
void check_bomb(const char *what, ContentCoding coding, const std::string &input, std::size_t size) {
  auto decoder = ContentDecoder::create(coding);
  char out[kWindow];
  std::string_view in = input;
  std::size_t total = 0, calls = 0, written = 0;
  Status status;
  do {
    status = decoder->decode(in, out, sizeof out, written);
    total += written;
    calls++;
  } while (status == Status::output && written <= sizeof out && calls <= size / sizeof out + 2);
  tap::check(!input.empty() && input.size() < size / 900, std::string(what) + " is a bomb");
  tap::equal(std::string(what) + ": size", static_cast<long long>(total), static_cast<long long>(size));
  tap::check(status == Status::done, std::string(what) + " ends");
}

void check_bombs() {
  std::string zeros(8 << 20, '\0');
  check_bomb("gzip", ContentCoding::gzip, deflated(zeros, 9, 31), zeros.size());
  check_bomb("raw deflate", ContentCoding::deflate, deflated(zeros, 9, -15), zeros.size());
  check_bomb("br", ContentCoding::br, brotlied(zeros, 5, 22), zeros.size());
}

// Input that is for ever about to begin is used up, call by call.
void check_empty_blocks() {
  std::string stored, members;
  for (int i = 0; i < 2000; i++) {
    stored.append("\x00\x00\x00\xff\xff"sv);   // RFC 1951 3.2.4: not the last, no bytes
    members.append(kEmptyGzip);
  }
  expect("empty stored blocks", ContentCoding::deflate, stored.substr(0, 500), "more: ");
  tap::equal("many of them", in_words(decode(ContentCoding::deflate, stored, 65536, 16)), "more: ");
  tap::equal("many empty members", in_words(decode(ContentCoding::gzip, members, 65536, 16)), "done: ");
}

void check_codings() {
  struct { std::string_view header; ContentCoding wanted; } cases[] = {
      {"", ContentCoding::identity},
      {"   ", ContentCoding::identity},
      {"identity", ContentCoding::identity},
      {"Identity, identity", ContentCoding::identity},
      {"gzip", ContentCoding::gzip},
      {" GZip\t", ContentCoding::gzip},
      {"x-gzip", ContentCoding::gzip},
      {"deflate", ContentCoding::deflate},
      {"DEFLATE", ContentCoding::deflate},
      {"br", ContentCoding::br},
      {"Br", ContentCoding::br},
      {"identity, gzip", ContentCoding::gzip},
      {"gzip, identity", ContentCoding::gzip},
      {", gzip ,,", ContentCoding::gzip},
      {"gzip, gzip", ContentCoding::unknown},
      {"gzip,br", ContentCoding::unknown},
      {"deflate, identity, gzip", ContentCoding::unknown},
      {"compress", ContentCoding::unknown},
      {"zstd", ContentCoding::unknown},
      {"gzip, zstd", ContentCoding::unknown},
      {"zstd, gzip", ContentCoding::unknown},
      {"gzi", ContentCoding::unknown},
      {"gzipp", ContentCoding::unknown},
      {"gzip;q=1", ContentCoding::unknown},
      {"gzip br", ContentCoding::unknown},
      {"*", ContentCoding::unknown},
      {"br\0"sv, ContentCoding::unknown},
  };
  for (const auto &c : cases) {
    tap::equal("coding of " + tap::quoted(c.header), static_cast<long long>(parse_content_coding(c.header)),
               static_cast<long long>(c.wanted));
  }
  tap::check(!ContentDecoder::create(ContentCoding::identity), "identity needs no decoder");
  tap::check(!ContentDecoder::create(ContentCoding::unknown), "unknown has none");
}

void test_codings(void **) { check_codings(); TAP_FINISH(); }
void test_whole_streams(void **) { check_whole_streams(); TAP_FINISH(); }
void test_members(void **) { check_members(); TAP_FINISH(); }
void test_truncated(void **) { check_truncated(); TAP_FINISH(); }
void test_flipped_bits(void **) { check_flipped_bits(); TAP_FINISH(); }
void test_damaged(void **) { check_damaged(); TAP_FINISH(); }
void test_error_stays(void **) { check_error_stays(); TAP_FINISH(); }
void test_round_trips(void **) { check_round_trips(); TAP_FINISH(); }
void test_bombs(void **) { check_bombs(); TAP_FINISH(); }
void test_empty_blocks(void **) { check_empty_blocks(); TAP_FINISH(); }

}  // namespace

TAP_MAIN(cmocka_unit_test(test_codings), cmocka_unit_test(test_whole_streams),
         cmocka_unit_test(test_members), cmocka_unit_test(test_truncated),
         cmocka_unit_test(test_flipped_bits), cmocka_unit_test(test_damaged),
         cmocka_unit_test(test_error_stays), cmocka_unit_test(test_round_trips),
         cmocka_unit_test(test_bombs), cmocka_unit_test(test_empty_blocks))
